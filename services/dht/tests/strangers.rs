//! Private addresses that strangers name: dialled on a network of one's own, never on a public one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::kad::{self, store::MemoryStore};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, SwarmBuilder, noise, tcp, yamux};
use parsec_dht::{Dht, Node, NodeConfig, PrivatePeers};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::{Cid, Content, StrategyKind};
use parsec_test_support::node::{self, on_loopback};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// libp2p-kad dials of its own accord whom it knows; here only the node that is tested should.
#[derive(NetworkBehaviour)]
struct Stranger {
    kad: kad::Behaviour<MemoryStore>,
    limits: connection_limits::Behaviour,
}

/// A stranger: a server that names these peers to whoever asks. Returns where it is.
async fn stranger(names: Vec<(PeerId, Multiaddr)>) -> String {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| {
            let local = key.public().to_peer_id();
            let config = kad::Config::new(StreamProtocol::new(LOCAL_PROTOCOL));
            let mut kad = kad::Behaviour::with_config(local, MemoryStore::new(local), config);
            kad.set_mode(Some(kad::Mode::Server));
            names.iter().for_each(|(peer, address)| {
                kad.add_address(peer, address.clone());
            });
            let no_dials = ConnectionLimits::default().with_max_pending_outgoing(Some(0));
            Stranger { kad, limits: connection_limits::Behaviour::new(no_dials) }
        })
        .unwrap()
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address.with_p2p(*swarm.local_peer_id()).unwrap();
        }
    };
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    address.to_string()
}

async fn ready(bootstrap: String, strategy: StrategyKind, private_peers: PrivatePeers) -> Node {
    let config = NodeConfig { server_mode: true, strategy, private_peers, ..on_loopback(vec![bootstrap]) };
    node::ready(config).await
}

fn fresh() -> Cid {
    Content::random(&mut rand::rng()).cid()
}

/// Whether a node dials an address on loopback that a stranger has named, be it while it joins, publishes or finds.
async fn dials(strategy: StrategyKind, private_peers: PrivatePeers) -> bool {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = door.local_addr().unwrap().port();
    let named = |address: String| (PeerId::random(), address.parse::<Multiaddr>().unwrap());
    let names = [
        format!("/ip4/127.0.0.1/tcp/{port}"),
        format!("/ip6/::ffff:127.0.0.1/tcp/{port}"),
        format!("/dns4/localhost/tcp/{port}"),
    ];
    let stranger = stranger(names.into_iter().map(named).collect()).await;
    // Whoever comes is sent away at once: nobody waits for a handshake.
    let (comes, mut came) = tokio::sync::mpsc::unbounded_channel();
    let doorman = tokio::spawn(async move {
        while let Ok((guest, from)) = door.accept().await {
            drop(guest);
            let _ = comes.send(from);
        }
    });
    let node = ready(stranger, strategy, private_peers).await;
    timeout(PATIENCE, node.provide(fresh(), None)).await.unwrap().unwrap();
    timeout(PATIENCE, node.retrieve(fresh())).await.unwrap().unwrap();
    // Guests are let in one after the other: whoever came because of the node came before this one.
    let last = TcpStream::connect(("127.0.0.1", port)).await.unwrap().local_addr().unwrap();
    let first = timeout(PATIENCE, came.recv()).await.unwrap().unwrap();
    doorman.abort();
    first != last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loopback_address_that_a_stranger_names_is_not_dialled_on_a_public_network() {
    for strategy in StrategyKind::ALL {
        assert!(!dials(strategy, PrivatePeers::Ignore).await, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_dialled_if_the_operator_says_so_and_on_a_network_within_one_machine() {
    for strategy in StrategyKind::ALL {
        assert!(dials(strategy, PrivatePeers::Dial).await, "{strategy}");
    }
    assert!(dials(StrategyKind::Classic, PrivatePeers::Auto).await);
}
