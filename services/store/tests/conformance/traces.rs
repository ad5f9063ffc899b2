//! Traces and follow-ups: what belongs to an attempt beside its row.

use std::sync::Arc;
use std::time::Duration;

use parsec_measure::OperationKind::{Provide, Retrieve};
use parsec_measure::{Attempt, AttemptId, FollowUp, NodeId, OutcomeClass, StoredOperation, WhyKept};
use parsec_store::{Listing, NodeFollowUp, Order, Row, Selection, StoreError};
use uuid::Uuid;

use super::database::Database;
use super::samples::{Pair, at, rows, trace};

async fn operation(database: &Database, id: u128) -> Option<StoredOperation> {
    database.traces().await.whole(AttemptId(Uuid::from_u128(id))).await.unwrap()
}

/// The newest operations that have a trace.
async fn newest(database: &Database, limit: u32) -> Vec<StoredOperation> {
    let listing = Listing { selection: Selection::default(), outcomes: Vec::new(), order: Order::Newest, limit };
    database.traces().await.list(&listing).await.unwrap().rows
}

async fn listed(database: &Database, limit: u32) -> Vec<u128> {
    newest(database, limit).await.into_iter().map(|operation| operation.attempt.id.0.as_u128()).collect()
}

pub(crate) fn follow_up(pair: Pair, id: u128, attempt: Option<u128>) -> NodeFollowUp {
    let follow_up = FollowUp {
        attempt: attempt.map(|id| AttemptId(Uuid::from_u128(id))),
        cid: "Qm1".to_owned(),
        stored: 18,
        confirmed: Some(17),
        failed: 2,
        pending: Some(0),
        duration: Duration::from_millis(7_250),
        confirming: Duration::ZERO,
    };
    NodeFollowUp { id: Uuid::from_u128(id), node: pair.node, ended: at(20), follow_up }
}

/// What comes back of a time.
fn kept(attempt: Attempt) -> Attempt {
    let micros = |time| chrono::SubsecRound::trunc_subsecs(time, 6);
    let (due, started, ended) = (micros(attempt.due), micros(attempt.started), micros(attempt.ended));
    Attempt { due, started, ended, ..attempt }
}

pub(crate) async fn a_trace_that_is_kept_is_read_back_with_its_operation(database: &Database) {
    let pair = Pair::registered(database).await;
    for (id, why) in (1..).zip(WhyKept::ALL) {
        database.store.record(&rows([pair.traced(id, Provide, why)])).await.unwrap();
        let found = operation(database, id).await.unwrap();
        assert_eq!((found.attempt.why_kept, found.attempt.result.trace.as_deref()), (Some(why), Some(&trace())));
        assert_eq!((found.region.as_str(), found.fleet.as_str()), ("eu-central-1", "default"));
        assert_eq!((found.peer_id.as_str(), found.follow_up), ("12D3KooWSample", None));
    }
    let linked = "operations o JOIN traces t ON t.id = o.trace_id AND t.id = o.id ORDER BY o.id";
    assert_eq!(database.lines("t.why_kept", linked).await, ["failed", "slow", "sampled"]);
}

pub(crate) async fn an_operation_is_read_back_as_it_was_recorded(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut whole = Attempt { probe: 3, ..pair.traced(1, Retrieve, WhyKept::Failed) };
    whole.result.class = OutcomeClass::NotFound;
    whole.result.error = Some("not found".to_owned());
    whole.result.effort.rpcs = Some(60);
    whole.result.effort.rpcs_failed = Some(5);
    whole.result.effort.dials = Some(40);
    whole.result.effort.dials_failed = Some(4);
    whole.result.effort.holders_stored = Some(3);
    whole.result.effort.holders_confirmed = Some(2);
    whole.result.effort.holders_failed = Some(2);
    whole.result.effort.holders_pending = Some(1);
    whole.result.network_size = Some(7_000);
    whole.result.fallback = Some("no estimate yet".to_owned());
    whole.result.from_own_records = true;
    whole.result.found_publisher = Some(false);
    let bare = pair.failed(2, Provide, OutcomeClass::ServerUnreachable);
    database.store.record(&rows([whole.clone(), bare.clone()])).await.unwrap();
    for (id, mut attempt) in [(1, whole), (2, bare)] {
        attempt.result.steps.clear();
        assert_eq!(operation(database, id).await.unwrap().attempt, kept(attempt));
    }
}

pub(crate) async fn an_operation_that_is_not_there_is_none(database: &Database) {
    assert_eq!(operation(database, 1).await, None);
    assert_eq!(listed(database, 10).await, []);
}

pub(crate) async fn a_trace_is_recorded_once_however_often_it_is_offered(database: &Database) {
    let pair = Pair::registered(database).await;
    let (one, other) = (pair.traced(1, Provide, WhyKept::Slow), pair.traced(2, Retrieve, WhyKept::Sampled));
    for batch in [rows([one.clone(), one.clone()]), rows([one.clone(), other.clone()]), rows([other, one])] {
        database.store.record(&batch).await.unwrap();
    }
    assert_eq!((database.count("traces").await, database.count("operations").await), (2, 2));
}

pub(crate) async fn a_trace_without_a_reason_is_not_kept(database: &Database) {
    let pair = Pair::registered(database).await;
    let passed_over = Attempt { why_kept: None, ..pair.traced(1, Retrieve, WhyKept::Sampled) };
    database.store.record(&rows([passed_over])).await.unwrap();
    assert_eq!((database.count("traces").await, database.count("operations WHERE trace_id IS NULL").await), (0, 1));
    assert_eq!(operation(database, 1).await.unwrap().attempt.result.trace, None);
}

pub(crate) async fn any_text_can_be_in_a_trace(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut attempt = pair.traced(1, Retrieve, WhyKept::Sampled);
    let mut odd = trace();
    odd.requests[1].error = Some("'; \u{1F980} \0 {\"a\": 1} \\u0000".to_owned());
    attempt.result.trace = Some(Arc::new(odd));
    database.store.record(&rows([attempt])).await.unwrap();
    let read = operation(database, 1).await.unwrap().attempt.result.trace.unwrap();
    assert_eq!(read.requests[1].error.as_deref(), Some("'; \u{1F980} \u{FFFD} {\"a\": 1} \\u0000"));
}

pub(crate) async fn a_trace_goes_with_its_operation(database: &Database) {
    let pair = Pair::registered(database).await;
    let traced = Row::Attempt(pair.traced(1, Provide, WhyKept::Failed));
    database.store.record(&[traced, Row::FollowUp(follow_up(pair, 7, Some(1)))]).await.unwrap();
    database.execute("DELETE FROM nodes_ecs").await;
    assert_eq!((database.count("traces").await, database.count("follow_ups").await), (0, 0));
}

pub(crate) async fn traced_operations_are_listed_newest_first(database: &Database) {
    let pair = Pair::registered(database).await;
    let attempts = [(1, 30), (2, 10), (3, 20), (4, 30)];
    let traced = attempts.map(|(id, started)| Attempt {
        started: at(started),
        ..pair.traced(id, if id == 3 { Provide } else { Retrieve }, WhyKept::Slow)
    });
    database.store.record(&rows(traced)).await.unwrap();
    database.store.record(&rows([Attempt { started: at(40), ..pair.attempt(5, Retrieve) }])).await.unwrap();
    assert_eq!(listed(database, 10).await, [4, 1, 3, 2]);
    assert_eq!(listed(database, 2).await, [4, 1]);
    assert_eq!(listed(database, u32::MAX).await.len(), 4);
    let operation = newest(database, 3).await.remove(2);
    assert_eq!((operation.attempt.kind, operation.attempt.why_kept), (Provide, Some(WhyKept::Slow)));
    assert_eq!((operation.region.as_str(), operation.attempt.result.trace), ("eu-central-1", None));
}

pub(crate) async fn a_follow_up_is_recorded_once_and_found_with_its_operation(database: &Database) {
    let pair = Pair::registered(database).await;
    let row = Row::FollowUp(follow_up(pair, 7, Some(1)));
    database.store.record(&rows([pair.attempt(1, Provide), pair.attempt(2, Provide)])).await.unwrap();
    database.store.record(&[row.clone(), row.clone()]).await.unwrap();
    database.store.record(&[row]).await.unwrap();

    let columns = "cid || ' ' || node_id || ' ' || stored || ' ' || confirmed || ' ' || failed || ' ' || pending \
                   || ' ' || duration_seconds";
    assert_eq!(database.lines(columns, "follow_ups").await, [format!("Qm1 {} 18 17 2 0 7.25", pair.node)]);
    let found = operation(database, 1).await.unwrap().follow_up;
    assert_eq!(found, Some(follow_up(pair, 7, Some(1)).follow_up));
    assert_eq!(operation(database, 2).await.unwrap().follow_up, None);
}

pub(crate) async fn a_follow_up_may_come_before_its_operation_or_without_one(database: &Database) {
    let pair = Pair::registered(database).await;
    let early = [Row::FollowUp(follow_up(pair, 7, Some(1))), Row::FollowUp(follow_up(pair, 8, None))];
    database.store.record(&early).await.unwrap();
    database.store.record(&rows([pair.attempt(1, Provide)])).await.unwrap();
    assert!(operation(database, 1).await.unwrap().follow_up.is_some());
    assert_eq!(database.count("follow_ups WHERE operation_id IS NULL").await, 1);
}

pub(crate) async fn a_follow_up_of_a_node_without_a_row_is_refused(database: &Database) {
    let pair = Pair::registered(database).await;
    let of_nobody = Row::FollowUp(follow_up(Pair { node: NodeId(4_711), ..pair }, 7, None));
    let refused = database.store.record(&[of_nobody]).await;
    assert!(matches!(refused, Err(StoreError::BadRow(_))), "{refused:?}");
}

pub(crate) async fn eight_programs_may_record_the_same_traces_and_follow_ups_at_once(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut offered = rows((0..20).map(|id| pair.traced(id, Provide, WhyKept::Sampled)));
    offered.extend((0..20).map(|id| Row::FollowUp(follow_up(pair, 100 + id, Some(id)))));
    database.recorded_by_eight(&offered).await;
    assert_eq!((database.count("traces").await, database.count("follow_ups").await), (20, 20));
}

pub(crate) async fn a_trace_that_nobody_wrote_or_of_any_length_is_refused_and_named(database: &Database) {
    let pair = Pair::registered(database).await;
    database.store.record(&rows([pair.traced(1, Retrieve, WhyKept::Sampled)])).await.unwrap();
    let long = if database.is_postgres() { "repeat('x', 20000000)" } else { "hex(zeroblob(10000000))" };
    let long = format!("'{{\"note\": \"' || {long} || '\"}}'");
    let long = if database.is_postgres() { format!("({long})::JSONB") } else { long };
    for (document, reason) in [("'[1, 2]'", "invalid"), (&long, "characters, at most 16777216 are read")] {
        database.execute(&format!("UPDATE traces SET document = {document}")).await;
        let error = database.traces().await.whole(AttemptId(Uuid::from_u128(1))).await.unwrap_err();
        let StoreError::BadRow(said) = &error else { panic!("{error:?}") };
        assert!(said.contains(reason) && said.contains("00000000-0000-0000-0000-000000000001"), "{said}");
    }
}
