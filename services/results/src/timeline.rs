//! Operations on a clock on which things happen: what those that began within each step of it came to.

use std::collections::BTreeMap;
use std::time::Duration;

use parsec_measure::{OperationKind, StrategyKind};

use crate::bench::{BenchGroup, BenchOperation, BenchRow, Unit};

/// An operation, and when it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// Since the clock began.
    pub began: Duration,
    /// Of a publication, how many of the closest live peers hold the record in the end; of a lookup, how many of those that were given the
    /// record answer when it begins.
    pub holders: Option<u32>,
    /// The operation.
    pub operation: BenchOperation,
}

/// What the operations of one kind by one strategy are.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedGroup {
    /// How it was done.
    pub strategy: StrategyKind,
    /// Publishing or finding.
    pub kind: OperationKind,
    /// In any order.
    pub operations: Vec<Timed>,
}

/// All that began within one stretch of time.
#[derive(Debug, Clone)]
pub struct TimedRow {
    /// When it begins.
    pub from: Duration,
    /// What they came to.
    pub row: BenchRow,
    /// The mean number of holders, where it is known.
    pub holders: Option<f64>,
}

impl TimedRow {
    /// The rows of a group in order, each about those for which `begin` says the same of their beginning.
    pub fn of(group: &TimedGroup, begin: impl Fn(Duration) -> Duration, unit: Unit) -> Vec<Self> {
        let mut stretches: BTreeMap<Duration, Vec<&Timed>> = BTreeMap::new();
        for timed in &group.operations {
            stretches.entry(begin(timed.began)).or_default().push(timed);
        }
        let row = |(from, timed): (Duration, Vec<&Timed>)| {
            let operations = timed.iter().map(|timed| timed.operation.clone()).collect();
            let group = BenchGroup { strategy: group.strategy, kind: group.kind, operations };
            // A round trip there takes as long as it is far.
            Self { from, row: BenchRow::of(&group, unit, Duration::ZERO), holders: mean(&timed) }
        };
        stretches.into_iter().map(row).collect()
    }
}

/// When the step began in which a moment lies, of steps of one length.
pub fn step(at: Duration, length: Duration) -> Duration {
    let nanos = at.as_nanos();
    let within = nanos % length.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(nanos - within).unwrap_or(u64::MAX))
}

/// The last of these times, which are in order, that is not after a moment; zero before the first.
pub fn since(at: Duration, times: &[Duration]) -> Duration {
    times.iter().rev().copied().find(|time| *time <= at).unwrap_or_default()
}

fn mean(timed: &[&Timed]) -> Option<f64> {
    let known: Vec<f64> = timed.iter().filter_map(|timed| timed.holders).map(f64::from).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bench_operation;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_happens_cuts_time_into_stretches() {
        let times = [10, 40].map(|minutes| MINUTE * minutes);
        let minutes = |minutes| since(MINUTE * minutes, &times).as_secs() / 60;
        assert_eq!([0, 9, 10, 39, 40, 99].map(minutes), [0, 0, 10, 10, 40, 40]);
        assert_eq!(since(MINUTE, &[]), Duration::ZERO);
    }

    fn timed(seconds: u64, holders: u32) -> Timed {
        let operation = bench_operation(1, u32::try_from(seconds).unwrap(), 200);
        Timed { began: Duration::from_secs(seconds), holders: Some(holders), operation }
    }

    #[test]
    fn an_operation_stands_in_the_step_in_which_it_began() {
        let operations = vec![timed(0, 20), timed(59, 10), timed(60, 7), timed(250, 3)];
        let group = TimedGroup { strategy: StrategyKind::Classic, kind: OperationKind::Retrieve, operations };
        let rows = TimedRow::of(&group, |at| step(at, MINUTE), Unit::Operation);
        let told: Vec<_> =
            rows.iter().map(|row| (row.from.as_secs(), row.row.sample.counts().due, row.holders)).collect();
        assert_eq!(told, [(0, 2, Some(15.0)), (60, 1, Some(7.0)), (240, 1, Some(3.0))]);
    }

    #[test]
    fn what_holds_a_record_is_unknown_where_nobody_counted() {
        let operations = vec![Timed { holders: None, ..timed(5, 0) }];
        let group = TimedGroup { strategy: StrategyKind::Classic, kind: OperationKind::Provide, operations };
        assert_eq!(TimedRow::of(&group, |at| step(at, MINUTE), Unit::Operation)[0].holders, None);
    }
}
