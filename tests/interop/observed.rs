//! A small deployment with everything that dashboards show: two fleets in two regions, and a scheduler that goes round both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parsec_lab::LocalNetwork;
use parsec_measure::Content;
use parsec_test_support::SqliteFile;
use tokio::join;

use crate::deployment::{Server, joining, network, scheduler_of, server_of, telemetry};
use crate::http;
use crate::process::Process;
use crate::stage::Stage;

/// What the scheduler says it is, and the label of its round loop.
pub(crate) const SCHEDULER_ID: &str = "default,optprov";
const LOOP: &str = "default+optprov";

/// Processes that measure until this is dropped.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Where the servers' metrics are.
    pub(crate) servers: [SocketAddr; 2],
    /// Where the scheduler's are.
    pub(crate) scheduler: SocketAddr,
    /// Where the first server is asked to measure.
    api: SocketAddr,
    _processes: [Process; 3],
    _database: SqliteFile,
    _network: LocalNetwork,
}

impl Observed {
    /// Starts them, and waits until each says where its metrics are.
    pub(crate) async fn start(stage: &Stage) -> Self {
        let (network, database) = (network().await, parsec_test_support::sqlite_file());
        let ([flag, peers], url) = (joining(&network), database.url());
        let server = |fleet, region, strategy| {
            let added = ["--database-url", &url, &flag, &peers, "--aws-region", region, "--strategy", strategy];
            server_of(stage, fleet, &added)
        };
        let one = server("default", "eu-central-1", "classic");
        let other = server("optprov", "us-east-2", "optprov");
        let scheduler = scheduler_of(stage, LOOP, &["--database-url", &url]);
        let (one, other) = join!(Server::started(one), Server::started(other));
        let api = one.api;
        let processes = [one.process, other.process, scheduler];
        let [one, other, scheduler] = &processes;
        let (one, other, scheduler) = join!(telemetry(one), telemetry(other), telemetry(scheduler));
        Self { servers: [one, other], scheduler, api, _processes: processes, _database: database, _network: network }
    }

    /// Has a server publish many keys, which no scheduler asks for.
    pub(crate) async fn publish_many(&self, stage: &Stage) {
        let cids: Vec<String> = (0..3).map(|_| Content::random(&mut rand::rng()).cid().to_string()).collect();
        let body = serde_json::json!({ "CIDs": cids }).to_string();
        // It may not be ready yet.
        let published = async || {
            let reply = http::post(stage, self.api, "/provide", body.clone()).await;
            (reply.status == 200).then_some(())
        };
        stage.eventually("keys that are published", published).await;
    }
}

/// A file or folder of ours, from the root of the workspace.
pub(crate) fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The text of such a file.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(ours(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
