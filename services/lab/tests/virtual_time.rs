//! Measuring nodes on a network whose clock stands still while anybody is busy: what they take is a matter of round
//! trips, not of the machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use futures::FutureExt;
use parsec_dht::{Dht, Identity, Node, NodeConfig, StartError};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Cid, Content, Latency, OutcomeClass, RequestEnd, StrategyKind};
use parsec_test_support::node::{PATIENCE, ready};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

const ROUND_TRIP: Duration = Duration::from_millis(100);

fn shape(peers: usize) -> LocalConfig {
    let latency = Latency::Fixed(ROUND_TRIP);
    LocalConfig { peers, seed: 7, transport: LocalTransport::Memory, latency, ..LocalConfig::default() }
}

fn config(network: &LocalNetwork, region: Region) -> NodeConfig {
    NodeConfig { operation_timeout: PATIENCE, ..network.newcomer(region) }
}

fn cid(seed: u64) -> Cid {
    Content::random(&mut StdRng::seed_from_u64(seed)).cid()
}

/// ADD_PROVIDER has no answer: what has been written arrives half a round trip later.
async fn records_arrive() {
    sleep(ROUND_TRIP).await;
}

#[tokio::test(start_paused = true)]
async fn what_one_publishes_another_finds_and_both_take_whole_round_trips() {
    let network = LocalNetwork::start(shape(60)).await.unwrap();
    let publisher = ready(config(&network, Region::EuCentral1)).await;
    let finder = ready(config(&network, Region::UsWest1)).await;
    let cid = cid(1);
    let provided = publisher.provide(cid.clone(), None).await.unwrap();
    records_arrive().await;
    let found = finder.retrieve(cid).await.unwrap();
    for measured in [provided, found] {
        assert_eq!((measured.class, &measured.error), (OutcomeClass::Ok, &None));
        let rest = measured.duration.as_nanos() % ROUND_TRIP.as_nanos();
        assert_eq!(rest, 0, "{:?} is no multiple of a round trip", measured.duration);
        assert!(measured.duration >= ROUND_TRIP && measured.duration < 20 * ROUND_TRIP, "{:?}", measured.duration);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_is_held_by_the_closest_live_peers_and_asking_them_takes_no_time() {
    let dead = LocalConfig { undialable: 0.15, silent: 0.02, ..shape(100) };
    let network = LocalNetwork::start(dead).await.unwrap();
    let observer = network.observer().unwrap();
    let publisher = ready(config(&network, Region::EuCentral1)).await;
    let cid = cid(1);
    let closest = network.closest_live(&cid.multihash(), 20);
    let holders = async || observer.holders(&cid.multihash(), &publisher.peer_id(), &closest).await;
    assert_eq!(holders().await, 0);

    let provided = publisher.provide(cid.clone(), None).await.unwrap();
    assert_eq!(provided.class, OutcomeClass::Ok, "{:?}", provided.error);
    records_arrive().await;
    let started = Instant::now();
    assert!(holders().await >= 15, "{} hold the record: {provided:?}", holders().await);
    assert_eq!(observer.holders(&cid.multihash(), &Identity::generate().peer_id(), &closest).await, 0);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn nodes_have_ports_of_their_own_and_keep_those_they_ask_for() {
    let network = LocalNetwork::start(shape(10)).await.unwrap();
    let node = Node::start(config(&network, Region::EuCentral1)).await.unwrap();
    assert!((1_024..=32_767).contains(&node.port()), "{}", node.port());
    let again = NodeConfig { listen_port: node.port(), ..config(&network, Region::EuCentral1) };
    let taken = Node::start(again.clone()).await.unwrap_err();
    assert!(matches!(taken, StartError::Listen { .. }), "{taken}");
    node.stop().await;
    assert_eq!(Node::start(again).await.unwrap().port(), node.port());
}

#[tokio::test(start_paused = true)]
async fn nodes_of_a_local_network_reach_each_other() {
    let network = LocalNetwork::start(shape(0)).await.unwrap();
    let serving = NodeConfig { server_mode: true, ..config(&network, Region::EuCentral1) };
    let server = Node::start(serving).await.unwrap();
    let address = format!("/memory/{}/p2p/{}", server.port(), server.peer_id());
    let joining = || NodeConfig { bootstrap: vec![address.clone()], ..config(&network, Region::UsEast2) };
    let (publisher, finder) = (ready(joining()).await, ready(joining()).await);
    let cid = cid(1);
    assert_eq!(publisher.provide(cid.clone(), None).await.unwrap().effort.holders_stored, Some(1));
    records_arrive().await;
    let found = finder.retrieve(cid).await.unwrap();
    assert_eq!((found.class, found.duration.as_nanos() % ROUND_TRIP.as_nanos()), (OutcomeClass::Ok, 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_as_far_from_a_peer_as_their_regions_are() {
    let network = LocalNetwork::start(LocalConfig { latency: Latency::Realistic, ..shape(1) }).await.unwrap();
    let theirs = network.closest_live(b"any", 1)[0].region();
    for ours in Region::ALL {
        let node = ready(config(&network, ours)).await;
        let found = node.retrieve(cid(1)).await.unwrap();
        // One question to the only peer, on the stream that filled the table.
        assert_eq!((found.class, found.duration), (OutcomeClass::NotFound, ours.round_trip(theirs)), "{ours}");
    }
}

/// On loopback, in real time.
#[tokio::test(flavor = "multi_thread")]
async fn over_sockets_a_publication_takes_its_round_trips_too() {
    const SHORT: Duration = Duration::from_millis(20);
    for transport in [LocalTransport::Tcp, LocalTransport::Quic] {
        let shape = LocalConfig { transport, latency: Latency::Fixed(SHORT), ..shape(30) };
        let network = LocalNetwork::start(shape).await.unwrap();
        let node = ready(config(&network, Region::EuCentral1)).await;
        let provided = node.provide(cid(1), None).await.unwrap();
        assert_eq!((provided.class, provided.effort.holders_stored), (OutcomeClass::Ok, Some(20)), "{provided:?}");
        // Those who are asked for the closest are asked one after the other at least once, then the closest store.
        assert!(provided.duration >= 2 * SHORT, "{transport:?}: {:?}", provided.duration);
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_cold_operation_has_dialled_in_vain_does_not_shorten_the_next() {
    let dead = LocalConfig { undialable: 0.3, ..shape(100) };
    let network = LocalNetwork::start(dead).await.unwrap();
    let node = ready(NodeConfig { cold: true, ..config(&network, Region::EuCentral1) }).await;
    for seed in 0..10 {
        let trace = node.provide(cid(seed), None).await.unwrap().trace.unwrap();
        let first_of = |peer: &str| trace.requests.iter().position(|request| request.peer == peer);
        for (place, request) in trace.requests.iter().enumerate().filter(|(_, request)| request.dialled.is_some()) {
            // A peer that was asked before may be dialled already.
            if request.end == RequestEnd::DialTimeout && first_of(&request.peer) == Some(place) {
                assert_eq!(request.ended.unwrap() - request.asked, Duration::from_secs(5), "{request:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn puts_that_a_stop_cuts_off_are_reported_and_not_taken_for_failures() {
    let network = LocalNetwork::start(shape(200)).await.unwrap();
    let mut reported = 0;
    for seed in 0..10 {
        let node = ready(NodeConfig { strategy: StrategyKind::Optprov, ..config(&network, Region::EuCentral1) }).await;
        let effort = node.provide(cid(seed), None).await.unwrap().effort;
        if effort.holders_pending == Some(0) {
            continue;
        }
        node.stop().await;
        node.died().await;
        let follow_up = node.next_follow_up().now_or_never().expect("its last word comes before its death");
        assert!(Some(follow_up.stored) >= effort.holders_stored, "{effort:?} {follow_up:?}");
        assert_eq!(Some(follow_up.failed), effort.holders_failed, "{effort:?} {follow_up:?}");
        reported += 1;
    }
    assert!(reported > 0, "no publication left anything to the background");
}
