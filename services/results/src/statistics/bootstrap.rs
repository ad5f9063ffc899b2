//! Intervals of any figures that are made of rounds.

use super::interval::CONFIDENCE;
use super::resample::{ends, generator, sorted};
use rand::RngExt;

/// How often rounds are drawn. A figure here is a mean, whose interval moves less from seed to seed than that of a quantile in a
/// comparison, and a table has hundreds of them.
const RESAMPLES: usize = 2_000;

/// Between which ends 95 % of what the figures are lies if so many units are drawn with replacement: `figures` is told how often each is
/// drawn. `None` if they never say anything.
pub(crate) fn intervals<const N: usize>(
    units: usize,
    mut figures: impl FnMut(&[f64]) -> Option<[f64; N]>,
) -> Option<[(f64, f64); N]> {
    let (mut rng, mut drawn, mut found) = (generator(), vec![0.0; units], Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        drawn.fill(0.0);
        for _ in 0..units {
            drawn[rng.random_range(0..units)] += 1.0;
        }
        found.extend(figures(&drawn));
    }
    if found.is_empty() {
        return None;
    }
    Some(std::array::from_fn(|figure| {
        ends(&sorted(found.iter().map(|figures: &[f64; N]| figures[figure])), CONFIDENCE)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_as_sure_as_the_textbook_says() {
        let values: Vec<f64> = (0..400).map(|index| f64::from(index % 20)).collect();
        let mean = |drawn: &[f64]| drawn.iter().zip(&values).map(|(times, value)| times * value).sum::<f64>() / 400.0;
        let [(low, high)] = intervals(400, |drawn| Some([mean(drawn)])).unwrap();
        // The standard deviation of 0 to 19 is 5.77, of their mean 0.288.
        assert!((low - 8.935).abs() < 0.05 && (high - 10.065).abs() < 0.05, "{low} {high}");
        assert_eq!(intervals::<1>(3, |_| None), None);
    }
}
