//! What the strategies do on a local network, side by side.

mod rows;
mod runner;

use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use parsec_dht::{DhtError, StartError};
use parsec_measure::{OperationKind, StrategyKind};
use thiserror::Error;

pub use self::rows::{BenchRow, Sample};

use self::runner::Samples;
use crate::memory::{Size, TooLarge};
use crate::{LocalError, LocalTransport};

/// How many nodes measure: a publisher and a finder.
const NODES: u64 = 2;

/// What is compared, and on which network.
#[derive(Debug, Clone)]
pub struct BenchPlan {
    /// Peers of the local network, those included that cannot be dialled or never answer.
    pub peers: usize,
    /// Between any two of them.
    pub rtt: Duration,
    /// The share of peers that cannot be dialled.
    pub undialable: f64,
    /// The share of peers that accept connections and never answer.
    pub silent: f64,
    /// How the peers are connected. In memory, the clock is virtual.
    pub transport: LocalTransport,
    /// Publications of each strategy, and as many lookups.
    pub operations: u32,
    /// What to compare, each once.
    pub strategies: Vec<StrategyKind>,
    /// How many peers a lookup asks at the same time, at least 1.
    pub alpha: usize,
    /// Whether connections are kept from one operation to the next.
    pub warm: bool,
    /// Makes all choices: with the same one, a virtual clock gives the same figures.
    pub seed: u64,
}

/// A comparison that did not come to its end.
#[derive(Debug, Error)]
pub enum BenchError {
    /// No runtime, and so no network.
    #[error("cannot start a runtime: {0}")]
    Runtime(std::io::Error),
    /// The network could not be started.
    #[error(transparent)]
    Network(#[from] LocalError),
    /// One of the nodes that measure could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It has died.
    #[error(transparent)]
    Dht(#[from] DhtError),
    /// It cannot measure.
    #[error("a node is not ready after {} s: {reason}", .limit.as_secs())]
    NotReady {
        /// How long it was given.
        limit: Duration,
        /// What it lacks.
        reason: String,
    },
    /// Nothing was heard of a publication after it had returned.
    #[error("a publication did not end in the background")]
    NoFollowUp,
    /// Somebody else's publication was heard of.
    #[error("the background reports {reported}, not {expected}")]
    FollowUpOfAnother {
        /// What it names.
        reported: String,
        /// What was published.
        expected: String,
    },
    /// It panicked.
    #[error("it crashed")]
    Crashed,
    /// The one that is named failed.
    #[error("strategy {0}")]
    Strategy(StrategyKind, #[source] Box<BenchError>),
}

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
