//! Stand-ins for everything that the actors ask: database, servers, DHT. They keep virtual time, remember
//! what they were asked, and fail when told to.
#![allow(dead_code, unused_imports, reason = "each of the test programs that share this folder uses a part of it")]

mod dht;
mod glance;
mod many;
mod run;
mod servers;
mod spool;
mod store;
mod witness;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use parsec_actors::serving::dht_node::Provide;
use parsec_actors::supervision::supervise::RestartPolicy;
use parsec_actors::telemetry::metrics::Metrics;
use parsec_measure::{Cid, Content, Endpoint, Measured, Measurement, Node, NodeId, OutcomeClass, StrategyKind, Trace};
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) use dht::{BeReady, FakeDht, MockDht, Records};
pub(crate) use glance::FakeGlance;
pub(crate) use run::Run;
pub(crate) use servers::{FakeServers, Finds, How, LIAR, Question, STRANGER};
pub(crate) use spool::{DiskMood, FakeDisk};
pub(crate) use store::{Call, FakeStore, Mood};
pub(crate) use witness::{Bystander, Bystanding, Witness};

/// In virtual time, far longer than anything here takes: reached only when a state never comes about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// Back after at most a second; down after the fourth crash within ten seconds.
pub(crate) const POLICY: RestartPolicy = RestartPolicy {
    backoff_min: Duration::from_millis(250),
    backoff_max: Duration::from_secs(1),
    max_restarts: 3,
    window: Duration::from_secs(10),
};

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits for a state, not for a time.
pub(crate) async fn until<T>(states: &watch::Sender<T>, what: &str, condition: impl FnMut(&T) -> bool) {
    let mut states = states.subscribe();
    let waited = timeout(PATIENCE, states.wait_for(condition)).await;
    assert!(waited.is_ok(), "never came about: {what}");
}

pub(crate) fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new("0.0.0", "test"))
}

/// The value of one series, 0 if nothing has been counted in it.
pub(crate) fn counted(metrics: &Metrics, series: &str) -> f64 {
    let text = metrics.encode().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// A CID that is another one for each number.
pub(crate) fn cid(number: u64) -> Cid {
    Content::from(number.to_be_bytes().to_vec()).cid()
}

/// The wish to publish a key that is another one for each number, under no attempt.
pub(crate) fn publication(number: u64) -> Provide {
    Provide { cid: cid(number), attempt: None }
}

/// Node `id` of a fleet, at an endpoint of its own.
pub(crate) fn node(id: u8, fleet: &str) -> Node {
    Node {
        id: NodeId(i32::from(id)),
        peer_id: peer_id(id),
        region: "eu-test-1".to_owned(),
        fleet: fleet.parse().unwrap(),
        endpoint: endpoint(id),
    }
}

/// The peer id of node `id`: the hash of something, as those of RSA keys are.
pub(crate) fn peer_id(id: u8) -> String {
    cid(1_000_000 + u64::from(id)).to_string()
}

/// Where node `id` is reached.
pub(crate) fn endpoint(id: u8) -> Endpoint {
    Endpoint::new(Ipv4Addr::new(10, 0, 0, id).into(), 7070)
}

/// What came of keys with each of which the same happened.
fn provided(cids: Vec<Cid>, manner: parsec_measure::Manner, each: &Measured) -> parsec_measure::ProvidedMany {
    let mut all = parsec_measure::ProvidedMany::nothing(manner);
    cids.into_iter().for_each(|cid| all.add(cid, each));
    parsec_measure::ProvidedMany { duration: each.duration, ..all }
}

/// A measurement as a server makes it, with its trace.
pub(crate) fn measured(class: OutcomeClass, duration: Duration) -> Measured {
    let trace = Trace { strategy: StrategyKind::Classic, returned: duration, requests: vec![], left_out: 0 };
    let error = (class != OutcomeClass::Ok).then(|| format!("this {class} was ordered"));
    Measured {
        error: error.clone(),
        routing_table_size: 202,
        steps: vec![Measurement { step: "retrieval".to_owned(), duration, error }],
        network_size: Some(7_000),
        trace: Some(Arc::new(trace)),
        ..Measured::unmeasured(class, duration, "")
    }
}
