//! Quantiles of what was measured, by the nearest rank.

use std::time::Duration;

/// The rank, from 1, of the quantile `q` of `n` values: the nearest rank. 1 if there are none.
pub fn nearest_rank(q: f64, n: usize) -> usize {
    ((q.clamp(0.0, 1.0) * n as f64).ceil() as usize).max(1)
}

/// The nearest-rank quantile: the smallest value that at least a share `q` of `sorted` does not exceed.
/// `None` if there is no value. No interpolation: what is reported was measured.
pub fn quantile(sorted: &[Duration], q: f64) -> Option<Duration> {
    sorted.get(nearest_rank(q, sorted.len()) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_measured_has_no_quantile() {
        assert_eq!(quantile(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_a_measured_value_with_its_share_below(mut ms in proptest::collection::vec(0..1_000u64, 1..100), q in 0.0..=1.0f64) {
            ms.sort_unstable();
            let sorted: Vec<_> = ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
            let value = quantile(&sorted, q).unwrap();
            let not_above = sorted.iter().filter(|v| **v <= value).count() as f64;
            let below = sorted.iter().filter(|v| **v < value).count() as f64;
            prop_assert!(not_above >= q * sorted.len() as f64);
            prop_assert!(below <= q * sorted.len() as f64);
        }
    }
}
