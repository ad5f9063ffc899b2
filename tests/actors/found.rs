//! Whom a lookup found, compared with who had published.

use parsec_measure::{Attempt, OperationKind, OutcomeClass, RoundOutcome, WhyKept};

use crate::fakes::{Finds, How, LIAR, Question, STRANGER, counted, peer_id};
use crate::rig::{INTERVAL, Rig, Setup};

const OK: OutcomeClass = OutcomeClass::Ok;

/// Five nodes look up what the first one has published; each says another thing of whom it found.
fn five_finders() -> Rig {
    let setup = Setup::of(6);
    for (node, how) in [
        (2, How::Says(Finds::Publisher)),
        (3, How::Says(Finds::Stranger)),
        (4, How::Says(Finds::Both)),
        (5, How::Works),
        (6, How::Measures(OutcomeClass::NotFound)),
    ] {
        setup.servers.takes(node, Question::Retrieve, how);
    }
    setup.play()
}

async fn first_round(rig: &Rig) -> Vec<Attempt> {
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.outcome(), RoundOutcome::Complete);
    round.attempts
}

#[actix::test]
async fn a_stranger_alone_is_the_wrong_provider_and_who_does_not_say_whom_it_found_is_believed() {
    let rig = five_finders();
    let mut verdicts: Vec<_> = first_round(&rig)
        .await
        .into_iter()
        .map(|attempt| (attempt.node.0, attempt.result.class, attempt.result.found_publisher))
        .collect();
    verdicts.sort_by_key(|(node, ..)| *node);
    assert_eq!(
        verdicts,
        [
            (1, OK, None),
            (2, OK, Some(true)),
            (3, OutcomeClass::WrongProvider, Some(false)),
            (4, OK, Some(true)),
            (5, OK, None),
            (6, OutcomeClass::NotFound, None),
        ]
    );
}

#[actix::test]
async fn the_row_says_who_the_stranger_is_and_keeps_its_time_and_its_trace() {
    let rig = five_finders();
    let attempts = first_round(&rig).await;
    let [found, wrong] = [2, 3].map(|node| attempts.iter().find(|attempt| attempt.node.0 == node).unwrap());
    let error = wrong.result.error.as_deref().unwrap();
    for part in [
        format!("provided by {} (so says {})", peer_id(STRANGER), peer_id(LIAR)),
        format!("not by the publisher {}", peer_id(1)),
    ] {
        assert!(error.contains(&part), "{error}");
    }
    assert_eq!((wrong.result.duration, wrong.result.routing_table_size), (found.result.duration, 202));
    assert!(wrong.result.steps.iter().all(|step| step.error.is_none()), "the server measured a success");
    assert_eq!((wrong.why_kept, wrong.result.trace.is_some()), (Some(WhyKept::Failed), true));
    assert_eq!((found.why_kept, found.result.trace.is_some()), (None, false));
}

#[actix::test]
async fn it_is_counted_under_its_name_and_the_server_counts_as_one_that_answered() {
    let rig = five_finders();
    first_round(&rig).await;
    let labels = "operation=\"retrieve\",outcome=\"wrong_provider\",fleet=\"default\",region=\"eu-test-1\"";
    for (series, value) in [
        (format!("parsec_attempt_duration_seconds_count{{{labels}}}"), 1.0),
        ("parsec_issued_retrievals{success=\"true\"}".to_owned(), 5.0),
        ("parsec_issued_retrievals{success=\"false\"}".to_owned(), 0.0),
    ] {
        assert!((counted(&rig.metrics, &series) - value).abs() < f64::EPSILON, "{series}");
    }
}

#[actix::test]
async fn a_server_that_is_lied_to_again_and_again_is_not_at_fault_itself() {
    let setup = Setup::of(2);
    setup.servers.takes(2, Question::Retrieve, How::Says(Finds::Stranger));
    setup.servers.takes(1, Question::Retrieve, How::Says(Finds::Stranger));
    let rig = setup.play();
    for round in rig.rounds(5).await {
        let [(_, class)] = round.results(OperationKind::Retrieve)[..] else { panic!("{:?}", round.attempts) };
        assert_eq!((class, round.round.nodes_ready), (OutcomeClass::WrongProvider, 2));
    }
    assert!(rig.began.elapsed() < 6 * INTERVAL);
}
