//! Why an operation has no outcome at all.

use std::time::Duration;

use thiserror::Error;

/// The node has stopped, or its task has died.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DhtError {
    /// The swarm's task is gone.
    #[error("the DHT node is not running")]
    Stopped,
    /// The swarm's task does not answer.
    #[error("the DHT node gave no sign of life within {} s", .0.as_secs())]
    Stuck(Duration),
    /// The operation's own task died.
    #[error("the operation crashed: {0}")]
    Crashed(String),
}
