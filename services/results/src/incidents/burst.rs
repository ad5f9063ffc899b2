//! Bursts of failures: stretches in which more attempts failed than in the rest of the time.
//!
//! All stretches of 1, 2, 4, … neighbouring blocks of rounds, up to half of them, are looked at, and the one in which the failures are most
//! unlike the rest (M. Kulldorff, "A spatial scan statistic", Communications in Statistics 26, 1997) is judged. Having looked at
//! so many is part of the judgement: the same search is made in every drawn order.

use std::collections::BTreeMap;
use std::ops::Range;

use parsec_measure::OutcomeClass;

use super::chance::beyond_chance;
use super::incident::{Incident, What, examples};
use super::series::{Played, Series, blocks};

/// The most blocks: half a minute of a 2 h stretch, and seven minutes of a day.
const MAX_BLOCKS: usize = 256;

/// The fewest failures that are called a burst.
const MIN_FAILED: u32 = 3;

/// The most bursts of one series that are told.
const MAX_BURSTS: usize = 5;

/// A burst, and which rounds of its series it takes.
pub(super) struct Burst {
    pub(super) rounds: Range<usize>,
    pub(super) incident: Incident,
}

/// How many attempts failed and were due in a block.
type Tally = (u32, u32);

/// The bursts of a series that chance does not explain at this level.
pub(super) fn find(series: &Series<'_>, level: f64) -> Vec<Burst> {
    let blocks = blocks(series.rounds.len(), MAX_BLOCKS);
    let tally = |rounds: &[Played<'_>]| {
        (
            rounds.iter().map(|round| round.failed() as u32).sum(),
            rounds.iter().map(|round| round.due.len() as u32).sum(),
        )
    };
    let tallies: Vec<Tally> = blocks.iter().map(|block| tally(&series.rounds[block.clone()])).collect();
    let mut found: Vec<Range<usize>> = bursts(&tallies, level)
        .into_iter()
        .map(|burst| {
            let rounds = blocks[burst.start].start..blocks[burst.end - 1].end;
            let fails = |index: &usize| series.rounds[*index].failed() > 0;
            let first = rounds.clone().find(fails).unwrap_or(rounds.start);
            let last = rounds.clone().rev().find(fails).unwrap_or(rounds.end - 1);
            first..last + 1
        })
        .collect();
    found.sort_by_key(|burst| burst.start);
    let inside = |index: usize| found.iter().any(|burst| burst.contains(&index));
    let rest: Vec<_> = series.rounds.iter().enumerate().filter(|(index, _)| !inside(*index)).collect();
    let rest = rest.iter().map(|(_, round)| (round.failed(), round.due.len()));
    let otherwise = rest.fold((0, 0), |(failed, due), (more_failed, more_due)| (failed + more_failed, due + more_due));
    found.iter().map(|rounds| Burst { rounds: rounds.clone(), incident: incident(series, rounds, otherwise) }).collect()
}

fn incident(series: &Series<'_>, rounds: &Range<usize>, otherwise: (usize, usize)) -> Incident {
    let burst = &series.rounds[rounds.clone()];
    let due = || burst.iter().flat_map(|round| round.due);
    let failed = || due().filter(|(_, reading)| !reading.succeeded()).map(|(noted, _)| *noted);
    let mut classes: BTreeMap<OutcomeClass, usize> = BTreeMap::new();
    failed().for_each(|noted| *classes.entry(noted.operation.class).or_default() += 1);
    Incident {
        what: What::FailureBurst { classes, due: due().count(), otherwise },
        from: burst[0].at,
        to: series.rounds.get(rounds.end).map(|round| round.at),
        place: series.place.clone(),
        ids: examples(failed()),
    }
}

/// The ranges of blocks that are bursts.
fn bursts(tallies: &[Tally], level: f64) -> Vec<Range<usize>> {
    let mut left = tallies.to_vec();
    let logs = Logs::up_to(tallies.iter().map(|(_, due)| *due).sum());
    let mut found = Vec::new();
    while found.len() < MAX_BURSTS {
        let Some((excess, widest)) = logs.scan(&left) else { break };
        let at_least = |drawn: &[Tally]| logs.scan(drawn).is_some_and(|(other, _)| other >= excess);
        if !beyond_chance(&left, level, at_least) {
            break;
        }
        let burst = logs.refine(&left, widest);
        // Neither does it stand out any more, nor does it hide what else does.
        left[burst.clone()].fill((0, 0));
        found.push(burst);
    }
    found
}

/// The products `x ln x` of all whole numbers that can occur.
struct Logs(Vec<f64>);

impl Logs {
    fn up_to(most: u32) -> Self {
        Self((0..=most).map(|x| if x == 0 { 0.0 } else { f64::from(x) * f64::from(x).ln() }).collect())
    }

    /// The logarithm of how likely so many successes and failures are at their own rate.
    fn likely(&self, failed: u32, due: u32) -> f64 {
        self.0[failed as usize] + self.0[(due - failed) as usize] - self.0[due as usize]
    }

    /// How much better the blocks are explained if those inside have a rate of their own, which has to be higher. `None` if it is not, or
    /// if it is of too few failures.
    fn excess(&self, inside: Tally, all: Tally) -> Option<f64> {
        let outside = (all.0 - inside.0, all.1 - inside.1);
        let is_higher = u64::from(inside.0) * u64::from(outside.1) > u64::from(outside.0) * u64::from(inside.1);
        (inside.0 >= MIN_FAILED && is_higher)
            .then(|| self.likely(inside.0, inside.1) + self.likely(outside.0, outside.1) - self.likely(all.0, all.1))
    }

    /// The stretch that stands out most.
    fn scan(&self, tallies: &[Tally]) -> Option<(f64, Range<usize>)> {
        let lengths =
            std::iter::successors(Some(1), |length| Some(2 * length)).take_while(|length| 2 * length <= tallies.len());
        let sums = sums(tallies);
        let stretches = lengths.flat_map(|length| (0..=tallies.len() - length).map(move |start| start..start + length));
        self.most(&sums, stretches)
    }

    /// The stretch around this one that stands out most: its ends need not be a power of two apart.
    fn refine(&self, tallies: &[Tally], around: Range<usize>) -> Range<usize> {
        let sums = sums(tallies);
        let reach = around.len();
        let starts = around.start.saturating_sub(reach)..around.end;
        let last = (around.end + reach).min(tallies.len());
        // A stretch that touches nothing of this one would be another burst, which has not been judged.
        let stretches = starts.flat_map(|start| (start.max(around.start) + 1..=last).map(move |end| start..end));
        let at_most_half = stretches.filter(|stretch| 2 * stretch.len() <= tallies.len());
        self.most(&sums, at_most_half).map_or(around, |(_, stretch)| stretch)
    }

    fn most(&self, sums: &[Tally], stretches: impl Iterator<Item = Range<usize>>) -> Option<(f64, Range<usize>)> {
        let all = *sums.last()?;
        let judged = stretches.filter_map(|stretch| {
            let (from, to) = (sums[stretch.start], sums[stretch.end]);
            Some((self.excess((to.0 - from.0, to.1 - from.1), all)?, stretch))
        });
        judged.max_by(|(a, one), (b, other)| a.total_cmp(b).then(other.start.cmp(&one.start)))
    }
}

/// The tallies before each block, and of all.
fn sums(tallies: &[Tally]) -> Vec<Tally> {
    let mut sums = vec![(0, 0)];
    for (index, (failed, due)) in tallies.iter().enumerate() {
        let (before_failed, before_due): Tally = sums[index];
        sums.push((before_failed + failed, before_due + due));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVEL: f64 = 0.01;

    #[test]
    fn what_fails_in_a_row_is_a_burst_and_what_fails_now_and_then_is_none() {
        let regular: Vec<Tally> = (0..200).map(|block| (u32::from(block % 20 == 0), 1)).collect();
        assert_eq!(bursts(&regular, LEVEL), Vec::<Range<usize>>::new());
        let mut outage = regular.clone();
        outage[83..93].fill((1, 1));
        let found = bursts(&outage, LEVEL);
        assert!(found.len() == 1 && found[0] == (83..93), "{found:?}");
    }

    #[test]
    fn a_second_burst_is_found_behind_the_first() {
        let mut two: Vec<Tally> = (0..200).map(|block| (u32::from(block % 40 == 0), 2)).collect();
        two[50..70].fill((2, 2));
        two[150..158].fill((2, 2));
        let mut found = bursts(&two, LEVEL);
        found.sort_by_key(|burst| burst.start);
        assert_eq!(found, [50..70, 150..158]);
    }

    #[test]
    fn two_failures_are_no_burst_and_neither_is_a_time_in_which_all_fail() {
        let mut few: Vec<Tally> = vec![(0, 1); 1_000];
        few[500..502].fill((1, 1));
        assert_eq!(bursts(&few, LEVEL), Vec::<Range<usize>>::new());
        assert_eq!(bursts(&vec![(1, 1); 100], LEVEL), Vec::<Range<usize>>::new());
        assert_eq!(bursts(&[], LEVEL), Vec::<Range<usize>>::new());
    }

    #[test]
    fn the_ends_of_a_burst_never_move_to_a_stretch_beside_it() {
        let tallies: Vec<Tally> = [(1, 1), (0, 1), (1, 1), (0, 0), (2, 2), (0, 1), (0, 2), (0, 0), (0, 0), (2, 3)]
            .into_iter()
            .chain([(0, 1), (2, 2), (2, 4), (2, 2), (0, 0), (1, 2), (1, 1), (0, 1), (0, 0), (0, 1), (0, 1)])
            .collect();
        let logs = Logs::up_to(tallies.iter().map(|(_, due)| *due).sum());
        let (_, stretch) = logs.scan(&tallies).unwrap();
        let refined = logs.refine(&tallies, stretch.clone());
        assert!(refined.start < stretch.end && stretch.start < refined.end, "{refined:?} {stretch:?}");
    }

    proptest! {
        #[test]
        fn a_burst_fails_more_often_than_the_rest(tallies in proptest::collection::vec((0..3u32, 0..3u32), 0..80)) {
            let tallies: Vec<Tally> = tallies.into_iter().map(|(failed, fine)| (failed, failed + fine)).collect();
            let logs = Logs::up_to(tallies.iter().map(|(_, due)| *due).sum());
            if let Some((excess, stretch)) = logs.scan(&tallies) {
                let rate = |tallies: &mut dyn Iterator<Item = &Tally>| {
                    let (failed, due) = tallies.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
                    f64::from(failed) / f64::from(due.max(1))
                };
                let inside = rate(&mut tallies[stretch.clone()].iter());
                let outside = rate(&mut tallies[..stretch.start].iter().chain(&tallies[stretch.end..]));
                prop_assert!(excess >= -1e-9 && inside > outside, "{inside} {outside}");
                let refined = logs.refine(&tallies, stretch.clone());
                prop_assert!(refined.start < stretch.end && stretch.start < refined.end, "{refined:?} {stretch:?}");
            }
        }
    }
}
