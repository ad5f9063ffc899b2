//! What becomes of a publication or a lookup: the class of its outcome and what it took.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{FoundProvider, Trace, UnknownName};

/// The two things that parsec times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperationKind {
    /// Publishing a provider record.
    Provide,
    /// Finding the first provider record.
    Retrieve,
}

impl OperationKind {
    /// Both kinds, in the order of a round.
    pub const ALL: [Self; 2] = [Self::Provide, Self::Retrieve];

    /// The name in the database, in metrics and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provide => "provide",
            Self::Retrieve => "retrieve",
        }
    }

    /// The step name of the 2026 wire, and of `provides_ecs.step`.
    pub fn wire_step(self) -> &'static str {
        match self {
            Self::Provide => "provide",
            Self::Retrieve => "retrieval",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OperationKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownName { what: "operation", name: name.to_owned() })
    }
}

/// What became of one attempt. Every attempt has exactly one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutcomeClass {
    /// Published to at least one holder, or a provider found.
    Ok,
    /// The lookup ended in good order without a provider.
    NotFound,
    /// Providers were named, and who had published was not among them. Only a scheduler can say so: it knows who had.
    WrongProvider,
    /// The DHT operation ran past its time limit.
    Timeout,
    /// The routing table was empty: there was nobody to ask.
    NoPeers,
    /// No peer could be connected to.
    DialFailed,
    /// No peer could be connected to, because none offers a transport that the node has.
    NoTransport,
    /// No peer could be connected to, because the measuring machine or process had reached a limit of its own, for
    /// instance of open files.
    LocalLimit,
    /// Peers were reached, and none of them answered as the protocol wants it, or they named others without end.
    Protocol,
    /// The server's HTTP API could not be reached, or gave no answer in time.
    ServerUnreachable,
    /// The server said that it cannot measure yet.
    ServerNotReady,
    /// The server answered with something that is not a measurement.
    ServerError,
    /// Another node than the one that was asked answered at its address: a measurement of neither. Says nothing of the DHT.
    WrongNode,
    /// Given up on because the process was stopping.
    Cancelled,
    /// Begun, and its result lost in a crash of the measuring process.
    RecordLost,
}

impl OutcomeClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::NotFound,
        Self::WrongProvider,
        Self::Timeout,
        Self::NoPeers,
        Self::DialFailed,
        Self::NoTransport,
        Self::LocalLimit,
        Self::Protocol,
        Self::ServerUnreachable,
        Self::ServerNotReady,
        Self::ServerError,
        Self::WrongNode,
        Self::Cancelled,
        Self::RecordLost,
    ];

    /// The name in the database, on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::WrongProvider => "wrong_provider",
            Self::Timeout => "timeout",
            Self::NoPeers => "no_peers",
            Self::DialFailed => "dial_failed",
            Self::NoTransport => "no_transport",
            Self::LocalLimit => "local_limit",
            Self::Protocol => "protocol",
            Self::ServerUnreachable => "server_unreachable",
            Self::ServerNotReady => "server_not_ready",
            Self::ServerError => "server_error",
            Self::WrongNode => "wrong_node",
            Self::Cancelled => "cancelled",
            Self::RecordLost => "record_lost",
        }
    }

    /// Whether a server measured this, so that the original's tables have a shape for it.
    pub fn is_measured(self) -> bool {
        self.is_seen_by_servers() || self == Self::WrongProvider
    }

    /// Whether a server can answer with it: it knows what became of its operation. Whether the server was reachable, and
    /// whether it found the right provider, is for others to say.
    pub fn is_answered(self) -> bool {
        self.is_seen_by_servers() || self == Self::Cancelled
    }

    fn is_seen_by_servers(self) -> bool {
        match self {
            Self::Ok
            | Self::NotFound
            | Self::Timeout
            | Self::NoPeers
            | Self::DialFailed
            | Self::NoTransport
            | Self::LocalLimit
            | Self::Protocol => true,
            Self::WrongProvider
            | Self::ServerUnreachable
            | Self::ServerNotReady
            | Self::ServerError
            | Self::WrongNode
            | Self::Cancelled
            | Self::RecordLost => false,
        }
    }
}

impl fmt::Display for OutcomeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OutcomeClass {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == name)
            .ok_or_else(|| UnknownName { what: "outcome class", name: name.to_owned() })
    }
}

crate::name::as_text! { OperationKind, OutcomeClass }

/// One timed step of an operation, as the 2026 wire reports it. A DHT operation has one, an IPNI publication four.
/// It is written into files as it stands here; the wire has its own names and units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// `provide`, `retrieval`, `announce`, `index_ad`, `index_entries` or `availability`.
    pub step: String,
    /// How long the step took, on the server's monotonic clock.
    pub duration: Duration,
    /// Why it failed; `None` is success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What an operation cost, counted by the server that ran it. A server of another make does not say: then `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    /// Requests sent to peers.
    pub rpcs: Option<u32>,
    /// Those of them that ended without a proper answer.
    pub rpcs_failed: Option<u32>,
    /// Connections that had to be dialled for them.
    pub dials: Option<u32>,
    /// Those of them that could not be established.
    pub dials_failed: Option<u32>,
    /// Peers that the provider record was written to, by the time of the result.
    pub holders_stored: Option<u32>,
    /// Those of them that had taken it in by then, as a clean end of the stream says. It comes a round trip after the
    /// write, outside of the measured time: the [`FollowUp`](crate::FollowUp) says how many there were in the end.
    pub holders_confirmed: Option<u32>,
    /// Peers that it could not be written to.
    pub holders_failed: Option<u32>,
    /// Peers that it was still being written to: the [`FollowUp`](crate::FollowUp) says what became of them. Together
    /// with those stored and those failed they are all that were chosen.
    pub holders_pending: Option<u32>,
}

/// The result of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What became of it.
    pub class: OutcomeClass,
    /// How long it took, start to end, on the server's monotonic clock.
    pub duration: Duration,
    /// In words, why it failed; `None` exactly when `class` is [`OutcomeClass::Ok`].
    pub error: Option<String>,
    /// Peers in the server's routing table when it began; for fullrt, peers found by the crawl.
    pub routing_table_size: u32,
    /// The timed steps, at least one if a server measured it.
    pub steps: Vec<Measurement>,
    /// What it cost.
    pub effort: Effort,
    /// How many peers the server believed the network to have when it began: estimated from its lookups, or counted by a crawl.
    pub network_size: Option<u32>,
    /// Why it was done the classic way although the server is meant to do better, for instance for want of an estimate.
    pub fallback: Option<String>,
    /// A search that the server answered from its own records, without asking anybody: no DHT was measured.
    pub from_own_records: bool,
    /// Whom a search found, at most [`MAX_FOUND_PROVIDERS`](crate::MAX_FOUND_PROVIDERS). Empty if it found nobody, and if the
    /// server does not say whom.
    pub providers: Vec<FoundProvider>,
    /// Whether who had published was among them, if that is known: see [`Measured::compared_with`]. A server leaves it open.
    pub found_publisher: Option<bool>,
    /// Request by request, what was done.
    pub trace: Option<Arc<Trace>>,
}

/// What the row of an attempt says whose result nobody has.
const RECORD_LOST: &str = "the measuring process ended or crashed before it recorded the result";

impl Measured {
    /// What is known of an attempt that is about to begin, should nobody be left to record its result.
    pub fn record_lost() -> Self {
        Self::unmeasured(OutcomeClass::RecordLost, Duration::ZERO, RECORD_LOST)
    }

    /// An attempt that no server measured: what became of it, after how long, and why.
    pub fn unmeasured(class: OutcomeClass, duration: Duration, error: impl Into<String>) -> Self {
        Self {
            class,
            duration,
            error: Some(error.into()),
            routing_table_size: 0,
            steps: Vec::new(),
            effort: Effort::default(),
            network_size: None,
            fallback: None,
            from_own_records: false,
            providers: Vec::new(),
            found_publisher: None,
            trace: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for class in OutcomeClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        for kind in OperationKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for outcome in crate::RoundOutcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert_eq!("splendid".parse::<OutcomeClass>().unwrap_err().to_string(), "unknown outcome class `splendid`");
    }
}
