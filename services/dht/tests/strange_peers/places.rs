//! Peers disagree about where another is: whoever is named rightly by one of them is reached.

use libp2p::{Multiaddr, PeerId};
use parsec_dht::{Dht, Node, Readiness};
use parsec_measure::{OutcomeClass, RequestEnd, StrategyKind};

use super::dead::Dead;
use super::peer::{Named, Stranger, naming};
use super::{config, fresh, server, tcp_address, until};

fn named(address: &str) -> Named {
    let mut address: Multiaddr = address.parse().unwrap();
    let Some(libp2p::multiaddr::Protocol::P2p(peer)) = address.pop() else { panic!("{address}") };
    Named { id: peer.to_bytes(), addresses: vec![address.to_vec()] }
}

/// Where a live peer is said to be that is not there: each in a way of its own.
async fn wrong_places(somebody_else: &Node) -> Vec<(&'static str, Vec<String>, Vec<Dead>)> {
    let place = |dead: &Dead| dead.address.rsplit_once("/p2p/").unwrap().0.to_owned();
    let (refused, lost) = (Dead::refused(), Dead::black_hole().await);
    let (at_refused, at_lost) = (place(&refused), place(&lost));
    let elsewhere = tcp_address(somebody_else).rsplit_once("/p2p/").unwrap().0.to_owned();
    vec![
        ("refused", vec![at_refused], vec![refused]),
        ("black hole", vec![at_lost], vec![lost]),
        ("another peer's", vec![elsewhere], vec![]),
        ("missing", vec![], vec![]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_the_first_to_name_it_names_wrongly_is_reached_all_the_same() {
    let (live, somebody_else) = (server(vec![]).await, server(vec![]).await);
    let rightly = named(&tcp_address(&live));
    for (what, places, _dead) in wrong_places(&somebody_else).await {
        let parsed = |place: &String| place.parse::<Multiaddr>().unwrap().to_vec();
        let wrongly = Named { id: rightly.id.clone(), addresses: places.iter().map(parsed).collect() };
        let answer = rightly.clone();
        let second = Stranger::start("-", move |_| naming(vec![answer.clone()])).await;
        let names = vec![wrongly, named(&second.address)];
        let first = Stranger::start("-", move |_| naming(names.clone())).await;
        for strategy in [StrategyKind::Classic, StrategyKind::Optprov] {
            let node = Node::start(config(vec![first.address.clone()], strategy)).await.unwrap();
            // Ready it may be before it has given the black hole up, and reached whom it was said to be.
            until(&node, |said| matches!(said, Readiness::Ready { routing_table_size: 3, .. }).then_some(())).await;
            let published = node.provide(fresh(), None).await.unwrap();
            let stored = (published.class, published.effort.holders_stored);
            assert_eq!(stored, (OutcomeClass::Ok, Some(3)), "{what}, {strategy}: {published:?}");
            let id = PeerId::from_bytes(&rightly.id).unwrap().to_string();
            let asked = published.trace.unwrap().requests.clone();
            let reached = asked.iter().any(|request| request.peer == id && request.end == RequestEnd::Answered);
            assert!(reached, "{what}, {strategy}: {asked:?}");
        }
    }
}
