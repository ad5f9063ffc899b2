//! How many round trips each operation takes: exactly those of the table in `docs/methods.md`.
//!
//! Real peers, 100 ms apart, on a clock that stands still while anybody is busy. Everybody is alive, and twenty peers make
//! the network: all of them are known from the start and all of them shall hold the record, so that no hop is left to chance.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parsec_dht::{Dht, Node, NodeConfig};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Cid, Content, Latency, Measured, OutcomeClass, RequestKind, StrategyKind, TracedRequest, Warmth};
use parsec_test_support::node;
use tokio::time::sleep;

const METHODS: &str = include_str!("../../../docs/methods.md");
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// Longer than an idle stream is kept, shorter than an idle connection.
const STREAMS_CLOSE: Duration = Duration::from_secs(40);

async fn network(peers: usize) -> LocalNetwork {
    let (transport, latency) = (LocalTransport::Memory, Latency::Fixed(ROUND_TRIP));
    LocalNetwork::start(LocalConfig { peers, seed: 7, transport, latency, ..LocalConfig::default() }).await.unwrap()
}

async fn ready(network: &LocalNetwork, strategy: StrategyKind) -> Node {
    node::ready(NodeConfig { strategy, ..network.newcomer(Region::EuCentral1) }).await
}

fn fresh() -> Cid {
    Content::random(&mut rand::rng()).cid()
}

fn round_trips(duration: Duration) -> u128 {
    assert_eq!(duration.as_nanos() % ROUND_TRIP.as_nanos(), 0, "{duration:?} is no multiple of a round trip");
    duration.as_nanos() / ROUND_TRIP.as_nanos()
}

/// Publishes, and lets the other one find it.
async fn once(publisher: &Node, finder: &Node) -> [Measured; 2] {
    let cid = fresh();
    let provided = publisher.provide(cid.clone(), None).await.unwrap();
    assert_eq!((provided.class, &provided.fallback), (OutcomeClass::Ok, &None), "{provided:?}");
    // What has been written arrives half a round trip later.
    sleep(ROUND_TRIP).await;
    let found = finder.retrieve(cid).await.unwrap();
    assert_eq!(found.class, OutcomeClass::Ok, "{found:?}");
    [provided, found]
}

/// A search in vain asks everybody, and leaves a connection and a stream to each.
async fn ask_everybody(nodes: [&Node; 2]) {
    for node in nodes {
        assert_eq!(node.retrieve(fresh()).await.unwrap().class, OutcomeClass::NotFound);
    }
}

/// The rows of the table in `docs/methods.md`: strategy and operation, and its three figures: cold, on connections, on streams.
fn promised() -> BTreeMap<String, Vec<u128>> {
    let table = METHODS.split("<!-- table:round-trips -->").nth(1).expect("docs/methods.md marks the table");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].replace('`', ""), cells[1..4].iter().map(|cell| cell.parse().unwrap()).collect())
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn every_operation_takes_the_round_trips_that_the_documentation_promises() {
    let mut measured = BTreeMap::new();
    for strategy in StrategyKind::ALL {
        let network = network(20).await;
        let (publisher, finder) = (ready(&network, strategy).await, ready(&network, strategy).await);
        publisher.hang_up().await;
        finder.hang_up().await;
        let cold = once(&publisher, &finder).await;
        ask_everybody([&publisher, &finder]).await;
        sleep(STREAMS_CLOSE).await;
        let on_connections = once(&publisher, &finder).await;
        ask_everybody([&publisher, &finder]).await;
        let on_streams = once(&publisher, &finder).await;
        for (index, operation) in ["provide", "retrieve"].into_iter().enumerate() {
            let durations = [&cold, &on_connections, &on_streams].map(|pair| round_trips(pair[index].duration));
            measured.insert(format!("{strategy} {operation}"), durations.to_vec());
        }
    }
    assert_eq!(measured, promised());
}

/// What one request costs, in round trips, by what it found standing.
fn cost(request: &TracedRequest) -> u32 {
    let put = request.kind == RequestKind::AddProvider;
    match (request.warmth().unwrap(), put) {
        (Warmth::Cold, false) => 3,
        (Warmth::Cold, true) => 2,
        (Warmth::Connection | Warmth::Stream, false) => 1,
        (Warmth::Connection | Warmth::Stream, true) => 0,
    }
}

/// Nothing is left unexplained: each request takes what it costs, and begins with the operation or at the end of another.
fn explain(measured: &Measured) {
    let trace = measured.trace.as_ref().unwrap();
    let moments: Vec<Duration> = trace.requests.iter().filter_map(|request| request.ended).collect();
    for request in trace.requests.iter().filter(|request| request.warmth().is_some()) {
        assert!(request.asked.is_zero() || moments.contains(&request.asked), "{request:?} begins at no moment's end");
        if let (true, Some(ended)) = (request.end == parsec_measure::RequestEnd::Answered, request.ended) {
            // Two that want the same connection share its dial.
            assert!(ended - request.asked <= ROUND_TRIP * cost(request), "{request:?}");
            assert!(request.dialled.is_none() || ended - request.asked == ROUND_TRIP * cost(request), "{request:?}");
        }
    }
    assert!(trace.returned.is_zero() || moments.contains(&trace.returned), "it returns at no moment's end: {trace:?}");
}

/// Two requests to one peer may wait for the same dial.
fn counts_each_dial_once(measured: &Measured) {
    let requests = &measured.trace.as_ref().unwrap().requests;
    let dialled: BTreeSet<&str> =
        requests.iter().filter(|request| request.dialled.is_some()).map(|request| request.peer.as_str()).collect();
    assert_eq!(measured.effort.dials, Some(u32::try_from(dialled.len()).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn in_a_network_of_many_hops_every_moment_of_an_operation_is_explained_by_its_requests() {
    let network = network(300).await;
    for strategy in [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt] {
        let (publisher, finder) = (ready(&network, strategy).await, ready(&network, strategy).await);
        for _ in 0..5 {
            publisher.hang_up().await;
            finder.hang_up().await;
            let results = once(&publisher, &finder).await;
            results.iter().for_each(explain);
            results.iter().for_each(counts_each_dial_once);
        }
    }
}
