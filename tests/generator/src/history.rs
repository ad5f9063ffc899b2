//! How much of what is made, and where.

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{Share, StrategyKind, TraceKeeper};

/// A fleet, how its servers publish, and how many seconds half of its publications take at most.
pub const FLEETS: [(&str, StrategyKind, f64); 3] = [
    ("default", StrategyKind::Classic, 8.0),
    ("optprov", StrategyKind::Optprov, 1.0),
    ("fullrt", StrategyKind::Fullrt, 2.5),
];

/// A region, and how much longer everything takes there.
pub const REGIONS: [(&str, f64); 7] = [
    ("af-south-1", 1.3),
    ("ap-south-1", 1.2),
    ("ap-southeast-2", 1.4),
    ("eu-central-1", 1.0),
    ("sa-east-1", 1.25),
    ("us-east-2", 1.0),
    ("us-west-1", 1.1),
];

/// How many operations a round has.
pub(crate) const ATTEMPTS: u64 = REGIONS.len() as u64;

/// How much of what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct History {
    /// Where the randomness comes from.
    pub seed: u64,
    /// How many operations, rounded up to whole rounds of every fleet.
    pub operations: u64,
    /// Over how many days.
    pub days: u32,
    /// When they end.
    pub end: DateTime<Utc>,
    /// Which share of operations fails. The slower one is, the likelier it fails.
    pub failures: f64,
    /// Which share of the traces is kept that are neither of failures nor of the slowest, as with `--trace-sample`. `None`: no trace is kept.
    pub traces: Option<Share>,
    /// The records of which share of publications are checked.
    pub checks: f64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            seed: 1,
            operations: 10_000,
            days: 30,
            end: DateTime::from_timestamp(1_793_318_400, 0).expect("the 30th of October 2026"),
            failures: 0.15,
            traces: Share::new(0.01),
            checks: 0.01,
        }
    }
}

impl History {
    /// What decides which traces are kept: the policy of schedulers.
    pub(crate) fn keeper(&self) -> TraceKeeper {
        TraceKeeper::new(self.traces.unwrap_or_default())
    }

    /// How many rounds each fleet plays.
    pub(crate) fn rounds(&self) -> u64 {
        self.operations.div_ceil(ATTEMPTS * FLEETS.len() as u64).max(1)
    }

    /// How many operations that makes.
    pub fn total(&self) -> u64 {
        self.rounds() * FLEETS.len() as u64 * ATTEMPTS
    }

    /// When it begins.
    pub fn begin(&self) -> DateTime<Utc> {
        self.end - TimeDelta::days(i64::from(self.days))
    }

    /// When the round of this number is due.
    pub(crate) fn due(&self, number: u64) -> DateTime<Utc> {
        let whole = (self.end - self.begin()).num_milliseconds() as f64;
        self.begin() + TimeDelta::milliseconds((whole * number as f64 / self.rounds() as f64) as i64)
    }
}
