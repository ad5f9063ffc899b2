use parsec_measure::StrategyKind;
use proptest::prelude::*;

use super::*;
use crate::testing::bench_operation;

fn settings(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn run(unit: Unit) -> Run {
    let of = |strategy, kind, ms| BenchGroup {
        strategy,
        kind,
        operations: (0..3).flat_map(|network| (0..4).map(move |number| bench_operation(network, number, ms))).collect(),
    };
    let groups = [
        of(StrategyKind::Classic, OperationKind::Provide, 2_000),
        of(StrategyKind::Optprov, OperationKind::Retrieve, 300),
    ];
    let settings = settings(&[("peers", "40"), ("rtt", "100ms"), ("operations", "4"), ("unit", unit.as_str())]);
    let run = Run::new("bench", ("1.2.0", "abc"), 7, settings);
    Run { operations: of_bench(&groups), ..run }
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let run = run(Unit::Operation);
    let text = run.text();
    assert_eq!(Run::read(&text), Ok(run.clone()));
    assert_eq!(text.lines().filter(|line| line.starts_with("{\"round\":\"")).count(), 24, "{text}");
    let nothing = Run { operations: vec![], ..run };
    assert_eq!(Run::read(&nothing.text()), Ok(nothing));
}

#[test]
fn its_operations_are_those_that_statistics_know() {
    let (nodes, operations) = run(Unit::Operation).archived().unwrap();
    assert_eq!(nodes.values().map(|node| node.fleet.as_str()).collect::<Vec<_>>(), ["classic", "optprov"]);
    let (first, last) = (operations[0], operations[23]);
    assert_eq!((first.kind, first.class, first.duration.as_secs()), (OperationKind::Provide, OutcomeClass::Ok, 2));
    assert_eq!((last.kind, last.duration.as_millis()), (OperationKind::Retrieve, 300));
    let rounds = |unit: Unit| {
        let (_, operations) = run(unit).archived().unwrap();
        let rounds: std::collections::BTreeSet<_> = operations.iter().map(|one| round_number(one.round)).collect();
        rounds.len()
    };
    assert_eq!((rounds(Unit::Operation), rounds(Unit::Network)), (12, 3), "both strategies have the same keys");
}

#[test]
fn what_is_no_run_is_said_in_a_sentence() {
    let text = run(Unit::Operation).text();
    let read = |text: &str| Run::read(text).unwrap_err().to_string();
    assert!(read("").contains("cut off"));
    assert!(read("[{\"strategy\": \"classic\"}]").starts_with("it is no run"), "the output of bench --format json");
    assert!(read("{\"format\": \"parsec\", \"schema\": 1}").starts_with("it is no run"));
    assert!(read("strategy,operation,n").starts_with("it is no run"));
    for foreign in ["{}", "{}\n", "{\"format\": \"x\"}", "{\"format\": \"parsec run\"}", "[]", "7", "n", "no"] {
        assert!(read(foreign).starts_with("it is no run"), "{foreign}: {}", read(foreign));
    }
    let whole = text.trim_end();
    for end in (1..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        assert!(!read(&whole[..end]).starts_with("it is no run"), "{}", &whole[..end]);
    }
    assert!(read(&text.replacen("\"schema\": 1", "\"schema\": 2", 1)).starts_with("it has version 2 of the format"));
    assert!(
        read(&text.replacen("\"seconds\"", "\"minutes\"", 1)).starts_with("it is damaged: missing field `seconds`")
    );
    let odd =
        |from: &str, to: &str| Run::read(&text.replacen(from, to, 1)).unwrap().archived().unwrap_err().to_string();
    assert_eq!(odd("\"ok\"", "\"fine\""), "it is damaged: operation 1: unknown outcome class `fine`");
    assert_eq!(odd("\"seconds\":2.0", "\"seconds\":-2.0"), "it is damaged: operation 1: `-2` is no time");
    assert_eq!(odd("\"0/0\"", "\"first\""), "it is damaged: operation 1: `first` is no round");
}

#[test]
fn the_hash_is_of_what_makes_runs_comparable() {
    let with = |of: &[(&str, &str)]| Run::new("bench", ("1", "x"), 1, settings(of));
    let base = with(&[("peers", "500"), ("rtt", "100ms"), ("operations", "100"), ("networks", "20")]);
    let more = with(&[("peers", "500"), ("rtt", "100ms"), ("operations", "20"), ("networks", "30")]);
    let larger = with(&[("peers", "600"), ("rtt", "100ms"), ("operations", "100"), ("networks", "20")]);
    assert_eq!(base.configuration, more.configuration);
    assert_eq!(base.differences(&more), []);
    assert_ne!(base.configuration, larger.configuration);
    assert_eq!(base.differences(&larger), [("peers", "500", "600")]);
    let demo = Run::new("demo", ("1", "x"), 1, settings(&[("peers", "500")]));
    assert_ne!(demo.configuration, base.configuration);
    assert_eq!(base.differences(&demo), [("command", "bench", "demo")]);
}

#[test]
fn what_was_simulated_is_another_thing_than_what_was_measured() {
    let with = |of: &[(&str, &str)]| Run::new("bench", ("1", "x"), 1, settings(of));
    let local = [("peers", "500"), ("rtt", "100ms"), ("unit", "operation")];
    let (old, new) = (with(&local), with(&[&local[..], &[("network", "local")]].concat()));
    assert_eq!((old.network(), old.is_simulated()), ("local", false), "a file from before there were worlds");
    assert_eq!((old.differences(&new), &old.configuration), (vec![], &new.configuration));
    let world = |name: &str, hash: &str| {
        with(&[("network", &simulated(name)), ("world", hash), ("alpha", "10"), ("unit", "operation")])
    };
    let model = world("amino-2022", "sha256:1");
    assert_eq!((model.network(), model.is_simulated()), ("simulated:amino-2022", true));
    assert_eq!(model.differences(&new), [("network", "simulated:amino-2022", "local")]);
    assert_eq!(model.differences(&world("own", "sha256:2")), [("network", "simulated:amino-2022", "simulated:own")]);
    assert_eq!(model.differences(&world("amino-2022", "sha256:2")), [("world", "sha256:1", "sha256:2")]);
    assert_eq!(model.differences(&world("amino-2022", "sha256:1")), []);
    assert_ne!(model.configuration, world("amino-2022", "sha256:2").configuration);
    assert_ne!(model.configuration, new.configuration);
}

/// Versions before this one wrote `local` of every operation.
#[test]
fn a_run_in_a_world_says_where_its_nodes_stood_and_fits_one_that_does_not() {
    let regions = ["eu-central-1", "us-east-2"];
    let operation = |number: u32, ms| {
        let region = regions.get(number as usize % 2).copied();
        BenchOperation { region, ..bench_operation(7, number, ms) }
    };
    let world = settings(&[("network", "simulated:amino-2022"), ("world", "sha256:1"), ("unit", "operation")]);
    let kept = |ms| {
        let operations = (0..4).map(|number| operation(number, ms)).collect();
        let group = BenchGroup { strategy: StrategyKind::Classic, kind: OperationKind::Provide, operations };
        Run { operations: of_bench(&[group]), ..Run::new("bench", ("1", "x"), 1, world.clone()) }
    };
    let new = Run::read(&kept(300).text()).unwrap();
    let text = regions.iter().fold(kept(500).text(), |text, region| text.replace(region, "local"));
    let old = Run::read(&text).unwrap();
    let places = |run: &Run| {
        let (nodes, operations) = run.archived().unwrap();
        let places: Vec<_> = nodes.values().map(|node| (node.fleet.clone(), node.region.clone())).collect();
        (places, operations.iter().map(|one| one.round).collect::<Vec<_>>())
    };
    let ((here, rounds), (nowhere, same)) = (places(&new), places(&old));
    let at = |region: &str| ("classic".to_owned(), region.to_owned());
    assert_eq!((here, nowhere), (regions.map(at).to_vec(), vec![at("local")]));
    assert_eq!(rounds, same, "the same keys are compared in pairs");
    assert_eq!((old.differences(&new), &old.configuration), (vec![], &new.configuration));
}

/// Whoever keeps a hash finds his runs again.
#[test]
fn the_hash_of_a_run_on_real_peers_is_what_it_was() {
    let of = [
        ("peers", "500"),
        ("rtt", "100ms"),
        ("undialable", "0.15"),
        ("silent", "0"),
        ("transport", "memory"),
        ("alpha", "10"),
        ("warm", "false"),
        ("unit", "operation"),
        ("network", "local"),
    ];
    assert_eq!(Run::new("bench", ("1", "x"), 1, settings(&of)).configuration, HASH);
}

const HASH: &str = "sha256:625e69c2a3773751";

proptest! {
    #[test]
    fn a_text_that_was_cut_off_is_never_taken_for_a_run(share in 0.0..1.0f64) {
        let text = run(Unit::Operation).text();
        let cut = &text[..((text.trim_end().len() as f64 * share) as usize)];
        prop_assert!(matches!(Run::read(cut), Err(RunError::CutOff(_))), "{cut}");
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = Run::read(&text);
    }
}
