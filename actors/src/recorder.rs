//! Duty: writes what was measured into the database, in batches, each row once.
//!
//! Asks nobody but the store. Rows wait in a backlog that outlives a crash of this actor. While the
//! database is away the backlog grows, up to a bound, and writing is tried again with back-off.
//! Told to stop ([`Stop`]), it writes what it holds first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::Mutex;
use parsec_store::{Row, Store, StoreError};
use thiserror::Error;
use tracing::{debug, error, info, warn};

use crate::ask::Ask;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::stop::Stop;

/// How many rows are written in one transaction: enough to spread its cost, few enough to take a fraction of a second.
const BATCH: usize = 500;

/// How many rows may wait. Half a day of three fleets of seven at one round a minute; about 100 MB.
const MAX_BACKLOG: usize = 100_000;

/// How many of them may have a trace: a trace has 50 kB, so that these take as much as all rows without. Of an outage's
/// failures the first ones say enough.
const MAX_TRACES: usize = 2_000;

/// How long a row waits for company.
const LINGER: Duration = Duration::from_millis(100);

/// The pauses after a failure: doubling between these.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// How often a batch is offered to a database that answers and refuses it, before the fault is looked for in its rows:
/// with back-off, about four minutes.
const MAX_REFUSALS: u32 = 12;

/// How long handing rows over may take.
pub const RECORD_DEADLINE: Duration = Duration::from_secs(5);

/// Keep these rows, and see that they get into the database. Answered as soon as they are in the backlog.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), BacklogFull>")]
pub struct Record(pub Vec<Row>);

/// The database has been away for so long that no more rows can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{MAX_BACKLOG} rows wait for the database already")]
pub struct BacklogFull;

/// How long a crashed recorder is waited for before rows are given up: longer than its longest back-off.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);

/// The pause between two tries to hand rows over.
const HAND_OVER_PAUSE: Duration = Duration::from_millis(200);

/// How others have rows recorded.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    record: Ask<Record>,
    metrics: Arc<Metrics>,
}

impl RecorderHandle {
    /// Hands rows to this recorder, and counts those that it cannot take in `metrics`.
    pub fn new(record: Ask<Record>, metrics: Arc<Metrics>) -> Self {
        Self { record, metrics }
    }

    /// Hands rows over; waits for a recorder that is coming back from a crash.
    pub async fn record(&self, rows: Vec<Row>) {
        let started = tokio::time::Instant::now();
        loop {
            match self.record.ask(Record(rows.clone())).await {
                // A full backlog has been counted and logged where it is.
                Ok(Ok(()) | Err(BacklogFull)) => return,
                Err(error) if started.elapsed() > HAND_OVER_LIMIT => {
                    self.metrics.rows_lost(rows.len());
                    error!(%error, rows = rows.len(), "rows could not be handed to the recorder; they are lost");
                    return;
                }
                Err(_) => tokio::time::sleep(HAND_OVER_PAUSE).await,
            }
        }
    }
}

/// Rows that are not in the database yet, in the order in which they came.
#[derive(Debug, Default)]
pub struct Backlog {
    rows: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    rows: VecDeque<Row>,
    /// How many rows have left the queue: the number of the first row in it.
    first: u64,
    /// How many of the rows have a trace.
    traces: usize,
}

/// Whether the row brings a trace with it.
fn has_trace(row: &Row) -> bool {
    matches!(row, Row::Attempt(attempt) if attempt.result.trace.is_some())
}

/// The row without its trace.
fn bare(mut row: Row) -> Row {
    if let Row::Attempt(attempt) = &mut row {
        attempt.result.trace = None;
        attempt.why_kept = None;
    }
    row
}

impl Backlog {
    /// Keeps all of the rows or none. Returns how many had to go without their trace.
    fn push(&self, rows: Vec<Row>) -> Result<usize, BacklogFull> {
        let mut queue = self.rows.lock();
        if queue.rows.len() + rows.len() > MAX_BACKLOG {
            return Err(BacklogFull);
        }
        let mut without = 0;
        for row in rows {
            let traced = has_trace(&row);
            let room = queue.traces < MAX_TRACES;
            queue.traces += usize::from(traced && room);
            without += usize::from(traced && !room);
            queue.rows.push_back(if room { row } else { bare(row) });
        }
        Ok(without)
    }

    /// The oldest rows, which stay until they are [confirmed](Self::confirm), and the number of the first one after them.
    fn oldest(&self, count: usize) -> (Vec<Row>, u64) {
        let queue = self.rows.lock();
        let rows: Vec<_> = queue.rows.iter().take(count).cloned().collect();
        let end = queue.first + rows.len() as u64;
        (rows, end)
    }

    /// Everything before the row with this number is done with. Returns how many rows that is news for.
    fn confirm(&self, end: u64) -> usize {
        let mut queue = self.rows.lock();
        let mut news = 0;
        while queue.first < end
            && let Some(row) = queue.rows.pop_front()
        {
            queue.first += 1;
            queue.traces -= usize::from(has_trace(&row));
            news += 1;
        }
        news
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.rows.lock().rows.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the recorder needs.
#[derive(Clone)]
pub struct RecorderConfig {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Where rows wait.
    pub backlog: Arc<Backlog>,
    /// Where written and lost rows are counted.
    pub metrics: Arc<Metrics>,
}

/// See the module's documentation.
pub struct Recorder {
    config: RecorderConfig,
    writing: bool,
    /// A write is due at the end of the linger time.
    lingering: bool,
    pause: Duration,
    /// How often in a row a database that answers has refused the oldest batch.
    refusals: u32,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let backlog = self.config.backlog.len();
        f.debug_struct("Recorder").field("backlog", &backlog).field("writing", &self.writing).finish()
    }
}

impl Recorder {
    /// A recorder that goes on with whatever the backlog holds.
    pub fn new(config: RecorderConfig) -> Self {
        Self { config, writing: false, lingering: false, pause: RETRY.0, refusals: 0 }
    }

    /// Writes at once if a batch is full, soon otherwise.
    fn write_soon(&mut self, context: &mut Context<Self>) {
        let waiting = self.config.backlog.len();
        self.config.metrics.backlog(waiting);
        if self.writing || waiting == 0 {
            return;
        }
        if waiting >= BATCH {
            return self.write(context);
        }
        if !self.lingering {
            self.lingering = true;
            context.run_later(LINGER, |actor, context| {
                actor.lingering = false;
                if !actor.writing {
                    actor.write(context);
                }
            });
        }
    }

    fn write(&mut self, context: &mut Context<Self>) {
        self.writing = true;
        let writing = write_batch(self.config.clone(), self.refusals >= MAX_REFUSALS);
        context.spawn(writing.into_actor(self).map(|result, actor, context| match result {
            Ok(()) => {
                if actor.pause > RETRY.0 {
                    info!(rows_waiting = actor.config.backlog.len(), "the database takes rows again");
                }
                actor.pause = RETRY.0;
                actor.refusals = 0;
                actor.writing = false;
                actor.write_soon(context);
            }
            Err(error) => {
                let (rows_waiting, pause) = (actor.config.backlog.len(), actor.pause);
                if pause == RETRY.0 {
                    warn!(%error, rows_waiting, "the database takes no rows; they wait");
                } else {
                    debug!(%error, rows_waiting, "the database still takes no rows");
                }
                actor.refusals += u32::from(matches!(error, StoreError::Query(_)));
                actor.pause = (pause * 2).min(RETRY.1);
                context.run_later(pause, |actor, context| actor.write(context));
            }
        }));
    }
}

/// Writes the oldest rows. `Err` means that the database does not take them now; all are still in the backlog.
/// With `impatient`, a query that fails counts as the fault of its row.
async fn write_batch(config: RecorderConfig, impatient: bool) -> Result<(), StoreError> {
    let for_good = |error: &StoreError| {
        matches!(error, StoreError::BadRow(_)) || impatient && matches!(error, StoreError::Query(_))
    };
    let RecorderConfig { store, backlog, metrics } = config;
    let (rows, end) = backlog.oldest(BATCH);
    match store.record(&rows).await {
        Ok(()) => metrics.rows_written(backlog.confirm(end)),
        Err(error) if !for_good(&error) => return Err(error),
        // One bad row must not hold up all others: find it, and leave it out.
        Err(_) => {
            let first = end - rows.len() as u64;
            for (done, row) in (first + 1..).zip(&rows) {
                match store.record(std::slice::from_ref(row)).await {
                    Ok(()) => metrics.rows_written(backlog.confirm(done)),
                    Err(error) if !for_good(&error) => return Err(error),
                    Err(error) => {
                        metrics.rows_lost(backlog.confirm(done));
                        let row = bare(row.clone());
                        error!(%error, ?row, "row refused by the database");
                    }
                }
            }
        }
    }
    metrics.backlog(backlog.len());
    Ok(())
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.write_soon(context);
    }
}

impl Progress for Recorder {}

impl Supervised for Recorder {
    fn restarting(&mut self, _: &mut Self::Context) {
        *self = Self::new(self.config.clone());
    }
}

impl Handler<Record> for Recorder {
    type Result = Result<(), BacklogFull>;

    fn handle(&mut self, Record(rows): Record, context: &mut Self::Context) -> Self::Result {
        let count = rows.len();
        let kept = self.config.backlog.push(rows);
        match kept {
            Ok(without) => self.config.metrics.traces_lost(without),
            Err(BacklogFull) => {
                self.config.metrics.rows_lost(count);
                error!(rows = count, "no room for rows while the database is away; they are lost");
            }
        }
        self.write_soon(context);
        kept.map(|_| ())
    }
}

impl Handler<Stop> for Recorder {
    type Result = ResponseActFuture<Self, ()>;

    /// A write may be under way: the same rows are then offered twice, which the store takes as once.
    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let config = self.config.clone();
        let writing = async move {
            while !config.backlog.is_empty() {
                if let Err(error) = write_batch(config.clone(), false).await {
                    warn!(%error, rows_waiting = config.backlog.len(), "rows cannot be written while stopping");
                    tokio::time::sleep(RETRY.0).await;
                }
            }
        };
        Box::pin(writing.into_actor(self).map(|(), _, context| context.stop()))
    }
}
