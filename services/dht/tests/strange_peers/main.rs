//! Nodes that join through peers of every kind, on real sockets: dead ones, ones of other networks, and ones that answer
//! whatever they like.

#![allow(clippy::print_stdout, reason = "figures to look at, with --nocapture")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod costs;
mod dead;
mod joining;
mod kinds;
mod no_ipv6;
mod places;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use parsec_dht::{Dht, Identity, Internet, Node, NodeConfig, PrivatePeers, Readiness, Warmth};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::{Cid, Content, StrategyKind};
use parsec_test_support::peer;
use tokio::time::{Instant, sleep, timeout};

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether a node can measure.
const POLL: Duration = Duration::from_millis(5);

/// A node in a network within this machine.
fn config(bootstrap: Vec<String>, strategy: StrategyKind) -> NodeConfig {
    NodeConfig {
        identity: Identity::generate(),
        underlay: Arc::new(Internet::default()),
        listen_ip: Ipv4Addr::LOCALHOST.into(),
        listen_port: 0,
        external_addresses: vec![],
        protocols: vec![LOCAL_PROTOCOL.to_owned()],
        bootstrap,
        server_mode: false,
        strategy,
        alpha: 10,
        cold: false,
        operation_timeout: PATIENCE,
        denylists: None,
        private_peers: PrivatePeers::Auto,
        warmth: Warmth::default(),
    }
}

/// A DHT server as it should be, which joins through these peers.
async fn server(bootstrap: Vec<String>) -> Node {
    Node::start(NodeConfig { server_mode: true, ..config(bootstrap, StrategyKind::Classic) }).await.unwrap()
}

fn tcp_address(node: &Node) -> String {
    format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", node.port(), node.peer_id())
}

/// Waits until a node can measure; the size of its routing table.
async fn ready(node: &Node) -> u32 {
    until(node, |readiness| match readiness {
        Readiness::Ready { routing_table_size, .. } => Some(routing_table_size),
        Readiness::NotReady(_) => None,
    })
    .await
}

/// Waits until a node's readiness is as wanted.
async fn until<T>(node: &Node, wanted: impl Fn(Readiness) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        let readiness = timeout(PATIENCE, node.readiness()).await.unwrap().unwrap();
        if let Some(found) = wanted(readiness.clone()) {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{readiness:?}");
        sleep(POLL).await;
    }
}

/// Waits until a node says why it cannot measure, in a sentence with these words.
async fn reason(node: &Node, words: &str) -> String {
    until(node, |readiness| match readiness {
        Readiness::NotReady(reason) => reason.contains(words).then_some(reason),
        Readiness::Ready { .. } => panic!("it is ready"),
    })
    .await
}

fn fresh() -> Cid {
    Content::random(&mut rand::rng()).cid()
}
