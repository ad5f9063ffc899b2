//! Classic publication and search.

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;

#[test]
fn a_publication_puts_to_the_k_closest_and_ends_when_all_puts_have_ended() {
    let mut world = World::full_mesh(1..=30);
    world.dead = HashSet::from([3]);
    let target = Key::from_byte(0);
    let run = world.run(target, ProvideClassic::new(target, ME, vec![9, 20], SMALL));
    let mut stored = run.outcome.stored.clone();
    stored.sort_unstable();
    assert_eq!(stored.iter().chain(&run.outcome.failed).count(), SMALL.k);
    assert!(!stored.contains(&3));
    let walked = run.outcome.lookup.walked().unwrap();
    assert_eq!(set(peers(walked)), set(stored.into_iter().chain(run.outcome.failed)));
    assert_eq!(run.returned, None, "it returns when all have ended");
}

#[test]
fn a_publication_into_an_empty_table_stores_nothing() {
    let target = Key::from_byte(0);
    let run = World::default().run(target, ProvideClassic::new(target, ME, vec![], SMALL));
    let lookup = LookupEnd::Completed(Walked { closest: vec![], named: vec![] });
    assert_eq!(run.outcome, Provided { stored: vec![], failed: vec![], pending: vec![], lookup });
}

#[test]
fn a_search_ends_at_the_first_provider() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([20]);
    let target = Key::from_byte(0);
    let run = world.run(target, FindProviders::new(target, ME, vec![20], SMALL));
    assert_eq!(run.outcome, Found::Providers { by: 20, providers: vec![0xee] });
    assert_eq!(run.asked, [(20, Request::GetProviders)]);
}

#[test]
fn a_search_finds_a_record_that_only_the_follow_up_reaches() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([4]);
    let target = Key::from_byte(0);
    let run = world.run(target, FindProviders::new(target, ME, vec![1, 2], SMALL));
    assert_eq!(run.outcome, Found::Providers { by: 4, providers: vec![0xee] });
}

#[test]
fn a_search_without_a_record_ends_with_nobody() {
    let target = Key::from_byte(0);
    let run = World::full_mesh(1..=30).run(target, FindProviders::new(target, ME, vec![9], SMALL));
    let Found::Nobody { walked: Some(walked) } = run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(peers(&walked), [1, 2, 3, 4]);
}

proptest! {
    #[test]
    fn a_publication_counts_each_of_the_closest_exactly_once(world in worlds(), target in any::<u8>()) {
        let key = Key::from_byte(target);
        let run = world.run(key, ProvideClassic::new(key, ME, vec![0, 1], SMALL));
        let puts = run.asked(Request::AddProvider);
        let counted = set(run.outcome.stored.iter().chain(&run.outcome.failed).copied());
        prop_assert_eq!(puts.len(), counted.len());
        prop_assert_eq!(set(puts), counted);
        prop_assert_eq!(run.outcome.pending, Vec::<u8>::new());
    }
}
