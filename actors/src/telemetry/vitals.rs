//! The state of the process: what `GET /status` reports. [`Metrics`](crate::telemetry::metrics::Metrics) count what has
//! happened; this is the current state. Written by the parts concerned, read through
//! [`Telemetry`](crate::telemetry::Telemetry).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use parsec_measure::{CLOCK_TOLERANCE, Round, RoundOutcome};
use parsec_store::SpoolState;
use tokio::time::Instant;
use tracing::{info, warn};

use super::role::Role;
use crate::supervision::progress::PULSE;
use crate::supervision::signs::{ActorState, Fate, Signs};

/// The current state of a process. Setting a value takes a short lock.
#[derive(Debug)]
pub struct Vitals {
    version: &'static str,
    commit: &'static str,
    role: Role,
    started: DateTime<Utc>,
    /// The same moment on a monotonic clock.
    began: Instant,
    actors: Mutex<Vec<Signs>>,
    recorder: Mutex<Option<RecorderVitals>>,
    database: Mutex<Option<DatabaseVitals>>,
    rounds: Mutex<BTreeMap<String, LastRound>>,
    clock_skew: Mutex<Option<f64>>,
}

/// The rows that the recorder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderVitals {
    /// Rows that wait in memory to be written.
    pub rows_in_memory: usize,
    /// Rows that wait on disk to be written.
    pub rows_on_disk: usize,
    /// Rows that the database has refused, or whose traces, since the process was started.
    pub rows_set_aside: usize,
    /// What waits on disk; `None` without a spool.
    pub spool: Option<SpoolState>,
    /// Whether rows wait only in memory although there is a spool.
    pub degraded: bool,
}

/// What kind of call tells how the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseCall {
    /// It was asked how it is.
    Check,
    /// Something was read.
    Read,
    /// Something was written, but for the rows of the recorder.
    Write,
    /// The recorder wrote rows.
    Record,
}

/// What is known of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseVitals {
    /// Whether it can be reached and takes what is written.
    pub up: bool,
    /// Since when that is so.
    pub since: DateTime<Utc>,
    /// The last error, and when it occurred. It stays after the database is back.
    pub last_error: Option<(String, DateTime<Utc>)>,
    /// Which kinds of calls fail.
    failing: Vec<DatabaseCall>,
}

/// The last round of a group that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRound {
    /// The round, marked as ended.
    pub round: Round,
    /// How many attempts it had.
    pub attempts: usize,
}

/// The state of the process at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Version of the package.
    pub version: &'static str,
    /// The commit that it was built from.
    pub commit: &'static str,
    /// The role of the process.
    pub role: Role,
    /// When it was started, by the wall clock at that time.
    pub started: DateTime<Utc>,
    /// How long ago that was, by a monotonic clock.
    pub uptime: std::time::Duration,
    /// Every supervised actor, in the order in which they were started.
    pub actors: Vec<ActorStatus>,
    /// `None` where nothing is recorded.
    pub recorder: Option<RecorderVitals>,
    /// `None` before the database was asked for anything, and where there is none.
    pub database: Option<DatabaseVitals>,
    /// By fleet group.
    pub rounds: Vec<LastRound>,
    /// By how many seconds the clock of the database was ahead of ours when it was read last; `None` if it never was.
    pub clock_skew_seconds: Option<f64>,
}

/// The state of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorStatus {
    /// Its name, which others may share: a demonstration has many recorders.
    pub name: String,
    /// Its history.
    pub fate: Fate,
    /// Questions that were asked and have neither been answered nor timed out.
    pub waiting: usize,
    /// For how long it has not answered health checks.
    pub silent: std::time::Duration,
}

impl Vitals {
    /// The state of a process that has just been started.
    pub(crate) fn new(role: Role, version: &'static str, commit: &'static str) -> Self {
        Self {
            version,
            commit,
            role,
            started: Utc::now(),
            began: Instant::now(),
            actors: Mutex::default(),
            recorder: Mutex::default(),
            database: Mutex::default(),
            rounds: Mutex::default(),
            clock_skew: Mutex::default(),
        }
    }

    /// A supervised actor has been started. It takes the place of an actor of the same name that has ended.
    pub(crate) fn supervised(&self, signs: Signs) {
        let mut actors = self.actors.lock();
        match actors.iter_mut().find(|other| other.name() == signs.name() && other.has_ended()) {
            Some(place) => {
                signs.succeed(place);
                *place = signs;
            }
            None => actors.push(signs),
        }
    }

    /// How many rows wait to be written.
    pub(crate) fn backlog(&self, in_memory: usize, on_disk: usize) {
        let mut recorder = self.recorder.lock();
        let recorder = recorder.get_or_insert_default();
        (recorder.rows_in_memory, recorder.rows_on_disk) = (in_memory, on_disk);
    }

    /// So many more rows have been set aside.
    pub(crate) fn rows_set_aside(&self, rows: usize) {
        self.recorder.lock().get_or_insert_default().rows_set_aside += rows;
    }

    /// A call of the database has ended. Returns whether the database is up now: no kind of call fails. A database that is
    /// read-only answers when it is read.
    pub(crate) fn database(&self, call: DatabaseCall, trouble: Option<String>) -> bool {
        let now = Utc::now();
        let mut database = self.database.lock();
        let database = database.get_or_insert_with(|| DatabaseVitals {
            up: true,
            since: now,
            last_error: None,
            failing: Vec::new(),
        });
        // A database that takes what is written can be read; one that answers a check can be read, and may be full. One that
        // takes heartbeats may still take no rows: a right to another table is missing, or they have no room.
        let proven = |other: DatabaseCall| match call {
            DatabaseCall::Check => matches!(other, DatabaseCall::Check | DatabaseCall::Read),
            DatabaseCall::Read => other == DatabaseCall::Read,
            DatabaseCall::Write => other != DatabaseCall::Record,
            DatabaseCall::Record => true,
        };
        match trouble {
            None => database.failing.retain(|failing| !proven(*failing)),
            Some(error) => {
                database.failing.retain(|failing| *failing != call);
                database.failing.push(call);
                database.last_error = Some((error, now));
            }
        }
        let up = database.failing.is_empty();
        if database.up != up {
            (database.up, database.since) = (up, now);
        }
        up
    }

    /// What waits on disk, and whether the disk accepts rows.
    pub(crate) fn spool(&self, state: SpoolState, works: bool) {
        let mut recorder = self.recorder.lock();
        let recorder = recorder.get_or_insert_default();
        (recorder.spool, recorder.degraded) = (Some(state), !works);
    }

    /// The clock of the database is ahead of ours by so much. Returns it in seconds. Logs when that is more than it should be,
    /// and when it no longer is.
    pub(crate) fn clock_skew(&self, ahead: TimeDelta) -> f64 {
        let (seconds, tolerance) = (ahead.as_seconds_f64(), CLOCK_TOLERANCE.as_secs_f64());
        let before = self.clock_skew.lock().replace(seconds).unwrap_or_default();
        match (before.abs() > tolerance, seconds.abs() > tolerance) {
            (false, true) => warn!(
                clock_skew_seconds = seconds,
                "the clock of the database and that of this host are apart; heartbeats go by the database's, but times in \
                 rows will not agree: check NTP on both"
            ),
            (true, false) => {
                info!(clock_skew_seconds = seconds, "the clock of the database and that of this host agree again")
            }
            _ => {}
        }
        seconds
    }

    /// A round has ended: `round` says how.
    pub fn round_ended(&self, round: &Round, attempts: usize) {
        self.rounds.lock().insert(round.fleets.to_string(), LastRound { round: round.clone(), attempts });
    }

    /// The states of all actors.
    pub(crate) fn actors(&self) -> Vec<Signs> {
        self.actors.lock().clone()
    }

    /// The whole state as of now.
    pub fn status(&self) -> Status {
        Status {
            version: self.version,
            commit: self.commit,
            role: self.role,
            started: self.started,
            uptime: self.began.elapsed(),
            actors: self.actors().iter().map(ActorStatus::of).collect(),
            recorder: self.recorder.lock().clone(),
            database: self.database.lock().clone(),
            rounds: self.rounds.lock().values().cloned().collect(),
            clock_skew_seconds: *self.clock_skew.lock(),
        }
    }
}

impl ActorStatus {
    fn of(signs: &Signs) -> Self {
        let fate = signs.fate();
        let silent = PULSE * fate.missed_pulses;
        Self { name: signs.name().to_string(), fate, waiting: signs.waiting(), silent }
    }

    /// Whether it runs.
    pub fn state(&self) -> ActorState {
        self.fate.state
    }
}

impl LastRound {
    /// When it ended, and how.
    pub fn end(&self) -> Option<(DateTime<Utc>, RoundOutcome)> {
        self.round.ended
    }
}
