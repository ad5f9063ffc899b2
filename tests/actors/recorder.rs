//! What was measured gets into the database: in order, each row once, whatever happens.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::stop::{RECORDER_STOP, Stop};
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_measure::{Attempt, AttemptId, NodeId, OperationKind, OutcomeClass, RoundId, SchedulerId, WhyKept};
use parsec_store::{Row, SetAside, set_aside};
use tokio::time::{Instant, pause, sleep, timeout};

use crate::fakes::{Call, FakeStore, Mood, PATIENCE, POLICY, Witness, counted, measured, metrics, millis, secs};
use crate::spooling::time_goes_on;

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

    pub(crate) fn record(&self, rows: Vec<Row>) {
        self.handle().record(rows);
    }

    pub(crate) fn stop(&self) -> Ask<Stop> {
        self.recorder.ask(RECORDER_STOP)
    }

    fn handle(&self) -> RecorderHandle {
        RecorderHandle::of(&self.recorder, Arc::clone(&self.backlog), Arc::clone(&self.metrics))
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

    fn rows_set_aside(&self) -> usize {
        self.counts("parsec_recorder_rows_set_aside_total")
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
        desk.record(vec![row.clone()]);
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
    desk.record(rows(BATCH));
    desk.written(BATCH).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn many_rows_are_written_in_batches_and_in_order() {
    let desk = Desk::open();
    let rows = rows(2 * BATCH + 200);
    desk.record(rows.clone());
    assert!(desk.written(rows.len()).await == rows);
    assert_eq!(desk.batches(), [BATCH, BATCH, 200]);
    assert_eq!(desk.rows_written(), rows.len());
}

#[actix::test]
async fn one_write_ends_before_the_next_one_begins() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [], Mood::Hangs);
    for _ in 0..4 {
        desk.record(rows(BATCH));
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
        desk.record(vec![row.clone()]);
        sleep(secs(30)).await;
    }
    assert_eq!((desk.batches(), desk.rows_waiting()), (vec![], 10));
    desk.store.is(Mood::Works);
    assert_eq!(desk.written(10).await, rows);
    assert_eq!(desk.batches(), [10]);
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (10, 0, 0));
}

#[actix::test]
async fn the_pauses_between_tries_double_up_to_five_seconds_and_start_small_the_next_time() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Away; 9], Mood::Works);
    desk.record(rows(1));
    desk.written(1).await;
    desk.store.takes(Call::Record, [Mood::Away], Mood::Works);
    desk.record(rows(1));
    desk.written(2).await;
    let asked = desk.store.read(|store| store.asked(Call::Record));
    let pauses: Vec<_> = asked.windows(2).map(|two| (two[1] - two[0]).as_millis() / 100 * 100).collect();
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000, 100, 500]);
}

/// A recorder that sets refused rows aside, below this directory.
fn desk_over(directory: &Path) -> Desk {
    desk_with(file_below(directory, 1 << 30))
}

fn desk_with(file: SetAside) -> Desk {
    pause();
    Desk::over(FakeStore::with(vec![]), Backlog::default().setting_aside(file))
}

/// The file for refused rows.
fn file_below(directory: &Path, max_bytes: u64) -> SetAside {
    SetAside::of(directory, &"postgres://ann@db/parsec".parse().unwrap(), max_bytes)
}

/// Has whoever writes into this file wait, as if the disk gave no answer, until what is returned is dropped.
fn hangs(file: &SetAside) -> File {
    let held = File::create(file.path()).unwrap();
    held.lock().unwrap();
    held
}

/// How many rows the file has, and how many of them are refused but for their traces.
fn aside(directory: &Path) -> (usize, usize) {
    set_aside(directory).unwrap().first().map_or((0, 0), |file| (file.rows, file.in_part))
}

#[actix::test]
async fn one_bad_row_holds_up_no_other_and_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let desk = desk_over(directory.path());
    let attempts: Vec<_> = (0..5).map(|_| attempt()).collect();
    desk.store.change(|store| store.refused.push(attempts[2].id));
    let began = Instant::now();
    desk.record(attempts.iter().cloned().map(Row::Attempt).collect());
    desk.written(4).await;
    assert!(began.elapsed() < secs(1), "{:?}", began.elapsed());
    let written: Vec<_> = desk.store.read(|store| store.attempts().iter().map(|attempt| attempt.id).collect());
    assert_eq!(written, [0, 1, 3, 4].map(|index: usize| attempts[index].id));
    desk.record(rows(1));
    desk.written(5).await;
    assert_eq!((desk.rows_written(), desk.rows_set_aside(), desk.rows_lost(), desk.rows_waiting()), (5, 1, 0, 0));
    assert_eq!(aside(directory.path()), (1, 0));
}

#[actix::test]
async fn a_row_whose_trace_is_refused_is_written_without_it_and_the_trace_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let desk = desk_over(directory.path());
    desk.store.change(|store| store.refuses_traces = true);
    let (plain, traced) = (rows(1), traced());
    desk.record([plain.clone(), vec![traced.clone()]].concat());
    assert_eq!(desk.written(2).await, [plain, vec![traced.without_trace()]].concat());
    desk.record(rows(1));
    desk.written(3).await;
    assert_eq!((desk.rows_written(), desk.rows_set_aside(), desk.rows_lost(), desk.rows_waiting()), (3, 1, 0, 0));
    assert_eq!(aside(directory.path()), (1, 1));
}

#[actix::test]
async fn of_many_rows_few_of_which_are_bad_the_good_ones_are_written_in_few_calls() {
    let directory = tempfile::tempdir().unwrap();
    let desk = desk_over(directory.path());
    let attempts: Vec<_> = (0..BATCH).map(|_| attempt()).collect();
    desk.store.change(|store| store.refused.extend([attempts[7].id, attempts[300].id]));
    desk.record(attempts.into_iter().map(Row::Attempt).collect());
    desk.written(BATCH - 2).await;
    let calls = desk.store.read(|store| store.asked(Call::Record).len());
    assert!(calls <= 40, "{calls} calls");
    until_idle(&desk).await;
    assert_eq!(aside(directory.path()), (2, 0));
}

/// Waits until nothing is left to write.
async fn until_idle(desk: &Desk) {
    until_none("rows to write", || desk.rows_waiting() == 0).await;
}

/// Looks until there is none left.
async fn until_none(what: &str, is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            sleep(millis(1)).await;
        }
    };
    assert!(timeout(PATIENCE, looking).await.is_ok(), "there are still {what}");
}

#[actix::test]
async fn refused_rows_wait_in_memory_for_a_disk_that_does_not_take_them_and_hold_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    // There can be no directory where a file is.
    std::fs::write(&spool, "").unwrap();
    let desk = desk_over(&spool);
    let (bad, good) = (attempt(), attempt());
    desk.store.change(|store| store.refused.push(bad.id));
    desk.record(vec![Row::Attempt(bad), Row::Attempt(good.clone())]);
    assert_eq!(desk.written(1).await, [Row::Attempt(good)]);
    sleep(secs(1)).await;
    assert_eq!((desk.backlog.len(), desk.rows_lost()), (1, 0));
    std::fs::remove_file(&spool).unwrap();
    sleep(secs(61)).await;
    assert_eq!((desk.backlog.len(), desk.rows_lost(), aside(&spool)), (0, 0, (1, 0)));
}

#[actix::test]
async fn told_to_stop_it_waits_for_a_disk_that_takes_refused_rows() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    std::fs::write(&spool, "").unwrap();
    let desk = desk_over(&spool);
    let bad = attempt();
    desk.store.change(|store| store.refused.push(bad.id));
    desk.record(vec![Row::Attempt(bad)]);
    let stop = desk.stop();
    let (stopped, ()) = futures::join!(stop.ask(Stop), async {
        sleep(secs(5)).await;
        std::fs::remove_file(&spool).unwrap();
    });
    assert_eq!((stopped, desk.backlog.len(), aside(&spool)), (Ok(()), 0, (1, 0)));
}

#[actix::test]
async fn refused_rows_wait_in_memory_for_a_disk_that_hangs_until_they_are_on_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = file_below(directory.path(), 1 << 30);
    let disk = hangs(&file);
    let desk = desk_with(file);
    let bad = [attempt(), attempt(), attempt()];
    desk.store.change(|store| store.refused.extend(bad.iter().map(|bad| bad.id)));
    for (before, bad) in bad.into_iter().enumerate() {
        desk.record(vec![Row::Attempt(bad)]);
        time_goes_on(sleep(secs(20))).await;
        assert_eq!((desk.backlog.in_memory(), desk.rows_lost()), (before + 1, 0));
    }
    drop(disk);
    until_empty(&desk).await;
    assert_eq!((desk.rows_lost(), aside(directory.path())), (0, (3, 0)), "each is there once");
}

#[actix::test]
async fn refused_rows_for_which_a_disk_that_hung_has_no_room_are_counted_as_lost() {
    let directory = tempfile::tempdir().unwrap();
    let file = file_below(directory.path(), 1);
    let disk = hangs(&file);
    let desk = desk_with(file);
    let bad = attempt();
    desk.store.change(|store| store.refused.push(bad.id));
    desk.record(vec![Row::Attempt(bad)]);
    time_goes_on(sleep(secs(7))).await;
    assert_eq!((desk.backlog.in_memory(), desk.rows_lost()), (1, 0));
    drop(disk);
    until_empty(&desk).await;
    sleep(secs(11)).await;
    assert_eq!(desk.rows_lost(), 1);
}

/// Waits until nothing is left, also of what the database has refused.
async fn until_empty(desk: &Desk) {
    until_none("rows", || desk.backlog.is_empty()).await;
}

#[actix::test]
async fn refused_rows_for_which_there_is_no_place_are_counted_as_lost() {
    let desk = Desk::open();
    let bad = attempt();
    desk.store.change(|store| store.refused.push(bad.id));
    desk.record(vec![Row::Attempt(bad), Row::Attempt(attempt())]);
    desk.written(1).await;
    until_idle(&desk).await;
    assert_eq!((desk.rows_written(), desk.rows_set_aside(), desk.rows_lost()), (1, 0, 1));
}

#[actix::test]
async fn a_database_that_is_full_for_an_hour_has_no_row_lost() {
    let desk = Desk::open();
    desk.store.is(Mood::Full);
    let rows = rows(5);
    desk.record(rows.clone());
    sleep(secs(3_600)).await;
    assert_eq!((desk.rows_waiting(), desk.rows_lost()), (5, 0));
    desk.store.is(Mood::Works);
    assert_eq!(desk.written(5).await, rows);
}

#[actix::test]
async fn a_database_that_goes_away_at_a_bad_row_has_nothing_counted_twice() {
    let desk = Desk::open();
    let attempts: Vec<_> = (0..5).map(|_| attempt()).collect();
    desk.store.change(|store| store.refused.push(attempts[1].id));
    // The batch, its older half and the first row come through; then nothing does for a while.
    desk.store.takes(Call::Record, [Mood::Works, Mood::Works, Mood::Works, Mood::Away, Mood::Away], Mood::Works);
    desk.record(attempts.into_iter().map(Row::Attempt).collect());
    desk.written(4).await;
    assert_eq!((desk.rows_written(), desk.rows_lost(), desk.rows_waiting()), (4, 1, 0));
}

#[actix::test]
async fn a_full_backlog_takes_no_more_says_so_and_counts() {
    let desk = Desk::open();
    desk.store.is(Mood::Away);
    let row = rows(1);
    desk.record(vec![row[0].clone(); MAX_BACKLOG]);
    desk.record(rows(2));
    assert_eq!((desk.backlog.len(), desk.rows_lost()), (MAX_BACKLOG, 2));
    desk.record(rows(3));
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
    desk.record(vec![traced(); MAX_TRACES - 1]);
    let rows: Vec<_> = (0..3).map(|_| traced()).collect();
    desk.record(rows.clone());
    assert_eq!(desk.counts("parsec_recorder_traces_lost_total"), 2);
    desk.store.is(Mood::Works);
    // The store takes equal rows for one.
    let written = desk.written(1 + rows.len()).await;
    assert_eq!(written.iter().map(has_trace).collect::<Vec<_>>(), [true, true, false, false]);

    let later = traced();
    desk.record(vec![later.clone()]);
    assert_eq!(desk.written(5).await.last(), Some(&later), "there is room again");
}

#[actix::test]
async fn told_to_stop_it_writes_everything_first() {
    let desk = Desk::open();
    let rows = rows(2 * BATCH + 200);
    desk.record(rows.clone());
    assert_eq!(desk.stop().ask(Stop).await, Ok(()));
    assert!(desk.store.read(|store| store.rows == rows));
    assert!(desk.backlog.is_empty() && !desk.recorder.addr().connected());
    assert_eq!(desk.rows_written(), rows.len());
}

#[actix::test]
async fn told_to_stop_it_waits_for_a_database_that_comes_back_in_time() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Away; 10], Mood::Works);
    desk.record(rows(3));
    assert_eq!(desk.stop().ask(Stop).await, Ok(()));
    assert_eq!(desk.written(3).await.len(), 3);
}

#[actix::test]
async fn a_stop_during_a_write_counts_no_row_twice() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [], Mood::Hangs);
    desk.record(rows(BATCH));
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
    desk.record(rows.clone());
    assert!(desk.written(rows.len()).await == rows);
    assert_eq!(desk.parent.restarts().len(), 2);
    assert_eq!((desk.rows_written(), desk.rows_lost()), (rows.len(), 0));
}

#[actix::test]
async fn rows_that_come_while_the_recorder_is_down_are_written_when_it_is_back() {
    let desk = Desk::open();
    desk.store.takes(Call::Record, [Mood::Panics], Mood::Works);
    desk.record(rows(1));
    desk.parent.until_heard(1).await;
    assert!(desk.stop().ask(Stop).await.is_err(), "it is down");
    desk.record(rows(1));
    assert_eq!(desk.written(2).await.len(), 2);
    assert_eq!(desk.rows_lost(), 0);
}

#[actix::test]
async fn rows_that_nobody_writes_any_more_stay_in_the_backlog_for_whoever_ends_the_process_to_count() {
    let desk = Desk::open();
    desk.stop().ask(Stop).await.unwrap();
    desk.record(rows(3));
    assert_eq!((desk.backlog.len(), desk.backlog.is_safe()), (3, false));
}
