//! The strategies on networks of one-byte peers, small enough to hold in the head.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_compose, proptest};

use super::*;
use crate::key::{Contact, Key};

impl Contact for u8 {
    fn key(&self) -> Key {
        Key::from_byte(*self)
    }
}

/// Ourselves, outside every test network.
const ME: u8 = 0xff;
const SMALL: LookupConfig = LookupConfig { alpha: 3, beta: 2, k: 4 };

/// Who knows whom, who is dead, and who holds provider records.
#[derive(Debug, Default, Clone)]
struct World {
    tables: HashMap<u8, Vec<u8>>,
    dead: HashSet<u8>,
    holders: HashSet<u8>,
    /// Which of the requests under way is answered next, as a seed.
    order: u64,
}

/// What a run looked like from outside.
#[derive(Debug)]
struct Run<O> {
    outcome: O,
    asked: Vec<(u8, Request)>,
    most_under_way_while_walking: usize,
}

impl World {
    /// Everybody knows everybody.
    fn full_mesh(peers: impl IntoIterator<Item = u8> + Clone) -> Self {
        let all: Vec<u8> = peers.into_iter().collect();
        Self { tables: all.iter().map(|peer| (*peer, all.clone())).collect(), ..Self::default() }
    }

    fn nearest(&self, target: Key, peers: impl IntoIterator<Item = u8>, n: usize) -> Vec<u8> {
        let mut sorted: Vec<u8> = peers.into_iter().collect();
        sorted.sort_by_key(|peer| peer.key().distance(&target));
        sorted.truncate(n);
        sorted
    }

    fn reply(&self, target: Key, peer: u8, request: Request) -> Reply<u8> {
        if self.dead.contains(&peer) {
            return Reply::Failed;
        }
        let known = self.tables.get(&peer).cloned().unwrap_or_default();
        let closer = self.nearest(target, known, SMALL.k);
        match request {
            Request::FindNode => Reply::Answered { closer, providers: vec![] },
            Request::GetProviders => {
                let providers = if self.holders.contains(&peer) { vec![0xee] } else { vec![] };
                Reply::Answered { closer, providers }
            }
            Request::AddProvider => Reply::Stored,
        }
    }

    /// Drives a strategy to its end, answering requests in an order that the seed shuffles.
    fn run<S: Strategy<u8>>(&self, target: Key, mut strategy: S) -> Run<S::Outcome> {
        let (mut under_way, mut asked) = (Vec::<(u8, Request)>::new(), Vec::new());
        let (mut answer, mut cancelled, mut most, mut seed) = (None, false, 0, self.order);
        for _ in 0..10_000 {
            match strategy.advance(answer.take(), Duration::ZERO) {
                Step::Ask { peer, request } => {
                    asked.push((peer, request));
                    under_way.push((peer, request));
                    if !cancelled && request != Request::AddProvider {
                        most = most.max(under_way.len());
                    }
                }
                Step::CancelDials => cancelled = true,
                Step::Wait(_) => {
                    assert!(!under_way.is_empty(), "waits although nothing is under way");
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let (peer, request) = under_way.remove((seed >> 33) as usize % under_way.len());
                    answer = Some(Answer { peer, request, reply: self.reply(target, peer, request) });
                }
                Step::Return(_) => {}
                Step::Done(outcome) => return Run { outcome, asked, most_under_way_while_walking: most },
            }
        }
        panic!("no end after 10,000 steps");
    }

    fn lookup(&self, target: Key, seeds: Vec<u8>) -> Run<Walked<u8>> {
        self.run(target, Lookup::new(target, ME, seeds, Request::FindNode, SMALL))
    }
}

fn peers(walked: &Walked<u8>) -> Vec<u8> {
    walked.closest.iter().map(|nearest| nearest.peer).collect()
}

#[test]
fn a_lookup_walks_a_chain_to_the_closest_peers() {
    let chain = [0b1000_0000, 0b0100_0000, 0b0010_0000, 0b0001_0000, 0b0000_1000, 0b0000_0100];
    let tables = chain.windows(2).map(|pair| (pair[0], vec![pair[1]])).collect();
    let world = World { tables, ..World::default() };
    let run = world.lookup(Key::from_byte(0), vec![chain[0]]);
    assert_eq!(peers(&run.outcome), [chain[5], chain[4], chain[3], chain[2]]);
    assert_eq!(run.asked.len(), chain.len(), "each peer of the chain is asked once");
}

#[test]
fn it_stops_walking_once_the_beta_closest_have_answered_and_follows_up_on_the_rest_of_the_k() {
    let world = World::full_mesh(1..=40);
    let run = world.lookup(Key::from_byte(0), vec![1, 2, 3, 4, 5, 6]);
    assert_eq!(peers(&run.outcome), [1, 2, 3, 4]);
    assert!(run.outcome.closest.iter().all(|nearest| nearest.answered));
    assert!(run.asked.len() <= SMALL.alpha + SMALL.k, "asked {:?}", run.asked);
}

#[test]
fn an_empty_table_ends_at_once_with_nobody() {
    let run = World::default().lookup(Key::from_byte(0), vec![]);
    assert_eq!((run.outcome.closest.len(), run.asked.len()), (0, 0));
}

#[test]
fn when_everybody_is_dead_it_ends_with_nobody_and_has_asked_each_once() {
    let mut world = World::full_mesh(1..=6);
    world.dead = (1..=6).collect();
    let run = world.lookup(Key::from_byte(0), (1..=6).collect());
    assert_eq!((run.outcome.closest.len(), run.asked.len()), (0, 6));
}

#[test]
fn we_never_ask_ourselves() {
    let mut world = World::full_mesh(1..=3);
    world.tables.insert(1, vec![ME, 2, 3]);
    let run = world.lookup(Key::from_byte(ME), vec![ME, 1]);
    assert!(run.asked.iter().all(|(peer, _)| *peer != ME));
}

#[test]
fn a_cancelled_dial_is_no_verdict_the_follow_up_asks_the_peer_again() {
    let config = LookupConfig { alpha: 3, beta: 1, k: 3 };
    let mut lookup = Lookup::new(Key::from_byte(0), ME, vec![1, 2, 3], Request::FindNode, config);
    let mut next = |answer| lookup.advance(answer, Duration::ZERO);
    let ask = |peer| Step::Ask { peer, request: Request::FindNode };
    for peer in [1, 2, 3] {
        assert_eq!(next(None), ask(peer));
    }
    assert_eq!(next(None), Step::Wait(None));
    let empty = Reply::Answered { closer: vec![], providers: vec![] };
    assert_eq!(next(Some(Answer { peer: 1, request: Request::FindNode, reply: empty.clone() })), Step::CancelDials);
    assert_eq!(next(Some(Answer { peer: 2, request: Request::FindNode, reply: Reply::Cancelled })), Step::Wait(None));
    // 3 was connected already: its request is awaited, not dropped, before 2 is asked again.
    assert_eq!(next(Some(Answer { peer: 3, request: Request::FindNode, reply: empty.clone() })), ask(2));
    assert_eq!(next(None), Step::Wait(None));
    let Step::Done(walked) = next(Some(Answer { peer: 2, request: Request::FindNode, reply: Reply::Failed })) else {
        panic!("not done")
    };
    let answered: Vec<_> = walked.closest.iter().map(|nearest| (nearest.peer, nearest.answered)).collect();
    assert_eq!(answered, [(1, true), (2, false), (3, true)]);
}

#[test]
fn a_publication_puts_to_the_k_closest_and_ends_when_all_puts_have_ended() {
    let mut world = World::full_mesh(1..=30);
    world.dead = HashSet::from([3]);
    let target = Key::from_byte(0);
    let run = world.run(target, ProvideClassic::new(target, ME, vec![9, 20], SMALL));
    let mut stored = run.outcome.stored.clone();
    stored.sort_unstable();
    assert_eq!(stored.iter().chain(&run.outcome.failed).count(), SMALL.k);
    assert!(!stored.contains(&3));
}

#[test]
fn a_publication_into_an_empty_table_stores_nothing() {
    let target = Key::from_byte(0);
    let run = World::default().run(target, ProvideClassic::new(target, ME, vec![], SMALL));
    assert_eq!(run.outcome, Provided { stored: vec![], failed: vec![] });
}

#[test]
fn a_search_ends_at_the_first_provider() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([20]);
    let target = Key::from_byte(0);
    let run = world.run(target, FindProviders::new(target, ME, vec![20], SMALL));
    assert_eq!(run.outcome, Found::Providers { by: 20, providers: vec![0xee] });
    assert_eq!(run.asked, [(20, Request::GetProviders)]);
}

#[test]
fn a_search_finds_a_record_that_only_the_follow_up_reaches() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([4]);
    let target = Key::from_byte(0);
    let run = world.run(target, FindProviders::new(target, ME, vec![1, 2], SMALL));
    assert_eq!(run.outcome, Found::Providers { by: 4, providers: vec![0xee] });
}

#[test]
fn a_search_without_a_record_ends_with_nobody() {
    let target = Key::from_byte(0);
    let run = World::full_mesh(1..=30).run(target, FindProviders::new(target, ME, vec![9], SMALL));
    assert_eq!(run.outcome, Found::Nobody);
}

prop_compose! {
    /// A network in which everybody knows a random part of the others, some are dead, some hold the record.
    fn worlds()(
        size in 1..40u8,
        seed in any::<u64>(),
        dead in proptest::collection::hash_set(0..40u8, 0..15),
        holders in proptest::collection::hash_set(0..40u8, 0..4),
        order in any::<u64>(),
    ) -> World {
        let mut state = seed;
        let mut coin = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); (state >> 40) % 3 == 0 };
        let tables = (0..size).map(|peer| (peer, (0..size).filter(|other| *other != peer && coin()).collect())).collect();
        World { tables, dead, holders, order }
    }
}

proptest! {
    #[test]
    fn a_lookup_terminates_asks_nobody_twice_and_keeps_to_alpha(world in worlds(), target in any::<u8>(), seeds in proptest::collection::vec(0..40u8, 0..8)) {
        let run = world.lookup(Key::from_byte(target), seeds);
        let distinct: BTreeSet<_> = run.asked.iter().map(|(peer, _)| peer).collect();
        prop_assert_eq!(distinct.len(), run.asked.len());
        prop_assert!(run.most_under_way_while_walking <= SMALL.alpha);
        prop_assert!(run.outcome.closest.len() <= SMALL.k);
    }

    #[test]
    fn among_living_peers_that_all_know_each_other_the_result_is_the_true_closest(size in 1..60u8, target in any::<u8>(), seed in 0..60u8, order in any::<u64>()) {
        let world = World { order, ..World::full_mesh(0..size) };
        let key = Key::from_byte(target);
        let run = world.lookup(key, vec![seed % size]);
        prop_assert_eq!(peers(&run.outcome), world.nearest(key, 0..size, SMALL.k));
    }

    #[test]
    fn the_same_order_of_answers_gives_the_same_run(world in worlds(), target in any::<u8>()) {
        let runs = [(); 2].map(|()| world.lookup(Key::from_byte(target), vec![0, 1, 2]));
        prop_assert_eq!(&runs[0].asked, &runs[1].asked);
        prop_assert_eq!(&runs[0].outcome, &runs[1].outcome);
    }

    #[test]
    fn a_publication_counts_each_of_the_closest_exactly_once(world in worlds(), target in any::<u8>()) {
        let key = Key::from_byte(target);
        let run = world.run(key, ProvideClassic::new(key, ME, vec![0, 1], SMALL));
        let puts: Vec<_> = run.asked.iter().filter(|(_, request)| *request == Request::AddProvider).map(|(peer, _)| *peer).collect();
        let counted: BTreeSet<_> = run.outcome.stored.iter().chain(&run.outcome.failed).copied().collect();
        prop_assert_eq!(puts.len(), counted.len());
        prop_assert_eq!(puts.into_iter().collect::<BTreeSet<_>>(), counted);
    }
}
