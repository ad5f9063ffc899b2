use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

use parsec_measure::Effort;
use parsec_results::bench::Sample;

use super::*;

const RTT: Duration = Duration::from_millis(100);

fn sample(ms: u64) -> Sample {
    let effort =
        Effort { rpcs: Some(40), rpcs_failed: Some(4), dials: Some(30), dials_failed: Some(3), ..Effort::default() };
    Sample {
        success: true,
        duration: Duration::from_millis(ms),
        effort,
        network_size: None,
        holders_at_return: Some(20),
        holders_final: Some(20),
        closest_found: Some(1.0),
    }
}

fn provides(strategy: StrategyKind, ms: &[u64]) -> BenchRow {
    let samples: Vec<_> = ms.iter().copied().map(sample).collect();
    BenchRow::of(strategy, OperationKind::Provide, RTT, &samples)
}

#[test]
fn the_table_has_units_and_compares_publications_with_classic_ones() {
    let rows = [
        provides(StrategyKind::Classic, &[2_490, 4_800]),
        BenchRow::of(StrategyKind::Classic, OperationKind::Retrieve, RTT, &[sample(400)]),
        provides(StrategyKind::Optprov, &[300, 400]),
        provides(StrategyKind::Libp2p, &[2_500, 5_760]),
    ];
    let text = table(&rows);
    for word in ["p50 (s)", "p99 (RTT)", "RPCs/op", "network", "(peers)", "40.0 (4.0)", "2.490", "24.9"] {
        assert!(text.contains(word), "no {word} in\n{text}");
    }
    let lines: Vec<_> = text.lines().filter(|line| line.contains("than classic")).collect();
    assert_eq!(
        lines,
        [
            "optprov provides 8.3x faster than classic at p50, 12.0x faster at p90",
            "libp2p provides 1.0x slower than classic at p50, 1.2x slower at p90",
        ]
    );
}

#[test]
fn without_classic_there_is_nothing_to_compare_with() {
    assert!(!table(&[provides(StrategyKind::Optprov, &[300])]).contains("than classic"));
}

#[test]
fn json_is_a_list_of_objects_with_the_names_of_the_columns() {
    let rows: Value = serde_json::from_str(&json(&[provides(StrategyKind::Fullrt, &[200])])).unwrap();
    let row = rows[0].as_object().unwrap();
    let names: BTreeSet<_> = row.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(COLUMNS));
    assert_eq!((&row["strategy"], &row["operation"], &row["n"]), (&"fullrt".into(), &"provide".into(), &1.into()));
    assert_eq!((&row["p50_seconds"], &row["network_size_mean"]), (&0.2.into(), &Value::Null));
}

#[test]
fn csv_has_a_header_and_a_line_for_each_row() {
    let text = csv(&[provides(StrategyKind::Classic, &[250])]);
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!(lines[0], COLUMNS.join(","));
    assert_eq!(lines[1], "classic,provide,1,1,0.25,0.25,0.25,2.5,2.5,2.5,40.0,4.0,30.0,3.0,,20.0,20.0,1.0");
    assert_eq!(lines[2..], [""]);
}
