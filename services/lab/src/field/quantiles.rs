//! A distribution of times, by its quantiles: straight lines between them.

use std::time::Duration;

/// How long something takes: pairs of a share and the time that this share stays below, from 0 to 1, both ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantiles(Vec<(f64, f64)>);

/// Why some pairs are no distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum NoDistribution {
    /// The first is not at share 0, or the last not at 1.
    Open,
    /// The pair at this index is not above the one before it.
    Falls(usize),
}

impl Quantiles {
    /// Those of pairs of share and seconds.
    pub(super) fn new(pairs: Vec<(f64, f64)>) -> Result<Self, NoDistribution> {
        let ends = (pairs.first().map(|pair| pair.0), pairs.last().map(|pair| pair.0));
        if ends != (Some(0.0), Some(1.0)) {
            return Err(NoDistribution::Open);
        }
        match pairs.windows(2).position(|two| two[1].0 <= two[0].0 || two[1].1 < two[0].1) {
            Some(index) => Err(NoDistribution::Falls(index + 1)),
            None => Ok(Self(pairs)),
        }
    }

    /// The time that a share `at` (0 to 1) of all stays below.
    pub(super) fn at(&self, at: f64) -> Duration {
        let above = self.0.partition_point(|(share, _)| *share < at).clamp(1, self.0.len() - 1);
        let ((from, low), (to, high)) = (self.0[above - 1], self.0[above]);
        Duration::from_secs_f64(low + (high - low) * ((at - from) / (to - from)).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn between_two_quantiles_times_are_spread_evenly() {
        let some = Quantiles::new(vec![(0.0, 0.1), (0.5, 0.2), (1.0, 1.2)]).unwrap();
        let millis = [0.0, 0.25, 0.5, 0.75, 1.0].map(|at| some.at(at).as_millis());
        assert_eq!(millis, [100, 150, 200, 700, 1_200]);
    }

    #[test]
    fn what_goes_down_or_leaves_an_end_open_is_no_distribution() {
        assert_eq!(Quantiles::new(vec![]), Err(NoDistribution::Open));
        assert_eq!(Quantiles::new(vec![(0.0, 1.0), (0.9, 2.0)]), Err(NoDistribution::Open));
        assert_eq!(Quantiles::new(vec![(0.0, 2.0), (1.0, 1.0)]), Err(NoDistribution::Falls(1)));
        assert_eq!(Quantiles::new(vec![(0.0, 1.0), (0.5, 2.0), (0.5, 3.0), (1.0, 3.0)]), Err(NoDistribution::Falls(2)));
    }

    proptest! {
        #[test]
        fn a_larger_share_stays_below_a_longer_time(
            steps in proptest::collection::vec((0.001..1.0_f64, 0.0..5.0_f64), 1..8),
            ats in proptest::collection::vec(0.0..=1.0_f64, 2..20),
        ) {
            let total: f64 = steps.iter().map(|step| step.0).sum();
            let (mut share, mut seconds) = (0.0, 0.0);
            let mut pairs = vec![(0.0, 0.0)];
            for (index, (width, height)) in steps.iter().enumerate() {
                share = if index + 1 == steps.len() { 1.0 } else { share + width / total };
                seconds += height;
                pairs.push((share, seconds));
            }
            prop_assume!(pairs.windows(2).all(|two| two[1].0 > two[0].0));
            let some = Quantiles::new(pairs).unwrap();
            let mut ats = ats;
            ats.sort_by(f64::total_cmp);
            let times: Vec<_> = ats.iter().map(|at| some.at(*at)).collect();
            prop_assert!(times.is_sorted(), "{times:?}");
        }
    }
}
