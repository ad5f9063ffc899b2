//! What a dead peer costs, exactly, on real sockets: as much as in Go, and in the trace.

use std::time::Duration;

use libp2p::Multiaddr;
use parsec_dht::{Dht, Node};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport};
use parsec_measure::{RequestEnd, StrategyKind, TracedRequest};

use super::dead::Dead;
use super::peer::{Named, Stranger, naming};
use super::{config, fresh, ready};

/// A busy machine may be late with what it does at a time-out.
const LATE: Duration = Duration::from_millis(900);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What each way of being dead costs, and how it ends. Go: `TCP connect` 5 s, quic-go's handshake 5 s, a whole dial 15 s.
fn price(what: &str) -> (Duration, RequestEnd) {
    match what {
        "refused" => (Duration::ZERO, RequestEnd::DialFailed),
        "black hole" | "dead QUIC" => (seconds(5), RequestEnd::DialTimeout),
        "mute" => (seconds(15), RequestEnd::DialTimeout),
        other => panic!("{other} has no price"),
    }
}

fn took(request: &TracedRequest) -> Duration {
    request.ended.unwrap() - request.asked
}

/// A peer that names these, with their addresses, and then has nothing to say.
async fn naming_all(dead: &[Dead]) -> Stranger {
    let named = |dead: &Dead| {
        let mut address: Multiaddr = dead.address.parse().unwrap();
        let Some(libp2p::multiaddr::Protocol::P2p(peer)) = address.pop() else { panic!("{address}") };
        Named { id: peer.to_bytes(), addresses: vec![address.to_vec()] }
    };
    let names: Vec<Named> = dead.iter().map(named).collect();
    Stranger::start("-", move |_| naming(names.clone())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_being_dead_costs_what_it_costs_in_go() {
    let dead = Dead::of_each_kind().await;
    let peer = naming_all(&dead).await;
    let node = Node::start(config(vec![peer.address.clone()], StrategyKind::Classic)).await.unwrap();
    ready(&node).await;
    // What its first lookups have learnt of the dead is forgotten.
    node.hang_up().await;
    let published = node.provide(fresh(), None).await.unwrap();
    let trace = published.trace.unwrap();
    for dead in &dead {
        let mut tries = trace.requests.iter().filter(|request| dead.address.ends_with(&request.peer));
        let first = tries.next().unwrap_or_else(|| panic!("{} was not asked: {trace:?}", dead.what));
        let (costs, end) = price(dead.what);
        println!("{}: {:?}", dead.what, took(first));
        assert_eq!(first.end, end, "{}: {first:?}", dead.what);
        assert!((costs..costs + LATE).contains(&took(first)), "{}: {first:?}", dead.what);
        // Whoever could not be dialled a moment ago costs nothing more.
        assert!(tries.all(|again| again.end == RequestEnd::BackOff && took(again) < LATE), "{}: {trace:?}", dead.what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_after_the_stream_is_open_costs_ten_seconds_a_try_and_each_try_stands_for_itself() {
    let mute = Stranger::start("-", |_| vec![]).await;
    let peer = {
        let mut address: Multiaddr = mute.address.parse().unwrap();
        let Some(libp2p::multiaddr::Protocol::P2p(id)) = address.pop() else { panic!("{address}") };
        let named = Named { id: id.to_bytes(), addresses: vec![address.to_vec()] };
        Stranger::start("-", move |_| naming(vec![named.clone()])).await
    };
    let node = Node::start(config(vec![peer.address.clone()], StrategyKind::Classic)).await.unwrap();
    ready(&node).await;
    node.hang_up().await;
    let published = node.provide(fresh(), None).await.unwrap();
    let trace = published.trace.unwrap();
    let asked = |request: &&TracedRequest| {
        mute.address.ends_with(&request.peer) && request.kind == parsec_measure::RequestKind::FindNode
    };
    let tries: Vec<_> = trace.requests.iter().filter(asked).collect();
    let [first, second] = tries[..] else { panic!("{tries:?}") };
    for one in [first, second] {
        assert_eq!(one.end, RequestEnd::Timeout, "{one:?}");
        assert!((seconds(10)..seconds(10) + LATE).contains(&took(one)), "{one:?}");
        let phases = [one.dialled, one.connected, one.opened, one.written, one.ended];
        let reached: Vec<_> = phases.into_iter().flatten().collect();
        assert!(reached.is_sorted() && reached[0] >= one.asked, "{one:?}");
    }
    assert!(second.dialled.is_none(), "the second try needs no dial: {tries:?}");
    assert!(second.asked >= first.ended.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn live_peers_whose_quic_never_arrives_are_reached_over_tcp() {
    let shape = LocalConfig { peers: 40, seed: 7, transport: LocalTransport::Tcp, ..LocalConfig::default() };
    let network = LocalNetwork::start(shape).await.unwrap();
    let dead = Dead::quic().await;
    let swallowed: Multiaddr = dead.address.rsplit_once("/p2p/").unwrap().0.parse().unwrap();
    let named = |address: &String| {
        let mut address: Multiaddr = address.parse().unwrap();
        let Some(libp2p::multiaddr::Protocol::P2p(peer)) = address.pop() else { panic!("{address}") };
        Named { id: peer.to_bytes(), addresses: vec![swallowed.to_vec(), address.to_vec()] }
    };
    let live = network.closest_live(b"any", network.len());
    let names: Vec<Named> = live.iter().map(|peer| named(&peer.address())).collect();
    let peer = Stranger::start("-", move |_| naming(names.clone())).await;
    let node = Node::start(config(vec![peer.address.clone()], StrategyKind::Classic)).await.unwrap();
    ready(&node).await;
    node.hang_up().await;
    let published = node.provide(fresh(), None).await.unwrap();
    assert_eq!((published.effort.dials_failed, published.effort.holders_stored), (Some(0), Some(20)), "{published:?}");
}
