//! Books that agree, and each way in which they do not: a judge who never complains proves nothing.

use super::*;
use serde_json::json;

const RULES: Rules = Rules { interval: Duration::from_secs(1), probes: 2, lost: 0 };

fn round(id: &str, due: f64, outcome: &str) -> RoundRow {
    RoundRow {
        id: id.to_owned(),
        scheduler: 1,
        fleets: "default".to_owned(),
        listed: 3,
        ready: 2,
        without_heartbeat: 0,
        skipped: 0,
        due,
        started: due,
        ended: Some(due + 0.1),
        outcome: Some(outcome.to_owned()),
    }
}

fn operation(id: &str, round: &str, (node, kind, probe): (i32, &str, i32), outcome: &str) -> OperationRow {
    let measurement =
        MEASURED.contains(&outcome).then(|| id.len() as i32 + node * 10 + probe + round.len() as i32 * 100);
    OperationRow {
        id: id.to_owned(),
        round: round.to_owned(),
        node,
        kind: kind.to_owned(),
        probe,
        outcome: outcome.to_owned(),
        measurement,
        from_own_records: false,
    }
}

/// A complete round of three nodes, one of which is not ready, and one whose publication failed.
fn agreed() -> (Said, Books) {
    let operations = vec![
        operation("a1", "r1", (1, "provide", 0), "ok"),
        operation("a2", "r1", (2, "retrieve", 0), "ok"),
        operation("a3", "r1", (2, "retrieve", 1), "not_found"),
        operation("a4", "r1", (3, "retrieve", 0), "server_unreachable"),
        operation("a5", "r2", (2, "provide", 0), "server_error"),
    ];
    let measurements = |kind: &str| {
        operations.iter().filter(|row| row.kind == kind).filter_map(|row| row.measurement).collect::<BTreeSet<_>>()
    };
    let (provides, retrievals) = (measurements("provide"), measurements("retrieve"));
    let mut said = Said::default();
    let line = |row: &OperationRow| {
        json!({"message": "attempt ended", "attempt": row.id, "outcome": row.outcome,
               "spans": [{"name": "round", "round": row.round}, {"name": "operation", "kind": row.kind}]})
    };
    said.by_scheduler(&operations.iter().map(line).collect::<Vec<_>>());
    said.by_server(&[json!({"message": "measured", "spans": [{"attempt": "a1"}]}), json!({"message": "measured"})]);
    let rounds = vec![round("r1", 10.0, "complete"), round("r2", 11.0, "provide_failed")];
    let request = json!({"peer": "p", "kind": "FIND_NODE", "hop": 0, "common_prefix": 3, "asked": 1, "connected": 2,
                         "written": 3, "ended": 4, "end": "answered"});
    let traces = vec![("a1".to_owned(), json!({"strategy": "classic", "returned": 5, "requests": [request]}))];
    (said, Books { rounds, operations, provides, retrievals, traces })
}

fn complaint(change: impl FnOnce(&mut Said, &mut Books)) -> String {
    let (mut said, mut books) = agreed();
    change(&mut said, &mut books);
    disagreements(&said, &books, RULES).join("\n")
}

#[test]
fn books_that_agree_give_no_cause_for_complaint() {
    assert_eq!(complaint(|_, _| {}), "");
}

#[test]
fn a_trace_that_cannot_be_true_or_is_none_is_found() {
    let late = |_: &mut Said, books: &mut Books| books.traces[0].1["requests"][0]["connected"] = json!(4);
    assert_eq!(complaint(late), "trace of attempt a1: request 0 (FIND_NODE to p): `connected` is after `written`");
    let none = |_: &mut Said, books: &mut Books| books.traces[0].1 = json!({"strategy": "classic"});
    assert!(complaint(none).starts_with("trace of attempt a1 is none: "));
}

#[test]
fn an_attempt_without_a_row_or_with_two_or_with_another_outcome_is_found() {
    assert!(complaint(|_, books| drop(books.operations.remove(1))).contains("attempt a2 ended (ok) and has no row"));
    let twice = |_: &mut Said, books: &mut Books| books.operations.push(books.operations[4].clone());
    assert!(complaint(twice).contains("attempt a5 has two rows"));
    assert!(complaint(|_, books| books.operations[4].outcome = "timeout".into()).contains("attempt a5 was said to be"));
    let only_measured = |said: &mut Said, _: &mut Books| said.measured.extend(["a9".to_owned()]);
    assert!(complaint(only_measured).contains("a server measured attempt a9"));
    assert!(complaint(|said, _| drop(said.attempts.remove("a5"))).contains("nobody said that attempt a5 ended"));
}

#[test]
fn the_attempts_of_a_process_that_was_killed_are_lost_and_their_round_must_not_look_whole() {
    let killed = |outcome: &str| {
        complaint(|said, books| {
            said.attempts.remove("a4");
            books.operations[3].outcome = LOST.to_owned();
            books.rounds[0].outcome = Some(outcome.to_owned());
        })
    };
    assert_eq!(killed("interrupted"), "");
    assert!(killed("complete").contains("round r1 looks whole"));
}

#[test]
fn measurements_belong_to_one_attempt_each() {
    assert!(
        complaint(|_, books| books.operations[0].measurement = None).contains("attempt a1 was measured, and has no")
    );
    assert!(complaint(|_, books| books.operations[4].measurement = Some(7)).contains("attempt a5 was not measured"));
    let twice = |_: &mut Said, books: &mut Books| books.operations[2].measurement = books.operations[1].measurement;
    assert!(complaint(twice).contains("belongs to two attempts"));
    assert!(complaint(|_, books| books.retrievals.extend([9_999])).contains("retrieve 9999 belongs to no attempt"));
}

#[test]
fn rounds_have_an_end_and_the_attempts_that_it_takes() {
    assert!(complaint(|_, books| books.rounds[0].outcome = None).contains("has 4 attempts"));
    assert!(complaint(|_, books| books.rounds[0].ready = 3).contains("a complete one would have 5"));
    assert!(complaint(|_, books| drop(books.rounds.remove(1))).contains("round r2 has 1 attempts and no row"));
    let twice = |said: &mut Said, books: &mut Books| {
        let again = OperationRow { id: "a6".into(), measurement: None, ..books.operations[3].clone() };
        said.attempts.insert("a6".into(), said.attempts["a4"].clone());
        books.operations.push(again);
    };
    assert!(complaint(twice).contains("in round r1 one part was played twice"));
}

#[test]
fn a_round_that_is_missing_is_found_unless_it_was_left_out() {
    let late = |skipped| {
        complaint(|_, books| {
            books.rounds[1].due = 13.02;
            books.rounds[1].skipped = skipped;
        })
    };
    assert_eq!(late(2), "");
    assert!(late(0).contains("loop 1: after 1 rounds"));
}

#[test]
fn as_many_rows_may_be_missing_as_a_disk_is_said_to_have_lost() {
    let (said, mut books) = agreed();
    books.operations.retain(|row| row.id != "a1");
    books.provides.clear();
    assert!(!disagreements(&said, &books, RULES).is_empty());
    assert_eq!(disagreements(&said, &books, Rules { lost: 1, ..RULES }), Vec::<String>::new());
    books.operations.retain(|row| row.id != "a5");
    assert!(!disagreements(&said, &books, Rules { lost: 1, ..RULES }).is_empty());
}

#[test]
fn a_round_whose_only_row_is_lost_leaves_its_place_on_the_grid() {
    let (said, mut books) = agreed();
    books.rounds[1].due = 12.0;
    assert!(!disagreements(&said, &books, RULES).is_empty());
    assert_eq!(disagreements(&said, &books, Rules { lost: 1, ..RULES }), Vec::<String>::new());
    books.rounds[1].due = 13.0;
    assert!(!disagreements(&said, &books, Rules { lost: 1, ..RULES }).is_empty());
}
