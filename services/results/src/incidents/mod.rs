//! What happened in a stretch of time, found in the tables alone.
//!
//! Most of it is read off: [rounds](self::rounds) that were not played, were skipped or had too few servers, [rows](self::writing) that
//! waited for the database or were lost, [servers](self::servers) that went or failed. Two kinds are judged: a [burst](self::burst) of
//! failures and a [shift](self::shift) of p90, each by region. They are reported only where [chance](self::chance) alone would
//! show something like it, in any region, in at most one of 20 quiet stretches.

mod burst;
mod chance;
mod incident;
mod rounds;
mod series;
mod servers;
mod shift;
mod writing;

pub use chance::FALSE_ALARMS;
pub use incident::{Incident, Lost, NotJudged, Place, What};

use chrono::{DateTime, Utc};
use parsec_measure::History;

use incident::ByRound;
use series::{Places, Series};

/// What was found, and what was looked at for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incidents {
    /// In the order of time.
    pub incidents: Vec<Incident>,
    /// How many series (a kind of operation in a region of a fleet) were long enough to be judged.
    pub judged: usize,
    /// How many were not, and why.
    pub not_judged: NotJudged,
}

/// Up to when there is anything to be told of a history that a model played, at the latest `end`: up to the last thing that it began. Then its clock
/// stopped, and a server that is not heard of afterwards has not gone, nor is a round missing.
pub fn end_of_model(history: &History, end: DateTime<Utc>) -> DateTime<Utc> {
    let attempts = history.attempts.iter().map(|noted| noted.operation.started);
    let begun = attempts.chain(history.rounds.iter().map(|round| round.started)).max();
    begun.map_or(end, |begun| begun.min(end))
}

/// Finds what happened up to `end`. The same history gives the same answer, to the last digit.
pub fn find(history: &History, end: DateTime<Utc>) -> Incidents {
    let mut incidents = rounds::find(&history.rounds, &ByRound::of(&history.attempts), end);
    incidents.extend(writing::find(history));
    incidents.extend(servers::find(history, end));
    let places = Places::of(history);
    let (series, not_judged) = Series::of(&places);
    let level = chance::level(2 * series.len());
    for series in &series {
        let bursts = burst::find(series, level);
        incidents.extend(shift::find(series, &bursts, level));
        incidents.extend(bursts.into_iter().map(|burst| burst.incident));
    }
    incidents.sort_by(|a, b| (a.from, a.what.as_str(), &a.place).cmp(&(b.from, b.what.as_str(), &b.place)));
    Incidents { incidents, judged: series.len(), not_judged }
}
