//! Which traces a scheduler keeps, and that the others go no further.

use std::time::Duration;

use parsec_measure::{Attempt, LEAST_SEEN, OutcomeClass, WhyKept};

use crate::fakes::{How, Question, secs};
use crate::rig::{Rig, Setup};

/// Node, why its trace is kept, and whether it is there.
type Kept = (i32, Option<WhyKept>, bool);

fn kept(attempt: &Attempt) -> Kept {
    (attempt.node.0, attempt.why_kept, attempt.result.trace.is_some())
}

/// What became of the traces in the newest round.
fn newest(rig: &Rig) -> Vec<Kept> {
    let mut attempts = rig.played().pop().expect("a round has been played").attempts;
    attempts.sort_by_key(|attempt| attempt.node);
    attempts.iter().map(kept).collect()
}

#[actix::test]
async fn the_trace_of_a_failure_is_kept_and_those_of_ordinary_successes_are_not() {
    let setup = Setup::of(4);
    setup.servers.takes(2, Question::Retrieve, How::Measures(OutcomeClass::Timeout));
    setup.servers.takes(4, Question::Retrieve, How::Measures(OutcomeClass::NotFound));
    let rig = setup.play();
    rig.rounds(1).await;
    let failed = Some(WhyKept::Failed);
    assert_eq!(newest(&rig), [(1, None, false), (2, failed, true), (3, None, false), (4, failed, true)]);
}

#[actix::test]
async fn a_failure_that_no_server_measured_has_no_trace() {
    let setup = Setup { trace_sample: 1.0, ..Setup::of(4) };
    setup.servers.takes(2, Question::Retrieve, How::Unreachable);
    setup.servers.takes(3, Question::Readiness, How::NotReady);
    setup.servers.takes(4, Question::Retrieve, How::OtherContent);
    let rig = setup.play();
    rig.rounds(1).await;
    let none = |node| (node, None, false);
    assert_eq!(newest(&rig), [(1, Some(WhyKept::Sampled), true), none(2), none(3), none(4)]);
}

#[actix::test]
async fn the_trace_of_a_lookup_that_is_slower_than_all_before_is_kept() {
    let rig = Setup::of(3).play();
    let rounds = LEAST_SEEN / 2 + 2;
    rig.rounds(rounds).await;
    rig.servers.takes(2, Question::Retrieve, How::Slow(secs(2)));
    rig.servers.takes(3, Question::Retrieve, How::Slow(Duration::from_millis(20)));
    let provider_is_another = |rig: &Rig| rig.played().pop().expect("rounds").provider() == Some(1);
    for later in 1.. {
        rig.rounds(rounds + later).await;
        if provider_is_another(&rig) {
            break;
        }
    }
    let slow: Vec<_> = rig
        .store
        .read(|store| store.attempts().iter().filter(|attempt| attempt.why_kept.is_some()).map(kept).collect());
    assert_eq!(slow.first(), Some(&(2, Some(WhyKept::Slow), true)), "the first one is");
    assert!(slow.iter().all(|(node, ..)| *node == 2), "{slow:?}");
}

#[actix::test]
async fn of_the_others_a_share_is_drawn() {
    let rig = Setup { trace_sample: 1.0, ..Setup::of(3) }.play();
    rig.rounds(1).await;
    assert_eq!(newest(&rig), [1, 2, 3].map(|node| (node, Some(WhyKept::Sampled), true)));
}

#[actix::test]
async fn the_same_seed_draws_the_same_traces() {
    let mut drawn = Vec::new();
    for seed in [7, 7, 8] {
        let rig = Setup { trace_sample: 0.5, seed: Some(seed), ..Setup::of(2) }.play();
        let rounds = rig.rounds(20).await;
        let attempts = rounds.iter().take(20).flat_map(|round| &round.attempts);
        drawn.push(attempts.map(|attempt| attempt.why_kept.is_some()).collect::<Vec<_>>());
        // The next setup stops the clock itself.
        tokio::time::resume();
    }
    assert_eq!(drawn[0], drawn[1]);
    assert_ne!(drawn[0], drawn[2]);
    let shares = drawn[0].iter().filter(|kept| **kept).count();
    assert!((8..=32).contains(&shares), "{shares} of 40");
}

#[actix::test]
async fn what_is_slow_is_not_forgotten_in_a_crash_of_the_fleet() {
    let rig = Setup::of(2).play();
    rig.rounds(LEAST_SEEN).await;
    rig.store.takes(crate::fakes::Call::Roster, [crate::fakes::Mood::Panics], crate::fakes::Mood::Works);
    for node in [1, 2] {
        rig.servers.takes(node, Question::Retrieve, How::Slow(secs(2)));
    }
    rig.rounds(LEAST_SEEN + 1).await;
    let round = rig.played().pop().unwrap();
    let lookup = round.attempts.iter().find(|attempt| Some(attempt.node) != round.round.provider).unwrap();
    assert_eq!(lookup.why_kept, Some(WhyKept::Slow));
}
