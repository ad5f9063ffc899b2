//! How many attempts a second a database takes, and the spool beside it, by the size of the batches they come in.
//!
//! `cargo bench -p parsec-store` prints a table; as a test (`cargo test --benches`) each case runs once.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports to a terminal and gives up on errors"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use parsec_measure::{
    Attempt, AttemptId, Effort, Measured, Measurement, NodeId, OperationKind, OutcomeClass, Round, RoundId, SchedulerId,
};
use parsec_store::{NewNode, Row, ServerPort, Spool, SpoolLimits, Spooling, Store, StoreConfig, connect};

/// Rows in a call of `record`.
const BATCHES: [usize; 3] = [1, 100, 500];

/// How long each case is measured.
const MEASURED_FOR: Duration = Duration::from_secs(3);

/// A round has one publication and six lookups, as the field's deployments of seven nodes have.
const ATTEMPTS_PER_ROUND: usize = 7;

fn main() {
    let measured_for =
        if std::env::args().any(|argument| argument == "--bench") { MEASURED_FOR } else { Duration::ZERO };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        println!("{:<12}{:>8}{:>14}{:>14}", "database", "batch", "attempts/s", "ms/batch");
        let postgres = parsec_test_support::database().await;
        run("postgresql", postgres.url(), measured_for).await;
        let file = parsec_test_support::sqlite_file();
        run("sqlite", &file.url(), measured_for).await;
    });
    spool(measured_for);
}

/// What the way over the disk costs: to be on it (a push with its fsync), and to come back from it and be done with.
fn spool(measured_for: Duration) {
    println!("\n{:<12}{:>8}{:>14}{:>14}{:>14}", "spool", "batch", "attempts/s", "ms/push", "ms/replay");
    let directory = tempfile::tempdir().unwrap();
    let database = StoreConfig::Sqlite { path: directory.path().join("parsec.db") };
    let limits = SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(3_600) };
    let (mut spool, _) = Spool::open(directory.path(), &database, limits).unwrap();
    for batch in BATCHES {
        let begin = Instant::now();
        let (mut rounds, mut pushing, mut replaying) = (0_u32, Duration::ZERO, Duration::ZERO);
        while rounds == 0 || begin.elapsed() < measured_for {
            let rows = attempts(SchedulerId(1), NodeId(1), batch);
            let push = Instant::now();
            spool.push(&rows).unwrap();
            pushing += push.elapsed();
            let replay = Instant::now();
            let oldest = spool.oldest(batch).unwrap();
            assert_eq!(spool.confirm(oldest.end).unwrap().rows, rows.len());
            replaying += replay.elapsed();
            rounds += 1;
        }
        let [push, replay] = [pushing, replaying].map(|spent| spent.as_secs_f64() / f64::from(rounds));
        let rate = batch as f64 / (push + replay);
        println!("{:<12}{batch:>8}{rate:>14.0}{:>14.2}{:>14.2}", "", push * 1e3, replay * 1e3);
    }
}

async fn run(name: &str, url: &str, measured_for: Duration) {
    let store = connect(&url.parse().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let (scheduler, node) = register(&store).await;
    for batch in BATCHES {
        // Connections and prepared statements.
        store.record(&attempts(scheduler, node, batch)).await.unwrap();
        let begin = Instant::now();
        let mut calls = 0_u32;
        let mut spent = Duration::ZERO;
        while calls == 0 || begin.elapsed() < measured_for {
            let rows = attempts(scheduler, node, batch);
            let call = Instant::now();
            store.record(&rows).await.unwrap();
            spent += call.elapsed();
            calls += 1;
        }
        let each = spent.as_secs_f64() / f64::from(calls);
        println!("{name:<12}{batch:>8}{:>14.0}{:>14.2}", batch as f64 / each, each * 1e3);
    }
}

async fn register(store: &Arc<dyn Store>) -> (SchedulerId, NodeId) {
    let now = Utc::now();
    let dependencies = serde_json::json!({ "package": "parsec" });
    let scheduler = store.register_scheduler(&"default".parse().unwrap(), dependencies.clone(), now).await.unwrap();
    let node = NewNode {
        cpu: 2,
        memory: 4_096,
        peer_id: "12D3KooWBench".to_owned(),
        region: "eu-central-1".to_owned(),
        cmd: "parsec server".to_owned(),
        fleet: "default".parse().unwrap(),
        dependencies,
        ip_address: "192.0.2.7".parse().unwrap(),
        server_port: ServerPort::try_from(7_070).unwrap(),
        peer_port: ServerPort::try_from(4_001).unwrap(),
        created_at: now,
    };
    (scheduler, store.register_node(node).await.unwrap())
}

/// Fresh attempts, with the row of their round wherever one begins.
fn attempts(scheduler: SchedulerId, node: NodeId, count: usize) -> Vec<Row> {
    let mut rows = Vec::with_capacity(count + count / ATTEMPTS_PER_ROUND + 1);
    let mut round = RoundId::fresh();
    for i in 0..count {
        let kind = if i % ATTEMPTS_PER_ROUND == 0 { OperationKind::Provide } else { OperationKind::Retrieve };
        if kind == OperationKind::Provide {
            round = RoundId::fresh();
            rows.push(Row::Round(begun(round, scheduler, node)));
        }
        rows.push(Row::Attempt(attempt(round, scheduler, node, kind)));
    }
    rows
}

fn begun(id: RoundId, scheduler: SchedulerId, provider: NodeId) -> Round {
    let now = Utc::now();
    Round {
        id,
        scheduler,
        fleets: "default".parse().unwrap(),
        provider: Some(provider),
        nodes_listed: 7,
        nodes_ready: 7,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: now,
        started: now,
        ended: None,
    }
}

fn attempt(round: RoundId, scheduler: SchedulerId, node: NodeId, kind: OperationKind) -> Attempt {
    let now = Utc::now();
    let duration = Duration::from_millis(1_500);
    Attempt {
        id: AttemptId::fresh(),
        round,
        scheduler,
        node,
        kind,
        probe: 0,
        cid: "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4".to_owned(),
        due: now,
        started: now,
        ended: now,
        result: Measured {
            error: None,
            routing_table_size: 202,
            steps: vec![Measurement { step: kind.wire_step().to_owned(), duration, error: None }],
            effort: Effort { rpcs: Some(60), dials: Some(20), ..Effort::default() },
            ..Measured::unmeasured(OutcomeClass::Ok, duration, "")
        },
        why_kept: None,
    }
}
