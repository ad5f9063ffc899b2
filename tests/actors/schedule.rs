//! When rounds are played, also when they take too long or the database is away.

use parsec_measure::RoundOutcome;

use crate::fakes::{Call, How, Mood, Question, counted, secs};
use crate::rig::Setup;

#[actix::test]
async fn rounds_stand_on_a_grid_however_long_they_take() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::Slow(secs(31)));
    let rig = setup.play();
    let rounds = rig.rounds(4).await;
    assert_eq!(rig.musters(), [0, 60, 120, 180]);
    assert!(rounds.iter().all(|round| round.round.skipped_before == 0));
}

#[actix::test]
async fn a_round_that_takes_too_long_delays_the_next_and_those_left_out_are_counted() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Slow(secs(250)));
    let rig = setup.play();
    let rounds = rig.rounds(3).await;
    // Due at 60, 120 and 180, three were left out while the first one ran; the one due at 240 begins late.
    assert_eq!(rig.musters(), [0, 250, 300]);
    let skipped: Vec<_> = rounds.iter().map(|round| round.round.skipped_before).collect();
    assert_eq!(skipped, [0, 3, 0]);
    assert!((counted(&rig.metrics, "parsec_rounds_skipped_total{fleet=\"default\"}") - 3.0).abs() < f64::EPSILON);
    let late = rounds[1].round.started - rounds[1].round.due;
    assert_eq!(late.num_seconds(), 10, "the row says how late it was");
}

#[actix::test]
async fn rounds_of_one_group_never_overlap() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::Hangs);
    let rig = setup.play();
    rig.servers.until_asked(2, Question::Retrieve, 1).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(rig.musters(), [0]);
    assert_eq!(rig.store.read(|store| store.begun().len()), 1);
    rig.servers.takes(2, Question::Retrieve, How::Works);
    rig.rounds(2).await;
    assert_eq!(rig.musters(), [0, 600]);
}

#[actix::test]
async fn while_the_database_is_away_the_nodes_known_go_on() {
    let rig = Setup::of(3).play();
    rig.rounds(1).await;
    rig.store.is(Mood::Away);
    rig.until_heard(4).await;
    let heard: Vec<_> =
        rig.finished.borrow().iter().map(|heard| (heard.round.provider, heard.attempts.len())).collect();
    assert_eq!(heard.iter().map(|(provider, _)| provider.unwrap().0).collect::<Vec<_>>(), [1, 2, 3, 1]);
    assert!(heard.iter().all(|(_, attempts)| *attempts == 3), "{heard:?}");
    assert_eq!(rig.played().len(), 1, "nothing can be written");
    rig.store.is(Mood::Works);
    let rounds = rig.rounds(4).await;
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete && round.attempts.len() == 3));
}

#[actix::test]
async fn a_database_that_gives_no_answer_keeps_no_round_from_its_time() {
    let rig = Setup::of(3).play();
    rig.rounds(1).await;
    rig.store.is(Mood::Hangs);
    rig.servers.takes(3, Question::Readiness, How::Unreachable);
    rig.until_heard(4).await;
    assert_eq!(rig.musters(), [0, 60, 120, 180]);
    assert!(rig.finished.borrow().iter().all(|heard| heard.attempts.len() == 3));
    rig.store.is(Mood::Works);
    assert!(rig.rounds(4).await.iter().all(|round| round.outcome() == RoundOutcome::Complete));
}

#[actix::test]
async fn a_node_that_goes_away_with_the_database_is_asked_every_time() {
    let rig = Setup::of(3).play();
    rig.rounds(1).await;
    rig.store.is(Mood::Away);
    rig.servers.takes(3, Question::Readiness, How::Unreachable);
    rig.until_heard(3).await;
    rig.store.is(Mood::Works);
    let rounds = rig.rounds(3).await;
    for round in &rounds[1..3] {
        assert_eq!((round.round.nodes_listed, round.round.nodes_ready, round.attempts.len()), (3, 2, 3));
    }
}

#[actix::test]
async fn without_a_database_at_the_start_it_waits_for_its_number() {
    let setup = Setup::of(3);
    setup.store.takes(Call::RegisterScheduler, [Mood::Away; 8], Mood::Works);
    let rig = setup.play();
    rig.rounds(1).await;
    let asked = rig.store.read(|store| store.asked(Call::RegisterScheduler));
    let pauses: Vec<_> = asked.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(rig.store.read(|store| store.schedulers.len()), 1);
}
