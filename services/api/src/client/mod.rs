//! How a scheduler calls a server.
//!
//! Every call is bounded: the connection, the wait for an answer, and the size of its body. What fails on the
//! way becomes a [`CallError`] with an [`OutcomeClass`](parsec_measure::OutcomeClass), so that the attempt is recorded like every other one.

mod access;
mod error;
mod http;
mod raw;

use async_trait::async_trait;
use parsec_measure::{AttemptId, Content, Endpoint, Measured};

pub use access::{Access, bare};
pub use error::CallError;
pub use http::{HttpClient, Timeouts};
pub use raw::{RawMethod, RawReply, RawRequest};

/// A server's answer: what it measured, and on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The identifier that the answer is about. Not yet compared with the one that was asked for: that is up to the
    /// caller, who knows it (of a publication, by its multihash: JavaScript servers answer a CIDv1).
    pub cid: String,
    /// The measurement.
    pub measured: Measured,
    /// The peer id of the node that answered, if the server says so. Not yet compared with the one that was asked either.
    pub peer: Option<String>,
}

impl Answered {
    /// The same in the eyes of somebody who knows [who published](Measured::compared_with).
    #[must_use]
    pub fn compared_with(self, publisher: &str) -> Self {
        Self { measured: self.measured.compared_with(publisher), ..self }
    }
}

/// Who asks for an operation, and under which attempt it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The name that the scheduler gives itself.
    pub scheduler_id: &'a str,
    /// The attempt, for what the server reports later on.
    pub attempt: AttemptId,
}

/// What a scheduler asks of a server.
#[async_trait]
pub trait ServerApi: Send + Sync {
    /// Whether the server can measure now. Returns the peer id of the node that answered, if the server says so: it may be
    /// another one than the one that was asked.
    ///
    /// # Errors
    /// [`CallError::NotReady`] with the server's reason if it cannot, else why it could not be asked.
    async fn readiness(&self, server: &Endpoint) -> Result<Option<String>, CallError>;

    /// Lets the server publish `content`. A publication that failed is an answer, not an error.
    ///
    /// # Errors
    /// Why there is no measurement.
    async fn provide(&self, server: &Endpoint, caller: Caller<'_>, content: &Content) -> Result<Answered, CallError>;

    /// Lets the server find a provider of `cid`. A lookup that found none is an answer, not an error.
    ///
    /// # Errors
    /// Why there is no measurement.
    async fn retrieve(&self, server: &Endpoint, caller: Caller<'_>, cid: &str) -> Result<Answered, CallError>;
}
