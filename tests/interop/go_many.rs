//! Many keys that a server of ours sweeps out over a DHT of go-libp2p-kad-dht.

use std::collections::BTreeSet;

use parsec_measure::Content;
use parsec_test_support::stage::Stage;
use serde_json::Value;

use crate::go_peers::{HOLDERS, PEERS, found_by_theirs};
use crate::go_program::{GoPeers, PROTOCOL, program, turn};
use crate::servers::Server;

/// How many keys: many more for each peer than it takes on one connection at a time.
const KEYS: usize = 300;

/// Of every so many keys Go is asked where they are.
const EVERY: usize = 15;

async fn sweep(transport: &str) {
    program("peers");
    let _turn = turn().await;
    let stage = Stage::begin();
    let go = GoPeers::start(&stage, PEERS, transport).await;
    let server = Server::join(&stage, "classic", PROTOCOL, &go.bootstrap(), &[]).await;
    let cids: Vec<String> = (0..KEYS).map(|_| Content::random(&mut rand::rng()).cid().to_string()).collect();
    let answer = server.sweep(&cids).await;
    assert_eq!((&answer["Keys"], &answer["KeysFailed"]), (&KEYS.into(), &0.into()), "{answer}");
    assert!(answer["Lookups"].as_u64().is_some_and(|lookups| lookups < KEYS as u64 / 4), "{answer}");
    for key in answer["CIDs"].as_array().unwrap() {
        let told = [&key["HoldersStored"], &key["HoldersConfirmed"]];
        assert_eq!(told, [&Value::from(HOLDERS); 2], "{key}");
    }
    for cid in cids.iter().step_by(EVERY) {
        let records = go.records(cid).await;
        let of_ours = records.iter().filter(|record| record.id == server.peer_id);
        let holders: BTreeSet<String> = of_ours.map(|record| record.holder.clone()).collect();
        assert_eq!(holders, go.closest(cid).await.into_iter().collect(), "the closest, and nobody else");
        assert_eq!(found_by_theirs(&go.find("classic", cid).await, &server.peer_id).err(), None, "{cid}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn over_tcp_every_key_is_with_its_closest_go_peers_and_go_finds_it() {
    sweep("tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn over_quic_every_key_is_with_its_closest_go_peers_and_go_finds_it() {
    sweep("quic").await;
}
