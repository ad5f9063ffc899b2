//! A DHT of go-libp2p-kad-dht as mixed as the field is: each type of key, each transport, IPv4 and IPv6.

use std::time::{Duration, Instant};

use parsec_test_support::stage::Stage;

use crate::go_peers::{Meeting, a_record_leads_to_its_provider, check, everybody_is_met, ours, theirs};
use crate::go_program::{GoPeers, Named, PROTOCOL, program, turn};
use crate::servers::Server;

/// Four types of key, four ways to listen, two versions of IP: each combination once.
const SERVERS: usize = 32;

/// How long a server may take from its start until it can measure. It takes a tenth of that.
const JOINING: Duration = Duration::from_secs(2);

/// Says what the machine does not allow to be tried.
#[expect(clippy::print_stdout, reason = "what a test leaves out it says, with --nocapture")]
fn mention(go: &GoPeers) {
    for ip in &go.missing {
        println!("this machine has no {ip}: no server listens there");
    }
}

fn some_of_each_kind(servers: &[Named], missing: &[String]) {
    for key in ["rsa", "secp256k1", "ecdsa", "ed25519"] {
        for (transport, part) in [("tcp", "/tcp/"), ("quic", "/quic-v1/"), ("both", "/quic-v1/"), ("ws", "/ws/")] {
            for (ip, start) in [("127.0.0.1", "/ip4/"), ("::1", "/ip6/")] {
                let is = |server: &&Named| {
                    let fits = |address: &String| address.starts_with(start) && address.contains(part);
                    server.key == key && server.transport == transport && server.addresses.iter().any(fits)
                };
                let there = servers.iter().any(|server| is(&server));
                assert!(there || missing.iter().any(|gone| gone == ip), "no {key} {transport} {ip} in {servers:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn over_all_transports_and_with_keys_of_all_types_whoever_publishes_everybody_finds_it() {
    program("peers");
    let _turn = turn().await;
    let stage = Stage::begin();
    let go = GoPeers::mixed(&stage, SERVERS).await;
    mention(&go);
    some_of_each_kind(&go.servers, &go.missing);
    let rust = ["classic", "optprov", "fullrt", "libp2p"].map(ours);
    let all = [&rust[..], &["classic", "fullrt"].map(theirs)].concat();
    let meeting = Meeting::of(&stage, go, &all, &all).await;
    let title = format!("RSA, secp256k1, ECDSA, Ed25519; TCP, QUIC, WebSocket; {SERVERS} Go servers, median, n each");
    check(&meeting.hold(&title).await);
    everybody_is_met(&meeting).await;
    a_record_leads_to_its_provider(&meeting).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn through_one_peer_with_an_rsa_key_a_server_joins_in_under_two_seconds() {
    program("peers");
    let _turn = turn().await;
    let stage = Stage::begin();
    let go = GoPeers::mixed(&stage, SERVERS).await;
    mention(&go);
    for transport in ["tcp", "quic"] {
        let rsa = go.servers.iter().find(|server| server.key == "rsa" && server.transport == transport);
        let rsa = rsa.expect("each combination has a server");
        let start = Instant::now();
        let server = Server::join(&stage, "classic", PROTOCOL, &rsa.addresses, &[]).await;
        let took = start.elapsed();
        println!("joined through {} alone in {} ms", rsa.addresses[0], took.as_millis());
        assert!(took < JOINING, "{took:?} through {rsa:?}");
        drop(server);
    }
}
