//! What the strategies do on a local network, side by side.

mod many;
mod plan;
mod runner;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::thread;

use parsec_measure::{OperationKind, StrategyKind};
use parsec_results::bench::BenchGroup;

pub use self::many::ManyPlan;
pub use self::plan::{BenchError, BenchPlan};

use self::runner::Operations;
use crate::memory::{Size, TooLarge};
use crate::{LocalTransport, threads};

/// How many nodes measure: a publisher and a finder.
const NODES: u64 = 2;

impl BenchPlan {
    /// As many strategies and networks at once as there are processors and memory for: on a virtual clock that changes no result. On
    /// the real clock they would measure each other, so there it is one after the other. `available` is in bytes; `setting` names the
    /// number of peers to whoever gave it.
    ///
    /// # Errors
    /// [`TooLarge`] if there is no room for one.
    pub fn at_once(&self, available: Option<u64>, setting: &'static str) -> Result<usize, TooLarge> {
        let processors = match self.transport {
            LocalTransport::Memory => thread::available_parallelism().map_or(1, usize::from),
            LocalTransport::Tcp | LocalTransport::Quic => 1,
        };
        let size = Size { peers: self.peers as u64, undialable: self.undialable, nodes: NODES };
        let all = self.strategies.len().saturating_mul(self.networks as usize);
        size.fitting(processors.min(all), available, setting)
    }

    /// Runs the comparison. Each strategy has a thread and networks of its own, made from the same seeds, and publishes the same keys.
    /// `done` is called after each pair of publication and search. Once `stop` is set, operations under way come to their end, no other
    /// one begins, and what has been measured by then is returned.
    ///
    /// # Errors
    /// What kept a strategy from coming to its end.
    pub fn run(
        &self,
        at_once: usize,
        stop: &AtomicBool,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<BenchGroup>, BenchError> {
        // Network by network: who stops early has as much of every strategy.
        let all: Vec<_> =
            self.seeds().flat_map(|seed| self.strategies.iter().map(move |strategy| (seed, *strategy))).collect();
        let finished = threads::each(all.len(), (at_once, 1), stop, |place| {
            let (seed, strategy) = all[place];
            let failed = |error| BenchError::Strategy(strategy, Box::new(error));
            runner::run(self, seed, strategy, stop, done).map_err(failed)
        })?;
        Ok(self.groups(finished.into_iter().map(|(place, operations)| (all[place], operations)).collect()))
    }

    /// What has been measured, by strategy and kind.
    fn groups(&self, mut finished: BTreeMap<(u64, StrategyKind), Operations>) -> Vec<BenchGroup> {
        let mut groups = Vec::new();
        for strategy in &self.strategies {
            let (mut provided, mut found) = Operations::default();
            for seed in self.seeds() {
                let (more_provided, more_found) = finished.remove(&(seed, *strategy)).unwrap_or_default();
                provided.extend(more_provided);
                found.extend(more_found);
            }
            let group = |kind, operations| BenchGroup { strategy: *strategy, kind, operations };
            groups.push(group(OperationKind::Provide, provided));
            groups.push(group(OperationKind::Retrieve, found));
        }
        groups.retain(|group| !group.operations.is_empty());
        groups
    }
}
