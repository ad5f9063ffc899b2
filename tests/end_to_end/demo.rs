//! `parsec demo`, the first thing that anybody sees of parsec.

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, Process};
use crate::stage::Stage;

/// As little as there can be rounds with.
const SMALL: [&str; 4] = ["--peers", "25", "--servers", "2"];

/// One fleet, in a world without distances in which everybody answers.
const PLAIN: [&str; 8] = ["--latency", "none", "--undialable", "0", "--silent", "0", "--fleets", "default"];

/// The demonstration in a hurry, with its files in `directory`.
fn demo(stage: &Stage, directory: &TempDir, added: &[&str]) -> Process {
    let directory = directory.path().to_str().expect("temporary directories have plain names");
    Process::start(stage, &[&["demo", "--interval", "1s", "--data-dir", directory], added].concat())
}

fn parsed(ended: &Ended) -> Vec<Value> {
    ended.out.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn is_object(line: &str) -> bool {
    serde_json::from_str(line).is_ok_and(|value: Value| value.is_object())
}

fn of_type<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

#[tokio::test]
async fn a_demo_of_two_rounds_measures_two_publications_and_four_lookups_and_none_fails() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let added = ["--peers", "40", "--servers", "3", "--rounds", "2", "--format", "json"];
    let ended = demo(&stage, &directory, &[&PLAIN[..], &added].concat()).end().await;

    assert_eq!(ended.code(), 0);
    let lines = parsed(&ended);
    let attempts = of_type(&lines, "attempt");
    let count = |operation: &str| attempts.iter().filter(|attempt| attempt["operation"] == operation).count();
    assert_eq!((count("provide"), count("retrieve"), attempts.len()), (2, 4, 6));
    for attempt in attempts {
        assert_eq!((&attempt["outcome"], &attempt["error"]), (&"ok".into(), &Value::Null), "{attempt}");
        assert!(attempt["duration_seconds"].as_f64().unwrap() > 0.0, "{attempt}");
        assert!(attempt["routing_table_peers"].as_u64().unwrap() > 0, "{attempt}");
    }
    assert_eq!(of_type(&lines, "round").len(), 2);

    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!((&summary["rounds"], &summary["failures"]), (&2.into(), &0.into()), "{summary}");
    let results: Vec<_> =
        summary["results"].as_array().unwrap().iter().map(|row| (&row["operation"], &row["n"])).collect();
    assert_eq!(results, [(&"provide".into(), &2.into()), (&"retrieve".into(), &4.into())], "{summary}");
    assert_eq!(of_type(&lines, "summary").len(), 1);
}

#[tokio::test]
async fn results_are_on_standard_output_alone_and_measurements_in_the_directory_asked_for() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let ended =
        demo(&stage, &directory, &[&SMALL[..], &PLAIN, &["--rounds", "1", "--format", "json"]].concat()).end().await;
    assert_eq!(ended.code(), 0);
    assert!(!ended.err.lines().any(is_object), "{}", ended.err);
    assert!(ended.out.iter().all(|line| is_object(line)), "{:#?}", ended.out);
    let file = directory.path().join("parsec.db");
    assert!(ended.err.contains(&format!("measurements go to {}", file.display())));
    assert!(ended.err.contains("how it is doing: http://127.0.0.1:"), "{}", ended.err);
    assert!(std::fs::read(&file).unwrap().starts_with(b"SQLite format 3"));
}

#[tokio::test]
async fn people_are_shown_a_table_after_each_round_and_a_summary_at_the_end() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let ended = demo(&stage, &directory, &[&SMALL[..], &PLAIN, &["--rounds", "2"]].concat()).end().await;
    assert_eq!(ended.code(), 0);

    let headers: Vec<_> = ended.out.iter().filter(|line| line.contains("routing table (peers)")).collect();
    assert_eq!(headers.len(), 3, "one for each round, one at the end: {:#?}", ended.out);
    for column in ["fleet", "operation", "n", "failures", "p50", "p90", "p99"] {
        assert!(headers[0].contains(column), "no {column} in {}", headers[0]);
    }
    let summary =
        ended.out.iter().position(|line| line.starts_with("2 rounds in ") && line.ends_with(" s, 0 failures"));
    let table = ended.out[summary.expect("there is a summary")..].join("\n");
    assert!(table.contains("provide") && table.contains("retrieve"), "{table}");
}

#[tokio::test]
async fn ctrl_c_ends_an_endless_demo_with_its_summary() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let demo = demo(&stage, &directory, &[&SMALL[..], &PLAIN, &["--format", "json"]].concat());
    demo.out("first round", |line| line.contains(r#""type":"round""#).then_some(())).await;
    demo.signal(Signal::SIGINT);
    let ended = demo.end().await;

    assert_eq!(ended.code(), 0);
    let lines = parsed(&ended);
    let (summary, rounds) = (lines.last().unwrap(), of_type(&lines, "round").len());
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["rounds"], rounds, "{summary}");
    assert!(rounds >= 1);
}

/// What the three fleets say, a round each, in a world that `added` describes and so many live peers belong to.
async fn one_round_each(live: u64, added: &[&str]) -> Vec<Value> {
    let (stage, directory) = (Stage::begin(), TempDir::new().expect("there is room for a directory"));
    let ended =
        demo(&stage, &directory, &[&SMALL[..], &["--rounds", "1", "--format", "json"], added].concat()).end().await;
    assert_eq!(ended.code(), 0);
    for part in [&format!("local DHT of 25 peers, {live} of them live"), "6 servers of 3 fleets join it"] {
        assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
    }
    let lines = parsed(&ended);
    let fleets = |kind: &str, member: &str| {
        let mut fleets: Vec<_> = of_type(&lines, kind).iter().filter_map(|line| line[member].as_str()).collect();
        fleets.sort_unstable();
        fleets.join(" ")
    };
    assert_eq!(fleets("round", "fleets"), "default fullrt optprov");
    // A publication and a search each.
    assert_eq!(fleets("attempt", "fleet"), "default default fullrt fullrt optprov optprov");
    for attempt in of_type(&lines, "attempt") {
        assert_eq!((&attempt["outcome"], &attempt["error"]), (&"ok".into(), &Value::Null), "{attempt}");
        if attempt["fleet"] == "fullrt" {
            assert_eq!(attempt["network_size_peers"], live, "{attempt}");
        }
    }
    lines
}

#[tokio::test]
async fn three_fleets_measure_side_by_side_each_in_its_own_rounds() {
    let lines = one_round_each(25, &["--latency", "none", "--undialable", "0", "--silent", "0"]).await;
    for attempt in of_type(&lines, "attempt").into_iter().filter(|attempt| attempt["operation"] == "provide") {
        let holders =
            ["holders_stored", "holders_failed", "holders_pending"].map(|count| attempt[count].as_u64().unwrap());
        assert_eq!((holders.iter().sum::<u64>(), holders[1]), (20, 0), "{attempt}");
        assert_eq!(attempt["dials_failed"], 0, "{attempt}");
    }
    let summary = lines.last().unwrap();
    assert_eq!((&summary["rounds"], &summary["failures"]), (&3.into(), &0.into()), "{summary}");
    assert_eq!(summary["results"].as_array().unwrap().len(), 6, "{summary}");
}

#[tokio::test]
async fn distances_and_dead_peers_are_part_of_the_world_when_they_are_asked_for() {
    // A tenth of 25 peers is rounded up.
    let lines = one_round_each(22, &["--latency", "100ms", "--undialable", "0.1", "--silent", "0"]).await;
    for attempt in of_type(&lines, "attempt") {
        // Each begins with no connection, and making one takes two round trips; a put is over when it is written.
        assert!(attempt["duration_seconds"].as_f64().unwrap() >= 0.2, "{attempt}");
        assert!(attempt["dials"].as_u64().unwrap() > 0, "{attempt}");
    }
}
