//! Values to record.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{
    Attempt, AttemptId, Effort, FoundProvider, Measured, Measurement, NodeId, OperationKind, OutcomeClass, RequestEnd,
    RequestKind, Round, RoundId, RoundOutcome, SchedulerId, StrategyKind, Trace, TracedRequest, WhyKept,
};
use parsec_store::{NewNode, Row, ServerPort};
use uuid::Uuid;

use super::database::Database;

/// A moment with more digits than PostgreSQL keeps.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000 + second, 123_456_789).unwrap()
}

/// The same moment as the tables show it: up to the microsecond.
pub(crate) fn shown(time: DateTime<Utc>) -> String {
    time.format("%F %T%.6f").to_string()
}

pub(crate) fn new_node(fleet: &str) -> NewNode {
    NewNode {
        cpu: 2,
        memory: 4_096,
        peer_id: "12D3KooWSample".to_owned(),
        region: "eu-central-1".to_owned(),
        cmd: "parsec server".to_owned(),
        fleet: fleet.parse().unwrap(),
        dependencies: serde_json::json!({ "package": "parsec", "crates": { "libp2p": "0.57.1" } }),
        ip_address: "192.0.2.7".parse().unwrap(),
        server_port: ServerPort::try_from(7_070).unwrap(),
        peer_port: ServerPort::try_from(4_001).unwrap(),
        created_at: at(0),
    }
}

pub(crate) async fn register_node(database: &Database, fleet: &str) -> NodeId {
    database.store.register_node(new_node(fleet)).await.unwrap()
}

pub(crate) async fn register_scheduler(database: &Database) -> SchedulerId {
    let dependencies = serde_json::json!({ "package": "parsec" });
    database.store.register_scheduler(&"default".parse().unwrap(), dependencies, at(0)).await.unwrap()
}

/// A scheduler, a node, and attempts of theirs.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) scheduler: SchedulerId,
    pub(crate) node: NodeId,
}

impl Pair {
    pub(crate) async fn registered(database: &Database) -> Self {
        Self { scheduler: register_scheduler(database).await, node: register_node(database, "default").await }
    }

    pub(crate) fn round(self, ended: Option<RoundOutcome>) -> Round {
        Round {
            id: RoundId(Uuid::from_u128(1)),
            scheduler: self.scheduler,
            fleets: "default+fullrt".parse().unwrap(),
            provider: Some(self.node),
            nodes_listed: 7,
            nodes_ready: 6,
            nodes_without_heartbeat: 0,
            skipped_before: 1,
            due: at(10),
            started: at(11),
            ended: ended.map(|outcome| (at(19), outcome)),
        }
    }

    /// An attempt that was measured and went well, in one step.
    pub(crate) fn attempt(self, id: u128, kind: OperationKind) -> Attempt {
        Attempt {
            id: AttemptId(Uuid::from_u128(id)),
            round: RoundId(Uuid::from_u128(1)),
            scheduler: self.scheduler,
            node: self.node,
            kind,
            probe: 0,
            cid: format!("Qm{id}"),
            due: at(11),
            started: at(12),
            ended: at(14),
            result: Measured {
                error: None,
                routing_table_size: 202,
                steps: vec![step(kind.wire_step(), 1_500, None)],
                effort: Effort::default(),
                ..Measured::unmeasured(OutcomeClass::Ok, Duration::from_millis(1_500), "")
            },
            why_kept: None,
        }
    }

    /// The same, with its trace.
    pub(crate) fn traced(self, id: u128, kind: OperationKind, why_kept: WhyKept) -> Attempt {
        let attempt = self.attempt(id, kind);
        let result = Measured { trace: Some(Arc::new(trace())), ..attempt.result };
        Attempt { why_kept: Some(why_kept), result, ..attempt }
    }

    /// The same, gone wrong.
    pub(crate) fn failed(self, id: u128, kind: OperationKind, class: OutcomeClass) -> Attempt {
        let result = Measured::unmeasured(class, Duration::from_millis(250), "went wrong");
        Attempt { result, ..self.attempt(id, kind) }
    }
}

/// Two requests, the second one to a peer that the first one named.
pub(crate) fn trace() -> Trace {
    let provider = FoundProvider {
        peer: "12D3KooWStranger".to_owned(),
        addresses: vec!["/ip4/192.0.2.9/tcp/4001".to_owned()],
        named_by: None,
    };
    let asked = TracedRequest {
        peer: "12D3KooWSample".to_owned(),
        agent: Some("kubo/0.38.1/".to_owned()),
        kind: RequestKind::GetProviders,
        named_by: None,
        hop: 0,
        common_prefix: 7,
        asked: Duration::from_micros(15),
        dialled: Some(Duration::from_micros(16)),
        connected: Some(Duration::from_micros(200_016)),
        opened: Some(Duration::from_micros(300_016)),
        written: Some(Duration::from_micros(300_020)),
        ended: Some(Duration::from_micros(400_020)),
        end: RequestEnd::Answered,
        error: None,
        closer: 20,
        providers: 1,
        named: vec![provider],
        confirmed: None,
        unconfirmed: None,
    };
    let refused = TracedRequest {
        named_by: Some(0),
        hop: 1,
        end: RequestEnd::DialFailed,
        error: Some("connection refused".to_owned()),
        providers: 0,
        named: vec![],
        ..asked.clone()
    };
    let returned = Duration::from_micros(1_500_000);
    Trace { strategy: StrategyKind::Optprov, returned, requests: vec![asked, refused], left_out: 4 }
}

pub(crate) fn step(name: &str, ms: u64, error: Option<&str>) -> Measurement {
    Measurement { step: name.to_owned(), duration: Duration::from_millis(ms), error: error.map(str::to_owned) }
}

pub(crate) fn rows(attempts: impl IntoIterator<Item = Attempt>) -> Vec<Row> {
    attempts.into_iter().map(Row::Attempt).collect()
}
