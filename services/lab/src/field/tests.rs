//! What simulated operations come to, whatever the world.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parsec_dht::key::Contact;
use parsec_measure::{OperationKind, OutcomeClass, StrategyKind};
use parsec_results::bench::BenchGroup;
use proptest::prelude::*;

use super::testing::world;
use super::*;

const STRATEGIES: [StrategyKind; 3] = [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt];

fn trial(world: World, seed: u64, operations: u32) -> Trial {
    Trial { world, seed, operations, strategies: STRATEGIES.to_vec() }
}

fn run(trial: &Trial, threads: usize) -> Vec<BenchGroup> {
    trial.run(threads, &AtomicBool::new(false), &|| {}).unwrap()
}

/// Everybody lives, and every table has everybody for whom it has room.
fn healthy(peers: u32) -> World {
    let mut world = world(peers);
    for name in ["undialable", "silent", "slow", "missing"] {
        world = world.with(name, 0.0).unwrap();
    }
    world
}

#[test]
fn a_seed_gives_the_same_operations_on_any_number_of_threads_and_alone() {
    let all = trial(world(2_000), 7, 100);
    let groups = run(&all, 1);
    assert_eq!(groups.len(), 6);
    for threads in [2, 3, 8] {
        assert_eq!(run(&all, threads), groups, "{threads} threads");
    }
    // Fewer operations are the first of them, and one strategy alone does what it does beside others.
    let few = Trial { operations: 9, strategies: vec![StrategyKind::Optprov], ..all.clone() };
    for (few, all) in run(&few, 2).iter().zip(&groups[2..4]) {
        assert_eq!(few.operations, all.operations[..9]);
    }
    assert_ne!(run(&Trial { seed: 8, ..all }, 2), groups);
}

#[test]
fn where_peers_come_and_go_a_seed_gives_the_same_operations_on_any_number_of_threads_and_fewer_are_the_first_of_many() {
    let churning = world(600).with("churn", 3_600.0).unwrap().with("after", 3_600.0).unwrap();
    let all = trial(churning, 7, 60);
    let groups = run(&all, 1);
    assert_eq!(run(&all, 3), groups);
    let few = Trial { operations: 9, strategies: vec![StrategyKind::Optprov], ..all.clone() };
    for (few, all) in run(&few, 2).iter().zip(&groups[2..4]) {
        assert_eq!(few.operations, all.operations[..9]);
    }
}

#[test]
fn the_later_a_key_is_looked_up_the_fewer_hold_it_still_and_its_publication_was_the_same() {
    let churning = healthy(600).with("churn", 3_600.0).unwrap();
    let played = |after: f64| {
        let groups = run(&trial(churning.with("after", after).unwrap(), 2, 60), 2);
        let (provided, found): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.kind == OperationKind::Provide);
        let left = |group: &BenchGroup| group.operations.iter().filter_map(|one| one.holders_left).sum::<u32>();
        (provided, found.iter().map(left).collect::<Vec<_>>())
    };
    let [at_once, hour, day] = [0.0, 3_600.0, 86_400.0].map(played);
    assert_eq!((&at_once.0, &at_once.0), (&hour.0, &day.0));
    for (place, strategy) in STRATEGIES.into_iter().enumerate() {
        let share = |left: &[u32]| f64::from(left[place]) / f64::from(at_once.1[place]);
        let (hour, day) = (share(&hour.1), share(&day.1));
        // Of those who hold it, 1/(1 + t/1 h) stay.
        assert!((0.4..0.65).contains(&hour) && day < 0.1, "{strategy}: {hour} after an hour, {day} after a day");
    }
}

#[test]
fn where_peers_come_and_go_tables_are_as_stale_as_the_world_says() {
    let mut churning = world(4_000).with("churn", 7_200.0).unwrap();
    churning.tables.stale = vec![(0, 0.12)];
    let scenario = scenario::Scenario::of(&churning);
    let population = population::Population::over(&churning, 3, &scenario);
    let field = vantage::Field::over(&churning, &population, 3, false, &scenario);
    let (mut dead, mut all) = (0, 0);
    for minute in [10, 25, 40, 55, 69] {
        let at = Duration::from_secs(60 * minute);
        for of in (0..4_000).step_by(25) {
            let entries = field.directory.entries(&field.directory.owner(population.peer(of)), 3, at);
            all += entries.len();
            dead += entries.iter().filter(|index| !population.fate(**index, at).is_dialable()).count();
        }
    }
    let share = dead as f64 / all as f64;
    assert!((share - 0.12).abs() < 0.015, "{share}");
}

#[test]
fn of_a_run_that_is_stopped_there_is_what_had_been_played() {
    let stopped = trial(world(100), 1, 100).run(2, &AtomicBool::new(true), &|| {}).unwrap();
    assert_eq!(stopped, vec![]);
}

#[test]
fn a_wider_lookup_meets_the_same_peers_with_the_same_tempers() {
    // With one request at a time or ten, the first peer that is asked takes as long.
    let (one, ten) = (world(2_000).with("alpha", 1.0).unwrap(), world(2_000));
    let durations = |world| {
        let groups = run(&Trial { strategies: vec![StrategyKind::Fullrt], ..trial(world, 3, 50) }, 2);
        groups.into_iter().flat_map(|group| group.operations).map(|one| one.duration).collect::<Vec<_>>()
    };
    assert_eq!(durations(one), durations(ten), "what does not depend on alpha does not change with it");
}

#[test]
fn among_dead_peers_optprov_and_fullrt_publish_faster_than_classic() {
    let groups = run(&trial(world(2_000), 1, 200), 2);
    let median = |strategy| {
        let of = |group: &&BenchGroup| group.strategy == strategy && group.kind == OperationKind::Provide;
        let mut took: Vec<_> = groups.iter().find(of).unwrap().operations.iter().map(|one| one.duration).collect();
        took.sort();
        took[100]
    };
    let [classic, optprov, fullrt] = STRATEGIES.map(median);
    assert!(optprov * 3 < classic && fullrt < classic, "{classic:?}, {optprov:?}, {fullrt:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn when_everybody_lives_and_tables_are_full_the_closest_hold_the_record_and_everybody_finds_it(
        peers in 21..800_u32, seed in any::<u64>(),
    ) {
        for group in run(&trial(healthy(peers), seed, 4), 1) {
            for one in &group.operations {
                prop_assert_eq!(one.class, OutcomeClass::Ok, "{} {} {:?}", group.strategy, group.kind, one);
                // Of an optimistic publication, those are served who are close enough.
                if group.kind == OperationKind::Provide && group.strategy != StrategyKind::Optprov {
                    prop_assert_eq!(one.holders_final, Some(20), "{}: {:?}", group.strategy, one);
                    prop_assert_eq!(one.closest_found, Some(1.0));
                }
            }
        }
    }

    #[test]
    fn whatever_the_world_operations_end_and_add_up(
        peers in 21..400_u32, seed in any::<u64>(), undialable in 0.0..0.9_f64, silent in 0.0..0.02_f64,
        alpha in 1..30_u32, stale in 0.0..10.0_f64, missing in 0.0..=1.0_f64, connected in 0.0..=1.0_f64,
        churn in proptest::option::weighted(0.2, (600.0..100_000.0_f64, 0.0..7_200.0_f64)),
    ) {
        let mut world = world(peers);
        let values = [
            ("silent", silent), ("slow", 0.02), ("undialable", undialable), ("alpha", f64::from(alpha)), ("stale", stale),
            ("missing", missing), ("connected", connected),
        ];
        for (name, value) in values {
            world = world.with(name, value).unwrap();
        }
        if let Some((half_life, after)) = churn {
            world = world.with("churn", half_life).unwrap().with("after", after).unwrap();
        }
        for group in run(&trial(world, seed, 2), 1) {
            prop_assert_eq!(group.operations.len(), 2);
            for one in &group.operations {
                let effort = one.effort;
                prop_assert!(one.duration.as_secs() <= 180, "{:?}", one);
                prop_assert!(effort.rpcs_failed <= effort.rpcs && effort.dials_failed <= effort.dials, "{:?}", one);
                prop_assert!(one.holders_at_return <= one.holders_final && one.holders_final <= Some(20));
                if group.kind == OperationKind::Provide && one.class == OutcomeClass::Ok {
                    prop_assert!(effort.holders_stored >= Some(1), "{:?}", one);
                }
            }
        }
    }
}

#[test]
fn a_census_has_everybody_who_answers_and_the_share_of_dead_that_the_world_says() {
    let world = world(3_000);
    let population = population::Population::draw(&world, 5);
    let field = vantage::Field::new(&world, &population, 5, true);
    let (there, gone): (Vec<population::Peer>, Vec<population::Peer>) = field
        .census(Duration::ZERO)
        .iter()
        .copied()
        .partition(|peer| population.fate(peer.index, Duration::ZERO).answers());
    let answering = (0..3_000).filter(|index| population.fate(*index, Duration::ZERO).answers()).count();
    // Peers whom nobody has in a table are met by nobody.
    assert!(there.len() as f64 > 0.99 * answering as f64, "{} of {answering}", there.len());
    let share = gone.len() as f64 / (there.len() + gone.len()) as f64;
    assert!((share - world.crawl_gone).abs() < 0.02, "{share}");
}

#[test]
fn a_network_that_is_larger_than_a_crawl_may_be_is_met_in_whole() {
    let mut world = healthy(200_001);
    world.node.regions.truncate(1);
    let population = population::Population::draw(&world, 1);
    assert_eq!(vantage::Field::new(&world, &population, 1, true).census(Duration::ZERO).len(), 200_001);
}

#[test]
fn a_node_estimates_the_size_of_the_network() {
    let world = healthy(5_000);
    let population = population::Population::draw(&world, 2);
    for vantage in vantage::Field::new(&world, &population, 2, false).vantages {
        let size = vantage.size(Duration::ZERO).unwrap();
        assert!((3_500.0..6_500.0).contains(&size), "{size} at {:?}", vantage.peer.key());
    }
}

fn found(world: World, strategy: StrategyKind) -> (usize, u32) {
    let groups = run(&Trial { strategies: vec![strategy], ..trial(world, 1, 60) }, 2);
    let [provided, looked_up] = &groups[..] else { panic!("{groups:?}") };
    let found = looked_up.operations.iter().filter(|one| one.class == OutcomeClass::Ok).count();
    (found, provided.operations.iter().filter_map(|one| one.holders_final).sum())
}

#[test]
fn the_more_sybils_stand_around_a_key_the_fewer_honest_peers_hold_its_record_and_the_fewer_lookups_find_it() {
    for strategy in STRATEGIES {
        let [none, some, many] =
            [0.0, 10.0, 60.0].map(|sybils| found(healthy(2_000).with("sybils", sybils).unwrap(), strategy));
        assert_eq!(none.0, 60, "{strategy}");
        assert!(none.1 > some.1 && some.1 > many.1, "{strategy}: {none:?}, {some:?}, {many:?} are held");
        assert!(many.0 < 50, "{strategy}: {many:?} are found");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn a_wrong_address_costs_a_dial_no_more_than_the_head_start_of_the_next_and_the_more_there_are_the_more_dials_it_costs(
        seed in any::<u64>(), few in 0.0..=1.0_f64, more in 0.0..=1.0_f64, nth in 0..3_u32,
    ) {
        let (few, more) = (few.min(more), few.max(more));
        let dials = |share: f64| {
            let world = world(60).with("wrong_addresses", share).unwrap();
            let population = population::Population::draw(&world, seed);
            let field = vantage::Field::new(&world, &population, seed, false);
            let vantage = &field.vantages[0];
            let (dice, records) = (field.dice_of(0, 0), std::collections::HashMap::new());
            let scene = vantage::Scene { field: &field, vantage, dice, began: Duration::ZERO, records: &records, provider: vantage.peer, lasting: None };
            (0..60).map(|index| drive::Ground::dial(&scene, &population.peer(index), nth, Duration::ZERO)).collect::<Vec<_>>()
        };
        let [none, few, more] = [0.0, few, more].map(dials);
        for ((none, few), more) in none.into_iter().zip(few).zip(more) {
            prop_assert_eq!((none.1, few.1), (few.1, more.1), "who can be dialled still can");
            prop_assert!(none.0 <= few.0 && few.0 <= more.0, "{:?}, {:?}, {:?}", none, few, more);
            prop_assert!(more.0 <= none.0 + Duration::from_millis(250) && (none.1 || none.0 == more.0));
        }
    }
}

#[test]
fn peers_that_name_nobody_who_exists_cost_time_and_records() {
    for strategy in [StrategyKind::Classic, StrategyKind::Optprov] {
        let [none, some] = [0.0, 0.1].map(|share| {
            let groups = run(
                &Trial { strategies: vec![strategy], ..trial(healthy(2_000).with("poisoned", share).unwrap(), 1, 60) },
                2,
            );
            let provided = &groups[0].operations;
            let took: std::time::Duration = provided.iter().map(|one| one.duration).sum();
            (took, provided.iter().filter_map(|one| one.effort.dials_failed).sum::<u32>())
        });
        assert!(some.0 > none.0 && some.1 > none.1 + 60, "{strategy}: {none:?}, {some:?}");
    }
}
