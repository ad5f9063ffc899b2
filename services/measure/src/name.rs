//! Names that are kept as text: in databases, answers and metrics.

use thiserror::Error;

/// A name from a database or an answer that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} `{name}`")]
pub struct UnknownName {
    /// Of which list the name should have been.
    pub what: &'static str,
    /// The name that was found.
    pub name: String,
}
