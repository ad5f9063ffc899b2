//! The table's bounds, and who gets which connection.

use libp2p::kad::Mode;
use libp2p::{StreamProtocol, identity::Keypair};

use super::*;
use crate::node::Underlay;
use crate::rpc::Stopwatch;
use crate::swarm;
use crate::wire;
use crate::{LocalConfig, LocalNetwork, LocalTransport, Region};

fn plan<'a>(
    keypair: &'a Keypair,
    protocols: &'a [StreamProtocol],
    reach: &'a Reach,
    underlay: &'a Underlay,
) -> swarm::Plan<'a> {
    swarm::Plan { keypair, protocols, mode: Mode::Client, walks: false, reach, underlay, authorities: &[] }
}

#[tokio::test]
async fn the_table_keeps_no_more_addresses_of_a_peer_than_are_ever_dialled() {
    let (keypair, reach) = (Keypair::generate_ed25519(), Reach::anywhere());
    let protocol = StreamProtocol::new("/test");
    let (swarm, rpc) = swarm::build(&plan(&keypair, &[protocol], &reach, &Underlay::Internet)).unwrap();
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
    let config = LocalConfig { peers: 40, seed: 7, transport: LocalTransport::Tcp, ..LocalConfig::default() };
    let network = LocalNetwork::start(config).await.unwrap();
    let (keypair, reach) = (Keypair::generate_ed25519(), Reach::anywhere());
    let protocol = StreamProtocol::new(crate::LOCAL_PROTOCOL);
    let underlay = Underlay::Local(network.attach(Region::EuCentral1));
    let (swarm, rpc) = swarm::build(&plan(&keypair, &[protocol], &reach, &underlay)).unwrap();
    let (driver, handle) = Driver::new(swarm, rpc.clone(), reach, Warmth::default());
    let running = tokio::spawn(driver.run());
    let peers: Vec<(PeerId, Multiaddr)> = network
        .closest_live(b"anybody", network.len())
        .iter()
        .map(|peer| (peer.peer_id().parse().unwrap(), peer.address().parse().unwrap()))
        .map(|(id, address): (PeerId, Multiaddr)| {
            (id, addresses::split_peer(&address).map_or(address, |(_, rest)| rest))
        })
        .collect();
    let ask = async |(peer, address): &(PeerId, Multiaddr)| {
        let request = wire::Request::FindNode { key: peer.to_bytes() };
        let asked = rpc.ask(*peer, vec![address.clone()], &request, &Stopwatch::start(), None).await;
        assert!(asked.is_ok(), "{asked:?}");
        handle.disconnect(*peer).await;
    };
    for _ in 0..20 {
        futures::future::join_all(peers.iter().map(&ask)).await;
    }
    running.abort();
}
