//! How the process is doing: what `GET /status` says. Stands beside [`Metrics`](crate::telemetry::metrics::Metrics), which count what
//! happened; here is what is the case. Written by whoever knows, read through [`Telemetry`](crate::telemetry::Telemetry).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use parsec_measure::{Round, RoundOutcome};
use parsec_store::SpoolState;
use tokio::time::Instant;

use super::role::Role;
use crate::supervision::progress::PULSE;
use crate::supervision::signs::{ActorState, Fate, Signs};

/// What a process knows of itself. Setting something takes a short lock.
#[derive(Debug)]
pub struct Vitals {
    version: &'static str,
    commit: &'static str,
    role: Role,
    started: DateTime<Utc>,
    /// The same moment, on a clock that does not jump.
    began: Instant,
    actors: Mutex<Vec<Signs>>,
    recorder: Mutex<Option<RecorderVitals>>,
    rounds: Mutex<BTreeMap<String, LastRound>>,
}

/// What the recorder has in hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderVitals {
    /// Rows that wait to be written, in memory or on disk.
    pub backlog_rows: usize,
    /// What waits on disk; `None` without a spool.
    pub spool: Option<SpoolState>,
    /// Whether rows wait in memory alone although there is a spool.
    pub degraded: bool,
}

/// The last round of a group that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRound {
    /// The round, with its end.
    pub round: Round,
    /// How many attempts it had.
    pub attempts: usize,
}

/// How the process is doing at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Version of the package.
    pub version: &'static str,
    /// The commit that it was built from.
    pub commit: &'static str,
    /// What the process does.
    pub role: Role,
    /// When it was started, on the wall clock of that moment.
    pub started: DateTime<Utc>,
    /// How long ago that was, on a clock that does not jump.
    pub uptime: std::time::Duration,
    /// Every supervised actor, in the order in which they were started.
    pub actors: Vec<ActorStatus>,
    /// `None` where nothing is recorded.
    pub recorder: Option<RecorderVitals>,
    /// By fleet group.
    pub rounds: Vec<LastRound>,
}

/// How an actor is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorStatus {
    /// Its name, which others may share: a demonstration has many recorders.
    pub name: String,
    /// What has become of it.
    pub fate: Fate,
    /// Questions that were asked and have neither been answered nor given up on.
    pub waiting: usize,
    /// For how long it has given no sign of life although it was asked for one.
    pub silent: std::time::Duration,
}

impl Vitals {
    /// Of a process that begins.
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

    /// An actor begins to live under supervision. It takes the place of one of its name that has ended.
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

    /// So many rows wait to be written.
    pub(crate) fn backlog(&self, rows: usize) {
        self.recorder.lock().get_or_insert_default().backlog_rows = rows;
    }

    /// What waits on disk, and whether the disk takes rows.
    pub(crate) fn spool(&self, state: SpoolState, works: bool) {
        let mut recorder = self.recorder.lock();
        let recorder = recorder.get_or_insert_default();
        (recorder.spool, recorder.degraded) = (Some(state), !works);
    }

    /// A round has ended: `round` says how.
    pub fn round_ended(&self, round: &Round, attempts: usize) {
        self.rounds.lock().insert(round.fleets.to_string(), LastRound { round: round.clone(), attempts });
    }

    /// The signs of life of every actor.
    pub(crate) fn actors(&self) -> Vec<Signs> {
        self.actors.lock().clone()
    }

    /// All of it, now.
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
