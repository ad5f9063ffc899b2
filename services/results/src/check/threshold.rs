//! What a limit is.

use std::fmt;

use parsec_measure::OperationKind;

use crate::groups::Dimension;
use crate::statistics::Figure;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// The time after which this share of all due attempts had succeeded.
    Quantile(f64),
    /// The share of due attempts that succeeded.
    Success,
    /// The share of due attempts that failed.
    Failures,
}

impl Measured {
    /// The figure of comparisons that this is, if it is one.
    pub(super) fn figure(self) -> Option<Figure> {
        let is = |figure: &Figure| match self {
            Self::Quantile(q) => figure.quantile().is_some_and(|known| (known - q).abs() < 1e-9),
            Self::Success | Self::Failures => *figure == Figure::Success,
        };
        Figure::ALL.into_iter().find(is)
    }
}

/// What is looked at, of which operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Publications or lookups; both together if not said.
    pub kind: Option<OperationKind>,
    /// What of them.
    pub measured: Measured,
    /// What the servers must have in common.
    pub labels: Vec<(Dimension, String)>,
}

/// What may tell the servers apart that a limit is about. In a bench, the fleet is the strategy.
pub const LABELS: [Dimension; 4] = [Dimension::Fleet, Dimension::Region, Dimension::Strategy, Dimension::Agent];

/// On which side of a limit it is crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

impl Crossing {
    /// Whether this value is on the wrong side.
    pub fn crosses(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
        }
    }
}

/// What a value is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// So many seconds.
    Seconds(f64),
    /// A share of attempts.
    Share(f64),
    /// So much longer than in the baseline: 0.1 for 10 %.
    Longer(f64),
    /// So many seconds more than in the baseline.
    MoreSeconds(f64),
    /// A share that is so much larger than in the baseline: 0.01 for a percentage point.
    MorePoints(f64),
}

impl Limit {
    /// The number alone.
    pub fn number(self) -> f64 {
        match self {
            Self::Seconds(number)
            | Self::Share(number)
            | Self::Longer(number)
            | Self::MoreSeconds(number)
            | Self::MorePoints(number) => number,
        }
    }

    /// Whether it is about the difference from a baseline.
    pub fn needs_baseline(self) -> bool {
        matches!(self, Self::Longer(_) | Self::MoreSeconds(_) | Self::MorePoints(_))
    }
}

/// A limit that must not be crossed.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub(super) text: String,
    /// What is looked at.
    pub metric: Metric,
    /// On which side it is crossed.
    pub crossing: Crossing,
    /// What it is held against.
    pub limit: Limit,
}

// Its numbers are finite: they were read from digits.
impl Eq for Threshold {}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
