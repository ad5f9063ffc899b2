//! A round when something fails: each attempt still has its row, with the reason, and the others go on.

use parsec_measure::{NodeId, OperationKind, OutcomeClass, RoundOutcome};

use crate::fakes::{How, Question, counted, secs};
use crate::rig::Setup;

const OK: OutcomeClass = OutcomeClass::Ok;

#[actix::test]
async fn an_unreachable_server_gets_a_row_and_the_round_goes_on() {
    let setup = Setup::of(4);
    setup.servers.takes(2, Question::Readiness, How::Unreachable);
    let rig = setup.play();
    let rounds = rig.rounds(2).await;
    let first = &rounds[0];
    assert_eq!(first.outcome(), RoundOutcome::Complete);
    assert_eq!(first.lookups(), [(2, OutcomeClass::ServerUnreachable), (3, OK), (4, OK)]);
    assert_eq!((first.round.nodes_listed, first.round.nodes_ready), (4, 3));
    assert_eq!(first.errors(2), ["the server could not be reached: gone, as ordered"]);
}

#[actix::test]
async fn the_row_of_a_node_that_was_left_out_names_the_key_that_it_should_have_looked_up() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Readiness, How::Unreachable);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert!(round.attempts.iter().all(|attempt| attempt.cid == round.attempts[0].cid), "{round:?}");
}

#[actix::test]
async fn a_server_that_goes_away_during_the_round_gets_a_row_too() {
    let setup = Setup::of(3);
    setup.servers.takes(3, Question::Retrieve, How::Unreachable);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.outcome(), RoundOutcome::Complete);
    assert_eq!(round.lookups(), [(2, OK), (3, OutcomeClass::ServerUnreachable)]);
}

#[actix::test]
async fn a_server_that_is_not_ready_gets_a_row_with_its_reason_and_stays_listed() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Readiness, How::NotReady);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.provider(), Some(2));
    assert_eq!(round.lookups(), [(1, OutcomeClass::ServerNotReady), (3, OK)]);
    assert_eq!(round.errors(1), ["the server is not ready: not ready, as ordered"]);
    assert!(rig.store.read(|store| store.offline.is_empty()));
}

#[actix::test]
async fn without_a_publication_there_is_nothing_to_look_up() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Measures(OutcomeClass::Timeout));
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((round.outcome(), round.provider()), (RoundOutcome::ProvideFailed, Some(1)));
    assert_eq!(round.results(OperationKind::Provide), [(1, OutcomeClass::Timeout)]);
    assert_eq!(round.lookups(), []);
    assert_eq!(rig.servers.asked(Question::Retrieve), []);
}

#[actix::test]
async fn a_provider_that_goes_away_fails_the_publication() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Unreachable);
    let rig = setup.play();
    let rounds = rig.rounds(2).await;
    assert_eq!(rounds[0].outcome(), RoundOutcome::ProvideFailed);
    assert_eq!(rounds[0].results(OperationKind::Provide), [(1, OutcomeClass::ServerUnreachable)]);
    assert_eq!((rounds[1].outcome(), rounds[1].provider()), (RoundOutcome::Complete, Some(2)));
}

#[actix::test]
async fn a_failed_publication_uses_up_the_turn() {
    let setup = Setup::of(2);
    setup.servers.takes(1, Question::Provide, How::Measures(OutcomeClass::Timeout));
    let rig = setup.play();
    let providers: Vec<_> = rig.rounds(4).await.iter().map(|round| round.provider().unwrap()).collect();
    assert_eq!(providers, [1, 2, 1, 2]);
}

#[actix::test]
async fn a_lookup_that_fails_is_a_result() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::Measures(OutcomeClass::NotFound));
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.outcome(), RoundOutcome::Complete);
    assert_eq!(round.lookups(), [(2, OutcomeClass::NotFound), (3, OK)]);
}

#[actix::test]
async fn an_answer_for_something_else_is_credited_to_nobody() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Retrieve, How::OtherContent);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.lookups(), [(2, OutcomeClass::ServerError), (3, OK)]);
    let wrong = round.attempts.iter().find(|attempt| attempt.node == NodeId(2)).unwrap();
    assert_eq!(wrong.cid, round.attempts[0].cid, "the row names what was asked for");
    assert_eq!(wrong.result.routing_table_size, 0, "nothing of the answer is taken over");
    assert!(round.errors(2)[0].ends_with("which is not what it was asked for"), "{round:?}");
}

#[actix::test]
async fn a_publication_of_something_else_has_failed() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::OtherContent);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((round.outcome(), round.lookups()), (RoundOutcome::ProvideFailed, vec![]));
}

#[actix::test]
async fn a_provider_may_write_the_key_as_version_one_and_the_others_look_that_up() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::VersionOne);
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((round.outcome(), round.lookups()), (RoundOutcome::Complete, vec![(2, OK), (3, OK)]));
    let (published, looked_up) = (rig.servers.asked(Question::Provide), rig.servers.asked(Question::Retrieve));
    assert!(published[0].cid.starts_with("Qm") && looked_up[0].cid.starts_with("bafk"), "{looked_up:?}");
}

#[actix::test]
async fn a_hanging_server_holds_back_no_row_of_the_others() {
    let setup = Setup::of(4);
    setup.servers.takes(3, Question::Retrieve, How::Hangs);
    let rig = setup.play();
    rig.store.until("the rows of the others are there", |store| store.attempts().len() == 3).await;
    assert!(rig.began.elapsed() < secs(1));
    assert_eq!(rig.played().len(), 0, "the round goes on");
    rig.servers.takes(3, Question::Retrieve, How::Works);
    assert_eq!(rig.rounds(1).await[0].lookups(), [(2, OK), (3, OK), (4, OK)]);
}

#[actix::test]
async fn too_few_nodes_make_a_round_without_attempts_and_use_up_no_turn() {
    let setup = Setup::of(3);
    setup.servers.takes(2, Question::Readiness, How::NotReady);
    setup.servers.takes(3, Question::Readiness, How::NotReady);
    let rig = setup.play();
    let rounds = rig.rounds(2).await;
    for round in &rounds {
        assert_eq!((round.outcome(), round.provider()), (RoundOutcome::TooFewNodes, None));
        assert_eq!((round.round.nodes_listed, round.round.nodes_ready, round.attempts.len()), (3, 1, 0));
    }
    assert!((counted(&rig.metrics, "parsec_ready_nodes{fleet=\"default\"}") - 1.0).abs() < f64::EPSILON);
    rig.servers.takes(2, Question::Readiness, How::Works);
    rig.servers.takes(3, Question::Readiness, How::Works);
    let providers: Vec<_> = rig.rounds(5).await[2..].iter().map(|round| round.provider().unwrap()).collect();
    assert_eq!(providers, [1, 2, 3]);
}

#[actix::test]
async fn a_fleet_without_nodes_waits_for_some() {
    let rig = Setup::of(0).play();
    assert_eq!(rig.rounds(1).await[0].outcome(), RoundOutcome::TooFewNodes);
    rig.store.change(|store| store.nodes = [1, 2].map(|id| crate::fakes::node(id, "default")).to_vec());
    assert_eq!(rig.rounds(2).await[1].outcome(), RoundOutcome::Complete);
}
