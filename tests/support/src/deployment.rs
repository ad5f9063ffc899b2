//! Servers and schedulers as one deploys them, only quicker.

use std::net::SocketAddr;

use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};

use crate::http::{self, Reply};
use crate::process::Process;
use crate::stage::Stage;

/// How many peers the DHT of a test has: more than the 20 that hold a record, so that a lookup has to choose.
const PEERS: usize = 30;

/// Loopback, free ports, no start-up delay, and log lines that a test can read.
pub const SERVER: &[&str] = &[
    "server",
    "dht",
    "--log-format",
    "json",
    "--server-host",
    "127.0.0.1",
    "--server-port",
    "0",
    "--peer-port",
    "0",
    "--telemetry-port",
    "0",
    "--startup-delay",
    "0s",
];

/// In the DHT of this process, or alone: never in a public one.
const LOCAL: &[&str] = &["--protocol-id", LOCAL_PROTOCOL];

/// On a free port.
const SCHEDULER: &[&str] = &["scheduler", "--log-format", "json", "--telemetry-port", "0"];

/// From one round to the next: one that found too few nodes, since they were not offered yet, must not be the only one that a
/// test sees.
const INTERVAL: &str = "1s";

/// A DHT in this process.
pub async fn network() -> LocalNetwork {
    let config = LocalConfig { peers: PEERS, seed: 7, ..LocalConfig::default() };
    LocalNetwork::start(config).await.expect("loopback carries a small network")
}

/// How a server joins this network.
pub fn joining(network: &LocalNetwork) -> [String; 2] {
    ["--bootstrap-peers".to_owned(), network.bootstrap().join(",")]
}

/// Starts a server of the fleet `default`, with these arguments added, and does not wait for it.
pub fn server(stage: &Stage, added: &[&str]) -> Process {
    server_of(stage, "default", added)
}

/// The same of another fleet.
pub fn server_of(stage: &Stage, fleet: &str, added: &[&str]) -> Process {
    Process::start(stage, &serving(fleet, added))
}

/// The command line of a server of this fleet.
pub fn serving<'a>(fleet: &'a str, added: &[&'a str]) -> Vec<&'a str> {
    [SERVER, LOCAL, &["--fleet", fleet], added].concat()
}

/// Starts a server of the fleet `default` with these variables, and does not wait for it.
pub fn server_with(stage: &Stage, variables: &[(&str, &str)], added: &[&str]) -> Process {
    Process::start_with(stage, variables, &[SERVER, LOCAL, &["--fleet", "default"], added].concat())
}

/// Starts a scheduler of the fleet `default`, with these arguments added, and does not wait for it.
pub fn scheduler(stage: &Stage, added: &[&str]) -> Process {
    scheduler_of(stage, "default", added)
}

/// The same with these variables.
pub fn scheduler_with(stage: &Stage, variables: &[(&str, &str)], added: &[&str]) -> Process {
    Process::start_with(stage, variables, &scheduling("default", INTERVAL, added))
}

/// The same of other fleets.
pub fn scheduler_of(stage: &Stage, fleets: &str, added: &[&str]) -> Process {
    Process::start(stage, &scheduling(fleets, INTERVAL, added))
}

/// The command line of a scheduler with a round every so often.
pub fn scheduling<'a>(fleets: &'a str, interval: &'a str, added: &[&'a str]) -> Vec<&'a str> {
    [SCHEDULER, &["--fleets", fleets, "--interval", interval], added].concat()
}

/// A server that has said where it is.
#[derive(Debug)]
pub struct Server {
    /// What runs.
    pub process: Process,
    /// Its HTTP API.
    pub api: SocketAddr,
    /// Its number in the database.
    pub node: i32,
    /// Its address in the DHT.
    pub multiaddress: String,
}

impl Server {
    /// Waits until a server says where it is.
    pub async fn started(process: Process) -> Self {
        let fields = process.log("server started").await;
        let port = |name: &str| fields[name].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = |name: &str| port(name).unwrap_or_else(|| panic!("no {name} in {fields}"));
        let text = |name: &str| fields[name].as_str().unwrap_or_else(|| panic!("no {name} in {fields}"));
        Self {
            api: ([127, 0, 0, 1], port("http_port")).into(),
            node: text("node").parse().expect("nodes have numbers"),
            multiaddress: format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", port("peer_port"), text("peer_id")),
            process,
        }
    }

    /// Waits until it can measure.
    pub async fn ready(self, stage: &Stage) -> Self {
        let is_ready = async || (http::get(stage, self.api, "/readiness").await.status == 200).then_some(());
        stage.eventually("server ready to measure", is_ready).await;
        self
    }
}

/// Where a process offers something to Prometheus.
pub async fn telemetry(process: &Process) -> SocketAddr {
    let fields = process.log("serving /metrics").await;
    let address = fields["address"].as_str().and_then(|address| address.parse().ok());
    address.unwrap_or_else(|| panic!("no address in {fields}"))
}

/// What a process offers to Prometheus.
pub async fn metrics(stage: &Stage, process: &Process) -> String {
    let Reply { status, text } = http::get(stage, telemetry(process).await, "/metrics").await;
    assert_eq!(status, 200, "{text}");
    text
}
