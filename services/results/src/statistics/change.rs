//! How a figure of one group differs from that of another.

use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::{CONFIDENCE, Z, excess, wilson};
use super::resample::{ends, sorted};
use super::{Figure, Interval};

/// The shortest time that is told from zero, in seconds: the resolution of our clocks.
const INSTANT: f64 = 1e-9;

/// How a figure of the group `b` differs from that of the group `a`, to be asked as surely as one likes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which figure.
    pub figure: Figure,
    by: By,
}

#[derive(Debug, Clone, PartialEq)]
enum By {
    /// The logarithm of the ratio, and the difference in seconds.
    Time { log: Drawn, seconds: Drawn },
    /// The success rates of both, and of how many independent attempts they are.
    Success { a: (f64, f64), b: (f64, f64) },
}

/// What was found, and what rounds that are drawn with replacement say, in ascending order.
#[derive(Debug, Clone, PartialEq)]
struct Drawn {
    found: f64,
    drawn: Vec<f64>,
}

impl Change {
    /// Of a quantile: of both groups what was found, and what was drawn.
    pub(super) fn of_times(figure: Figure, (a, b): (f64, f64), samples: &[(f64, f64)]) -> Self {
        let log = Drawn { found: log_ratio(a, b), drawn: sorted(samples.iter().map(|(a, b)| log_ratio(*a, *b))) };
        let seconds = Drawn { found: minus(b, a), drawn: sorted(samples.iter().map(|(a, b)| minus(*b, *a))) };
        Self { figure, by: By::Time { log, seconds } }
    }

    /// Of success rates, each with the number of independent attempts that say as much.
    pub(super) fn of_success(a: (f64, f64), b: (f64, f64)) -> Self {
        Self { figure: Figure::Success, by: By::Success { a, b } }
    }

    /// `b` divided by `a`, with the interval that holds the true ratio this often. Of times only.
    pub fn ratio(&self, confidence: f64) -> Option<Interval> {
        let By::Time { log, .. } = &self.by else { return None };
        let Interval { value, low, high } = log.interval(confidence);
        Some(Interval { value: value.exp(), low: low.exp(), high: high.exp() })
    }

    /// `b` minus `a`, in seconds or as a difference of shares, with the interval that holds the true difference this often.
    pub fn difference(&self, confidence: f64) -> Interval {
        match &self.by {
            By::Time { seconds, .. } => seconds.interval(confidence),
            By::Success { a, b } => {
                let [a, b] = [a, b].map(|(share, n)| wilson(*share, *n, confidence));
                excess(b, a)
            }
        }
    }

    /// The change on a scale on which 0 means the same and more is worse, with its 95 % interval.
    pub(super) fn scale(&self) -> Interval {
        match &self.by {
            By::Time { log, .. } => log.interval(CONFIDENCE),
            By::Success { .. } => {
                let Interval { value, low, high } = self.difference(CONFIDENCE);
                Interval { value: -value, low: -high, high: -low }
            }
        }
    }

    /// How likely a difference like this is where there is none.
    pub(super) fn p(&self) -> f64 {
        match &self.by {
            By::Time { log: Drawn { drawn: logs, .. }, .. } => {
                let not_above = logs.partition_point(|log| *log <= 0.0);
                let not_below = logs.len() - logs.partition_point(|log| *log < 0.0);
                (2.0 * (not_above.min(not_below) + 1) as f64 / (logs.len() + 1) as f64).min(1.0)
            }
            By::Success { .. } => {
                let scale = self.scale();
                // The interval is not symmetric; the side that faces zero is the one that decides.
                let towards_zero = if scale.value > 0.0 { scale.value - scale.low } else { scale.high - scale.value };
                if towards_zero > 0.0 { two_sided(scale.value.abs() / (towards_zero / Z)) } else { 1.0 }
            }
        }
    }
}

impl Drawn {
    fn interval(&self, confidence: f64) -> Interval {
        let (low, high) = ends(&self.drawn, confidence);
        Interval { value: self.found, low: low.min(self.found), high: high.max(self.found) }
    }
}

/// The logarithm of `b / a`. Two failures are equally long.
fn log_ratio(a: f64, b: f64) -> f64 {
    if a.is_infinite() && b.is_infinite() { 0.0 } else { b.max(INSTANT).ln() - a.max(INSTANT).ln() }
}

fn minus(b: f64, a: f64) -> f64 {
    if a.is_infinite() && b.is_infinite() { 0.0 } else { b - a }
}

fn two_sided(z: f64) -> f64 {
    2.0 * Normal::standard().sf(z)
}
