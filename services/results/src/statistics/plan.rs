//! How long to measure.

use statrs::distribution::{ContinuousCDF, Normal};

use super::blocks::Blocks;
use super::interval::Z;
use super::resample::{Group, MIN_ROUNDS, RESAMPLES, draw, ends, generator, sorted};
use super::{Interval, Sample};

/// The most rounds that are proposed: at one a second, four months. Who would need more will not see it.
const MAX_ROUNDS: u64 = 10_000_000;

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
    let blocks = Blocks::of(sample.taken(), &[]);
    let group = Group::new(sample.taken(), &blocks, |_| 1.0);
    let (prepared, mut rng, mut drawn) = (group.prepare(q), generator(), vec![0.0; blocks.count()]);
    let logs = sorted((0..RESAMPLES).map(|_| {
        draw(&blocks, &mut rng, &mut drawn);
        group.quantile(&prepared, &drawn).ln()
    }));
    let (low, high) = ends(&logs);
    let error = std::f64::consts::SQRT_2 * (high - low) / (2.0 * Z);
    rounds_for(error, effect.ln_1p(), rounds as f64, questions)
}

/// How many rounds of each group would decide a comparison whose interval, on a scale on which 0 means the same, is this one with
/// `rounds` rounds: enough to set it apart from 0, or to fit it into `margin`, whichever takes fewer.
pub(super) fn rounds_to_decide(interval: Interval, margin: f64, rounds: f64, questions: usize) -> Option<u64> {
    let error = (interval.high - interval.low) / (2.0 * Z);
    let apart = interval.value.abs();
    let different = rounds_for(error, apart, rounds, questions);
    let equal = rounds_for(error, margin - apart, rounds, questions);
    let fewest = different.into_iter().chain(equal).min()?;
    // Whoever has this many and does not know needs more in any case.
    Some(fewest.max(rounds as u64 + 1))
}

/// An error that was found with `rounds` rounds shrinks with their root.
fn rounds_for(error: f64, distance: f64, rounds: f64, questions: usize) -> Option<u64> {
    let normal = Normal::standard();
    let sure = normal.inverse_cdf(1.0 - 0.05 / (2.0 * questions.max(1) as f64)) + normal.inverse_cdf(POWER);
    // The error of a quantile is itself known only to about the fourth root of n (Hall and Martin, Probability Theory and Related Fields
    // 80, 1988). Who plans with too small a one measures in vain.
    let error = error * (1.0 + rounds.powf(-0.25));
    let needed = (sure * error / distance).powi(2) * rounds;
    (distance > 0.0 && error.is_finite() && needed <= MAX_ROUNDS as f64)
        .then(|| (needed.ceil() as u64).max(MIN_ROUNDS as u64))
}
