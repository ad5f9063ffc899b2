//! Scheduler, fleet, recorder and DHT nodes, all of them actors, without a socket between them.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_actors::serving::dht_node::DhtHandle;
use parsec_actors::serving::same_process::SameProcess;
use parsec_actors::supervision::stop::stop_in_order;
use parsec_measure::{OperationKind, OutcomeClass, RoundOutcome};

use crate::fakes::{BeReady, MockDht, Records, millis, node, secs};
use crate::rig::{INTERVAL, Rig, Setup};

const OK: OutcomeClass = OutcomeClass::Ok;

/// A fleet of actors: node `id` takes `id` times 100 ms for an operation.
fn fleet(nodes: u8, networks: impl Fn(u8) -> Records) -> (Rig, Vec<Addr<MockDht>>) {
    let setup = Setup::of(nodes);
    let dhts: Vec<_> = (1..=nodes).map(|id| MockDht::new(&networks(id), u32::from(id) * millis(100)).start()).collect();
    let mut servers = SameProcess::default();
    for (id, dht) in (1..=nodes).zip(&dhts) {
        let node = node(id, "default");
        servers.add(node.endpoint, DhtHandle::new(dht, secs(180)), node.peer_id);
    }
    (Setup { api: Some(Arc::new(servers)), ..setup }.play(), dhts)
}

#[actix::test]
async fn what_one_node_publishes_the_others_find_round_after_round() {
    let network = Records::default();
    let (rig, _dhts) = fleet(5, |_| Arc::clone(&network));
    let rounds = rig.rounds(10).await;
    for (index, round) in rounds.iter().enumerate() {
        let provider = i32::try_from(index % 5).unwrap() + 1;
        assert_eq!((round.outcome(), round.provider()), (RoundOutcome::Complete, Some(provider)));
        let others = (1..=5).filter(|node| *node != provider).map(|node| (node, OK));
        assert_eq!(round.lookups(), others.collect::<Vec<_>>());
    }
    assert_eq!(network.lock().len(), 10);
}

#[actix::test]
async fn durations_are_those_that_the_nodes_measured() {
    let network = Records::default();
    let (rig, _dhts) = fleet(3, |_| Arc::clone(&network));
    for attempt in &rig.rounds(1).await[0].attempts {
        let measured = u32::try_from(attempt.node.0).unwrap() * Duration::from_millis(100);
        assert_eq!((attempt.result.duration, attempt.result.routing_table_size), (measured, 202));
    }
}

#[actix::test]
async fn nodes_of_two_networks_do_not_find_each_others_records() {
    let networks = [Records::default(), Records::default()];
    let (rig, _dhts) = fleet(4, |id| Arc::clone(&networks[usize::from(id % 2)]));
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.results(OperationKind::Provide), [(1, OK)]);
    assert_eq!(round.lookups(), [(2, OutcomeClass::NotFound), (3, OK), (4, OutcomeClass::NotFound)]);
    assert_eq!(round.outcome(), RoundOutcome::Complete);
}

#[actix::test]
async fn a_node_that_is_not_ready_for_a_while_misses_those_rounds_only() {
    let network = Records::default();
    let (rig, dhts) = fleet(3, |_| Arc::clone(&network));
    rig.rounds(1).await;
    dhts[2].send(BeReady(false)).await.unwrap();
    rig.rounds(2).await;
    dhts[2].send(BeReady(true)).await.unwrap();
    let rounds = rig.rounds(3).await;
    let of_three: Vec<_> =
        rounds.iter().flat_map(|round| &round.attempts).filter(|attempt| attempt.node.0 == 3).collect();
    let classes: Vec<_> = of_three.iter().map(|attempt| attempt.result.class).collect();
    assert_eq!(classes, [OK, OutcomeClass::ServerNotReady, OK]);
}

#[actix::test]
async fn an_hour_of_rounds_leaves_every_row_once() {
    let network = Records::default();
    let (rig, _dhts) = fleet(3, |_| Arc::clone(&network));
    // Between two rounds: one that is told to stop while nodes are asked whether they are ready has no row of its beginning.
    tokio::time::sleep(60 * INTERVAL + INTERVAL / 2).await;
    assert_eq!(stop_in_order(rig.stop_steps()).await, Vec::<String>::new());
    let (begun, ended, attempts) =
        rig.store.read(|store| (store.begun().len(), store.ended().len(), store.attempts().len()));
    assert_eq!(begun, ended);
    assert!((60..=61).contains(&begun), "{begun}");
    assert!(attempts > 59 * 3 && attempts <= 3 * begun, "{attempts}");
}
