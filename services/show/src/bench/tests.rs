use std::collections::BTreeSet;
use std::time::Duration;

use parsec_measure::OutcomeClass;
use parsec_results::bench::{BenchGroup, BenchOperation};
use parsec_results::testing::bench_operation;

use super::*;

/// Publications of these durations, each on a network of its own or all on one.
fn row(strategy: StrategyKind, unit: Unit, ms: impl Iterator<Item = u64>) -> BenchRow {
    let place = |number: usize| match unit {
        Unit::Network => (number as u64, 0),
        Unit::Operation => (7, number as u32),
    };
    let operations = ms.enumerate().map(|(number, ms)| {
        let (network, number) = place(number);
        bench_operation(network, number, ms)
    });
    let group = BenchGroup { strategy, kind: OperationKind::Provide, operations: operations.collect() };
    BenchRow::of(&group, unit, Duration::from_millis(100))
}

fn rows(n: u64, unit: Unit) -> Vec<BenchRow> {
    let spread = move |ms: u64| (0..n).map(move |number| ms + 10 * (number % 7));
    vec![row(StrategyKind::Classic, unit, spread(2_490)), row(StrategyKind::Optprov, unit, spread(300))]
}

#[test]
fn people_see_quantiles_with_intervals_and_a_ratio_with_one() {
    let text = table(&rows(100, Unit::Operation), Unit::Operation);
    for word in ["2.52 s", "(2.51–2.53)", "100.0 %", "40.0 (4.0)", "25.2", "on this one network", "--networks"] {
        assert!(text.contains(word), "no {word} in\n{text}");
    }
    assert!(!text.contains("p99"), "a hundred operations carry no p99:\n{text}");
    let told = text
        .lines()
        .find(|line| line.starts_with("optprov publishes faster than classic: p50 is 0.13x as long (95 %: "));
    assert!(told.is_some_and(|line| line.contains(", p90 0.1")), "{text}");
    assert!(table(&rows(400, Unit::Operation), Unit::Operation).contains("p99"));
}

#[test]
fn few_operations_are_not_compared() {
    let text = table(&rows(5, Unit::Operation), Unit::Operation);
    assert!(!text.contains("x as long"), "{text}");
    assert!(text.contains("not compared with classic after 5 and 5 operations: it takes 10 of each"), "{text}");
    let networks = table(&rows(40, Unit::Network), Unit::Network);
    assert!(networks.contains("0.30 to 0.36"), "networks differ that much:\n{networks}");
    assert!(networks.contains("95 % intervals over 40 networks") && networks.contains("x as long"), "{networks}");
}

#[test]
fn what_fails_makes_nobody_faster() {
    // The slow half of them fails: whoever looks at survivors alone sees a strategy that is twice as fast.
    let slow =
        row(StrategyKind::Classic, Unit::Operation, (0..200).map(|number| if number % 2 == 0 { 500 } else { 9_000 }));
    let operations = (0..200).map(|number| match number % 2 {
        0 => bench_operation(7, number, 500),
        _ => BenchOperation { class: OutcomeClass::Timeout, ..bench_operation(7, number, 60_000) },
    });
    let group =
        BenchGroup { strategy: StrategyKind::Optprov, kind: OperationKind::Provide, operations: operations.collect() };
    let failing = BenchRow::of(&group, Unit::Operation, Duration::ZERO);
    let text = table(&[slow, failing], Unit::Operation);
    assert!(!text.contains("optprov publishes faster"), "{text}");
    assert!(text.contains("> 60.0 s") && text.contains("50.0 %"), "{text}");
}

#[test]
fn the_tables_fit_eighty_columns() {
    let text = table(&rows(400, Unit::Operation), Unit::Operation);
    let tables = text.lines().take_while(|line| !line.starts_with("in brackets"));
    let widest = tables.map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|width| width <= 80), "{widest:?}\n{text}");
}

#[test]
fn without_classic_there_is_nothing_to_compare_with() {
    assert!(!table(&rows(20, Unit::Operation)[1..], Unit::Operation).contains("classic"));
}

#[test]
fn what_says_nothing_about_the_dht_counts_and_is_not_due() {
    let mut operations: Vec<_> = (0..9).map(|number| bench_operation(7, number, 500)).collect();
    operations.push(BenchOperation { class: OutcomeClass::Cancelled, ..bench_operation(7, 9, 500) });
    let group = BenchGroup { strategy: StrategyKind::Classic, kind: OperationKind::Provide, operations };
    let row = BenchRow::of(&group, Unit::Operation, Duration::ZERO);
    let document: Value = serde_json::from_str(&json(std::slice::from_ref(&row), "local")).unwrap();
    let counts = ["n", "due", "successes"].map(|name| document[0][name].as_u64().unwrap());
    assert_eq!(counts, [10, 9, 9]);
    let text = table(&[row], Unit::Operation);
    assert!(text.contains("due     succeeded") && text.contains("    9       100.0 %"), "{text}");
}

#[test]
fn programs_get_the_same_names_as_json_and_as_csv() {
    let rows = rows(40, Unit::Operation);
    let document: Value = serde_json::from_str(&json(&rows, "simulated:amino-2022")).unwrap();
    let object = document[0].as_object().unwrap();
    let csv = csv(&rows, "local");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(heads[..6], ["strategy", "operation", "network", "networks", "n", "due"]);
    assert_eq!(heads.iter().cloned().collect::<BTreeSet<_>>(), object.keys().cloned().collect());
    assert_eq!((&object["strategy"], &object["n"], &object["networks"]), (&json!("classic"), &json!(40), &json!(1)));
    assert_eq!(object["network"], "simulated:amino-2022");
    assert_eq!((&object["p50_seconds"], &object["p50_round_trips"]), (&json!(2.52), &json!(25.2)));
    assert_eq!((&object["survivors_p50_seconds"], &object["p99_seconds"]), (&json!(2.52), &Value::Null));
    assert_eq!((&object["rpcs_mean"], &object["network_size_mean"]), (&json!(40.0), &Value::Null));
    let first = reader.records().next().unwrap().unwrap();
    let field = |name: &str| &first[heads.iter().position(|head| head == name).unwrap()];
    assert_eq!((field("strategy"), field("p50_seconds"), field("network_size_mean")), ("classic", "2.52", ""));
}
