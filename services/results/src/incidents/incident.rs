//! What can have happened, and what is said of it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{AttemptId, NotedAttempt, OperationKind, OutcomeClass, RoundId};

use crate::statistics::Quantile;

/// How many attempts are named of an incident: enough to see a pattern, few enough for a line.
pub(super) const MAX_IDS: usize = 3;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// What.
    pub what: What,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when; `None` if it is not over at the end of what was looked at.
    pub to: Option<DateTime<Utc>>,
    /// Where.
    pub place: Place,
    /// Attempts to look at, at most three.
    pub ids: Vec<AttemptId>,
}

/// Series of attempts that were not judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotJudged {
    /// Too few rounds were measured for anything to stand out.
    pub too_short: usize,
    /// There were so many that not all of them are judged.
    pub too_many: usize,
}

/// Where something happened; what is not said is all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The fleet, or the fleets of a loop, joined by plus signs.
    pub fleet: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Publications or lookups.
    pub kind: Option<OperationKind>,
    /// The peer id of the server.
    pub peer: Option<String>,
}

/// How a server was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was stopped, or a scheduler could not reach it.
    Offline,
    /// It is not marked as offline, and says nothing any more.
    Silent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The database could not be written: rows had to wait.
    DatabaseAway {
        /// How many rows.
        rows: usize,
        /// How long the one that waited longest.
        longest: Duration,
    },
    /// Nearly all heartbeats had grown old at once: they could not be written, or a clock jumped.
    HeartbeatsMissing {
        /// In how many rounds.
        rounds: usize,
    },
    /// No round was played although rounds were due, and none says that it took their time.
    NoRounds {
        /// How many are missing.
        missing: u64,
    },
    /// Rounds were left out, because an earlier one took too long.
    RoundsSkipped {
        /// How many.
        skipped: u64,
    },
    /// Fewer than two servers were ready.
    TooFewNodes {
        /// In how many rounds.
        rounds: usize,
    },
    /// Rounds have no end, or were interrupted: a scheduler was stopped or killed.
    RoundsCutOff {
        /// How many.
        rounds: usize,
    },
    /// Fewer servers could measure than usual.
    FewerServers {
        /// How many there are in the median round.
        usual: u32,
        /// How many were ready when they were fewest.
        ready: u32,
        /// How many the database listed then.
        listed: u32,
        /// For how many rounds.
        rounds: usize,
    },
    /// A server was stopped or lost.
    ServerLost(Lost),
    /// A server did not do what it was asked.
    ServerFailing {
        /// How many attempts in a row it had no measurement of.
        classes: BTreeMap<OutcomeClass, usize>,
    },
    /// Results were lost in a crash of the measuring process.
    RecordsLost {
        /// How many.
        attempts: usize,
    },
    /// More attempts failed than in the rest of the time, beyond chance.
    FailureBurst {
        /// How many failed, by class.
        classes: BTreeMap<OutcomeClass, usize>,
        /// How many were due.
        due: usize,
        /// How many failed in the rest of the time, and were due then.
        otherwise: (usize, usize),
    },
    /// The time after which nine of ten attempts had succeeded changed, beyond chance.
    P90Shift {
        /// What it was.
        before: Quantile,
        /// What it became.
        after: Quantile,
        /// In how many rounds each was measured.
        rounds: (usize, usize),
    },
}

impl What {
    /// Its name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::DatabaseAway { .. } => "database_away",
            Self::HeartbeatsMissing { .. } => "heartbeats_missing",
            Self::NoRounds { .. } => "no_rounds",
            Self::RoundsSkipped { .. } => "rounds_skipped",
            Self::TooFewNodes { .. } => "too_few_nodes",
            Self::RoundsCutOff { .. } => "rounds_cut_off",
            Self::FewerServers { .. } => "fewer_servers",
            Self::ServerLost(_) => "server_lost",
            Self::ServerFailing { .. } => "server_failing",
            Self::RecordsLost { .. } => "records_lost",
            Self::FailureBurst { .. } => "failure_burst",
            Self::P90Shift { .. } => "p90_shift",
        }
    }

    /// How many of whatever it consists of.
    pub fn count(&self) -> u64 {
        match self {
            Self::DatabaseAway { rows, .. } => *rows as u64,
            Self::NoRounds { missing: count } | Self::RoundsSkipped { skipped: count } => *count,
            Self::HeartbeatsMissing { rounds }
            | Self::TooFewNodes { rounds }
            | Self::RoundsCutOff { rounds }
            | Self::FewerServers { rounds, .. } => *rounds as u64,
            Self::ServerLost(_) => 1,
            Self::ServerFailing { classes } | Self::FailureBurst { classes, .. } => {
                classes.values().sum::<usize>() as u64
            }
            Self::RecordsLost { attempts } => *attempts as u64,
            Self::P90Shift { rounds: (_, after), .. } => *after as u64,
        }
    }
}

/// Attempts in the order of their rounds.
pub(super) struct ByRound<'a>(Vec<&'a NotedAttempt>);

impl<'a> ByRound<'a> {
    pub(super) fn of(attempts: &'a [NotedAttempt]) -> Self {
        let mut all: Vec<_> = attempts.iter().collect();
        all.sort_unstable_by_key(|noted| noted.operation.round);
        Self(all)
    }

    /// Attempts of these rounds that are worth a look.
    pub(super) fn examples(&self, rounds: impl IntoIterator<Item = RoundId>) -> Vec<AttemptId> {
        examples(rounds.into_iter().flat_map(|round| self.of_round(round)).copied())
    }

    fn of_round(&self, round: RoundId) -> &[&'a NotedAttempt] {
        let first = self.0.partition_point(|noted| noted.operation.round < round);
        let count = self.0[first..].iter().take_while(|noted| noted.operation.round == round).count();
        &self.0[first..first + count]
    }
}

/// Those of these attempts that are most worth a look: failures first, then the slowest.
pub(super) fn examples<'a>(attempts: impl IntoIterator<Item = &'a NotedAttempt>) -> Vec<AttemptId> {
    let mut all: Vec<_> = attempts.into_iter().map(|noted| &noted.operation).collect();
    all.sort_by_key(|attempt| (attempt.class == OutcomeClass::Ok, std::cmp::Reverse(attempt.duration), attempt.id));
    all.iter().take(MAX_IDS).map(|attempt| attempt.id).collect()
}
