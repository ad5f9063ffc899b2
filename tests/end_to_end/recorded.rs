//! Databases in which something is recorded already, for tests of what reads them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_generator::{History, write};
use parsec_measure::{
    Attempt, AttemptId, Measured, NodeId, OperationKind, OutcomeClass, Round, RoundId, RoundOutcome, SchedulerId,
};
use parsec_store::{NewNode, ServerPort, Store};
use serde_json::Value;
use uuid::Uuid;

/// When the first server was there.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("the 21st of September 2026")
}

/// A database with all tables and no row.
pub(crate) async fn migrated(url: &str) -> Arc<dyn Store> {
    let store = parsec_store::connect(&url.parse().expect("a URL of a test")).await.expect("its database answers");
    store.migrate().await.expect("its tables can be made");
    store
}

/// A database with a generated history.
pub(crate) async fn generated(url: &str, history: History) {
    write(migrated(url).await, history, |_| ()).await.expect("a generated row can be written");
}

/// A UUID of version 7 that was made then, the `number`-th of that moment.
pub(crate) fn identity(at: DateTime<Utc>, number: u128) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).expect("a time after 1970");
    Uuid::from_u128((millis << 80) | (7 << 76) | (number << 64) | number)
}

/// A server.
pub(crate) fn node(fleet: &str, region: &str) -> NewNode {
    let port = |number| ServerPort::try_from(number).expect("a small number");
    NewNode {
        cpu: 1_024,
        memory: 2_048,
        peer_id: format!("12D3KooW{fleet}{region}"),
        region: region.to_owned(),
        cmd: "parsec server".to_owned(),
        fleet: fleet.parse().expect("the name of a fleet"),
        dependencies: Value::Null,
        ip_address: [192, 0, 2, 7].into(),
        server_port: port(7_070),
        peer_port: port(4_001),
        created_at: beginning(),
    }
}

/// A loop of rounds of this fleet.
pub(crate) async fn scheduler(store: &dyn Store, fleet: &str, since: DateTime<Utc>) -> SchedulerId {
    let fleets = fleet.parse().expect("the name of a fleet");
    store.register_scheduler(&fleets, Value::Null, since).await.expect("a scheduler can be registered")
}

/// A round that was due and began then, in which all of two servers took part, and which came to its end after 30 seconds.
pub(crate) fn round(id: Uuid, scheduler: SchedulerId, fleet: &str, publisher: NodeId, at: DateTime<Utc>) -> Round {
    Round {
        id: RoundId(id),
        scheduler,
        fleets: fleet.parse().expect("the name of a fleet"),
        provider: Some(publisher),
        nodes_listed: 2,
        nodes_ready: 2,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: at,
        started: at,
        ended: Some((at + TimeDelta::seconds(30), RoundOutcome::Complete)),
    }
}

/// An attempt of a round, which began and ended with it.
pub(crate) fn attempt(id: Uuid, of: &Round, node: NodeId, kind: OperationKind, result: Measured) -> Attempt {
    Attempt {
        id: AttemptId(id),
        round: of.id,
        scheduler: of.scheduler,
        node,
        kind,
        probe: 0,
        cid: "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4".to_owned(),
        due: of.due,
        started: of.started,
        ended: of.ended.map_or(of.started, |(ended, _)| ended),
        result,
        why_kept: None,
    }
}

/// What came of an attempt that took so long: something, or an error.
pub(crate) fn measured(class: OutcomeClass, took: Duration) -> Measured {
    let result = Measured::unmeasured(class, took, "no answer");
    if class == OutcomeClass::Ok { Measured { error: None, ..result } } else { result }
}
