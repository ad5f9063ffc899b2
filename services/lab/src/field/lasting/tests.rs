//! What a node keeps from one operation to the next, and what that changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parsec_dht::strategy::{Provided, Request};
use parsec_measure::{OutcomeClass, StrategyKind};
use parsec_results::bench::BenchGroup;
use proptest::prelude::*;

use super::super::drive::{Ground, Limits, drive};
use super::super::log::{Entry, Log};
use super::super::scenario::Scenario;
use super::super::testing::world;
use super::super::trial::{OPTIMISTIC, publish};
use super::super::vantage::{Field, Scene};
use super::super::world::World;
use super::super::{Scan, Trial};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Its nodes keep so many connections.
fn keeping(world: &World, connections: u32) -> World {
    world.with("connections", f64::from(connections)).unwrap()
}

fn both(began: Duration) -> Began {
    Began { network: began, node: began }
}

fn with<T>(world: &World, seed: u64, act: impl FnOnce(&Field<'_>, Option<Lasting>) -> T) -> T {
    let population = Population::draw(world, seed);
    let field = Field::new(world, &population, seed, false);
    let node = field.lasting().swap_remove(0);
    act(&field, node)
}

/// Publishes a key the classic way, as the first node.
fn published(field: &Field<'_>, node: &mut Option<Lasting>, number: u32, began: Duration) -> Driven<Provided<Peer>> {
    let (vantage, nobody) = (&field.vantages[0], HashMap::new());
    let dice = field.dice_of(number, 0);
    go_on(node, &field.directory, both(began), |lasting| {
        let scene = Scene { field, vantage, dice, began, records: &nobody, provider: vantage.peer, lasting };
        publish(&scene, StrategyKind::Classic, field.target(number))
    })
}

fn count(log: &Log, wanted: impl Fn(&Entry) -> bool) -> usize {
    log.0.iter().filter(|entry| wanted(entry)).count()
}

#[test]
fn who_publishes_the_same_key_again_dials_nobody_to_whom_it_is_connected() {
    with(&keeping(&world(2_000), 300), 1, |field, mut node| {
        let first = published(field, &mut node, 0, Duration::ZERO);
        let over = first.whole.0.iter().filter_map(|entry| entry.ended).max().unwrap();
        let again = published(field, &mut node, 0, over);
        // Who refused is dialled again.
        let connected = |driven: &Driven<_>| {
            count(&driven.whole, |entry| entry.dialled.is_some() && !entry.joined && entry.connected.is_some())
        };
        assert!(connected(&first) > 10 && connected(&again) == 0, "{} and {}", connected(&first), connected(&again));
        assert!(again.took < first.took);
    });
}

#[test]
fn who_could_not_be_dialled_is_left_alone_for_five_seconds_and_the_longer_the_more_often_that_was_so() {
    with(&keeping(&world(2_000), 300), 1, |field, mut node| {
        let failed = |driven: &Driven<_>| {
            let dead = |entry: &&Entry| matches!(entry.end, RequestEnd::DialFailed) && !entry.joined;
            driven.whole.0.iter().filter(dead).map(|entry| (entry.peer, entry.ended.unwrap())).collect::<Vec<_>>()
        };
        let first = failed(&published(field, &mut node, 0, Duration::ZERO));
        let (peer, ended) = first[0];
        let alone = |node: &Option<Lasting>, at| node.as_ref().unwrap().is_left_alone(&peer, at);
        assert!(alone(&node, ended) && alone(&node, ended + Duration::from_millis(4_999)));
        assert!(!alone(&node, ended + Duration::from_secs(5)));
        let again = published(field, &mut node, 0, 10 * MINUTE);
        let (_, ended) = failed(&again).into_iter().find(|(other, _)| *other == peer).unwrap();
        assert!(alone(&node, ended + Duration::from_millis(5_999)));
        assert!(!alone(&node, ended + Duration::from_secs(6)));
    });
}

#[test]
fn who_does_not_answer_leaves_the_table_and_is_no_longer_where_an_operation_begins() {
    // Half of its table is dead.
    let stale = world(2_000).with("undialable", 0.4).unwrap().with("stale", 3.0).unwrap();
    with(&keeping(&stale, 300), 1, |field, mut node| {
        let dead = |node: &Option<Lasting>, number: u32| {
            let seeds = node.as_ref().unwrap().closest(&field.directory, &field.target(number), Duration::ZERO);
            let is_dead = |peer: &&Peer| !field.directory.population.fate(peer.index, Duration::ZERO).is_dialable();
            seeds.iter().filter(is_dead).count()
        };
        let before: usize = (0..40).map(|number| dead(&node, number)).sum();
        let mut clock = Duration::ZERO;
        for number in 0..40 {
            clock += published(field, &mut node, number, clock).took + 10 * MINUTE;
        }
        let after: usize = (0..40).map(|number| dead(&node, number)).sum();
        assert!(before > 40 && after * 4 < before, "{before} dead among those with whom it begins, then {after}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_keeps_as_many_connections_as_it_may_and_never_more_of_those_that_are_no_longer_new(
        seed in any::<u64>(), high in 60..400_u32, pauses in proptest::collection::vec(0..300_u64, 1..6),
    ) {
        with(&keeping(&world(1_500), high), seed, |field, mut node| {
            let mut clock = Duration::ZERO;
            for (number, pause) in (0..).zip(pauses) {
                let before = clock;
                published(field, &mut node, number, clock);
                clock += MINUTE * 4 + Duration::from_secs(pause);
                let node = node.as_mut().unwrap();
                node.settle(&field.directory, both(clock));
                let standing: Vec<_> = node.links.standing(clock).collect();
                // The first two buckets have 40 peers at most.
                assert!(standing.len() <= high.max(40) as usize, "{} of {high} since {before:?}", standing.len());
                let is_there = |index: u32| field.directory.population.fate(index, clock).is_dialable();
                assert!(standing.iter().all(|(index, _)| is_there(*index)));
            }
        });
    }

    #[test]
    fn no_bucket_of_its_table_ever_has_more_than_it_has_room_for_and_nobody_stands_there_twice(
        seed in any::<u64>(), peers in 21..400_u32, answers in proptest::collection::vec((0..400_u32, any::<bool>()), 0..300),
    ) {
        let world = keeping(&world(peers), 100);
        with(&world, seed, |field, node| {
            let (population, mut table) = (field.directory.population, node.unwrap().table);
            for (peer, answered) in answers {
                let peer = population.peer(peer % peers);
                if answered { table.answered(peer) } else { table.did_not_answer(peer) }
                assert!(!answered || table.has(peer) || table.sizes[bucket(&table.owner, peer)] == BUCKET);
                assert!(answered || !table.has(peer));
            }
            let mut sizes = vec![0; BUCKETS];
            (0..peers).filter_map(|index| table.bucket_of(population, index)).for_each(|bucket| sizes[bucket as usize] += 1);
            assert_eq!(sizes, table.sizes);
            assert!(sizes.iter().all(|size| *size <= BUCKET));
            let closest = table.closest(&field.directory, &field.target(0), Duration::ZERO);
            assert_eq!(closest.len(), sizes.iter().sum::<usize>().min(BUCKET));
            assert!(closest.iter().all(|peer| table.has(*peer)));
        });
    }
}

#[test]
fn where_peers_come_and_go_it_stays_connected_to_those_in_its_table() {
    let churning = keeping(&world(2_000).with("churn", 1_800.0).unwrap(), 300);
    let scenario = Scenario::of(&churning);
    let population = Population::over(&churning, 3, &scenario);
    let field = Field::over(&churning, &population, 3, false, &scenario);
    let mut node = field.lasting().swap_remove(0).unwrap();
    for minute in [0, 20, 40, 60] {
        let at = MINUTE * minute;
        node.settle(&field.directory, both(at));
        let moment = population.at(at);
        let (connected, all): (Vec<u32>, Vec<u32>) = {
            let there = node.table.first.iter().copied().filter(|index| moment.fate(*index).is_dialable());
            let all: Vec<u32> = there.collect();
            (all.iter().copied().filter(|index| node.links.since(*index, at).is_some()).collect(), all)
        };
        assert!(all.len() > 100 && connected.len() * 10 > all.len() * 9, "{} of {}", connected.len(), all.len());
    }
}

/// A network in which the background is full until then.
struct Full<'a>(Scene<'a>, Duration);

impl Ground for Full<'_> {
    fn is_connected(&self, peer: &Peer, at: Duration) -> bool {
        self.0.is_connected(peer, at)
    }

    fn room(&self, at: Duration) -> usize {
        if at < self.1 { 0 } else { BACKGROUND_PUTS }
    }

    fn dial(&self, peer: &Peer, nth: u32, at: Duration) -> (Duration, bool) {
        self.0.dial(peer, nth, at)
    }

    fn answer(&self, peer: &Peer, request: Request, nth: u32, at: Duration) -> Option<Duration> {
        self.0.answer(peer, request, nth, at)
    }

    fn closer(&self, peer: &Peer, target: &Key, at: Duration) -> Vec<Peer> {
        self.0.closer(peer, target, at)
    }

    fn providers(&self, peer: &Peer, at: Duration) -> Vec<Peer> {
        self.0.providers(peer, at)
    }
}

#[test]
fn an_optimistic_publication_that_finds_no_room_in_the_background_returns_when_its_own_puts_have_ended() {
    use parsec_dht::strategy::{LookupConfig, ProvideOptimistic};
    with(&world(2_000), 3, |field, _| {
        let (vantage, nobody) = (&field.vantages[0], HashMap::new());
        let target = field.target(0);
        let driven = |full_until: Duration, operation: Duration| {
            let dice = field.dice_of(0, 0);
            let (began, records, provider) = (Duration::ZERO, &nobody, vantage.peer);
            let scene = Scene { field, vantage, dice, began, records, provider, lasting: None };
            let (seeds, size) = (scene.seeds(&target), vantage.size(began).unwrap());
            let strategy = ProvideOptimistic::new(target, vantage.peer, seeds, LookupConfig::default(), size);
            drive(&Full(scene, full_until), strategy, target, Limits { operation, ..OPTIMISTIC })
        };
        let minutes = 3 * MINUTE;
        let (free, full) = (driven(Duration::ZERO, minutes), driven(minutes, minutes));
        let last = |driven: &Driven<_>| {
            let puts = driven.whole.0.iter().filter(|entry| entry.kind == RequestKind::AddProvider);
            puts.filter_map(|entry| entry.ended).max().unwrap()
        };
        assert!(free.took < last(&free), "some puts are left to the background");
        assert_eq!((full.took, full.outcome.is_ok()), (last(&full), true));
        let cut = driven(minutes, full.took - Duration::from_millis(1));
        assert!(cut.outcome.is_ok() && cut.took < full.took, "out of time, it returns what it has");
    });
}

#[test]
fn what_is_left_to_the_background_takes_room_there_until_it_ends() {
    with(&keeping(&world(400), 100), 1, |_, node| {
        let mut node = node.unwrap();
        let second = Duration::from_secs(1);
        let put = |seconds: u64| Entry {
            peer: node.table.added.first().copied().unwrap_or_else(|| Peer::new(0, node.table.owner.key)),
            kind: RequestKind::AddProvider,
            origin: Default::default(),
            asked: Duration::ZERO,
            dialled: None,
            joined: false,
            connected: Some(Duration::ZERO),
            written: Some(second * seconds as u32),
            ended: Some(second * seconds as u32),
            end: RequestEnd::Answered,
            confirmed: None,
            closer: 0,
            providers: 0,
        };
        let whole = Log(vec![put(1), put(3), put(5)]);
        node.began = 10 * second;
        node.take_in(&Driven { outcome: Ok(()), took: 2 * second, returned: Log::default(), whole });
        let room = [2, 3, 4, 5].map(|at| node.room(second * at));
        assert_eq!(room, [58, 59, 59, 60]);
    });
}

fn run(trial: &Trial, threads: usize) -> Vec<BenchGroup> {
    trial.run(threads, &AtomicBool::new(false), &|| {}).unwrap()
}

fn trial(operations: u32) -> Trial {
    let strategies = vec![StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt];
    Trial { world: keeping(&world(1_000), 192), seed: 7, operations, strategies }
}

#[test]
fn a_seed_gives_the_same_operations_on_any_number_of_threads_and_fewer_are_the_first_of_many() {
    let groups = run(&trial(50), 1);
    assert_eq!((groups.len(), groups[0].operations.len()), (6, 50));
    assert_eq!(run(&trial(50), 3), groups);
    let few = Trial { operations: 20, strategies: vec![StrategyKind::Optprov], ..trial(50) };
    for (few, all) in run(&few, 2).iter().zip(&groups[2..4]) {
        assert_eq!(few.operations, all.operations[..20]);
    }
    let well = groups.iter().flat_map(|group| &group.operations).filter(|one| one.class == OutcomeClass::Ok).count();
    assert!(well > 290, "{well} of 300");
}

#[test]
fn a_node_does_one_thing_after_the_other_also_where_peers_come_and_go() {
    let mut trial = trial(40);
    trial.world = keeping(&world(600).with("churn", 3_600.0).unwrap(), 192);
    let scenario = Scenario::of(&trial.world);
    let population = Population::over(&trial.world, 1, &scenario);
    let field = Field::over(&trial.world, &population, 1, trial.crawls(), &scenario);
    let played = trial.play(&field, 2, &AtomicBool::new(false), &|| {}).unwrap();
    for strategy in 0..3 {
        let began: Vec<Duration> =
            played.iter().filter(|(place, _)| place % 3 == strategy).map(|(_, pair)| pair.began[0]).collect();
        assert!(began.len() == 40 && began.is_sorted(), "{began:?}");
    }
}

#[test]
fn one_that_is_stopped_has_as_much_of_every_strategy() {
    let (stop, pairs) = (AtomicBool::new(false), AtomicU32::new(0));
    let done = || stop.store(pairs.fetch_add(1, Ordering::Relaxed) >= 100, Ordering::Relaxed);
    let groups = trial(10_000).run(2, &stop, &done).unwrap();
    let counts: Vec<usize> = groups.iter().map(|group| group.operations.len()).collect();
    assert!(counts.len() == 6 && counts.iter().all(|count| *count == counts[0] && *count >= 16), "{counts:?}");
}

#[test]
fn the_more_connections_a_node_keeps_the_fewer_it_dials() {
    let dials = |connections| {
        let mut trial = trial(100);
        trial.world = keeping(&trial.world, connections);
        let groups = run(&trial, 2);
        groups[0].operations.iter().filter_map(|one| one.effort.dials).sum::<u32>()
    };
    let [few, some, many] = [40, 192, 1_000].map(dials);
    assert!(few > some && some > many, "{few}, {some}, {many}");
}

#[test]
fn a_world_says_either_shares_or_how_many_are_kept_and_a_scan_sets_one_of_them() {
    let text = super::super::testing::text();
    let shares = "connected = 0.5\nconnected_elsewhere = 0.02\n";
    let read = |instead: &str| World::read("my.toml", &text.replacen(shares, instead, 1));
    let kept = read("connections = { low = 160, high = 192 }\n").unwrap();
    assert_eq!(kept, keeping(&World::read("test", text).unwrap(), 192), "as go-libp2p has them");
    let message = |instead| read(instead).unwrap_err().to_string();
    for (instead, words) in [
        (
            "connections = { low = 160 }\n",
            "`node.connections.high` is missing; expected a whole number from 1 to 100000",
        ),
        ("connections = { low = 9, high = 8 }\n", "`node.connections.low` is 9; expected at most `high`, 8"),
        ("connections = 8\n", "`node.connections` is 8; expected a table [node.connections]"),
        ("connected = 0.5\n", "`node.connected_elsewhere` is missing; expected a share"),
        (
            "connected = 0.5\nconnections = { low = 160, high = 192 }\n",
            "`node.connected` stands beside `node.connections`; expected either",
        ),
    ] {
        assert!(message(instead).contains(words), "{}", message(instead));
    }
    let scan =
        |text: &str, world: &World| Scan::read(text, world).map(|scan| scan.worlds.len()).map_err(|no| no.to_string());
    assert_eq!(scan("connections=50,192,1000", &world(300)), Ok(3));
    assert!(scan("connections=1.5,3", &world(300)).unwrap_err().contains("expected a whole number from 1 to 100000"));
    let no_effect = scan("connected=0.1,0.2", &kept).unwrap_err();
    assert!(no_effect.starts_with("`connected` has no effect in a world whose node keeps connections"), "{no_effect}");
}
