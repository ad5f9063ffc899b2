//! How rounds and whole processes end: soon, and with everything written down.

use std::time::Duration;

use actix::prelude::*;
use parsec_actors::supervision::ask::{Ask, AskError};
use parsec_actors::supervision::stop::{
    GATEWAY_STOP, RECORDER_STOP, SCHEDULER_STOP, STOP_TIMEOUT, Stop, StopStep, StopTimes, stop_in_order,
};
use parsec_measure::{OperationKind, OutcomeClass, RoundOutcome};
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{Call, How, Mood, Question, secs};
use crate::rig::{Played, Rig, Setup};

const CANCELLED: OutcomeClass = OutcomeClass::Cancelled;

/// What is left undone by a stop in good order.
const NOTHING: Vec<String> = Vec::new();

/// Stops the scheduler and then the recorder, which must not take long; returns the rounds in the database.
async fn stop(rig: &Rig) -> Vec<Played> {
    let began = Instant::now();
    assert_eq!(stop_in_order(rig.stop_steps()).await, NOTHING, "all stopped in order");
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
    assert!(!rig.scheduler.addr().connected() && !rig.recorder.addr().connected());
    rig.played()
}

#[actix::test]
async fn a_stop_cuts_lookups_off_and_the_round_is_interrupted() {
    let setup = Setup { probes: 3, ..Setup::of(4) };
    setup.servers.takes(3, Question::Retrieve, How::Hangs);
    let rig = setup.play();
    rig.store.until("the others are done", |store| store.attempts().len() == 7).await;
    let round = stop(&rig).await.remove(0);
    assert_eq!(round.outcome(), RoundOutcome::Interrupted);
    let of_three: Vec<_> = round.lookups().into_iter().filter(|(node, _)| *node == 3).collect();
    assert_eq!(of_three, [(3, CANCELLED); 3], "what was planned and did not take place has rows, too");
    assert!(round.errors(3).iter().all(|error| error == "the scheduler was stopping"));
    assert_eq!(round.attempts.len(), 10);
}

#[actix::test]
async fn a_stop_cuts_a_publication_off() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Hangs);
    let rig = setup.play();
    rig.servers.until_asked(1, Question::Provide, 1).await;
    let round = stop(&rig).await.remove(0);
    assert_eq!((round.outcome(), round.provider()), (RoundOutcome::Interrupted, Some(1)));
    assert_eq!(round.results(OperationKind::Provide), [(1, CANCELLED)]);
    assert_eq!(round.lookups(), []);
}

#[actix::test]
async fn a_stop_while_servers_are_asked_says_nothing_about_the_nodes() {
    let setup = Setup::of(3);
    (1..=3).for_each(|id| setup.servers.takes(id, Question::Readiness, How::Hangs));
    let rig = setup.play();
    rig.servers.until_asked(3, Question::Readiness, 1).await;
    let round = stop(&rig).await.remove(0);
    assert_eq!((round.outcome(), round.attempts.len()), (RoundOutcome::Interrupted, 0));
}

/// Stops while a call to the database hangs.
async fn stop_in_the_middle_of(call: Call) -> Vec<Played> {
    let setup = Setup::of(3);
    setup.servers.takes(3, Question::Readiness, How::Unreachable);
    setup.store.change(|store| store.fall_silent([3]));
    setup.store.takes(call, [], Mood::Hangs);
    let rig = setup.play();
    rig.store.until("the database hangs", |store| !store.asked(call).is_empty()).await;
    stop(&rig).await
}

#[actix::test]
async fn a_stop_does_not_wait_for_a_database_that_gives_out_no_number() {
    assert_eq!(stop_in_the_middle_of(Call::RegisterScheduler).await.len(), 0);
}

#[actix::test]
async fn a_stop_does_not_wait_for_a_database_that_lists_no_nodes() {
    let round = stop_in_the_middle_of(Call::Roster).await.remove(0);
    assert_eq!((round.outcome(), round.attempts.len()), (RoundOutcome::Interrupted, 0));
}

#[actix::test]
async fn a_stop_does_not_wait_for_a_database_that_marks_nobody_offline() {
    let rounds = stop_in_the_middle_of(Call::MarkOffline).await;
    assert!(rounds[0].lookups().contains(&(3, OutcomeClass::ServerUnreachable)));
}

#[actix::test]
async fn a_stop_between_two_rounds_leaves_nothing_unfinished() {
    let rig = Setup::of(3).play();
    rig.rounds(1).await;
    sleep(secs(10)).await;
    let rounds = stop(&rig).await;
    assert_eq!((rounds.len(), rounds[0].outcome()), (1, RoundOutcome::Complete));
    sleep(secs(600)).await;
    assert_eq!(rig.musters(), [0]);
    assert_eq!(rig.store.read(|store| store.begun().len()), 1);
}

#[actix::test]
async fn all_groups_are_cut_off_at_once() {
    let nodes = [(1, "a"), (2, "a"), (3, "b"), (4, "b")];
    let setup = Setup { fleets: "a,b", ..Setup::with(nodes) };
    for id in [2, 4] {
        setup.servers.takes(id, Question::Retrieve, How::Hangs);
    }
    let rig = setup.play();
    rig.servers.until_asked(2, Question::Retrieve, 1).await;
    rig.servers.until_asked(4, Question::Retrieve, 1).await;
    let rounds = stop(&rig).await;
    assert_eq!(rounds.iter().map(Played::outcome).collect::<Vec<_>>(), [RoundOutcome::Interrupted; 2]);
}

#[actix::test]
async fn a_database_that_is_away_keeps_the_recorder_no_longer_than_allowed() {
    let rig = Setup::of(3).play();
    rig.rounds(1).await;
    rig.store.is(Mood::Away);
    rig.until_heard(2).await;
    let began = Instant::now();
    assert_eq!(stop_in_order(rig.stop_steps()).await, ["recorder gave no answer within 10s"]);
    assert!(began.elapsed() <= SCHEDULER_STOP + RECORDER_STOP, "{:?}", began.elapsed());
}

/// A part of a process that takes so long to stop.
struct Part(Duration);

impl Actor for Part {
    type Context = Context<Self>;
}

impl Handler<Stop> for Part {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        Box::pin(sleep(self.0))
    }
}

#[actix::test]
async fn a_part_that_does_not_stop_does_not_keep_the_others_from_stopping() {
    pause();
    let step = |name, takes| StopStep { name, ask: Ask::new(name, Part(takes).start(), secs(5)) };
    assert_eq!(stop_in_order(vec![step("first", secs(1)), step("second", secs(4))]).await, NOTHING);
    let began = Instant::now();
    let undone = stop_in_order(vec![step("first", secs(1)), step("stuck", secs(3600)), step("last", secs(1))]).await;
    assert_eq!(undone, ["stuck gave no answer within 5s"]);
    assert_eq!(began.elapsed().as_secs(), 7, "one second, the limit of five, one second");
}

#[actix::test]
async fn whoever_has_stopped_answers_no_more() {
    let rig = Setup::of(3).play();
    rig.rounds(1).await;
    stop(&rig).await;
    let again: Ask<Stop> = rig.scheduler.ask(SCHEDULER_STOP);
    assert_eq!(again.ask(Stop).await, Err(AskError::Unavailable("scheduler".into())));
}

#[test]
fn the_steps_of_a_stop_fit_into_it_however_short_it_is_and_the_recorder_has_what_is_left() {
    for seconds in [1, 5, 29, 30, 31, 3_600] {
        let (whole, times) = (secs(seconds), StopTimes::of(secs(seconds)));
        let server = times.gateway().max(times.heartbeat()) + times.dht();
        for before in [Duration::ZERO, times.scheduler(), server] {
            let recorder = times.recorder(before);
            assert!(before + recorder <= whole, "{before:?} and {recorder:?} of {whole:?}");
            assert!(recorder >= whole.min(STOP_TIMEOUT) / 4, "{recorder:?} of {whole:?}");
            assert!(seconds < 29 || before + recorder + secs(2) >= whole, "{before:?} and {recorder:?} of {whole:?}");
        }
        assert!(times.requests() < times.gateway() && times.gateway() <= GATEWAY_STOP + secs(1), "{times:?}");
    }
}
