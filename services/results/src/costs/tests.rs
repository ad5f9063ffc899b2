use std::time::Duration;

use parsec_measure::{FoundProvider, OutcomeClass, TracedRequest, WhyKept};

use super::*;
use crate::testing::{ending, request, sampled, trace};

/// A lookup in which `a` answers after a second and a dial of `peer` is given up after another one.
fn lookup(second: u64, peer: &str, why: Option<WhyKept>) -> (SampledOperation, Trace) {
    let dead = TracedRequest {
        error: Some(format!("timed out (/ip4/192.0.2.1/tcp/{second}, 1 of 1)")),
        ..request(peer, 1_000, 2_000)
    };
    let requests = vec![
        TracedRequest { agent: Some("kubo/0.38".to_owned()), ..request("a", 0, 1_000) },
        ending(RequestEnd::DialTimeout, dead),
    ];
    (sampled(second, OutcomeClass::Ok, Duration::from_secs(2), why), trace(2_000, requests))
}

fn costs(all: &[(SampledOperation, Trace)], max: usize) -> PeerCosts {
    let mut sampling = Sampling::default();
    all.iter().for_each(|(operation, _)| sampling.count(operation));
    sampling.weigh().unwrap();
    let mut costs = Costs { max, ..Costs::new(&sampling) };
    all.iter()
        .filter(|(operation, _)| operation.why_kept.is_some())
        .for_each(|(operation, trace)| costs.add(operation, trace));
    costs.finish(2)
}

#[test]
fn a_peer_costs_what_it_held_up_in_all_operations_that_its_traces_stand_for() {
    // Every third trace is kept, and each stands for three operations.
    let all: Vec<_> =
        (0..60).map(|second| lookup(second, "dead", second.is_multiple_of(3).then_some(WhyKept::Sampled))).collect();
    let PeerCosts { worst, peers, forgotten, seconds } = costs(&all, MAX_PEERS);
    assert_eq!((peers, forgotten), (2, 0));
    assert!((seconds - 120.0).abs() < 1e-9, "{seconds}");
    let [answering, dead] = &worst[..] else { panic!("{worst:?}") };
    assert_eq!((answering.peer.as_str(), answering.agent.as_deref()), ("a", Some("kubo/0.38")));
    assert!((dead.seconds.value - 60.0).abs() < 1e-9 && (dead.share - 0.5).abs() < 1e-9, "{dead:?}");
    assert_eq!((dead.traces, &dead.failed), (20, &vec![(RequestEnd::DialTimeout, 60.0)]));
    assert_eq!(dead.addresses.len(), MAX_FOUND_ADDRESSES, "the first few");
    let (low, high) = dead.seconds.ends.unwrap();
    assert!((20.0..60.0).contains(&low) && high > 60.0, "{dead:?}");
    assert!(answering.addresses.is_empty() && answering.failed.is_empty());
}

#[test]
fn too_few_rounds_carry_no_interval() {
    let all: Vec<_> = (0..9).map(|second| lookup(second, "dead", Some(WhyKept::Sampled))).collect();
    assert_eq!(costs(&all, MAX_PEERS).worst[0].seconds.ends, None);
}

#[test]
fn costs_add_up_to_the_time_that_was_spent_on_peers() {
    let slow = |peer: &str| ending(RequestEnd::Cancelled, request(peer, 0, 4_000));
    let both = trace(4_000, vec![request("a", 0, 1_000), slow("b"), slow("c")]);
    let operation = sampled(1, OutcomeClass::Ok, Duration::from_secs(4), Some(WhyKept::Sampled));
    let worst = costs(&[(operation, both)], MAX_PEERS).worst;
    let of: Vec<_> = worst.iter().map(|cost| (cost.peer.as_str(), cost.seconds.value)).collect();
    assert_eq!(of, [("b", 1.5), ("c", 1.5)], "of three seconds that both were waited for");
}

#[test]
fn a_peer_that_was_named_as_a_provider_has_the_addresses_that_were_named() {
    let provider =
        FoundProvider { peer: "a".to_owned(), addresses: vec!["/ip4/192.0.2.7/tcp/1".to_owned()], named_by: None };
    let naming = TracedRequest { providers: 1, named: vec![provider], ..request("a", 0, 1_000) };
    let operation = sampled(1, OutcomeClass::Ok, Duration::from_secs(1), Some(WhyKept::Sampled));
    let worst = costs(&[(operation, trace(1_000, vec![naming]))], MAX_PEERS).worst;
    assert_eq!(worst[0].addresses.iter().collect::<Vec<_>>(), ["/ip4/192.0.2.7/tcp/1"]);
}

#[test]
fn more_peers_than_can_be_remembered_are_counted_and_the_expensive_ones_stay() {
    let all: Vec<_> =
        (0..200).map(|second| lookup(second, &format!("peer-{second}"), Some(WhyKept::Sampled))).collect();
    let PeerCosts { worst, peers, forgotten, .. } = costs(&all, 50);
    assert_eq!((worst[0].peer.as_str(), peers), ("a", 201));
    assert!((worst[0].seconds.value - 200.0).abs() < 1e-9 && forgotten >= 150, "{forgotten}");
}
