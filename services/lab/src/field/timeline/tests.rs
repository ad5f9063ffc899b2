use std::collections::HashMap;
use std::time::Duration;

use parsec_dht::key::Contact;
use parsec_dht::strategy::Request;
use parsec_measure::{OutcomeClass, StrategyKind};

use super::super::Trial;
use super::super::drive::Ground;
use super::super::moment::Fate;
use super::super::testing::world;
use super::super::vantage::Scene;
use super::super::world::World;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

const STRATEGIES: [StrategyKind; 3] = [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt];

fn scenario(text: &str) -> Scenario {
    Scenario::read("s.toml", &format!("name = \"s\"\nabout = \"what happens\"\nlength = \"20m\"\n{text}")).unwrap()
}

fn timeline(world: World, operations: u32, text: &str) -> Timeline {
    let trial = Trial { world, seed: 4, operations, strategies: STRATEGIES.to_vec() };
    Timeline { study: Study { trial, networks: 1 }, scenario: scenario(text) }
}

fn run(timeline: &Timeline, threads: usize) -> Vec<TimedGroup> {
    timeline.run(threads, &AtomicBool::new(false), &|| {}).unwrap()
}

fn group(groups: &[TimedGroup], strategy: StrategyKind, kind: OperationKind) -> &TimedGroup {
    groups.iter().find(|group| group.strategy == strategy && group.kind == kind).unwrap()
}

/// Everybody lives, and every table has everybody for whom it has room.
fn healthy(peers: u32) -> World {
    ["undialable", "silent", "slow", "missing"]
        .into_iter()
        .fold(world(peers), |world, name| world.with(name, 0.0).unwrap())
}

#[test]
fn a_scenario_in_which_nothing_happens_is_the_trial_without_it() {
    let quiet = timeline(world(500), 40, "");
    let timed = run(&quiet, 2);
    for plain in quiet.study.run(2, &AtomicBool::new(false), &|| {}).unwrap() {
        let operations = &group(&timed, plain.strategy, plain.kind).operations;
        assert_eq!(operations.iter().map(|timed| timed.operation.clone()).collect::<Vec<_>>(), plain.operations);
    }
}

#[test]
fn one_seed_gives_one_output_on_any_number_of_threads() {
    let text = "churn = \"30m\"\nlookup_after = \"5m\"\n[[event]]\nat = \"5m\"\nsilent = 0.5\n[[event]]\nat = \"9m\"\nmerge = 200\n";
    let many = timeline(world(400), 60, text);
    let groups = run(&many, 1);
    assert_eq!((groups.len(), run(&many, 3)), (6, groups.clone()));
    for group in &groups {
        assert_eq!(group.operations.len(), 60);
        let second = &group.operations[1];
        let is_first = group.kind == OperationKind::Provide;
        assert!(!is_first || second.began == Duration::from_secs(20), "they begin at even distances: {second:?}");
        assert!(is_first || second.began >= Duration::from_secs(320), "lookups begin later: {second:?}");
    }
}

#[test]
fn operations_fare_as_before_until_something_happens_and_worse_from_then_on() {
    let silent = run(&timeline(healthy(1_000), 80, "[[event]]\nat = \"10m\"\nsilent = 0.7\n"), 2);
    let still = run(&timeline(healthy(1_000), 80, ""), 2);
    for strategy in STRATEGIES {
        // Who never answers takes a record as fast as before.
        let kind = if strategy == StrategyKind::Fullrt { OperationKind::Retrieve } else { OperationKind::Provide };
        let of = |groups| group(groups, strategy, kind).operations.clone();
        let (after, before): (Vec<_>, Vec<_>) =
            of(&silent).into_iter().zip(of(&still)).partition(|(one, _)| one.began >= MINUTE * 10);
        // One that was under way at ten minutes may have met it.
        for (one, other) in before.iter().filter(|(one, _)| one.began + one.operation.duration < MINUTE * 10) {
            assert_eq!(one.operation.duration, other.operation.duration, "{strategy}");
        }
        let all = |pairs: &[(Timed, Timed)]| pairs.iter().map(|(one, _)| one.operation.duration).sum::<Duration>();
        let than = after.iter().map(|(_, other)| other.operation.duration).sum::<Duration>();
        assert!(all(&after) > than, "{strategy}: {:?}, not more than {than:?}", all(&after));
    }
}

#[test]
fn who_goes_silent_while_an_operation_runs_answers_what_came_before_and_nothing_after() {
    let world = healthy(200);
    let scenario = scenario("[[event]]\nat = \"10m\"\nsilent = 0.5\n");
    let population = Population::over(&world, 1, &scenario);
    let field = Field::over(&world, &population, 1, false, &scenario);
    let silent = |index: &u32| population.fate(*index, MINUTE * 10) == Fate::Silent;
    let peer = population.peer((0..200).find(silent).unwrap());
    let vantage = &field.vantages[0];
    let (records, dice) = (HashMap::new(), field.dice_of(0, 0));
    let scene = Scene {
        field: &field,
        vantage,
        dice,
        began: MINUTE * 9,
        records: &records,
        provider: vantage.peer,
        lasting: None,
    };
    let ask = |at| scene.answer(&peer, Request::FindNode, 0, at);
    let took = ask(Duration::ZERO).unwrap();
    assert_eq!(ask(MINUTE - took - Duration::from_nanos(1)), Some(took));
    assert_eq!(ask(MINUTE - took / 2), None, "it was answering when it fell silent");
    assert_eq!(ask(MINUTE), None);
    assert!(scene.dial(&peer, 0, MINUTE).1, "it can still be dialled");
}

#[test]
fn who_has_left_stands_in_tables_until_they_are_refreshed_and_newcomers_come_into_them_then() {
    let world = healthy(2_000);
    let scenario = scenario("[[event]]\nat = \"5m\"\nleave = 0.5\n[[event]]\nat = \"5m\"\nmerge = 2000\n");
    let population = Population::over(&world, 1, &scenario);
    let field = Field::over(&world, &population, 1, false, &scenario);
    let directory = &field.directory;
    let shares = |at: Duration| {
        let (mut all, mut gone, mut new) = (0, 0, 0);
        for owner in (0..4_000).filter(|index| population.number(*index) < 2_000).step_by(20) {
            for entry in directory.entries(&directory.owner(population.peer(owner)), 3, at) {
                all += 1;
                gone += u32::from(!population.fate(entry, at).is_dialable());
                new += u32::from(population.number(entry) >= 2_000);
            }
        }
        [gone, new].map(|count| f64::from(count) / f64::from(all))
    };
    let [gone, new] = shares(MINUTE * 5);
    assert!((gone - 0.5).abs() < 0.05 && new == 0.0, "{gone} and {new} as it happens");
    let [gone, new] = shares(MINUTE * 10);
    assert!((gone - 0.25).abs() < 0.05 && (new - 0.33).abs() < 0.08, "{gone} and {new} when half has been refreshed");
    let [gone, new] = shares(MINUTE * 15);
    assert!(gone < 0.05 && (new - 0.67).abs() < 0.08, "{gone} and {new} in the end");
}

#[test]
fn the_peers_of_a_foreign_network_know_each_other_until_it_merges_in_and_everybody_afterwards() {
    let world = healthy(300);
    let scenario = scenario("[[event]]\nat = \"5m\"\nmerge = 300\n");
    let population = Population::over(&world, 1, &scenario);
    let field = Field::over(&world, &population, 1, false, &scenario);
    let stranger = (0..600).find(|index| population.number(*index) >= 300).unwrap();
    let owner = field.directory.owner(population.peer(stranger));
    let known = |at| field.directory.entries(&owner, 256, at);
    assert!(known(Duration::ZERO).iter().all(|index| population.number(*index) >= 300));
    assert!(known(MINUTE * 15).iter().any(|index| population.number(*index) < 300));
}

#[test]
fn records_go_with_those_who_hold_them() {
    let holders = |text: &str| {
        let groups = run(&timeline(healthy(600), 40, text), 2);
        let lookups = group(&groups, StrategyKind::Fullrt, OperationKind::Retrieve);
        lookups.operations.iter().filter_map(|timed| timed.holders).sum::<u32>()
    };
    let (at_once, later) = (holders("churn = \"60m\"\n"), holders("churn = \"60m\"\nlookup_after = \"60m\"\n"));
    assert!(f64::from(later) < 0.6 * f64::from(at_once), "{later} of {at_once} after one half-life");
}

#[test]
fn without_udp_those_who_have_nothing_else_are_out_of_reach_and_the_others_take_longer() {
    let world = healthy(400);
    let text = "[[event]]\nat = \"5m\"\nudp_blocked = true\nquic_only = 0.3\ntcp_only = 0.3\n";
    let scenario = scenario(text);
    let population = Population::over(&world, 1, &scenario);
    let field = Field::over(&world, &population, 1, false, &scenario);
    let vantage = &field.vantages[0];
    let (records, dice) = (HashMap::new(), field.dice_of(0, 0));
    let scene = Scene {
        field: &field,
        vantage,
        dice,
        began: Duration::ZERO,
        records: &records,
        provider: vantage.peer,
        lasting: None,
    };
    let (mut out, mut late, mut same) = (0, 0, 0);
    for peer in (0..400).map(|index| population.peer(index)) {
        let ((before, _), (after, connects)) = (scene.dial(&peer, 0, MINUTE), scene.dial(&peer, 0, MINUTE * 5));
        match after.checked_sub(before) {
            _ if !connects => out += 1,
            Some(Duration::ZERO) => same += 1,
            Some(later) if later == Duration::from_millis(250) => late += 1,
            other => panic!("{other:?} at {:?}", peer.key()),
        }
        assert!(connects || !scene.is_connected(&peer, MINUTE * 5));
    }
    for (count, expected) in [(out, 120), (same, 120), (late, 160)] {
        assert!(i32::abs(count - expected) < 45, "{out} out of reach, {late} late, {same} as before");
    }
}

#[test]
fn when_most_have_left_some_operations_fail_and_are_counted() {
    let groups = run(&timeline(healthy(500), 40, "[[event]]\nat = \"10m\"\nleave = 0.98\n"), 2);
    let lookups = group(&groups, StrategyKind::Classic, OperationKind::Retrieve);
    let failed = |timed: &&Timed| timed.operation.class != OutcomeClass::Ok;
    let early = lookups.operations.iter().filter(|timed| timed.began < MINUTE * 9);
    assert_eq!(early.filter(failed).count(), 0);
    assert!(lookups.operations.iter().filter(failed).count() > 0);
}

#[test]
fn a_merge_for_which_there_is_no_room_is_refused_before_anything_is_drawn() {
    let large = timeline(world(500), 1, "[[event]]\nat = \"10m\"\nmerge = 50000000\n");
    let error = large.fits(Some(1_000_000_000)).unwrap_err().to_string();
    assert!(
        error.starts_with("with those who join in the scenario, peers = 50000500: so many peers need about "),
        "{error}"
    );
    assert_eq!(timeline(world(500), 1, "churn = \"2h\"\n").fits(Some(1_000_000_000)), Ok(()));
}

/// A node that knew its table and was not connected to it would take half as long again for a lookup.
#[test]
fn after_a_change_a_node_is_connected_to_those_whom_its_table_has_by_then() {
    let world = healthy(1_000).with("connected", 1.0).unwrap();
    for text in ["[[event]]\nat = \"5m\"\nmerge = 500\n", "[[event]]\nat = \"5m\"\nleave = 0.5\n"] {
        let scenario = scenario(text);
        let population = Population::over(&world, 1, &scenario);
        let field = Field::over(&world, &population, 1, false, &scenario);
        for (vantage, minute) in field.vantages.iter().flat_map(|vantage| [0, 4, 9, 15, 19].map(|at| (vantage, at))) {
            let at = MINUTE * minute;
            let entries = field.directory.entries(&vantage.owner, 256, at);
            let there = entries.iter().filter(|index| population.fate(**index, at).is_dialable());
            let there: Vec<_> = there.collect();
            let known = there.iter().filter(|index| vantage.table(at).contains(index)).count();
            assert!(known * 10 >= there.len() * 8, "at {minute} min: {known} of {}", there.len());
        }
    }
}
