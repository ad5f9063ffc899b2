//! The lookup.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::strategy::lookup::MAX_HEARD;

#[test]
fn a_lookup_walks_a_chain_to_the_closest_peers() {
    let chain = [0b1000_0000, 0b0100_0000, 0b0010_0000, 0b0001_0000, 0b0000_1000, 0b0000_0100];
    let tables = chain.windows(2).map(|pair| (pair[0], vec![pair[1]])).collect();
    let world = World { tables, ..World::default() };
    let run = world.lookup(Key::from_byte(0), vec![chain[0]]);
    assert_eq!(peers(&run.outcome), [chain[5], chain[4], chain[3], chain[2]]);
    assert_eq!(run.asked.len(), chain.len(), "each peer of the chain is asked once");
}

#[test]
fn it_stops_walking_once_the_beta_closest_have_answered_and_follows_up_on_the_rest_of_the_k() {
    let world = World::full_mesh(1..=40);
    let run = world.lookup(Key::from_byte(0), vec![1, 2, 3, 4, 5, 6]);
    assert_eq!(peers(&run.outcome), [1, 2, 3, 4]);
    assert!(run.outcome.closest.iter().all(|nearest| nearest.answered));
    assert!(run.asked.len() <= SMALL.alpha + SMALL.k, "asked {:?}", run.asked);
}

#[test]
fn an_empty_table_ends_at_once_with_nobody() {
    let run = World::default().lookup(Key::from_byte(0), vec![]);
    assert_eq!((run.outcome.closest.len(), run.asked.len()), (0, 0));
}

#[test]
fn when_everybody_is_dead_it_ends_with_nobody_and_has_asked_each_once() {
    let mut world = World::full_mesh(1..=6);
    world.dead = (1..=6).collect();
    let run = world.lookup(Key::from_byte(0), (1..=6).collect());
    assert_eq!((run.outcome.closest.len(), run.asked.len()), (0, 6));
}

#[test]
fn we_never_ask_ourselves() {
    let mut world = World::full_mesh(1..=3);
    world.tables.insert(1, vec![ME, 2, 3]);
    let run = world.lookup(Key::from_byte(ME), vec![ME, 1]);
    assert!(run.asked.iter().all(|(peer, _)| *peer != ME));
}

#[test]
fn a_cancelled_dial_is_no_verdict_the_follow_up_asks_the_peer_again() {
    let config = LookupConfig { alpha: 3, beta: 1, k: 3 };
    let mut lookup = Lookup::new(Key::from_byte(0), ME, vec![1, 2, 3], Request::FindNode, config);
    let mut next = |answer| lookup.advance(answer, Duration::ZERO);
    let ask = |peer| Step::Ask { peer, request: Request::FindNode };
    for peer in [1, 2, 3] {
        assert_eq!(next(None), ask(peer));
    }
    assert_eq!(next(None), Step::Wait(None));
    let empty: Reply<u8> = naming(vec![]);
    assert_eq!(next(Some(Answer { peer: 1, request: Request::FindNode, reply: empty.clone() })), Step::CancelDials);
    assert_eq!(next(Some(Answer { peer: 2, request: Request::FindNode, reply: Reply::Cancelled })), Step::Wait(None));
    // 3 was connected already: its request is awaited, not dropped, before 2 is asked again.
    assert_eq!(next(Some(Answer { peer: 3, request: Request::FindNode, reply: empty.clone() })), ask(2));
    assert_eq!(next(None), Step::Wait(None));
    let Step::Done(walked) = next(Some(Answer { peer: 2, request: Request::FindNode, reply: Reply::Failed })) else {
        panic!("not done")
    };
    let answered: Vec<_> = walked.closest.iter().map(|nearest| (nearest.peer, nearest.answered)).collect();
    assert_eq!(answered, [(1, true), (2, false), (3, true)]);
}

#[test]
fn the_dead_are_named_but_not_among_the_closest() {
    let mut world = World::full_mesh(1..=6);
    world.dead = HashSet::from([1, 2]);
    let run = world.lookup(Key::from_byte(0), (1..=6).collect());
    assert_eq!(peers(&run.outcome), [3, 4, 5, 6]);
    assert_eq!(run.outcome.named, [1, 2, 3, 4]);
}

#[test]
fn an_answer_to_another_request_than_its_own_is_none_of_its_business() {
    let mut lookup = Lookup::new(Key::from_byte(0), ME, vec![1], Request::FindNode, SMALL);
    assert_eq!(lookup.advance(None, Duration::ZERO), Step::Ask { peer: 1, request: Request::FindNode });
    let stored = answer(1, Request::AddProvider, Reply::Failed);
    assert_eq!(lookup.advance(stored, Duration::ZERO), Step::Wait(None));
}

/// A peer of which there seem to be ever closer ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Invented(u16);

impl Contact for Invented {
    fn key(&self) -> Key {
        Key::near_zero(self.0)
    }
}

#[test]
fn peers_that_keep_naming_closer_ones_do_not_keep_it_going() {
    for at_once in [1, 20, 64] {
        let mut lookup = Lookup::new(Key::from_byte(0), Invented(0), vec![Invented(60_000)], Request::FindNode, SMALL);
        let (mut asked, mut answer) = (VecDeque::new(), None);
        let mut requests = 0;
        let walked = loop {
            match lookup.advance(answer.take(), Duration::ZERO) {
                Step::Ask { peer, .. } => {
                    requests += 1;
                    asked.push_back(peer);
                }
                Step::Wait(_) | Step::CancelDials => {
                    let peer: Invented = asked.pop_front().unwrap();
                    let closer = (1..=at_once).map(|step| Invented(peer.0.saturating_sub(step))).collect();
                    answer = super::answer(peer, Request::FindNode, naming(closer));
                }
                Step::Done(walked) => break walked,
                step => panic!("{step:?}"),
            }
        };
        assert!(requests <= MAX_HEARD, "{requests} requests");
        // The closest of those that it has heard of, far from where the inventions would have led.
        assert!(walked.closest[0].peer.0 as usize >= 60_000 - MAX_HEARD, "{walked:?}");
        assert!(walked.closest.iter().all(|nearest| nearest.answered));
    }
}

proptest! {
    #[test]
    fn a_lookup_terminates_asks_nobody_twice_and_keeps_to_alpha(world in worlds(), target in any::<u8>(), seeds in proptest::collection::vec(0..40u8, 0..8)) {
        let run = world.lookup(Key::from_byte(target), seeds);
        prop_assert_eq!(run.pestered(), Vec::<u8>::new());
        prop_assert!(run.most_under_way_while_walking <= SMALL.alpha);
        prop_assert!(run.outcome.closest.len() <= SMALL.k);
    }

    #[test]
    fn among_living_peers_that_all_know_each_other_the_result_is_the_true_closest(size in 1..60u8, target in any::<u8>(), seed in 0..60u8, order in any::<u64>()) {
        let world = World { order, ..World::full_mesh(0..size) };
        let key = Key::from_byte(target);
        let run = world.lookup(key, vec![seed % size]);
        prop_assert_eq!(peers(&run.outcome), world.nearest(key, 0..size, SMALL.k));
    }

    #[test]
    fn the_same_order_of_answers_gives_the_same_run(world in worlds(), target in any::<u8>()) {
        let runs = [(); 2].map(|()| world.lookup(Key::from_byte(target), vec![0, 1, 2]));
        prop_assert_eq!(&runs[0].asked, &runs[1].asked);
        prop_assert_eq!(&runs[0].outcome, &runs[1].outcome);
    }
}
