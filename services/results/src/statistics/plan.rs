//! How long to measure.

use statrs::distribution::{ContinuousCDF, Normal};

use super::blocks::Blocks;
use super::interval::{CONFIDENCE, Z};
use super::resample::{Group, MIN_ROUNDS, RESAMPLES, draw, ends, generator, sorted};
use super::{Interval, Sample};

/// The most rounds that are proposed: at one a second, four months. Who would need more will not see it.
const MAX_ROUNDS: u64 = 10_000_000;

/// How many times as many rounds are thought of: beyond that, a count of rounds means nothing.
const MOST_TIMES: f64 = 1e12;

/// How often a difference of the size in question is to be found: the field's habit.
const POWER: f64 = 0.8;

/// How many rounds of each of two groups it takes to see that the quantile `q` of one is by `effect` (0.2 for 20 %) longer than that of
/// the other, when both vary like `sample`, in at least 80 % of cases, while `questions` are asked at once. `None` if the
/// sample does not carry the quantile or is too small, or if it takes more than ten million.
///
/// For rounds of their own in each group; where both groups are measured in the same rounds, it takes fewer.
pub fn rounds_to_see(sample: &Sample, q: f64, effect: f64, questions: usize) -> Option<u64> {
    sample.quantile(q)?;
    let rounds = sample.counts().rounds;
    if rounds < MIN_ROUNDS {
        return None;
    }
    let blocks = Blocks::of(sample, &Sample::default());
    let group = Group::new(sample, &blocks, |_| 1.0);
    let (prepared, mut rng, mut drawn) = (group.prepare(q), generator(), vec![0.0; blocks.count()]);
    let logs = sorted((0..RESAMPLES).map(|_| {
        draw(&blocks, &mut rng, &mut drawn);
        group.quantile(&prepared, &drawn).ln()
    }));
    let (low, high) = ends(&logs, CONFIDENCE);
    let error = std::f64::consts::SQRT_2 * (high - low) / (2.0 * Z);
    rounds_for(error, effect.ln_1p(), rounds as f64, questions)
}

/// How many rounds of each group would probably (in at least 80 % of cases) decide a comparison whose interval, on a scale on which 0
/// means the same, is this one with `rounds` rounds: set it apart from 0, or fit it into `margin`. `None` if the interval does not say.
///
/// What was found so far is itself uncertain, and an undecided comparison whose difference looks large is mostly one whose
/// difference is smaller: whoever planned with the difference that was found would often measure in vain. So every difference
/// counts that the interval allows for, as often as it is likely (assurance; O'Hagan, Stevens and Campbell, Pharmaceutical Statistics 4,
/// 2005).
pub(super) fn rounds_to_decide(interval: Interval, margin: f64, rounds: f64, questions: usize) -> Option<u64> {
    let error = (interval.high - interval.low) / (2.0 * Z);
    if !error.is_finite() || error <= 0.0 {
        return None;
    }
    let decides =
        |factor: f64| undecided(interval.value, error, error / factor.sqrt(), margin, questions) <= 1.0 - POWER;
    // By how many times more rounds it takes. The error shrinks with their root, and so what it leaves open vanishes.
    let (mut low, mut high) = (1.0, 2.0);
    while !decides(high) && high < MOST_TIMES {
        (low, high) = (high, 2.0 * high);
    }
    while high - low > 1e-3 * low {
        let middle = f64::midpoint(low, high);
        if decides(middle) { high = middle } else { low = middle }
    }
    // Whoever has this many and does not know needs more in any case.
    Some(((high * rounds).ceil() as u64).max(rounds as u64 + 1))
}

/// How likely a comparison with the error `later` leaves open what one with the error `error` has found to be `found`.
fn undecided(found: f64, error: f64, later: f64, margin: f64, questions: usize) -> f64 {
    // Where the later one finds something between these, on either side of 0, it is neither apart from 0 nor within the margin.
    let (equal, apart) = ((margin - Z * later).max(0.0), sure(questions) * later);
    if apart <= equal {
        return 0.0;
    }
    let spread = error.hypot(later);
    let below = |value: f64| Normal::standard().cdf((value - found) / spread);
    below(apart) - below(equal) + below(-equal) - below(-apart)
}

/// How many errors a difference has to be away from 0 to be told from it, while so many questions are asked at once.
fn sure(questions: usize) -> f64 {
    Normal::standard().inverse_cdf(1.0 - 0.05 / (2.0 * questions.max(1) as f64))
}

/// An error that was found with `rounds` rounds shrinks with their root.
fn rounds_for(error: f64, distance: f64, rounds: f64, questions: usize) -> Option<u64> {
    let sure = sure(questions) + Normal::standard().inverse_cdf(POWER);
    // The error of a quantile is itself known only to about the fourth root of n (Hall and Martin, Probability Theory and Related Fields
    // 80, 1988). Who plans with too small a one measures in vain.
    let error = error * (1.0 + rounds.powf(-0.25));
    let needed = (sure * error / distance).powi(2) * rounds;
    (distance > 0.0 && error.is_finite() && needed <= MAX_ROUNDS as f64)
        .then(|| (needed.ceil() as u64).max(MIN_ROUNDS as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(value: f64, error: f64) -> Interval {
        Interval { value, low: value - Z * error, high: value + Z * error }
    }

    #[test]
    fn an_undecided_difference_is_not_taken_for_the_true_one() {
        for errors in [1.25, 1.9] {
            // What it takes to tell the difference that was found, were it the true one: 5 % of false alarms, a power of 80 %.
            let of_the_found = (60.0 * (2.8_f64 / errors).powi(2)) as u64;
            let asked = rounds_to_decide(interval(0.2 * errors, 0.2), 0.05, 60.0, 1).unwrap();
            assert!((of_the_found..=10 * of_the_found).contains(&asked), "{errors}: {asked}, not {of_the_found}");
            assert!(2 * asked > 3 * of_the_found, "{errors}: {asked}, not {of_the_found}");
        }
    }

    #[test]
    fn the_more_is_asked_at_once_the_more_rounds_it_takes() {
        let asked = |questions| rounds_to_decide(interval(0.1, 0.1), 0.05, 60.0, questions).unwrap();
        assert!(asked(1) < asked(3) && asked(3) < asked(30), "{} {} {}", asked(1), asked(3), asked(30));
    }

    #[test]
    fn an_interval_without_an_end_says_nothing() {
        let endless = Interval { value: 0.3, low: -0.1, high: f64::INFINITY };
        assert_eq!(rounds_to_decide(endless, 0.05, 60.0, 1), None);
        assert_eq!(
            rounds_to_decide(interval(0.0, 0.0), 0.0, 60.0, 1),
            None,
            "all the same, and nothing counts as equal"
        );
    }

    proptest! {
        #[test]
        fn with_the_rounds_that_are_asked_for_little_is_left_open(
            value in -1.0..1.0f64, error in 0.001..1.0f64, margin in 0.0..0.2f64, rounds in 10..5_000u32, questions in 1..60usize,
        ) {
            let rounds = f64::from(rounds);
            let asked = rounds_to_decide(interval(value, error), margin, rounds, questions).unwrap();
            prop_assert!(asked as f64 > rounds);
            let later = error / (asked as f64 / rounds).sqrt();
            let open = undecided(value, error, later, margin, questions);
            prop_assert!((0.0..=0.2 + 1e-3).contains(&open), "{open} of {asked}");
        }

        #[test]
        fn what_is_measured_in_other_units_takes_as_many_rounds(
            value in -1.0..1.0f64, error in 0.01..1.0f64, margin in 0.0..0.2f64, unit in 0.1..10.0f64,
        ) {
            let asked = |unit: f64| rounds_to_decide(interval(unit * value, unit * error), unit * margin, 100.0, 3).unwrap();
            prop_assert!(asked(1.0).abs_diff(asked(unit)) <= asked(1.0) / 500 + 1);
        }
    }
}
