//! Whatever becomes of an operation, its trace says what can have happened: each phase after the one before it, each
//! request after the answer that named its peer, each try by itself.
//!
//! The networks are drawn from a seed that is printed; `PARSEC_TRACES_SEED` repeats a run.

#![allow(clippy::print_stderr, reason = "a seed to repeat a run with")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use parsec_dht::{Dht, Node, NodeConfig, Readiness};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Cid, Content, Latency, Measured, RequestEnd, StrategyKind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{sleep, timeout};

mod misbehaving;

/// How long a node may take to fill its table. One that cannot goes on without.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many networks of each strategy are tried on a clock of their own.
const NETWORKS: u64 = 3;

/// How many publications, and searches for what has been published, run at the same time.
const AT_ONCE: usize = 4;

#[expect(clippy::disallowed_methods, reason = "libtest takes no arguments for tests")]
fn seed() -> u64 {
    let told = std::env::var("PARSEC_TRACES_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = told.unwrap_or_else(|| rand::rng().random_range(0..1_000_000_000));
    eprintln!("PARSEC_TRACES_SEED={seed}");
    seed
}

async fn ready(config: NodeConfig) -> Node {
    let node = Node::start(config).await.unwrap();
    let _ = timeout(PATIENCE, async {
        while let Readiness::NotReady(_) = node.readiness().await.unwrap() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    node
}

/// How often requests ended in each way.
type Ends = BTreeMap<String, usize>;

/// Publishes and searches, several at a time, and looks at each trace.
async fn all_is_in_order(publisher: &Node, finder: &Node, rounds: usize, rng: &mut StdRng, ends: &mut Ends) {
    for _ in 0..rounds {
        let cids: Vec<Cid> = (0..AT_ONCE).map(|_| Content::random(&mut *rng).cid()).collect();
        for done in [
            join_all(cids.iter().map(|cid| publisher.provide(cid.clone(), None))).await,
            join_all(cids.iter().map(|cid| finder.retrieve(cid.clone()))).await,
        ] {
            done.into_iter().for_each(|measured| look_at(&measured.unwrap(), ends));
        }
    }
}

fn look_at(measured: &Measured, ends: &mut Ends) {
    let trace = measured.trace.as_deref().expect("every operation has a trace");
    if let Some(disorder) = trace.disorder() {
        panic!("{measured:#?}\n{disorder}");
    }
    for request in &trace.requests {
        *ends.entry(request.end.as_str().to_owned()).or_default() += 1;
    }
}

fn seen(ends: &Ends, expected: &[RequestEnd]) {
    eprintln!("{ends:?}");
    let missing: BTreeSet<_> = expected.iter().map(|end| end.as_str()).filter(|end| !ends.contains_key(*end)).collect();
    assert_eq!(missing, BTreeSet::new(), "nothing ended so, and nothing was shown: {ends:?}");
}

/// A network with dead and silent peers on a clock of its own.
fn drawn(rng: &mut StdRng) -> LocalConfig {
    let round_trip = Duration::from_millis(rng.random_range(1..400));
    LocalConfig {
        peers: rng.random_range(25..70),
        seed: rng.random(),
        transport: LocalTransport::Memory,
        latency: if rng.random_bool(0.3) { Latency::Realistic } else { Latency::Fixed(round_trip) },
        undialable: rng.random_range(0.0..0.4),
        silent: rng.random_range(0.05..0.3),
        ..LocalConfig::default()
    }
}

async fn in_virtual_time(strategy: StrategyKind) {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut ends = Ends::default();
    for _ in 0..NETWORKS {
        let network = LocalNetwork::start(drawn(&mut rng)).await.unwrap();
        // Some operations run out of time, and some connections are closed under those of others.
        let config = NodeConfig {
            strategy,
            alpha: rng.random_range(1..16),
            cold: rng.random_bool(0.3),
            operation_timeout: Duration::from_millis(rng.random_range(300..90_000)),
            ..network.newcomer(Region::EuCentral1)
        };
        let other = NodeConfig { strategy, ..network.newcomer(Region::UsWest1) };
        let (publisher, finder) = (ready(config).await, ready(other).await);
        all_is_in_order(&publisher, &finder, 2, &mut rng, &mut ends).await;
        // A network that goes away under an operation.
        let cid = Content::random(&mut rng).cid();
        let (provided, ()) = tokio::join!(publisher.provide(cid, None), async {
            sleep(Duration::from_millis(250)).await;
            drop(network);
        });
        look_at(&provided.unwrap(), &mut ends);
    }
    seen(&ends, &[RequestEnd::Answered, RequestEnd::Cancelled]);
}

#[tokio::test(start_paused = true)]
async fn traces_of_classic_are_in_order_among_dead_and_silent_peers() {
    in_virtual_time(StrategyKind::Classic).await;
}

#[tokio::test(start_paused = true)]
async fn traces_of_optprov_are_in_order_among_dead_and_silent_peers() {
    in_virtual_time(StrategyKind::Optprov).await;
}

#[tokio::test(start_paused = true)]
async fn traces_of_fullrt_are_in_order_among_dead_and_silent_peers() {
    in_virtual_time(StrategyKind::Fullrt).await;
}

#[tokio::test(start_paused = true)]
async fn traces_of_libp2p_are_in_order_among_dead_and_silent_peers() {
    in_virtual_time(StrategyKind::Libp2p).await;
}

/// Every dead peer costs what it costs: requests of the silent end at their time limit and are tried again.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_tried_twice_and_each_try_is_a_request_of_its_own() {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut ends = Ends::default();
    let shape = LocalConfig { silent: 0.3, undialable: 0.2, ..drawn(&mut rng) };
    let network = LocalNetwork::start(shape).await.unwrap();
    let (publisher, finder) =
        (ready(network.newcomer(Region::EuCentral1)).await, ready(network.newcomer(Region::EuCentral1)).await);
    all_is_in_order(&publisher, &finder, 4, &mut rng, &mut ends).await;
    let unknown = Content::random(&mut rng).cid();
    let searched = finder.retrieve(unknown).await.unwrap();
    look_at(&searched, &mut ends);
    seen(&ends, &[RequestEnd::Answered, RequestEnd::Timeout]);
    let requests = &searched.trace.as_deref().unwrap().requests;
    let timed_out = requests.iter().filter(|request| request.end == RequestEnd::Timeout);
    let mut tries: BTreeMap<&str, usize> = BTreeMap::new();
    timed_out.for_each(|request| *tries.entry(&request.peer).or_default() += 1);
    assert_eq!(tries.values().max(), Some(&2), "{requests:#?}");
}

/// On real sockets, with every strategy, beside peers that close, reset, babble, echo and hang up.
#[tokio::test(flavor = "multi_thread")]
async fn traces_are_in_order_among_peers_that_break_what_they_began() {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut ends = Ends::default();
    let shape = LocalConfig { peers: 15, seed: rng.random(), ..LocalConfig::default() };
    let network = LocalNetwork::start(shape).await.unwrap();
    let strangers = misbehaving::one_of_each().await;
    for strategy in StrategyKind::ALL {
        let bootstrap = [network.bootstrap(), strangers.clone()].concat();
        let config = || NodeConfig { strategy, bootstrap: bootstrap.clone(), ..network.newcomer(Region::EuCentral1) };
        let (publisher, finder) = tokio::join!(ready(config()), ready(config()));
        all_is_in_order(&publisher, &finder, 3, &mut rng, &mut ends).await;
    }
    seen(&ends, &[RequestEnd::Answered, RequestEnd::Protocol]);
}
