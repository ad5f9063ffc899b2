//! What one operation did, request by request: enough to draw it again, and to say where its time went.

mod order;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AttemptId, FoundProvider, UnknownName};

/// How many requests of one operation a trace holds; what is beyond is counted in [`Trace::left_out`].
/// A publication takes 40 to 130 requests in the field.
pub const MAX_TRACED_REQUESTS: usize = 512;

/// How a node publishes and finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrategyKind {
    /// As go-libp2p-kad-dht does by default: look up the closest peers, then send the record to all of them.
    Classic,
    /// Optimistic provide: send records during the lookup, judged by the size of the network.
    Optprov,
    /// Full routing table: know every peer from a crawl, and ask the closest at once.
    Fullrt,
    /// The lookups of rust-libp2p as they are.
    Libp2p,
}

impl StrategyKind {
    /// Every strategy, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Classic, Self::Optprov, Self::Fullrt, Self::Libp2p];

    /// The name on the command line, in the database and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Optprov => "optprov",
            Self::Fullrt => "fullrt",
            Self::Libp2p => "libp2p",
        }
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StrategyKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| UnknownName { what: "strategy", name: name.to_owned() })
    }
}

/// What a peer was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestKind {
    /// Which peers are closest to the key?
    #[serde(rename = "FIND_NODE")]
    FindNode,
    /// Who provides the key, and which peers are closest to it?
    #[serde(rename = "GET_PROVIDERS")]
    GetProviders,
    /// Note that we provide the key.
    #[serde(rename = "ADD_PROVIDER")]
    AddProvider,
}

impl RequestKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::FindNode, Self::GetProviders, Self::AddProvider];

    /// The name in the specification of libp2p's Kademlia.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FindNode => "FIND_NODE",
            Self::GetProviders => "GET_PROVIDERS",
            Self::AddProvider => "ADD_PROVIDER",
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEnd {
    /// With an answer; for ADD_PROVIDER, written.
    Answered,
    /// The peer could not be connected to.
    DialFailed,
    /// Connecting was given up after the time allowed for it.
    DialTimeout,
    /// Not tried: an earlier dial had failed shortly before.
    BackOff,
    /// Not tried: all addresses of the peer are of transports that the node does not have.
    NoTransport,
    /// A limit of the measuring machine or process was reached, for instance of open files: it says nothing of the peer.
    LocalLimit,
    /// Connected, and then no answer in the time allowed for it.
    Timeout,
    /// The stream or its protocol failed, or the answer was none.
    Protocol,
    /// Given up on, because the operation needed it no more.
    Cancelled,
    /// Still under way when the trace was taken.
    Pending,
}

impl RequestEnd {
    /// Every end, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Answered,
        Self::DialFailed,
        Self::DialTimeout,
        Self::BackOff,
        Self::NoTransport,
        Self::LocalLimit,
        Self::Timeout,
        Self::Protocol,
        Self::Cancelled,
        Self::Pending,
    ];

    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::DialFailed => "dial_failed",
            Self::DialTimeout => "dial_timeout",
            Self::BackOff => "back_off",
            Self::NoTransport => "no_transport",
            Self::LocalLimit => "local_limit",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
            Self::Pending => "pending",
        }
    }

    /// Whether it came to nothing, whoever was at fault.
    pub fn is_failure(self) -> bool {
        match self {
            Self::DialFailed
            | Self::DialTimeout
            | Self::BackOff
            | Self::NoTransport
            | Self::LocalLimit
            | Self::Timeout
            | Self::Protocol => true,
            Self::Answered | Self::Cancelled | Self::Pending => false,
        }
    }
}

/// What a request found standing when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Warmth {
    /// No connection: it had to be dialled, or was being dialled.
    Cold,
    /// A connection, on which a stream had to be opened.
    Connection,
    /// A stream that an earlier request had left open.
    Stream,
}

/// One request of an operation. Times are offsets from the start of the operation, on the measuring
/// host's monotonic clock, in microseconds when written down. A phase that was not needed, or not reached, is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedRequest {
    /// The peer's id.
    pub peer: String,
    /// The software that it says it runs, if it has introduced itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it was asked.
    pub kind: RequestKind,
    /// The request (an index into [`Trace::requests`]) whose answer first named the peer; `None`: known from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_by: Option<u32>,
    /// How many answers led to the peer: 0 if it was known from the start.
    pub hop: u32,
    /// How many leading bits the peer's place in the keyspace shares with the key: the more, the closer.
    pub common_prefix: u32,
    /// When it was wanted.
    #[serde(with = "micros")]
    pub asked: Duration,
    /// When a dial for it began.
    #[serde(default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub dialled: Option<Duration>,
    /// When a connection stood.
    #[serde(default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub connected: Option<Duration>,
    /// When a fresh stream was negotiated.
    #[serde(default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub opened: Option<Duration>,
    /// When the request was written.
    #[serde(default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub written: Option<Duration>,
    /// When it ended, however it did.
    #[serde(default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub ended: Option<Duration>,
    /// How it ended.
    pub end: RequestEnd,
    /// In words, why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many peers its answer named as closer to the key.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closer: u32,
    /// How many providers its answer named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub providers: u32,
    /// Which: of all requests of a trace together, the first [`MAX_FOUND_PROVIDERS`](crate::MAX_FOUND_PROVIDERS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<FoundProvider>,
    /// When the peer had taken in the record that was written to it: its side of the stream came to a clean end. It may be
    /// later than the return of the operation, and than `ended`.
    #[serde(default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Duration>,
    /// In words, why it has not: the stream was reset, for instance. Neither this nor `confirmed`: nothing was known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<String>,
}

impl TracedRequest {
    /// What it found standing; `None` if it never got as far as to find out.
    pub fn warmth(&self) -> Option<Warmth> {
        match (self.dialled, self.connected, self.opened) {
            (Some(_), _, _) => Some(Warmth::Cold),
            (None, Some(_), Some(_)) => Some(Warmth::Connection),
            (None, Some(_), None) => self.written.map(|_| Warmth::Stream),
            (None, None, _) => None,
        }
    }
}

/// What one operation did. It is one document wherever it is written down: in an answer, in the database, in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// How the node publishes and finds.
    pub strategy: StrategyKind,
    /// When the operation gave its result; requests that end later were left to the background.
    #[serde(with = "micros")]
    pub returned: Duration,
    /// Its requests in the order in which they were made, at most [`MAX_TRACED_REQUESTS`].
    pub requests: Vec<TracedRequest>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

impl Trace {
    /// Whom its answers named as providers, each with who did. One that several named is there several times.
    pub fn named(&self) -> Vec<FoundProvider> {
        let by = |request: &TracedRequest| {
            let peer = request.peer.clone();
            let named = request.named.iter().cloned();
            named.map(move |provider| FoundProvider { named_by: Some(peer.clone()), ..provider }).collect::<Vec<_>>()
        };
        self.requests.iter().flat_map(by).collect()
    }
}

/// What became of a publication once its last put had ended and the peers had had time to say that they took the record in.
/// Every publication that chose peers has one. Those stored, failed and pending are together all that were chosen.
/// It is written into files as it stands here: what earlier versions did not write has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUp {
    /// The attempt that it belongs to, if the publication was asked for under one.
    pub attempt: Option<AttemptId>,
    /// The key.
    pub cid: String,
    /// Peers that the record was written to, those from before the return included.
    pub stored: u32,
    /// Those of them that have taken it in; `None` if it was recorded by a version that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<u32>,
    /// Peers that it could not be written to, likewise.
    pub failed: u32,
    /// Peers of which nobody knows: the node was stopped while it was being written to them. `None` as with `confirmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u32>,
    /// From the start of the publication to the end of its last put.
    pub duration: Duration,
    /// How long after that end it was waited until the peers had said whether they took it in.
    #[serde(default)]
    pub confirming: Duration,
}

impl FollowUp {
    /// Whether the record was written to peers of which none has taken it in: what looks like a success may be held by nobody.
    pub fn is_unconfirmed(&self) -> bool {
        self.stored > 0 && self.confirmed == Some(0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

mod micros {
    use super::Duration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

mod optional_micros {
    use super::Duration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::micros::serialize(duration, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> TracedRequest {
        TracedRequest {
            peer: "12D3KooWpeer".to_owned(),
            agent: None,
            kind: RequestKind::FindNode,
            named_by: None,
            hop: 0,
            common_prefix: 7,
            asked: Duration::from_micros(15),
            dialled: None,
            connected: Some(Duration::from_micros(15)),
            opened: None,
            written: Some(Duration::from_micros(40)),
            ended: Some(Duration::from_millis(2)),
            end: RequestEnd::Answered,
            error: None,
            closer: 20,
            providers: 0,
            named: vec![],
            confirmed: None,
            unconfirmed: None,
        }
    }

    #[test]
    fn what_is_known_of_a_record_that_was_written_stands_with_its_request() {
        let put = |confirmed, unconfirmed: Option<&str>| {
            let unconfirmed = unconfirmed.map(str::to_owned);
            TracedRequest { kind: RequestKind::AddProvider, closer: 0, confirmed, unconfirmed, ..request() }
        };
        for (put, tail) in [
            (put(Some(Duration::from_millis(3)), None), r#""end":"answered","confirmed":3000}"#),
            (put(None, Some("reset")), r#""end":"answered","unconfirmed":"reset"}"#),
            (put(None, None), r#""end":"answered"}"#),
        ] {
            let text = serde_json::to_string(&put).unwrap();
            assert!(text.ends_with(tail), "{text}");
            assert_eq!(serde_json::from_str::<TracedRequest>(&text).unwrap(), put);
        }
    }

    #[test]
    fn a_trace_is_a_small_document_that_reads_back() {
        let trace = Trace {
            strategy: StrategyKind::Optprov,
            returned: Duration::from_millis(3),
            requests: vec![request()],
            left_out: 0,
        };
        let text = serde_json::to_string(&trace).unwrap();
        let expected = concat!(
            r#"{"strategy":"optprov","returned":3000,"requests":[{"peer":"12D3KooWpeer","kind":"FIND_NODE","hop":0,"#,
            r#""common_prefix":7,"asked":15,"connected":15,"written":40,"ended":2000,"end":"answered","closer":20}]}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Trace>(&text).unwrap(), trace);
    }

    #[test]
    fn a_request_says_which_providers_were_named_and_a_trace_by_whom() {
        let provider = |peer: &str, addresses: &[&str]| FoundProvider {
            peer: peer.to_owned(),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            named_by: None,
        };
        let named = vec![provider("QmOne", &["/ip4/1.2.3.4/tcp/4001"]), provider("QmOther", &[])];
        let request = TracedRequest { providers: 2, named, ..request() };
        let text = serde_json::to_string(&request).unwrap();
        let expected =
            r#""providers":2,"named":[{"peer":"QmOne","addresses":["/ip4/1.2.3.4/tcp/4001"]},{"peer":"QmOther"}]}"#;
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(serde_json::from_str::<TracedRequest>(&text).unwrap(), request);

        let requests = vec![TracedRequest { named: vec![], ..request.clone() }, request];
        let trace = Trace { strategy: StrategyKind::Classic, returned: Duration::ZERO, requests, left_out: 0 };
        let named: Vec<_> = trace.named().into_iter().map(|named| (named.peer, named.named_by.unwrap())).collect();
        let by = "12D3KooWpeer".to_owned();
        assert_eq!(named, [("QmOne".to_owned(), by.clone()), ("QmOther".to_owned(), by)]);
    }

    #[test]
    fn a_request_tells_what_it_found_standing() {
        let warm_stream = request();
        let warm_connection = TracedRequest { opened: Some(Duration::from_micros(30)), ..request() };
        let cold = TracedRequest { dialled: Some(Duration::from_micros(16)), ..warm_connection.clone() };
        let held_back = TracedRequest { connected: None, written: None, end: RequestEnd::BackOff, ..request() };
        assert_eq!(
            [&warm_stream, &warm_connection, &cold, &held_back].map(TracedRequest::warmth),
            [Some(Warmth::Stream), Some(Warmth::Connection), Some(Warmth::Cold), None]
        );
    }

    #[test]
    fn every_strategy_is_read_back_by_its_name() {
        for kind in StrategyKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("fast".parse::<StrategyKind>().unwrap_err().to_string(), "unknown strategy `fast`");
    }
}
