//! Requests and operations for the tests: by hand, and arbitrary.

use std::time::Duration;

use chrono::DateTime;
use parsec_measure::{
    ArchivedOperation, AttemptId, Effort, NodeId, OperationKind, OutcomeClass, RequestEnd, RequestKind, RoundId,
    SampledOperation, SchedulerId, StrategyKind, Trace, TracedRequest, WhyKept,
};
use proptest::prelude::*;

use crate::bench::BenchOperation;

/// A phase's time stamp.
pub fn at(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

/// An operation on this network that succeeded, and left its record with all who were closest.
pub fn bench_operation(network: u64, number: u32, ms: u64) -> BenchOperation {
    let effort =
        Effort { rpcs: Some(40), rpcs_failed: Some(4), dials: Some(30), dials_failed: Some(3), ..Effort::default() };
    BenchOperation {
        network,
        number,
        region: None,
        class: OutcomeClass::Ok,
        duration: Duration::from_millis(ms),
        effort,
        network_size: None,
        holders_at_return: Some(20),
        holders_final: Some(20),
        holders_left: None,
        closest_found: Some(1.0),
    }
}

/// A search that is answered without its phases being known.
pub fn request(peer: &str, asked: u64, ended: u64) -> TracedRequest {
    TracedRequest {
        peer: peer.to_owned(),
        agent: None,
        kind: RequestKind::FindNode,
        named_by: None,
        hop: 0,
        common_prefix: 0,
        asked: Duration::from_millis(asked),
        dialled: None,
        connected: None,
        opened: None,
        written: None,
        ended: at(ended),
        end: RequestEnd::Answered,
        error: None,
        closer: 20,
        providers: 0,
        named: vec![],
        confirmed: None,
        unconfirmed: None,
    }
}

/// The next hop, named by the request with this index.
pub fn hop(peer: &str, named_by: u32, asked: u64, ended: u64) -> TracedRequest {
    TracedRequest { named_by: Some(named_by), hop: 1, ..request(peer, asked, ended) }
}

/// A record that is written.
pub fn put(peer: &str, asked: u64, ended: u64) -> TracedRequest {
    TracedRequest { kind: RequestKind::AddProvider, closer: 0, ..request(peer, asked, ended) }
}

/// A request that comes to this end.
pub fn ending(end: RequestEnd, request: TracedRequest) -> TracedRequest {
    TracedRequest { end, closer: 0, ..request }
}

/// A trace of these requests.
pub fn trace(returned: u64, requests: Vec<TracedRequest>) -> Trace {
    Trace { strategy: StrategyKind::Classic, returned: Duration::from_millis(returned), requests, left_out: 0 }
}

/// A lookup in the round of this second, and why its trace was kept.
pub fn sampled(second: u64, class: OutcomeClass, took: Duration, why_kept: Option<WhyKept>) -> SampledOperation {
    let id = uuid::Uuid::from_u128(u128::from(second * 1_000) << 80);
    let operation = ArchivedOperation {
        id: AttemptId(id),
        round: RoundId(id),
        node: NodeId(1),
        kind: OperationKind::Retrieve,
        probe: 0,
        class,
        started: DateTime::from_timestamp(second as i64, 0).unwrap_or_default(),
        duration: took,
        from_own_records: false,
    };
    SampledOperation { operation, scheduler: SchedulerId(1), is_told: true, why_kept }
}

fn arbitrary_request() -> impl Strategy<Value = TracedRequest> {
    // Few different times, so that they often coincide, as they do in virtual time.
    let time = || (0..40u64).prop_map(|step| Duration::from_micros(step * 700));
    let stamp = || proptest::option::of(time());
    let stamps = (time(), stamp(), stamp(), stamp(), stamp(), stamp());
    let what = (0..RequestKind::ALL.len(), 0..RequestEnd::ALL.len(), proptest::option::of(0..30u32), 0..3u32);
    (".{0,8}", stamps, what).prop_map(|(peer, (asked, dialled, connected, opened, written, ended), what)| {
        let (kind, end, named_by, providers) = what;
        TracedRequest {
            kind: RequestKind::ALL[kind],
            end: RequestEnd::ALL[end],
            named_by,
            providers,
            asked,
            dialled,
            connected,
            opened,
            written,
            ended,
            ..request(&peer, 0, 0)
        }
    })
}

/// Traces such as no node makes them, too: nothing in a stored document is certain.
pub fn arbitrary_trace() -> impl Strategy<Value = Trace> {
    let returned = (0..40u64).prop_map(|step| Duration::from_micros(step * 700));
    (returned, proptest::collection::vec(arbitrary_request(), 0..25), 0..3u32).prop_map(
        |(returned, requests, left_out)| Trace { strategy: StrategyKind::Optprov, returned, requests, left_out },
    )
}
