//! A round when all is well: who publishes, who looks it up, and which rows it leaves.

use std::collections::BTreeSet;

use parsec_measure::{NodeId, OperationKind, OutcomeClass, RoundOutcome, SchedulerId};
use parsec_store::UnusableNode;

use crate::fakes::{How, Question, counted, secs};
use crate::rig::{INTERVAL, Setup};

const OK: OutcomeClass = OutcomeClass::Ok;

#[actix::test]
async fn one_node_publishes_and_each_other_one_looks_it_up() {
    let rig = Setup::of(3).play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!((round.outcome(), round.provider()), (RoundOutcome::Complete, Some(1)));
    assert_eq!(round.results(OperationKind::Provide), [(1, OK)]);
    assert_eq!(round.lookups(), [(2, OK), (3, OK)]);
    assert_eq!((round.round.nodes_listed, round.round.nodes_ready, round.round.skipped_before), (3, 3, 0));
}

#[actix::test]
async fn each_attempt_has_one_row_that_names_round_scheduler_and_key() {
    let rig = Setup::of(4).play();
    let rounds = rig.rounds(3).await;
    for round in &rounds {
        assert_eq!(round.attempts.len(), 4);
        let keys: BTreeSet<_> = round.attempts.iter().map(|attempt| attempt.cid.clone()).collect();
        assert_eq!(keys.len(), 1, "one key to a round");
        assert!(round.attempts.iter().all(|attempt| attempt.scheduler == SchedulerId(1)));
        assert!(
            round.attempts.iter().all(|attempt| attempt.started <= attempt.ended && attempt.result.error.is_none())
        );
    }
    let keys: BTreeSet<_> = rounds.iter().map(|round| round.attempts[0].cid.clone()).collect();
    let ids: BTreeSet<_> = rounds.iter().flat_map(|round| &round.attempts).map(|attempt| attempt.id).collect();
    assert_eq!((keys.len(), ids.len()), (3, 12));
    assert_eq!(rig.store.read(|store| store.attempts().len()), 12, "no attempt without a round");
}

#[actix::test]
async fn a_round_is_recorded_when_it_begins_and_when_it_ends() {
    let setup = Setup::of(2);
    setup.servers.takes(2, Question::Retrieve, How::Hangs);
    let rig = setup.play();
    rig.store.until("the publication is recorded", |store| store.attempts().len() == 1).await;
    let (begun, ended) = rig.store.read(|store| (store.begun(), store.ended()));
    assert_eq!((begun.len(), ended.len()), (1, 0));
    rig.servers.takes(2, Question::Retrieve, How::Works);
    let round = rig.rounds(1).await.remove(0).round;
    assert_eq!(begun[0], parsec_measure::Round { ended: None, ..round });
}

#[actix::test]
async fn rows_that_no_node_can_be_made_of_stop_nobody() {
    let rig = Setup::of(3).play();
    rig.store.change(|store| {
        store.unusable = vec![UnusableNode { id: NodeId(9), reason: "server_port is 0".to_owned() }];
    });
    for round in rig.rounds(3).await {
        assert_eq!((round.outcome(), round.attempts.len()), (RoundOutcome::Complete, 3));
        assert_eq!((round.round.nodes_listed, round.round.nodes_ready), (3, 3));
    }
}

#[actix::test]
async fn publishing_goes_round() {
    let rig = Setup::of(3).play();
    let providers: Vec<_> = rig.rounds(7).await.iter().map(|round| round.provider().unwrap()).collect();
    assert_eq!(providers, [1, 2, 3, 1, 2, 3, 1]);
}

#[actix::test]
async fn lookups_begin_together_once_the_publication_has_ended() {
    let setup = Setup::of(3);
    setup.servers.takes(1, Question::Provide, How::Slow(secs(20)));
    setup.servers.takes(2, Question::Retrieve, How::Slow(secs(5)));
    let rig = setup.play();
    rig.rounds(1).await;
    let begun: Vec<_> =
        rig.servers.asked(Question::Retrieve).iter().map(|asked| (asked.at - rig.began).as_secs()).collect();
    assert_eq!(begun, [20, 20]);
}

#[actix::test]
async fn each_node_probes_as_often_as_told_one_look_after_the_other() {
    let setup = Setup { probes: 3, ..Setup::of(3) };
    setup.servers.takes(2, Question::Retrieve, How::Slow(secs(4)));
    let rig = setup.play();
    let round = rig.rounds(1).await.remove(0);
    assert_eq!(round.lookups(), [(2, OK), (2, OK), (2, OK), (3, OK), (3, OK), (3, OK)]);
    let of_node = |node| round.attempts.iter().filter(move |attempt| attempt.node.0 == node);
    assert_eq!(of_node(3).map(|attempt| attempt.probe).collect::<Vec<_>>(), [0, 1, 2]);
    let asked = rig.servers.asked(Question::Retrieve);
    let begun: Vec<_> = asked.iter().filter(|asked| asked.server == crate::fakes::endpoint(2)).collect();
    assert_eq!(begun.iter().map(|asked| (asked.at - rig.began).as_secs()).collect::<Vec<_>>(), [0, 4, 8]);
}

#[actix::test]
async fn servers_are_told_who_asks_and_for_what() {
    let rig = Setup { fleets: "default+optprov", ..Setup::with([(1, "default"), (2, "optprov")]) }.play();
    let round = rig.rounds(1).await.remove(0);
    for question in [Question::Provide, Question::Retrieve] {
        let asked = rig.servers.asked(question).remove(0);
        assert_eq!((asked.scheduler.as_str(), &asked.cid), ("default,optprov", &round.attempts[0].cid));
    }
}

#[actix::test]
async fn servers_are_told_under_which_attempt_their_answer_is_recorded() {
    let rig = Setup { probes: 2, ..Setup::of(3) }.play();
    let round = rig.rounds(1).await.remove(0);
    let asked = [Question::Provide, Question::Retrieve].map(|question| rig.servers.asked(question)).concat();
    let asked: BTreeSet<_> = asked.iter().map(|asked| (asked.server.to_string(), asked.attempt.unwrap())).collect();
    let recorded = round.attempts.iter().map(|attempt| {
        let node = u8::try_from(attempt.node.0).unwrap();
        (crate::fakes::endpoint(node).to_string(), attempt.id)
    });
    assert_eq!((asked.len(), &asked), (5, &recorded.collect()));
}

#[actix::test]
async fn a_group_of_two_fleets_is_one_loop_over_the_nodes_of_both() {
    let nodes = [(1, "default"), (2, "optprov"), (3, "elsewhere")];
    let rig = Setup { fleets: "default+optprov", ..Setup::with(nodes) }.play();
    let rounds = rig.rounds(2).await;
    assert_eq!(rounds[0].lookups(), [(2, OK)]);
    assert_eq!(rounds[1].lookups(), [(1, OK)]);
    assert_eq!(rig.store.read(|store| store.schedulers.len()), 1);
}

#[actix::test]
async fn the_same_seed_publishes_the_same_content() {
    let mut keys = Vec::new();
    for seed in [Some(7), Some(7), Some(8), None, None] {
        let rig = Setup { seed, ..Setup::of(2) }.play();
        keys.push(rig.rounds(1).await[0].attempts[0].cid.clone());
        // The next setup stops the clock itself.
        tokio::time::resume();
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>().len(), 4);
}

#[actix::test]
async fn a_watcher_hears_of_every_round_with_its_attempts() {
    let rig = Setup::of(3).play();
    rig.until_heard(2).await;
    let rounds = rig.rounds(2).await;
    let heard = rig.finished.borrow();
    for (heard, round) in heard.iter().zip(rounds) {
        assert_eq!((&heard.round, heard.group.to_string().as_str()), (&round.round, "default"));
        assert!(heard.attempts.iter().all(|(node, attempt)| node.id == attempt.node));
        let attempts: Vec<_> = heard.attempts.iter().map(|(_, attempt)| attempt.clone()).collect();
        assert_eq!(attempts, round.attempts);
    }
}

#[actix::test]
async fn what_was_asked_for_is_counted() {
    let setup = Setup::of(5);
    setup.servers.takes(3, Question::Retrieve, How::Measures(OutcomeClass::Timeout));
    setup.servers.takes(4, Question::Retrieve, How::Unreachable);
    setup.servers.takes(5, Question::Readiness, How::NotReady);
    let rig = setup.play();
    rig.rounds(1).await;
    let attempts = |operation: &str, outcome: &str| {
        let labels = format!("operation=\"{operation}\",outcome=\"{outcome}\",fleet=\"default\",region=\"eu-test-1\"");
        counted(&rig.metrics, &format!("parsec_attempt_duration_seconds_count{{{labels}}}"))
    };
    assert!((attempts("provide", "ok") - 1.0).abs() < f64::EPSILON);
    for outcome in ["ok", "timeout", "server_unreachable", "server_not_ready"] {
        assert!((attempts("retrieve", outcome) - 1.0).abs() < f64::EPSILON, "{outcome}");
    }
    for (series, value) in [
        ("parsec_issued_provides{success=\"true\"}", 1.0),
        ("parsec_issued_provides{success=\"false\"}", 0.0),
        // A search that failed was answered all the same. Who is not ready is not asked.
        ("parsec_issued_retrievals{success=\"true\"}", 2.0),
        ("parsec_issued_retrievals{success=\"false\"}", 1.0),
        ("parsec_active_nodes", 4.0),
        ("parsec_ready_nodes{fleet=\"default\"}", 4.0),
        ("parsec_rounds_total{outcome=\"complete\",fleet=\"default\"}", 1.0),
        ("parsec_rounds_total{outcome=\"provide_failed\",fleet=\"default\"}", 0.0),
        ("parsec_recorder_rows_written_total", 7.0),
    ] {
        assert!((counted(&rig.metrics, series) - value).abs() < f64::EPSILON, "{series}");
    }
}

#[actix::test]
async fn how_late_a_round_began_is_shown() {
    let rig = Setup::of(3).play();
    let late = || counted(&rig.metrics, "parsec_round_lateness_seconds{fleet=\"default\"}");
    rig.rounds(1).await;
    assert!(late() < 0.01, "{} s", late());
    rig.servers.takes(3, Question::Retrieve, How::Slow(INTERVAL * 3 / 2));
    // The third is due in the middle of the second.
    rig.rounds(2).await;
    rig.servers.takes(3, Question::Retrieve, How::Works);
    rig.rounds(3).await;
    assert!((late() - INTERVAL.as_secs_f64() / 2.0).abs() < 0.01, "{} s", late());
}

#[actix::test]
async fn two_groups_play_each_for_itself() {
    let nodes = [(1, "default"), (2, "default"), (3, "optprov"), (4, "optprov")];
    let setup = Setup { fleets: "default,optprov", ..Setup::with(nodes) };
    setup.servers.takes(2, Question::Retrieve, How::Hangs);
    let rig = setup.play();
    let rounds = rig.rounds(5).await;
    assert!(rounds.iter().all(|round| round.round.fleets.to_string() == "optprov"));
    assert!(rig.began.elapsed() < 5 * INTERVAL);
    let providers: Vec<_> = rounds.iter().map(|round| round.provider().unwrap()).collect();
    assert_eq!(providers, [3, 4, 3, 4, 3]);
    rig.servers.takes(2, Question::Retrieve, How::Works);
    let rounds = rig.rounds(6).await;
    let late = rounds.iter().find(|round| round.round.fleets.to_string() == "default").unwrap();
    assert_eq!((late.provider(), late.lookups()), (Some(1), vec![(2, OK)]));
    let schedulers: BTreeSet<_> = rounds.iter().map(|round| round.round.scheduler.0).collect();
    assert_eq!(schedulers.len(), 2, "each loop has a row of its own");
}
