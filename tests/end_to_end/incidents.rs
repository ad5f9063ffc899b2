//! `parsec incidents`, asked of databases in which something happened.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{NodeId, OperationKind, OutcomeClass, Round, RoundOutcome, SchedulerId};
use parsec_store::{Row, Store};
use serde_json::Value;

use crate::process::{Ended, ask};
use crate::recorded::{self, identity, measured, node};
use crate::stage::Stage;

/// One round a minute, the last one two minutes ago.
const ROUNDS: i64 = 120;

/// Nobody played these.
const MISSING: std::ops::Range<i64> = 40..50;

/// In these all lookups failed.
const FAILED: std::ops::Range<i64> = 80..95;

/// Two hours of one fleet, with a gap, a burst of failures and a server that was stopped.
async fn database(url: &str) -> DateTime<Utc> {
    let beginning = Utc::now() - TimeDelta::minutes(ROUNDS + 1);
    let store = recorded::migrated(url).await;
    let mut servers = Vec::new();
    for region in ["eu-central-1", "us-east-2"] {
        let new = parsec_store::NewNode { created_at: beginning - TimeDelta::minutes(5), ..node("default", region) };
        servers.push(store.register_node(new).await.unwrap());
    }
    let scheduler = recorded::scheduler(&*store, "default", beginning).await;
    for number in (0..ROUNDS).filter(|number| !MISSING.contains(number)) {
        play(&*store, scheduler, &servers, number, beginning + TimeDelta::minutes(number)).await;
    }
    store.heartbeat(servers[0]).await.unwrap();
    store.mark_offline(servers[1]).await.unwrap();
    beginning
}

async fn play(store: &dyn Store, scheduler: SchedulerId, servers: &[NodeId], number: i64, at: DateTime<Utc>) {
    let round = recorded::round(identity(at, 0), scheduler, "default", servers[0], at);
    let round = Round { ended: Some((at + TimeDelta::seconds(9), RoundOutcome::Complete)), ..round };
    let attempt = |kind, node, failed: bool, order| {
        let class = if failed { OutcomeClass::DialFailed } else { OutcomeClass::Ok };
        let result = measured(class, Duration::from_millis(800 + 37 * number.unsigned_abs() % 400));
        Row::Attempt(recorded::attempt(identity(at, order), &round, node, kind, result))
    };
    let rows = [
        attempt(OperationKind::Provide, servers[0], number % 23 == 0, 1),
        attempt(OperationKind::Retrieve, servers[1], FAILED.contains(&number), 2),
    ];
    store.record(&[&[Row::Round(round.clone())], &rows[..]].concat()).await.unwrap();
}

async fn incidents(stage: &Stage, url: &str, more: &[&str]) -> Ended {
    ask(stage, &[&["incidents", "--database-url", url], more].concat()).await
}

/// The incident of this name.
fn one<'a>(all: &'a [Value], name: &str) -> &'a Value {
    let mut found = all.iter().filter(|incident| incident["incident"] == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} in {all:#?}"));
    assert!(found.next().is_none(), "more than one {name} in {all:#?}");
    first
}

fn time(incident: &Value, end: &str) -> DateTime<Utc> {
    incident[end].as_str().unwrap_or_else(|| panic!("no {end} in {incident}")).parse().unwrap()
}

async fn what_happened_is_found(stage: &Stage, url: &str, beginning: DateTime<Utc>) -> Vec<Value> {
    let ended = incidents(stage, url, &["--since", "4h", "--format", "json"]).await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert!(ended.err.contains("220 attempts, 110 rounds and 2 servers since"), "{}", ended.err);
    let all: Vec<Value> = serde_json::from_str(&ended.out.concat()).unwrap();
    let about = |incident: &Value, end: &str, minute: i64| {
        let off = (time(incident, end) - beginning - TimeDelta::minutes(minute)).num_seconds().abs();
        assert!(off <= 60, "{incident}");
    };
    let gap = one(&all, "no_rounds");
    assert_eq!(gap["count"], 10);
    about(gap, "from", MISSING.start);
    about(gap, "to", MISSING.end);
    let burst = one(&all, "failure_burst");
    assert_eq!((&burst["count"], &burst["kind"]), (&15.into(), &"retrieve".into()));
    assert_eq!(burst["details"]["classes"]["dial_failed"], 15);
    about(burst, "from", FAILED.start);
    about(burst, "to", FAILED.end);
    let lost = one(&all, "server_lost");
    assert_eq!((&lost["region"], &lost["to"]), (&"us-east-2".into(), &Value::Null));

    // What is named can be looked at.
    let id = burst["attempts"][0].as_str().unwrap();
    let trace = ask(stage, &["trace", id, "--database-url", url]).await;
    assert!(trace.code() == 0 && trace.out.concat().contains("dial_failed"), "{:?} {}", trace.out, trace.err);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_found_in_a_file_and_told_in_every_form() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    let beginning = database(&file.url()).await;
    let all = what_happened_is_found(&stage, &file.url(), beginning).await;
    // All rows were written just now, hours after they were measured.
    assert!(one(&all, "database_away")["count"].as_u64().unwrap() > 200, "{all:#?}");

    let text = incidents(&stage, &file.url(), &[]).await.out.join("\n");
    for part in
        ["no rounds: 10 are missing", "burst of failures: 15 of 15 failed (15 dial_failed)", "look at: parsec trace"]
    {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(
        text.lines().filter(|line| !line.contains("parsec trace")).all(|line| line.chars().count() <= 160),
        "{text}"
    );
    let csv = incidents(&stage, &file.url(), &["--format", "csv"]).await.out;
    assert_eq!(csv[0].trim_end(), "incident,from,to,fleet,region,kind,peer,count,said,attempts");
    assert_eq!(csv.len(), all.len() + 1, "{csv:?}");
    let markdown = incidents(&stage, &file.url(), &["--format", "markdown"]).await.out;
    assert!(markdown[0].starts_with("| when"), "{markdown:?}");
    // Before it happened, and after it was over.
    let before = (beginning - TimeDelta::minutes(1)).to_rfc3339();
    let ended = incidents(&stage, &file.url(), &["--until", &before]).await;
    assert!(ended.out.concat().starts_with("nothing happened"), "{:?} {}", ended.out, ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_found_by_a_role_that_may_only_read() {
    let (stage, database_) = (Stage::begin(), parsec_test_support::database().await);
    let beginning = database(database_.url()).await;
    let at_once = "UPDATE operations SET created_at = ended_at + INTERVAL '1 second'";
    database_.client().await.batch_execute(at_once).await.unwrap();
    let reader = database_.url_as(&database_.role("SELECT").await);
    let all = what_happened_is_found(&stage, &reader, beginning).await;
    assert!(!all.iter().any(|incident| incident["incident"] == "database_away"), "{all:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_time_without_rows_is_one_sentence() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    recorded::migrated(&file.url()).await;
    for (words, code, expected) in [
        (vec!["--since", "2h"], 1, "neither an attempt, a round nor a server is recorded since"),
        (vec!["--since", "2026-09-23", "--until", "2026-09-22"], 1, "nothing lies between --since"),
        (vec!["--since", "soon"], 2, "how long ago"),
    ] {
        let ended = incidents(&stage, &file.url(), &words).await;
        assert_eq!(ended.code(), code, "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
    }
}
