//! Duty: writes what was measured into the database, in batches, each row once.
//!
//! It uses only the store and the disk. Rows wait in a [`Backlog`] that survives a crash of this actor and, on disk, a
//! crash of the process. While the database is away the backlog grows, up to a limit, and writing is retried with
//! back-off. A row that the database refuses while it takes others is set aside in a file, and holds up no other. When
//! told to stop ([`Stop`]), it first writes what it holds; rows that the database does not accept then
//! stay on disk for the next start.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_measure::{Attempt, Round};
use parsec_store::{Row, SpoolState, Store, StoreError};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use crate::supervision::ask::Ask;
use crate::supervision::progress::Progress;
use crate::supervision::stop::Stop;
use crate::supervision::supervise::Child;
use crate::telemetry::metrics::Metrics;

use super::backlog::{Batch, Losses, tell_lost, tell_no_room};
use super::disk::{DISK_LIMIT, DiskError};
use super::memory::BacklogFull;

pub use super::backlog::Backlog;
pub use super::watched::WatchedStore;

/// How many rows are written in one transaction: enough to spread its cost, few enough to take a fraction of a second.
const BATCH: usize = 500;

/// How long a row waits for others to be written with.
const LINGER: Duration = Duration::from_millis(100);

/// The shortest and the longest pause after a failure; it doubles in between. Rows wait for no longer than the longest when the
/// database is in order again, and one that is away is asked no more often than by heartbeats.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// How long one write may take while the process stops: much longer than a healthy database takes.
const LAST_WRITE: Duration = Duration::from_secs(4);

/// How often the disk is maintained: it is opened if it could not be opened before, what processes have left that are gone is
/// taken over, rows that are too old are dropped, and its fill level is reported. A killed neighbour's rows wait no longer.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// How often it is logged that the database refuses rows: a person needs it once, and a log that is looked at has it.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// How often the database is asked how it is. Of a server on the network it is assumed that what was answered lately is
/// still true; a file is looked at each time.
const CHECK: Duration = Duration::from_secs(5);

/// The share of its limit from which on the spool counts as nearly full: with the default limits, days are left then.
const NEARLY_FULL: f64 = 0.5;

/// How long noting a round may delay its publication: a little longer than a disk may take, so that a round begins with its
/// note on disk, or with a disk that is known not to work and is not waited for again. Nothing is measured yet, so the delay
/// is no part of a result. On a healthy disk it is milliseconds.
const ANNOUNCE_DEADLINE: Duration = DISK_LIMIT.saturating_add(Duration::from_secs(1));

/// How long noting that lookups begin may take: longer than the disk's time limit. Only the end of the round waits for
/// it.
const BEGIN_DEADLINE: Duration = Duration::from_secs(12);

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

/// How others have rows recorded.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    backlog: Arc<Backlog>,
    announce: Ask<Announce>,
    begin: Ask<Begin>,
    metrics: Arc<Metrics>,
}

impl RecorderHandle {
    /// Puts rows into this backlog, from where this actor writes them, and counts those for which it has no room in
    /// `metrics`.
    pub fn new<A>(recorder: &Addr<A>, backlog: Arc<Backlog>, metrics: Arc<Metrics>) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Announce> + Handler<Begin>,
    {
        let name = "recorder";
        let announce = Ask::new(name, recorder.clone(), ANNOUNCE_DEADLINE);
        let begin = Ask::new(name, recorder.clone(), BEGIN_DEADLINE);
        Self { backlog, announce, begin, metrics }
    }

    /// The same for a supervised recorder.
    pub fn of(recorder: &Child<Recorder>, backlog: Arc<Backlog>, metrics: Arc<Metrics>) -> Self {
        let (announce, begin) = (recorder.ask(ANNOUNCE_DEADLINE), recorder.ask(BEGIN_DEADLINE));
        Self { backlog, announce, begin, metrics }
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

    /// Puts rows into the backlog, whatever the recorder does at the moment: it may be down, or hang.
    pub fn record(&self, rows: Vec<Row>) {
        let count = rows.len();
        match self.backlog.push(rows) {
            Ok(without) => self.metrics.traces_lost(without),
            Err(BacklogFull) => {
                self.metrics.rows_lost(count);
                tell_no_room(count);
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
    checking: bool,
    pause: Duration,
    /// When it was last logged that the database refuses rows.
    told_of_refusals: Option<Instant>,
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
            checking: false,
            pause: RETRY.0,
            told_of_refusals: None,
        }
    }

    /// Waits for rows, over and over.
    fn listen(&self, context: &mut Context<Self>) {
        let backlog = Arc::clone(&self.config.backlog);
        let listening = async move { backlog.news().await };
        context.spawn(listening.into_actor(self).map(|(), actor, context| {
            actor.flush(context);
            actor.write_soon(context);
            actor.listen(context);
        }));
    }

    /// Asks the database at regular intervals how it is, so that its state is known where nothing is written.
    fn check(&self, context: &mut Context<Self>) {
        context.run_interval(CHECK, |actor, context| {
            if actor.checking {
                return;
            }
            actor.checking = true;
            let store = Arc::clone(&actor.config.store);
            let checking = async move { store.check().await };
            context.spawn(checking.into_actor(actor).map(|checked, actor, _| {
                actor.checking = false;
                if let Err(error) = checked {
                    debug!(%error, "the database cannot be used");
                }
            }));
        });
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
        let waiting = self.config.backlog.to_write();
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
        metrics.rows_lost(backlog.refused_lost_late());
        let spool = backlog.spool();
        metrics.backlog(backlog.in_memory(), spool.map_or(0, |spool| spool.rows));
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
        let looking = async move {
            let refused = backlog.set_aside(Vec::new()).await;
            (refused, backlog.look_after().await, backlog.expire().await)
        };
        context.spawn(looking.into_actor(self).map(|(refused, lost, expired), actor, context| {
            let Losses { damaged, no_room } = lost;
            actor.config.metrics.rows_lost(refused + damaged + no_room + expired.rows + expired.lost);
            tell_lost(damaged + expired.lost);
            tell_no_room(no_room);
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
        let config = self.config.clone();
        let writing = async move { write_batch(&config).await };
        context.spawn(writing.into_actor(self).map(|result, actor, context| match result {
            Ok(refusals) => {
                actor.tell_refusals(refusals);
                if actor.pause > RETRY.0 {
                    info!(rows_waiting = actor.config.backlog.len(), "the database takes rows again");
                }
                actor.pause = RETRY.0;
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
                actor.pause = (pause * 2).min(RETRY.1);
                context.run_later(pause, |actor, context| actor.write(context));
            }
        }));
    }

    /// Logs that the database refuses rows: the first time, and then no more often than every [`TELL_AGAIN`].
    fn tell_refusals(&mut self, refusals: Option<Refusals>) {
        let Some(Refusals { rows, in_part, lost, why }) = refusals else { return };
        if self.told_of_refusals.is_some_and(|told| told.elapsed() < TELL_AGAIN) {
            debug!(rows, in_part, lost, why, "the database refuses rows");
            return;
        }
        self.told_of_refusals = Some(Instant::now());
        let file = self.config.backlog.set_aside_at().map(|path| path.display().to_string());
        error!(
            rows,
            in_part,
            lost,
            why,
            file,
            "the database refuses rows; they are set aside, and `parsec spool replay` writes them once the reason is gone"
        );
    }
}

/// Rows of one batch that the database refuses.
#[derive(Debug)]
struct Refusals {
    rows: usize,
    /// Those of them that are written without their traces.
    in_part: usize,
    /// Those that could not be set aside either.
    lost: usize,
    /// The reason of the first.
    why: String,
}

/// How close the spool is to the nearer of its limits: from 0 to 1.
fn fullness(spool: &SpoolState) -> f64 {
    let bytes = spool.bytes as f64 / spool.max_bytes.max(1) as f64;
    let age = spool.oldest.unwrap_or_default().as_secs_f64() / spool.max_age.as_secs_f64().max(1.0);
    bytes.max(age)
}

/// Writes the oldest rows, and sets aside what the database refuses. `Err` means that the database takes no rows now; all
/// are still in the backlog.
async fn write_batch(config: &RecorderConfig) -> Result<Option<Refusals>, WriteError> {
    let RecorderConfig { store, backlog, metrics } = config;
    let Batch { rows, end, lost: damaged } = backlog.oldest(BATCH).await?;
    if rows.is_empty() && damaged == 0 {
        return Ok(None);
    }
    let refused = parsec_store::write(store.as_ref(), &rows).await?;
    let in_part = refused.iter().filter(|refused| refused.in_part).count();
    let mut refusals =
        refused.first().map(|first| Refusals { rows: refused.len(), in_part, lost: 0, why: first.why.clone() });
    let lost = backlog.set_aside(refused).await;
    let done = backlog.confirm(end).await;
    let unwritten = refusals.as_ref().map_or(0, |refusals| refusals.rows - refusals.in_part).min(done.rows);
    metrics.rows_written(done.rows - unwritten);
    metrics.rows_lost(done.lost);
    tell_lost(done.lost);
    // What somebody else has confirmed in the meantime is counted by them.
    if let Some(refusals) = refusals.as_mut().filter(|_| done.rows > 0) {
        refusals.lost = lost;
        metrics.rows_lost(lost);
        metrics.rows_set_aside(refusals.rows.saturating_sub(lost));
    }
    Ok(refusals)
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.look_after(context);
        self.check(context);
        self.listen(context);
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
            let mut is_told = false;
            config.backlog.flush().await;
            while config.backlog.to_write() > 0 {
                let writing = timeout(LAST_WRITE, write_batch(&config)).await;
                let hangs = || WriteError::from(StoreError::Unavailable("no answer while stopping".to_owned()));
                let Err(error) = writing.unwrap_or_else(|_| Err(hangs())) else { continue };
                let rows_waiting = config.backlog.len();
                if config.backlog.is_safe() {
                    warn!(%error, rows_waiting, "rows cannot be written while stopping; they wait on disk for the next start");
                    break;
                }
                // How many are left in the end is told by whoever stops.
                if !is_told {
                    warn!(%error, rows_waiting, "rows cannot be written while stopping; trying until the time for it is over");
                }
                is_told = true;
                tokio::time::sleep(RETRY.0).await;
            }
            loop {
                config.metrics.rows_lost(config.backlog.set_aside(Vec::new()).await);
                if !config.backlog.has_refused() {
                    break;
                }
                tokio::time::sleep(RETRY.0).await;
            }
            if let Ok(Err(error)) = timeout(LAST_WRITE, config.store.rest()).await {
                debug!(%error, "the database keeps what was written last in its log");
            }
        };
        Box::pin(writing.into_actor(self).map(|(), _, context| context.stop()))
    }
}
