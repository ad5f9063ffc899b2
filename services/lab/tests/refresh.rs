//! A node among many dead peers refreshes its table often enough to know the network's size.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use parsec_dht::{Dht, Node, NodeConfig};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Content, Latency, StrategyKind};
use parsec_test_support::node::ready;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

/// Of the dead, a third never answers a dial, which costs 5 s over TCP and QUIC alike. One that takes the connection and is
/// silent then costs 20 s: an answer is waited for twice.
fn where_many_are_dead(silent: f64) -> LocalConfig {
    let (transport, latency) = (LocalTransport::Memory, Latency::Fixed(Duration::from_millis(100)));
    LocalConfig { peers: 500, seed: 7, transport, latency, undialable: 0.45, silent, ..LocalConfig::default() }
}

/// An optimistic publisher in such a network, as soon as it is ready.
async fn publisher(silent: f64) -> (LocalNetwork, Node) {
    let network = LocalNetwork::start(where_many_are_dead(silent)).await.unwrap();
    let config = network.newcomer(Region::EuCentral1);
    let node = ready(NodeConfig { strategy: StrategyKind::Optprov, ..config }).await;
    (network, node)
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_refreshes_among_the_dead_leaves_enough_samples_of_the_networks_size() {
    for silent in [0.0, 0.05] {
        let started = Instant::now();
        let (_network, node) = publisher(silent).await;
        let samples = || node.size_samples();
        let (ready_after, at_first) = (started.elapsed(), samples());
        sleep(Duration::from_secs(3_600)).await;
        let samples = samples();
        println!("{silent} silent: ready after {ready_after:?} with {at_first} samples, {samples} after an hour");
        assert!(at_first >= 5 && ready_after < Duration::from_secs(45), "{at_first} samples, {ready_after:?}");
        assert!(samples >= 20, "{silent} silent: {samples} samples");
    }
}

#[tokio::test(start_paused = true)]
async fn no_publication_among_the_dead_falls_back_for_want_of_the_networks_size() {
    let (_network, node) = publisher(0.05).await;
    let (started, mut rng) = (Instant::now(), StdRng::seed_from_u64(7));
    while started.elapsed() < Duration::from_secs(3_600) {
        let provided = node.provide(Content::random(&mut rng).cid(), None).await.unwrap();
        assert_eq!(provided.fallback, None, "after {:?}", started.elapsed());
        sleep(Duration::from_secs(60)).await;
    }
}
