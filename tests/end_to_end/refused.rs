//! A database that takes rows, but not all of them: nobody repeated the GRANT after a migration.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parsec_test_support::{TestDatabase, database};
use serde_json::Value;

use crate::deployment::{Server, joining, metrics, network, scheduler, server, telemetry};
use crate::http;
use crate::process::{Ended, Process};
use crate::stage::Stage;
use crate::tables::Tables;

/// What a role may do that writes rows, and makes no tables.
const DAILY: &str = "SELECT, INSERT, UPDATE";

async fn migrated(stage: &Stage, database: &TestDatabase) -> Ended {
    Process::start(stage, &["migrate", "--database-url", database.url()]).end().await
}

/// What `parsec spool` says of this directory.
async fn spool(stage: &Stage, action: &str, directory: &str, url: &str) -> Ended {
    let asked = ["spool", action, "--spool-dir", directory, "--database-url", url, "--format", "json"];
    Process::start(stage, &asked).end().await
}

/// How many rows are set aside there, and how many of them but for their trace.
async fn set_aside(stage: &Stage, directory: &str, url: &str) -> (u64, u64) {
    let listed: Value = serde_json::from_str(&spool(stage, "list", directory, url).await.out[0]).unwrap();
    let refused = listed.as_array().unwrap().iter().find(|entry| entry["refused"] == true).cloned();
    refused.map_or((0, 0), |refused| (refused["rows"].as_u64().unwrap(), refused["in_part"].as_u64().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_rights_are_set_aside_while_all_others_are_written_and_a_replay_completes_them() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    assert_eq!(migrated(&stage, &database).await.code(), 0);
    let guest = database.role(DAILY).await;
    let url = database.url_as(&guest);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    let [flag, peers] = joining(&network);
    let begin =
        async || Server::started(server(&stage, &["--database-url", &url, &flag, &peers])).await.ready(&stage).await;
    let _servers = tokio::join!(begin(), begin());
    let added = ["--database-url", &url, "--spool-dir", directory, "--trace-sample", "1"];
    let scheduler = scheduler(&stage, &added);
    let tables = Tables::of(&stage, database).await;
    tables.wait_for(1, "rounds WHERE outcome = 'complete'").await;

    tables.query(&format!("REVOKE INSERT ON traces FROM {guest}")).await;
    let refused = scheduler
        .log("the database refuses rows; they are set aside, and `parsec spool replay` writes them once the reason is gone")
        .await;
    let grant = format!("GRANT SELECT, INSERT, UPDATE ON TABLE public.traces TO {guest}");
    assert!(refused["why"].as_str().unwrap().ends_with(&grant), "{refused}");
    tables.wait_for(6, "operations WHERE trace_id IS NULL").await;

    // Another table, while the first is still closed.
    tables.query(&format!("REVOKE INSERT ON rounds FROM {guest}")).await;
    let until_now = tables.count("operations").await;
    tables.wait_for(until_now + 4, "operations").await;
    let metrics = metrics(&stage, &scheduler).await;
    let value = |series: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {series} in {metrics}"))
    };
    assert_ne!(value("parsec_recorder_rows_set_aside_total"), "0");
    assert_eq!(
        (value("parsec_recorder_rows_lost_total"), value("parsec_database_up")),
        ("0".to_owned(), "1".to_owned())
    );
    let status = http::get(&stage, telemetry(&scheduler).await, "/status").await.json();
    assert!(status["recorder"]["rows_set_aside"].as_u64().unwrap() > 0, "{status}");

    // Whoever starts now is told what is missing.
    let another = crate::deployment::scheduler(&stage, &["--database-url", &url]);
    another.log("database is ready").await;
    let told: Vec<String> = another.logged_so_far().iter().map(|line| line["message"].to_string()).collect();
    let missing = format!("{grant}; its rows will be set aside, for `parsec spool replay`");
    assert!(told.iter().any(|message| message.contains(&missing)), "{told:?}");
    assert_eq!(another.terminate().await.code(), 0);

    tables.query(&format!("GRANT INSERT ON traces, rounds TO {guest}")).await;
    assert!(set_aside(&stage, directory, &url).await.1 > 0);
    let replayed = spool(&stage, "replay", directory, &url).await;
    assert_eq!(replayed.code(), 0, "{replayed:?}");
    assert_eq!(set_aside(&stage, directory, &url).await, (0, 0));
    assert_eq!(scheduler.terminate().await.code(), 0);
    assert_eq!(tables.count("operations WHERE trace_id IS NULL AND outcome = 'ok'").await, 0);
    assert_eq!(tables.count("operations o WHERE NOT EXISTS (SELECT FROM rounds r WHERE r.id = o.round_id)").await, 0);
    assert_eq!(tables.count("rounds WHERE outcome IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_migrates_is_told_which_roles_lack_which_rights() {
    let stage = Stage::begin();
    let database = database().await;
    assert_eq!(migrated(&stage, &database).await.code(), 0);
    let guest = database.role(DAILY).await;
    let client = database.client().await;
    client.batch_execute(&format!("REVOKE INSERT ON record_checks FROM {guest}")).await.unwrap();
    let again = migrated(&stage, &database).await;
    let grant = format!("GRANT SELECT, INSERT, UPDATE ON TABLE public.record_checks TO {guest}");
    assert!(again.code() == 0 && again.out.last().unwrap().ends_with(&grant), "{again:?}");
}
