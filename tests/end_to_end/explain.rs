//! What the time of operations went to, asked of a database that nobody writes to any more, on both kinds of database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use parsec_measure::{Attempt, Effort, Measured, NodeId, OperationKind, OutcomeClass, SchedulerId, WhyKept};
use parsec_store::Row;
use serde_json::{Value, json};

use crate::process::{self, Ended};
use crate::recorded::{self, beginning, identity, node};
use crate::stage::Stage;

/// How many publications there are, each in a round of its own. Every tenth fails after a minute, and of the others every third is drawn.
const PUBLICATIONS: i64 = 120;

/// The peer whose dials are given up, where it is said to be, and one that says nothing.
const DEAD: &str = "12D3KooWDeadDeadDead";
const HOME: &str = "/ip4/198.51.100.7/tcp/4001";
const SILENT: &str = "12D3KooWSilentSilent";

fn request(peer: &str, asked: u64, ended: u64, end: &str) -> Value {
    json!({
        "peer": peer, "kind": "FIND_NODE", "hop": 0, "common_prefix": 7, "asked": asked, "connected": asked, "written": asked,
        "ended": ended, "end": end, "closer": 20,
    })
}

/// A second of hops; then a dial that is given up, or, in a publication that fails, a peer that is silent for a minute.
fn trace(fails: bool) -> Value {
    let first = request("12D3KooWHonestHonest", 0, 1_000_000, "answered");
    let (second, returned) = if fails {
        (request(SILENT, 1_000_000, 61_000_000, "timeout"), 61_000_000)
    } else {
        let error = format!("timed out ({HOME}, 1 of 1 addresses tried)");
        let dead = json!({
            "peer": DEAD, "agent": "kubo/0.38.1", "kind": "FIND_NODE", "hop": 1, "named_by": 0, "common_prefix": 9, "asked": 1_000_000,
            "dialled": 1_000_000, "ended": 6_000_000, "end": "dial_timeout", "error": error,
        });
        (dead, 6_000_000)
    };
    json!({ "strategy": "classic", "returned": returned, "requests": [first, second] })
}

fn attempt(scheduler: SchedulerId, node: NodeId, number: i64) -> Attempt {
    let at = beginning() + TimeDelta::minutes(number);
    let fails = number % 10 == 0;
    let class = if fails { OutcomeClass::Timeout } else { OutcomeClass::Ok };
    let why_kept = if fails { Some(WhyKept::Failed) } else { (number % 3 == 0).then_some(WhyKept::Sampled) };
    let trace = why_kept.map(|_| Arc::new(serde_json::from_value(trace(fails)).unwrap()));
    let took = Duration::from_secs(if fails { 61 } else { 6 }) + Duration::from_millis(number.unsigned_abs());
    let result = Measured {
        error: fails.then(|| format!("context deadline exceeded: {SILENT} at {HOME}")),
        effort: Effort { rpcs: Some(2), ..Effort::default() },
        trace,
        ..Measured::unmeasured(class, took, "")
    };
    let round = recorded::round(identity(at, 7), scheduler, "default", node, at);
    let ended = at + TimeDelta::from_std(took).unwrap();
    let id = identity(at, u128::from(number.unsigned_abs()));
    Attempt { ended, why_kept, ..recorded::attempt(id, &round, node, OperationKind::Provide, result) }
}

pub(crate) async fn fill(url: &str) {
    let store = recorded::migrated(url).await;
    let publisher = store.register_node(node("default", "eu-central-1")).await.unwrap();
    let scheduler = recorded::scheduler(&*store, "default", beginning()).await;
    let attempts: Vec<_> =
        (0..PUBLICATIONS).map(|number| Row::Attempt(attempt(scheduler, publisher, number))).collect();
    store.record(&attempts).await.unwrap();
}

async fn ask(stage: &Stage, url: &str, words: &[&str]) -> Ended {
    process::ask(stage, &[words, &["--database-url", url]].concat()).await
}

async fn answer(stage: &Stage, url: &str, words: &[&str]) -> Value {
    let ended = ask(stage, url, words).await;
    assert_eq!(ended.code(), 0, "{words:?}: {}", ended.err);
    serde_json::from_str(&ended.out.concat()).unwrap_or_else(|error| panic!("{words:?}: {error}: {:?}", ended.out))
}

fn close(found: &Value, expected: f64) {
    assert!((found.as_f64().unwrap() - expected).abs() < 1e-6, "{found} for {expected}");
}

/// Asks everything of one database.
async fn ask_everything(url: &str) {
    let stage = Stage::begin();
    explanations(&stage, url).await;
    peers(&stage, url).await;
    lists(&stage, url).await;
    exports(&stage, url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_that_may_only_be_read_says_what_the_time_went_to() {
    let file = parsec_test_support::sqlite_file();
    fill(&file.url()).await;
    let path = file.url().strip_prefix("sqlite:").unwrap().to_owned();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    ask_everything(&file.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_says_what_the_time_went_to() {
    let database = parsec_test_support::database().await;
    fill(database.url()).await;
    ask_everything(database.url()).await;
}

async fn explanations(stage: &Stage, url: &str) {
    // 12 of 120 failed, and each of the 36 traces of the others stands for three.
    let groups = answer(stage, url, &["explain", "--format", "json"]).await;
    let group = &groups[0];
    assert_eq!((&group["fleet"], &group["kind"]), (&json!("default"), &json!("provide")));
    let layers: Vec<_> =
        group["stands_for"].as_array().unwrap().iter().map(|of| [&of["traces"], &of["operations"]]).collect();
    assert_eq!(layers, [[&json!(12), &json!(12)], [&json!(0), &json!(0)], [&json!(36), &json!(108)]]);
    close(&group["seconds"]["value"], 0.1 * 61.0 + 0.9 * 6.0);
    let part = |name: &str| {
        let parts = group["parts"].as_array().unwrap();
        parts.iter().find(|part| part["part"] == name).unwrap_or_else(|| panic!("no {name} in {group}")).clone()
    };
    for (name, seconds) in [("hops", 1.0), ("dial_timeouts", 4.5), ("silent_peers", 6.0), ("puts", 0.0)] {
        close(&part(name)["seconds"]["value"], seconds);
        close(&part(name)["share"]["value"], seconds / 11.5);
    }
    let silent = &part("silent_peers")["seconds"];
    assert!(silent["low"].as_f64() < Some(6.0) && silent["high"].as_f64() > Some(6.0), "{silent}");

    let text = ask(stage, url, &["explain", "--by", "region"]).await.out.join("\n");
    for part in [
        "all (48 of 120 traced)",
        "silent peers",
        "dial time-outs",
        "120 operations at any time",
        "48 traces stand for 120 operations (12 of failures for 12, 36 of the others for 108)",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(text.lines().take(6).all(|line| line.chars().count() <= 80), "{text}");
    let groups = answer(stage, url, &["explain", "--by", "strategy,agent", "--format", "json"]).await;
    let unsaid = (&groups[0]["strategy"], &groups[0]["agent"], groups.as_array().map(Vec::len));
    assert_eq!(unsaid, (&json!("unknown"), &json!("unknown"), Some(1)), "nobody said it, and nothing is dropped");
    let rows = ask(stage, url, &["explain", "--by", "fleet,hour", "--format", "csv"]).await.out;
    assert!(rows[0].starts_with("fleet,hour,kind,part,seconds,seconds_low"), "{rows:?}");
    assert_eq!(rows.len(), 1 + 3 * 10, "two hours begin three: {rows:?}");

    let id = identity(beginning(), 0).to_string();
    let one = ask(stage, url, &["explain", &id[..13]]).await.out.join("\n");
    assert!(one.contains("60.0 of 61.0 s: 1 connected peer that never answered (…Silent)"), "{one}");
    let one = answer(stage, url, &["explain", &id, "--format", "json"]).await;
    assert_eq!((&one["id"], &one["time_spent"][0]["cause"]), (&json!(id), &json!("failed")));
}

async fn peers(stage: &Stage, url: &str) {
    let worst = answer(stage, url, &["peers", "--worst", "2", "--format", "json"]).await;
    let of: Vec<_> = worst.as_array().unwrap().iter().map(|peer| peer["peer"].as_str().unwrap()).collect();
    assert_eq!(of, [SILENT, DEAD]);
    close(&worst[0]["seconds"]["value"], 12.0 * 60.0);
    close(&worst[1]["seconds"]["value"], 108.0 * 5.0);
    close(&worst[1]["failed"]["dial_timeout"], 108.0);
    assert_eq!((&worst[1]["agent"], &worst[1]["traces"]), (&json!("kubo/0.38.1"), &json!(36)));
    assert!(worst[1].get("addresses").is_none(), "{worst}");

    let text = ask(stage, url, &["peers"]).await.out.join("\n");
    for part in [DEAD, "108 dial_timeout", "3 of 3 peers: 100 % of the 23 min", "each loop of rounds apart"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(!text.contains("198.51"), "{text}");
    let text = ask(stage, url, &["peers", "--addresses", "--format", "markdown"]).await.out.join("\n");
    assert!(text.contains(HOME), "{text}");
}

async fn lists(stage: &Stage, url: &str) {
    let slowest = answer(stage, url, &["trace", "--slowest", "2", "--format", "json"]).await;
    let seconds: Vec<_> =
        slowest.as_array().unwrap().iter().map(|one| one["duration_seconds"].as_f64().unwrap()).collect();
    assert_eq!(seconds, [61.11, 61.1]);
    let fine =
        ask(stage, url, &["trace", "--outcome", "ok", "--slowest", "1", "--until", "2026-09-21T15:00:00Z"]).await.out;
    assert!(fine[0].contains(" ok ") && fine.len() == 1, "{fine:?}");
    let failed = ask(stage, url, &["trace", "--outcome", "timeout,not_found"]).await.out;
    assert_eq!(failed.len(), 12, "{failed:?}");

    // What the list prints is enough to ask for one.
    let short = failed[0].split_whitespace().next().unwrap();
    assert_eq!(short.len(), 8);
    let shown = ask(stage, url, &["trace", short]).await.out.join("\n");
    let whole = identity(beginning() + TimeDelta::minutes(110), 110);
    assert!(shown.contains(&format!("operation {whole}")) && shown.contains("where the time went:"), "{shown}");
    // All were made on the same days.
    let begin = &whole.to_string()[..4];
    let ambiguous = ask(stage, url, &["trace", begin]).await;
    assert_eq!(ambiguous.code(), 1);
    let named = format!("{begin} can mean several operations: {}", identity(beginning(), 0));
    assert!(
        ambiguous.err.contains(&named) && ambiguous.err.contains("and perhaps more; write more of the id"),
        "{}",
        ambiguous.err
    );

    let (a, b) = (identity(beginning(), 0).to_string(), identity(beginning() + TimeDelta::minutes(3), 3).to_string());
    let diff = ask(stage, url, &["trace", "diff", &a, &b]).await.out.join("\n");
    for part in ["silent peers", "dial time-outs", "differs", "peers of both: 1"] {
        assert!(diff.contains(part), "no `{part}` in\n{diff}");
    }
    let diff = answer(stage, url, &["trace", "diff", &a, &b, "--format", "json"]).await;
    close(&diff["b"]["parts_seconds"]["dial_timeouts"], 5.0);
}

async fn exports(stage: &Stage, url: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slowest.json");
    let to_file = ["trace", "--slowest", "3", "--export", "perfetto", "-o", path.to_str().unwrap()];
    let ended = ask(stage, url, &to_file).await;
    assert_eq!((ended.code(), &ended.out[..]), (0, &[][..]), "{}", ended.err);
    assert!(ended.err.contains("3 operations exported"), "{}", ended.err);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let events = document["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["name"] == "process_name").count(), 3);
    let silent = events.iter().find(|event| event["name"] == "FIND_NODE …Silent, timeout").unwrap();
    assert_eq!((&silent["ts"], &silent["dur"]), (&json!(1_000_000), &json!(60_000_000)));

    let lines = ask(stage, url, &["trace", "--export", "jsonl", "--newest", "5"]).await.out;
    assert_eq!(lines.len(), 5, "{lines:?}");
    for line in &lines {
        let operation: Value = serde_json::from_str(line).unwrap();
        assert_eq!(operation["trace"]["requests"].as_array().unwrap().len(), 2);
        assert!(!line.contains("198.51"), "{line}");
    }
    let id = identity(beginning(), 0).to_string();
    let one = ask(stage, url, &["trace", &id, "--export", "jsonl", "--addresses"]).await.out;
    assert!(one.len() == 1 && one[0].contains(HOME), "{one:?}");
    // Those without a trace are counted.
    let ended = ask(stage, url, &["trace", "--outcome", "ok", "--newest", "1000", "--export", "jsonl"]).await;
    assert_eq!(ended.out.len(), 36);
    assert!(ended.err.contains("36 operations exported, 72 others have no trace"), "{}", ended.err);
    // A file of nothing would be taken for an operation that did nothing.
    let untraced = identity(beginning() + TimeDelta::minutes(1), 1).to_string();
    let nothing = directory.path().join("nothing.json");
    for to in [&["-o", nothing.to_str().unwrap()][..], &[]] {
        for format in ["perfetto", "jsonl"] {
            let ended = ask(stage, url, &[&["trace", &untraced, "--export", format], to].concat()).await;
            assert_eq!((ended.code(), &ended.out[..], nothing.exists()), (1, &[][..], false), "{}", ended.err);
            let says = format!("nothing is exported: no trace was taken of operation {untraced}");
            assert!(ended.err.contains(&says), "{}", ended.err);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_traces_that_has_no_answer_is_one_sentence() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    fill(&file.url()).await;
    for (words, code, expected) in [
        (vec!["explain", "--fleet", "fullrt"], 1, "no operation to explain is recorded at any time, fleet fullrt"),
        (vec!["explain", "--since", "2026-09-23", "--until", "2026-09-22"], 1, "nothing lies between --since"),
        (vec!["explain", "--by", "colour"], 2, "expected one of: fleet, region"),
        (vec!["explain", "seven"], 2, "expected the id of an operation"),
        (vec!["explain", "abcdef01"], 1, "no operation abcdef01 is recorded"),
        (vec!["explain", "--until", "2026-09-21T14:16:00Z"], 1, "no trace: "),
        (vec!["peers", "--kind", "retrieve"], 1, "no operation whose peers are known is recorded"),
        (vec!["peers", "--worst", "0"], 2, "from 1 to"),
        (vec!["trace", "--outcome", "slow"], 2, "expected one of: ok, not_found"),
        (vec!["trace", "diff", "abcdef01"], 2, "expected the ids of two operations after `diff`"),
        (vec!["trace", "abcdef01", "abcdef02"], 2, "expected the id of one operation, or `diff` and two"),
        (vec!["trace", "--output", "x.json"], 1, "--output FILE is for an export"),
        (
            vec!["trace", "--export", "jsonl", "--output", "/nowhere/x.jsonl"],
            1,
            "--output /nowhere/x.jsonl: cannot be written",
        ),
        (vec!["trace", "--slowest", "1001"], 2, "from 1 to 1000"),
        (vec!["trace", "--since", "2030-01-01"], 1, "no operation with a trace is recorded since 2030-01-01 00:00 UTC"),
        (vec!["trace", "--since", "2030-01-01", "--format", "json"], 1, "with a trace is recorded since 2030-01-01"),
        (
            vec!["trace", "--since", "2030-01-01", "--export", "perfetto"],
            1,
            "with a trace is recorded since 2030-01-01",
        ),
        (
            vec!["trace", "--outcome", "timeout,not_found", "--since", "2030-01-01"],
            1,
            "no operation that ended with timeout or not_found is recorded since 2030-01-01",
        ),
    ] {
        let ended = ask(&stage, &file.url(), &words).await;
        assert_eq!((ended.code(), &ended.out[..]), (code, &[][..]), "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
    }
}
