//! What chance alone would show: tests by exchanging rounds.
//!
//! If nothing happened, the rounds of a series could have come in any order. Whatever a statistic says of them is compared with what it
//! says of the same rounds in orders that are drawn: an exact test (E. J. G. Pitman, "Significance tests which may be applied to
//! samples from any populations", 1937), whatever the distribution of times and failures, and whatever the attempts of a round have in
//! common.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

/// How often a stretch of time in which nothing happened may show a burst or a shift, in any of its series.
pub const FALSE_ALARMS: f64 = 0.05;

/// How many of the drawn orders may be as extreme as the one that was measured. With more of them a p-value would be more precise, and
/// the test no better.
const SPARE: f64 = 4.0;

/// The seed of every search: the same rows give the same incidents.
const SEED: u64 = 0x0069_6e63_6964;

/// The level of each of so many tests (Bonferroni: they may depend on each other in any way).
pub(super) fn level(tests: usize) -> f64 {
    FALSE_ALARMS / tests.max(1) as f64
}

/// Whether so few orders of `items` are `as_extreme` as the one that was measured that chance does not explain it at this level. An
/// order that is one of many is known for such after a few draws.
pub(super) fn beyond_chance<T: Clone>(items: &[T], level: f64, as_extreme: impl Fn(&[T]) -> bool) -> bool {
    let mut rng = Pcg64Mcg::seed_from_u64(SEED);
    let mut drawn = items.to_vec();
    let mut spare = SPARE as u32;
    for _ in 1..(SPARE / level).ceil() as u64 {
        drawn.shuffle(&mut rng);
        if as_extreme(&drawn) {
            spare -= 1;
            if spare == 0 {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_order_shows_is_chance_and_what_one_order_in_many_shows_is_not() {
        let items: Vec<u32> = (0..40).collect();
        assert!(!beyond_chance(&items, 0.01, |_| true));
        assert!(beyond_chance(&items, 0.01, |drawn| drawn.is_sorted()));
    }
}
