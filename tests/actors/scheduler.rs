//! How the scheduler keeps its fleets going, and what becomes of it when it cannot.

use std::collections::BTreeSet;

use parsec_actors::supervision::signs::ActorState;
use parsec_actors::supervision::supervise::ChildState;
use parsec_measure::{OperationKind, OutcomeClass, RoundOutcome, SchedulerId};

use crate::fakes::{Call, How, Mood, POLICY, Question, counted, secs};
use crate::rig::{INTERVAL, Setup};

#[actix::test]
async fn a_fleet_that_crashed_goes_on_under_its_number() {
    let setup = Setup::of(3);
    setup.store.takes(Call::Roster, [Mood::Works, Mood::Panics], Mood::Works);
    let rig = setup.play();
    let rounds = rig.rounds(4).await;
    assert!(rounds.iter().all(|round| round.round.scheduler == SchedulerId(1)));
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete));
    assert_eq!(rig.store.read(|store| store.asked(Call::RegisterScheduler).len()), 1);
    assert!(
        (counted(&rig.metrics, "parsec_actor_restarts_total{actor=\"fleet default\",reason=\"panic\"}") - 1.0).abs()
            < f64::EPSILON
    );
    assert_eq!(rig.parent.heard(), [], "the scheduler itself has not crashed");
}

#[actix::test]
async fn a_fleet_that_crashed_publishes_no_content_twice() {
    let setup = Setup { seed: Some(7), ..Setup::of(2) };
    setup.store.takes(Call::Roster, [Mood::Works, Mood::Panics], Mood::Works);
    let rig = setup.play();
    let keys: BTreeSet<_> = rig.rounds(4).await.iter().map(|round| round.attempts[0].cid.clone()).collect();
    assert_eq!(keys.len(), 4);
}

#[actix::test]
async fn the_round_that_crashed_a_fleet_is_interrupted_and_not_tried_again_at_once() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::Panics);
    let rig = setup.play();
    rig.store.until("the round began", |store| store.begun().len() == 1).await;
    rig.servers.takes(2, Question::Retrieve, How::Works);
    let rounds = rig.rounds(2).await;
    let outcomes: Vec<_> = rounds.iter().map(|round| round.outcome()).collect();
    assert_eq!(outcomes, [RoundOutcome::Interrupted, RoundOutcome::Complete]);
    let (lost, ok) = (OutcomeClass::RecordLost, OutcomeClass::Ok);
    assert_eq!(rounds[0].results(OperationKind::Provide), [(1, ok)], "what had ended keeps its result");
    assert_eq!(rounds[0].lookups(), [(2, lost), (3, lost)]);
    assert!(rounds[0].errors(2)[0].starts_with("the measuring process ended or crashed"), "{rounds:?}");
    assert!(
        (counted(&rig.metrics, "parsec_rounds_total{outcome=\"interrupted\",fleet=\"default\"}") - 1.0).abs()
            < f64::EPSILON
    );
    let gap = rig.musters()[1] - rig.musters()[0];
    assert!((INTERVAL.as_secs()..=INTERVAL.as_secs() + POLICY.backoff_max.as_secs()).contains(&gap), "{gap}");
}

#[actix::test]
async fn a_crash_of_one_fleet_touches_no_other() {
    let nodes = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let setup = Setup { fleets: "a,b", ..Setup::with(nodes) };
    setup.servers.takes(1, Question::Readiness, How::Panics);
    setup.servers.takes(4, Question::Retrieve, How::Slow(secs(30)));
    let rig = setup.play();
    let rounds = rig.rounds(2).await;
    assert!(rounds.iter().all(|round| round.round.fleets.to_string() == "b"));
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete));
    let crashes = counted(&rig.metrics, "parsec_actor_restarts_total{actor=\"fleet a\",reason=\"panic\"}");
    assert!(crashes >= 1.0, "{crashes}");
    assert!(counted(&rig.metrics, "parsec_actor_restarts_total{actor=\"fleet b\",reason=\"panic\"}") < 1.0);
}

#[actix::test]
async fn a_fleet_that_stays_down_takes_the_scheduler_down_which_names_it() {
    let nodes = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let setup = Setup { fleets: "a,b", ..Setup::with(nodes) };
    // Fleet b gets its number in between.
    setup.store.takes(Call::RegisterScheduler, [Mood::Panics, Mood::Works], Mood::Panics);
    let rig = setup.play();
    rig.parent.until_heard(1).await;
    let [ChildState::Down(given_up)] = &rig.parent.heard()[..] else { panic!("{:?}", rig.parent.heard()) };
    let sentence = "fleet a crashed 4 times within 10 s, last: the database broke in RegisterScheduler";
    assert_eq!(given_up.to_string(), sentence);
    assert!(!rig.scheduler.addr().connected());
    let asked = rig.store.read(|store| store.asked(Call::RegisterScheduler).len());
    assert_eq!(asked, 5, "four times fleet a, once fleet b");
    let restarts = r#"parsec_actor_restarts_total{actor="fleet a",reason="panic"}"#;
    assert!((counted(&rig.metrics, restarts) - 3.0).abs() < f64::EPSILON);
}

#[actix::test]
async fn no_fleet_plays_on_without_its_scheduler() {
    let nodes = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let setup = Setup { fleets: "a,b", ..Setup::with(nodes) };
    setup.store.takes(Call::RegisterScheduler, [Mood::Panics, Mood::Works], Mood::Panics);
    let rig = setup.play();
    rig.parent.until_heard(1).await;
    let played = rig.store.read(|store| store.begun().len());
    tokio::time::sleep(10 * INTERVAL).await;
    assert_eq!(rig.store.read(|store| store.begun().len()), played);
    let states: Vec<_> = rig.metrics.vitals().status().actors.iter().map(|actor| actor.state()).collect();
    assert_eq!(states, [ActorState::Down, ActorState::Stopped]);
}
