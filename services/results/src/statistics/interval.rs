//! Estimates with what they are worth.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use super::clusters::effective_n;

/// How often an interval is to hold the true value: the field's habit, and what all intervals are made for unless somebody asks for
/// more.
pub const CONFIDENCE: f64 = 0.95;

/// The standard normal quantile at 0.975.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// An estimate and the ends of its 95 % interval. An end may be infinite where failures reach that far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies between the ends, which count.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// A share of attempts, with Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many it is of.
    pub n: usize,
    /// How many of them.
    pub of: usize,
    /// The share and its interval.
    pub share: Interval,
    /// How many independent attempts would say as much as these `n`.
    pub effective_n: f64,
}

impl Share {
    /// `of` out of `n`, which say as much as `effective_n` independent ones. `None` if `n` is 0.
    ///
    /// Wilson's score interval (E. B. Wilson, JASA 22, 1927): unlike the textbook's it is right near 0 and 1, where success rates are.
    pub fn new(of: usize, n: usize, effective_n: f64) -> Option<Self> {
        if n == 0 {
            return None;
        }
        Some(Self { n, of, share: wilson(of as f64 / n as f64, effective_n, CONFIDENCE), effective_n })
    }

    /// The interval that holds the true share this often.
    pub fn interval(&self, confidence: f64) -> Interval {
        wilson(self.share.value, self.effective_n, confidence)
    }

    /// The share of all answers that are yes, where answers come in clusters that have much in common. Each is given as how many say yes,
    /// and how many there are. `None` if there are no answers.
    pub fn of_clusters(clusters: impl Iterator<Item = (f64, f64)> + Clone) -> Option<Self> {
        let (of, n) = clusters.clone().fold((0.0, 0.0), |(of, n), (some, all)| (of + some, n + all));
        Self::new(of as usize, n as usize, effective_n(clusters))
    }
}

/// Wilson's interval of a share that was found in as much as `n` independent attempts.
pub(super) fn wilson(share: f64, n: f64, confidence: f64) -> Interval {
    let z = reach(confidence);
    let weight = z * z / n;
    let middle = (share + weight / 2.0) / (1.0 + weight);
    let half = z / (1.0 + weight) * (share * (1.0 - share) / n + weight / (4.0 * n)).sqrt();
    // At the ends the formula gives 0 and 1, but for rounding.
    let low = if share <= 0.0 { 0.0 } else { (middle - half).clamp(0.0, share) };
    let high = if share >= 1.0 { 1.0 } else { (middle + half).clamp(share, 1.0) };
    Interval { value: share, low, high }
}

/// How many standard errors an interval reaches to either side that holds the true value this often.
fn reach(confidence: f64) -> f64 {
    if confidence <= CONFIDENCE { Z } else { Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence)) }
}

/// By how much the share `one` exceeds the share `two`: Newcombe's hybrid of their Wilson intervals (Statistics in Medicine 17, 1998,
/// pages 873 to 890, method 10), which is sound where one of them is 0 or 1.
pub(super) fn excess(one: Interval, two: Interval) -> Interval {
    let down = (one.value - one.low).hypot(two.high - two.value);
    let up = (one.high - one.value).hypot(two.value - two.low);
    let value = one.value - two.value;
    Interval { value, low: (value - down).max(-1.0), high: (value + up).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wilson_gives_the_figures_of_the_literature() {
        // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        for (of, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let share = Share::new(of, n, n as f64).unwrap().share;
            assert!((share.low - low).abs() < 5e-5 && (share.high - high).abs() < 5e-5, "{of}/{n}: {share:?}");
        }
        assert_eq!(Share::new(0, 0, 0.0), None);
    }

    #[test]
    fn newcombe_gives_the_figures_of_the_literature() {
        // Newcombe 1998, "Interval estimation for the difference between independent proportions", table II, method 10.
        for (a, b, low, high) in
            [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)]
        {
            let [a, b] = [a, b].map(|(of, n)| Share::new(of, n, f64::from(n as u32)).unwrap().share);
            let difference = excess(a, b);
            assert!((difference.low - low).abs() < 5e-5 && (difference.high - high).abs() < 5e-5, "{difference:?}");
        }
    }

    #[test]
    fn who_wants_to_be_surer_gets_a_wider_interval() {
        let share = Share::new(81, 263, 263.0).unwrap();
        assert_eq!(share.interval(CONFIDENCE), share.share);
        // As in the literature above, with the standard normal quantile at 0.995, 2.5758, in the place of 1.96.
        let surer = share.interval(0.99);
        assert!((surer.low - 0.2401).abs() < 5e-4 && (surer.high - 0.3853).abs() < 5e-4, "{surer:?}");
    }

    proptest! {
        #[test]
        fn a_share_lies_in_its_interval(n in 1..500usize, part in 0.0..=1.0f64, design in 1.0..8.0f64) {
            let of = (n as f64 * part) as usize;
            let share = Share::new(of, n, n as f64 / design).unwrap().share;
            prop_assert!(0.0 <= share.low && share.holds(share.value) && share.high <= 1.0);
        }
    }
}
