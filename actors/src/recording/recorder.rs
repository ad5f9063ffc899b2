//! Duty: writes what was measured into the database, in batches, each row once.
//!
//! It uses only the store and the disk. Rows wait in a [`Backlog`] that survives a crash of this actor and, on disk, a
//! crash of the process. While the database is away the backlog grows, up to a limit, and writing is retried with
//! back-off. When told to stop ([`Stop`]), it first writes what it holds; rows that the database does not accept then
//! stay on disk for the next start.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_measure::{Attempt, Round};
use parsec_store::{Row, SpoolState, Store, StoreError};
use thiserror::Error;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::supervision::ask::Ask;
use crate::supervision::progress::Progress;
use crate::supervision::stop::Stop;
use crate::supervision::supervise::Child;
use crate::telemetry::metrics::Metrics;

use super::backlog::{Batch, tell_lost};
use super::disk::{DISK_LIMIT, DiskError};
use super::memory;

pub use super::backlog::Backlog;
pub use super::memory::BacklogFull;

/// How many rows are written in one transaction: enough to spread its cost, few enough to take a fraction of a second.
const BATCH: usize = 500;

/// How long a row waits for others to be written with.
const LINGER: Duration = Duration::from_millis(100);

/// The shortest and the longest pause after a failure; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// How often a batch is offered to a database that answers but refuses it, before each row is tried alone to find the
/// faulty one: with back-off, about four minutes.
const MAX_REFUSALS: u32 = 12;

/// How long one write may take: longer than the minute that each call of a store may take.
const STORE_LIMIT: Duration = Duration::from_secs(75);

/// The same while the process stops: much longer than a healthy database takes.
const LAST_WRITE: Duration = Duration::from_secs(4);

/// How often the disk is maintained: it is opened if it could not be opened before, what processes have left that are gone is
/// taken over, rows that are too old are dropped, and its fill level is reported. A killed neighbour's rows wait no longer.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// The share of its limit from which on the spool counts as nearly full: with the default limits, days are left then.
const NEARLY_FULL: f64 = 0.5;

/// How long noting a round may delay its publication: a little longer than a disk may take, so that a round begins with its
/// note on disk, or with a disk that is known not to work and is not waited for again. Nothing is measured yet, so the delay
/// is no part of a result. On a healthy disk it is milliseconds.
const ANNOUNCE_DEADLINE: Duration = DISK_LIMIT.saturating_add(Duration::from_secs(1));

/// How long noting that lookups begin may take: longer than the disk's time limit. Only the end of the round waits for
/// it.
const BEGIN_DEADLINE: Duration = Duration::from_secs(12);

/// How long handing rows over may take.
pub const RECORD_DEADLINE: Duration = Duration::from_secs(5);

/// Record these rows. Answered as soon as they are in the backlog, from where they get into the database.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), BacklogFull>")]
pub struct Record(pub Vec<Row>);

/// This round is about to make these attempts: note them on disk, so that each gets a row whatever happens. They are
/// given as the rows to record if nobody is left to record their results. Answered when they are noted or cannot be
/// noted.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Announce {
    /// The round.
    pub round: Round,
    /// What begins now.
    pub attempts: Vec<Attempt>,
    /// What begins once that has succeeded, if it does: no rows are made of it until [`Begin`] is received.
    pub planned: Vec<Attempt>,
}

/// The planned attempts begin: note that on disk, too. Answered when that is done or cannot be done; no measurement may
/// wait for it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Begin {
    /// The round.
    pub round: Round,
    /// The planned attempts as they are now.
    pub attempts: Vec<Attempt>,
}

/// How long an answer to handed-over rows may take: longer than it takes to detect that the recorder hangs. Until then
/// the message is in its mailbox, and sending it again would only put the rows there twice.
const HAND_OVER_DEADLINE: Duration = Duration::from_secs(45);

/// How long to wait for a crashed recorder before rows are given up: longer than its longest back-off. Only the end of
/// the round waits meanwhile.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);

/// The pause between two tries to hand rows over.
const HAND_OVER_PAUSE: Duration = Duration::from_millis(200);

/// How others have rows recorded.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    record: Ask<Record>,
    announce: Ask<Announce>,
    begin: Ask<Begin>,
    metrics: Arc<Metrics>,
}

impl RecorderHandle {
    /// Hands rows to this actor, and counts those that it cannot take in `metrics`.
    pub fn new<A>(recorder: &Addr<A>, metrics: Arc<Metrics>) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Record> + Handler<Announce> + Handler<Begin>,
    {
        let name = "recorder";
        Self {
            record: Ask::new(name, recorder.clone(), HAND_OVER_DEADLINE),
            announce: Ask::new(name, recorder.clone(), ANNOUNCE_DEADLINE),
            begin: Ask::new(name, recorder.clone(), BEGIN_DEADLINE),
            metrics,
        }
    }

    /// The same for a supervised recorder.
    pub fn of(recorder: &Child<Recorder>, metrics: Arc<Metrics>) -> Self {
        Self {
            record: recorder.ask(HAND_OVER_DEADLINE),
            announce: recorder.ask(ANNOUNCE_DEADLINE),
            begin: recorder.ask(BEGIN_DEADLINE),
            metrics,
        }
    }

    /// Has the attempts that are about to begin noted on disk. If the disk is broken, measuring continues, and they are
    /// not noted.
    pub(crate) async fn announce(&self, round: Round, attempts: Vec<Attempt>, planned: Vec<Attempt>) {
        if let Err(error) = self.announce.ask(Announce { round, attempts, planned }).await {
            debug!(%error, "not noted yet what is about to be attempted");
        }
    }

    /// Has it noted on disk that the planned attempts begin.
    pub(crate) async fn begin(&self, round: Round, attempts: Vec<Attempt>) {
        if let Err(error) = self.begin.ask(Begin { round, attempts }).await {
            debug!(%error, "not noted that what was planned has begun");
        }
    }

    /// Hands rows over; waits for a recorder that is being restarted after a crash.
    pub async fn record(&self, rows: Vec<Row>) {
        let started = tokio::time::Instant::now();
        loop {
            match self.record.ask(Record(rows.clone())).await {
                // The recorder has already counted and logged that its backlog is full.
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

/// Why rows still wait.
#[derive(Debug, Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("rows that wait on disk cannot be read: {0}")]
    Disk(#[from] DiskError),
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
    flushing: bool,
    nearly_full: bool,
    pause: Duration,
    /// How many times in a row a database that answers has refused the oldest batch.
    refusals: u32,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let backlog = self.config.backlog.len();
        f.debug_struct("Recorder").field("backlog", &backlog).field("writing", &self.writing).finish()
    }
}

impl Recorder {
    /// A recorder that starts with what the backlog holds.
    pub fn new(config: RecorderConfig) -> Self {
        Self {
            config,
            writing: false,
            lingering: false,
            flushing: false,
            nearly_full: false,
            pause: RETRY.0,
            refusals: 0,
        }
    }

    /// Moves rows to the disk; rows that arrive meanwhile follow in the next write.
    fn flush(&mut self, context: &mut Context<Self>) {
        if self.flushing || !self.config.backlog.is_on_its_way() {
            return;
        }
        self.flushing = true;
        let config = self.config.clone();
        let flushing = async move { config.backlog.flush().await };
        context.spawn(flushing.into_actor(self).map(|(), actor, context| {
            actor.flushing = false;
            actor.tell();
            if actor.config.backlog.works() {
                actor.flush(context);
            }
        }));
    }

    /// Writes at once if a batch is full, soon otherwise.
    fn write_soon(&mut self, context: &mut Context<Self>) {
        let waiting = self.config.backlog.len();
        self.tell();
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

    /// Reports how much waits, and logs once that the spool is nearly full.
    fn tell(&mut self) {
        let RecorderConfig { backlog, metrics, .. } = &self.config;
        metrics.traces_lost(backlog.traces_lost());
        let spool = backlog.spool();
        metrics.backlog(backlog.len(), backlog.in_memory());
        let Some(spool) = spool else { return };
        metrics.spool(&spool, backlog.works());
        let nearly_full = fullness(&spool) > NEARLY_FULL;
        if nearly_full && !self.nearly_full {
            warn!(
                rows = spool.rows,
                bytes = spool.bytes,
                max_bytes = spool.max_bytes,
                oldest_seconds = spool.oldest.unwrap_or_default().as_secs(),
                max_age_seconds = spool.max_age.as_secs(),
                "the spool is nearly full: rows will be lost if the database stays away"
            );
        }
        self.nearly_full = nearly_full;
    }

    /// Maintains the disk.
    fn look_after(&self, context: &mut Context<Self>) {
        let backlog = Arc::clone(&self.config.backlog);
        let looking = async move { (backlog.look_after().await, backlog.expire().await) };
        context.spawn(looking.into_actor(self).map(|(lost, expired), actor, context| {
            actor.config.metrics.rows_lost(lost + expired.rows + expired.lost);
            tell_lost(lost + expired.lost);
            if expired.rows > 0 {
                let rows = expired.rows;
                error!(rows, "rows have waited for the database for longer than the spool keeps them; they are lost");
            }
            actor.flush(context);
            actor.write_soon(context);
            context.run_later(LOOK_AFTER, |actor, context| actor.look_after(context));
        }));
    }

    fn write(&mut self, context: &mut Context<Self>) {
        self.writing = true;
        let (config, impatient) = (self.config.clone(), self.refusals >= MAX_REFUSALS);
        let writing = async move { write_batch(&config, impatient).await };
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
                    warn!(%error, rows_waiting, "rows cannot be written to the database; they wait");
                } else {
                    debug!(%error, rows_waiting, "rows still cannot be written");
                }
                actor.refusals += u32::from(matches!(error, WriteError::Store(StoreError::Query(_))));
                actor.pause = (pause * 2).min(RETRY.1);
                context.run_later(pause, |actor, context| actor.write(context));
            }
        }));
    }
}

/// How close the spool is to the nearer of its limits: from 0 to 1.
fn fullness(spool: &SpoolState) -> f64 {
    let bytes = spool.bytes as f64 / spool.max_bytes.max(1) as f64;
    let age = spool.oldest.unwrap_or_default().as_secs_f64() / spool.max_age.as_secs_f64().max(1.0);
    bytes.max(age)
}

/// Writes the oldest rows. `Err` means that the database does not accept them now; all are still in the backlog. With
/// `impatient`, a failed query counts as the fault of its row.
async fn write_batch(config: &RecorderConfig, impatient: bool) -> Result<(), WriteError> {
    let RecorderConfig { store, backlog, metrics } = config;
    let Batch { rows, end, lost } = backlog.oldest(BATCH).await?;
    if rows.is_empty() && lost == 0 {
        return Ok(());
    }
    let refused = match record(store.as_ref(), &rows).await {
        Ok(()) => 0,
        Err(error) if is_for_good(&error, impatient) => write_one_by_one(store.as_ref(), &rows, impatient).await?,
        Err(error) => return Err(error.into()),
    };
    let done = backlog.confirm(end).await;
    let refused = refused.min(done.rows);
    metrics.rows_lost(refused + done.lost);
    metrics.rows_written(done.rows - refused);
    tell_lost(done.lost);
    Ok(())
}

/// A store should always answer. If one does not, all later rows must not wait for it.
async fn record(store: &dyn Store, rows: &[Row]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    match timeout(STORE_LIMIT, store.record(rows)).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unavailable(format!("no answer to a write within {} s", STORE_LIMIT.as_secs()))),
    }
}

fn is_for_good(error: &StoreError, impatient: bool) -> bool {
    matches!(error, StoreError::BadRow(_)) || impatient && matches!(error, StoreError::Query(_))
}

/// One bad row must not hold up all others: finds the bad rows and leaves them out. Returns how many there were.
///
/// A failed query counts as the fault of its row only if it fails twice while other rows are accepted in between: a
/// database whose disk is full refuses all rows, maybe for hours, and none of them may be lost because of that.
async fn write_one_by_one(store: &dyn Store, rows: &[Row], impatient: bool) -> Result<usize, StoreError> {
    let (mut bad, mut suspects) = (0, Vec::new());
    for row in rows {
        match record(store, std::slice::from_ref(row)).await {
            Ok(()) => {}
            Err(error @ StoreError::BadRow(_)) => {
                bad += 1;
                refuse(row, &error);
            }
            Err(error @ StoreError::Query(_)) if impatient => suspects.push((row, error)),
            Err(error) => return Err(error),
        }
    }
    if let Some((_, error)) = suspects.first()
        && bad + suspects.len() == rows.len()
    {
        return Err(error.clone());
    }
    for (row, _) in suspects {
        match record(store, std::slice::from_ref(row)).await {
            Ok(()) => {}
            Err(error) if is_for_good(&error, impatient) => {
                bad += 1;
                refuse(row, &error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(bad)
}

fn refuse(row: &Row, error: &StoreError) {
    let row = memory::bare(row.clone());
    error!(%error, ?row, "row refused by the database");
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.look_after(context);
        self.flush(context);
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
        self.flush(context);
        self.write_soon(context);
        kept.map(|_| ())
    }
}

impl Handler<Announce> for Recorder {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Announce { round, attempts, planned }: Announce, _: &mut Self::Context) -> Self::Result {
        let backlog = Arc::clone(&self.config.backlog);
        Box::pin(async move { backlog.announce(round, attempts, planned).await })
    }
}

impl Handler<Begin> for Recorder {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Begin { round, attempts }: Begin, _: &mut Self::Context) -> Self::Result {
        let backlog = Arc::clone(&self.config.backlog);
        Box::pin(async move { backlog.begin(round, attempts).await })
    }
}

impl Handler<Stop> for Recorder {
    type Result = ResponseActFuture<Self, ()>;

    /// A write may be under way: the same rows are then offered twice, which the store recognises.
    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let config = self.config.clone();
        let writing = async move {
            config.backlog.flush().await;
            while !config.backlog.is_empty() {
                let writing = timeout(LAST_WRITE, write_batch(&config, false)).await;
                let hangs = || WriteError::from(StoreError::Unavailable("no answer while stopping".to_owned()));
                let Err(error) = writing.unwrap_or_else(|_| Err(hangs())) else { continue };
                let rows_waiting = config.backlog.len();
                if config.backlog.is_safe() {
                    warn!(%error, rows_waiting, "rows cannot be written while stopping; they wait on disk for the next start");
                    break;
                }
                warn!(%error, rows_waiting, "rows cannot be written while stopping");
                tokio::time::sleep(RETRY.0).await;
            }
        };
        Box::pin(writing.into_actor(self).map(|(), _, context| context.stop()))
    }
}
