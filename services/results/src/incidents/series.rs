//! Attempts of one kind in one region of one fleet, round after round.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use parsec_measure::{History, NodeId, NotedAttempt};

use super::incident::Place;
use crate::groups::round_number;
use crate::statistics::{Observation, Reading, Sample, reading};

/// The fewest rounds in which something can stand out.
const MIN_ROUNDS: usize = 20;

/// The most series that are judged: the more there are, the more has to happen in one of them to be told from chance. The longest
/// are taken.
const MAX_SERIES: usize = 200;

/// One series.
pub(super) struct Series<'a> {
    /// What it is of.
    pub(super) place: Place,
    /// Its rounds in the order of time; none is empty.
    pub(super) rounds: Vec<Played<'a>>,
}

/// What one round says.
pub(super) struct Played<'a> {
    /// When its first attempt started.
    pub(super) at: DateTime<Utc>,
    /// What was due in it.
    pub(super) due: Vec<(&'a NotedAttempt, Reading)>,
}

impl<'a> Series<'a> {
    /// Those that are long enough, and how many are not.
    pub(super) fn of(history: &'a History) -> (Vec<Self>, usize) {
        let servers: HashMap<NodeId, _> = history.servers.iter().map(|server| (server.id, server)).collect();
        let mut all: BTreeMap<Place, BTreeMap<_, Played<'a>>> = BTreeMap::new();
        for noted in &history.attempts {
            let operation = &noted.operation;
            if operation.from_own_records || operation.probe > 0 {
                continue;
            }
            let Some(reading) = reading(operation.class, operation.duration) else { continue };
            let server = servers.get(&operation.node);
            let place = Place {
                fleet: server.map(|server| server.fleet.clone()),
                region: server.map(|server| server.region.clone()),
                kind: Some(operation.kind),
                peer: None,
            };
            let round = all.entry(place).or_default().entry(operation.round);
            let round = round.or_insert_with(|| Played { at: operation.started, due: Vec::new() });
            round.at = round.at.min(operation.started);
            round.due.push((noted, reading));
        }
        let found = all.len();
        let mut long: Vec<_> = all
            .into_iter()
            .filter(|(_, rounds)| rounds.len() >= MIN_ROUNDS)
            .map(|(place, rounds)| {
                let mut rounds: Vec<_> = rounds.into_values().collect();
                rounds.sort_by_key(|round| round.at);
                Self { place, rounds }
            })
            .collect();
        if long.len() > MAX_SERIES {
            long.sort_by_key(|series| std::cmp::Reverse(series.rounds.len()));
            long.truncate(MAX_SERIES);
        }
        let too_short = found - long.len();
        (long, too_short)
    }
}

impl Played<'_> {
    /// How many attempts failed.
    pub(super) fn failed(&self) -> usize {
        self.due.iter().filter(|(_, reading)| !reading.succeeded()).count()
    }
}

/// The attempts of rounds.
pub(super) fn sample(rounds: &[&Played<'_>]) -> Sample {
    let attempts = rounds.iter().flat_map(|round| &round.due).map(|(noted, _)| &noted.operation);
    let observation = |attempt: &parsec_measure::ArchivedOperation| Observation {
        round: round_number(attempt.round),
        stratum: 0,
        class: attempt.class,
        duration: attempt.duration,
    };
    attempts.map(observation).collect()
}

/// As many neighbouring rounds to a block that there are at most `most` blocks: the ranges of their rounds.
pub(super) fn blocks(rounds: usize, most: usize) -> Vec<std::ops::Range<usize>> {
    let size = rounds.div_ceil(most).max(1);
    (0..rounds).step_by(size).map(|first| first..(first + size).min(rounds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_round_is_in_one_block(rounds in 0..2_000usize, most in 1..300usize) {
            let blocks = blocks(rounds, most);
            prop_assert!(blocks.len() <= most);
            prop_assert_eq!(blocks.into_iter().flatten().collect::<Vec<_>>(), (0..rounds).collect::<Vec<_>>());
        }
    }
}
