//! What the strategies do on a local network, side by side.

mod plan;
mod runner;

use std::sync::mpsc::Sender;
use std::thread;

use parsec_measure::{OperationKind, StrategyKind};
use parsec_results::bench::BenchRow;

pub use self::plan::{BenchError, BenchPlan};

use self::runner::Samples;
use crate::LocalTransport;
use crate::memory::{Size, TooLarge};

/// How many nodes measure: a publisher and a finder.
const NODES: u64 = 2;

impl BenchPlan {
    /// As many strategies at once as there are processors and memory for: on a virtual clock that changes no result. On the
    /// real clock they would measure each other, so there it is one after the other. `available` is in bytes; `setting`
    /// names the number of peers to whoever gave it.
    ///
    /// # Errors
    /// [`TooLarge`] if there is no room for one.
    pub fn at_once(&self, available: Option<u64>, setting: &'static str) -> Result<usize, TooLarge> {
        let processors = match self.transport {
            LocalTransport::Memory => thread::available_parallelism().map_or(1, usize::from),
            LocalTransport::Tcp | LocalTransport::Quic => 1,
        };
        let size = Size { peers: self.peers as u64, undialable: self.undialable, nodes: NODES };
        size.fitting(processors.min(self.strategies.len()), available, setting)
    }

    /// Runs the comparison. Each strategy has a thread and a network of its own, made from the same seed, and publishes the
    /// same keys. `done` hears of each pair of publication and search.
    ///
    /// # Errors
    /// What kept a strategy from coming to its end.
    pub fn run(&self, at_once: usize, done: &Sender<()>) -> Result<Vec<BenchRow>, BenchError> {
        let mut rows = Vec::new();
        for batch in self.strategies.chunks(at_once.max(1)) {
            let one = |strategy: StrategyKind| {
                let done = done.clone();
                move || runner::run(self, strategy, &done)
            };
            let results: Vec<Result<Samples, BenchError>> = thread::scope(|scope| {
                let running: Vec<_> = batch.iter().map(|strategy| scope.spawn(one(*strategy))).collect();
                running.into_iter().map(|thread| thread.join().unwrap_or(Err(BenchError::Crashed))).collect()
            });
            for (strategy, result) in batch.iter().zip(results) {
                let (provided, found) = result.map_err(|error| BenchError::Strategy(*strategy, Box::new(error)))?;
                rows.push(BenchRow::of(*strategy, OperationKind::Provide, self.rtt, &provided));
                rows.push(BenchRow::of(*strategy, OperationKind::Retrieve, self.rtt, &found));
            }
        }
        Ok(rows)
    }
}
