//! Attempts of one kind in one region of one fleet, round after round.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use parsec_measure::{History, NodeId, NotedAttempt, OperationKind};

use super::incident::{NotJudged, Place};
use crate::groups::round_number;
use crate::statistics::{Observation, Reading, Sample, reading};

/// The fewest rounds in which something can stand out.
const MIN_ROUNDS: usize = 20;

/// The most series that are judged: the more there are, the more has to happen in one of them to be told from chance. The longest
/// are taken.
const MAX_SERIES: usize = 200;

/// An attempt that was due, and what it says.
pub(super) type Due<'a> = (&'a NotedAttempt, Reading);

/// What was due, by where it was measured; of each place round by round, whose attempts stand together.
pub(super) struct Places<'a>(BTreeMap<Place, Vec<Due<'a>>>);

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
    pub(super) due: &'a [Due<'a>],
}

impl<'a> Places<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let servers: HashMap<NodeId, _> = history.servers.iter().map(|server| (server.id, server)).collect();
        // What a place is called is worked out once for each server, not for each attempt.
        let mut by_server: HashMap<(NodeId, OperationKind), Vec<Due<'a>>> = HashMap::new();
        for noted in &history.attempts {
            let operation = &noted.operation;
            if operation.from_own_records || operation.probe > 0 {
                continue;
            }
            let Some(reading) = reading(operation.class, operation.duration) else { continue };
            by_server.entry((operation.node, operation.kind)).or_default().push((noted, reading));
        }
        let mut all: BTreeMap<Place, Vec<Due<'a>>> = BTreeMap::new();
        for ((node, kind), due) in by_server {
            let server = servers.get(&node);
            let place = Place {
                fleet: server.map(|server| server.fleet.clone()),
                region: server.map(|server| server.region.clone()),
                kind: Some(kind),
                peer: None,
            };
            all.entry(place).or_default().extend(due);
        }
        all.values_mut()
            .for_each(|due| due.sort_unstable_by_key(|(noted, _)| (noted.operation.round, noted.operation.id)));
        Self(all)
    }
}

impl<'a> Series<'a> {
    /// Those that are judged, and how many are not.
    pub(super) fn of(places: &'a Places<'a>) -> (Vec<Self>, NotJudged) {
        let all = places.0.iter().map(|(place, due)| Self::at(place, due));
        let mut long: Vec<_> = all.filter(|series| series.rounds.len() >= MIN_ROUNDS).collect();
        let too_short = places.0.len() - long.len();
        let not_judged = NotJudged { too_short, too_many: long.len().saturating_sub(MAX_SERIES) };
        if not_judged.too_many > 0 {
            long.sort_by_key(|series| std::cmp::Reverse(series.rounds.len()));
            long.truncate(MAX_SERIES);
        }
        (long, not_judged)
    }

    fn at(place: &Place, due: &'a [Due<'a>]) -> Self {
        let rounds = due.chunk_by(|(one, _), (other, _)| one.operation.round == other.operation.round);
        let started = |due: &[Due<'_>]| due.iter().map(|(noted, _)| noted.operation.started).min().unwrap_or_default();
        let mut rounds: Vec<_> = rounds.map(|due| Played { at: started(due), due }).collect();
        rounds.sort_by_key(|round| round.at);
        Self { place: place.clone(), rounds }
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
    let attempts = rounds.iter().flat_map(|round| round.due).map(|(noted, _)| &noted.operation);
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
    use std::time::Duration;

    use super::*;
    use parsec_measure::{ArchivedOperation, AttemptId, OutcomeClass, RoundId, ServerLife};
    use proptest::prelude::*;
    use uuid::Uuid;

    /// So many rounds of as many servers, each in a region of its own.
    fn history(servers: i32, rounds: u128) -> History {
        let attempt = |node: i32, round: u128| {
            let started = DateTime::from_timestamp(1_790_000_000 + 60 * round as i64, 0).unwrap();
            let operation = ArchivedOperation {
                id: AttemptId(Uuid::from_u128(round << 64 | u128::from(node.unsigned_abs()))),
                round: RoundId(Uuid::from_u128(round << 64)),
                node: NodeId(node),
                kind: OperationKind::Provide,
                probe: 0,
                class: OutcomeClass::Ok,
                started,
                duration: Duration::from_secs(1),
                from_own_records: false,
            };
            NotedAttempt { operation, ended: started, written: started }
        };
        let server = |id: i32| ServerLife {
            id: NodeId(id),
            fleet: "default".to_owned(),
            region: format!("region-{id}"),
            peer_id: format!("12D3KooW{id}"),
            created: DateTime::UNIX_EPOCH,
            last_heartbeat: None,
            offline_since: None,
        };
        let attempts = (0..rounds).flat_map(|round| (0..servers).map(move |node| attempt(node, round)));
        History { attempts: attempts.collect(), servers: (0..servers).map(server).collect(), ..History::default() }
    }

    #[test]
    fn what_is_too_short_is_told_from_what_is_too_much() {
        let most = MAX_SERIES as i32;
        for (servers, rounds, judged, expected) in [
            (3, MIN_ROUNDS, 3, NotJudged::default()),
            (3, MIN_ROUNDS - 1, 0, NotJudged { too_short: 3, too_many: 0 }),
            (most + 2, MIN_ROUNDS, MAX_SERIES, NotJudged { too_short: 0, too_many: 2 }),
        ] {
            let history = history(servers, rounds as u128);
            let places = Places::of(&history);
            let (series, not_judged) = Series::of(&places);
            assert_eq!((series.len(), not_judged), (judged, expected), "{servers} series of {rounds} rounds");
        }
    }

    proptest! {
        #[test]
        fn every_round_is_in_one_block(rounds in 0..2_000usize, most in 1..300usize) {
            let blocks = blocks(rounds, most);
            prop_assert!(blocks.len() <= most);
            prop_assert_eq!(blocks.into_iter().flatten().collect::<Vec<_>>(), (0..rounds).collect::<Vec<_>>());
        }
    }
}
