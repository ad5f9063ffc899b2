//! The crawl.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;

const NARROW: CrawlConfig = CrawlConfig { parallelism: 3, max_peers: 1_000 };

/// What a crawl looked like from outside.
#[derive(Debug, PartialEq, Eq)]
struct Crawled {
    outcome: CrawlOutcome<u8>,
    visited: Vec<u8>,
    most_under_way: usize,
}

impl World {
    /// Crawls it, the visits ending in an order that the seed shuffles.
    fn crawl(&self, seeds: Vec<u8>, config: CrawlConfig) -> Crawled {
        let mut crawl = Crawl::new(ME, seeds, config);
        let (mut dice, mut report) = (Seeded(self.order), None);
        let (mut under_way, mut visited, mut most_under_way) = (Vec::new(), Vec::new(), 0);
        for _ in 0..10_000 {
            match crawl.advance(report.take()) {
                CrawlStep::Visit(peer) => {
                    visited.push(peer);
                    under_way.push(peer);
                    most_under_way = most_under_way.max(under_way.len());
                }
                CrawlStep::Wait => {
                    let peer = under_way.swap_remove(dice.below(under_way.len() as u64) as usize);
                    report = Some(self.visit(peer));
                }
                CrawlStep::Done(outcome) => {
                    assert!(under_way.is_empty(), "done while {under_way:?} are being visited");
                    return Crawled { outcome, visited, most_under_way };
                }
            }
        }
        panic!("no end after 10,000 steps");
    }

    fn visit(&self, peer: u8) -> Visited<u8> {
        match self.tables.get(&peer) {
            Some(named) if !self.dead.contains(&peer) => Visited::Answered { peer, named: named.clone() },
            _ => Visited::Failed { peer },
        }
    }

    /// Who is named by somebody who answers, starting at the seeds.
    fn named_from(&self, seeds: &[u8]) -> BTreeSet<u8> {
        let mut named = set(seeds.iter().copied());
        loop {
            let alive = named.iter().filter(|peer| !self.dead.contains(peer));
            let more = set(alive.filter_map(|peer| self.tables.get(peer)).flatten().copied());
            if more.is_subset(&named) {
                return named;
            }
            named.extend(more);
        }
    }
}

#[test]
fn without_seeds_a_crawl_ends_at_once() {
    let crawled = World::default().crawl(vec![], NARROW);
    assert_eq!(crawled.visited, Vec::<u8>::new());
    assert_eq!(crawled.outcome, CrawlOutcome { reachable: vec![], unreachable: vec![], left_out: 0 });
}

#[test]
fn it_does_not_visit_ourselves() {
    let mut world = World::full_mesh(0..3);
    world.tables.insert(0, vec![ME, 1, 2]);
    assert_eq!(set(world.crawl(vec![ME, 0], NARROW).visited), set(0..3));
}

#[test]
fn it_takes_note_of_so_many_peers_and_counts_the_others() {
    let crawled = World::full_mesh(0..10).crawl(vec![0], CrawlConfig { max_peers: 4, ..NARROW });
    assert_eq!(crawled.outcome.reachable.len(), 4);
    assert_eq!(crawled.outcome.left_out, 4 * 6, "each of the four names the six");
}

#[test]
fn a_peer_that_names_nobody_is_reachable_all_the_same() {
    let world = World { tables: HashMap::from([(7, vec![])]), ..World::default() };
    assert_eq!(world.crawl(vec![7], NARROW).outcome.reachable, [7]);
}

#[test]
fn a_report_that_nobody_asked_for_changes_nothing() {
    let mut crawl = Crawl::new(ME, vec![1], NARROW);
    assert_eq!(crawl.advance(Some(Visited::Answered { peer: 9, named: vec![8] })), CrawlStep::Visit(1));
    assert_eq!(crawl.advance(None), CrawlStep::Wait);
    let outcome = CrawlOutcome { reachable: vec![], unreachable: vec![1], left_out: 0 };
    assert_eq!(crawl.advance(Some(Visited::Failed { peer: 1 })), CrawlStep::Done(outcome));
}

#[test]
fn a_crawl_that_has_to_end_early_keeps_what_it_has_found() {
    let mut crawl = Crawl::new(ME, vec![1, 2], NARROW);
    assert_eq!([crawl.advance(None), crawl.advance(None)], [CrawlStep::Visit(1), CrawlStep::Visit(2)]);
    crawl.advance(Some(Visited::Answered { peer: 2, named: vec![3] }));
    assert_eq!(crawl.into_outcome().reachable, [2]);
}

proptest! {
    #[test]
    fn a_crawl_visits_everybody_who_is_named_once_and_keeps_to_its_parallelism(world in worlds(), seeds in proptest::collection::vec(0..40u8, 0..5)) {
        let crawled = world.crawl(seeds.clone(), NARROW);
        let named = world.named_from(&seeds);
        prop_assert_eq!(crawled.visited.len(), named.len());
        prop_assert_eq!(set(crawled.visited), named.clone());
        prop_assert!(crawled.most_under_way <= NARROW.parallelism);
        let alive = |peer: &u8| world.tables.contains_key(peer) && !world.dead.contains(peer);
        let (reachable, unreachable): (BTreeSet<u8>, BTreeSet<u8>) = named.into_iter().partition(alive);
        prop_assert_eq!(set(crawled.outcome.reachable), reachable);
        prop_assert_eq!(set(crawled.outcome.unreachable), unreachable);
    }

    #[test]
    fn the_same_order_of_visits_gives_the_same_crawl(world in worlds(), seed in any::<u8>()) {
        prop_assert_eq!(world.crawl(vec![seed % 40], NARROW), world.crawl(vec![seed % 40], NARROW));
    }
}

/// Takes everything that a crawl hands out at once.
fn handed_out(crawl: &mut Crawl<u8>) -> Vec<u8> {
    std::iter::from_fn(|| match crawl.advance(None) {
        CrawlStep::Visit(peer) => Some(peer),
        CrawlStep::Wait | CrawlStep::Done(_) => None,
    })
    .collect()
}

#[test]
fn a_crawl_is_held_up_when_it_waits_for_nothing_but_seeds_that_nobody_has_named() {
    let answered = |peer, named: &[u8]| Some(Visited::Answered { peer, named: named.to_vec() });
    let mut crawl = Crawl::new(ME, vec![1, 2, 3], CrawlConfig::default());
    assert_eq!(handed_out(&mut crawl), [1, 2, 3]);
    assert!(crawl.is_held_up(), "nobody has answered yet, and nobody has been named");
    // Peer 1 names a seed and a newcomer: both are of the network, and waited for.
    assert_eq!(crawl.advance(answered(1, &[2, 4])), CrawlStep::Visit(4));
    assert_eq!(crawl.advance(answered(2, &[])), CrawlStep::Wait);
    assert!(!crawl.is_held_up(), "4 is of the network");
    assert_eq!(crawl.advance(answered(4, &[1])), CrawlStep::Wait);
    assert!(crawl.is_held_up(), "3 is known to nobody");
    assert_eq!(crawl.so_far().reachable, [1, 2, 4]);
    // It was alive after all.
    assert_eq!(crawl.advance(answered(3, &[5])), CrawlStep::Visit(5));
    assert!(!crawl.is_held_up());
    assert!(matches!(crawl.advance(Some(Visited::Failed { peer: 5 })), CrawlStep::Done(_)));
    assert!(!crawl.is_held_up(), "it has ended");
}
