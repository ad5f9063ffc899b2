//! What was measured gets into the database: in order, each row once, whatever happens.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use parsec_actors::recording::recorder::{
    Backlog, BacklogFull, RECORD_DEADLINE, Record, Recorder, RecorderConfig, RecorderHandle,
};
use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::stop::{RECORDER_STOP, Stop};
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_measure::{Attempt, AttemptId, NodeId, OperationKind, OutcomeClass, RoundId, SchedulerId, WhyKept};
use parsec_store::Row;
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{Call, FakeStore, Mood, POLICY, Witness, counted, measured, metrics, millis, secs};

/// How long a row waits for company.
const LINGER: Duration = Duration::from_millis(100);

/// How many rows go into one transaction.
const BATCH: usize = 500;

/// How many traces may wait.
const MAX_TRACES: usize = 2_000;

/// How many rows may wait.
const MAX_BACKLOG: usize = 100_000;

pub(crate) struct Desk {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    pub(crate) recorder: Child<Recorder>,
    parent: Witness,
}

impl Desk {
    fn open() -> Self {
        pause();
        Self::over(FakeStore::with(vec![]), Backlog::default())
    }

    /// A recorder that writes what waits here into this database.
    pub(crate) fn over(store: Arc<FakeStore>, backlog: Backlog) -> Self {
        let (backlog, metrics) = (Arc::new(backlog), metrics());
        let config =
            RecorderConfig { store: store.clone(), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
        let (parent, hears) = Witness::start_new();
        let recorder = supervise("recorder", POLICY, hears, Recorder::new(config));
        Self { store, backlog, metrics, recorder, parent }
    }

    pub(crate) async fn record(&self, rows: Vec<Row>) -> Result<(), BacklogFull> {
        self.recorder.ask(RECORD_DEADLINE).ask(Record(rows)).await.unwrap()
    }

    pub(crate) fn stop(&self) -> Ask<Stop> {
        self.recorder.ask(RECORDER_STOP)
    }

    fn handle(&self) -> RecorderHandle {
        RecorderHandle::of(&self.recorder, Arc::clone(&self.metrics))
    }

    pub(crate) async fn written(&self, count: usize) -> Vec<Row> {
        self.store.until("the rows are written", |store| store.rows.len() >= count).await;
        self.store.read(|store| store.rows.clone())
    }

    fn batches(&self) -> Vec<usize> {
        self.store.read(|store| store.batches.clone())
    }

    pub(crate) fn counts(&self, series: &str) -> usize {
        counted(&self.metrics, series) as usize
    }

    pub(crate) fn rows_written(&self) -> usize {
        self.counts("parsec_recorder_rows_written_total")
    }

    pub(crate) fn rows_lost(&self) -> usize {
        self.counts("parsec_recorder_rows_lost_total")
    }

    pub(crate) fn rows_waiting(&self) -> usize {
        self.counts("parsec_recorder_backlog_rows")
    }
}

pub(crate) fn attempt() -> Attempt {
    Attempt {
        id: AttemptId::fresh(),
        round: RoundId::fresh(),
        scheduler: SchedulerId(1),
        node: NodeId(1),
        kind: OperationKind::Retrieve,
        probe: 0,
        cid: "Qm".to_owned(),
        due: Utc::now(),
        started: Utc::now(),
        ended: Utc::now(),
        result: measured(OutcomeClass::Ok, millis(20)),
        why_kept: None,
    }
}

pub(crate) fn rows(count: usize) -> Vec<Row> {
    (0..count).map(|_| Row::Attempt(attempt())).collect()
}

#[actix::test]
async fn a_row_waits_a_tenth_of_a_second_for_company() {
    let desk = Desk::open();
    let (rows, began) = (rows(3), Instant::now());
    for row in &rows {
        assert_eq!(desk.record(vec![row.clone()]).await, Ok(()));
        sleep(millis(20)).await;
    }
    assert_eq!(desk.rows_waiting(), 3);
    assert_eq!(desk.written(3).await, rows);
    assert_eq!(desk.batches(), [3]);
    assert!((LINGER..LINGER + millis(20)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!((desk.rows_written(), desk.rows_waiting()), (3, 0));
}

#[actix::test]
async fn a_full_batch_waits_for_nothing() {
    let desk = Desk::open();
    let began = Instant::now();
    desk.record(rows(BATCH)).await.unwrap();
    desk.written(BATCH).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn many_rows_are_written_in_batches_and_in_order() {
    let desk = Desk::open();
    let rows = rows(2 * BATCH + 200);
    desk.record(rows.clone()).await.unwrap();
    assert!(desk.written(rows.len()).await == rows);
    assert_eq!(desk.batches(), [BATCH, BATCH, 200]);
    assert_eq!(desk.rows_written(), rows.len());
}

#[actix::test]
async fn one_write_ends_before_the_next_one_begins() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [], Mood::Hangs);
    for _ in 0..4 {
        desk.record(rows(BATCH)).await.unwrap();
        sleep(secs(1)).await;
    }
    assert_eq!(desk.store.read(|store| store.asked(Call::Record).len()), 1);
    desk.store.takes(Call::Record, [], Mood::Works);
    desk.written(4 * BATCH).await;
    assert_eq!(desk.batches(), [BATCH; 4]);
}

#[actix::test]
async fn while_the_database_is_away_rows_wait_and_then_are_written_once() {
    let desk = Desk::open();
    desk.store.is(Mood::Away);
    let rows = rows(10);
    for row in &rows {
        desk.record(vec![row.clone()]).await.unwrap();
        sleep(secs(30)).await;
    }
    assert_eq!((desk.batches(), desk.rows_waiting()), (vec![], 10));
    desk.store.is(Mood::Works);
    assert_eq!(desk.written(10).await, rows);
    assert_eq!(desk.batches(), [10]);
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (10, 0, 0));
}

#[actix::test]
async fn the_pauses_between_tries_double_up_to_half_a_minute_and_start_small_the_next_time() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Away; 9], Mood::Works);
    desk.record(rows(1)).await.unwrap();
    desk.written(1).await;
    desk.store.takes(Call::Record, [Mood::Away], Mood::Works);
    desk.record(rows(1)).await.unwrap();
    desk.written(2).await;
    let asked = desk.store.read(|store| store.asked(Call::Record));
    let pauses: Vec<_> = asked.windows(2).map(|two| (two[1] - two[0]).as_millis() / 100 * 100).collect();
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 100, 500]);
}

#[actix::test]
async fn one_bad_row_holds_up_no_other_and_is_counted_as_lost() {
    let desk = Desk::open();
    let attempts: Vec<_> = (0..5).map(|_| attempt()).collect();
    desk.store.change(|store| store.refused.push(attempts[2].id));
    desk.record(attempts.iter().cloned().map(Row::Attempt).collect()).await.unwrap();
    desk.written(4).await;
    let written: Vec<_> = desk.store.read(|store| store.attempts().iter().map(|attempt| attempt.id).collect());
    assert_eq!(written, [0, 1, 3, 4].map(|index: usize| attempts[index].id));
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (4, 1, 0));
    desk.record(rows(1)).await.unwrap();
    desk.written(5).await;
}

#[actix::test]
async fn a_database_that_is_full_for_an_hour_has_no_row_lost() {
    let desk = Desk::open();
    desk.store.is(Mood::Full);
    let rows = rows(5);
    desk.record(rows.clone()).await.unwrap();
    sleep(secs(3_600)).await;
    assert_eq!((desk.rows_waiting(), desk.rows_lost()), (5, 0));
    desk.store.is(Mood::Works);
    assert_eq!(desk.written(5).await, rows);
}

#[actix::test]
async fn a_row_at_which_the_query_fails_over_and_over_is_left_out_in_the_end() {
    let desk = Desk::open();
    let attempts: Vec<_> = (0..5).map(|_| attempt()).collect();
    desk.store.change(|store| store.failing.push(attempts[2].id));
    desk.record(attempts.into_iter().map(Row::Attempt).collect()).await.unwrap();
    desk.written(4).await;
    sleep(secs(600)).await;
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (4, 1, 0));
}

#[actix::test]
async fn a_database_that_goes_away_at_a_bad_row_has_nothing_counted_twice() {
    let desk = Desk::open();
    let attempts: Vec<_> = (0..5).map(|_| attempt()).collect();
    desk.store.change(|store| store.refused.push(attempts[1].id));
    // The batch, the first row and the bad one come through; then nothing does for a while.
    desk.store.takes(Call::Record, [Mood::Works, Mood::Works, Mood::Works, Mood::Away, Mood::Away], Mood::Works);
    desk.record(attempts.into_iter().map(Row::Attempt).collect()).await.unwrap();
    desk.written(4).await;
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (4, 1, 0));
}

#[actix::test]
async fn a_full_backlog_takes_no_more_says_so_and_counts() {
    let desk = Desk::open();
    desk.store.is(Mood::Away);
    let row = rows(1);
    assert_eq!(desk.record(vec![row[0].clone(); MAX_BACKLOG]).await, Ok(()));
    let full = desk.record(rows(2)).await.unwrap_err();
    assert_eq!(full.to_string(), "100000 rows already wait in memory for the database");
    assert_eq!((desk.backlog.len(), desk.rows_lost()), (MAX_BACKLOG, 2));
    desk.handle().record(rows(3)).await;
    assert_eq!((desk.backlog.len(), desk.rows_lost()), (MAX_BACKLOG, 5));
}

/// An attempt with a trace that is to be kept.
fn traced() -> Row {
    Row::Attempt(Attempt { why_kept: Some(WhyKept::Failed), ..attempt() })
}

fn has_trace(row: &Row) -> bool {
    matches!(row, Row::Attempt(attempt) if attempt.result.trace.is_some() && attempt.why_kept.is_some())
}

#[actix::test]
async fn so_many_traces_may_wait_and_then_rows_go_without() {
    let desk = Desk::open();
    desk.store.is(Mood::Away);
    desk.record(vec![traced(); MAX_TRACES - 1]).await.unwrap();
    let rows: Vec<_> = (0..3).map(|_| traced()).collect();
    desk.record(rows.clone()).await.unwrap();
    assert_eq!(desk.counts("parsec_recorder_traces_lost_total"), 2);
    desk.store.is(Mood::Works);
    // The store takes equal rows for one.
    let written = desk.written(1 + rows.len()).await;
    assert_eq!(written.iter().map(has_trace).collect::<Vec<_>>(), [true, true, false, false]);

    let later = traced();
    desk.record(vec![later.clone()]).await.unwrap();
    assert_eq!(desk.written(5).await.last(), Some(&later), "there is room again");
}

#[actix::test]
async fn told_to_stop_it_writes_everything_first() {
    let desk = Desk::open();
    let rows = rows(2 * BATCH + 200);
    desk.record(rows.clone()).await.unwrap();
    assert_eq!(desk.stop().ask(Stop).await, Ok(()));
    assert!(desk.store.read(|store| store.rows == rows));
    assert!(desk.backlog.is_empty() && !desk.recorder.addr().connected());
    assert_eq!(desk.rows_written(), rows.len());
}

#[actix::test]
async fn told_to_stop_it_waits_for_a_database_that_comes_back_in_time() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Away; 10], Mood::Works);
    desk.record(rows(3)).await.unwrap();
    assert_eq!(desk.stop().ask(Stop).await, Ok(()));
    assert_eq!(desk.written(3).await.len(), 3);
}

#[actix::test]
async fn a_stop_during_a_write_counts_no_row_twice() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [], Mood::Hangs);
    desk.record(rows(BATCH)).await.unwrap();
    desk.store.until("a write is under way", |store| store.asked(Call::Record).len() == 1).await;
    let stop = desk.stop();
    let (stopped, ()) = futures::join!(stop.ask(Stop), async {
        sleep(secs(1)).await;
        desk.store.takes(Call::Record, [], Mood::Works);
    });
    assert_eq!(stopped, Ok(()));
    assert_eq!((desk.written(BATCH).await.len(), desk.rows_written()), (BATCH, BATCH));
}

#[actix::test]
async fn a_crash_in_the_middle_of_a_write_loses_no_row() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Panics, Mood::Away, Mood::Panics], Mood::Works);
    let rows = rows(BATCH + 1);
    desk.record(rows.clone()).await.unwrap();
    assert!(desk.written(rows.len()).await == rows);
    assert_eq!(desk.parent.restarts().len(), 2);
    assert_eq!((desk.rows_written(), desk.rows_lost()), (rows.len(), 0));
}

#[actix::test]
async fn whoever_records_waits_for_a_recorder_that_comes_back() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Panics], Mood::Works);
    desk.handle().record(rows(1)).await;
    desk.parent.until_heard(1).await;
    assert!(desk.recorder.ask(RECORD_DEADLINE).ask(Record(rows(1))).await.is_err(), "it is down");
    desk.handle().record(rows(1)).await;
    assert_eq!(desk.written(2).await.len(), 2);
    assert_eq!(desk.rows_lost(), 0);
}

#[actix::test]
async fn rows_that_no_recorder_takes_any_more_are_counted_as_lost() {
    let desk = Desk::open();
    desk.stop().ask(Stop).await.unwrap();
    let began = Instant::now();
    desk.handle().record(rows(3)).await;
    assert_eq!(desk.rows_lost(), 3);
    assert!(began.elapsed() > POLICY.backoff_max && began.elapsed() < secs(30), "{:?}", began.elapsed());
}
