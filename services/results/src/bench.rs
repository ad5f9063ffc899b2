//! The figures of a comparison: what each operation was, and what all of a kind come to.

use std::time::Duration;

use parsec_measure::{Effort, OperationKind, StrategyKind, quantile};
use serde::Serialize;

use crate::statistics::QUANTILES;

/// One operation of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Whether it succeeded.
    pub success: bool,
    /// How long it took.
    pub duration: Duration,
    /// What it cost.
    pub effort: Effort,
    /// How many peers the node believed the network to have.
    pub network_size: Option<u32>,
    /// How many of the truly closest live peers held the record when a publication returned.
    pub holders_at_return: Option<u32>,
    /// How many of them held it when the last put had ended.
    pub holders_final: Option<u32>,
    /// The share of the truly closest live peers that the lookup found.
    pub closest_found: Option<f64>,
}

/// All operations of one kind by one strategy. Its fields are the names in JSON and CSV.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchRow {
    /// How it was done.
    pub strategy: StrategyKind,
    /// `provide` or `retrieve`.
    pub operation: OperationKind,
    /// How many operations there were, failed ones included.
    pub n: usize,
    /// How many succeeded; the quantiles are of these, everything else is of all.
    pub successes: usize,
    /// Half of them took no longer.
    pub p50_seconds: Option<f64>,
    /// Nine of ten took no longer.
    pub p90_seconds: Option<f64>,
    /// All but one in a hundred took no longer.
    pub p99_seconds: Option<f64>,
    /// The same in round trips; nothing if these take no time.
    pub p50_round_trips: Option<f64>,
    /// The same in round trips.
    pub p90_round_trips: Option<f64>,
    /// The same in round trips.
    pub p99_round_trips: Option<f64>,
    /// Requests for each operation.
    pub rpcs_mean: Option<f64>,
    /// Those of them that failed.
    pub rpcs_failed_mean: Option<f64>,
    /// Dials for each operation.
    pub dials_mean: Option<f64>,
    /// Those of them that failed.
    pub dials_failed_mean: Option<f64>,
    /// How many peers the network was believed to have.
    pub network_size_mean: Option<f64>,
    /// Holders among the 20 truly closest live peers when a publication returned.
    pub holders_at_return_mean: Option<f64>,
    /// The same when its last put had ended.
    pub holders_final_mean: Option<f64>,
    /// The share of the truly closest live peers that lookups found.
    pub closest_found_share: Option<f64>,
}

impl BenchRow {
    /// Sums up operations on a network with this round-trip time.
    pub fn of(strategy: StrategyKind, operation: OperationKind, rtt: Duration, samples: &[Sample]) -> Self {
        let mut durations: Vec<_> = samples.iter().filter(|sample| sample.success).map(|s| s.duration).collect();
        durations.sort_unstable();
        let [p50, p90, p99] = QUANTILES.map(|(_, q)| quantile(&durations, q));
        let in_seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
        let in_round_trips = |duration: Option<Duration>| {
            duration.filter(|_| !rtt.is_zero()).map(|duration| duration.div_duration_f64(rtt))
        };
        let of_effort =
            |count: fn(&Effort) -> Option<u32>| mean(samples, |sample| count(&sample.effort).map(f64::from));
        let of_provide = |count: fn(&Sample) -> Option<u32>| match operation {
            OperationKind::Provide => mean(samples, |sample| count(sample).map(f64::from)),
            OperationKind::Retrieve => None,
        };
        Self {
            strategy,
            operation,
            n: samples.len(),
            successes: durations.len(),
            p50_seconds: in_seconds(p50),
            p90_seconds: in_seconds(p90),
            p99_seconds: in_seconds(p99),
            p50_round_trips: in_round_trips(p50),
            p90_round_trips: in_round_trips(p90),
            p99_round_trips: in_round_trips(p99),
            rpcs_mean: of_effort(|effort| effort.rpcs),
            rpcs_failed_mean: of_effort(|effort| effort.rpcs_failed),
            dials_mean: of_effort(|effort| effort.dials),
            dials_failed_mean: of_effort(|effort| effort.dials_failed),
            network_size_mean: mean(samples, |sample| sample.network_size.map(f64::from)),
            holders_at_return_mean: of_provide(|sample| sample.holders_at_return),
            holders_final_mean: of_provide(|sample| sample.holders_final),
            closest_found_share: mean(samples, |sample| sample.closest_found),
        }
    }
}

/// The mean of what is known.
fn mean(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = samples.iter().filter_map(value).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn sample(ms: u64) -> Sample {
        let effort = Effort {
            rpcs: Some(40),
            rpcs_failed: Some(4),
            dials: Some(30),
            dials_failed: Some(3),
            ..Effort::default()
        };
        Sample {
            success: true,
            duration: Duration::from_millis(ms),
            effort,
            network_size: None,
            holders_at_return: Some(20),
            holders_final: Some(20),
            closest_found: Some(1.0),
        }
    }

    #[test]
    fn a_row_sums_up_failures_apart_from_what_succeeded() {
        let failed = Sample { success: false, holders_at_return: Some(0), closest_found: Some(0.5), ..sample(60_000) };
        let estimated = Sample { network_size: Some(480), ..sample(400) };
        let samples = [sample(200), sample(300), estimated, failed];
        let row = BenchRow::of(StrategyKind::Optprov, OperationKind::Provide, RTT, &samples);
        assert_eq!((row.n, row.successes), (4, 3));
        assert_eq!((row.p50_seconds, row.p90_seconds, row.p99_seconds), (Some(0.3), Some(0.4), Some(0.4)));
        assert_eq!(row.p90_round_trips.map(f64::round), Some(4.0));
        assert_eq!((row.rpcs_mean, row.rpcs_failed_mean), (Some(40.0), Some(4.0)));
        assert_eq!((row.dials_mean, row.dials_failed_mean), (Some(30.0), Some(3.0)));
        assert_eq!((row.network_size_mean, row.holders_at_return_mean), (Some(480.0), Some(15.0)));
        assert_eq!((row.holders_final_mean, row.closest_found_share), (Some(20.0), Some(0.875)));
    }

    #[test]
    fn nothing_is_made_up_of_what_was_not_measured() {
        let row = BenchRow::of(StrategyKind::Classic, OperationKind::Retrieve, Duration::ZERO, &[]);
        assert_eq!((row.n, row.p50_seconds, row.p50_round_trips, row.rpcs_mean), (0, None, None, None));
        let row = BenchRow::of(StrategyKind::Classic, OperationKind::Retrieve, Duration::ZERO, &[sample(5)]);
        assert_eq!((row.p50_seconds, row.p50_round_trips), (Some(0.005), None));
        assert_eq!((row.holders_at_return_mean, row.holders_final_mean), (None, None), "nothing was published");
    }
}
