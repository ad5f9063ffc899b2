//! The figures of a comparison of strategies: what each operation was, and what all of a kind come to.

use std::collections::BTreeSet;
use std::time::Duration;

use parsec_measure::{Effort, OperationKind, OutcomeClass, StrategyKind, nearest_rank};

use crate::statistics::{Observation, Sample, reading};

/// One operation of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOperation {
    /// The seed of the network on which it was made.
    pub network: u64,
    /// Which it was of those on this network, from 0. Every strategy has the same key under the same number.
    pub number: u32,
    /// The region of the node that made it, where nodes stand in regions: in a simulated world.
    pub region: Option<&'static str>,
    /// What became of it.
    pub class: OutcomeClass,
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
    /// Of those that were given the record before a lookup, how many still answered when it began: whoever leaves takes the record along. Not
    /// counted where nobody can leave.
    pub holders_left: Option<u32>,
    /// The share of the truly closest live peers that the lookup found.
    pub closest_found: Option<f64>,
}

/// What the operations of one kind by one strategy are.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchGroup {
    /// How it was done.
    pub strategy: StrategyKind,
    /// Publishing or finding.
    pub kind: OperationKind,
    /// In the order in which they were made.
    pub operations: Vec<BenchOperation>,
}

/// What repeats in a comparison: intervals are about more of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Operations on one network. What they come to is true of this network alone.
    Operation,
    /// Networks: operations of one network share its peers and who of them is dead, and say less than as many on networks of their own.
    Network,
}

impl Unit {
    /// The one that a comparison on so many networks has.
    pub fn of(networks: u32) -> Self {
        if networks > 1 { Self::Network } else { Self::Operation }
    }

    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Network => "network",
        }
    }

    /// The number of the cluster in which an operation stands. Two runs have the same one for the same key on the same network, so
    /// that they are compared in pairs.
    pub fn cluster(self, network: u64, number: u32) -> u64 {
        // The upper half tells networks apart that are numbered one after the other, the lower half ascends within each (Knuth's
        // multiplicative hashing).
        let network = network.wrapping_mul(0x9e37_79b9_7f4a_7c15) & !u64::from(u32::MAX);
        match self {
            Self::Operation => network | u64::from(number),
            Self::Network => network,
        }
    }
}

/// All operations of one kind by one strategy, summed up.
#[derive(Debug, Clone)]
pub struct BenchRow {
    /// How it was done.
    pub strategy: StrategyKind,
    /// Publishing or finding.
    pub kind: OperationKind,
    /// On how many networks.
    pub networks: usize,
    /// The time that a round trip takes; zero if there is none.
    pub round_trip: Duration,
    /// How long they took, failed ones included.
    pub sample: Sample,
    /// The smallest and the largest p50 and p90 of a network, in seconds; infinite where that many fail.
    pub spread: Option<[(f64, f64); 2]>,
    /// What they cost and came to, on average; failed ones included.
    pub means: Means,
}

/// The means over all operations, where they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Means {
    /// Requests for each operation.
    pub rpcs: Option<f64>,
    /// Those of them that failed.
    pub rpcs_failed: Option<f64>,
    /// Dials for each operation.
    pub dials: Option<f64>,
    /// Those of them that failed.
    pub dials_failed: Option<f64>,
    /// How many peers the network was believed to have.
    pub network_size: Option<f64>,
    /// Holders among the 20 truly closest live peers when a publication returned.
    pub holders_at_return: Option<f64>,
    /// The same when its last put had ended.
    pub holders_final: Option<f64>,
    /// Those that were given the record and still answered when a lookup began.
    pub holders_left: Option<f64>,
    /// The share of the truly closest live peers that lookups found.
    pub closest_found: Option<f64>,
}

impl BenchRow {
    /// Sums up operations on networks with this round-trip time.
    pub fn of(group: &BenchGroup, unit: Unit, round_trip: Duration) -> Self {
        let BenchGroup { strategy, kind, operations } = group;
        let observation = |operation: &BenchOperation| Observation {
            round: unit.cluster(operation.network, operation.number),
            stratum: 0,
            class: operation.class,
            duration: operation.duration,
        };
        let networks: BTreeSet<u64> = operations.iter().map(|operation| operation.network).collect();
        Self {
            strategy: *strategy,
            kind: *kind,
            networks: networks.len(),
            round_trip,
            spread: (unit == Unit::Network && !operations.is_empty())
                .then(|| [0.5, 0.9].map(|q| spread(&networks, operations, q)))
                // On none of the networks was anything due.
                .filter(|spread| spread.iter().all(|(_, most)| *most > f64::NEG_INFINITY)),
            sample: operations.iter().map(observation).collect(),
            means: Means::of(*kind, operations),
        }
    }
}

/// The smallest and the largest quantile of a network, failures being longer than any time.
fn spread(networks: &BTreeSet<u64>, operations: &[BenchOperation], q: f64) -> (f64, f64) {
    let quantile = |network: &u64| {
        let own = operations.iter().filter(|operation| operation.network == *network);
        let mut readings: Vec<_> = own.filter_map(|one| reading(one.class, one.duration)).collect();
        readings.sort_by(|a, b| a.order(*b));
        let rank = nearest_rank(q, readings.len()).checked_sub(1)?;
        readings.get(rank).map(|reading| reading.seconds())
    };
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    networks.iter().filter_map(quantile).fold(ends, |(least, most), value| (least.min(value), most.max(value)))
}

impl Means {
    fn of(kind: OperationKind, operations: &[BenchOperation]) -> Self {
        let of_effort =
            |count: fn(&Effort) -> Option<u32>| mean(operations, |operation| count(&operation.effort).map(f64::from));
        let of_provide = |count: fn(&BenchOperation) -> Option<u32>| match kind {
            OperationKind::Provide => mean(operations, |operation| count(operation).map(f64::from)),
            OperationKind::Retrieve => None,
        };
        Self {
            rpcs: of_effort(|effort| effort.rpcs),
            rpcs_failed: of_effort(|effort| effort.rpcs_failed),
            dials: of_effort(|effort| effort.dials),
            dials_failed: of_effort(|effort| effort.dials_failed),
            network_size: mean(operations, |operation| operation.network_size.map(f64::from)),
            holders_at_return: of_provide(|operation| operation.holders_at_return),
            holders_final: of_provide(|operation| operation.holders_final),
            holders_left: mean(operations, |operation| operation.holders_left.map(f64::from)),
            closest_found: mean(operations, |operation| operation.closest_found),
        }
    }
}

/// The mean of what is known.
fn mean(operations: &[BenchOperation], value: impl Fn(&BenchOperation) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = operations.iter().filter_map(value).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Reading;
    use crate::testing::bench_operation;

    const RTT: Duration = Duration::from_millis(100);

    fn row(kind: OperationKind, operations: Vec<BenchOperation>, unit: Unit) -> BenchRow {
        BenchRow::of(&BenchGroup { strategy: StrategyKind::Optprov, kind, operations }, unit, RTT)
    }

    #[test]
    fn a_failure_takes_longer_than_any_success_and_costs_as_much() {
        let failed = BenchOperation {
            class: OutcomeClass::Timeout,
            holders_at_return: Some(0),
            closest_found: Some(0.5),
            ..bench_operation(1, 9, 60_000)
        };
        let mut operations: Vec<_> = (0..9).map(|number| bench_operation(1, number, 200)).collect();
        operations[0].network_size = Some(480);
        operations.extend((10..40).map(|number| BenchOperation { number, ..failed.clone() }));
        let row = row(OperationKind::Provide, operations, Unit::Operation);
        assert_eq!((row.networks, row.sample.counts().due, row.sample.counts().succeeded), (1, 39, 9));
        assert_eq!(row.sample.quantile(0.5).unwrap().value, Reading::MoreThan(60.0));
        assert_eq!(row.sample.survivors(0.5), Some(0.2), "whoever looks at survivors sees nothing of it");
        assert_eq!(
            (row.means.rpcs, row.means.dials_failed, row.means.network_size),
            (Some(40.0), Some(3.0), Some(480.0))
        );
        assert!(row.means.holders_at_return.unwrap() < 5.0);
    }

    #[test]
    fn nothing_is_made_up_of_what_was_not_measured() {
        let nothing = row(OperationKind::Retrieve, vec![], Unit::Operation);
        assert_eq!((nothing.means, nothing.sample.quantile(0.5)), (Means::default(), None));
        let lookups = row(OperationKind::Retrieve, vec![bench_operation(1, 0, 5)], Unit::Operation);
        assert_eq!((lookups.means.holders_at_return, lookups.means.holders_final), (None, None));
        assert_eq!(lookups.sample.quantile(0.5), None, "one operation carries no quantile");
    }

    #[test]
    fn operations_on_one_network_say_less_than_as_many_on_networks_of_their_own() {
        // Each network has a time of its own, and on every sixth everything takes eight times as long.
        let operations = |networks: u64, each: u32| -> Vec<BenchOperation> {
            let time = |network: u64| if network % 6 == 5 { 5_400 } else { 700 + network };
            (0..networks)
                .flat_map(|network| (0..each).map(move |number| bench_operation(network, number, time(network))))
                .collect()
        };
        let high = |row: BenchRow| row.sample.quantile(0.9).map(|quantile| quantile.high);
        let one = row(OperationKind::Provide, operations(1, 100), Unit::of(1));
        assert_eq!(high(one), Some(Reading::Took(0.7)), "one network hides the others");
        let few = row(OperationKind::Provide, operations(12, 20), Unit::of(12));
        assert_eq!(
            (few.sample.counts().rounds, few.networks, high(few)),
            (12, 12, None),
            "twelve networks carry no p90"
        );
        let many = row(OperationKind::Provide, operations(60, 20), Unit::of(60));
        assert_eq!(high(many), Some(Reading::Took(5.4)));
    }

    #[test]
    fn the_same_key_on_the_same_network_is_a_pair_and_no_other() {
        let clusters: BTreeSet<u64> =
            (0..50).flat_map(|network| (0..50).map(move |number| Unit::Operation.cluster(network, number))).collect();
        assert_eq!(clusters.len(), 2_500);
        assert!(Unit::Operation.cluster(7, 3) < Unit::Operation.cluster(7, 4), "they ascend with time");
        assert_eq!(Unit::Network.cluster(7, 3), Unit::Network.cluster(7, 4));
        assert_ne!(Unit::Network.cluster(7, 3), Unit::Network.cluster(8, 3));
    }
}
