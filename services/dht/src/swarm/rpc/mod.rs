//! One request to one chosen peer, with the time of each of its phases.
//!
//! libp2p-kad has no call for that, so this is a small behaviour of our own beside it, on the same
//! protocol name: [`behaviour`] dials and opens streams, [`client`] speaks on them, [`pool`] keeps a
//! stream for the next request to the same peer.

pub(crate) mod behaviour;
pub(crate) mod client;
mod offer;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parsec_measure::harmless;
use thiserror::Error;
use tokio::time::Instant;

use crate::swarm::dial::Failure;

/// How long the whole dial of a peer may take, over all its addresses (Go: `swarm.DialTimeout` of a peer).
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long negotiating a stream may take on an open connection.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to answer (Go: `dhtReadMessageTimeout`).
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

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

    /// The request is tried again: the next try has its own phases. Whether this request dialled is kept.
    pub(crate) fn again(&self) {
        let mut phases = self.0.lock();
        *phases = Phases { asked: phases.asked, dialled: phases.dialled, joined: phases.joined, ..Phases::default() };
    }

    /// There was no dial after all: no address was tried.
    pub(crate) fn not_dialled(&self) {
        self.0.lock().dialled = None;
    }

    fn note(&self, phase: impl FnOnce(&mut Phases) -> &mut Option<Instant>) {
        // Taken before the lock, so that waiting for the lock does not count.
        let now = Instant::now();
        let mut phases = self.0.lock();
        // A dial continues after its request has been given up; its result no longer belongs to the request.
        if phases.ended.is_none() {
            phase(&mut phases).get_or_insert(now);
        }
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
        let now = Instant::now();
        let mut phases = self.0.lock();
        let Phases { asked, dialled, connected, opened, written, .. } = *phases;
        // The request was given up while another task noted a phase: the one that gets the lock first counts.
        let last = [asked, dialled, connected, opened, written].into_iter().flatten().fold(now, Instant::max);
        phases.ended.get_or_insert(last);
    }

    pub(crate) fn read(&self) -> Phases {
        *self.0.lock()
    }
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
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
    /// All addresses of the peer are of transports that we do not have.
    #[error("not dialled: the peer offers only {0}")]
    NoTransport(String),
    /// A limit of this machine or process: nothing is known of the peer.
    #[error("a limit of this machine: {0}")]
    LocalLimit(String),
    /// The peer does not speak the protocol, for instance because it is a client.
    #[error("the peer does not speak the protocol")]
    Unsupported,
    /// Connected, and then nothing for this long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The connection broke before a stream was open.
    #[error("no stream: {0}")]
    Unopened(String),
    /// The connection or the stream broke.
    #[error("stream failed: {0}")]
    Stream(String),
    /// The answer was not valid.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// How much of the reason for a failure is kept: enough for an error of the system and a long address.
const MAX_REASON_CHARS: usize = 300;

impl RpcError {
    /// The reason as a sentence. Text from strangers is cut and made harmless.
    pub(crate) fn in_words(&self) -> String {
        harmless(&self.to_string(), MAX_REASON_CHARS)
    }

    /// Whether the peer was not even reached.
    pub(crate) fn is_dial(&self) -> bool {
        matches!(
            self,
            Self::Dial(_) | Self::DialUnanswered(_) | Self::DialTimeout(_) | Self::BackOff | Self::NoTransport(_)
        )
    }

    /// Whether no address of the peer was tried at all.
    pub(crate) fn is_untried(&self) -> bool {
        matches!(self, Self::BackOff | Self::NoTransport(_) | Self::LocalLimit(_))
    }

    /// Whether the failure says nothing about the peer.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::LocalLimit(_) | Self::Stopping)
    }
}

impl From<Failure> for RpcError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoTransport(transports) => Self::NoTransport(transports),
            Failure::BackOff => Self::BackOff,
            Failure::LocalLimit(words) => Self::LocalLimit(words),
            Failure::Unanswered(words) => Self::DialUnanswered(words),
            other => Self::Dial(other.to_string()),
        }
    }
}

/// What a request may be sent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// A stream that an earlier request has left open may be used.
    #[default]
    Any,
    /// A new stream.
    FreshStream,
    /// A new connection: the existing one is closing.
    FreshConnection,
}

/// Which tries one request has left. What was written or read in vain is tried once more on a fresh stream, as in Go
/// (`internal/net/message_manager.go`). A connection that closes in the very moment in which a stream is wanted is replaced by a new
/// one, once: on the old one, whose end the swarm may not have heard of yet, the next try would end like the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tries {
    stream: bool,
    connection: bool,
}

impl Default for Tries {
    fn default() -> Self {
        Self { stream: true, connection: true }
    }
}

impl Tries {
    /// How to try again after this failure, if at all.
    pub(crate) fn after(&mut self, error: &RpcError) -> Option<Way> {
        match error {
            RpcError::Unopened(_) if std::mem::take(&mut self.connection) => Some(Way::FreshConnection),
            RpcError::Stream(_) | RpcError::Timeout(_) | RpcError::Malformed(_) if std::mem::take(&mut self.stream) => {
                Some(Way::FreshStream)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_tried_three_times_at_most_and_never_after_a_failed_dial() {
        let (broken, unopened) = (RpcError::Stream("reset".to_owned()), RpcError::Unopened("closed".to_owned()));
        let mut tries = Tries::default();
        assert_eq!(tries.after(&broken), Some(Way::FreshStream));
        assert_eq!(tries.after(&unopened), Some(Way::FreshConnection));
        assert_eq!((tries.after(&broken), tries.after(&unopened)), (None, None));
        for final_error in [RpcError::Dial(String::new()), RpcError::Unsupported, RpcError::BackOff, RpcError::Stopping]
        {
            assert_eq!(Tries::default().after(&final_error), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_becomes_of_a_dial_after_its_request_was_given_up_is_not_the_requests() {
        let stopwatch = Stopwatch::start();
        stopwatch.dialled();
        stopwatch.ended();
        let ended = stopwatch.read().ended;
        tokio::time::advance(Duration::from_millis(5)).await;
        stopwatch.connected();
        stopwatch.opened();
        stopwatch.ended();
        let phases = stopwatch.read();
        assert_eq!((phases.connected, phases.opened, phases.ended), (None, None, ended));
        stopwatch.again();
        stopwatch.connected();
        assert!(stopwatch.read().connected.is_some(), "another try has phases of its own");
    }
}
