//! Looking where a record is.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;

fn look(world: &World, target: Key, seeds: Vec<u8>) -> Run<Vec<Asked<u8>>> {
    world.run(target, FindHolders::new(target, ME, seeds, SMALL))
}

#[test]
fn each_of_the_closest_says_for_itself_whether_it_has_the_record() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([2, 4, 20]);
    let run = look(&world, Key::from_byte(0), vec![9]);
    let says = |peer, providers: &[u8]| Asked { peer, providers: Some(providers.to_vec()) };
    assert_eq!(run.outcome, [says(1, &[]), says(2, &[0xee]), says(3, &[]), says(4, &[0xee])]);
    assert_eq!(set(run.asked(Request::GetProviders)), set([1, 2, 3, 4]), "20 is not among the closest");
}

#[test]
fn with_nobody_to_ask_nobody_is_among_the_closest() {
    assert_eq!(look(&World::default(), Key::from_byte(0), vec![]).outcome, []);
}

#[test]
fn one_that_dies_before_it_is_asked_gave_no_answer() {
    let target = Key::from_byte(0);
    let mut strategy = FindHolders::new(target, ME, vec![1], SMALL);
    let now = Duration::ZERO;
    assert_eq!(strategy.advance(None, now), Step::Ask { peer: 1, request: Request::FindNode });
    let asks = strategy.advance(answer(1, Request::FindNode, naming(vec![])), now);
    assert_eq!(asks, Step::Ask { peer: 1, request: Request::GetProviders });
    assert_eq!(strategy.advance(None, now), Step::Wait(None));
    let silent = Asked { peer: 1, providers: None };
    assert_eq!(strategy.advance(answer(1, Request::GetProviders, Reply::Failed), now), Step::Done(vec![silent]));
}

proptest! {
    #[test]
    fn everybody_among_the_closest_is_asked_once_and_told_apart(world in worlds(), target in any::<u8>()) {
        let key = Key::from_byte(target);
        let run = look(&world, key, vec![0, 1]);
        prop_assert_eq!(run.pestered(), Vec::<u8>::new());
        let closest: Vec<u8> = run.outcome.iter().map(|asked| asked.peer).collect();
        prop_assert_eq!(set(run.asked(Request::GetProviders)), set(closest.clone()));
        prop_assert!(closest.len() <= SMALL.k && !closest.contains(&ME));
        for Asked { peer, providers } in run.outcome {
            let alive = !world.dead.contains(&peer);
            prop_assert_eq!(providers.is_some(), alive);
            prop_assert_eq!(providers.is_some_and(|named| !named.is_empty()), alive && world.holders.contains(&peer));
        }
    }
}
