//! Quantiles of all due attempts, failures included, with intervals of order statistics.

use statrs::function::beta::beta_reg;

use super::Reading;
use super::interval::CONFIDENCE;

pub(super) const P50: (&str, f64) = ("p50", 0.5);
pub(super) const P90: (&str, f64) = ("p90", 0.9);

/// The quantiles that are told of a group, with their names. Comparisons are about the first two: few groups carry the last.
pub const QUANTILES: [(&str, f64); 3] = [P50, P90, ("p99", 0.99)];

/// The most attempts that are proposed to carry a quantile: p99.99 takes about 37,000.
const MOST_ATTEMPTS: usize = 50_000;

/// A quantile and its interval. All three are readings that were taken: nothing is interpolated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// Which one, between 0 and 1.
    pub q: f64,
    /// The reading at it: the smallest that a share `q` of all due attempts does not exceed.
    pub value: Reading,
    /// The lower end of its 95 % interval.
    pub low: Reading,
    /// The upper end.
    pub high: Reading,
}

/// The ranks (from 1) between which the true quantile `q` lies with 95 % certainty, whatever the distribution. `None` if `n` is too
/// small to carry it.
///
/// Exact for independent readings: the number of readings below the true quantile is binomial (David and Nagaraja, "Order Statistics",
/// 2003, section 7.1). Of all pairs of ranks that reach 95 % this is the one that misses as often on either side as possible and
/// is then drawn in as far as 95 % allows. Readings that say as much as `effective_n` independent ones have their ranks
/// stretched in proportion (Woodruff, JASA 47, 1952).
pub(super) fn ranks(q: f64, n: usize, effective_n: f64) -> Option<(usize, usize)> {
    let (low, high) = rank_ends(q, n, effective_n, CONFIDENCE);
    Some((low?, high?))
}

/// The same with another certainty. An end is `None` if `n` is too small to say anything on that side.
pub(super) fn rank_ends(q: f64, n: usize, effective_n: f64, confidence: f64) -> (Option<usize>, Option<usize>) {
    let scale = effective_n / n as f64;
    // How certain it is that the reading of this rank does not exceed the true quantile.
    let reached = |rank: usize| {
        let rank = rank as f64 * scale;
        let rest = effective_n - rank + 1.0;
        if rank <= 0.0 { 1.0 } else { beta_reg(rank, rest, q) }
    };
    let tail = (1.0 - confidence) / 2.0;
    let low = partition(n, |rank| reached(rank) >= 1.0 - tail).checked_sub(1).filter(|rank| *rank >= 1);
    let high = Some(partition(n, |rank| reached(rank) > tail)).filter(|rank| *rank <= n);
    let (Some(mut low), Some(mut high)) = (low, high) else { return (low, high) };
    loop {
        let up = reached(low + 1) - reached(high);
        let down = reached(low) - reached(high - 1);
        if low + 1 < high && up >= confidence && up >= down {
            low += 1;
        } else if low + 1 < high && down >= confidence {
            high -= 1;
        } else {
            return (Some(low), Some(high));
        }
    }
}

/// How many independent attempts it takes to carry the quantile `q`. `None` if that is more than anybody measures.
pub fn attempts_to_carry(q: f64) -> Option<usize> {
    (1..=MOST_ATTEMPTS).find(|n| ranks(q, *n, *n as f64).is_some())
}

/// The first rank from 1 for which `holds` is no longer true; `n + 1` if there is none. `holds` never becomes true again.
fn partition(n: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (1, n + 1);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use parsec_measure::nearest_rank;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_those_of_the_literature() {
        // Hahn and Meeker, "Statistical Intervals", 1991, table A.15a: the median of 20 lies between the 6th and the 15th.
        assert_eq!(ranks(0.5, 20, 20.0), Some((6, 15)));
        assert_eq!(ranks(0.5, 5, 5.0), None);
        assert_eq!(ranks(0.5, 6, 6.0), Some((1, 6)));
    }

    #[test]
    fn a_quantile_that_n_does_not_carry_has_no_interval() {
        assert_eq!(ranks(0.99, 40, 40.0), None);
        assert_eq!(ranks(0.9, 20, 20.0), None);
        assert!(ranks(0.9, 50, 50.0).is_some());
        assert!(ranks(0.99, 500, 500.0).is_some());
        assert_eq!(ranks(0.9, 50, 20.0), None);
        for (q, attempts) in [(0.5, Some(6)), (0.9, Some(36)), (0.99, Some(368)), (0.999_999, None)] {
            assert_eq!(attempts_to_carry(q), attempts, "{q}");
        }
    }

    #[test]
    fn a_side_of_which_n_says_nothing_has_no_end() {
        // Of 40 attempts, the p90 is carried on both sides with 95 %, and only from below with 99.9 %.
        assert!(ranks(0.9, 40, 40.0).is_some());
        let (low, high) = rank_ends(0.9, 40, 40.0, 0.999);
        assert!(low.is_some_and(|low| low < ranks(0.9, 40, 40.0).unwrap().0) && high.is_none(), "{low:?} {high:?}");
        assert_eq!(rank_ends(0.5, 1, 1.0, 0.95), (None, None));
    }

    proptest! {
        #[test]
        fn who_wants_to_be_surer_gets_ends_further_out(n in 10..2_000usize, q in 0.05..0.95f64, more in 0.95..0.9999f64) {
            let (low, high) = rank_ends(q, n, n as f64, CONFIDENCE);
            let (surer_low, surer_high) = rank_ends(q, n, n as f64, more);
            // Where an interval was drawn in, its other end is one rank further out than it would have to be.
            prop_assert!(surer_low.unwrap_or(0) <= low.unwrap_or(0) + 1, "{low:?} {surer_low:?}");
            prop_assert!(high.unwrap_or(n + 1) <= surer_high.unwrap_or(n + 1) + 1, "{high:?} {surer_high:?}");
        }

        #[test]
        fn the_interval_holds_the_estimate_and_is_no_wider_than_it_must_be(n in 10..2_000usize, q in 0.05..0.95f64, design in 1.0..6.0f64) {
            let Some((low, high)) = ranks(q, n, n as f64) else { return Ok(()) };
            prop_assert!(1 <= low && low <= nearest_rank(q, n) && nearest_rank(q, n) <= high && high <= n);
            if let Some((wider_low, wider_high)) = ranks(q, n, n as f64 / design) {
                prop_assert!(wider_low <= low + 1 && high <= wider_high + 1, "{low}..{high} in {wider_low}..{wider_high}");
            }
        }
    }
}
