//! Nodes that join through peers of every kind, on real sockets: dead ones, ones of other networks, and ones that answer
//! whatever they like.

#![allow(clippy::print_stdout, reason = "figures to look at, with --nocapture")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod costs;
mod dead;
mod inventors;
mod joining;
mod kinds;
mod no_ipv6;
mod places;

use std::time::Duration;

use parsec_dht::{Node, NodeConfig, Readiness};
use parsec_measure::{Cid, Content, StrategyKind};
use parsec_test_support::node::{is_ready as ready, on_loopback, tcp_address, until};
use parsec_test_support::peer;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node in a network within this machine.
fn config(bootstrap: Vec<String>, strategy: StrategyKind) -> NodeConfig {
    NodeConfig { strategy, ..on_loopback(bootstrap) }
}

/// A DHT server as it should be, which joins through these peers.
async fn server(bootstrap: Vec<String>) -> Node {
    Node::start(NodeConfig { server_mode: true, ..config(bootstrap, StrategyKind::Classic) }).await.unwrap()
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
