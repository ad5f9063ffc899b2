//! The table's bounds, and who gets which connection.

use libp2p::kad::Mode;
use libp2p::{StreamProtocol, identity::Keypair};

use super::*;
use crate::swarm::build::{self, Plan};
use crate::swarm::internet::Internet;
use crate::swarm::rpc::Stopwatch;
use crate::wire::messages;

fn build(mode: Mode, reach: &Reach) -> (Swarm<Behaviour>, RpcClient) {
    let (keypair, protocols) = (Keypair::generate_ed25519(), [StreamProtocol::new("/test")]);
    let underlay = &Internet::default();
    let plan = Plan { keypair: &keypair, protocols: &protocols, mode, walks: false, reach, underlay };
    build::build(&plan).unwrap()
}

/// A peer that serves others over TCP, and where it listens.
async fn server() -> (PeerId, Multiaddr) {
    let reach = Reach::anywhere();
    let (mut swarm, rpc) = build(Mode::Server, &reach);
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    let (id, (driver, handle)) = (*swarm.local_peer_id(), Driver::new(swarm, rpc, reach, Warmth::default()));
    tokio::spawn(async move {
        driver.run().await;
        drop(handle);
    });
    (id, address)
}

#[tokio::test]
async fn the_table_keeps_no_more_addresses_of_a_peer_than_are_ever_dialled() {
    let reach = Reach::anywhere();
    let (swarm, rpc) = build(Mode::Client, &reach);
    let (driver, handle) = Driver::new(swarm, rpc, reach, Warmth::default());
    let running = tokio::spawn(driver.run());
    let (id, address) = (PeerId::random(), |port| format!("/ip4/127.0.0.1/tcp/{port}").parse::<Multiaddr>().unwrap());
    for first in (1..1_000).step_by(10) {
        handle.answered(NamedPeer { id, addresses: (first..first + 10).map(address).collect() });
    }
    let kept = async || handle.start(vec![0x12, 0], 1).await.unwrap().seeds.remove(0).addresses;
    timeout(Duration::from_secs(60), async { while kept().await.len() > addresses::MAX_PER_PEER {} }).await.unwrap();
    let first: Vec<_> = (1..=addresses::MAX_PER_PEER).map(|port| address(port).with_p2p(id).unwrap()).collect();
    assert_eq!(kept().await, first);
    running.abort();
}

/// Under load a full routing table left peers out, and publications right after its crawl stored less than they should:
/// whoever wanted a peer that was just being let go got its dying connection, twice.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_asked_while_its_connection_is_being_closed_is_dialled_anew() {
    let reach = Reach::anywhere();
    let (swarm, rpc) = build(Mode::Client, &reach);
    let (driver, handle) = Driver::new(swarm, rpc.clone(), reach, Warmth::default());
    let running = tokio::spawn(driver.run());
    let peers = futures::future::join_all((0..40).map(|_| server())).await;
    let ask = async |(peer, address): &(PeerId, Multiaddr)| {
        let request = messages::Request::FindNode { key: peer.to_bytes() };
        let asked = rpc.ask(*peer, vec![address.clone()], &request, &Stopwatch::start(), None).await;
        assert!(asked.is_ok(), "{asked:?}");
        handle.disconnect(*peer).await;
    };
    for _ in 0..20 {
        futures::future::join_all(peers.iter().map(&ask)).await;
    }
    running.abort();
}
