//! What a comparison comes to.

use serde::Serialize;

use super::Interval;
use super::quantile::{P50, P90};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The median time of all due attempts.
    P50,
    /// The time after which nine of ten due attempts had succeeded.
    P90,
    /// The share of due attempts that succeeded.
    Success,
}

impl Figure {
    /// Every figure that a comparison is about, in its order.
    pub const ALL: [Self; 3] = [Self::P50, Self::P90, Self::Success];

    /// Its name in tables and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P50 => P50.0,
            Self::P90 => P90.0,
            Self::Success => "success",
        }
    }

    /// The quantile, if it is one.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(P50.1),
            Self::P90 => Some(P90.1),
            Self::Success => None,
        }
    }
}

/// What a comparison of `b` with `a` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// `b` takes less time, or succeeds more often.
    Better,
    /// `b` takes more time, or succeeds less often.
    Worse,
    /// Whatever difference there is lies within the margin of what counts as equal.
    Equal,
    /// The data do not tell.
    Inconclusive,
}

impl Verdict {
    /// Of an interval of `b` against `a` on a scale on which 0 means the same and more is worse, a p-value that is corrected for the
    /// number of questions, and a margin of what counts as equal on the same scale.
    pub(super) fn new(interval: Interval, p: f64, margin: f64) -> Self {
        if -margin <= interval.low && interval.high <= margin && margin > 0.0 {
            Self::Equal
        } else if p < 0.05 && interval.high < 0.0 {
            Self::Better
        } else if p < 0.05 && interval.low > 0.0 {
            Self::Worse
        } else {
            Self::Inconclusive
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_an_interval_on_one_side() {
        let verdict =
            |low, high, p, margin| Verdict::new(Interval { value: f64::midpoint(low, high), low, high }, p, margin);
        assert_eq!(verdict(-0.4, -0.2, 0.01, 0.05), Verdict::Better);
        assert_eq!(verdict(0.2, f64::INFINITY, 0.01, 0.05), Verdict::Worse);
        assert_eq!(verdict(0.2, 0.4, 0.06, 0.05), Verdict::Inconclusive);
        assert_eq!(verdict(-0.1, 0.4, 0.3, 0.05), Verdict::Inconclusive);
        assert_eq!(verdict(0.01, 0.04, 0.001, 0.05), Verdict::Equal);
        assert_eq!(verdict(0.0, 0.0, 1.0, 0.0), Verdict::Inconclusive);
    }
}
