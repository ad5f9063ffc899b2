use std::time::Duration;

use parsec_results::bench::{BenchGroup, BenchOperation};
use parsec_results::testing::bench_operation;

use super::*;

/// What one strategy did with the same forty keys, each of which has a time of its own: between 1 and 10 s, less a percentage.
fn rows(kind: OperationKind, less: u64) -> Vec<BenchRow> {
    let operations: Vec<BenchOperation> =
        (0..40).map(|key| bench_operation(7, key, (1_000 + 223 * u64::from(key)) * (100 - less) / 100)).collect();
    let group = BenchGroup { strategy: StrategyKind::Classic, kind, operations };
    vec![BenchRow::of(&group, Unit::Operation, Duration::ZERO)]
}

pub(crate) fn series() -> Series {
    let value = |value, less| (value, [rows(OperationKind::Provide, less), rows(OperationKind::Retrieve, 0)].concat());
    Series::new("alpha", |_, value| value.to_string(), vec![value(3.0, 0), value(5.0, 10), value(10.0, 20)])
}

#[test]
fn a_small_effect_shows_because_the_same_keys_are_compared() {
    let text = series().text(Unit::Operation);
    for part in [
        "p50 beside\n",
        "classic provide with alpha 5 is faster than with alpha 3: p50 0.90x (0.",
        "classic provide with alpha 10 is faster than with alpha 3: p50 0.80x (0.",
        "the same keys in pairs",
    ] {
        assert!(text.contains(part) || (part.ends_with('\n') && text.contains(part.trim())), "no {part} in\n{text}");
    }
    assert!(!text.contains("classic retrieve with"), "what does not change is not told:\n{text}");
    let order: Vec<_> = text.lines().filter(|line| line.starts_with("classic ")).take(6).collect();
    let alphas: Vec<_> = order.iter().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(alphas, ["3", "5", "10", "3", "5", "10"], "{text}");
}

#[test]
fn programs_get_what_was_scanned_and_what_it_changes() {
    let document: Value = serde_json::from_str(&series().json("simulated:own")).unwrap();
    let (first, third) = (&document[0], &document[2]);
    assert_eq!(
        (&first["scanned"], &first["value"], &first["network"]),
        (&json!("alpha"), &json!(3.0), &json!("simulated:own"))
    );
    assert_eq!(
        (&first["p50_ratio"], &first["p50_verdict"]),
        (&Value::Null, &Value::Null),
        "it is what others are compared with"
    );
    let ratio = |name: &str| third[name].as_f64().unwrap();
    assert!((ratio("p50_ratio") - 0.8).abs() < 0.01 && ratio("p50_ratio_low") <= ratio("p50_ratio"), "{third}");
    assert_eq!(third["p50_verdict"], "better");
    let csv = series().csv("simulated:own");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), first.as_object().unwrap().len());
    assert_eq!(reader.records().count(), 6);
}

#[test]
fn how_many_holders_are_left_stands_there_where_peers_may_leave_and_times_are_written_as_such() {
    let rows = |left: Option<u32>| {
        let operations =
            (0..40).map(|key| BenchOperation { holders_left: left, ..bench_operation(7, key, 1_000) }).collect();
        let group = BenchGroup { strategy: StrategyKind::Classic, kind: OperationKind::Retrieve, operations };
        vec![BenchRow::of(&group, Unit::Operation, Duration::ZERO)]
    };
    let hours = |_: &str, value: f64| format!("{}h", value / 3_600.0);
    let later = Series::new("after", hours, vec![(0.0, rows(Some(18))), (3_600.0, rows(Some(12)))]);
    let text = later.text(Unit::Operation);
    assert!(text.contains("holders") && text.contains("left") && text.contains("12.0"), "{text}");
    assert!(text.contains(" 1h ") && text.contains("after 0h"), "{text}");
    let still = Series::new("alpha", hours, vec![(0.0, rows(None)), (3_600.0, rows(None))]);
    assert!(!still.text(Unit::Operation).contains("left"));
}
