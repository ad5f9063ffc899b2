//! A server that fails again and again harms nobody: it is left out for a while, and the others go on in turn.

use parsec_measure::{OutcomeClass, RoundOutcome};

use crate::fakes::{How, Question, counted, secs};
use crate::rig::{Played, Setup};

const BROKEN: OutcomeClass = OutcomeClass::ServerError;

/// In which of the rounds the node looked something up: `#` it was asked, `.` it was left out, blank it published.
fn asked(rounds: &[Played], node: i32) -> String {
    let in_round = |round: &Played| {
        let errors = round.errors(node);
        match errors.first() {
            _ if round.provider() == Some(node) => ' ',
            Some(error) if error.starts_with("not asked") => '.',
            _ => '#',
        }
    };
    rounds.iter().map(in_round).collect()
}

#[actix::test]
async fn a_server_that_answers_nonsense_is_asked_less_and_less_and_has_a_row_each_time() {
    let setup = Setup::of(8);
    setup.servers.takes(8, Question::Retrieve, How::OtherContent);
    let rig = setup.play();
    let rounds = rig.rounds(13).await;
    assert_eq!(asked(&rounds[..7], 8), "##.#..#");
    assert!(rounds[..7].iter().all(|round| round.lookups().contains(&(8, BROKEN))));
    let error = rounds[2].errors(8).remove(0);
    assert!(error.starts_with("not asked: it failed in 2 rounds in a row, last: the server answered for"), "{error}");
    assert!(error.ends_with("left out of 1 more"), "{error}");
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete && round.attempts.len() == 8));
}

#[actix::test]
async fn it_is_back_in_its_turn_when_it_works_again() {
    let setup = Setup::of(3);
    setup.servers.takes(3, Question::Retrieve, How::OtherContent);
    let rig = setup.play();
    rig.rounds(2).await;
    assert!((counted(&rig.metrics, "parsec_nodes_left_out{fleet=\"default\"}")).abs() < f64::EPSILON);
    rig.rounds(3).await;
    assert!((counted(&rig.metrics, "parsec_nodes_left_out{fleet=\"default\"}") - 1.0).abs() < f64::EPSILON);
    rig.servers.takes(3, Question::Retrieve, How::Works);
    let rounds = rig.rounds(9).await;
    // It should have published in the third round, and does so as soon as it takes part.
    let providers: Vec<_> = rounds.iter().map(|round| round.provider().unwrap()).collect();
    assert_eq!(providers, [1, 2, 1, 3, 2, 1, 3, 2, 1]);
    assert!((counted(&rig.metrics, "parsec_nodes_left_out{fleet=\"default\"}")).abs() < f64::EPSILON);
}

#[actix::test]
async fn nobody_is_left_out_if_too_few_would_remain() {
    let setup = Setup::of(2);
    setup.servers.takes(2, Question::Retrieve, How::OtherContent);
    setup.servers.takes(1, Question::Retrieve, How::OtherContent);
    let rig = setup.play();
    let rounds = rig.rounds(8).await;
    assert!(rounds.iter().all(|round| round.outcome() == RoundOutcome::Complete), "{rounds:?}");
    assert!(rounds.iter().all(|round| round.attempts.len() == 2));
}

#[actix::test]
async fn one_that_dies_between_readiness_and_publication_fails_that_round_alone() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Unreachable);
    setup.store.change(|store| store.fall_silent([1]));
    let rig = setup.play();
    let rounds = rig.rounds(4).await;
    let outcomes: Vec<_> = rounds.iter().map(|round| round.outcome()).collect();
    let (failed, whole) = (RoundOutcome::ProvideFailed, RoundOutcome::Complete);
    assert_eq!(outcomes, [failed, whole, whole, whole]);
}

#[actix::test]
async fn a_fleet_begins_within_its_jitter_and_stays_on_its_grid() {
    let setup = Setup { jitter: secs(6), seed: Some(3), ..Setup::of(3) };
    let rig = setup.play();
    rig.rounds(3).await;
    let musters = rig.musters();
    assert!(musters[0] < 6, "{musters:?}");
    assert_eq!((musters[1] - musters[0], musters[2] - musters[1]), (60, 60));
}
