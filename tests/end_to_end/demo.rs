//! `parsec demo`, the first thing that anybody sees of parsec.

use nix::sys::signal::Signal;
use parsec_test_support::http::client;
use parsec_test_support::openapi::{Answered, Declared, OpenApi};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, Process, Terminal};
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
    assert!(ended.err.contains("look at them: http://127.0.0.1:"), "{}", ended.err);
    let url = format!("sqlite:{}", file.display());
    assert!(ended.err.contains(&format!("parsec results --database-url {url}")), "{}", ended.err);
    assert_eq!(parsed(&ended).last().unwrap()["database"], url);
    assert!(std::fs::read(&file).unwrap().starts_with(b"SQLite format 3"));
}

async fn text(url: String) -> String {
    let answer = client().get(url).send().await.expect("the page answers");
    answer.text().await.expect("an answer is a text")
}

#[tokio::test]
async fn a_demo_can_be_looked_at_in_a_browser_while_it_measures() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let demo = demo(&stage, &directory, &[&SMALL[..], &PLAIN].concat());
    let page = demo.noted("look at them: ").await;
    let seen = async || {
        let html = client().get(&page).send().await.ok()?.text().await.ok()?;
        ["a process that has servers and schedulers", "default", "/operations/", "retrieve"]
            .iter()
            .all(|says| html.contains(says))
            .then_some(())
    };
    stage.eventually("the page shows lookups", seen).await;
    let file = OpenApi::of(&text(format!("{page}api/v1/openapi.json")).await);
    let attempts: Value = serde_json::from_str(&text(format!("{page}api/v1/operations?limit=1")).await).unwrap();
    let id = attempts["operations"][0]["id"].as_str().unwrap();
    let html = text(format!("{page}operations/{id}")).await;
    for says in ["<svg", "What its time went to", "Save as CSV", "trace for ui.perfetto.dev"] {
        assert!(html.contains(says), "no `{says}` in {html}");
    }
    // With traces, documents are as they are described, too.
    for (path, place) in [
        ("/api/v1/overview", "overview".to_owned()),
        ("/api/v1/operations/{id}", format!("operations/{id}")),
        ("/api/v1/operations/{id}/perfetto", format!("operations/{id}/perfetto")),
        ("/api/v1/peers", "peers".to_owned()),
        ("/api/v1/measurements", "measurements".to_owned()),
        ("/api/v1/compare", "compare".to_owned()),
        ("/api/v1/incidents", "incidents".to_owned()),
    ] {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let answer = text(format!("{page}api/v1/{place}")).await;
        let answered = Answered { headers: &headers, body: answer.as_bytes() };
        assert_eq!(file.check(&Declared::new(path, "GET", 200), &answered), Ok(()), "{path}");
    }
    demo.signal(Signal::SIGINT);
    assert_eq!(demo.end().await.code(), 0);
}

#[tokio::test]
async fn people_are_shown_a_table_after_each_round_and_a_summary_at_the_end() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let ended = demo(&stage, &directory, &[&SMALL[..], &PLAIN, &["--rounds", "2"]].concat()).end().await;
    assert_eq!(ended.code(), 0);

    let headers: Vec<_> = ended.out.iter().filter(|line| line.starts_with("fleet")).collect();
    assert_eq!(headers.len(), 3, "one for each round, one at the end: {:#?}", ended.out);
    for column in ["fleet", "operation", "n", "failures", "p50", "p90"] {
        assert!(headers[0].contains(column), "no {column} in {}", headers[0]);
    }
    assert!(!headers[2].contains("p99"), "two rounds carry no p99");
    let numbers: Vec<_> = ended.out.iter().filter(|line| line.starts_with("round ")).collect();
    assert_eq!(numbers, ["round 1 of fleet default", "round 2 of fleet default"]);
    assert!(ended.out.iter().all(|line| line.chars().count() <= 80 || line.contains("rounds")), "{:#?}", ended.out);
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

#[tokio::test]
async fn rounds_are_numbered_by_fleet_and_a_seed_is_always_said() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let world =
        ["--latency", "none", "--undialable", "0", "--silent", "0", "--fleets", "default,libp2p", "--rounds", "2"];
    let ended = demo(&stage, &directory, &[&SMALL[..], &world].concat()).end().await;
    let mut numbers: Vec<_> = ended.out.iter().filter(|line| line.starts_with("round ")).collect();
    numbers.sort();
    let expected =
        ["round 1 of fleet default", "round 1 of fleet libp2p", "round 2 of fleet default", "round 2 of fleet libp2p"];
    assert_eq!(numbers, expected);
    let said = ended.err.lines().find_map(|line| line.strip_prefix("seed ")).expect("the seed is said").to_owned();
    let (seed, hint) = said.split_once(": ").unwrap();
    assert_eq!(hint, format!("--seed {seed} makes the same choices again"));
}

#[tokio::test]
async fn servers_of_a_demo_that_was_killed_are_not_measured_by_the_next_one_in_its_directory() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let first = demo(&stage, &directory, &[&SMALL[..], &PLAIN, &["--format", "json"]].concat());
    first.out("first round", |line| line.contains(r#""type":"round""#).then_some(())).await;
    first.signal(Signal::SIGKILL);
    first.end().await;
    let second =
        demo(&stage, &directory, &[&SMALL[..], &PLAIN, &["--format", "json", "--rounds", "2"]].concat()).end().await;
    assert_eq!(second.code(), 0, "{}", second.err);
    let lines = parsed(&second);
    for round in of_type(&lines, "round") {
        assert_eq!((&round["nodes_listed"], &round["nodes_ready"]), (&2.into(), &2.into()), "{round}");
    }
    assert_eq!(lines.last().unwrap()["failures"], 0);
}

#[tokio::test]
async fn without_a_directory_each_demo_has_a_new_one() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let place = directory.path().to_str().unwrap();
    let words = [&["demo", "--interval", "1s", "--rounds", "1"][..], &SMALL, &PLAIN].concat();
    for _ in 0..2 {
        let ended = Process::start_with(&stage, &[("TMPDIR", place)], &words).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        assert!(ended.out.iter().any(|line| line.starts_with("1 round in ")), "{:#?}", ended.out);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn what_a_demo_measured_is_kept_and_can_be_checked() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let path = directory.path().join("run.json");
    let file = path.to_str().unwrap();
    let added = ["--rounds", "2", "--seed", "7", "--save", file];
    assert_eq!(demo(&stage, &directory, &[&SMALL[..], &PLAIN, &added].concat()).end().await.code(), 0);
    let run: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&run["command"], &run["seed"], &run["complete"]), (&"demo".into(), &7.into(), &true.into()));
    assert_eq!(run["operations"].as_array().unwrap().len(), 4);
    let limit = ["check", "--file", file, "--since", "1h", "--fail-if", "provide.p50 > 1m30s"];
    assert_eq!(Process::start(&stage, &limit).end().await.code(), 2, "limits are in seconds");
    let limit = ["check", "--file", file, "--since", "1h", "--fail-if", "failures > 99%"];
    let checked = Process::start(&stage, &limit).end().await;
    assert_eq!(checked.code(), 0, "{:#?} {}", checked.out, checked.err);
}

#[tokio::test]
async fn on_a_terminal_the_table_is_drawn_again_in_the_same_place() {
    let (stage, directory) = (Stage::begin(), TempDir::new().unwrap());
    let place = directory.path().to_str().unwrap();
    let words = [&["demo", "--interval", "1s", "--rounds", "2", "--data-dir", place][..], &SMALL, &PLAIN].concat();
    let terminal = Terminal::open();
    let ended = Process::draw_on(&stage, &terminal, &words).end().await;
    let text = ended.out.join("\n");
    assert_eq!(ended.code(), 0, "{text}");
    // The cursor goes up over what was drawn before.
    let up = text.contains("\u{1b}[5A");
    assert!(text.contains("round 2 of fleet default") && up, "{text:?}");
    // What stays on the screen is the last table alone.
    let last = text.rsplit("2 rounds in ").next().unwrap();
    assert!(last.contains("provide") && !last.contains("round 2 of"), "{text:?}");
}
