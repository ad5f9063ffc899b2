//! Which keys are looked up, and that enough of the lookups come to their end.

use parsec_measure::{Content, StrategyKind};
use rand::SeedableRng;
use tokio::time::sleep;

use super::*;
use crate::{Dht, Latency, LocalConfig, LocalNetwork, LocalTransport, Node, NodeConfig, Readiness, Region};

#[test]
fn a_random_key_falls_into_the_bucket_asked_for() {
    let mut rng = StdRng::seed_from_u64(1);
    let local = Key::of(b"me");
    for bucket in 0..=10 {
        let key = random_key_in_bucket(&local, bucket, &mut rng);
        assert_eq!(Key::of(&key).distance(&local).common_prefix(), bucket);
    }
}

/// Of the dead, a third never answers a dial, which costs 5 s over TCP and QUIC alike.
fn where_many_are_dead() -> LocalConfig {
    let latency = Latency::Fixed(Duration::from_millis(100));
    LocalConfig {
        peers: 500,
        seed: 7,
        transport: LocalTransport::Memory,
        latency,
        undialable: 0.45,
        ..LocalConfig::default()
    }
}

async fn ready(node: &Node) {
    while let Readiness::NotReady(_) = node.readiness().await.unwrap() {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn for_an_hour_no_publication_lacks_the_size_of_a_network_in_which_every_seventh_dial_is_in_vain() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let network = LocalNetwork::start(where_many_are_dead()).await.unwrap();
    let config = network.newcomer(Region::EuCentral1);
    let node = Node::start(NodeConfig { strategy: StrategyKind::Optprov, ..config }).await.unwrap();
    let started = Instant::now();
    ready(&node).await;
    let (ready_after, mut rng) = (started.elapsed(), StdRng::seed_from_u64(7));
    assert!(ready_after < Duration::from_secs(20), "{ready_after:?}");
    let mut few = usize::MAX;
    while started.elapsed() < HOUR {
        let provided = node.provide(Content::random(&mut rng).cid(), None).await.unwrap();
        assert_eq!(provided.fallback, None, "after {:?}", started.elapsed());
        few = few.min(node.samples());
        sleep(Duration::from_secs(60)).await;
    }
    let samples = node.samples();
    println!("ready after {ready_after:?}; at least {few} samples, {samples} in the end");
    assert!(samples >= 20, "{samples} samples of the size");
}
