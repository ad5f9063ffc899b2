use parsec_measure::{Content, Effort, RequestEnd, RequestKind, TracedRequest};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::testing::world;
use super::*;

const STRATEGIES: [StrategyKind; 3] = [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt];

/// Two nodes of each strategy.
fn nodes(seed: u64) -> Vec<SimulatedNode> {
    let two_of_each: Vec<_> = STRATEGIES.iter().flat_map(|strategy| [*strategy; 2]).collect();
    SimulatedNetwork::start(&world(400), seed, &two_of_each, None).unwrap()
}

fn key(number: u64) -> Cid {
    Content::random(&mut StdRng::seed_from_u64(number)).cid()
}

#[tokio::test(start_paused = true)]
async fn what_one_node_publishes_a_node_in_another_region_finds_and_both_take_their_time() {
    for pair in nodes(1).chunks(2) {
        let [publisher, finder] = pair else { panic!("two of each") };
        let began = Instant::now();
        let published = publisher.provide(key(1), None).await.unwrap();
        assert_eq!((published.class, published.error.clone()), (OutcomeClass::Ok, None));
        let passed = began.elapsed();
        assert!(passed.abs_diff(published.duration) <= Duration::from_millis(1), "{passed:?}");
        let found = finder.retrieve(key(1)).await.unwrap();
        assert_eq!(found.class, OutcomeClass::Ok);
        let provider = &found.providers[0];
        assert_eq!(provider.peer, publisher.peer_id());
        let trace = found.trace.unwrap();
        let named_by: Vec<_> = trace.named().into_iter().map(|named| named.named_by).collect();
        assert!(named_by.contains(&provider.named_by));
        assert_ne!(publisher.region(), finder.region());
    }
}

#[tokio::test(start_paused = true)]
async fn a_trace_can_be_true_and_says_what_the_result_counts() {
    for node in nodes(2) {
        for number in 0..20 {
            let provided = node.provide(key(number), None).await.unwrap();
            let looked_up = node.retrieve(key(1_000 + number)).await.unwrap();
            for measured in [provided, looked_up] {
                let trace = measured.trace.unwrap();
                assert_eq!(trace.disorder(), None);
                assert_eq!(trace.returned, measured.duration);
                let count = |wanted: &dyn Fn(&TracedRequest) -> bool| {
                    u32::try_from(trace.requests.iter().filter(|request| wanted(request)).count()).unwrap()
                };
                let failed = count(&|request| request.written.is_some() && request.end.is_failure());
                assert_eq!(measured.effort.rpcs, Some(count(&|request| request.written.is_some())));
                assert_eq!(measured.effort.rpcs_failed, Some(failed));
                let stored =
                    count(&|request| request.kind == RequestKind::AddProvider && request.end == RequestEnd::Answered);
                assert_eq!(measured.effort.holders_stored.unwrap_or(0), stored);
                let confirmed = count(&|request| request.confirmed.is_some());
                assert_eq!(measured.effort.holders_confirmed.unwrap_or(0), confirmed);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_published_is_not_found_and_what_a_node_published_itself_it_knows_at_once() {
    let nodes = nodes(3);
    let missed = nodes[0].retrieve(key(1)).await.unwrap();
    assert_eq!((missed.class, missed.error.as_deref()), (OutcomeClass::NotFound, Some("not found")));
    nodes[0].provide(key(1), None).await.unwrap();
    let own = nodes[0].retrieve(key(1)).await.unwrap();
    assert!(own.from_own_records && own.duration.is_zero());
    assert_eq!((own.effort.rpcs, own.effort.dials, own.effort.holders_stored), (Some(0), Some(0), None));
    assert_eq!(own.trace.as_ref().map(|trace| trace.requests.len()), Some(0));
    let peer = nodes[0].peer_id();
    let checked = nodes[1].check_record(key(1), peer.clone()).await.unwrap();
    assert_eq!(checked.iter().map(|check| check.rank).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert!(checked.iter().filter(|check| check.has_record).count() > 10, "{checked:?}");
    assert!(nodes[1].check_record(key(2), peer).await.unwrap().iter().all(|check| !check.has_record));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_publication_is_reported_when_it_has_come_with_all_holders_and_who_confirmed() {
    let mut unconfirmed = 0;
    for (node, number) in nodes(4).iter().flat_map(|node| (0..10).map(move |number| (node, number))) {
        let (attempt, began) = (Some(AttemptId::fresh()), Instant::now());
        let measured = node.provide(key(number), attempt).await.unwrap();
        let follow_up = node.next_follow_up().await;
        let passed = began.elapsed();
        let over = follow_up.duration + follow_up.confirming;
        assert!(passed.abs_diff(over) <= Duration::from_millis(1), "{passed:?}, {follow_up:?}");
        assert!(follow_up.confirming <= Duration::from_secs(10), "{follow_up:?}");
        let (by_then, confirmed) = (measured.effort.holders_confirmed.unwrap(), follow_up.confirmed.unwrap());
        assert!(by_then <= confirmed && confirmed > 10 && confirmed <= follow_up.stored, "{follow_up:?}");
        unconfirmed += follow_up.stored - confirmed;
        // The last to be given up is what was waited for.
        assert!(confirmed == follow_up.stored || follow_up.confirming > Duration::ZERO, "{follow_up:?}");
        assert_eq!((follow_up.attempt, follow_up.pending), (attempt, Some(0)));
        let Effort { holders_stored, holders_failed, holders_pending, .. } = measured.effort;
        let chosen = holders_stored.unwrap() + holders_failed.unwrap() + holders_pending.unwrap();
        assert_eq!(follow_up.stored + follow_up.failed, chosen);
        assert!(follow_up.stored >= holders_stored.unwrap());
    }
    assert!(unconfirmed > 0, "silent peers are written to, and confirm nothing");
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_a_node_is_the_same_whatever_others_do_meanwhile() {
    let [alone, among_others] = [nodes(5), nodes(5)];
    let first = alone[2].provide(key(1), None).await.unwrap();
    let (same, _, _) = tokio::join!(
        among_others[2].provide(key(1), None),
        among_others[3].provide(key(2), None),
        among_others[4].retrieve(key(1))
    );
    assert_eq!(same.unwrap(), first);
    let again = alone[2].provide(key(1), None).await.unwrap();
    assert_ne!(again.duration, first.duration, "the next operation meets other moods");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_node_is_over_and_reports_nothing_more() {
    let node = &nodes(6)[0];
    node.provide(key(1), None).await.unwrap();
    node.stop().await;
    assert_eq!(node.died().await, "the node was stopped");
}

#[test]
fn only_the_newest_keys_are_remembered() {
    let mut records = Records::default();
    for number in 0..KEYS as u64 + 10 {
        let by = Peer::new(0, Key::of(b"node"));
        records.keep(number.to_be_bytes().to_vec(), Held { by, holders: HashMap::new() });
    }
    assert_eq!((records.held.len(), records.order.len()), (KEYS, KEYS));
    assert!(!records.held.contains_key(9_u64.to_be_bytes().as_slice()));
    assert!(records.held.contains_key(10_u64.to_be_bytes().as_slice()));
}

#[tokio::test(start_paused = true)]
async fn in_a_world_whose_nodes_keep_connections_a_server_needs_fewer_for_a_key_that_it_has_published_before() {
    let world = world(2_000).with("connections", 300.0).unwrap();
    let nodes = SimulatedNetwork::start(&world, 1, &[StrategyKind::Classic], None).unwrap();
    let mut made = Vec::new();
    for _ in 0..2 {
        let Effort { dials, dials_failed, .. } = nodes[0].provide(key(1), None).await.unwrap().effort;
        made.push(dials.unwrap() - dials_failed.unwrap());
    }
    assert!(made[0] > 10 && made[1] * 2 < made[0], "connections made: {made:?}");
}
