//! How the scheduler keeps its fleets going, and what becomes of it when it cannot.

use std::collections::BTreeSet;

use parsec_actors::supervise::ChildState;
use parsec_measure::{OperationKind, OutcomeClass, RoundOutcome, SchedulerId};

use crate::fakes::{Call, How, Mood, POLICY, Question, counted, secs};
use crate::rig::{INTERVAL, Setup};

#[actix::test]
async fn a_fleet_that_crashed_goes_on_under_its_number() {
    let setup = Setup::of(3);
    setup.store.takes(Call::ActiveNodes, [Mood::Works, Mood::Panics], Mood::Works);
    let rig = setup.play();
    let rounds = rig.rounds(4).await;
    assert!(rounds.iter().all(|round| round.round.scheduler == SchedulerId(1)));
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete));
    assert_eq!(rig.store.read(|store| store.asked(Call::RegisterScheduler).len()), 1);
    assert!((counted(&rig.metrics, "parsec_actor_restarts_total{actor=\"fleet default\"}") - 1.0).abs() < f64::EPSILON);
    assert_eq!(rig.parent.heard(), [], "the scheduler itself has not crashed");
}

#[actix::test]
async fn a_fleet_that_crashed_publishes_no_content_twice() {
    let setup = Setup { seed: Some(7), ..Setup::of(2) };
    setup.store.takes(Call::ActiveNodes, [Mood::Works, Mood::Panics], Mood::Works);
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
    let crashes = counted(&rig.metrics, "parsec_actor_restarts_total{actor=\"fleet a\"}");
    assert!(crashes >= 1.0, "{crashes}");
    assert!(counted(&rig.metrics, "parsec_actor_restarts_total{actor=\"fleet b\"}") < 1.0);
}

#[actix::test]
async fn a_fleet_that_stays_down_takes_the_scheduler_down_which_starts_all_of_them_anew() {
    let nodes = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let setup = Setup { fleets: "a,b", ..Setup::with(nodes) };
    // One crash more than is put up with.
    setup.store.takes(
        Call::RegisterScheduler,
        [Mood::Panics, Mood::Works, Mood::Panics, Mood::Panics, Mood::Panics],
        Mood::Works,
    );
    let rig = setup.play();
    rig.parent.until_heard(1).await;
    let (reason, _) = rig.parent.restarts().remove(0);
    assert_eq!(reason, "fleet a crashed 4 times in a short time, last: the database broke in RegisterScheduler");
    rig.store
        .until("both play again", |store| {
            store.ended().iter().map(|round| round.fleets.to_string()).collect::<BTreeSet<_>>().len() == 2
        })
        .await;
    let registered: Vec<_> = rig.store.read(|store| store.schedulers.iter().map(ToString::to_string).collect());
    assert_eq!(registered, ["b", "a"], "fleet b keeps its number");
}

#[actix::test]
async fn old_fleets_play_no_more_once_the_scheduler_has_started_new_ones() {
    let nodes = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let setup = Setup { fleets: "a,b", ..Setup::with(nodes) };
    setup.store.takes(
        Call::RegisterScheduler,
        [Mood::Panics, Mood::Works, Mood::Panics, Mood::Panics, Mood::Panics],
        Mood::Works,
    );
    let rig = setup.play();
    rig.parent.until_heard(1).await;
    tokio::time::sleep(10 * INTERVAL).await;
    let of_b = |round: &&parsec_measure::Round| round.fleets.to_string() == "b";
    let played = rig.store.read(|store| store.begun().iter().filter(of_b).count());
    assert!((11..=12).contains(&played), "one before the restart, then one a minute: {played}");
}

#[actix::test]
async fn a_scheduler_whose_fleets_never_stay_up_is_given_up_on() {
    let setup = Setup::of(3);
    setup.store.takes(Call::RegisterScheduler, [], Mood::Panics);
    let rig = setup.play();
    rig.parent.until_heard(4).await;
    let Some(ChildState::Down { reason, crashes: 4 }) = rig.parent.heard().pop() else {
        panic!("{:?}", rig.parent.heard());
    };
    assert_eq!(reason, "fleet default crashed 4 times in a short time, last: the database broke in RegisterScheduler");
    let (asked, metrics) = (rig.store.read(|store| store.asked(Call::RegisterScheduler).len()), &rig.metrics);
    assert_eq!(asked, 16, "four times four");
    assert!((counted(metrics, "parsec_actor_restarts_total{actor=\"fleet default\"}") - 12.0).abs() < f64::EPSILON);
}
