use parsec_measure::{OperationKind, OutcomeClass, StrategyKind};
use parsec_results::bench::BenchOperation;
use parsec_results::testing::bench_operation;
use parsec_results::timeline::Timed;

use super::*;

/// One operation every two seconds for four minutes; after two, most of them fail.
pub(crate) fn timeline() -> Timeline {
    let timed = |number: u32| {
        let began = Duration::from_secs(2 * u64::from(number));
        let fails = began >= 2 * MINUTE && !number.is_multiple_of(4);
        let class = if fails { OutcomeClass::NotFound } else { OutcomeClass::Ok };
        let operation = BenchOperation { class, ..bench_operation(7, number, 400 + 5 * u64::from(number)) };
        Timed { began, holders: Some(if fails { 2 } else { 20 }), operation }
    };
    let operations = (0..120).map(timed).collect();
    let group = TimedGroup { strategy: StrategyKind::Classic, kind: OperationKind::Retrieve, operations };
    let happened = vec![(2 * MINUTE, "60 % of those who answer go silent".to_owned())];
    Timeline::new(&[group], happened, MINUTE, Unit::Operation)
}

#[test]
fn what_happens_is_told_and_operations_are_summed_up_around_it_and_minute_by_minute() {
    let text = timeline().text(Unit::Operation);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "at 2 min: 60 % of those who answer go silent");
    for part in [
        "classic   retrieve   0 min to 2 min   60  100.0 % (94.0–100.0)",
        "classic   retrieve       from 2 min   60      25.0 % (15.8–37.2)",
        "operations stand where they began",
    ] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&text).contains(&squeezed(part)), "no {part} in\n{text}");
    }
    let minutes: Vec<_> = lines.iter().filter(|line| line.starts_with("classic ")).skip(2).collect();
    assert_eq!(minutes.len(), 4, "{text}");
}

#[test]
fn programs_get_when_each_step_was_and_what_happened_in_it() {
    let document: Value = serde_json::from_str(&timeline().json("simulated:own")).unwrap();
    let row = &document[2];
    assert_eq!((&row["from_seconds"], &row["to_seconds"]), (&json!(120.0), &json!(180.0)));
    assert_eq!(row["happened"], "60 % of those who answer go silent");
    assert_eq!((&document[1]["happened"], &document[1]["holders_mean"]), (&Value::Null, &json!(20.0)));
    let csv = timeline().csv("simulated:own");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), row.as_object().unwrap().len());
    assert_eq!(reader.records().count(), 4);
}
