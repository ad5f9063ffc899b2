//! Who is alive, and who answers: what a scheduler believes of heartbeats, of addresses and of its own reach.

use chrono::TimeDelta;
use parsec_measure::{NodeId, OperationKind, OutcomeClass, RoundOutcome, SchedulerId};
use parsec_store::OtherScheduler;
use tokio::time::sleep;

use crate::fakes::{Call, How, Mood, Question, counted, secs};
use crate::rig::{INTERVAL, Played, Rig, Setup};

const OK: OutcomeClass = OutcomeClass::Ok;
const WRONG_NODE: OutcomeClass = OutcomeClass::WrongNode;
const UNREACHABLE: OutcomeClass = OutcomeClass::ServerUnreachable;

/// What a series says.
fn tells(rig: &Rig, series: &str, value: u32) {
    let told = counted(&rig.metrics, series);
    assert!((told - f64::from(value)).abs() < f64::EPSILON, "{series} {told}");
}

fn offline(rig: &Rig) -> Vec<i32> {
    rig.store.read(|store| store.offline.iter().map(|node| node.0).collect())
}

/// Listed, ready, and taking part without a heartbeat.
fn counts(played: &Played) -> (u32, u32, u32) {
    (played.round.nodes_listed, played.round.nodes_ready, played.round.nodes_without_heartbeat)
}

#[actix::test]
async fn a_node_at_whose_address_another_one_answers_takes_no_part() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Readiness, How::Another);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((round.provider(), counts(&round)), (Some(2), (3, 2, 0)));
    assert_eq!(round.lookups(), [(1, WRONG_NODE), (3, OK)]);
    let said = &round.errors(1)[0];
    assert!(said.contains("answers at 10.0.0.1:7070, and not ") && said.ends_with(", which was asked"), "{said}");
    assert!(offline(&rig).is_empty(), "somebody is there");
}

#[actix::test]
async fn an_answer_of_another_node_is_a_measurement_of_neither() {
    let setup = Setup::of(3);
    setup.servers.takes(3, Question::Retrieve, How::Another);
    setup.servers.takes(2, Question::Provide, How::Another);
    let rig = setup.play();
    let rounds = rig.rounds(2).await;
    assert_eq!(rounds[0].lookups(), [(2, OK), (3, WRONG_NODE)]);
    let wrong = rounds[0].attempts.iter().find(|attempt| attempt.node == NodeId(3)).unwrap();
    assert_eq!((wrong.result.routing_table_size, &wrong.result.steps[..]), (0, &[][..]), "nothing is taken over");
    assert_eq!(rounds[1].outcome(), RoundOutcome::ProvideFailed);
    assert_eq!(rounds[1].results(OperationKind::Provide), [(2, WRONG_NODE)]);
}

#[actix::test]
async fn a_server_of_another_make_does_not_say_who_answers_and_is_believed() {
    let setup = Setup::of(2);
    for question in [Question::Readiness, Question::Provide, Question::Retrieve] {
        setup.servers.takes(1, question, How::Anonymous);
        setup.servers.takes(2, question, How::Anonymous);
    }
    let rig = setup.play();
    assert_eq!(rig.rounds(1).await[0].lookups(), [(2, OK)]);
}

#[actix::test]
async fn of_two_nodes_at_one_address_the_newer_one_is_asked() {
    let setup = Setup::of(3);
    setup.store.change(|store| {
        let mut ghost = store.nodes[2].clone();
        ghost.id = NodeId(0);
        store.nodes.insert(0, ghost);
    });
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((counts(&round), round.lookups()), ((3, 3, 0), vec![(2, OK), (3, OK)]));
    assert_eq!(rig.servers.asked(Question::Readiness).len(), 3);
}

#[actix::test]
async fn a_lookup_in_a_servers_own_records_is_no_duration_of_the_dht() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::KnowsItself);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    let own = |attempt: &&parsec_measure::Attempt| attempt.result.from_own_records;
    assert_eq!(round.attempts.iter().filter(own).map(|attempt| attempt.node.0).collect::<Vec<_>>(), [2]);
    let labels = "operation=\"retrieve\",outcome=\"ok\",fleet=\"default\",region=\"eu-test-1\"";
    tells(&rig, &format!("parsec_attempt_duration_seconds_count{{{labels}}}"), 1);
}

#[actix::test]
async fn a_server_that_beats_is_not_marked_offline_because_we_cannot_reach_it() {
    let setup = Setup::of(3);
    setup.servers.takes(3, Question::Readiness, How::Unreachable);
    let rig = setup.play();
    let rounds = rig.rounds(4).await;
    assert_eq!((rounds[0].lookups(), counts(&rounds[0])), (vec![(2, OK), (3, UNREACHABLE)], (3, 2, 0)));
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete));
    assert_eq!(rig.store.read(|store| store.asked(Call::MarkOffline)), []);
    tells(&rig, "parsec_unreachable_nodes{fleet=\"default\"}", 1);
    // We keep it to ourselves: after the second failure it is asked less and less often.
    assert_eq!(
        rig.servers.asked(Question::Readiness).iter().filter(|asked| asked.server == crate::fakes::endpoint(3)).count(),
        3
    );
}

#[actix::test]
async fn once_it_is_silent_as_well_it_is_marked_offline() {
    let setup = Setup::of(4);
    setup.servers.takes(3, Question::Readiness, How::Unreachable);
    setup.store.change(|store| store.fall_silent([3]));
    let rig = setup.play();
    rig.store.until("node 3 is marked offline", |store| store.offline == [NodeId(3)]).await;
    assert!((secs(120)..=secs(180)).contains(&rig.began.elapsed()), "{:?}", rig.began.elapsed());
    rig.rounds(5).await;
    assert_eq!(offline(&rig), [3], "once");
    tells(&rig, "parsec_unreachable_nodes{fleet=\"default\"}", 0);
}

#[actix::test]
async fn a_server_that_died_in_the_middle_of_a_round_is_marked_offline_once_it_is_silent() {
    let setup = Setup::of(4);
    setup.servers.takes(3, Question::Retrieve, How::Unreachable);
    setup.store.change(|store| store.fall_silent([3]));
    let rig = setup.play();
    rig.store.until("node 3 is marked offline", |store| store.offline == [NodeId(3)]).await;
}

#[actix::test]
async fn a_silent_server_that_could_be_reached_takes_no_part_and_is_left_alone() {
    let setup = Setup::of(4);
    setup.store.change(|store| store.fall_silent([3]));
    let rig = setup.play();
    let rounds = rig.rounds(5).await;
    assert_eq!((counts(&rounds[0]), counts(&rounds[4])), ((4, 4, 0), (3, 3, 0)));
    assert!(offline(&rig).is_empty());
}

#[actix::test]
async fn when_the_database_can_be_read_and_not_written_rounds_go_on_with_those_that_answer() {
    let setup = Setup::of(4);
    setup.store.change(|store| store.fall_silent([1, 2, 3, 4]));
    for call in [Call::MarkOffline, Call::Record, Call::Heartbeat] {
        setup.store.takes(call, [], Mood::Full);
    }
    setup.servers.takes(4, Question::Readiness, How::Works);
    let rig = setup.play();
    rig.until_heard(10).await;
    let heard: Vec<_> = rig.finished.borrow().iter().map(|heard| heard.round.clone()).collect();
    let outcomes: Vec<_> = heard.iter().map(|round| (round.ended.unwrap().1, round.nodes_ready)).collect();
    assert_eq!(outcomes, [(RoundOutcome::Complete, 4); 10]);
    let without: Vec<_> = heard.iter().map(|round| (round.nodes_listed, round.nodes_without_heartbeat)).collect();
    assert_eq!((without[0], without[9]), ((4, 0), (0, 4)));
    tells(&rig, "parsec_nodes_without_heartbeat{fleet=\"default\"}", 4);
    tells(&rig, "parsec_ready_nodes{fleet=\"default\"}", 4);
}

#[actix::test]
async fn one_that_dies_meanwhile_takes_no_part_and_gets_no_rows() {
    let setup = Setup::of(4);
    setup.store.change(|store| store.fall_silent([1, 2, 3, 4]));
    let rig = setup.play();
    rig.rounds(4).await;
    rig.servers.takes(4, Question::Readiness, How::Unreachable);
    let rounds = rig.rounds(6).await;
    let Played { round, attempts } = &rounds[5];
    assert_eq!((round.nodes_listed, round.nodes_ready, attempts.len()), (0, 3, 3));
    assert_eq!(offline(&rig), [4], "the database can say so here: it is silent, and nobody is there");
}

#[actix::test]
async fn another_node_at_the_address_of_a_silent_one_is_no_sign_of_life() {
    let setup = Setup::of(4);
    setup.store.change(|store| store.fall_silent([1, 2, 3, 4]));
    setup.servers.takes(4, Question::Readiness, How::Another);
    let rig = setup.play();
    assert_eq!(counts(&rig.rounds(5).await[4]), (0, 3, 3));
}

#[actix::test]
async fn after_a_jump_of_the_clock_each_node_is_there_until_it_beats_again() {
    let rig = Setup::of(4).play();
    rig.rounds(2).await;
    // The clock is an hour ahead of itself: every heartbeat is an hour old, and new ones come one after the other.
    rig.store.change(|store| store.fall_silent([1, 2, 3, 4]));
    sleep(secs(3_600)).await;
    for beat in [&[1][..], &[2, 3], &[4]] {
        rig.rounds(rig.played().len() + 1).await;
        rig.store.change(|store| store.beats.retain(|node, _| !beat.contains(&node.0)));
    }
    let rounds = rig.rounds(rig.played().len() + 2).await;
    assert!(rounds.iter().all(|round| (round.round.nodes_ready, round.outcome()) == (4, RoundOutcome::Complete)));
    assert_eq!(counts(rounds.last().unwrap()), (4, 4, 0));
}

#[actix::test]
async fn a_whole_fleet_that_died_makes_no_rounds() {
    let setup = Setup::of(3);
    setup.store.change(|store| store.fall_silent([1, 2, 3]));
    let rig = setup.play();
    rig.rounds(1).await;
    for node in [1, 2, 3] {
        rig.servers.takes(node, Question::Readiness, How::Unreachable);
    }
    let rounds = rig.rounds(8).await;
    assert_eq!(rounds[7].outcome(), RoundOutcome::TooFewNodes);
    let mut gone = offline(&rig);
    gone.sort_unstable();
    assert_eq!(gone, [1, 2, 3]);
}

#[actix::test]
async fn the_list_tells_how_far_the_clock_of_the_database_is_from_ours() {
    let setup = Setup::of(2);
    setup.store.change(|store| store.clock_skew = TimeDelta::seconds(133));
    let rig = setup.play();
    rig.rounds(1).await;
    tells(&rig, "parsec_clock_skew_seconds", 133);
}

#[actix::test]
async fn another_scheduler_that_publishes_with_the_same_fleets_is_counted_and_nothing_waits_for_that() {
    let setup = Setup::of(2);
    let others = [1, 7].map(|id| OtherScheduler { id: SchedulerId(id), fleets: vec!["default".to_owned()] });
    setup.store.change(|store| store.others = others.to_vec());
    setup.store.takes(Call::OtherSchedulers, [Mood::Hangs], Mood::Works);
    let rig = setup.play();
    rig.rounds(3).await;
    assert!(rig.began.elapsed() < 3 * INTERVAL);
    // It is number 1 itself.
    tells(&rig, "parsec_other_schedulers{fleet=\"default\"}", 1);
}
