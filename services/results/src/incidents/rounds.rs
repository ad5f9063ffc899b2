//! What the rounds themselves tell: some are missing, some came too late, some had too few servers.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{Round, RoundOutcome};

use super::incident::{ByRound, Incident, Place, What};

/// How many rounds must be missing in a row before somebody should know. A scheduler that is started anew begins within an interval.
const MIN_MISSING: i64 = 2;

/// How long a round may take, its operations, checks and a database that does not answer included. One that has no end by then never
/// gets one.
const ROUND_LIMIT: TimeDelta = TimeDelta::minutes(15);

/// How many rounds in between belong to the same incident all the same.
const CALM: usize = 2;

/// For how many rounds servers must be missing: one that is not ready once is back in the next round.
const MIN_FEWER: usize = 2;

/// What happened to the rounds of each loop up to `end`.
pub(super) fn find(rounds: &[Round], attempts: &ByRound<'_>, end: DateTime<Utc>) -> Vec<Incident> {
    let mut loops: BTreeMap<String, Vec<&Round>> = BTreeMap::new();
    for round in rounds {
        loops.entry(round.fleets.to_string()).or_default().push(round);
    }
    let mut found = Vec::new();
    for (fleets, mut rounds) in loops {
        rounds.sort_by_key(|round| (round.due, round.started));
        let looped = Loop { place: Place { fleet: Some(fleets), ..Place::default() }, rounds: &rounds, attempts };
        if let Some(interval) = interval(&rounds) {
            found.extend(looped.missing(interval, end));
        }
        found.extend(looped.skipped());
        found.extend(looped.of_outcome(end));
        found.extend(looped.fewer());
        let silent = |round: &Round| round.nodes_without_heartbeat > 0;
        let runs = looped.runs(silent).into_iter();
        found.extend(
            runs.map(|run| looped.incident(What::HeartbeatsMissing { rounds: looped.count(&run, silent) }, &run)),
        );
    }
    found
}

/// The rounds of one loop, in the order in which they were due.
struct Loop<'a> {
    place: Place,
    rounds: &'a [&'a Round],
    attempts: &'a ByRound<'a>,
}

impl Loop<'_> {
    /// Rounds that should have been played, and that nothing accounts for.
    fn missing(&self, interval: TimeDelta, end: DateTime<Utc>) -> Vec<Incident> {
        let missing_before = |due: DateTime<Utc>, last: &Round, accounted: u32| {
            let gap = (due - last.due).num_milliseconds() as f64 / interval.num_milliseconds().max(1) as f64;
            // What is due at the end of the gap, and what was left out, was not missing.
            gap.round() as i64 - 1 - i64::from(accounted)
        };
        let incident = |missing: i64, last: &Round, to| Incident {
            what: What::NoRounds { missing: missing.unsigned_abs() },
            from: last.due + interval,
            to,
            place: self.place.clone(),
            ids: self.attempts.examples([last.id]),
        };
        let mut found = Vec::new();
        for pair in self.rounds.windows(2) {
            let missing = missing_before(pair[1].due, pair[0], pair[1].skipped_before);
            if missing >= MIN_MISSING {
                found.push(incident(missing, pair[0], Some(pair[1].started)));
            }
        }
        if let Some(last) = self.rounds.last() {
            // The last one may be under way, and let others wait.
            let is_under_way = last.ended.is_none() && end - last.started < ROUND_LIMIT;
            let missing = missing_before(end, last, 0);
            if missing >= MIN_MISSING && !is_under_way {
                found.push(incident(missing, last, None));
            }
        }
        found
    }

    /// Rounds that were left out, from the one on that took their time.
    fn skipped(&self) -> Vec<Incident> {
        let found = self.runs(|round| round.skipped_before > 0).into_iter().map(|run| {
            let skipped = self.rounds[run.clone()].iter().map(|round| u64::from(round.skipped_before)).sum();
            let first = run.start.saturating_sub(1);
            Incident {
                from: self.rounds[first].due,
                ..self.incident(What::RoundsSkipped { skipped }, &(first..run.end))
            }
        });
        found.collect()
    }

    /// Rounds in which nothing could be measured, and those that were cut off.
    fn of_outcome(&self, end: DateTime<Utc>) -> Vec<Incident> {
        let outcome = |round: &Round| round.ended.map(|(_, outcome)| outcome);
        let too_few = self.runs(|round| outcome(round) == Some(RoundOutcome::TooFewNodes));
        let too_few = too_few.into_iter().map(|run| {
            let rounds = self.count(&run, |round| outcome(round) == Some(RoundOutcome::TooFewNodes));
            self.incident(What::TooFewNodes { rounds }, &run)
        });
        let is_cut_off = |round: &Round| match outcome(round) {
            Some(outcome) => outcome == RoundOutcome::Interrupted,
            None => end - round.started > ROUND_LIMIT,
        };
        let cut_off = self.runs(is_cut_off).into_iter().map(|run| {
            let rounds = self.count(&run, is_cut_off);
            self.incident(What::RoundsCutOff { rounds }, &run)
        });
        too_few.chain(cut_off).collect()
    }

    /// Stretches in which fewer servers could measure than in the median round.
    fn fewer(&self) -> Vec<Incident> {
        let mut ready: Vec<u32> = self.rounds.iter().map(|round| round.nodes_ready).collect();
        ready.sort_unstable();
        let Some(usual) = ready.get(ready.len() / 2).copied() else { return Vec::new() };
        let is_fewer = |round: &Round| round.nodes_ready < usual;
        let runs = self.runs(is_fewer).into_iter();
        let long = runs.filter(|run| self.count(run, is_fewer) >= MIN_FEWER);
        let fewer = long.filter_map(|run| {
            let least = self.rounds[run.clone()].iter().min_by_key(|round| round.nodes_ready)?;
            let rounds = self.count(&run, is_fewer);
            let (ready, listed) = (least.nodes_ready, least.nodes_listed);
            Some(self.incident(What::FewerServers { usual, ready, listed, rounds }, &run))
        });
        fewer.collect()
    }

    /// Stretches of rounds that are `so`, with at most [`CALM`] others between two of them.
    fn runs(&self, so: impl Fn(&Round) -> bool) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, _) in self.rounds.iter().enumerate().filter(|(_, round)| so(round)) {
            match runs.last_mut() {
                Some(run) if index - run.end <= CALM => run.end = index + 1,
                _ => runs.push(index..index + 1),
            }
        }
        runs
    }

    fn count(&self, run: &std::ops::Range<usize>, so: impl Fn(&Round) -> bool) -> usize {
        self.rounds[run.clone()].iter().filter(|round| so(round)).count()
    }

    /// It is over with the first round that is not so.
    fn incident(&self, what: What, run: &std::ops::Range<usize>) -> Incident {
        let ids = self.attempts.examples(self.rounds[run.clone()].iter().map(|round| round.id));
        let to = self.rounds.get(run.end).map(|round| round.started);
        Incident { what, from: self.rounds[run.start].started, to, place: self.place.clone(), ids }
    }
}

/// The time from one round to the next; `None` if there are too few to tell.
fn interval(rounds: &[&Round]) -> Option<TimeDelta> {
    let of_one = rounds.windows(2).filter(|pair| pair[0].scheduler == pair[1].scheduler);
    let mut steps: Vec<TimeDelta> = of_one
        .map(|pair| {
            (pair[1].due - pair[0].due) / i32::try_from(pair[1].skipped_before.saturating_add(1)).unwrap_or(i32::MAX)
        })
        .filter(|step| *step > TimeDelta::zero())
        .collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use parsec_measure::{RoundId, SchedulerId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn round(minute: i64) -> Round {
        Round {
            id: RoundId(Uuid::from_u128(minute.unsigned_abs().into())),
            scheduler: SchedulerId(1),
            fleets: "default".parse().unwrap(),
            provider: None,
            nodes_listed: 4,
            nodes_ready: 4,
            nodes_without_heartbeat: 0,
            skipped_before: 0,
            due: at(minute),
            started: at(minute),
            ended: Some((at(minute) + TimeDelta::seconds(20), RoundOutcome::Complete)),
        }
    }

    fn found(rounds: &[Round], end: i64) -> Vec<(What, i64, Option<i64>)> {
        let minute = |time: DateTime<Utc>| (time - at(0)).num_minutes();
        let found = find(rounds, &ByRound::of(&[]), at(end)).into_iter();
        found.map(|incident| (incident.what, minute(incident.from), incident.to.map(minute))).collect()
    }

    fn quiet() -> Vec<Round> {
        (0..60).map(round).collect()
    }

    #[test]
    fn rounds_without_a_gap_are_nothing_to_tell() {
        assert_eq!(found(&quiet(), 60), []);
        assert_eq!(found(&[], 60), []);
    }

    #[test]
    fn rounds_that_nobody_played_are_missing_until_the_next_one() {
        let mut rounds = quiet();
        rounds.drain(20..30);
        assert_eq!(found(&rounds, 60), [(What::NoRounds { missing: 10 }, 20, Some(30))]);
        assert_eq!(found(&quiet(), 75), [(What::NoRounds { missing: 15 }, 60, None)]);
        let mut one_is_missing = quiet();
        one_is_missing.remove(20);
        assert_eq!(found(&one_is_missing, 60), [], "a scheduler was started anew");
    }

    #[test]
    fn rounds_that_were_left_out_are_told_from_the_one_on_that_took_too_long() {
        let mut rounds = quiet();
        rounds.drain(20..24);
        rounds[20].skipped_before = 4;
        assert_eq!(found(&rounds, 60), [(What::RoundsSkipped { skipped: 4 }, 19, Some(25))]);
    }

    #[test]
    fn too_few_servers_and_rounds_without_an_end_are_told_apart() {
        let mut rounds = quiet();
        for round in &mut rounds[10..14] {
            *round = Round { ended: Some((round.due, RoundOutcome::TooFewNodes)), nodes_ready: 1, ..round.clone() };
        }
        rounds[30].ended = None;
        rounds[59].ended = None;
        let fewer = What::FewerServers { usual: 4, ready: 1, listed: 4, rounds: 4 };
        let expected = [
            (What::TooFewNodes { rounds: 4 }, 10, Some(14)),
            (What::RoundsCutOff { rounds: 1 }, 30, Some(31)),
            (fewer, 10, Some(14)),
        ];
        assert_eq!(found(&rounds, 60), expected, "the last one is under way");
    }

    #[test]
    fn a_server_that_is_not_ready_once_is_no_incident() {
        let mut rounds = quiet();
        rounds[10].nodes_ready = 3;
        assert_eq!(found(&rounds, 60), []);
        rounds[12].nodes_ready = 3;
        let fewer = What::FewerServers { usual: 4, ready: 3, listed: 4, rounds: 2 };
        assert_eq!(found(&rounds, 60), [(fewer, 10, Some(13))]);
    }

    #[test]
    fn heartbeats_that_grew_old_at_once_are_told() {
        let mut rounds = quiet();
        rounds[5..9].iter_mut().for_each(|round| round.nodes_without_heartbeat = 4);
        assert_eq!(found(&rounds, 60), [(What::HeartbeatsMissing { rounds: 4 }, 5, Some(9))]);
    }

    proptest! {
        #[test]
        fn what_is_missing_is_what_was_not_played(gap in 3..40usize, start in 5..15usize, interval in 1..30i64) {
            let mut rounds: Vec<_> = (0..60).map(|number| round(number * interval)).collect();
            rounds.drain(start..start + gap);
            let found = found(&rounds, 60 * interval);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&found[0].0, &What::NoRounds { missing: gap as u64 });
            prop_assert_eq!(found[0].1, start as i64 * interval);
        }
    }
}
