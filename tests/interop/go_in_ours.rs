//! Servers of go-libp2p-kad-dht, as they are, in a DHT of ours: the one that `parsec network` starts.

use parsec_measure::Content;
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::Value;

use crate::go_peers::{found_by_ours, found_by_theirs};
use crate::go_program::{GoPeers, program, turn};
use crate::servers::{Server, seconds};

/// How many peers of ours there are.
const PEERS: usize = 30;

/// How many Go servers join them.
const GO_SERVERS: usize = 2;

/// A local DHT in a process of its own, and what it says on its standard output: protocol id and bootstrap peers.
async fn network(stage: &Stage) -> (Process, String, Vec<String>) {
    let process = Process::start(stage, &["network", "--peers", &PEERS.to_string()]);
    let protocol = process.out("protocol id", |line| line.starts_with("/parsec/").then(|| line.to_owned())).await;
    let peers = |line: &str| line.contains("/p2p/").then(|| line.split(',').map(str::to_owned).collect());
    let peers = process.out("bootstrap peers", peers).await;
    (process, protocol, peers)
}

/// What it takes a server for the size of the network, from a crawl.
async fn table_size(server: &Server) -> Value {
    let nothing = Content::random(&mut rand::rng()).cid().to_string();
    server.retrieve(&nothing).await["RoutingTableSize"].clone()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn servers_of_go_join_a_network_of_ours_and_publish_and_find_among_us() {
    program("peers");
    let _turn = turn().await;
    let stage = Stage::begin();
    let (_network, protocol, peers) = network(&stage).await;
    let go = GoPeers::joining(&stage, GO_SERVERS, &protocol, &peers).await;

    // Whoever is not identified is in no table of theirs: they know the peers that they joined through, and by looking
    // around all others.
    let everybody = PEERS + GO_SERVERS - 1;
    for table in go.tables().await {
        assert_eq!(table.knows.len(), everybody, "{table:?}");
    }

    // And we tell others of them: a crawl of ours meets them, and some records are theirs to hold.
    let ours = Server::join(&stage, "fullrt", &protocol, &peers, &[]).await;
    assert_eq!(table_size(&ours).await, PEERS + GO_SERVERS);
    let classic = Server::join(&stage, "classic", &protocol, &peers, &[]).await;

    let cid = Content::random(&mut rand::rng()).cid().to_string();
    let answer = go.provide("server", &cid).await;
    assert_eq!(answer.error, "");
    for server in [&ours, &classic] {
        found_by_ours(&server.retrieve(&cid).await).unwrap();
    }
    found_by_theirs(&go.find("classic", &cid).await, &answer.peers[0]).unwrap();

    for server in [&ours, &classic] {
        let content = Content::random(&mut rand::rng());
        seconds(&server.provide(&content).await).unwrap();
        let cid = content.cid().to_string();
        let found = async || Some(go.find("server", &cid).await).filter(|answer| answer.error != "not found");
        let found = stage.eventually("our record found by a Go server", found).await;
        found_by_theirs(&found, &server.peer_id).unwrap();
    }
    assert_eq!(go.end().await, 0);
}
