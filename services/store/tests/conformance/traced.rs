//! Traces read back in numbers, and operations that are found.

use parsec_measure::OperationKind::{Provide, Retrieve};
use parsec_measure::{AttemptId, OutcomeClass, WhyKept};
use parsec_store::{
    Dataset, Listing, MAX_HISTORY_ROWS, MAX_MEANT, Order, Selection, StoreError, each_counted, each_sampled,
    each_traced, open_glance,
};
use std::time::Duration;
use uuid::Uuid;

use super::archive::identity;
use super::database::Database;
use super::samples::{Pair, at, rows, trace};

fn id(number: u128) -> AttemptId {
    AttemptId(Uuid::from_u128(number))
}

pub(crate) async fn each_operation_is_read_with_why_its_trace_was_kept(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut told = pair.attempt(3, Retrieve);
    told.result.effort.rpcs = Some(7);
    let attempts = [pair.traced(1, Provide, WhyKept::Slow), pair.attempt(2, Retrieve), told];
    database.store.record(&rows(attempts)).await.unwrap();
    let traces = database.traces().await;
    let all = traces.sampled(&Selection::default(), None).await.unwrap();
    assert_eq!((all.unread, all.last), (0, Some(Uuid::from_u128(3))));
    let all = all.rows;
    let of: Vec<_> = all.iter().map(|sampled| (sampled.operation.id, sampled.is_told, sampled.why_kept)).collect();
    assert_eq!(of, [(id(1), true, Some(WhyKept::Slow)), (id(2), false, None), (id(3), true, None)]);
    assert!(all.iter().all(|sampled| sampled.scheduler == pair.scheduler));
    assert_eq!(traces.sampled(&Selection::default(), Some(id(2))).await.unwrap().rows, [all[2]]);
    assert_eq!(traces.sampled(&Selection::default(), Some(id(3))).await.unwrap().last, None);
    let lookups = Selection { kind: Some(Retrieve), ..Selection::default() };
    assert_eq!(traces.sampled(&lookups, None).await.unwrap().rows.len(), 2);
}

pub(crate) async fn traces_are_read_a_few_at_a_time_and_none_that_is_too_long(database: &Database) {
    let pair = Pair::registered(database).await;
    let mut long = pair.traced(3, Provide, WhyKept::Failed);
    let mut trace_of_strangers = trace();
    trace_of_strangers.requests[0].agent = Some("x".repeat(1 << 20));
    long.result.trace = Some(std::sync::Arc::new(trace_of_strangers));
    let attempts = [pair.traced(1, Provide, WhyKept::Slow), pair.attempt(2, Retrieve), long];
    database.store.record(&rows(attempts)).await.unwrap();
    let traces = database.traces().await;
    let read = traces.traces(&[id(1), id(2), id(3)]).await.unwrap();
    assert_eq!(read, [(id(1), Some(trace())), (id(2), None), (id(3), None)]);
    assert!(traces.whole(id(3)).await.unwrap().unwrap().attempt.result.trace.is_some(), "by itself it is read");
}

pub(crate) async fn operations_are_listed_by_time_duration_and_outcome(database: &Database) {
    let pair = Pair::registered(database).await;
    let traced = |number: u128, second: i64, ms: u64| {
        let mut attempt = pair.traced(number, Retrieve, WhyKept::Sampled);
        (attempt.started, attempt.result.duration) = (at(second), Duration::from_millis(ms));
        attempt
    };
    let unreachable = pair.failed(4, Provide, OutcomeClass::ServerUnreachable);
    let attempts = [traced(1, 10, 900), traced(2, 30, 100), traced(3, 20, 500), unreachable];
    database.store.record(&rows(attempts)).await.unwrap();
    let traces = database.traces().await;
    let listed = async |order, outcomes: Vec<OutcomeClass>, limit| {
        let listing = Listing { selection: Selection::default(), outcomes, order, limit };
        let listed = traces.list(&listing).await.unwrap();
        listed.rows.into_iter().map(|operation| operation.attempt.id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(listed(Order::Newest, vec![], 9).await, [2, 3, 1]);
    assert_eq!(listed(Order::Slowest, vec![], 2).await, [1, 3]);
    let unreachable = vec![OutcomeClass::ServerUnreachable, OutcomeClass::Timeout];
    assert_eq!(listed(Order::Newest, unreachable, 9).await, [4], "whether it has a trace or not");
    let none = Selection { regions: vec!["elsewhere".to_owned()], ..Selection::default() };
    let listing = Listing { selection: none, outcomes: vec![], order: Order::Newest, limit: 9 };
    assert_eq!(traces.list(&listing).await.unwrap().rows.len(), 0);
}

pub(crate) async fn operations_are_listed_between_two_times(database: &Database) {
    let pair = Pair::registered(database).await;
    let started = |second: i64| {
        let mut attempt = pair.traced(identity(second, 1).0.as_u128(), Retrieve, WhyKept::Sampled);
        attempt.started = at(second);
        attempt
    };
    database.store.record(&rows([10, 20, 30].map(started))).await.unwrap();
    let traces = database.traces().await;
    for (from, to, expected) in [(10, 30, &[20, 10][..]), (11, 99, &[30, 20]), (31, 99, &[])] {
        let selection = Selection { since: Some(at(from)), until: Some(at(to)), ..Selection::default() };
        let listing = Listing { selection, outcomes: vec![], order: Order::Newest, limit: 9 };
        let listed = traces.list(&listing).await.unwrap();
        let listed: Vec<_> = listed.rows.into_iter().map(|operation| operation.attempt.started.timestamp()).collect();
        assert_eq!(
            listed,
            expected.iter().map(|second| at(*second).timestamp()).collect::<Vec<_>>(),
            "from {from} to {to}"
        );
    }
}

pub(crate) async fn an_operation_is_found_by_the_beginning_or_the_end_of_its_identity(database: &Database) {
    let pair = Pair::registered(database).await;
    let number = |begin: u128, end: u128| (begin << 112) | end;
    let all = [number(0xabcd, 0x1234), number(0xabce, 0x5678), number(0x5678, 0x9999)];
    let more = (0..9).map(|more| number(0xeeee, more << 16 | 0xffff));
    let attempts = all.into_iter().chain(more).map(|number| pair.attempt(number, Retrieve));
    database.store.record(&rows(attempts)).await.unwrap();
    let traces = database.traces().await;
    let meant = async |text: &str| {
        let ids = traces.meant(&text.parse().unwrap()).await.unwrap();
        ids.into_iter().map(|id| id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(meant("abcd").await, [all[0]]);
    assert_eq!(meant("00001234").await, [all[0]]);
    assert_eq!(meant("5678").await, [all[2], all[1]], "in the order of time");
    assert_eq!(meant(&Uuid::from_u128(all[2]).to_string()).await, [all[2]]);
    assert_eq!(meant("1111").await, Vec::<u128>::new());
    assert_eq!(meant("ffff").await.len(), MAX_MEANT, "as many as are named");
}

pub(crate) async fn whoever_may_only_read_reads_traces(database: &Database) {
    let pair = Pair::registered(database).await;
    database.store.record(&rows([pair.traced(1, Provide, WhyKept::Slow)])).await.unwrap();
    let traces = database.traces_for_readers().await;
    assert_eq!(traces.traces(&[id(1)]).await.unwrap(), [(id(1), Some(trace()))]);
    assert_eq!(traces.sampled(&Selection::default(), None).await.unwrap().rows.len(), 1);
    assert!(traces.whole(id(1)).await.unwrap().is_some());
}

/// Four operations, of which a version that is not there yet has written all but the first: another kind, another outcome, another reason to keep
/// a trace.
async fn partly_unknown(database: &Database) {
    let pair = Pair::registered(database).await;
    let attempts = [1, 2, 3, 4].map(|number| pair.traced(number, Provide, WhyKept::Sampled));
    database.store.record(&rows(attempts)).await.unwrap();
    let unchecked = if database.is_postgres() {
        "ALTER TABLE operations DROP CONSTRAINT operations_kind_check, DROP CONSTRAINT operations_outcome_check; \
         ALTER TABLE traces DROP CONSTRAINT traces_why_kept_check"
    } else {
        "PRAGMA ignore_check_constraints = ON"
    };
    let spoilt = [
        (2, "operations SET kind = 'refresh'"),
        (3, "operations SET outcome = 'rate_limited', error = 'odd'"),
        (4, "traces SET why_kept = 'asked'"),
    ];
    let spoilt = spoilt.map(|(number, set)| format!("; UPDATE {set} WHERE id = '{}'", Uuid::from_u128(number)));
    database.execute(&format!("{unchecked}{}", spoilt.concat())).await;
}

pub(crate) async fn what_a_newer_version_wrote_is_left_out_and_counted_by_every_reader_of_many(database: &Database) {
    partly_unknown(database).await;
    let (glance, all) = (open_glance(&database.config()).await.unwrap(), Selection::default());
    let mut read = Vec::new();
    let unread = each_counted(&*glance, &all, at(4_000), |operation| read.push(operation.id)).await.unwrap();
    assert_eq!((read, unread), (vec![id(1), id(4)], 2), "why a trace was kept is in no figure");
    let mut read = Vec::new();
    let unread = each_sampled(&*glance, &all, |sampled| read.push(sampled.operation.id)).await.unwrap();
    assert_eq!((read, unread), (vec![id(1)], 3));
    let mut read = Vec::new();
    let each = |sampled: &parsec_measure::SampledOperation, trace: Option<Option<_>>| {
        read.push((sampled.operation.id, trace.flatten()));
    };
    let unread = each_traced(&*glance, &all, each).await.unwrap();
    assert_eq!((read, unread), (vec![(id(1), Some(trace()))], 3));
    for order in [Order::Newest, Order::Slowest] {
        let listing = Listing { selection: all.clone(), outcomes: vec![], order, limit: 9 };
        let listed = glance.list(&listing).await.unwrap();
        assert_eq!((listed.rows.len(), listed.rows[0].attempt.id, listed.unread), (1, id(1), 3));
    }
    let newest = glance.newest_attempts(&all, None, 9).await.unwrap();
    assert_eq!((newest.rows.len(), newest.unread), (2, 2));
    let history = glance.history(&all, MAX_HISTORY_ROWS).await.unwrap();
    assert_eq!((history.attempts.len(), history.unread_attempts), (2, 2));
    assert_eq!(glance.publications(&all, None).await.unwrap().len(), 3, "their kind is known");
    for dataset in Dataset::ALL {
        let page = glance.dataset(dataset, &all, None).await;
        assert!(page.is_ok(), "{dataset:?} is for other programs, which may know more: {page:?}");
    }
}

pub(crate) async fn one_operation_that_a_newer_version_wrote_is_named_with_what_is_not_known(database: &Database) {
    partly_unknown(database).await;
    let traces = database.traces().await;
    assert!(traces.whole(id(1)).await.unwrap().is_some());
    for (number, said) in [(2, "`refresh`"), (3, "`rate_limited`"), (4, "`asked`")] {
        let error = traces.whole(id(number)).await.unwrap_err();
        let StoreError::BadRow(why) = &error else { panic!("{error:?}") };
        assert!(why.contains(said) && why.contains(&Uuid::from_u128(number).to_string()), "{why}");
    }
}
