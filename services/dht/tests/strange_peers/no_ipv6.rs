//! A host without IPv6, among peers that have both: what does not lead anywhere costs nothing.

use std::process::Command;
use std::thread;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use nix::sched::{CloneFlags, unshare};
use parsec_dht::{Dht, Node};
use parsec_measure::{StrategyKind, TracedRequest};

use super::peer::{Named, Stranger, naming};
use super::{config, fresh, ready, server};

/// How many peers there are, and how often each is dialled.
const PEERS: usize = 10;
const TIMES: usize = 5;

/// How much slower a cold dial may be for the IPv6 addresses beside it.
const ALLOWANCE: Duration = Duration::from_millis(20);

/// Runs this on a host of its own, which has a loopback interface and no other. Sockets belong to the host of the thread that
/// makes them: everything happens on this one.
fn on_a_host_of_its_own<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    let host = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
        assert!(up.success());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work());
    });
    host.join().unwrap();
}

/// Where a server is said to be: over QUIC and TCP, at its own address, and at these others beside it.
fn at(server: &Node, others: &[&str]) -> Named {
    let ports = |host: &str| {
        let port = server.port();
        [format!("{host}/udp/{port}/quic-v1"), format!("{host}/tcp/{port}")]
    };
    let addresses = others.iter().chain(&["/ip4/127.0.0.1"]).flat_map(|host| ports(host));
    let addresses = addresses.map(|address| address.parse::<Multiaddr>().unwrap().to_vec()).collect();
    Named { id: server.peer_id().parse::<PeerId>().unwrap().to_bytes(), addresses }
}

/// How long the cold dials of these servers take, each in the place that is named.
async fn dials(servers: &[Node], others: &'static [&'static str]) -> Vec<Duration> {
    let names: Vec<Named> = servers.iter().map(|server| at(server, others)).collect();
    let guide = Stranger::start("-", move |_| naming(names.clone())).await;
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let node = Node::start(config(vec![guide.address.clone()], StrategyKind::Classic)).await.unwrap();
        ready(&node).await;
        node.hang_up().await;
        let trace = node.provide(fresh(), None).await.unwrap().trace.unwrap();
        let dial = |request: &TracedRequest| Some(request.connected? - request.dialled?);
        let cold: Vec<_> = trace.requests.iter().filter(|request| !guide.address.ends_with(&request.peer)).collect();
        assert!(!cold.iter().any(|request| request.end.is_failure()), "{cold:?}");
        took.extend(cold.into_iter().filter_map(dial));
    }
    assert!(took.len() >= PEERS * TIMES, "{} dials", took.len());
    took.sort_unstable();
    took
}

#[test]
#[cfg_attr(not(has_namespaces), ignore = "needs root and iproute2")]
fn beside_ipv4_addresses_those_of_ipv6_cost_no_dial_more_than_twenty_milliseconds() {
    on_a_host_of_its_own(|| async {
        let mut servers = Vec::new();
        for _ in 0..PEERS {
            servers.push(server(vec![]).await);
        }
        let alone = dials(&servers, &[]).await;
        let both = dials(&servers, &["/ip6/2001:db8::7", "/ip6/fd00::7"]).await;
        println!("IPv4 alone: {alone:?}\nwith IPv6 beside it: {both:?}");
        // The slowest tenth is the machine's: it has other tests to run.
        let slow = |dials: &[Duration]| dials[dials.len() * 9 / 10];
        assert!(slow(&both) < slow(&alone) + ALLOWANCE, "{:?} against {:?}", slow(&both), slow(&alone));
    });
}
