//! Many keys published at once through real peers: who holds them then, what it took, and what is reported when it goes wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use parsec_dht::{Dht, MANY_LIMIT, Node, NodeConfig};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Cid, Content, Latency, Manner, OutcomeClass, ProvidedKey, ProvidedMany, StrategyKind};
use parsec_test_support::node::{PATIENCE, ready};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// How many peers hold a record.
const HOLDERS: usize = 20;

/// So short that no key waits for its next peer as long as a full routing table's patience lasts.
const SHORT_ROUND_TRIP: Duration = Duration::from_millis(20);

fn shape(peers: usize) -> LocalConfig {
    let latency = Latency::Fixed(ROUND_TRIP);
    LocalConfig { peers, seed: 7, transport: LocalTransport::Memory, latency, ..LocalConfig::default() }
}

fn config(network: &LocalNetwork) -> NodeConfig {
    NodeConfig { operation_timeout: PATIENCE, ..network.newcomer(Region::EuCentral1) }
}

fn cids(count: usize) -> Vec<Cid> {
    let mut dice = StdRng::seed_from_u64(1);
    (0..count).map(|_| Content::random(&mut dice).cid()).collect()
}

/// How many of all live peers hold each key, and how many of its closest.
async fn held(network: &LocalNetwork, node: &Node, keys: &[Cid]) -> Vec<(usize, usize)> {
    // What was written when it returned has still to arrive.
    sleep(ROUND_TRIP).await;
    let observer = network.observer().unwrap();
    let mut held = Vec::new();
    for cid in keys {
        let key = cid.multihash();
        let all = network.closest_live(&key, network.live_peers());
        let of_all = observer.holders(&key, &node.peer_id(), &all).await;
        held.push((of_all, observer.holders(&key, &node.peer_id(), &all[..HOLDERS.min(all.len())]).await));
    }
    held
}

/// What must be true of every report.
fn check(all: &ProvidedMany, keys: &[Cid]) {
    assert!(all.keys.iter().map(|key| &key.cid).eq(keys), "each key, in its order");
    for key in &all.keys {
        assert!(key.confirmed <= key.stored, "{key:?}");
        assert_eq!((key.class == OutcomeClass::Ok, key.error.is_none()), (key.stored > 0, key.stored > 0), "{key:?}");
        assert_eq!((key.first.is_some(), key.last.is_some()), (key.confirmed > 0, key.confirmed > 0), "{key:?}");
        assert!(key.first <= key.last && key.last.is_none_or(|last| last <= all.duration), "{key:?}");
    }
    assert!(all.reached <= all.chosen && all.busiest_second <= all.questions + all.records, "{all:?}");
    assert!(all.records >= all.keys.iter().map(|key| u64::from(key.stored)).sum(), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_leaves_each_key_with_its_closest_peers_and_nobody_else_as_classic_does_with_far_fewer_lookups() {
    let network = LocalNetwork::start(shape(150)).await.unwrap();
    let keys = cids(200);
    let mut took = Vec::new();
    for manner in [Manner::Sweep, Manner::Each] {
        let node = ready(config(&network)).await;
        let all = node.provide_many(keys.clone(), manner).await.unwrap();
        check(&all, &keys);
        assert_eq!(all.manner, manner);
        for key in &all.keys {
            assert_eq!((key.stored, key.confirmed, key.failed), (20, 20, 0), "{manner}: {key:?}");
        }
        assert_eq!((all.records, all.chosen), (20 * 200, all.reached), "{manner}");
        let some: Vec<Cid> = keys.iter().step_by(10).cloned().collect();
        assert!(held(&network, &node, &some).await.iter().all(|held| *held == (HOLDERS, HOLDERS)), "{manner}");
        took.push(all);
    }
    let [sweep, each] = &took[..] else { panic!("two manners") };
    assert_eq!(each.lookups, 200);
    assert!(sweep.lookups < 60 && sweep.questions * 4 < each.questions, "{} {}", sweep.lookups, sweep.questions);
    assert!(sweep.duration < each.duration, "{:?} {:?}", sweep.duration, each.duration);
}

#[tokio::test(start_paused = true)]
async fn every_strategy_publishes_many_keys() {
    let network = LocalNetwork::start(shape(60)).await.unwrap();
    let keys = cids(40);
    for strategy in StrategyKind::ALL {
        for manner in Manner::ALL {
            let node = ready(NodeConfig { strategy, ..config(&network) }).await;
            let all = node.provide_many(keys.clone(), manner).await.unwrap();
            check(&all, &keys);
            assert!(all.keys.iter().all(|key| key.confirmed == 20), "{strategy} {manner}: {all:?}");
            assert!(all.routing_table_size > 0, "{strategy} {manner}");
        }
    }
}

/// More than a server takes on one connection at a time.
#[tokio::test(start_paused = true)]
async fn a_peer_that_has_to_hold_hundreds_of_keys_loses_none() {
    let network = LocalNetwork::start(shape(12)).await.unwrap();
    for (strategy, manner) in [(StrategyKind::Classic, Manner::Sweep), (StrategyKind::Fullrt, Manner::Each)] {
        let (node, keys) = (ready(NodeConfig { strategy, ..config(&network) }).await, cids(300));
        let all = node.provide_many(keys.clone(), manner).await.unwrap();
        check(&all, &keys);
        let is_whole = |key: &ProvidedKey| (key.stored, key.confirmed) == (12, 12);
        assert!(all.keys.iter().all(is_whole), "{strategy}, with fewer peers than hold a record");
        assert!(held(&network, &node, &keys[..20]).await.iter().all(|held| *held == (12, 12)), "{strategy}");
    }
}

/// A node without connections that knows everybody, in a network of short ways.
async fn newcomer_that_knows_all(peers: usize) -> (LocalNetwork, Node) {
    let latency = Latency::Fixed(SHORT_ROUND_TRIP);
    let network = LocalNetwork::start(LocalConfig { latency, ..shape(peers) }).await.unwrap();
    let node = ready(NodeConfig { strategy: StrategyKind::Fullrt, cold: true, ..config(&network) }).await;
    (network, node)
}

#[tokio::test(start_paused = true)]
async fn with_a_full_table_each_peer_is_dialled_once_for_all_keys_that_it_has_to_hold() {
    let (network, node) = newcomer_that_knows_all(60).await;
    let keys = cids(100);
    let all = node.provide_many(keys.clone(), Manner::Each).await.unwrap();
    check(&all, &keys);
    for key in &all.keys {
        assert_eq!((key.stored, key.confirmed, key.failed), (20, 20, 0), "{key:?}");
    }
    assert_eq!((all.lookups, all.questions, all.records), (0, 0, 20 * 100));
    assert_eq!((all.dials, all.routing_table_size), (60, 60));
    // A hundred keys are two groups for so many peers.
    assert!(all.chosen <= 2 * 60 && all.reached == all.chosen, "{all:?}");
    assert!(all.duration < SHORT_ROUND_TRIP * 20, "20 peers at a time: {:?}", all.duration);
    let some: Vec<Cid> = keys.iter().step_by(10).cloned().collect();
    assert!(held(&network, &node, &some).await.iter().all(|held| *held == (HOLDERS, HOLDERS)));
}

#[tokio::test(start_paused = true)]
async fn with_a_full_table_a_peer_that_has_gone_fails_for_each_key_that_it_should_hold() {
    let (network, node) = newcomer_that_knows_all(60).await;
    let gone: Vec<_> = network.closest_live(b"any", 60).into_iter().step_by(5).collect();
    gone.iter().for_each(|peer| network.refuse(peer));
    let keys = cids(30);
    let all = node.provide_many(keys.clone(), Manner::Each).await.unwrap();
    check(&all, &keys);
    for key in &all.keys {
        let chosen = network.closest_live(&key.cid.multihash(), HOLDERS);
        let failed = chosen.iter().filter(|peer| gone.contains(peer)).count() as u32;
        assert_eq!((key.stored, key.confirmed, key.failed), (20 - failed, 20 - failed, failed), "{key:?}");
    }
    assert!(all.keys.iter().any(|key| key.failed > 0) && all.reached < all.chosen, "{all:?}");
    // A failed dial is not repeated for the next key, nor for the next group.
    assert!(all.dials <= 60, "{} dials", all.dials);
}

#[tokio::test(start_paused = true)]
async fn where_some_are_dead_what_is_confirmed_is_what_is_held() {
    let network = LocalNetwork::start(LocalConfig { undialable: 0.2, silent: 0.1, ..shape(150) }).await.unwrap();
    for manner in Manner::ALL {
        let (node, keys) = (ready(config(&network)).await, cids(60));
        let all = node.provide_many(keys.clone(), manner).await.unwrap();
        check(&all, &keys);
        assert!(all.reached < all.chosen, "{manner}: {all:?}");
        let held = held(&network, &node, &keys).await;
        for (key, (of_all, _)) in all.keys.iter().zip(held) {
            assert_eq!(key.confirmed as usize, of_all, "{manner}: {key:?}");
            assert!(key.confirmed >= 10, "{manner}: {key:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_keys_take_no_time_and_nobody_is_asked() {
    let network = LocalNetwork::start(shape(30)).await.unwrap();
    let node = ready(config(&network)).await;
    for manner in Manner::ALL {
        let before = Instant::now();
        assert_eq!(node.provide_many(vec![], manner).await, Ok(ProvidedMany::nothing(manner)));
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn without_peers_every_key_says_so() {
    let network = LocalNetwork::start(shape(30)).await.unwrap();
    for strategy in [StrategyKind::Classic, StrategyKind::Fullrt] {
        let node = Node::start(NodeConfig { strategy, bootstrap: vec![], ..config(&network) }).await.unwrap();
        for manner in Manner::ALL {
            let keys = cids(5);
            let all = node.provide_many(keys.clone(), manner).await.unwrap();
            check(&all, &keys);
            assert_eq!(all.lost(), 5);
            for key in &all.keys {
                assert_eq!(key.class, OutcomeClass::NoPeers, "{strategy} {manner}: {key:?}");
                assert!(key.error.as_ref().unwrap().starts_with("failed to find any peer in table"), "{key:?}");
            }
        }
    }
}

/// At any moment: while it looks for peers, while it sends, and when all is done.
#[tokio::test(start_paused = true)]
async fn when_all_peers_die_or_the_node_stops_in_the_middle_every_key_is_reported_and_what_was_sent_is_known() {
    let (mut cut_off, mut whole) = (0, 0);
    let (classic, fullrt) = (StrategyKind::Classic, StrategyKind::Fullrt);
    for case in [1, 3, 6_u32] {
        for (strategy, manner) in [(classic, Manner::Each), (classic, Manner::Sweep), (fullrt, Manner::Each)] {
            for stops in [true, false] {
                let network = LocalNetwork::start(shape(80)).await.unwrap();
                let (node, keys) = (ready(NodeConfig { strategy, ..config(&network) }).await, cids(60));
                let moment = ROUND_TRIP * 2 * case;
                let publishing = node.provide_many(keys.clone(), manner);
                let breaking = async {
                    sleep(moment).await;
                    if stops {
                        node.stop().await;
                    } else {
                        drop(network);
                    }
                };
                let (all, ()) = tokio::join!(publishing, breaking);
                let all = all.unwrap();
                check(&all, &keys);
                assert!(all.duration < MANY_LIMIT, "{:?}", all.duration);
                cut_off += all.lost();
                whole += all.keys.len() - all.lost();
            }
        }
    }
    assert!(cut_off > 50 && whole > 50, "{cut_off} keys were cut off, {whole} were not");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_waits_for_it_any_more() {
    let network = LocalNetwork::start(shape(80)).await.unwrap();
    let (node, keys) = (ready(config(&network)).await, cids(200));
    for manner in Manner::ALL {
        let publishing = node.provide_many(keys.clone(), manner);
        assert!(tokio::time::timeout(ROUND_TRIP * 4, publishing).await.is_err());
        // What was under way is given up or arrives.
        sleep(PATIENCE).await;
        let held = held(&network, &node, &keys).await;
        assert!(held.iter().any(|(held, _)| *held < HOLDERS), "{manner}: all were published nevertheless");
    }
}
