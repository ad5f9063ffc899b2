//! What it costs a healthy system that no row is lost: the recorder with and without its spool, and with and without a
//! supervisor, on a real database.
//!
//! `cargo bench -p parsec-actors --bench recorder` prints the table; as a test (`cargo test --benches`) each case runs once
//! with a few rounds.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports to a terminal and gives up on errors"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::Utc;
use parsec_actors::recording::recorder::{Announce, Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::supervision::root::Root;
use parsec_actors::supervision::supervise::{RestartPolicy, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_measure::{
    Attempt, AttemptId, Measured, Measurement, NodeId, OperationKind, OutcomeClass, Round, RoundId, RoundOutcome,
    SchedulerId, quantile,
};
use parsec_store::{NewNode, Row, ServerPort, Spool, SpoolLimits, Store, StoreConfig, connect};

/// Attempts in a round, as the field's deployments of seven nodes have.
const ATTEMPTS: u32 = 7;

/// How often each case is measured, in turn with the others.
const REPETITIONS: usize = 5;

/// How the recorder works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// In memory, with nobody to bring it back.
    Bare,
    Supervised,
    /// Supervised, and every row goes by way of the disk; what a round attempts is noted there before it begins.
    Spooled,
}

impl Case {
    const ALL: [Self; 3] = [Self::Bare, Self::Supervised, Self::Spooled];
}

fn main() {
    let is_benchmark = std::env::args().any(|argument| argument == "--bench");
    let (repetitions, rounds) = if is_benchmark { (REPETITIONS, 1_000) } else { (1, 5) };
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    System::with_tokio_rt(runtime).block_on(async {
        let database = parsec_test_support::database().await;
        let config: StoreConfig = database.url().parse().unwrap();
        let store = connect(&config).await.unwrap();
        store.migrate().await.unwrap();
        let ids = register(&store).await;
        let spools = tempfile::tempdir().unwrap();
        let mut spent = [const { Vec::new() }; 3];
        let mut notes = Vec::new();
        for _ in 0..repetitions {
            for (case, spent) in Case::ALL.into_iter().zip(&mut spent) {
                spent.push(run(case, &store, &config, spools.path(), ids, rounds, &mut notes).await);
            }
        }
        println!("{:<12}{:>14}{:>22}", "recorder", "rows/s", "of the bare one's");
        let rows = rounds as f64 * f64::from(ATTEMPTS + 2);
        let rates = spent.map(|mut spent| {
            spent.sort_unstable();
            rows / quantile(&spent, 0.5).unwrap_or_default().as_secs_f64()
        });
        for (case, rate) in Case::ALL.into_iter().zip(rates) {
            println!("{:<12}{rate:>14.0}{:>22.2}", format!("{case:?}").to_lowercase(), rate / rates[0]);
        }
        notes.sort_unstable();
        let [p50, p99] = [0.5, 0.99].map(|q| 1e3 * quantile(&notes, q).unwrap_or_default().as_secs_f64());
        println!(
            "noting on disk what a round is about to attempt: p50 {p50:.2} ms, p99 {p99:.2} ms, n = {}",
            notes.len()
        );
    });
}

/// Has the recorder take so many rounds as fast as it does; returns how long it took until the last row was in the database.
async fn run(
    case: Case,
    store: &Arc<dyn Store>,
    config: &StoreConfig,
    spools: &Path,
    ids: (SchedulerId, NodeId),
    rounds: usize,
    notes: &mut Vec<Duration>,
) -> Duration {
    let metrics = Arc::new(Metrics::new("0.0.0", "benchmark"));
    let limits = SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(3_600) };
    let backlog = match case {
        Case::Bare | Case::Supervised => Backlog::default(),
        Case::Spooled => Backlog::on_disk(Box::new(Spool::open(spools, config, limits).unwrap().0)),
    };
    let backlog = Arc::new(backlog);
    let config =
        RecorderConfig { store: Arc::clone(store), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
    let (recorder, counted) = (Recorder::new(config), Arc::clone(&metrics));
    let (address, _child) = if case == Case::Bare {
        (recorder.start(), None)
    } else {
        let root = Root::new(metrics).0.start().recipient();
        let child = supervise("recorder", RestartPolicy::default(), root, recorder);
        (child.addr().clone(), Some(child))
    };
    let handle = RecorderHandle::new(&address, Arc::clone(&backlog), Arc::clone(&counted));
    let began = Instant::now();
    for _ in 0..rounds {
        let round = round(ids);
        let attempts: Vec<_> = (0..ATTEMPTS).map(|index| attempt(&round, ids.1, index)).collect();
        if case == Case::Spooled {
            let noting = Instant::now();
            address.send(Announce { round: round.clone(), attempts: attempts.clone(), planned: vec![] }).await.unwrap();
            notes.push(noting.elapsed());
        }
        let end = Round { ended: Some((Utc::now(), RoundOutcome::Complete)), ..round.clone() };
        let all =
            [Row::Round(round)].into_iter().chain(attempts.into_iter().map(Row::Attempt)).chain([Row::Round(end)]);
        for row in all {
            handle.record(vec![row]);
        }
    }
    while !backlog.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    began.elapsed()
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

fn round((scheduler, provider): (SchedulerId, NodeId)) -> Round {
    let now = Utc::now();
    Round {
        id: RoundId::fresh(),
        scheduler,
        fleets: "default".parse().unwrap(),
        provider: Some(provider),
        nodes_listed: ATTEMPTS,
        nodes_ready: ATTEMPTS,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: now,
        started: now,
        ended: None,
    }
}

fn attempt(round: &Round, node: NodeId, index: u32) -> Attempt {
    let (now, took) = (Utc::now(), Duration::from_millis(1_500));
    let kind = if index == 0 { OperationKind::Provide } else { OperationKind::Retrieve };
    let steps = vec![Measurement { step: kind.wire_step().to_owned(), duration: took, error: None }];
    Attempt {
        id: AttemptId::fresh(),
        round: round.id,
        scheduler: round.scheduler,
        node,
        kind,
        probe: 0,
        cid: "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4".to_owned(),
        due: now,
        started: now,
        ended: now,
        result: Measured { error: None, steps, ..Measured::unmeasured(OutcomeClass::Ok, took, "") },
        why_kept: None,
    }
}
