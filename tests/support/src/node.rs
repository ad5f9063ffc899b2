//! Nodes of ours in a network within this machine.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use parsec_dht::{Dht, Identity, Internet, Node, NodeConfig, PrivatePeers, Readiness, Warmth};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::StrategyKind;
use tokio::time::{Instant, sleep, timeout};

/// Far longer than anything takes: reached only when something hangs. On a paused clock it includes several time-outs of
/// peers that never answer, one after the other.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How often a node is asked for its state, which it tells only when asked.
const POLL: Duration = Duration::from_millis(5);

/// A node on loopback with a free port that joins through `bootstrap`: a client with the classic strategy.
pub fn on_loopback(bootstrap: Vec<String>) -> NodeConfig {
    NodeConfig {
        identity: Identity::generate(),
        underlay: Arc::new(Internet::default()),
        listen_ip: Ipv4Addr::LOCALHOST.into(),
        listen_port: 0,
        external_addresses: vec![],
        protocols: vec![LOCAL_PROTOCOL.to_owned()],
        bootstrap,
        server_mode: false,
        strategy: StrategyKind::Classic,
        alpha: 10,
        cold: false,
        operation_timeout: Duration::from_secs(60),
        denylists: None,
        private_peers: PrivatePeers::Auto,
        warmth: Warmth::default(),
    }
}

/// Where a node on loopback can be dialled.
pub fn tcp_address(node: &Node) -> String {
    format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", node.port(), node.peer_id())
}

/// Starts a node, and waits until it can measure.
pub async fn ready(config: NodeConfig) -> Node {
    let node = Node::start(config).await.expect("the configuration of a test is right");
    is_ready(&node).await;
    node
}

/// Waits until a node can measure. Returns the size of its routing table.
pub async fn is_ready(node: &Node) -> u32 {
    until(node, |readiness| match readiness {
        Readiness::Ready { routing_table_size, .. } => Some(routing_table_size),
        Readiness::NotReady(_) => None,
    })
    .await
}

/// Waits until the readiness of a node is as wanted.
pub async fn until<T>(node: &Node, wanted: impl Fn(Readiness) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        let asked = timeout(PATIENCE, node.readiness()).await.expect("a node answers");
        let readiness = asked.expect("the engine of the node lives");
        if let Some(found) = wanted(readiness.clone()) {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{readiness:?}");
        sleep(POLL).await;
    }
}
