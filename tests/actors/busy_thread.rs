//! A measurement is timed where it takes place: on a real network of 30 peers, in real time, behind an actor
//! whose thread is busy with something else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use futures::FutureExt;
use futures::future::join_all;
use parsec_actors::serving::dht_node::{DhtHandle, DhtNode, Retrieve, StartDht};
use parsec_actors::supervision::supervise::supervise;
use parsec_dht::{Dht, Internet, Node, NodeConfig, Readiness};
use parsec_lab::{LocalConfig, LocalNetwork, Region};
use parsec_measure::{Cid, OutcomeClass, quantile};

use crate::fakes::{POLICY, Witness, cid, secs};

/// How long the slow actor keeps the thread, each time.
const BLOCKED: Duration = Duration::from_millis(100);

/// How long it leaves the thread to the others in between: just enough for all of them to have a turn.
const LEFT_FREE: Duration = Duration::from_millis(1);

const LOOKUPS: u64 = 20;

/// Keeps its thread busy: blocks it, lets the others have a turn, and blocks it again.
struct SlowActor;

impl Actor for SlowActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let busy = async {
            loop {
                std::thread::sleep(BLOCKED);
                tokio::time::sleep(LEFT_FREE).await;
            }
        };
        context.spawn(busy.into_actor(self));
    }
}

async fn node(network: &LocalNetwork) -> Arc<Node> {
    let config = NodeConfig {
        underlay: Arc::new(Internet::default()),
        operation_timeout: secs(60),
        ..network.newcomer(Region::EuCentral1)
    };
    let node = Node::start(config).await.unwrap();
    // A node tells its state only when asked.
    while let Readiness::NotReady(_) = node.readiness().await.unwrap() {
        tokio::time::sleep(LEFT_FREE).await;
    }
    Arc::new(node)
}

async fn publish(publisher: &Node) -> Vec<Cid> {
    let keys: Vec<_> = (0..LOOKUPS).map(cid).collect();
    for published in join_all(keys.iter().map(|key| publisher.provide(key.clone(), None))).await {
        assert_eq!(published.unwrap().class, OutcomeClass::Ok);
    }
    keys
}

/// Looks all keys up, one after the other; returns the medians of what was measured and of what the caller saw.
async fn look_up(dht: DhtHandle, keys: Vec<Cid>) -> (Duration, Duration) {
    let (mut measured, mut seen) = (Vec::new(), Vec::new());
    for key in keys {
        let asked = Instant::now();
        let answer = dht.retrieve.ask(Retrieve(key)).await.unwrap().unwrap();
        assert_eq!(answer.class, OutcomeClass::Ok, "{:?}", answer.error);
        measured.push(answer.duration);
        seen.push(asked.elapsed());
    }
    let median = |mut durations: Vec<Duration>| {
        durations.sort_unstable();
        quantile(&durations, 0.5).unwrap()
    };
    (median(measured), median(seen))
}

#[test]
fn a_busy_actor_thread_is_no_part_of_what_is_measured() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    System::with_tokio_rt(runtime).block_on(async {
        let network = LocalNetwork::start(LocalConfig { peers: 30, seed: 7, ..LocalConfig::default() });
        let network = network.await.unwrap();
        let (publisher, finder) = tokio::join!(node(&network), node(&network));
        let keys = publish(&publisher).await;

        let (_parent, hears) = Witness::start_new();
        let start: StartDht = Arc::new(|| async { Err("the first engine must do".to_owned()) }.boxed());
        let actor = supervise("DHT node", POLICY, hears, DhtNode::new(finder, start));
        let dht = DhtHandle::of(&actor, secs(60));
        SlowActor.start();
        let (measured, seen) = tokio::spawn(look_up(dht, keys)).await.unwrap();
        assert!(seen >= BLOCKED / 2, "the caller sees the busy thread: {seen:?}");
        assert!(measured < seen / 2, "the measurement does not: {measured:?} of {seen:?}");
    });
}
