//! What "stored" means: everybody who was chosen is accounted for, records arrive although the node stops, and whoever looks
//! for them later finds out who has them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;
use std::time::Duration;

use parsec_dht::{Dht, Identity, Node, NodeConfig};
use parsec_lab::{LocalConfig, LocalNetwork, LocalTransport, Region};
use parsec_measure::{Cid, Content, FollowUp, Latency, Measured, OutcomeClass, RequestKind, StrategyKind};
use parsec_test_support::node::{PATIENCE, ready};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{sleep, timeout};

const ROUND_TRIP: Duration = Duration::from_millis(100);

fn shape(peers: usize) -> LocalConfig {
    let latency = Latency::Fixed(ROUND_TRIP);
    LocalConfig { peers, seed: 7, transport: LocalTransport::Memory, latency, ..LocalConfig::default() }
}

fn config(network: &LocalNetwork) -> NodeConfig {
    NodeConfig { operation_timeout: PATIENCE, ..network.newcomer(Region::EuCentral1) }
}

fn cid(seed: u64) -> Cid {
    Content::random(&mut StdRng::seed_from_u64(seed)).cid()
}

async fn end(node: &Node) -> FollowUp {
    timeout(PATIENCE, node.next_follow_up()).await.unwrap()
}

/// To how many peers the trace says that the record was sent, or was to be.
fn chosen(measured: &Measured) -> u32 {
    let requests = &measured.trace.as_ref().unwrap().requests;
    let puts = requests.iter().filter(|request| request.kind == RequestKind::AddProvider);
    u32::try_from(puts.map(|request| request.peer.as_str()).collect::<HashSet<_>>().len()).unwrap()
}

fn accounted_for(measured: &Measured) -> u32 {
    let effort = measured.effort;
    assert!(effort.holders_confirmed <= effort.holders_stored, "{effort:?}");
    [effort.holders_stored, effort.holders_failed, effort.holders_pending].map(Option::unwrap).iter().sum()
}

fn accounted_for_in_the_end(end: &FollowUp) -> u32 {
    assert!(end.confirmed.unwrap() <= end.stored, "{end:?}");
    end.stored + end.failed + end.pending.unwrap()
}

/// However an operation ends: in its own time, at its deadline at any moment, or because the node stops at any moment.
#[tokio::test(start_paused = true)]
async fn stored_failed_and_pending_are_together_all_that_were_chosen_whatever_the_end() {
    let network = LocalNetwork::start(LocalConfig { undialable: 0.2, silent: 0.1, ..shape(120) }).await.unwrap();
    let (mut dice, mut seen) = (StdRng::seed_from_u64(3), [0; 3]);
    for strategy in StrategyKind::ALL {
        for case in 0..9 {
            // From within the lookup to after the slowest put: most of them in the middle of the puts.
            let moment = ROUND_TRIP.mul_f64(dice.random_range(1.0..90.0));
            let operation_timeout = if case % 3 == 1 { moment } else { PATIENCE };
            let node = ready(NodeConfig { strategy, operation_timeout, ..config(&network) }).await;
            let stop = async {
                if case % 3 == 2 {
                    sleep(moment).await;
                    node.stop().await;
                }
                std::future::pending::<()>().await
            };
            let provided = tokio::select! {
                provided = node.provide(cid(case), None) => provided,
                () = stop => unreachable!("it is pending"),
            };
            let Ok(provided) = provided else { continue };
            assert_eq!(accounted_for(&provided), chosen(&provided), "{strategy}, case {case}: {:?}", provided.effort);
            seen[usize::from(provided.class != OutcomeClass::Ok)] += 1;
            if chosen(&provided) > 0 {
                let end = end(&node).await;
                assert_eq!(accounted_for_in_the_end(&end), chosen(&provided), "{strategy}, case {case}: {end:?}");
                seen[2] += end.pending.unwrap();
            }
        }
    }
    assert!(seen[0] > 10 && seen[1] > 3, "successes, failures, cut off: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn every_publication_comes_to_its_end_and_says_how_many_took_the_record_in() {
    let network = LocalNetwork::start(shape(60)).await.unwrap();
    for strategy in StrategyKind::ALL {
        let node = ready(NodeConfig { strategy, ..config(&network) }).await;
        let provided = node.provide(cid(1), None).await.unwrap();
        let end = end(&node).await;
        assert_eq!((end.stored, end.confirmed, end.failed, end.pending), (20, Some(20), 0, Some(0)), "{strategy}");
        assert!(end.duration >= provided.duration, "{end:?}");
        // What is left is the way of the last put there, and of its end back.
        assert!(end.confirming <= 2 * ROUND_TRIP, "{end:?}");
    }
}

/// On loopback, in real time. A record that was written is not yet on the wire.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_at_once_has_sent_off_what_it_had_written() {
    for transport in [LocalTransport::Tcp, LocalTransport::Quic] {
        let network = LocalNetwork::start(LocalConfig { peers: 40, seed: 7, transport, ..LocalConfig::default() });
        let network = network.await.unwrap();
        let observer = network.observer().unwrap();
        for seed in 0..4 {
            let node = ready(config(&network)).await;
            let cid = cid(seed);
            let provided = node.provide(cid.clone(), None).await.unwrap();
            node.stop().await;
            let closest = network.closest_live(&cid.multihash(), 20);
            let held = observer.holders(&cid.multihash(), &node.peer_id(), &closest).await;
            assert_eq!((provided.effort.holders_stored, held), (Some(20), 20), "{transport:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_for_a_record_finds_out_who_of_the_closest_has_it() {
    let network = LocalNetwork::start(LocalConfig { undialable: 0.15, ..shape(100) }).await.unwrap();
    let observer = network.observer().unwrap();
    let publisher = ready(config(&network)).await;
    let (cid, provider) = (cid(1), publisher.peer_id());
    assert_eq!(publisher.provide(cid.clone(), None).await.unwrap().class, OutcomeClass::Ok);
    end(&publisher).await;
    let closest = network.closest_live(&cid.multihash(), 20);
    for strategy in StrategyKind::ALL {
        let looker = ready(NodeConfig { strategy, ..config(&network) }).await;
        let looked = looker.check_record(cid.clone(), provider.clone()).await.unwrap();
        assert!(looked.len() >= 15 && looked.len() <= 20, "{strategy}: {looked:?}");
        assert!((1..).zip(&looked).all(|(rank, holder)| holder.rank == rank), "{strategy}: {looked:?}");
        for holder in &looked {
            let peer: Vec<_> = closest.iter().filter(|peer| peer.peer_id() == holder.holder).cloned().collect();
            let held = observer.holders(&cid.multihash(), &provider, &peer).await == 1;
            // Who is not among the 20 closest that live may hold it as well: the publisher took it for one of them.
            assert!(peer.is_empty() || holder.has_record == held, "{strategy}: {holder:?}");
        }
        assert!(looked.iter().filter(|holder| holder.has_record).count() >= 10, "{strategy}: {looked:?}");
        let other = looker.check_record(cid.clone(), Identity::generate().peer_id()).await.unwrap();
        assert!(other.iter().all(|holder| !holder.has_record), "{strategy}: a record of another provider is none");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_published_itself_does_not_look_into_its_own_records() {
    let network = LocalNetwork::start(shape(60)).await.unwrap();
    let node = ready(NodeConfig { server_mode: true, ..config(&network) }).await;
    let before = node.check_record(cid(1), node.peer_id()).await.unwrap();
    assert!(before.len() == 20 && before.iter().all(|holder| holder.answered && !holder.has_record), "{before:?}");
    node.provide(cid(1), None).await.unwrap();
    end(&node).await;
    let after = node.check_record(cid(1), node.peer_id()).await.unwrap();
    assert!(after.iter().all(|holder| holder.has_record && holder.holder != node.peer_id()), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn with_nobody_to_ask_nobody_is_found_to_have_it() {
    let network = LocalNetwork::start(shape(0)).await.unwrap();
    let node = Node::start(NodeConfig { bootstrap: vec![], ..config(&network) }).await.unwrap();
    assert_eq!(node.check_record(cid(1), node.peer_id()).await.unwrap(), []);
}
