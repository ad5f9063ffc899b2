//! Who is alive and who answers, with real processes: servers that start again where another one stood, schedulers that
//! cannot reach what others reach, and clocks that differ.

use nix::sys::signal::Signal;
use parsec_lab::LocalNetwork;
use parsec_test_support::clock::faketime;
use parsec_test_support::database;
use parsec_test_support::tls::Authority;
use tempfile::TempDir;

use crate::deployment::{self, Server, joining, metrics, network, scheduler, server, server_with};
use crate::http;
use crate::process::Process;
use crate::stage::Stage;
use crate::tables::Tables;

/// Two servers, and a third place for whoever comes.
struct Fleet {
    stage: Stage,
    tables: Tables,
    url: String,
    joining: [String; 2],
    _servers: [Server; 2],
    _network: LocalNetwork,
}

impl Fleet {
    async fn start() -> Self {
        let stage = Stage::begin();
        let (network, database) = tokio::join!(network(), database());
        let (joining, url) = (joining(&network), database.url().to_owned());
        let args = ["--database-url", &url, &joining[0], &joining[1]];
        let begin = async || Server::started(server(&stage, &args)).await.ready(&stage).await;
        let (one, other) = tokio::join!(begin(), begin());
        let tables = Tables::of(&stage, database).await;
        tables.wait_for(2, "nodes_ecs WHERE last_heartbeat IS NOT NULL").await;
        Self { stage, tables, url, joining, _servers: [one, other], _network: network }
    }

    fn args(&self) -> [&str; 4] {
        ["--database-url", &self.url, &self.joining[0], &self.joining[1]]
    }

    /// A server at a port of our choice.
    async fn server_at(&self, port: &str) -> Server {
        let mut args = deployment::SERVER.to_vec();
        let place = args.iter().position(|arg| *arg == "--server-port").expect("servers have a port") + 1;
        args[place] = port;
        let local = ["--protocol-id", parsec_lab::LOCAL_PROTOCOL, "--fleet", "default"];
        let process = Process::start(&self.stage, &[&args[..], &local, &self.args()].concat());
        Server::started(process).await.ready(&self.stage).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_and_started_again_at_its_address_is_one_node() {
    let fleet = Fleet::start().await;
    let first = fleet.server_at("0").await;
    let port = first.api.port().to_string();
    let tables = &fleet.tables;
    tables.wait_for(3, "nodes_ecs WHERE last_heartbeat IS NOT NULL").await;
    first.process.signal(Signal::SIGKILL);
    assert_eq!(first.process.end().await.code(), 137);

    let second = fleet.server_at(&port).await;
    assert_ne!((first.node, &first.multiaddress), (second.node, &second.multiaddress));
    assert_eq!(tables.count(&format!("nodes_ecs WHERE id = {} AND offline_since IS NOT NULL", first.node)).await, 1);
    let scheduler = scheduler(&fleet.stage, &["--database-url", &fleet.url]);
    tables.wait_for(4, "rounds WHERE outcome = 'complete' AND nodes_ready = 3").await;
    assert_eq!(scheduler.terminate().await.code(), 0);
    assert_eq!(tables.count("rounds WHERE nodes_listed > 3").await, 0, "three servers are three nodes");
    assert_eq!(tables.count(&format!("operations WHERE node_id = {}", first.node)).await, 0);
    assert_eq!(tables.count("operations WHERE from_own_records").await, 0, "nobody looks up what it published itself");
}

/// As a server of the original leaves it, which marks nobody offline: its successor answers for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_node_is_a_measurement_of_neither() {
    let fleet = Fleet::start().await;
    let Fleet { tables, stage, url, .. } = &fleet;
    let ghost = "INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, peer_port, \
                 last_heartbeat, created_at) \
                 SELECT cpu, memory, '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA', region, cmd, fleet, dependencies, \
                 ip_address, server_port, peer_port, now(), now() FROM nodes_ecs WHERE id = 1 RETURNING id";
    let ghost: i32 = tables.query(ghost).await[0].get(0);
    // The real one falls silent, as if it had beaten last before the ghost was there.
    tables.query("UPDATE nodes_ecs SET last_heartbeat = now() - interval '90 s' WHERE id = 1").await;
    let scheduler = scheduler(stage, &["--database-url", url]);
    let wrong = format!("operations WHERE node_id = {ghost} AND outcome = 'wrong_node'");
    // One other server alone makes no round; a third one does.
    let third = fleet.server_at("0").await;
    tables.wait_for(1, &wrong).await;
    assert_eq!(scheduler.terminate().await.code(), 0);
    let error = tables.query(&format!("SELECT error FROM operations WHERE node_id = {ghost} LIMIT 1")).await;
    let error: String = error[0].get(0);
    assert!(error.contains("answers at 127.0.0.1:") && error.contains("and not 12D3KooWD3eck"), "{error}");
    for table in ["provides_ecs", "retrievals_ecs"] {
        assert_eq!(tables.count(&format!("{table} WHERE node_id = {ghost}")).await, 0, "{table}");
    }
    let readiness = http::get(stage, third.api, "/readiness").await;
    assert_eq!(readiness.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_cannot_reach_the_servers_spoils_no_round_of_another_one() {
    let fleet = Fleet::start().await;
    let Fleet { stage, tables, url, .. } = &fleet;
    let directory = TempDir::new().unwrap();
    let authority = directory.path().join("ca.pem");
    std::fs::write(&authority, Authority::new().pem()).unwrap();
    // The servers speak plain HTTP.
    let cut_off = scheduler(stage, &["--database-url", url, "--server-tls-ca", authority.to_str().unwrap()]);
    let healthy = scheduler(stage, &["--database-url", url]);
    let said = cut_off.log("round loop registered").await;
    let number = |said: &serde_json::Value| said["scheduler"].as_i64().expect("loops have numbers");
    let (cut_off_number, healthy_number) = (number(&said), number(&healthy.log("round loop registered").await));

    tables.wait_for(8, &format!("rounds WHERE scheduler_id = {cut_off_number}")).await;
    tables.wait_for(8, &format!("rounds WHERE scheduler_id = {healthy_number}")).await;
    let spoilt = format!("rounds WHERE scheduler_id = {healthy_number} AND outcome <> 'complete'");
    assert_eq!(tables.count(&spoilt).await, 0);
    assert_eq!(tables.count("nodes_ecs WHERE offline_since IS NOT NULL").await, 0);
    let told = metrics(stage, &cut_off).await;
    assert!(told.contains("parsec_unreachable_nodes{fleet=\"default\"} 2"), "{told}");
    let lines = cut_off.logged_so_far();
    let says = |line: &&serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("cannot reach ") && message.contains("look for the reason on this side")
    };
    assert!(lines.iter().any(|line| says(&line)), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_faketime), ignore = "needs faketime (Debian package `faketime`)")]
async fn a_server_whose_clock_is_behind_takes_part_and_says_so() {
    let fleet = Fleet::start().await;
    let Fleet { stage, tables, url, .. } = &fleet;
    let library = faketime();
    let behind = [("LD_PRELOAD", library.as_str()), ("FAKETIME", "-140s"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let late = Server::started(server_with(stage, &behind, &fleet.args())).await.ready(stage).await;
    let said = late.process.log(
        "the clock of the database and that of this host are apart; heartbeats go by the \
                                 database's, but times in rows will not agree: check NTP on both",
    );
    let skew = said.await["clock_skew_seconds"].as_f64().unwrap();
    assert!((130.0..=140.5).contains(&skew), "{skew}");
    let told = metrics(stage, &late.process).await;
    assert!(told.contains("parsec_clock_skew_seconds 1"), "{told}");

    let scheduler = scheduler(stage, &["--database-url", url]);
    tables.wait_for(3, "rounds WHERE outcome = 'complete' AND nodes_listed = 3 AND nodes_ready = 3").await;
    tables.wait_for(1, &format!("operations WHERE node_id = {} AND outcome = 'ok'", late.node)).await;
    assert_eq!(scheduler.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_at_one_peer_port_are_refused_with_the_reason() {
    let stage = Stage::begin();
    let dry = ["--dry-run"];
    let first = Server::started(server(&stage, &dry)).await;
    let port = first.multiaddress.split('/').nth(4).expect("/ip4/…/tcp/PORT/…").to_owned();
    let mut args = deployment::SERVER.to_vec();
    let place = args.iter().position(|arg| *arg == "--peer-port").expect("servers have a port") + 1;
    args[place] = &port;
    let second =
        [&args[..], &["--protocol-id", parsec_lab::LOCAL_PROTOCOL, "--fleet", "default", "--dry-run"]].concat();
    let ended = Process::start(&stage, &second).end().await;
    assert_ne!(ended.code(), 0);
    let reason = format!("cannot listen on /ip4/127.0.0.1/tcp/{port}: Address already in use");
    assert!(ended.err.contains(&reason), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_networks_at_one_peer_port_are_refused_with_the_reason() {
    let stage = Stage::begin();
    let args = ["network", "--peers", "20", "--peer-host", "127.0.0.1", "--peer-port", "15150"];
    let first = Process::start(&stage, &args);
    first.out("the addresses of the network", |line| line.contains("/tcp/15150").then_some(())).await;
    let ended = Process::start(&stage, &args).end().await;
    assert_ne!(ended.code(), 0);
    let reason = "cannot listen on /ip4/127.0.0.1/tcp/15150: Address already in use";
    assert!(ended.err.contains(reason), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_demonstrations_in_one_directory_are_refused() {
    let stage = Stage::begin();
    let directory = TempDir::new().unwrap();
    let args = ["demo", "--data-dir", directory.path().to_str().unwrap()];
    let first = Process::start(&stage, &args);
    let database = directory.path().join("parsec.db");
    let has_begun = async || database.exists().then_some(());
    stage.eventually("a demonstration begins", has_begun).await;
    let ended = Process::start(&stage, &args).end().await;
    assert_ne!(ended.code(), 0);
    assert!(ended.err.contains("another demonstration that still runs uses this directory"), "{}", ended.err);
    first.signal(Signal::SIGKILL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comma_between_fleets_is_explained_at_the_start() {
    let stage = Stage::begin();
    let database = database().await;
    let both = deployment::scheduler_of(&stage, "default,optprov", &["--database-url", database.url()]);
    both.log(
        "--fleets has a comma in it: each part has rounds of its own; for one loop over the servers of both, as in the \
         original, write `default+optprov`",
    )
    .await;
}
