//! What a process knows of its actors: `GET /status` and the metrics beside it.

use std::sync::Arc;

use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::signs::ActorState;
use parsec_actors::telemetry::metrics::Metrics;
use parsec_actors::telemetry::vitals::ActorStatus;
use parsec_measure::RoundOutcome;
use tokio::time::sleep;

use crate::fakes::{How, POLICY, Question, counted, metrics, secs};
use crate::kid::{Crash, GetStuck, Hang, Leave, Nursery, Ponder};
use crate::rig::Setup;

/// A kid that the metrics know.
fn known() -> (Nursery, Arc<Metrics>) {
    let (nursery, metrics) = (Nursery::open(), metrics());
    metrics.supervised(nursery.kid.signs());
    (nursery, metrics)
}

fn kid(metrics: &Metrics) -> ActorStatus {
    let mut actors = metrics.vitals().status().actors;
    assert_eq!(actors.len(), 1, "{actors:?}");
    actors.remove(0)
}

fn is(metrics: &Metrics, name: &str, value: f64) -> bool {
    (counted(metrics, &format!("{name}{{actor=\"kid\"}}")) - value).abs() < f64::EPSILON
}

#[actix::test]
async fn a_crash_is_told_with_its_reason_and_what_became_of_the_actor() {
    let (nursery, metrics) = known();
    let actor = kid(&metrics);
    assert_eq!((actor.state(), actor.fate.restarts, &actor.fate.last_crash), (ActorState::Running, 0, &None));
    assert!(is(&metrics, "parsec_actor_up", 1.0));

    nursery.kid.addr().send(Crash).await.unwrap_err();
    let actor = kid(&metrics);
    let reason = actor.fate.last_crash.as_ref().map(|(reason, _)| reason.as_str());
    assert_eq!((actor.state(), actor.fate.restarts, reason), (ActorState::Restarting, 1, Some("crashed to order")));
    assert!(is(&metrics, "parsec_actor_up", 0.0));

    sleep(POLICY.backoff_min).await;
    let actor = kid(&metrics);
    assert_eq!((actor.state(), actor.fate.restarts), (ActorState::Running, 1));
    assert!(actor.fate.last_crash.is_some() && is(&metrics, "parsec_actor_up", 1.0));
    for _ in 0..3 {
        nursery.crash().await;
    }
    assert_eq!((kid(&metrics).state(), kid(&metrics).fate.restarts), (ActorState::Down, 3));
}

#[actix::test]
async fn one_that_ended_in_good_order_is_stopped() {
    let (nursery, metrics) = known();
    assert_eq!(nursery.kid.addr().send(Leave).await, Ok(()));
    nursery.parent.until_heard(1).await;
    assert_eq!((kid(&metrics).state(), kid(&metrics).fate.last_crash), (ActorState::Stopped, None));
}

#[actix::test]
async fn questions_count_as_waiting_until_they_are_answered_or_given_up() {
    let (nursery, metrics) = known();
    let ask: Ask<Ponder> = nursery.kid.ask(secs(20));
    let waiting = futures::future::join_all((0..7).map(|n| ask.ask(Ponder(secs(10 * (n + 1))))));
    let counting = async {
        let mut counts = vec![];
        for _ in 0..3 {
            sleep(secs(9)).await;
            counts.push(kid(&metrics).waiting);
        }
        counts
    };
    let (_, counts) = futures::join!(waiting, counting);
    assert_eq!(counts, [7, 6, 0], "one is answered in time, or two; the others give up after 20 s");
    assert!(is(&metrics, "parsec_actor_waiting", 0.0));
}

#[actix::test]
async fn silence_is_told_before_it_is_too_long_and_restarts_by_their_kind() {
    let (nursery, metrics) = known();
    nursery.kid.addr().send(Hang).await.unwrap();
    sleep(secs(31)).await;
    assert_eq!((kid(&metrics).silent, kid(&metrics).state()), (secs(20), ActorState::Running));
    sleep(secs(10) + POLICY.backoff_min).await;
    assert_eq!((kid(&metrics).silent, kid(&metrics).state()), (secs(0), ActorState::Running));
    nursery.kid.addr().send(GetStuck).await.unwrap();
    sleep(secs(20)).await;
    let fate = kid(&metrics).fate;
    assert_eq!((fate.restarts, fate.last_crash.unwrap().0.as_str()), (2, "stuck to order"));
}

#[actix::test]
async fn a_successor_of_the_same_name_goes_on_with_the_count() {
    let (nursery, metrics) = known();
    nursery.crash().await;
    assert_eq!(nursery.kid.addr().send(Leave).await, Ok(()));
    nursery.parent.until_heard(2).await;
    let next = Nursery::another();
    metrics.supervised(next.kid.signs());
    let actor = kid(&metrics);
    assert_eq!((actor.state(), actor.fate.restarts), (ActorState::Running, 1));
    assert!(actor.fate.last_crash.is_some());
    // Two that run at the same time are two.
    let twin = Nursery::another();
    metrics.supervised(twin.kid.signs());
    assert_eq!(metrics.vitals().status().actors.len(), 2);
    assert!(is(&metrics, "parsec_actor_up", 2.0));
}

#[actix::test]
async fn the_last_round_of_each_group_is_told_and_what_the_recorder_has_in_hand() {
    let setup = Setup { fleets: "a,b", ..Setup::with([(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "b")]) };
    let rig = setup.play();
    assert_eq!(rig.metrics.vitals().status().rounds, []);
    rig.rounds(4).await;
    let status = rig.metrics.vitals().status();
    let rounds: Vec<_> = status.rounds.iter().map(|last| (last.round.fleets.to_string(), last.attempts)).collect();
    assert_eq!(rounds, [("a".to_owned(), 2), ("b".to_owned(), 3)]);
    let newest = rig.played().into_iter().map(|played| played.round.id).collect::<Vec<_>>();
    assert!(status.rounds.iter().all(|last| last.end().is_some() && newest[2..].contains(&last.round.id)));
    assert_eq!(
        status.recorder.map(|recorder| (recorder.rows_in_memory, recorder.rows_on_disk, recorder.spool)),
        Some((0, 0, None))
    );
    let names: Vec<_> = status.actors.iter().map(|actor| actor.name.as_str()).collect();
    assert_eq!(names, ["fleet a", "fleet b"]);
}

#[actix::test]
async fn a_round_that_a_crash_cut_off_is_told_as_interrupted() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::Panics);
    let rig = setup.play();
    rig.rounds(1).await;
    let status = rig.metrics.vitals().status();
    let outcomes: Vec<_> = status.rounds.iter().map(|last| last.end().map(|(_, outcome)| outcome)).collect();
    assert_eq!(outcomes, [Some(RoundOutcome::Interrupted)]);
    assert_eq!(status.actors[0].fate.restarts, 1, "{:?}", status.actors);
}
