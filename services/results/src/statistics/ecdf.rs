//! The share of all due attempts that was done after a time.

use serde::Serialize;

/// From this time on, this share of all due attempts had succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// In seconds.
    pub seconds: f64,
    /// Between 0 and the success rate.
    pub share: f64,
}

/// An empirical distribution of times that levels off at the success rate: what failed never gets there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ecdf {
    /// How many due attempts it is of.
    pub n: usize,
    /// Its steps, from left to right.
    pub steps: Vec<Step>,
}

impl Ecdf {
    /// Of `n` attempts, of which some succeeded after these times, in ascending order. Attempts that took the same time make one step;
    /// of the others at most `max` steps are kept, evenly over the attempts, the first and the last among them.
    pub(super) fn new(sorted: impl ExactSizeIterator<Item = f64>, n: usize, max: usize) -> Self {
        let (succeeded, max) = (sorted.len(), max.max(2));
        let mut steps: Vec<Step> = Vec::with_capacity(succeeded.min(max));
        let stride = succeeded.div_ceil(max - 1).max(1);
        for (index, seconds) in sorted.enumerate() {
            let share = (index + 1) as f64 / n as f64;
            match steps.last_mut() {
                Some(last) if last.seconds == seconds => last.share = share,
                _ if index % stride == 0 || index + 1 == succeeded => steps.push(Step { seconds, share }),
                _ => {}
            }
        }
        Self { n, steps }
    }

    /// The share that was done after so many seconds.
    pub fn at(&self, seconds: f64) -> f64 {
        let after = self.steps.partition_point(|step| step.seconds <= seconds);
        after.checked_sub(1).map_or(0.0, |index| self.steps[index].share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_levels_off_at_the_success_rate() {
        let ecdf = Ecdf::new([1.0, 2.0, 2.0, 4.0].into_iter(), 5, 100);
        let shares: Vec<_> = [0.5, 1.0, 1.9, 2.0, 100.0].map(|seconds| ecdf.at(seconds)).to_vec();
        assert_eq!(shares, [0.0, 0.2, 0.2, 0.6, 0.8]);
        assert_eq!(Ecdf::new([].into_iter(), 3, 100).at(9.0), 0.0);
    }

    proptest! {
        #[test]
        fn a_thinned_one_has_both_ends_and_is_off_by_less_than_its_stride(mut times in proptest::collection::vec(0.0..9.0f64, 1..400), max in 2..50usize) {
            times.sort_by(f64::total_cmp);
            let n = times.len() + 3;
            let (full, thin) = (Ecdf::new(times.iter().copied(), n, usize::MAX), Ecdf::new(times.iter().copied(), n, max));
            prop_assert!(thin.steps.len() <= max + 1);
            prop_assert_eq!(full.steps.last(), thin.steps.last());
            let stride = times.len().div_ceil(max - 1).max(1) as f64 / n as f64;
            for seconds in times {
                prop_assert!((full.at(seconds) - thin.at(seconds)).abs() <= stride + 1e-9);
            }
        }
    }
}
