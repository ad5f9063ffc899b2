//! Whether measurements keep a limit.

use serde::Serialize;

use super::threshold::{Limit, Measured, Threshold};
use crate::statistics::{CompareError, Compared, Comparison, Interval, Quantile, Sample, attempts_to_carry, compare};

/// What became of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The whole interval is on the right side.
    Passed,
    /// The whole interval is on the wrong side.
    Crossed,
    /// The interval holds the limit, or there are too few attempts for one.
    Inconclusive,
}

/// What was found of the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found {
    /// A time; it may fall among failures.
    Time(Quantile),
    /// A share of attempts.
    Share(Interval),
    /// A difference from the baseline: a part of its time, seconds, or a share.
    Change(Interval),
}

/// Why nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// None of the attempts says anything about the DHT.
    NothingDue,
    /// It takes more attempts to carry the quantile; about so many, if they are independent.
    TooFew(Option<usize>),
    /// One side has too few rounds to be compared.
    NotCompared(CompareError),
    /// A quantile that one of the sides does not carry, or at which both fail.
    NoQuantile,
}

/// What a limit is held against besides the measurements.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// Nothing.
    Nothing,
    /// The same attempts of the baseline.
    Baseline(&'a Sample),
}

/// A limit that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The limit.
    pub threshold: Threshold,
    /// What became of it.
    pub judgement: Judgement,
    /// What was found, or why nothing was.
    pub found: Result<Found, Undecided>,
    /// How many attempts were due.
    pub due: usize,
    /// In how many rounds.
    pub rounds: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// How many attempts say nothing about the DHT, and are in no other figure.
    pub unsaid: usize,
}

/// Judges a limit by the attempts that it is about.
pub fn judge(threshold: &Threshold, sample: &Sample, against: Against<'_>) -> Judged {
    let found = find(threshold, sample, against);
    let judgement = match &found {
        Ok(found) => judgement(threshold, ends(*found)),
        Err(_) => Judgement::Inconclusive,
    };
    let counts = sample.counts();
    Judged {
        threshold: threshold.clone(),
        judgement,
        found,
        due: counts.due,
        rounds: counts.rounds,
        succeeded: counts.succeeded,
        unsaid: counts.unsaid.values().sum(),
    }
}

fn find(threshold: &Threshold, sample: &Sample, against: Against<'_>) -> Result<Found, Undecided> {
    let measured = threshold.metric.measured;
    if sample.counts().due == 0 {
        return Err(Undecided::NothingDue);
    }
    match (threshold.limit, against) {
        (Limit::Longer(_) | Limit::MoreSeconds(_) | Limit::MorePoints(_), Against::Baseline(baseline)) => {
            change(threshold, baseline, sample).map(Found::Change)
        }
        (Limit::Longer(_) | Limit::MoreSeconds(_) | Limit::MorePoints(_), Against::Nothing) => {
            Err(Undecided::NothingDue)
        }
        (Limit::Seconds(_) | Limit::Share(_), _) => match measured {
            Measured::Quantile(q) => {
                sample.quantile(q).map(Found::Time).ok_or_else(|| Undecided::TooFew(attempts_to_carry(q)))
            }
            Measured::Success => share(sample).map(Found::Share),
            Measured::Failures => share(sample).map(rest).map(Found::Share),
        },
    }
}

fn share(sample: &Sample) -> Result<Interval, Undecided> {
    Ok(sample.success().ok_or(Undecided::NothingDue)?.share)
}

/// The share of the others.
fn rest(share: Interval) -> Interval {
    Interval { value: 1.0 - share.value, low: 1.0 - share.high, high: 1.0 - share.low }
}

fn change(threshold: &Threshold, baseline: &Sample, sample: &Sample) -> Result<Interval, Undecided> {
    let measured = threshold.metric.measured;
    let figure = measured.figure().ok_or(Undecided::NoQuantile)?;
    let compared = compare(&[(baseline, sample)], Comparison::default()).pop().unwrap_or(Ok(vec![]));
    let compared = compared.map_err(Undecided::NotCompared)?;
    let Compared { ratio, difference, .. } =
        compared.into_iter().find(|compared| compared.figure == figure).ok_or(Undecided::NoQuantile)?;
    Ok(match (threshold.limit, ratio, measured) {
        (Limit::Longer(_), Some(Interval { value, low, high }), _) => {
            Interval { value: value - 1.0, low: low - 1.0, high: high - 1.0 }
        }
        (_, _, Measured::Failures) => {
            Interval { value: -difference.value, low: -difference.high, high: -difference.low }
        }
        _ => difference,
    })
}

/// The ends of what was found; a failure takes longer than any time.
fn ends(found: Found) -> (f64, f64) {
    match found {
        Found::Time(Quantile { low, high, .. }) => (low.seconds(), high.seconds()),
        Found::Share(interval) | Found::Change(interval) => (interval.low, interval.high),
    }
}

fn judgement(threshold: &Threshold, (low, high): (f64, f64)) -> Judgement {
    let limit = threshold.limit.number();
    let crosses = |value| threshold.crossing.crosses(value, limit);
    match (crosses(low), crosses(high)) {
        (true, true) => Judgement::Crossed,
        (false, false) => Judgement::Passed,
        _ => Judgement::Inconclusive,
    }
}

#[cfg(test)]
mod tests;
