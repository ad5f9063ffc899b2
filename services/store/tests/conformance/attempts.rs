//! Attempts: each once, in our table and in the original's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use parsec_measure::OperationKind::{Provide, Retrieve};
use parsec_measure::{Attempt, Effort, NodeId, OutcomeClass};
use parsec_store::{Row, StoreError};

use super::database::Database;
use super::samples::{Pair, at, rows, shown, step};

/// Rows of our table, of `provides_ecs` and of `retrievals_ecs`.
async fn counts(database: &Database) -> [usize; 3] {
    [database.count("operations").await, database.count("provides_ecs").await, database.count("retrievals_ecs").await]
}

pub(crate) async fn an_attempt_is_recorded_once_however_often_it_is_offered(database: &Database) {
    let pair = Pair::registered(database).await;
    let (publication, lookup) = (pair.attempt(1, Provide), pair.attempt(2, Retrieve));
    let twice = rows([publication.clone(), lookup.clone(), publication.clone(), lookup.clone()]);
    database.store.record(&twice).await.unwrap();
    assert_eq!(counts(database).await, [2, 1, 1]);

    let one_more = rows([lookup, pair.attempt(3, Retrieve), publication]);
    database.store.record(&one_more).await.unwrap();
    assert_eq!(counts(database).await, [3, 1, 2]);
}

pub(crate) async fn eight_programs_may_record_the_same_at_once(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut offered = rows((0..40).map(|id| pair.attempt(id, if id % 8 == 0 { Provide } else { Retrieve })));
    offered.push(Row::Round(pair.round(None)));
    database.recorded_by_eight(&offered).await;
    assert_eq!(counts(database).await, [40, 5, 35]);
}

pub(crate) async fn a_lookup_has_a_row_in_the_originals_table(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut lost = pair.failed(2, Retrieve, OutcomeClass::NotFound);
    lost.result.routing_table_size = 180;
    database.store.record(&rows([pair.attempt(1, Retrieve), lost])).await.unwrap();

    let columns = "r.cid || ' ' || r.scheduler_id || ' ' || r.node_id || ' ' || r.rt_size || ' ' || r.duration \
                   || ' ' || substr(CAST(r.created_at AS TEXT), 1, 26) || ' ' || coalesce(r.error, '-')";
    let linked = "retrievals_ecs r JOIN operations o ON o.retrieval_id = r.id AND o.cid = r.cid \
                  WHERE o.provide_id IS NULL ORDER BY r.id";
    let (Pair { scheduler, node }, ended) = (pair, shown(at(14)));
    assert_eq!(
        database.lines(columns, linked).await,
        [
            format!("Qm1 {} {node} 202 1.5 {ended} -", scheduler.0),
            format!("Qm2 {} {node} 180 0.25 {ended} went wrong", scheduler.0),
        ]
    );
}

pub(crate) async fn a_lookup_that_found_a_stranger_is_a_success_in_the_originals_table_and_a_failure_in_ours(
    database: &Database,
) {
    let pair = Pair::registered(database).await;
    let mut poisoned = pair.failed(2, Retrieve, OutcomeClass::WrongProvider);
    poisoned.result.found_publisher = Some(false);
    let mut brothers = pair.attempt(3, Retrieve);
    brothers.result.found_publisher = Some(true);
    database.store.record(&rows([pair.attempt(1, Retrieve), poisoned, brothers])).await.unwrap();

    let verdict =
        "CASE WHEN found_publisher THEN 'publisher' WHEN NOT found_publisher THEN 'stranger' ELSE 'unknown' END";
    let columns = format!(
        "o.cid || ' ' || outcome || ' ' || coalesce(o.error, '-') || ' ' || {verdict} || ', ' || r.duration || ' ' \
         || coalesce(r.error, '-')"
    );
    let linked = "operations o JOIN retrievals_ecs r ON r.id = o.retrieval_id ORDER BY o.id";
    assert_eq!(
        database.lines(&columns, linked).await,
        ["Qm1 ok - unknown, 1.5 -", "Qm2 wrong_provider went wrong stranger, 0.25 -", "Qm3 ok - publisher, 1.5 -"]
    );
    assert_eq!(database.count("retrievals_ecs WHERE error IS NULL").await, 3, "what the field's reports count");
}

pub(crate) async fn a_publication_has_a_row_per_step_in_the_originals_table(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut to_indexer = pair.failed(2, Provide, OutcomeClass::Timeout);
    to_indexer.result.steps =
        vec![step("announce", 100, None), step("index_ad", 200, None), step("availability", 300, Some("too late"))];
    database.store.record(&rows([pair.attempt(1, Provide), to_indexer])).await.unwrap();

    let columns = "cid || ' ' || step || ' ' || duration || ' ' || coalesce(error, '-')";
    assert_eq!(
        database.lines(columns, "provides_ecs ORDER BY id").await,
        ["Qm1 provide 1.5 -", "Qm2 announce 0.1 -", "Qm2 index_ad 0.2 -", "Qm2 availability 0.3 too late"]
    );
    let linked = "operations o JOIN provides_ecs p ON p.id = o.provide_id ORDER BY o.id";
    assert_eq!(database.lines("o.cid || ' ' || p.step", linked).await, ["Qm1 provide", "Qm2 availability"]);
}

pub(crate) async fn a_failure_that_no_step_admits_stands_in_the_last_one(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut silent = pair.failed(1, Provide, OutcomeClass::Protocol);
    silent.result.steps = vec![step("announce", 100, None), step("availability", 300, None)];
    database.store.record(&rows([silent])).await.unwrap();
    let errors = database.lines("step || ' ' || coalesce(error, '-')", "provides_ecs ORDER BY id").await;
    assert_eq!(errors, ["announce -", "availability went wrong"]);
}

pub(crate) async fn an_attempt_that_no_server_measured_is_kept_in_our_own_table_only(database: &Database) {
    let pair = Pair::registered(database).await;
    let unmeasured: Vec<_> = OutcomeClass::ALL.into_iter().filter(|class| !class.is_measured()).collect();
    let attempts = (0..).zip(&unmeasured).map(|(id, class)| pair.failed(id, Provide, *class));
    database.store.record(&rows(attempts)).await.unwrap();
    assert_eq!(counts(database).await, [unmeasured.len(), 0, 0]);
    assert_eq!(database.count("operations WHERE provide_id IS NULL AND error = 'went wrong'").await, unmeasured.len());
}

pub(crate) async fn every_kind_and_class_can_be_recorded(database: &Database) {
    let pair = Pair::registered(database).await;
    let attempts = (0..).zip(OutcomeClass::ALL).flat_map(|(i, class)| {
        [(0, Provide), (100, Retrieve)].map(|(offset, kind)| pair.failed(offset + i, kind, class))
    });
    database.store.record(&rows(attempts)).await.unwrap();
    let recorded = database.lines("kind || ' ' || outcome", "operations ORDER BY id").await;
    let all =
        ["provide", "retrieve"].into_iter().flat_map(|kind| OutcomeClass::ALL.map(|class| format!("{kind} {class}")));
    assert_eq!(recorded, all.collect::<Vec<_>>());
}

pub(crate) async fn what_it_took_is_kept(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut known = Attempt { probe: 2, ..pair.attempt(1, Provide) };
    known.result.effort = Effort {
        rpcs: Some(60),
        rpcs_failed: Some(4),
        dials: Some(25),
        dials_failed: Some(3),
        holders_stored: Some(15),
        holders_confirmed: Some(9),
        holders_failed: Some(2),
        holders_pending: Some(3),
    };
    known.result.network_size = Some(7_123);
    known.result.fallback = Some("no estimate yet".to_owned());
    known.result.from_own_records = true;
    known.result.found_publisher = Some(true);
    database.store.record(&rows([known, pair.attempt(2, Provide)])).await.unwrap();
    let columns = "probe || ' ' || coalesce(rpcs, -1) || ' ' || coalesce(rpcs_failed, -1) || ' ' || coalesce(dials, -1) \
                   || ' ' || coalesce(dials_failed, -1) || ' ' || coalesce(holders_stored, -1) \
                   || ' ' || coalesce(holders_confirmed, -1) || ' ' || coalesce(holders_failed, -1) || ' ' || coalesce(holders_pending, -1) \
                   || ' ' || duration_seconds || ' ' || routing_table_size || ' ' || coalesce(network_size, -1) \
                   || ' ' || coalesce(fallback, '-') || ' ' || CASE WHEN from_own_records THEN 'own' ELSE 'asked' END \
                   || CASE WHEN found_publisher THEN ' found' WHEN NOT found_publisher THEN ' stranger' ELSE '' END";
    assert_eq!(
        database.lines(columns, "operations ORDER BY id").await,
        ["2 60 4 25 3 15 9 2 3 1.5 202 7123 no estimate yet own found", "0 -1 -1 -1 -1 -1 -1 -1 -1 1.5 202 -1 - asked"]
    );
    let times = "substr(CAST(due_at AS TEXT), 1, 26) || '|' || substr(CAST(started_at AS TEXT), 1, 26) || '|' \
                 || substr(CAST(ended_at AS TEXT), 1, 26)";
    let [due, started, ended] = [11, 12, 14].map(|second| shown(at(second)));
    assert_eq!(database.lines(times, "operations").await, vec![format!("{due}|{started}|{ended}"); 2]);
}

pub(crate) async fn an_attempt_may_come_before_its_round(database: &Database) {
    let pair = Pair::registered(database).await;
    database.store.record(&rows([pair.attempt(1, Retrieve)])).await.unwrap();
    database.store.record(&[Row::Round(pair.round(None))]).await.unwrap();
    assert_eq!(database.count("operations o JOIN rounds r ON r.id = o.round_id").await, 1);
}

pub(crate) async fn a_batch_with_a_row_that_can_never_be_written_is_refused_as_a_whole(database: &Database) {
    let pair = Pair::registered(database).await;
    let of_nobody = Pair { node: NodeId(4_711), ..pair };
    let mut batch = rows([pair.attempt(1, Retrieve), of_nobody.attempt(2, Retrieve)]);
    batch.push(Row::Round(pair.round(None)));
    let refused = database.store.record(&batch).await;
    assert!(matches!(refused, Err(StoreError::BadRow(_))), "{refused:?}");
    assert_eq!((counts(database).await, database.count("rounds").await), ([0, 0, 0], 0));
}

pub(crate) async fn any_text_can_be_an_error(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut attempt = pair.failed(1, Retrieve, OutcomeClass::Protocol);
    attempt.result.error = Some("'; \u{1F980} \0 {\"a\": 1} \\".to_owned());
    database.store.record(&rows([attempt])).await.unwrap();
    assert_eq!(database.lines("error", "retrievals_ecs").await, ["'; \u{1F980} \u{FFFD} {\"a\": 1} \\"]);
}

pub(crate) async fn a_large_batch_is_recorded_whole(database: &Database) {
    let pair = Pair::registered(database).await;
    let attempts = (0..2_500).map(|id| {
        let mut attempt = pair.attempt(id, if id % 2 == 0 { Provide } else { Retrieve });
        attempt.result.steps = vec![step("announce", 1, None), step("availability", 2, None)];
        attempt
    });
    database.store.record(&rows(attempts)).await.unwrap();
    assert_eq!(counts(database).await, [2_500, 2_500, 1_250]);
    let linked = "operations o LEFT JOIN provides_ecs p ON p.id = o.provide_id AND p.step = 'availability' \
                  LEFT JOIN retrievals_ecs r ON r.id = o.retrieval_id WHERE o.cid = coalesce(p.cid, r.cid)";
    assert_eq!(database.count(linked).await, 2_500);
}

pub(crate) async fn removing_an_original_row_leaves_ours(database: &Database) {
    let pair = Pair::registered(database).await;
    database.store.record(&rows([pair.attempt(1, Provide), pair.attempt(2, Retrieve)])).await.unwrap();
    database.execute("DELETE FROM provides_ecs").await;
    database.execute("DELETE FROM retrievals_ecs").await;
    assert_eq!(database.count("operations WHERE provide_id IS NULL AND retrieval_id IS NULL").await, 2);
    database.execute("DELETE FROM nodes_ecs").await;
    assert_eq!(database.count("operations").await, 0);
}

pub(crate) async fn a_call_that_nobody_waits_for_is_done_all_the_same(database: &Database) {
    let pair = Pair::registered(database).await;
    let store = Arc::clone(&database.store);
    let batch = rows((0..500).map(|id| pair.attempt(id, Retrieve)));
    // Begun by the first poll, then dropped.
    assert!(store.record(&batch).now_or_never().is_none());

    let deadline = Instant::now() + Duration::from_secs(30);
    while database.count("operations").await != 500 {
        assert!(Instant::now() < deadline, "the batch is not there");
        tokio::task::yield_now().await;
    }
}
