//! The sweep.

use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_compose, proptest};

use super::*;

/// A network, and the order in which things end in it.
#[derive(Clone)]
struct Swarm {
    peers: Vec<Far>,
    /// Who takes no record.
    unreachable: HashSet<Far>,
    /// Whether lookups fail.
    is_deaf: bool,
    order: u64,
}

/// What a sweep looked like from outside.
#[derive(Debug)]
struct Seen {
    swept: Swept,
    /// Whom each key was sent to.
    sent: HashMap<usize, Vec<Far>>,
    looked_up: usize,
    most_lookups: usize,
    most_connections: usize,
}

/// As it can be made again.
impl std::fmt::Debug for Swarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Swarm::of({}, {})", self.peers.len(), self.order)
    }
}

impl Swarm {
    fn of(peers: u64, seed: u64) -> Self {
        let mut dice = Seeded(seed);
        let peers = (0..peers).map(|number| Far(number << 32 | dice.below(u64::from(u32::MAX)))).collect();
        Self { peers, unreachable: HashSet::new(), is_deaf: false, order: seed }
    }

    fn sweep(&self, keys: &[Key], config: SweepConfig) -> Seen {
        let table = FullTable::new(self.peers.iter().copied());
        let points = [1_u64, 2, 3, 4].map(|point| Far(u64::MAX - point).key());
        let mut sweep = Sweep::new(keys.to_vec(), Far(u64::MAX).key(), points, config);
        let mut seen =
            Seen { swept: Swept::default(), sent: HashMap::new(), looked_up: 0, most_lookups: 0, most_connections: 0 };
        let mut dice = Seeded(self.order);
        let mut under_way: Vec<SweepEvent<Far>> = Vec::new();
        let mut event = None;
        for _ in 0..100_000 {
            match sweep.advance(event.take()) {
                SweepStep::Look { job, target } => {
                    seen.looked_up += 1;
                    let closest = if self.is_deaf { vec![] } else { table.closest(&target, config.replication) };
                    under_way.push(SweepEvent::Looked { job, target, closest });
                }
                SweepStep::Send { job, peer, keys } => {
                    keys.iter().for_each(|key| seen.sent.entry(*key).or_default().push(peer));
                    let stored = if self.unreachable.contains(&peer) { vec![] } else { keys };
                    under_way.push(SweepEvent::Sent { job, stored });
                }
                SweepStep::Wait => {
                    let lookups = |event: &&SweepEvent<Far>| matches!(event, SweepEvent::Looked { .. });
                    let lookups = under_way.iter().filter(lookups).count();
                    seen.most_lookups = seen.most_lookups.max(lookups);
                    seen.most_connections = seen.most_connections.max(under_way.len() - lookups);
                    assert!(!under_way.is_empty(), "waits although nothing is under way");
                    let next = dice.below(under_way.len() as u64) as usize;
                    event = Some(under_way.swap_remove(next));
                }
                SweepStep::Done(swept) => {
                    assert!(under_way.is_empty(), "ends before {under_way:?}");
                    return Seen { swept, ..seen };
                }
            }
        }
        panic!("no end after 100,000 steps");
    }
}

fn keys(count: u64) -> Vec<Key> {
    (0..count).map(|number| Far(u64::MAX / 2 + number).key()).collect()
}

fn sorted(mut peers: Vec<Far>) -> Vec<Far> {
    peers.sort_unstable_by_key(|peer| peer.0);
    peers
}

prop_compose! {
    fn swarms()(peers in 0..700_u64, seed in any::<u64>()) -> Swarm {
        Swarm::of(peers, seed)
    }
}

proptest! {
    #[test]
    fn each_key_goes_to_the_closest_peers_of_the_whole_network_as_if_it_had_been_looked_up(
        swarm in swarms(), count in 0..200_u64, workers in 0..4_usize,
    ) {
        let keys = keys(count);
        let seen = swarm.sweep(&keys, SweepConfig { workers, ..SweepConfig::default() });
        let table = FullTable::new(swarm.peers.iter().copied());
        for (number, key) in keys.iter().enumerate() {
            let sent = seen.sent.get(&number).cloned().unwrap_or_default();
            prop_assert_eq!(sorted(sent), sorted(table.closest(key, 20)), "key {}", number);
        }
    }

    #[test]
    fn the_books_agree_with_what_was_sent(swarm in swarms(), count in 0..200_u64, every in 1..5_u64) {
        let unreachable = swarm.peers.iter().copied().filter(|peer| peer.0 % every == 0).collect();
        let swarm = Swarm { unreachable, ..swarm };
        let seen = swarm.sweep(&keys(count), SweepConfig::default());
        let written = |peers: &Vec<Far>| peers.iter().filter(|peer| !swarm.unreachable.contains(peer)).count() as u32;
        let expected: Vec<u32> = (0..count as usize).map(|key| seen.sent.get(&key).map_or(0, written)).collect();
        prop_assert_eq!(&seen.swept.holders, &expected);
        prop_assert_eq!(seen.swept.regions.iter().map(|region| region.keys).sum::<usize>() as u64, count);
        prop_assert_eq!(seen.swept.lookups, seen.looked_up);
        for region in &seen.swept.regions {
            prop_assert!(region.reached <= region.peers);
        }
    }

    #[test]
    fn a_zone_ends_after_a_bounded_number_of_lookups_whatever_the_network_says(
        answers in proptest::collection::vec(proptest::collection::vec(any::<u64>(), 0..5), 1..20), count in 0..30_u64,
    ) {
        let mut sweep = Sweep::new(keys(count), Far(0).key(), [0, 1, 2, 3].map(|point| Far(point).key()), SweepConfig::default());
        let (mut event, mut under_way, mut steps) = (None, VecDeque::new(), 0);
        loop {
            steps += 1;
            match sweep.advance(event.take()) {
                SweepStep::Look { job, target } => {
                    let closest = answers[steps % answers.len()].iter().copied().map(Far).collect();
                    under_way.push_back(SweepEvent::Looked { job, target, closest });
                }
                SweepStep::Send { job, keys, .. } => under_way.push_back(SweepEvent::Sent { job, stored: keys }),
                SweepStep::Wait => event = under_way.pop_front(),
                SweepStep::Done(_) => break,
            }
            prop_assert!(steps < 50_000);
        }
    }
}

#[test]
fn many_keys_take_far_fewer_lookups_than_keys() {
    let seen = Swarm::of(2_000, 1).sweep(&keys(10_000), SweepConfig::default());
    assert_eq!(seen.swept.holders, [20; 10_000]);
    assert!(seen.swept.lookups < 300, "{} lookups", seen.swept.lookups);
    // Regions hold 20 peers or more, and two halves of 20 would be two regions: so between 20 and some 60 peers each.
    let regions = seen.swept.regions.len();
    assert!((33..100).contains(&regions), "{regions} regions");
}

#[test]
fn one_or_two_keys_of_a_zone_are_published_one_by_one() {
    let seen = Swarm::of(2_000, 1).sweep(&keys(3), SweepConfig::default());
    assert_eq!(seen.swept.lookups, SIZING_LOOKUPS + 3);
    assert_eq!(seen.swept.holders, [20; 3]);
    assert!(seen.swept.regions.iter().all(|region| region.zone.is_none()));
}

#[test]
fn no_more_is_under_way_than_was_allowed() {
    let config = SweepConfig { workers: 3, connections: 5, ..SweepConfig::default() };
    let seen = Swarm::of(2_000, 1).sweep(&keys(5_000), config);
    assert!(seen.most_lookups <= SIZING_LOOKUPS, "{}", seen.most_lookups);
    assert_eq!(seen.most_connections, 15);
}

#[test]
fn keys_whose_lookups_fail_have_no_holders_and_are_counted() {
    let seen = Swarm { is_deaf: true, ..Swarm::of(100, 1) }.sweep(&keys(50), SweepConfig::default());
    assert_eq!(seen.swept.holders, [0; 50]);
    assert_eq!(seen.swept.regions.iter().map(|region| region.keys).sum::<usize>(), 50);
    assert!(seen.swept.regions.iter().all(|region| region.reached == 0));
}

#[test]
fn without_keys_nothing_is_looked_up() {
    assert_eq!(Swarm::of(100, 1).sweep(&[], SweepConfig::default()).swept, Swept::default());
}

#[test]
fn a_zone_is_the_points_that_begin_with_its_bits() {
    let point = Key::from_byte(0b1011_0000);
    let zone = Prefix::of(&point, 3);
    assert_eq!((zone.len(), format!("{zone:?}")), (3, "Prefix(101)".to_owned()));
    assert!(zone.contains(&Key::from_byte(0b1010_1111)) && !zone.contains(&Key::from_byte(0b1001_1111)));
    assert!(zone.parent().unwrap().covers(&zone) && !zone.covers(&zone.parent().unwrap()));
    assert_eq!(zone.sibling(), Some(Prefix::of(&Key::from_byte(0b1000_0000), 3)));
    assert_eq!(zone.point_closest_to(&Key::from_byte(0b0101_0101)), Key::from_byte(0b1011_0101));
    assert_eq!((Prefix::ALL.parent(), Prefix::ALL.sibling(), Prefix::ALL.is_empty()), (None, None, true));
}
