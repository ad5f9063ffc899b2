//! How a node gets in, and what it says while it does not.

use std::time::Duration;

use parsec_dht::{Dht, Node, NodeConfig, Readiness};
use parsec_lab::LOCAL_PROTOCOL;
use parsec_measure::{Effort, OutcomeClass, StrategyKind, is_harmful};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dead::Dead;
use super::{config, fresh, ready, reason, server, tcp_address, until};

/// How long a node may take whose bootstrap peers are good but for one, on a machine that has other things to do; one that
/// waits for the dead takes 5 s at least.
const BEFORE_THE_DEAD: Duration = Duration::from_secs(3);

/// How long half of such nodes may take.
const AS_A_RULE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_bootstrap_peer_among_good_ones_holds_up_nobody() {
    let one = server(vec![]).await;
    let other = server(vec![tcp_address(&one)]).await;
    ready(&other).await;
    let mut all = Vec::new();
    for dead in Dead::of_each_kind().await {
        for strategy in StrategyKind::ALL {
            let bootstrap = vec![dead.address.clone(), tcp_address(&one), tcp_address(&other)];
            let started = Instant::now();
            let node = Node::start(config(bootstrap, strategy)).await.unwrap();
            let size = ready(&node).await;
            let took = started.elapsed();
            println!("{}, {strategy}: ready after {took:?}", dead.what);
            assert!(took < BEFORE_THE_DEAD, "{}, {strategy}: ready after {took:?}", dead.what);
            all.push(took);
            assert_eq!(size, 2, "{}, {strategy}", dead.what);
            let provided = node.provide(fresh(), None).await.unwrap();
            // A full routing table returns before its last record has left.
            let records = |effort: Effort| Some(effort.holders_stored? + effort.holders_pending?);
            assert_eq!((provided.class, records(provided.effort)), (OutcomeClass::Ok, Some(2)), "{provided:?}");
        }
    }
    all.sort();
    assert!(all[all.len() / 2] < AS_A_RULE, "{all:?}");
}

/// A peer behind a door that takes calls at once and lets nobody through before it is opened.
async fn behind_a_door(node: &Node) -> (String, watch::Sender<bool>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (door, opened) = watch::channel(false);
    let (mut carrying, place) = (JoinSet::new(), ("127.0.0.1", node.port()));
    carrying.spawn(async move {
        let mut calls = JoinSet::new();
        while let Ok((mut call, _)) = listener.accept().await {
            let mut opened = opened.clone();
            calls.spawn(async move {
                opened.wait_for(|opened| *opened).await.unwrap();
                let mut onwards = TcpStream::connect(place).await.unwrap();
                let _ = copy_bidirectional(&mut call, &mut onwards).await;
            });
        }
    });
    (format!("/ip4/127.0.0.1/tcp/{port}/p2p/{}", node.peer_id()), door, carrying)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_peer_that_is_late_brings_those_whom_it_knows() {
    // The first knows nobody. The late one knows the third.
    let (first, third) = (server(vec![]).await, server(vec![]).await);
    let late = server(vec![tcp_address(&third)]).await;
    ready(&late).await;
    for strategy in StrategyKind::ALL {
        let (address, door, _carrying) = behind_a_door(&late).await;
        let node = Node::start(config(vec![tcp_address(&first), address], strategy)).await.unwrap();
        assert_eq!(ready(&node).await, 1, "{strategy}");
        door.send_replace(true);
        until(&node, |readiness| matches!(readiness, Readiness::Ready { routing_table_size: 3, .. }).then_some(()))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_peers_of_another_network_are_said_to_be_that() {
    const FOREIGN: &str = "/other/kad/1.0.0";
    let foreign =
        NodeConfig { server_mode: true, protocols: vec![FOREIGN.to_owned()], ..config(vec![], StrategyKind::Classic) };
    let foreign = Node::start(foreign).await.unwrap();
    // It has our protocol, and does not serve it.
    let client = Node::start(config(vec![], StrategyKind::Classic)).await.unwrap();
    for strategy in StrategyKind::ALL {
        let bootstrap = vec![tcp_address(&foreign), tcp_address(&client)];
        let node = Node::start(config(bootstrap, strategy)).await.unwrap();
        // Each says in its own time what it speaks.
        let of_both =
            [format!("{} speaks /ipfs/", client.peer_id()), format!("{} speaks {FOREIGN}, /ipfs/", foreign.peer_id())];
        let reason = until(&node, |readiness| match readiness {
            Readiness::NotReady(reason) => of_both.iter().all(|words| reason.contains(words)).then_some(reason),
            Readiness::Ready { .. } => panic!("{strategy}: it is ready"),
        })
        .await;
        for part in ["; no bootstrap peer lets us in: ", &format!(" and not {LOCAL_PROTOCOL}; ")] {
            assert!(reason.contains(part), "{strategy}: no `{part}` in {reason}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_says_why_for_each_bootstrap_peer() {
    let (dead, mute, somebody) = (Dead::refused(), Dead::mute().await, server(vec![]).await);
    let wrong = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", somebody.port(), parsec_dht::Identity::generate().peer_id());
    for strategy in StrategyKind::ALL {
        let bootstrap = vec![dead.address.clone(), mute.address.clone(), wrong.clone()];
        let node = Node::start(config(bootstrap, strategy)).await.unwrap();
        let reason = reason(&node, &somebody.peer_id()).await;
        let what = if strategy == StrategyKind::Fullrt {
            "the network is being crawled"
        } else {
            "the routing table is empty"
        };
        assert!(reason.starts_with(&format!("{what}; no bootstrap peer lets us in: ")), "{reason}");
        let id = |address: &str| address.rsplit('/').next().unwrap().to_owned();
        assert!(reason.contains(&format!("{}: dial failed: ", id(&dead.address))), "{reason}");
        assert!(reason.contains("Connection refused"), "{reason}");
        assert!(reason.contains(&format!("{}: no answer yet", id(&mute.address))), "{reason}");
        assert!(reason.contains(&format!("{}: dial failed: another peer", id(&wrong))), "{reason}");
        assert!(!reason.chars().any(is_harmful), "{reason:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_peer_that_starts_later_is_found_although_another_never_answers() {
    let mute = Dead::mute().await;
    for strategy in [StrategyKind::Classic, StrategyKind::Libp2p] {
        let serving = NodeConfig { server_mode: true, ..config(vec![], StrategyKind::Classic) };
        let early = Node::start(serving.clone()).await.unwrap();
        let (address, later) = (tcp_address(&early), NodeConfig { listen_port: early.port(), ..serving });
        early.stop().await;
        let node = Node::start(config(vec![address, mute.address.clone()], strategy)).await.unwrap();
        reason(&node, "dial failed").await;
        let _late = Node::start(later).await.unwrap();
        let started = Instant::now();
        assert_eq!(ready(&node).await, 1);
        // The mute one is given up on after 15 s.
        assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    }
}
