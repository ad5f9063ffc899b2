use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{
    AttemptId, Effort, FleetGroup, Measurement, NodeId, RoundId, RoundOutcome, SchedulerId, StrategyKind, Trace,
    WhyKept,
};
use uuid::Uuid;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 123_456_789).unwrap()
}

fn attempt(id: u128, kind: OperationKind, class: OutcomeClass, steps: usize) -> Attempt {
    let steps = (0..steps).map(|i| Measurement {
        step: format!("step {i}"),
        duration: Duration::from_millis(i as u64),
        error: None,
    });
    Attempt {
        id: AttemptId(Uuid::from_u128(id)),
        round: RoundId(Uuid::from_u128(9)),
        scheduler: SchedulerId(1),
        node: NodeId(2),
        kind,
        probe: 0,
        cid: "Qm".to_owned(),
        due: at(1),
        started: at(2),
        ended: at(3),
        result: Measured {
            error: (class != OutcomeClass::Ok).then(|| "why".to_owned()),
            routing_table_size: 200,
            steps: steps.collect(),
            effort: Effort::default(),
            ..Measured::unmeasured(class, Duration::from_millis(1_500), "")
        },
        why_kept: None,
    }
}

fn round(id: u128, listed: u32, ended: Option<RoundOutcome>) -> Row {
    Row::Round(Round {
        id: RoundId(Uuid::from_u128(id)),
        scheduler: SchedulerId(1),
        fleets: "default".parse::<FleetGroup>().unwrap(),
        provider: None,
        nodes_listed: listed,
        nodes_ready: 0,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: at(1),
        started: at(2),
        ended: ended.map(|outcome| (at(3), outcome)),
    })
}

fn rows(attempts: &[Attempt]) -> Vec<AttemptRow> {
    Batch::new(&attempts.iter().cloned().map(Row::Attempt).collect::<Vec<_>>(), at(4)).attempts
}

#[test]
fn each_attempt_is_there_once_and_in_the_order_of_its_key() {
    let [a, b] = [3, 1].map(|id| attempt(id, OperationKind::Provide, OutcomeClass::Ok, 1));
    let ids: Vec<_> = rows(&[a.clone(), b, a]).iter().map(|row| row.id.0.as_u128()).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn of_a_round_the_first_end_counts_and_else_the_last_that_is_known() {
    use RoundOutcome::{Complete, Interrupted};
    for (offered, kept) in [
        (vec![round(1, 7, None), round(1, 8, None)], (8, None)),
        (vec![round(1, 7, None), round(1, 8, Some(Complete))], (8, Some("complete"))),
        (vec![round(1, 8, Some(Complete)), round(1, 7, None)], (8, Some("complete"))),
        (vec![round(1, 8, Some(Complete)), round(1, 9, Some(Interrupted))], (8, Some("complete"))),
    ] {
        let batch = Batch::new(&offered, at(4));
        let [row] = &batch.rounds[..] else { panic!("one round became {:?}", batch.rounds) };
        assert_eq!((row.nodes_listed, row.outcome), kept);
    }
}

#[test]
fn the_original_sees_a_row_per_step_of_a_publication_and_one_of_a_lookup() {
    use OperationKind::{Provide, Retrieve};
    let seen = |kind, class, steps| {
        let row = &rows(&[attempt(1, kind, class, steps)])[0];
        (row.provides.len(), row.retrieval.is_some())
    };
    assert_eq!(seen(Provide, OutcomeClass::Ok, 4), (4, false));
    assert_eq!(seen(Provide, OutcomeClass::Timeout, 0), (1, false));
    assert_eq!(seen(Retrieve, OutcomeClass::Ok, 1), (0, true));
    assert_eq!(seen(Retrieve, OutcomeClass::NotFound, 0), (0, true));
    assert_eq!(seen(Retrieve, OutcomeClass::WrongProvider, 1), (0, true));
    for class in OutcomeClass::ALL.into_iter().filter(|class| !class.is_measured()) {
        assert_eq!(seen(Provide, class, 1), (0, false), "{class}");
    }
}

#[test]
fn a_lookup_that_a_server_answers_from_its_own_records_is_no_result_of_the_dht() {
    let mut own = attempt(1, OperationKind::Retrieve, OutcomeClass::Ok, 1);
    own.result.from_own_records = true;
    let row = rows(&[own]).remove(0);
    assert_eq!((row.retrieval, row.outcome, row.figures.from_own_records), (None, "ok", true));
}

#[test]
fn a_failure_always_has_a_text_and_a_success_never() {
    let error = |class, error: Option<&str>| {
        let mut attempt = attempt(1, OperationKind::Retrieve, class, 1);
        attempt.result.error = error.map(str::to_owned);
        rows(&[attempt])[0].retrieval.clone().unwrap().error
    };
    assert_eq!(error(OutcomeClass::Ok, None), None);
    assert_eq!(error(OutcomeClass::WrongProvider, Some("a stranger")), None, "to the original it is one");
    assert_eq!(error(OutcomeClass::NotFound, None), Some("not_found".to_owned()));
    assert_eq!(error(OutcomeClass::Protocol, Some("bad\0byte")), Some("bad\u{FFFD}byte".to_owned()));
}

#[test]
fn a_trace_becomes_a_row_if_it_says_why_it_is_kept() {
    let trace = Trace { strategy: StrategyKind::Classic, returned: Duration::ZERO, requests: vec![], left_out: 0 };
    for (trace, why_kept, kept) in [
        (None, None, None),
        (Some(trace.clone()), None, None),
        (None, Some(WhyKept::Slow), None),
        (Some(trace), Some(WhyKept::Slow), Some("slow")),
    ] {
        let mut attempt = attempt(1, OperationKind::Retrieve, OutcomeClass::Ok, 1);
        attempt.result.trace = trace.map(Arc::new);
        attempt.why_kept = why_kept;
        assert_eq!(rows(&[attempt])[0].trace.as_ref().map(|trace| trace.why_kept), kept);
    }
}

#[test]
fn values_are_cut_to_what_the_tables_hold() {
    let mut attempt = attempt(1, OperationKind::Retrieve, OutcomeClass::Ok, 1);
    attempt.result.effort.rpcs = Some(u32::MAX);
    let row = &rows(&[attempt])[0];
    assert_eq!(row.figures.rpcs, Some(i32::MAX));
    assert_eq!(row.due.timestamp_subsec_nanos(), 123_456_000);
}

#[test]
fn inserted_rows_go_to_their_attempts_whatever_order_they_come_back_in() {
    use OperationKind::{Provide, Retrieve};
    let rows = rows(&[
        attempt(1, Provide, OutcomeClass::Ok, 2),
        attempt(2, Retrieve, OutcomeClass::Ok, 1),
        attempt(3, Retrieve, OutcomeClass::ServerError, 0),
        attempt(4, Provide, OutcomeClass::Ok, 1),
    ]);
    let attempts: Vec<_> = rows.iter().collect();
    let links = link(&attempts, vec![12, 10, 11], vec![70]).unwrap();
    assert_eq!(
        links.iter().map(|links| (links.provide, links.retrieval)).collect::<Vec<_>>(),
        [(Some(11), None), (None, Some(70)), (None, None), (Some(12), None)]
    );
    assert_eq!(link(&attempts, vec![10, 11], vec![70]), None);
    assert_eq!(link(&attempts, vec![10, 11, 12], vec![70, 71]), None);
}
