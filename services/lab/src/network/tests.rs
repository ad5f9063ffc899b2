//! Requests from one peer to another, on a clock that stands still while anybody is busy: what they take is counted in
//! round trips, exactly.

use std::collections::HashMap;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use libp2p::StreamProtocol;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, Event};
use libp2p::swarm::SwarmEvent;
use parsec_dht::parts::{ANSWER_TIMEOUT, RpcError};
use parsec_measure::Latency;
use tokio::time::Instant;

use super::observer::Client;
use super::*;

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// A network of one kind of ways; a third of it cannot be dialled, and some peers are silent.
fn config(transport: LocalTransport) -> LocalConfig {
    let latency = Latency::Fixed(ROUND_TRIP);
    LocalConfig { peers: 30, seed: 7, transport, latency, undialable: 0.3, silent: 0.1, ..LocalConfig::default() }
}

impl LocalNetwork {
    fn one(&self, kind: Kind) -> &LocalPeer {
        self.peers.iter().find(|peer| peer.kind == kind).unwrap()
    }

    fn client(&self, attachment: &Attachment) -> Client {
        let _ = self;
        Client::new(&identity::Keypair::generate_ed25519(), attachment).unwrap()
    }
}

async fn ask(client: &Client, peer: &LocalPeer) -> (Result<Vec<PeerId>, RpcError>, Duration) {
    let started = Instant::now();
    let result = client.asker.closer(peer.id, peer.address.clone(), b"whoever").await;
    (result, started.elapsed())
}

/// Asks, and says how long the answer took.
async fn answered(client: &Client, peer: &LocalPeer) -> Duration {
    let (result, took) = ask(client, peer).await;
    assert!(!result.unwrap().is_empty());
    took
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_four_round_trips_cold_two_on_a_connection_and_one_on_a_stream() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let client = network.client(&network.attach(Region::EuCentral1));
    let peer = network.one(Kind::Live);
    assert_eq!(answered(&client, peer).await, 4 * ROUND_TRIP);
    assert_eq!(answered(&client, peer).await, ROUND_TRIP);
    // Two at once: one of them needs a stream of its own.
    let (one, other) = futures::join!(answered(&client, peer), answered(&client, peer));
    assert_eq!((one, other), (ROUND_TRIP, 2 * ROUND_TRIP));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_costs_one_round_trip_and_a_black_hole_the_connect_time_out() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let client = network.client(&network.attach(Region::EuCentral1));
    let (result, took) = ask(&client, network.one(Kind::Undialable(Fate::Refused))).await;
    assert_eq!(took, ROUND_TRIP);
    assert!(matches!(&result, Err(RpcError::Dial(reason)) if reason.contains("refused")), "{result:?}");
    let (result, took) = ask(&client, network.one(Kind::Undialable(Fate::Lost))).await;
    assert_eq!(took, Duration::from_secs(5));
    assert!(matches!(&result, Err(RpcError::DialUnanswered(reason)) if reason.contains("timed out")), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn who_dials_a_peer_that_has_gone_is_refused_and_who_is_connected_is_not() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let [early, late] = [(); 2].map(|()| network.client(&network.attach(Region::EuCentral1)));
    let peer = network.one(Kind::Live);
    answered(&early, peer).await;
    network.refuse(peer);
    answered(&early, peer).await;
    let (result, took) = ask(&late, peer).await;
    assert_eq!(took, ROUND_TRIP);
    assert!(matches!(&result, Err(RpcError::Dial(reason)) if reason.contains("refused")), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_reached_and_keeps_the_asker_waiting() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let client = network.client(&network.attach(Region::EuCentral1));
    let (result, took) = ask(&client, network.one(Kind::Silent)).await;
    assert_eq!(result, Err(RpcError::Timeout(ANSWER_TIMEOUT)));
    // Dial and stream, an answer waited for in vain, and the same once more on a fresh stream.
    assert_eq!(took, 3 * ROUND_TRIP + ROUND_TRIP + 2 * ANSWER_TIMEOUT);
}

/// It closes its half of the stream once it has asked. Its own time-outs run on the real clock: here they never pass.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_keeps_libp2p_kad_waiting_too() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let (silent, keypair) = (network.one(Kind::Silent), identity::Keypair::generate_ed25519());
    let local = keypair.public().to_peer_id();
    let settings = kad::Config::new(StreamProtocol::new(LOCAL_PROTOCOL));
    let kademlia = kad::Behaviour::with_config(local, MemoryStore::new(local), settings);
    let mut swarm = peers::swarm(&keypair, &network.attach(Region::EuCentral1), kademlia).unwrap();
    swarm.behaviour_mut().add_address(&silent.id, silent.address.clone());
    let query = swarm.behaviour_mut().get_closest_peers(local);
    let mut connected = false;
    let end = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => connected = true,
                SwarmEvent::Behaviour(Event::OutboundQueryProgressed { id, .. }) if id == query => return,
                _ => {}
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), end).await.is_err(), "the query has ended");
    assert!(connected, "it was asked");
}

#[tokio::test(start_paused = true)]
async fn between_regions_it_takes_what_their_distance_says_whoever_asks() {
    let shape = LocalConfig { latency: Latency::Realistic, ..config(LocalTransport::Memory) };
    let network = LocalNetwork::start(shape).await.unwrap();
    for from in Region::ALL {
        let client = network.client(&network.attach(from));
        for peer in network.peers.iter().filter(|peer| peer.kind == Kind::Live) {
            assert_eq!(network.region_of(&peer.peer_id()), Some(peer.region()));
            let expected = 4 * from.round_trip(peer.region);
            assert_eq!(answered(&client, peer).await, expected, "from {from} to {}", peer.region);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_near_to_everybody() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let client = network.client(&network.attach_observer());
    assert_eq!(answered(&client, network.one(Kind::Live)).await, Duration::ZERO);
    let (result, took) = ask(&client, network.one(Kind::Undialable(Fate::Refused))).await;
    assert_eq!((result.is_err(), took), (true, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn connections_are_kept_until_there_are_too_many() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let client = network.client(&network.attach(Region::EuCentral1));
    let live: Vec<_> = network.peers.iter().filter(|peer| peer.kind == Kind::Live).take(3).collect();
    for peer in &live {
        assert_eq!(answered(&client, peer).await, 4 * ROUND_TRIP);
    }
    client.tidy(3).await;
    assert_eq!(answered(&client, live[0]).await, ROUND_TRIP);
    client.tidy(2).await;
    for peer in live {
        assert_eq!(answered(&client, peer).await, 4 * ROUND_TRIP);
    }
}

/// Never faster than the ways are long; how much slower is the machine's business, within reason.
async fn real_time(transport: LocalTransport, cold: u32) {
    let within = |took: Duration, round_trips: u32, what: &str| {
        let ratio = took.as_secs_f64() / (round_trips * ROUND_TRIP).as_secs_f64();
        assert!((1.0..4.0).contains(&ratio), "{transport:?}, {what}: {took:?} for {round_trips} round trips");
    };
    let network = LocalNetwork::start(config(transport)).await.unwrap();
    let client = network.client(&network.attach(Region::EuCentral1));
    let (live, refusing) = (network.one(Kind::Live), network.one(Kind::Undialable(Fate::Refused)));
    within(answered(&client, live).await, cold, "cold");
    within(answered(&client, live).await, 1, "on a stream");
    let (one, other) = futures::join!(answered(&client, live), answered(&client, live));
    within(one.max(other), 2, "on a connection");
    let (result, took) = ask(&client, refusing).await;
    assert!(matches!(&result, Err(RpcError::Dial(reason)) if reason.to_lowercase().contains("refused")), "{result:?}");
    within(took, 1, "refused");
    let (result, took) = ask(&client, network.one(Kind::Undialable(Fate::Lost))).await;
    assert!(matches!(result, Err(RpcError::DialUnanswered(_))), "{result:?}");
    within(took, 50, "black hole");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_it_takes_the_same_in_real_time() {
    real_time(LocalTransport::Tcp, 4).await;
}

/// The handshake of QUIC is the dial: one round trip less.
#[tokio::test(flavor = "multi_thread")]
async fn over_quic_it_takes_one_round_trip_less() {
    real_time(LocalTransport::Quic, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_latency_nothing_is_prolonged() {
    for transport in [LocalTransport::Tcp, LocalTransport::Quic, LocalTransport::Memory] {
        let network = LocalNetwork::start(LocalConfig { latency: Latency::None, ..config(transport) }).await.unwrap();
        let client = network.client(&network.attach(Region::EuCentral1));
        let took = answered(&client, network.one(Kind::Live)).await;
        assert!(took < Duration::from_secs(1), "{transport:?}: {took:?}");
    }
}

/// Ends when as few tasks are left as there were at first; hangs until its time is up if some never end.
async fn tasks_end(baseline: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let ending = async {
        while metrics.num_alive_tasks() > baseline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ending).await;
    assert!(ended.is_ok(), "{} tasks are left, {baseline} were there", metrics.num_alive_tasks());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_network_all_tasks_end_even_under_a_client_that_lives_on() {
    for transport in [LocalTransport::Tcp, LocalTransport::Quic, LocalTransport::Memory] {
        let network = LocalNetwork::start(config(transport)).await.unwrap();
        let client = network.client(&network.attach(Region::EuCentral1));
        let live = network.peers.iter().filter(|peer| peer.kind == Kind::Live);
        futures::future::join_all(live.map(|peer| answered(&client, peer))).await;
        drop(network);
        // The client's own task, and that of its socket.
        tasks_end(if transport == LocalTransport::Quic { 2 } else { 1 }).await;
        drop(client);
        tasks_end(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_leaves_no_task_behind() {
    for transport in [LocalTransport::Tcp, LocalTransport::Quic, LocalTransport::Memory] {
        let network = LocalNetwork::start(config(transport)).await.unwrap();
        let baseline = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let client = network.client(&network.attach(Region::EuCentral1));
        answered(&client, network.one(Kind::Live)).await;
        ask(&client, network.one(Kind::Silent)).now_or_never();
        drop(client);
        tasks_end(baseline).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_network() {
    let known = |network: &LocalNetwork| {
        let keys: Vec<Key> = network.peers.iter().map(|peer| peer.id.key()).collect();
        peers::table(&keys, 3, &mut StdRng::seed_from_u64(1))
    };
    let start = async |seed| LocalNetwork::start(LocalConfig { seed, ..config(LocalTransport::Memory) }).await.unwrap();
    let (one, again, other) = (start(7).await, start(7).await, start(8).await);
    assert_eq!(one.peers, again.peers);
    assert_eq!(known(&one), known(&again));
    assert_eq!(one.bootstrap(), again.bootstrap());
    assert_ne!(one.peers[0].id, other.peers[0].id);
    let healthy = LocalConfig { undialable: 0.0, silent: 0.0, ..config(LocalTransport::Memory) };
    let healthy = LocalNetwork::start(healthy).await.unwrap();
    assert_eq!(healthy.peers[0].id, one.peers[0].id, "who is dead changes nothing about who is there");
}

#[tokio::test(start_paused = true)]
async fn dead_peers_are_as_many_as_asked_for_and_newcomers_are_sent_to_live_ones() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let mut kinds: HashMap<String, usize> = HashMap::new();
    network.peers.iter().for_each(|peer| *kinds.entry(format!("{:?}", peer.kind)).or_default() += 1);
    let expected = [("Live", 18), ("Silent", 3), ("Undialable(Refused)", 6), ("Undialable(Lost)", 3)];
    assert_eq!(kinds, expected.map(|(kind, count)| (kind.to_owned(), count)).into());
    assert_eq!((network.len(), network.live_peers()), (30, 18));
    let addresses = network.bootstrap();
    assert_eq!(addresses.len(), BOOTSTRAP_PEERS);
    let live = |address: &String| network.peers.iter().any(|peer| peer.kind.is_live() && peer.address() == *address);
    assert!(addresses.iter().all(live), "{addresses:?}");
}

#[tokio::test(start_paused = true)]
async fn the_closest_live_peers_are_the_closest_and_live() {
    let network = LocalNetwork::start(config(LocalTransport::Memory)).await.unwrap();
    let (wire, key) = (b"a multihash", Key::of(b"a multihash"));
    let mut live: Vec<_> = network.peers.iter().filter(|peer| peer.kind.is_live()).cloned().collect();
    live.sort_by_key(|peer| key.distance(&peer.id.key()));
    assert_eq!(network.closest_live(wire, 100), live);
    live.truncate(5);
    assert_eq!(network.closest_live(wire, 5), live);
}

#[tokio::test]
async fn shares_that_leave_nobody_are_refused_and_named() {
    for (undialable, silent) in [(1.0, 0.0), (0.5, 0.5), (-0.1, 0.0), (0.0, f64::NAN), (1.5, 0.0)] {
        let shape = LocalConfig { undialable, silent, ..config(LocalTransport::Memory) };
        let message = LocalNetwork::start(shape).await.unwrap_err().to_string();
        assert!(message.starts_with(&format!("{undialable} of 30 peers undialable and {silent} silent")), "{message}");
    }
}

#[tokio::test]
async fn peers_have_the_ports_from_the_first_on_so_that_others_can_name_them_beforehand() {
    let first_port = 20_400;
    // All of 127.0.0.0/8 is this machine: nobody else uses these ports of an address that our process id names.
    let [.., high, low] = std::process::id().to_be_bytes();
    let listen_ip = Ipv4Addr::new(127, 20, high, low);
    let shape = LocalConfig { listen_ip: listen_ip.into(), first_port, ..config(LocalTransport::Tcp) };
    let network = LocalNetwork::start(shape).await.unwrap();
    for (index, peer) in network.peers.iter().enumerate() {
        let port = usize::from(first_port) + index;
        assert_eq!(peer.address(), format!("/ip4/{listen_ip}/tcp/{port}/p2p/{}", peer.peer_id()));
    }
    answered(&network.client(&network.attach_observer()), network.one(Kind::Live)).await;
}

#[tokio::test]
async fn more_peers_than_ports_are_refused() {
    let error =
        LocalNetwork::start(LocalConfig { first_port: 65_507, ..config(LocalTransport::Tcp) }).await.unwrap_err();
    assert!(error.to_string().contains("expected port 65506 or less"), "{error}");
}
