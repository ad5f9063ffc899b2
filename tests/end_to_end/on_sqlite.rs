//! A deployment of one host: every process has the same SQLite file open.

use parsec_measure::AttemptId;
use parsec_store::{StoreConfig, open_traces};
use tokio::join;

use crate::deployment::{Server, joining, metrics, network, scheduler, server};
use crate::process::{self, Process};
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_scheduler_share_one_file() {
    let (stage, network, file) = (Stage::begin(), network().await, parsec_test_support::sqlite_file());
    let [flag, peers] = joining(&network);
    let url = file.url();
    let at_file = ["--database-url", &url];
    let start = || server(&stage, &[&at_file[..], &[&flag, &peers]].concat());
    let (one, other, scheduler) = (start(), start(), scheduler(&stage, &at_file));
    let (one, other) = join!(Server::started(one), Server::started(other));
    assert_ne!(one.node, other.node);

    // Two rounds, each with a publication and a lookup.
    for count in 1..=4 {
        let attempt = scheduler.logged("attempt ended", count).await;
        assert_eq!((&attempt["outcome"], &attempt["error"]), (&"ok".into(), &serde_json::Value::Null), "{attempt}");
    }
    for process in [scheduler, one.process, other.process] {
        assert_eq!(process.terminate().await.code(), 0);
    }
    // Whoever copies the file alone has everything.
    let copy = parsec_test_support::sqlite_file();
    std::fs::copy(file.path(), copy.path()).unwrap();
    let told = async |url: &str| process::ask(&stage, &["results", "--format", "json", "--database-url", url]).await;
    let (copied, whole) = (told(&copy.url()).await, told(&url).await);
    assert_eq!((copied.code(), &copied.out), (0, &whole.out), "{}", copied.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_deleted_while_all_have_it_open_is_written_again_and_no_row_is_missing() {
    let (stage, network, file) = (Stage::begin(), network().await, parsec_test_support::sqlite_file());
    let [flag, peers] = joining(&network);
    let url = file.url();
    let at_file = ["--database-url", &url];
    let start = || server(&stage, &[&at_file[..], &[&flag, &peers]].concat());
    let (one, other, scheduler) = (start(), start(), scheduler(&stage, &at_file));
    let (one, other) = join!(Server::started(one), Server::started(other));
    scheduler.logged("attempt ended", 6).await;

    std::fs::remove_file(file.path()).unwrap();
    stage.eventually("the file again", async || file.path().exists().then_some(())).await;
    let all = [&scheduler, &one.process, &other.process];
    let message = "the database file was deleted while in use; it has been written again, with all of its rows";
    let said = async || all.iter().any(|process: &&Process| has_logged(process, message)).then_some(());
    stage.eventually("word of it", said).await;
    let counted = async || {
        let told = metrics(&stage, &scheduler).await;
        told.contains("\nparsec_database_file_moves_total 1\n").then_some(())
    };
    stage.eventually("its count", counted).await;
    scheduler.logged("attempt ended", 14).await;

    let attempts: Vec<String> = scheduler
        .logged_so_far()
        .iter()
        .filter(|line| line["message"] == "attempt ended")
        .filter_map(|line| Some(line["attempt"].as_str()?.to_owned()))
        .collect();
    for process in [scheduler, one.process, other.process] {
        assert_eq!(process.terminate().await.code(), 0);
    }
    let traces = open_traces(&StoreConfig::Sqlite { path: file.path() }).await.unwrap();
    for attempt in attempts {
        let found = traces.whole(AttemptId(attempt.parse().unwrap())).await.unwrap();
        assert!(found.is_some(), "attempt {attempt} is missing");
    }
}

fn has_logged(process: &Process, message: &str) -> bool {
    process.logged_so_far().iter().any(|line| line["message"] == message)
}
