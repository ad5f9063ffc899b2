//! Questions about what was measured, asked of a database that nobody writes to any more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use chrono::TimeDelta;
use parsec_generator::History;
use parsec_measure::{NodeId, OperationKind, OutcomeClass, Round, SchedulerId};
use parsec_store::{NewNode, Row, Store};
use serde_json::{Value, json};

use crate::process::ask;
use crate::recorded::{self, beginning, identity, measured, node};
use crate::stage::Stage;

/// The fleets of the database, and how long a publication of each takes, in milliseconds.
const FLEETS: [(&str, u64); 2] = [("default", 8_000), ("optprov", 1_000)];

/// How many rounds each fleet has played, an hour apart.
const ROUNDS: i64 = 48;

/// What the publisher of a fleet says of itself. The servers that look up say nothing, as those of the original.
fn said(fleet: &str) -> Value {
    let strategy = if fleet == "default" { "classic" } else { fleet };
    json!({ "strategy": strategy, "package": "parsec", "version": "0.1.0" })
}

/// A database in which `optprov` publishes eight times as fast, and every twelfth publication runs into its limit.
pub(crate) async fn database(url: &str) {
    let store = recorded::migrated(url).await;
    for (index, (fleet, ms)) in FLEETS.into_iter().enumerate() {
        let publisher = store.register_node(NewNode { dependencies: said(fleet), ..node(fleet, "eu-central-1") });
        let publisher = publisher.await.unwrap();
        let other = store.register_node(node(fleet, "us-east-2")).await.unwrap();
        let scheduler = recorded::scheduler(&*store, fleet, beginning()).await;
        for number in 0..ROUNDS {
            play(&*store, index as u128, (scheduler, fleet), [publisher, other], number, ms).await;
        }
    }
}

async fn play(
    store: &dyn Store,
    index: u128,
    (scheduler, fleet): (SchedulerId, &str),
    [publisher, other]: [NodeId; 2],
    number: i64,
    ms: u64,
) {
    let at = beginning() + TimeDelta::hours(number);
    let round = recorded::round(identity(at, index), scheduler, fleet, publisher, at);
    let round = Round { skipped_before: u32::from(number == 5), ..round };
    let attempt = |node, kind, class, ms, order| {
        let result = measured(class, Duration::from_millis(ms));
        Row::Attempt(recorded::attempt(identity(at, 2 * index + order), &round, node, kind, result))
    };
    let spread = ms / 20 * number.unsigned_abs() % (ms / 2);
    let provide = match number % 12 {
        0 => attempt(publisher, OperationKind::Provide, OutcomeClass::Timeout, 60_000, 0),
        _ => attempt(publisher, OperationKind::Provide, OutcomeClass::Ok, ms + spread, 0),
    };
    let retrieve = attempt(other, OperationKind::Retrieve, OutcomeClass::Ok, 400 + spread % 100, 1);
    store.record(&[Row::Round(round.clone()), provide, retrieve]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn results_say_how_many_how_long_and_how_sure() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;

    let table = ask(&stage, &["results", "--database-url", &file.url()]).await;
    assert_eq!(table.code(), 0, "{}", table.err);
    let text = table.out.join("\n");
    for part in
        ["default", "optprov", "succeeded", "91.7 %", "192 attempts at any time", "98 rounds were due: 2 left out"]
    {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    // Forty-eight attempts carry a p90, and no p99.
    let document = ask(&stage, &["results", "--database-url", &file.url(), "--format", "json"]).await.out.concat();
    let groups: Vec<Value> = serde_json::from_str(&document).unwrap();
    let default = groups.iter().find(|group| group["fleet"] == "default" && group["kind"] == "provide").unwrap();
    assert_eq!((&default["counts"]["due"], &default["counts"]["failed"]["timeout"]), (&48.into(), &4.into()));
    assert!(default["p50_seconds"]["low"].as_f64().unwrap() >= 8.0, "{default}");
    assert_eq!((&default["p90_seconds"]["high"], &default["p99_seconds"]["value"]), (&"> 60".into(), &Value::Null));

    let day =
        ["results", "--since", "2026-09-22", "--until", "2026-09-23", "--kind", "provide", "--by", "fleet,region"];
    let rows = ask(&stage, &[&day[..], &["--format", "csv", "--database-url", &file.url()]].concat()).await.out;
    assert!(rows[0].starts_with("fleet,region,kind,"), "{rows:?}");
    assert_eq!((rows.len(), rows[1].split(',').nth(4)), (3, Some("24")), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_has_a_verdict_where_the_data_carry_one() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let sides = ["compare", "--a", "fleet=default", "--b", "fleet=optprov", "--database-url"];
    let document = ask(&stage, &[&sides[..], &[&file.url(), "--format", "json"]].concat()).await;
    assert_eq!(document.code(), 0, "{}", document.err);
    let pairs: Vec<Value> = serde_json::from_str(&document.out.concat()).unwrap();
    let verdict = |kind: &str, figure: &str| {
        let pair = pairs.iter().find(|pair| pair["kind"] == kind).unwrap();
        let figures = pair["figures"].as_array().unwrap();
        figures
            .iter()
            .find(|found| found["figure"] == figure)
            .unwrap_or_else(|| panic!("no {figure} in {pair}"))
            .clone()
    };
    let provide = verdict("provide", "p50");
    assert_eq!(provide["verdict"], "better");
    assert!(provide["ratio"]["high"].as_f64().unwrap() < 0.2, "{provide}");
    assert_eq!(verdict("provide", "success")["verdict"], "inconclusive");

    // Within one region of each.
    let regions = ["compare", "--a", "region=eu-central-1,fleet=default", "--b", "region=eu-central-1,fleet=optprov"];
    let ended = ask(&stage, &[&regions[..], &["--margin", "7%", "--database-url", &file.url()]].concat()).await;
    let text = ended.out.join("\n");
    assert!(
        text.contains("faster") && text.contains("times within 7 %, success rates within 1 percentage point"),
        "{text}"
    );

    // A group against itself at another time: no difference is found.
    let days =
        ["compare", "--a", "until=2026-09-22", "--b", "since=2026-09-22", "--fleet", "default", "--database-url"];
    let table = ask(&stage, &[&days[..], &[&file.url()]].concat()).await;
    let text = table.out.join("\n");
    assert!(!text.contains("slower") && !text.contains("faster") && text.contains("p50"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strategies_and_releases_are_told_apart_and_who_does_not_say_is_not_dropped() {
    let (stage, file, postgres) =
        (Stage::begin(), parsec_test_support::sqlite_file(), parsec_test_support::database().await);
    for url in [file.url(), postgres.url().to_owned()] {
        database(&url).await;
        let ask = async |words: &[&str]| ask(&stage, &[words, &["--database-url", &url]].concat()).await;
        for (by, values) in [("strategy", ["classic", "optprov"]), ("agent", ["parsec/0.1.0", "parsec/0.1.0"])] {
            let rows = ask(&["results", "--by", by, "--format", "csv"]).await.out;
            let due = |row: &String| {
                let cells: Vec<_> = row.split(',').collect();
                (cells[0].to_owned(), cells[2].parse::<u32>().unwrap())
            };
            let due: Vec<_> = rows[1..].iter().map(due).collect();
            let of = |value: &str| due.iter().filter(|(name, _)| name == value).map(|(_, due)| due).sum::<u32>();
            assert_eq!(of("unknown"), 96, "{rows:?}");
            assert_eq!(values.map(of), if by == "agent" { [96; 2] } else { [48; 2] }, "{rows:?}");
        }
        let ended = ask(&["compare", "--a", "strategy=classic", "--b", "strategy=optprov"]).await;
        let text = ended.out.join("\n");
        assert!(text.contains("faster") && text.contains("48 attempts at any time, strategy optprov"), "{text}");
        let ended = ask(&["compare", "--a", "agent=parsec/0.1.0", "--b", "agent=parsec/0.2.0"]).await;
        assert_eq!(ended.code(), 1);
        assert!(ended.err.contains("at any time, agent parsec/0.2.0: nothing stands on the side"), "{}", ended.err);
        let ended = ask(&["check", "--fail-if", "provide.p50{strategy=classic,agent=parsec/0.1.0} > 2s"]).await;
        assert_eq!(ended.code(), 99, "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_has_no_answer_is_one_sentence() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let url = file.url();
    for (words, code, expected) in [
        (vec!["results", "--fleet", "fullrt"], 1, "no measurement is recorded at any time, fleet fullrt"),
        (vec!["results", "--since", "2026-09-23", "--until", "2026-09-22"], 1, "nothing lies between --since"),
        (vec!["results", "--since", "yesterday"], 2, "how long ago"),
        (vec!["results", "--by", "colour"], 2, "expected one of: fleet, region"),
        (vec!["compare", "--a", "fleet=default"], 2, "--b"),
        (vec!["compare", "--a", "fleet=default", "--b", "fleet=fullrt"], 1, "nothing stands on the side fleet=fullrt"),
    ] {
        let ended = ask(&stage, &[&words[..], &["--database-url", &url]].concat()).await;
        assert_eq!(ended.code(), code, "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
    }
    let nowhere = ask(&stage, &["results", "--database-url", "sqlite:/nowhere/parsec.db"]).await;
    assert_eq!(nowhere.code(), 1);
    assert!(nowhere.err.contains("No such file"), "{}", nowhere.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_records_is_told_with_of_how_many() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    let history = History { operations: 840, traces: None, checks: 0.5, ..History::default() };
    recorded::generated(&file.url(), history).await;

    let table = ask(&stage, &["results", "--database-url", &file.url()]).await;
    let text = table.out.join("\n");
    for part in ["Records: ", "stored", "confirmed", "after 0 h", "after 1 h", "after 12 h", "after 24 h"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let document = ask(&stage, &["results", "--format", "json", "--database-url", &file.url()]).await.out.concat();
    let groups: Vec<Value> = serde_json::from_str(&document).unwrap();
    for group in groups.iter().filter(|group| group["kind"] == "provide") {
        let records = &group["records"];
        assert_eq!(
            (&records["publications"], &records["finally"]["stored"]["n"]),
            (&40.into(), &group["counts"]["succeeded"])
        );
        let stored = records["finally"]["stored"]["mean"].as_f64().unwrap();
        assert!((17.0..20.0).contains(&stored), "{group}");
        let verified = records["verified"].as_array().unwrap();
        assert_eq!(verified.len(), 4, "one for each age");
        // The history loses records with time.
        let share = |age: usize| verified[age]["share"]["value"].as_f64().unwrap();
        assert!(share(0) > share(3) && verified.iter().all(|age| age["checks"].as_u64() > Some(5)), "{records}");
    }
    assert!(groups.iter().all(|group| group["kind"] == "provide" || group["records"].is_null()));
    let rows =
        ask(&stage, &["results", "--format", "csv", "--kind", "provide", "--database-url", &file.url()]).await.out;
    assert!(rows[0].contains("stored_finally_mean,") && rows[0].contains("held_after_86400s_checks"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_databases_are_compared_unless_their_tables_mean_different_things() {
    let (stage, one, two) = (Stage::begin(), parsec_test_support::sqlite_file(), parsec_test_support::database().await);
    database(&one.url()).await;
    database(two.url()).await;
    let (one, other) = (one.url(), two.url().to_owned());
    let words = ["compare", "--a-database", &one, "--b-database", &other, "--by", "fleet", "--kind", "provide"];
    let same = ask(&stage, &[&words[..], &["--format", "json"]].concat()).await;
    assert_eq!(same.code(), 0, "{}", same.err);
    let pairs: Vec<Value> = serde_json::from_str(&same.out.concat()).unwrap();
    let fleets: Vec<_> = pairs.iter().map(|pair| pair["common"].as_str().unwrap()).collect();
    assert_eq!(fleets, ["default", "optprov"]);
    // Regions have the same number in both, or nothing would be left to compare.
    assert!(pairs.iter().all(|pair| pair["left_out"] == 0 && pair["a"]["counts"]["due"] == 48), "{pairs:#?}");
    assert!(pairs.iter().all(|pair| pair["figures"][0]["ratio"]["value"] == 1.0), "{pairs:#?}");

    // One side out of the common database, the other out of another one.
    let mixed =
        ["compare", "--database-url", &one, "--a", "fleet=default", "--b-database", &other, "--b", "fleet=optprov"];
    let text = ask(&stage, &mixed).await.out.join("\n");
    assert!(text.contains("faster"), "{text}");

    two.client().await.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)").await.unwrap();
    let ended = ask(&stage, &words).await;
    assert_eq!(ended.code(), 1);
    assert!(
        ended.err.contains("of the tables, and database postgres://") && ended.err.contains("`parsec migrate` first"),
        "{}",
        ended.err
    );
    // Who names no side, or one twice, is told.
    for (words, expected) in [
        (vec!["compare", "--a-database", &one], "no SIDE given: set --b"),
        (
            vec!["compare", "--a-database", &one, "--a-file", "a.json", "--b", "fleet=default"],
            "--a-file and flag --a-database are both set",
        ),
    ] {
        let ended = ask(&stage, &words).await;
        assert_eq!(ended.code(), 2, "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
    }
}
