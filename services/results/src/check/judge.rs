//! Whether measurements keep a limit.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gather::Subject;
use super::threshold::{Limit, Measured, Metric, Threshold};
use crate::statistics::{
    CONFIDENCE, Change, CompareError, Interval, Quantile, RESAMPLES, Sample, Share, attempts_to_carry, changes,
};

/// What became of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The whole 95 % interval is on the right side.
    Passed,
    /// The whole interval is on the wrong side, with the certainty that so many limits at once take.
    Crossed,
    /// Neither, or there are too few attempts for an interval.
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

/// A limit, and the measurements that it is about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The limit.
    pub threshold: &'a Threshold,
    /// The attempts.
    pub subject: &'a Subject,
    /// The same attempts of the baseline.
    pub baseline: Option<&'a Sample>,
}

/// A limit that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The limit.
    pub threshold: Threshold,
    /// What became of it.
    pub judgement: Judgement,
    /// What was found with its 95 % interval, or why nothing was.
    pub found: Result<Found, Undecided>,
    /// How sure one had to be to call it crossed: the more limits are checked at once, the surer.
    pub confidence: f64,
    /// Whether the whole 95 % interval is on the wrong side.
    pub beyond: bool,
    /// How many attempts were due.
    pub due: usize,
    /// How many of them in each fleet.
    pub fleets: BTreeMap<String, usize>,
    /// In how many rounds.
    pub rounds: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// How many attempts say nothing about the DHT, and are in no other figure.
    pub unsaid: usize,
}

/// Judges limits that are checked at once, each by the attempts that it is about.
///
/// A limit passes with its own 95 % interval. It is crossed with a certainty that accounts for the number of limits (Holm, Scandinavian
/// Journal of Statistics 6, 1979): of checks in which all limits are kept in truth, at most 5 % say that any is crossed. So a limit that is
/// added never makes another one crossed.
pub fn judge(asked: &[Asked<'_>]) -> Vec<Judged> {
    // Several limits are often about the same change, which takes ten thousand draws.
    let mut known: BTreeMap<String, Result<Vec<Change>, CompareError>> = BTreeMap::new();
    for Asked { threshold, subject, baseline } in asked {
        if let (true, Some(baseline)) = (threshold.limit.needs_baseline(), baseline) {
            let changes = || changes(baseline, &subject.sample, RESAMPLES);
            known.entry(attempts(&threshold.metric)).or_insert_with(changes);
        }
    }
    let evidence: Vec<_> = asked.iter().map(|asked| self::evidence(asked, &known)).collect();
    // Order statistics come in steps, so a surer interval need not hold one that is less sure: what is crossed with a certainty has to be
    // crossed with every smaller one.
    let crossed = |at: usize, confidence: f64| {
        let mut levels = (1..=asked.len()).map(certainty).take_while(|level| *level <= confidence);
        evidence[at].as_ref().is_ok_and(|found| {
            levels.all(|level| judgement(asked[at].threshold, found.ends(level)) == Judgement::Crossed)
        })
    };
    let confidences = stepped_down(asked.len(), crossed);
    let judged = asked.iter().zip(&evidence).zip(confidences).enumerate();
    judged
        .map(|(at, ((asked, evidence), confidence))| one(asked, evidence, confidence, crossed(at, confidence)))
        .collect()
}

/// How sure one has to be of each of so many limits to be sure of all.
fn certainty(limits: usize) -> f64 {
    1.0 - (1.0 - CONFIDENCE) / limits as f64
}

/// How sure one has to be of each of so many limits, when `crossed` says whether one is crossed with a certainty. Each that is found
/// crossed leaves fewer to be wrong about.
fn stepped_down(limits: usize, crossed: impl Fn(usize, f64) -> bool) -> Vec<f64> {
    let mut needed: Vec<Option<f64>> = vec![None; limits];
    loop {
        let left = needed.iter().filter(|needed| needed.is_none()).count();
        let confidence = certainty(left.max(1));
        let found: Vec<usize> = (0..limits).filter(|at| needed[*at].is_none() && crossed(*at, confidence)).collect();
        if found.is_empty() {
            return needed.into_iter().map(|needed| needed.unwrap_or(confidence)).collect();
        }
        found.into_iter().for_each(|at| needed[at] = Some(confidence));
    }
}

fn one(asked: &Asked<'_>, evidence: &Result<Evidence<'_>, Undecided>, confidence: f64, crossed: bool) -> Judged {
    let Asked { threshold, subject, .. } = *asked;
    let alone = match evidence {
        Ok(evidence) => judgement(threshold, evidence.ends(CONFIDENCE)),
        Err(_) => Judgement::Inconclusive,
    };
    let judgement = match alone {
        Judgement::Passed => Judgement::Passed,
        _ if crossed => Judgement::Crossed,
        _ => Judgement::Inconclusive,
    };
    let counts = subject.sample.counts();
    Judged {
        threshold: threshold.clone(),
        judgement,
        found: evidence.as_ref().map(Evidence::found).map_err(|undecided| *undecided),
        confidence,
        beyond: alone == Judgement::Crossed,
        due: counts.due,
        fleets: subject.fleets.clone(),
        rounds: counts.rounds,
        succeeded: counts.succeeded,
        unsaid: counts.unsaid.values().sum(),
    }
}

/// The name of the attempts that a metric is about: limits of the same ones are about the same changes.
fn attempts(metric: &Metric) -> String {
    format!("{:?} {:?}", metric.kind, metric.labels)
}

/// What there is to judge by, to be asked with any certainty.
enum Evidence<'a> {
    Time(&'a Sample, Quantile),
    Share(Share, Measured),
    Change(&'a Change, Threshold),
}

impl Evidence<'_> {
    /// The ends of the interval that holds the truth this often; a failure takes longer than any time.
    fn ends(&self, confidence: f64) -> (f64, f64) {
        let Interval { low, high, .. } = match self {
            // What is shown is what is judged by: both ends, or none.
            Self::Time(_, Quantile { low, high, .. }) if confidence <= CONFIDENCE => {
                return (low.seconds(), high.seconds());
            }
            Self::Time(sample, Quantile { q, .. }) => return sample.quantile_ends(*q, confidence),
            Self::Share(share, measured) => of_share(share.interval(confidence), *measured),
            Self::Change(change, threshold) => of_change(change, threshold, confidence),
        };
        (low, high)
    }

    fn found(&self) -> Found {
        match self {
            Self::Time(_, quantile) => Found::Time(*quantile),
            Self::Share(share, measured) => Found::Share(of_share(share.share, *measured)),
            Self::Change(change, threshold) => Found::Change(of_change(change, threshold, CONFIDENCE)),
        }
    }
}

fn evidence<'a>(
    Asked { threshold, subject, baseline }: &Asked<'a>,
    known: &'a BTreeMap<String, Result<Vec<Change>, CompareError>>,
) -> Result<Evidence<'a>, Undecided> {
    let (measured, sample) = (threshold.metric.measured, &subject.sample);
    let success = sample.success().ok_or(Undecided::NothingDue)?;
    match (threshold.limit, measured) {
        (Limit::Longer(_) | Limit::MoreSeconds(_) | Limit::MorePoints(_), _) => {
            baseline.ok_or(Undecided::NothingDue)?;
            let changes = known.get(&attempts(&threshold.metric)).ok_or(Undecided::NothingDue)?;
            let changes = changes.as_ref().map_err(|error| Undecided::NotCompared(*error))?;
            let change = changes.iter().find(|change| Some(change.figure) == measured.figure());
            Ok(Evidence::Change(change.ok_or(Undecided::NoQuantile)?, (*threshold).clone()))
        }
        (Limit::Seconds(_) | Limit::Share(_), Measured::Quantile(q)) => match sample.quantile(q) {
            Some(quantile) => Ok(Evidence::Time(sample, quantile)),
            None => Err(Undecided::TooFew(attempts_to_carry(q))),
        },
        (Limit::Seconds(_) | Limit::Share(_), Measured::Success | Measured::Failures) => {
            Ok(Evidence::Share(success, measured))
        }
    }
}

/// The share that a limit is about, of the share of those that succeeded.
fn of_share(success: Interval, measured: Measured) -> Interval {
    let Interval { value, low, high } = success;
    match measured {
        Measured::Failures => Interval { value: 1.0 - value, low: 1.0 - high, high: 1.0 - low },
        Measured::Success | Measured::Quantile(_) => success,
    }
}

/// A change as the limit means it.
fn of_change(change: &Change, threshold: &Threshold, confidence: f64) -> Interval {
    let difference = change.difference(confidence);
    match (threshold.limit, change.ratio(confidence), threshold.metric.measured) {
        (Limit::Longer(_), Some(Interval { value, low, high }), _) => {
            Interval { value: value - 1.0, low: low - 1.0, high: high - 1.0 }
        }
        (_, _, Measured::Failures) => {
            Interval { value: -difference.value, low: -difference.high, high: -difference.low }
        }
        _ => difference,
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
