//! Shifts of p90: moments at which the time after which nine of ten attempts had succeeded changed, for a while or for good.
//!
//! Each attempt has a score: the cube of its rank among all, from 0 to 1, failures last. Half of the weight then lies with the slowest sixth,
//! and yet all attempts have a say, which a count of those beyond p90 would waste. The stretch whose scores are most unlike the rest is
//! looked for among all (circular binary segmentation: Olshen and others, Biostatistics 5, 2004), judged, and its parts are searched
//! again. What is reported is p90 on both sides, where it differs.

use std::ops::Range;

use super::burst::Burst;
use super::chance::beyond_chance;
use super::incident::{Incident, What, examples};
use super::series::{Played, Series, blocks, sample};
use crate::statistics::{Quantile, Reading};

/// The most blocks: all stretches of them are some 8,000.
const MAX_BLOCKS: usize = 128;

/// The fewest attempts that carry a p90.
const MIN_ATTEMPTS: f64 = 40.0;

/// The most shifts of a series that are told.
const MAX_SHIFTS: usize = 8;

/// The scores of the attempts of a block added up, and how many attempts that are.
type Tally = (f64, f64);

/// The shifts of a series that chance does not explain at this level. What failed in bursts is told as such and left out.
pub(super) fn find(series: &Series<'_>, bursts: &[Burst], level: f64) -> Vec<Incident> {
    let in_burst = |index: usize| bursts.iter().any(|burst| burst.rounds.contains(&index));
    let rounds = series.rounds.iter().enumerate().filter(|(index, _)| !in_burst(*index));
    let rounds: Vec<&Played<'_>> = rounds.map(|(_, round)| round).collect();
    let blocks = blocks(rounds.len(), MAX_BLOCKS);
    let of = |range: &Range<usize>| &rounds[blocks[range.start].start..blocks[range.end - 1].end];
    let tallies = |range: &Range<usize>| {
        let mut scores = scores(of(range)).into_iter();
        let mut tally = |block: &Range<usize>| {
            let due: usize = rounds[block.clone()].iter().map(|round| round.due.len()).sum();
            (scores.by_ref().take(due).sum(), due as f64)
        };
        blocks[range.clone()].iter().map(&mut tally).collect::<Vec<Tally>>()
    };
    let parts = parts(blocks.len(), level, tallies);
    let mut found = Vec::new();
    for (index, pair) in parts.windows(2).enumerate() {
        let (before, after) = (of(&pair[0]), of(&pair[1]));
        let (earlier, later) = (sample(before), sample(after));
        let (Some(was), Some(is)) = (earlier.quantile(0.9), later.quantile(0.9)) else { continue };
        // Something else has changed, and p90 has not, as far as it is known.
        if within(was, is.value) && within(is, was.value) {
            continue;
        }
        found.push(Incident {
            what: What::P90Shift { before: was, after: is, rounds: (before.len(), after.len()) },
            from: after[0].at,
            to: parts.get(index + 2).map(|next| of(next)[0].at),
            place: series.place.clone(),
            ids: examples(
                after.iter().flat_map(|round| round.due).filter(|(_, r)| r.succeeded()).map(|(noted, _)| *noted),
            ),
        });
    }
    found
}

/// Whether a reading lies within the interval of a quantile.
fn within(quantile: Quantile, reading: Reading) -> bool {
    quantile.low.order(reading).is_le() && reading.order(quantile.high).is_le()
}

/// The scores of all attempts of these rounds, in their order. Those that took equally long have the same.
fn scores(rounds: &[&Played<'_>]) -> Vec<f64> {
    let seconds: Vec<f64> = rounds.iter().flat_map(|round| round.due).map(|(_, reading)| reading.seconds()).collect();
    let mut sorted = seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let score = |value: &f64| {
        let below = sorted.partition_point(|other| other < value);
        let up_to = sorted.partition_point(|other| other <= value);
        let rank = (below + up_to) as f64 / (2 * sorted.len()) as f64;
        rank.powi(3)
    };
    seconds.iter().map(score).collect()
}

/// Cuts `0..count` where scores change. `tallies` are those of a part, by the ranks in it.
fn parts(count: usize, level: f64, tallies: impl Fn(&Range<usize>) -> Vec<Tally>) -> Vec<Range<usize>> {
    if count == 0 {
        return Vec::new();
    }
    let all = 0..count;
    let (mut parts, mut open) = (vec![all.clone()], vec![all]);
    while let Some(part) = open.pop().filter(|_| parts.len() <= MAX_SHIFTS) {
        let tallies = tallies(&part);
        let Some((distance, stretch)) = widest(&tallies) else { continue };
        if !beyond_chance(&tallies, level, |drawn| widest(drawn).is_some_and(|(other, _)| other >= distance)) {
            continue;
        }
        let cuts = [part.start, part.start + stretch.start, part.start + stretch.end, part.end];
        let smaller: Vec<_> = cuts.windows(2).map(|ends| ends[0]..ends[1]).filter(|part| !part.is_empty()).collect();
        parts.retain(|other| *other != part);
        parts.extend(smaller.iter().cloned());
        open.extend(smaller);
    }
    parts.sort_by_key(|part| part.start);
    joined(parts, level, tallies)
}

/// The same, neighbours joined that do not differ: the stretch that stands out most may be cut off a little too late.
fn joined(parts: Vec<Range<usize>>, level: f64, tallies: impl Fn(&Range<usize>) -> Vec<Tally>) -> Vec<Range<usize>> {
    let mut kept: Vec<Range<usize>> = Vec::new();
    for part in parts {
        match kept.last_mut() {
            Some(last) if !differ(&tallies(&(last.start..part.end)), last.len(), level) => last.end = part.end,
            _ => kept.push(part),
        }
    }
    kept
}

/// Whether the first so many blocks are unlike the others.
fn differ(tallies: &[Tally], first: usize, level: f64) -> bool {
    let distance_at = |tallies: &[Tally]| {
        let sum = |tallies: &[Tally]| tallies.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        distance(sum(&tallies[..first]), sum(tallies))
    };
    let Some(measured) = distance_at(tallies) else { return false };
    beyond_chance(tallies, level, |drawn| distance_at(drawn).is_some_and(|other| other >= measured))
}

/// How far the mean score inside is from that of all, squared, in units of its variance but for a factor that all stretches share. `None` if
/// either side carries no p90.
fn distance((inside, n): Tally, (all, all_n): Tally) -> Option<f64> {
    let rest = all_n - n;
    (n >= MIN_ATTEMPTS && rest >= MIN_ATTEMPTS).then(|| {
        let excess = inside - n * all / all_n;
        // Sums come in another order in each drawn one; what differs in the last digits is the same.
        (excess * excess / (n * rest / all_n) * 1e9).round() / 1e9
    })
}

/// The stretch of blocks that is most unlike the rest.
fn widest(tallies: &[Tally]) -> Option<(f64, Range<usize>)> {
    let mut sums = vec![(0.0, 0.0)];
    for (index, (scores, due)) in tallies.iter().enumerate() {
        let (before_scores, before_due): Tally = sums[index];
        sums.push((before_scores + scores, before_due + due));
    }
    let all = *sums.last()?;
    let mut best: Option<(f64, Range<usize>)> = None;
    for start in 0..tallies.len() {
        for end in start + 1..=tallies.len() {
            let (from, to) = (sums[start], sums[end]);
            let Some(distance) = distance((to.0 - from.0, to.1 - from.1), all) else { continue };
            if best.as_ref().is_none_or(|(most, _)| distance > *most) {
                best = Some((distance, start..end));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVEL: f64 = 0.01;

    /// Blocks of two attempts, of which this many in a hundred have the highest score.
    fn blocks_of(shares: &[(usize, u32)]) -> Vec<Tally> {
        let shares = shares.iter().flat_map(|(count, share)| std::iter::repeat_n(*share, *count));
        shares.enumerate().map(|(index, share)| (f64::from(u8::from((index as u32 * 37) % 100 < share)), 2.0)).collect()
    }

    fn cut(shares: &[(usize, u32)]) -> Vec<Range<usize>> {
        let all = blocks_of(shares);
        parts(all.len(), LEVEL, |part| all[part.clone()].to_vec())
    }

    #[test]
    fn what_stays_as_it_is_has_one_part() {
        assert_eq!(cut(&[(120, 20)]).len(), 1);
        assert_eq!(cut(&[]), Vec::<Range<usize>>::new());
    }

    #[test]
    fn a_change_for_good_has_two_parts_and_a_change_for_a_while_three() {
        let found = cut(&[(70, 4), (50, 60)]);
        assert!(found.len() == 2 && found[1].start.abs_diff(70) <= 3, "{found:?}");
        let found = cut(&[(40, 4), (40, 70), (40, 4)]);
        assert!(found.len() == 3 && found[1].start.abs_diff(40) <= 3 && found[1].end.abs_diff(80) <= 3, "{found:?}");
    }

    #[test]
    fn no_part_is_too_short_to_carry_a_p90() {
        for parts in [cut(&[(15, 100), (100, 0)]), cut(&[(30, 0), (5, 100), (30, 0)])] {
            assert!(parts.iter().all(|part| 2.0 * part.len() as f64 >= MIN_ATTEMPTS), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_without_gaps(shares in proptest::collection::vec((1..30usize, 0..100u32), 0..4)) {
            let parts = cut(&shares);
            let count: usize = shares.iter().map(|(count, _)| count).sum();
            prop_assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}
