//! What a person sees of many measurements: how many, how many failed, and the quantiles of the rest.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{Measured, OutcomeClass};

/// How many durations a tally keeps: the quantiles are of the newest ones. About 1.6 MB when full.
const KEPT: usize = 100_000;

/// The rank, from 1, of the quantile `q` of `n` values: the nearest rank. 1 if there are none.
pub fn nearest_rank(q: f64, n: usize) -> usize {
    ((q.clamp(0.0, 1.0) * n as f64).ceil() as usize).max(1)
}

/// The nearest-rank quantile: the smallest value that at least a share `q` of `sorted` does not exceed.
/// `None` if there is no value. No interpolation: what is reported was measured.
pub fn quantile(sorted: &[Duration], q: f64) -> Option<Duration> {
    sorted.get(nearest_rank(q, sorted.len()) - 1).copied()
}

/// Counts and durations of one kind of operation in one fleet.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    attempts: u64,
    failures: u64,
    durations: VecDeque<Duration>,
    routing_table_size: u32,
}

impl Tally {
    /// Counts one result in.
    pub fn add(&mut self, result: &Measured) {
        self.attempts += 1;
        if result.class.is_measured() {
            self.routing_table_size = result.routing_table_size;
        }
        if result.class != OutcomeClass::Ok {
            self.failures += 1;
            return;
        }
        // Nobody was asked: that time is none of the DHT's.
        if result.from_own_records {
            return;
        }
        if self.durations.len() == KEPT {
            self.durations.pop_front();
        }
        self.durations.push_back(result.duration);
    }

    /// How many attempts there were.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// How many of them failed, in whatever way.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// The routing-table size of the newest measured attempt, in peers.
    pub fn routing_table_size(&self) -> u32 {
        self.routing_table_size
    }

    /// The quantiles `qs` of the durations of those that succeeded; `None` where nothing did.
    pub fn quantiles<const N: usize>(&self, qs: [f64; N]) -> [Option<Duration>; N] {
        let mut sorted: Vec<_> = self.durations.iter().copied().collect();
        sorted.sort_unstable();
        qs.map(|q| quantile(&sorted, q))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn result(class: OutcomeClass, ms: u64) -> Measured {
        Measured { routing_table_size: 7, ..Measured::unmeasured(class, Duration::from_millis(ms), "") }
    }

    #[test]
    fn failures_count_but_their_durations_are_not_mixed_in() {
        let mut tally = Tally::default();
        for ms in [10, 30, 20] {
            tally.add(&result(OutcomeClass::Ok, ms));
        }
        tally.add(&result(OutcomeClass::Timeout, 180_000));
        tally.add(&result(OutcomeClass::ServerUnreachable, 5_000));
        assert_eq!((tally.attempts(), tally.failures(), tally.routing_table_size()), (5, 2, 7));
        assert_eq!(tally.quantiles([0.5, 0.99]), [20, 30].map(|ms| Some(Duration::from_millis(ms))));
    }

    #[test]
    fn an_answer_from_the_servers_own_records_is_no_duration_of_the_dht() {
        let mut tally = Tally::default();
        tally.add(&result(OutcomeClass::Ok, 30));
        tally.add(&Measured { from_own_records: true, ..result(OutcomeClass::Ok, 0) });
        assert_eq!((tally.attempts(), tally.failures()), (2, 0));
        assert_eq!(tally.quantiles([0.0]), [Some(Duration::from_millis(30))]);
    }

    #[test]
    fn nothing_measured_has_no_quantile() {
        assert_eq!(Tally::default().quantiles([0.5]), [None]);
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
