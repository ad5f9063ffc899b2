//! `parsec demo --world`: rounds of simulated fleets, through the real actors into a real database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use nix::sys::signal::Signal;
use parsec_test_support::http::client;
use parsec_test_support::postgres::{Postgres, Shutdown};
use serde_json::Value;

use crate::page::page;
use crate::process::{Ended, Process};
use crate::stage::Stage;
use crate::tables::Tables;
use crate::{recorded, results};

async fn parsec(stage: &Stage, line: &str) -> Ended {
    Process::start(stage, &line.split(' ').collect::<Vec<_>>()).end().await
}

fn database(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("parsec.db").display())
}

fn parsed(ended: &Ended) -> Vec<Value> {
    ended.out.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn of_type<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

const MODEL: &str = "Network simulated:private-50, a model: nothing of this was measured.";

/// Two hours of rounds, which take a moment.
const HOURS: &str = "demo --world private-50 --rounds 12 --interval 10m --seed 7 --format json";

/// That those hours were played whole.
fn check_played(ended: &Ended) {
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let lines = parsed(ended);
    let summary = lines.last().unwrap();
    assert_eq!((&summary["rounds"], &summary["left_out"]), (&36.into(), &0.into()), "{summary}");
    assert_eq!(summary["network"], "simulated:private-50");
    assert_eq!((of_type(&lines, "round").len(), of_type(&lines, "attempt").len()), (36, 36 * 7));
}

/// That they are read like real ones, and called a model.
async fn check_read(stage: &Stage, url: &str) {
    for (line, says) in [
        ("results", &["default", "fullrt", "optprov", "252 attempts", "36 begun: 36 complete", MODEL][..]),
        ("report --format markdown", &[MODEL, "simulated:private-50", "eu-central-1"]),
        ("compare --a fleet=default --b fleet=optprov", &["provide", "retrieve", MODEL]),
        ("explain", &["provide", MODEL]),
        ("peers", &[MODEL]),
        ("incidents", &["252 attempts, 36 rounds and 21 servers", "nothing happened", MODEL]),
    ] {
        let ended = parsec(stage, &format!("{line} --database-url {url}")).await;
        assert_eq!(ended.code(), 0, "{line}: {}", ended.err);
        let out = format!("{}\n{}", ended.out.join("\n"), ended.err);
        for words in says {
            assert!(out.contains(words), "{line}: no `{words}` in {out}");
        }
    }
    let (_page, at) = page(stage, url, &[]).await;
    let happened = client().get(format!("{at}/api/v1/incidents?since=7d")).send().await.unwrap().text().await.unwrap();
    let happened: Value = serde_json::from_str(&happened).unwrap();
    assert_eq!(happened["incidents"], Value::Array(vec![]), "{happened:#}");

    let listed = parsec(stage, &format!("trace --newest 100 --format json --database-url {url}")).await;
    let listed: Value = serde_json::from_str(&listed.out.join("\n")).unwrap();
    let publication = listed.as_array().unwrap().iter().find(|one| one["operation"] == "provide").unwrap();
    let id = publication["id"].as_str().unwrap();
    let one = parsec(stage, &format!("trace {id} --format json --database-url {url}")).await;
    assert!(one.err.contains(MODEL), "{}", one.err);
    let one: Value = serde_json::from_str(&one.out.join("\n")).unwrap();
    let requests = one["trace"]["requests"].as_array().unwrap();
    let puts = requests.iter().filter(|request| request["kind"] == "ADD_PROVIDER").count();
    assert_eq!(puts, 20, "{one:#}");
}

#[tokio::test]
async fn hours_of_simulated_rounds_are_read_like_real_ones_and_called_a_model() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let ended = parsec(&stage, &format!("{HOURS} --data-dir {}", directory.path().display())).await;
    check_played(&ended);
    check_read(&stage, &database(directory.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_database_takes_them_at_the_times_of_their_own_clock() {
    let (stage, database) = (Stage::begin(), parsec_test_support::database().await);
    let ended = parsec(&stage, &format!("{HOURS} --database-url {}", database.url())).await;
    check_played(&ended);
    check_read(&stage, database.url()).await;
    let tables = Tables::of(&stage, database).await;
    for (none, from) in [
        ("a server is not the model's", "nodes_ecs WHERE dependencies->>'network' <> 'simulated:private-50'"),
        ("a server has not left", "nodes_ecs WHERE offline_since IS NULL OR offline_since < last_heartbeat"),
        ("a heartbeat is missing", "nodes_ecs WHERE last_heartbeat < (SELECT max(started_at) FROM operations)"),
        ("a heartbeat has the host's time", "nodes_ecs WHERE last_heartbeat > now() - INTERVAL '1 second'"),
        (
            "a row is from before or after",
            "operations WHERE created_at NOT BETWEEN ended_at AND ended_at + INTERVAL '1 minute'",
        ),
        (
            "a publication has no end",
            "operations o WHERE kind = 'provide' AND NOT EXISTS (SELECT FROM follow_ups WHERE operation_id = o.id)",
        ),
        ("nobody says who confirmed", "follow_ups WHERE confirmed IS NULL OR confirmed > stored"),
    ] {
        assert_eq!(tables.count(from).await, 0, "{none}");
    }
    assert!(tables.count("follow_ups WHERE confirmed > 10").await > 30, "most peers confirm");
}

/// What an operation came to, without what names it and tells its time of day.
fn come_to(ended: &Ended) -> Vec<Value> {
    let lines = parsed(ended);
    let mut attempts: Vec<Value> = of_type(&lines, "attempt").into_iter().cloned().collect();
    for attempt in &mut attempts {
        let fields = attempt.as_object_mut().unwrap();
        for name in ["id", "round", "started"] {
            fields.remove(name).unwrap();
        }
    }
    attempts
}

#[tokio::test]
async fn one_seed_gives_the_same_rounds_and_another_one_gives_others() {
    let stage = Stage::begin();
    let play = async |seed: u32| {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        let line = format!("demo --world private-50 --rounds 3 --seed {seed} --format json --data-dir {at}");
        come_to(&parsec(&stage, &line).await)
    };
    let (one, same, other) = (play(7).await, play(7).await, play(8).await);
    assert_eq!(one.len(), 63);
    assert_eq!(one, same);
    let cids = |attempts: &[Value]| attempts.iter().map(|one| one["cid"].to_string()).collect::<BTreeSet<_>>();
    assert!(cids(&one).is_disjoint(&cids(&other)));
}

#[tokio::test]
async fn what_a_model_says_is_never_mixed_with_what_real_peers_measured() {
    let (stage, model, real) = (Stage::begin(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [in_model, in_real] = [model.path().display(), real.path().display()];
    let simulates = format!("demo --world private-50 --rounds 2 --data-dir {in_model} --save {in_model}/run.json");
    let measures = "demo --peers 25 --servers 2 --rounds 1 --interval 1s --fleets default --undialable 0 --silent 0 --latency none";
    assert_eq!(parsec(&stage, &simulates).await.code(), 0);
    assert_eq!(parsec(&stage, &format!("{measures} --data-dir {in_real} --save {in_real}/run.json")).await.code(), 0);

    let (in_database, of_real) = (database(model.path()), database(real.path()));
    let compare =
        format!("compare --a fleet=default --b fleet=default --a-database {in_database} --b-database {of_real}");
    let files = format!("compare --a-file {in_model}/run.json --b-file {in_real}/run.json");
    let check = format!("check --fail-if provide.p50>+10% --baseline {in_real}/run.json --database-url {in_database}");
    for line in [compare, files, check] {
        let refused = parsec(&stage, &line).await;
        let says = "one side was simulated (simulated:private-50), and the other one was measured on real peers";
        assert!(refused.err.contains(says), "{line}: {}", refused.err);
        assert_eq!(refused.code(), 2, "{line}");
    }
    for (line, says) in [
        (simulates, "simulated rounds are mixed with no others"),
        (
            format!("{measures} --data-dir {in_model}"),
            "it is one of simulated:private-50, and what real peers measure is not mixed",
        ),
        (format!("demo --world private-50 --rounds 2 --data-dir {in_real}"), "the rows of 2 servers"),
    ] {
        let refused = parsec(&stage, &line).await;
        assert!(refused.err.contains(says), "{line}: {}", refused.err);
        assert_eq!(refused.code(), 1, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_rounds_go_to_no_database_in_which_anything_is() {
    let (stage, deployed, begun) =
        (Stage::begin(), parsec_test_support::database().await, parsec_test_support::database().await);
    results::database(deployed.url()).await;
    recorded::scheduler(&*recorded::migrated(begun.url()).await, "default", recorded::beginning()).await;
    for (url, whose) in [(deployed.url(), "the rows of 4 servers"), (begun.url(), "the rows of 1 schedulers")] {
        let refused = parsec(&stage, &format!("demo --world private-50 --rounds 2 --database-url {url}")).await;
        let says = [whose, "simulated rounds are mixed with no others; expected an empty database"];
        assert!(says.iter().all(|says| refused.err.contains(says)), "{}", refused.err);
        assert_eq!(refused.code(), 1);
    }
}

/// The incidents of all that is recorded.
async fn incidents(stage: &Stage, url: &str) -> Vec<Value> {
    let ended = parsec(stage, &format!("incidents --since 370d --format json --database-url {url}")).await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    serde_json::from_str(&ended.out.concat()).unwrap()
}

#[tokio::test]
async fn what_happens_to_a_world_shows_in_the_rounds_from_the_middle_on() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let happens = "demo --world private-50 --scenario silent-2023 --fleets default --rounds 100 --interval 1m --seed 7 --format json";
    let ended = parsec(&stage, &format!("{happens} --data-dir {}", directory.path().display())).await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let begins = ended.err.lines().find_map(|line| line.strip_prefix("silent-2023 begins at ")).unwrap();
    let begins: DateTime<Utc> = format!("{}:00Z", begins[..16].replace(' ', "T")).parse().unwrap();
    let lines = parsed(&ended);
    let slowest = |minutes: std::ops::Range<i64>| {
        let publications = of_type(&lines, "attempt").into_iter().filter(|one| one["operation"] == "provide");
        let then = publications.filter(|one| {
            let started: DateTime<Utc> = one["started"].as_str().unwrap().parse().unwrap();
            minutes.contains(&(started - begins).num_minutes())
        });
        then.map(|one| one["duration_seconds"].as_f64().unwrap()).fold(0.0, f64::max)
    };
    // 60 % of all peers fall silent ten minutes after the beginning: who asks them waits for ten seconds.
    let (before, meanwhile) = (slowest(-50..0), slowest(13..35));
    assert!(before > 0.0 && before < 1.0 && meanwhile > 9.0, "{before} s, then {meanwhile} s");
}

/// A year of rounds, which takes longer than any test.
async fn begun(stage: &Stage, to: &str) -> Process {
    let line = format!("demo --world private-50 --days 366 --format json {to}");
    let demo = Process::start(stage, &line.split(' ').collect::<Vec<_>>());
    demo.out("a round", |line| line.contains(r#""type":"round""#).then_some(())).await;
    demo
}

/// How many attempts are recorded.
async fn attempts(stage: &Stage, url: &str) -> usize {
    let results = parsec(stage, &format!("results --format json --database-url {url}")).await;
    assert_eq!(results.code(), 0, "{}", results.err);
    results.err.lines().find_map(|line| line.split_once(" attempts")?.0.parse().ok()).unwrap()
}

#[tokio::test]
async fn ctrl_c_ends_a_simulated_year_and_what_there_is_by_then_is_kept() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let demo = begun(&stage, &format!("--data-dir {}", directory.path().display())).await;
    demo.signal(Signal::SIGINT);
    let ended = demo.end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert!(ended.err.contains("it ended early"), "{}", ended.err);
    let shown = of_type(&parsed(&ended), "attempt").len();
    // The rounds that were cut off have rows, too.
    let url = database(directory.path());
    let kept = attempts(&stage, &url).await;
    assert!(kept >= shown && shown > 0, "{kept} kept, {shown} shown");
    let lost = |incident: &Value| incident["incident"] == "server_lost";
    assert!(!incidents(&stage, &url).await.iter().any(lost), "its servers have left in good order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_a_moment_stops_the_simulated_clock_and_one_that_a_killed_process_left_is_refused()
{
    let (stage, postgres) = (Stage::begin(), Postgres::start().await);
    let url = postgres.url();
    let demo = begun(&stage, &format!("--database-url {url}")).await;
    postgres.stop(Shutdown::Fast).await;
    postgres.start_again().await;
    let client = postgres.client().await.unwrap();
    let rounds = async || client.query_one("SELECT count(*) FROM rounds", &[]).await.unwrap().get::<_, i64>(0);
    let by_then = rounds().await;
    stage.eventually("more rounds", async || (rounds().await > by_then + 30).then_some(())).await;
    demo.signal(Signal::SIGKILL);
    let ended = demo.end().await;
    let lines: Vec<Value> = ended.out.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let (kept, shown) = (attempts(&stage, &url).await, of_type(&lines, "attempt").len());
    assert!(kept + 2 * 3 * 7 >= shown, "what was shown is written, but for the last rounds: {kept} of {shown}");
    let found = incidents(&stage, &url).await;
    for name in ["server_lost", "records_lost", "database_away", "no_rounds"] {
        assert!(!found.iter().any(|incident| incident["incident"] == name), "{found:#?}");
    }
    let again = parsec(&stage, &format!("demo --world private-50 --rounds 2 --database-url {url}")).await;
    assert!(again.err.contains("the rows of 21 servers"), "{}", again.err);
}

#[tokio::test]
async fn a_world_that_cannot_be_played_is_refused_by_name() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let own = directory.path().join("own.toml");
    std::fs::write(&own, "name = \"own\"\npeers = 5\n").unwrap();
    for (line, says) in [
        (format!("demo --world {}", own.display()), "own.toml"),
        ("demo --world amino-2021".to_owned(), "expected one of: amino-2022"),
        ("demo --world amino-2022 --peers 50".to_owned(), "flag --peers"),
        ("demo --days 3".to_owned(), "flag --days needs --world, which is not set"),
    ] {
        let refused = parsec(&stage, &line).await;
        assert!(refused.err.contains(says), "{line}: {}", refused.err);
        assert_eq!(refused.code(), 2, "{line}");
    }
}
