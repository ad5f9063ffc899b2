//! Publication and search with the whole network in memory.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;

const TICK: u64 = 500;

/// A publication to `peers` that is fed by hand.
struct Hand(ProvideFull<u8>);

impl Hand {
    /// One whose puts are all under way.
    fn to(peers: u8) -> Self {
        let mut provide = ProvideFull::new((0..peers).collect());
        for peer in 0..peers {
            let step = provide.advance(None, Duration::ZERO);
            assert_eq!(step, Step::Ask { peer, request: Request::AddProvider });
        }
        assert_eq!(provide.advance(None, Duration::ZERO), Step::Wait(None));
        Self(provide)
    }

    fn ends(&mut self, peer: u8, reply: Reply<u8>, millis: u64) -> Step<u8, Provided<u8>> {
        self.0.advance(answer(peer, Request::AddProvider, reply), Duration::from_millis(millis))
    }

    fn time(&mut self, millis: u64) -> Step<u8, Provided<u8>> {
        self.0.advance(None, Duration::from_millis(millis))
    }
}

fn wait(millis: u64) -> Step<u8, Provided<u8>> {
    Step::Wait(Some(Duration::from_millis(millis)))
}

fn returned(step: Step<u8, Provided<u8>>) -> (usize, usize, usize) {
    let Step::Return(Provided { stored, failed, pending, lookup: LookupEnd::NotNeeded }) = step else {
        panic!("does not return: {step:?}")
    };
    (stored.len(), failed.len(), pending.len())
}

#[test]
fn after_6_of_20_it_returns_at_the_first_tick_without_a_new_success() {
    let mut hand = Hand::to(20);
    for peer in 0..5 {
        assert_eq!(hand.ends(peer, Reply::Stored, 10), Step::Wait(None));
    }
    assert_eq!(hand.ends(5, Reply::Stored, 100), wait(100 + TICK));
    assert_eq!(hand.ends(6, Reply::Stored, 200), wait(100 + TICK));
    assert_eq!(hand.time(100 + TICK), wait(100 + 2 * TICK), "one more has succeeded meanwhile");
    assert_eq!(hand.ends(7, Reply::Failed, 700), wait(100 + 2 * TICK), "a failure buys no time");
    assert_eq!(returned(hand.time(100 + 2 * TICK)), (7, 1, 12));
}

#[test]
fn it_returns_at_once_when_successes_doubled_and_failures_make_up_the_number() {
    let mut hand = Hand::to(20);
    for peer in 0..9 {
        assert!(matches!(hand.ends(peer, Reply::Stored, 10), Step::Wait(_)));
    }
    assert_eq!(returned(hand.ends(9, Reply::Stored, 10)), (10, 0, 10));

    let mut hand = Hand::to(20);
    for peer in 0..14 {
        assert_eq!(hand.ends(peer, Reply::Failed, 10), Step::Wait(None));
    }
    assert_eq!(hand.ends(14, Reply::Stored, 10), Step::Wait(None));
    assert_eq!(hand.ends(15, Reply::Failed, 10), Step::Wait(None));
    assert_eq!(hand.ends(16, Reply::Failed, 10), Step::Wait(None));
    assert_eq!(hand.ends(17, Reply::Failed, 10), Step::Wait(None));
    assert_eq!(hand.ends(18, Reply::Failed, 10), Step::Wait(None), "as in Go, a failure makes it look at nothing");
    let Step::Done(provided) = hand.ends(19, Reply::Failed, 10) else { panic!("not done") };
    assert_eq!((provided.stored.len(), provided.failed.len()), (1, 19));
}

#[test]
fn what_is_under_way_after_the_return_goes_on_to_its_end() {
    let mut hand = Hand::to(4);
    assert!(matches!(hand.ends(0, Reply::Stored, 10), Step::Wait(_)));
    assert_eq!(returned(hand.ends(1, Reply::Stored, 20)), (2, 0, 2));
    assert_eq!(hand.time(10_000), Step::Wait(None), "no more ticks");
    assert_eq!(hand.ends(2, Reply::Failed, 10_010), Step::Wait(None));
    let Step::Done(provided) = hand.ends(3, Reply::Stored, 10_020) else { panic!("not done") };
    let lookup = LookupEnd::NotNeeded;
    assert_eq!(provided, Provided { stored: vec![0, 1, 3], failed: vec![2], pending: vec![], lookup });
}

#[test]
fn with_nobody_to_send_to_it_is_done_at_once() {
    let step = ProvideFull::<u8>::new(vec![]).advance(None, Duration::ZERO);
    let Step::Done(provided) = step else { panic!("{step:?}") };
    assert_eq!((provided.stored.len(), provided.failed.len()), (0, 0));
}

#[test]
fn a_search_asks_those_peers_only_and_ends_at_the_first_provider() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([3]);
    let run = world.run(Key::from_byte(0), FindFull::new(vec![1, 2, 3, 4]));
    assert_eq!(run.outcome, Found::Providers { by: 3, providers: vec![0xee] });
    assert_eq!(run.asked(Request::GetProviders), [1, 2, 3, 4]);
}

#[test]
fn a_search_finds_nobody_when_all_have_answered_or_failed() {
    let mut world = World::full_mesh(1..=30);
    world.holders = HashSet::from([5]);
    world.dead = HashSet::from([2]);
    let run = world.run(Key::from_byte(0), FindFull::new(vec![1, 2, 3, 4]));
    assert_eq!(run.outcome, Found::Nobody { walked: None });
    let nobody = World::default().run(Key::from_byte(0), FindFull::new(vec![]));
    assert_eq!(nobody.outcome, Found::Nobody { walked: None });
}

proptest! {
    #[test]
    fn everybody_is_sent_the_record_once_and_counted_once(world in worlds(), closest in proptest::collection::vec(0..40u8, 0..25)) {
        let run = world.run(Key::from_byte(0), ProvideFull::new(closest.clone()));
        prop_assert_eq!(run.pestered(), Vec::<u8>::new());
        prop_assert_eq!(set(run.asked(Request::AddProvider)), set(closest));
        let alive = |peer: &u8| !world.dead.contains(peer);
        let (stored, failed): (BTreeSet<u8>, BTreeSet<u8>) = run.asked(Request::AddProvider).into_iter().partition(alive);
        prop_assert_eq!(set(run.outcome.stored), stored);
        prop_assert_eq!(set(run.outcome.failed), failed);
        if let Some(returned) = run.returned {
            prop_assert!(!returned.stored.is_empty() && !returned.pending.is_empty());
            prop_assert_eq!(returned.stored.len() + returned.failed.len() + returned.pending.len(), run.asked.len());
        }
    }

    #[test]
    fn a_search_finds_the_record_if_one_who_is_asked_holds_it(world in worlds(), closest in proptest::collection::vec(0..40u8, 0..25), target in any::<u8>()) {
        let run = world.run(Key::from_byte(target), FindFull::new(closest.clone()));
        prop_assert_eq!(run.pestered(), Vec::<u8>::new());
        let held = closest.iter().any(|peer| world.holders.contains(peer) && !world.dead.contains(peer));
        prop_assert_eq!(matches!(run.outcome, Found::Providers { .. }), held);
    }
}
