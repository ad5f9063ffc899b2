//! `parsec health`, as orchestrators ask it: exit code and one line.

use parsec_lab::LOCAL_PROTOCOL;

use crate::deployment::{SERVER, Server, joining, network, server};
use crate::process::{Ended, Process};
use crate::stage::Stage;

async fn health(stage: &Stage, address: &str) -> Ended {
    Process::start(stage, &["health", address]).end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_measure_is_ok() {
    let (stage, network) = (Stage::begin(), network().await);
    let [flag, peers] = joining(&network);
    let server = server(&stage, &["--dry-run", &flag, &peers]);
    let server = Server::started(server).await.ready(&stage).await;
    let ended = health(&stage, &server.api.to_string()).await;
    assert_eq!((ended.code(), ended.out), (0, vec!["OK".to_owned()]));
}

#[tokio::test]
async fn a_server_without_peers_is_not_ready_and_says_why() {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    let warning = server
        .process
        .log("no bootstrap peers are known for this network (--bootstrap-peers): waiting for others to connect")
        .await;
    assert_eq!(warning["protocol"], LOCAL_PROTOCOL);
    let ended = health(&stage, &server.api.to_string()).await;
    assert_eq!((ended.code(), ended.out), (1, vec!["the server is not ready: the routing table is empty".to_owned()]));
}

#[tokio::test]
async fn a_server_that_is_told_no_fleet_says_that_no_scheduler_asks_it() {
    let stage = Stage::begin();
    let alone = ["--protocol-id", LOCAL_PROTOCOL, "--dry-run"];
    let server = Process::start(&stage, &[SERVER, &alone].concat());
    let said = "this server is in no fleet, so no scheduler asks it: set --fleet (PARSEC_SERVER_FLEET) to one of the scheduler's --fleets";
    server.log(said).await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unhealthy() {
    let stage = Stage::begin();
    // The port of tcpmux: below 1024, so that no test can be given it.
    let ended = health(&stage, "127.0.0.1:1").await;
    assert_eq!(ended.code(), 1);
    let reason = &ended.out[0];
    assert!(reason.starts_with("the server could not be reached: ") && reason.contains("refused"), "{reason}");
}
