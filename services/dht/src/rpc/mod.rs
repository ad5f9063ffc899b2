//! One request to one chosen peer, with the time of each of its phases.
//!
//! libp2p-kad has no call for that, so this is a small behaviour of our own beside it, on the same
//! protocol name: [`behaviour`] dials and opens streams, [`client`] speaks on them, [`pool`] keeps a
//! stream for the next request to the same peer.

mod backoff;
pub(crate) mod behaviour;
pub(crate) mod client;
mod pool;

pub(crate) use behaviour::dial_error;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parsec_measure::harmless;
use thiserror::Error;
use tokio::time::Instant;

/// How long the whole dial of a peer may take, over all its addresses (Go: `swarm.DialTimeout` of a peer).
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long negotiating a stream may take on an open connection.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to answer (Go: `dhtReadMessageTimeout`).
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// When each phase of a request was reached, on the monotonic clock. A phase that was not needed or not reached is `None`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Phases {
    pub(crate) asked: Option<Instant>,
    /// A connection had to be dialled.
    pub(crate) dialled: Option<Instant>,
    /// Another request was dialling it already.
    pub(crate) joined: bool,
    pub(crate) connected: Option<Instant>,
    /// A fresh stream was negotiated; `None` with a connection means that one was reused.
    pub(crate) opened: Option<Instant>,
    pub(crate) written: Option<Instant>,
    /// Answered, failed or cancelled.
    pub(crate) ended: Option<Instant>,
}

impl Phases {
    /// Whether it was this request that dialled.
    pub(crate) fn is_dialler(&self) -> bool {
        self.dialled.is_some() && !self.joined
    }
}

/// The phases of a request, written by the swarm's task and the request's own, read when it has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopwatch(Arc<Mutex<Phases>>);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let stopwatch = Self::default();
        stopwatch.note(|phases| &mut phases.asked);
        stopwatch
    }

    /// The connection that seemed to stand does not: what follows may have to dial.
    pub(crate) fn lost_connection(&self) {
        self.0.lock().connected = None;
    }

    fn note(&self, phase: impl FnOnce(&mut Phases) -> &mut Option<Instant>) {
        // Before the lock: waiting for it must not count.
        let now = Instant::now();
        phase(&mut self.0.lock()).get_or_insert(now);
    }

    pub(crate) fn dialled(&self) {
        self.note(|phases| &mut phases.dialled);
    }

    /// The connection is being dialled for another request.
    pub(crate) fn joined(&self) {
        self.0.lock().joined = true;
        self.dialled();
    }

    pub(crate) fn connected(&self) {
        self.note(|phases| &mut phases.connected);
    }

    pub(crate) fn opened(&self) {
        self.note(|phases| &mut phases.opened);
    }

    pub(crate) fn written(&self) {
        self.note(|phases| &mut phases.written);
    }

    pub(crate) fn ended(&self) {
        self.note(|phases| &mut phases.ended);
    }

    pub(crate) fn read(&self) -> Phases {
        *self.0.lock()
    }
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RpcError {
    /// No connection could be made.
    #[error("dial failed: {0}")]
    Dial(String),
    /// Nothing came back from any address, for as long as a dial may take.
    #[error("dial failed: {0}")]
    DialUnanswered(String),
    /// The dial was given up on after this long.
    #[error("no connection within {} s", .0.as_secs_f64())]
    DialTimeout(Duration),
    /// An earlier dial failed, and it is too soon for another.
    #[error("not dialled again so soon after a failed dial")]
    BackOff,
    /// The peer does not speak the protocol, for instance because it is a client.
    #[error("the peer does not speak the protocol")]
    Unsupported,
    /// Connected, and then nothing for this long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The connection or the stream broke.
    #[error("stream failed: {0}")]
    Stream(String),
    /// The connection closed before a stream was open.
    #[error("the connection closed")]
    Closed,
    /// The answer was none.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// How much is told of why a request failed: an error of the system, and a long address.
const MAX_REASON_CHARS: usize = 300;

impl RpcError {
    /// Why, in a sentence that holds no more of a stranger's words than are of use, and none that does harm.
    pub(crate) fn in_words(&self) -> String {
        harmless(&self.to_string(), MAX_REASON_CHARS)
    }

    /// Whether the peer was not even reached.
    pub(crate) fn is_dial(&self) -> bool {
        matches!(self, Self::Dial(_) | Self::DialUnanswered(_) | Self::DialTimeout(_) | Self::BackOff)
    }
}
