//! Any peer can name any provider: what a search makes of a peer that names strangers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use futures::StreamExt;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig, RecordStore};
use libp2p::kad::{self, Mode, ProviderRecord, RecordKey};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, SwarmBuilder, noise, tcp, yamux};
use parsec_dht::{Dht, NodeConfig, PrivatePeers};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::{Cid, Content, FoundProvider, MAX_FOUND_ADDRESSES, Measured, OutcomeClass, StrategyKind};
use parsec_test_support::node::{on_loopback, ready};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far longer than anything here takes: reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stranger, and where it is said to be.
type Stranger = (PeerId, Vec<Multiaddr>);

/// A server of the DHT that holds records which nobody sent it.
struct Liar {
    id: PeerId,
    address: String,
    running: JoinHandle<()>,
}

impl Liar {
    /// One that says that these provide this.
    async fn saying(cid: &Cid, strangers: &[Stranger]) -> Self {
        let with_kad = |key: &libp2p::identity::Keypair| {
            let local = key.public().to_peer_id();
            let config = MemoryStoreConfig { max_providers_per_key: 1_000, ..MemoryStoreConfig::default() };
            let mut kad = kad::Behaviour::with_config(
                local,
                MemoryStore::with_config(local, config),
                kad::Config::new(StreamProtocol::new(LOCAL_PROTOCOL)),
            );
            kad.set_mode(Some(Mode::Server));
            kad
        };
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(with_kad)
            .unwrap()
            .build();
        for (provider, addresses) in strangers {
            let (key, addresses) = (RecordKey::new(&cid.multihash()), addresses.clone());
            let record = ProviderRecord { key, provider: *provider, expires: None, addresses };
            swarm.behaviour_mut().store_mut().add_provider(record).unwrap();
        }
        let id = *swarm.local_peer_id();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break format!("{address}/p2p/{id}");
            }
        };
        let running = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { id, address, running }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// What somebody finds who knows the liar alone.
async fn search(liar: &Liar, cid: &Cid, strategy: StrategyKind, private_peers: PrivatePeers) -> Measured {
    let config = NodeConfig { strategy, private_peers, ..on_loopback(vec![liar.address.clone()]) };
    let searching = async {
        let node = ready(config).await;
        node.retrieve(cid.clone()).await.unwrap()
    };
    timeout(PATIENCE, searching).await.unwrap()
}

fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_found_and_the_result_says_whom_who_said_so_and_that_it_is_not_the_publisher() {
    let (cid, stranger) = (Content::random(&mut rand::rng()).cid(), PeerId::random());
    let named = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1"];
    let liar = Liar::saying(&cid, &[(stranger, addresses(&named))]).await;
    let found = search(&liar, &cid, StrategyKind::Classic, PrivatePeers::Auto).await;
    let provider = FoundProvider {
        peer: stranger.to_string(),
        addresses: named.map(str::to_owned).to_vec(),
        named_by: Some(liar.id.to_string()),
    };
    assert_eq!((found.class, &found.providers), (OutcomeClass::Ok, &vec![provider.clone()]));
    assert_eq!(found.trace.as_ref().unwrap().named(), [provider]);

    let publisher = PeerId::random().to_string();
    let judged = found.clone().compared_with(&publisher);
    assert_eq!((judged.class, judged.found_publisher), (OutcomeClass::WrongProvider, Some(false)));
    let error = judged.error.unwrap();
    for part in [stranger.to_string(), format!("so says {}", liar.id), publisher] {
        assert!(error.contains(&part), "{error}");
    }
    assert_eq!(found.compared_with(&stranger.to_string()).found_publisher, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_libp2ps_own_lookup_says_whom_it_found_and_no_more() {
    let (cid, stranger) = (Content::random(&mut rand::rng()).cid(), PeerId::random());
    let liar = Liar::saying(&cid, &[(stranger, addresses(&["/ip4/127.0.0.1/tcp/1"]))]).await;
    let found = search(&liar, &cid, StrategyKind::Libp2p, PrivatePeers::Auto).await;
    let provider = FoundProvider { peer: stranger.to_string(), addresses: vec![], named_by: None };
    assert_eq!((found.class, found.providers), (OutcomeClass::Ok, vec![provider]));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_public_network_addresses_that_nobody_would_dial_are_not_told() {
    let (cid, stranger) = (Content::random(&mut rand::rng()).cid(), PeerId::random());
    let named = addresses(&["/ip4/127.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/4001", "/ip4/10.0.0.1/tcp/4001"]);
    let liar = Liar::saying(&cid, &[(stranger, named)]).await;
    let found = search(&liar, &cid, StrategyKind::Classic, PrivatePeers::Ignore).await;
    assert_eq!(found.providers[0].addresses, ["/ip4/1.2.3.4/tcp/4001"]);
    assert_eq!(found.trace.unwrap().named()[0].addresses, ["/ip4/1.2.3.4/tcp/4001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_whoever_names_many_providers_with_twenty_addresses_each_not_every_address_is_told() {
    let cid = Content::random(&mut rand::rng()).cid();
    let ports = |stranger| (1..=20).map(move |port| format!("/ip4/127.0.0.1/tcp/{}", 100 * stranger + port));
    let stranger = |number| (PeerId::random(), ports(number).map(|text| text.parse().unwrap()).collect());
    // As many as libp2p-kad puts into an answer.
    let strangers: Vec<Stranger> = (1..=20).map(stranger).collect();
    let liar = Liar::saying(&cid, &strangers).await;
    let found = search(&liar, &cid, StrategyKind::Classic, PrivatePeers::Auto).await;
    assert_eq!((found.class, found.providers.len()), (OutcomeClass::Ok, 20));
    assert!(found.providers.iter().all(|provider| provider.addresses.len() == MAX_FOUND_ADDRESSES));
    assert_eq!(found.trace.unwrap().named(), found.providers);
}
