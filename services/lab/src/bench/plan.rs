//! What is compared, and why a comparison does not come to its end.

use std::time::Duration;

use parsec_dht::{DhtError, StartError};
use parsec_measure::StrategyKind;
use thiserror::Error;

use crate::threads::Panicked;
use crate::{LocalError, LocalTransport};

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
    /// How many networks to draw, with one seed after the other.
    pub networks: u32,
    /// How many publications and how many lookups to make with each strategy on each of them.
    pub operations: u32,
    /// What to compare, each once.
    pub strategies: Vec<StrategyKind>,
    /// How many peers a lookup asks at the same time, at least 1.
    pub alpha: usize,
    /// Whether connections are kept from one operation to the next.
    pub warm: bool,
    /// Makes all choices on the first network: with the same one, a virtual clock gives the same figures.
    pub seed: u64,
}

impl BenchPlan {
    /// The seeds of the networks: each gives the same network when it is the only one.
    pub(super) fn seeds(&self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.networks)).map(|number| self.seed.wrapping_add(number))
    }

    /// How many pairs of a publication and a lookup it comes to.
    pub fn pairs(&self) -> u64 {
        u64::from(self.operations) * u64::from(self.networks) * self.strategies.len() as u64
    }
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

impl From<Panicked> for BenchError {
    fn from(Panicked: Panicked) -> Self {
        Self::Crashed
    }
}
