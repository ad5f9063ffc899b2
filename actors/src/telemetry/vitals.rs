//! The state of the process: what `GET /status` reports. [`Metrics`](crate::telemetry::metrics::Metrics) count what has
//! happened; this is the current state. Written by the parts concerned, read through
//! [`Telemetry`](crate::telemetry::Telemetry).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use parsec_measure::{Round, RoundOutcome};
use parsec_store::SpoolState;
use tokio::time::Instant;

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
    rounds: Mutex<BTreeMap<String, LastRound>>,
}

/// The rows that the recorder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderVitals {
    /// Rows that wait to be written, in memory or on disk.
    pub backlog_rows: usize,
    /// What waits on disk; `None` without a spool.
    pub spool: Option<SpoolState>,
    /// Whether rows wait only in memory although there is a spool.
    pub degraded: bool,
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
    /// By fleet group.
    pub rounds: Vec<LastRound>,
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
            rounds: Mutex::default(),
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
    pub(crate) fn backlog(&self, rows: usize) {
        self.recorder.lock().get_or_insert_default().backlog_rows = rows;
    }

    /// What waits on disk, and whether the disk accepts rows.
    pub(crate) fn spool(&self, state: SpoolState, works: bool) {
        let mut recorder = self.recorder.lock();
        let recorder = recorder.get_or_insert_default();
        (recorder.spool, recorder.degraded) = (Some(state), !works);
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
            rounds: self.rounds.lock().values().cloned().collect(),
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
