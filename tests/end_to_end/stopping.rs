//! How processes end when they are told to.
//!
//! The DHT of these tests is one peer: a server in server mode, in a process of its own. Frozen with SIGSTOP, it keeps
//! whoever asks it waiting for as long as the test wants.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use parsec_measure::Content;
use parsec_test_support::database;
use tokio::task::JoinHandle;

use crate::deployment::{Server, joining, metrics, network, scheduler, server};
use crate::http::{Reply, try_post};
use crate::process::Ended;
use crate::stage::Stage;
use crate::tables::Tables;

/// A request whose server may end before it answers. That is no panic: who tells one, with its backtrace, would stop the clock of a test for seconds.
type Asking = JoinHandle<Result<Reply, reqwest::Error>>;

/// A server with a lookup under way, which ends when the peer that it asks thaws.
struct Scene {
    tables: Tables,
    peer: Server,
    server: Server,
    request: Asking,
}

async fn a_lookup_under_way(stage: &Stage) -> Scene {
    let peer = Server::started(server(stage, &["--dry-run", "--server-mode"])).await;
    let database = database().await;
    let server = server(stage, &["--database-url", database.url(), "--bootstrap-peers", &peer.multiaddress]);
    let server = Server::started(server).await.ready(stage).await;
    let tables = Tables::of(stage, database).await;
    peer.process.signal(Signal::SIGSTOP);

    let request = look_up(stage, &server).await;
    Scene { tables, peer, server, request }
}

/// Has the server begin with a lookup.
async fn look_up(stage: &Stage, server: &Server) -> Asking {
    let path = format!("/retrieve/{}", Content::random(&mut rand::rng()).cid());
    begin(stage, server, "retrieve", path, "{}".to_owned()).await
}

/// Has it begin to publish many keys.
async fn sweep(stage: &Stage, server: &Server) -> Asking {
    let cids: Vec<String> = (0..200).map(|_| Content::random(&mut rand::rng()).cid().to_string()).collect();
    let body = serde_json::json!({ "CIDs": cids, "Strategy": "sweep" }).to_string();
    begin(stage, server, "provide", "/provide".to_owned(), body).await
}

async fn begin(stage: &Stage, server: &Server, name: &str, path: String, body: String) -> Asking {
    let request = {
        let (stage, api) = (stage.clone(), server.api);
        tokio::spawn(async move { try_post(&stage, api, &path, body).await })
    };
    let counted = format!(r#"parsec_http_requests_total{{method="POST",path="{name}",scheduler=""}} 1"#);
    let has_arrived = async || metrics(stage, &server.process).await.contains(&counted).then_some(());
    stage.eventually("request at the server", has_arrived).await;
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_is_offline_at_once_and_answers_what_it_was_asked_before() {
    let stage = Stage::begin();
    let Scene { tables, peer, server, request } = a_lookup_under_way(&stage).await;
    server.process.signal(Signal::SIGTERM);
    assert_eq!(server.process.log("stopping").await["signal"], "SIGTERM");
    // Nobody is sent to it any more, while somebody still waits for it.
    let gone = format!("nodes_ecs WHERE id = {} AND offline_since IS NOT NULL", server.node);
    tables.wait_for(1, &gone).await;
    peer.process.signal(Signal::SIGCONT);

    let reply = request.await.unwrap().unwrap();
    assert_eq!((reply.status, reply.json()["Error"].as_str()), (200, Some("not found")), "{reply:?}");
    let ended = server.process.end().await;
    assert_eq!(ended.code(), 0);
    assert!(ended.err.contains("stopped in order"), "{}", ended.err);
    assert_eq!(tables.count(&gone).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_server_at_once() {
    let stage = Stage::begin();
    let Scene { server, request, peer: _frozen, tables: _ } = a_lookup_under_way(&stage).await;
    request.abort();
    server.process.signal(Signal::SIGTERM);
    server.process.log("stopping").await;
    server.process.signal(Signal::SIGINT);
    let ended = server.process.end().await;
    assert_eq!(ended.code(), 130);
    assert!(ended.err.contains("second signal, ending at once"), "{}", ended.err);
}

#[tokio::test]
async fn who_still_waits_for_a_database_can_be_stopped_all_the_same() {
    let stage = Stage::begin();
    let nowhere = ["--database-url", "postgres://ann@127.0.0.1:1/measurements", "--database-wait", "1h"];
    for process in [server(&stage, &nowhere), scheduler(&stage, &nowhere)] {
        process.log("the database cannot be reached yet; trying again").await;
        let ended = process.terminate().await;
        assert_eq!(ended.code(), 0);
        assert!(ended.err.contains("stopping before everything is up"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_no_longer_than_it_may_whatever_is_in_flight() {
    let stage = Stage::begin();
    let peer = Server::started(server(&stage, &["--dry-run", "--server-mode"])).await;
    let added = ["--dry-run", "--stop-timeout", "3s", "--bootstrap-peers", &peer.multiaddress];
    let start = async || Server::started(server(&stage, &added)).await.ready(&stage).await;
    let (one, other) = tokio::join!(start(), start());
    peer.process.signal(Signal::SIGSTOP);
    let (looking, publishing) = (look_up(&stage, &one).await, sweep(&stage, &other).await);
    tokio::join!(stops_in_time(one, looking), stops_in_time(other, publishing));
}

/// Whatever this request to it waits for.
async fn stops_in_time(server: Server, request: Asking) {
    let told = Instant::now();
    server.process.signal(Signal::SIGTERM);
    let ended = server.process.end().await;
    let took = told.elapsed();
    request.abort();
    // The bound, and a step of whoever watches over it.
    assert!(took < Duration::from_secs(5), "{took:?}: {}", ended.err);
    assert_eq!(ended.code(), 0, "a request that is cut off leaves nothing unwritten: {}", ended.err);
}

/// Stops a scheduler with these arguments whose last round the database does not take.
async fn stopped_without_a_database(added: &[&str]) -> Ended {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let joining = ["--database-url", database.url(), &flag, &peers];
    let begin = async || Server::started(server(&stage, &joining)).await.ready(&stage).await;
    let _servers = tokio::join!(begin(), begin());
    let added = [&["--database-url", database.url(), "--stop-timeout", "3s"], added].concat();
    let scheduler = scheduler(&stage, &added);
    let tables = Tables::of(&stage, database).await;
    tables.wait_for(1, "rounds WHERE outcome = 'complete'").await;
    // Whoever writes waits for this transaction.
    tables.query("BEGIN").await;
    tables.query("LOCK TABLE rounds, operations IN ACCESS EXCLUSIVE MODE").await;
    scheduler.logged("attempt ended", 6).await;

    let told = Instant::now();
    let ended = scheduler.terminate().await;
    assert!(told.elapsed() < Duration::from_secs(6), "{:?}: {}", told.elapsed(), ended.err);
    ended
}

/// The message of the last line that it logged.
fn last_words(ended: &Ended) -> String {
    let last = ended.err.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    last.and_then(|last| Some(last["message"].as_str()?.to_owned())).expect("the last line is a message")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_leaves_rows_unwritten_says_so_with_its_exit_code_and_its_last_line() {
    let spool = tempfile::tempdir().unwrap();
    let directory = spool.path().to_str().unwrap();
    for lost_with_us in [&["--spool-dir", "none"][..], &["--spool-dir", directory, "--spool-durable=false"]] {
        let ended = stopped_without_a_database(lost_with_us).await;
        assert_eq!(ended.code(), 75, "{lost_with_us:?}: {}", ended.err);
        let message = last_words(&ended);
        let expected = "stopped, but not everything was finished: recorder gave no answer within ";
        assert!(message.starts_with(expected), "{message}");
        assert!(
            message.ends_with(" rows are not written, and no place that outlives this process has them"),
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_on_a_disk_that_outlives_the_process_are_no_failure_and_the_log_says_who_writes_them() {
    let spool = tempfile::tempdir().unwrap();
    let ended = stopped_without_a_database(&["--spool-dir", spool.path().to_str().unwrap()]).await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let waits = "rows that the database did not take wait on disk in the spool directory: the next process with this \
                 directory and this database writes them, or `parsec spool replay`";
    assert!(ended.err.contains(waits), "{}", ended.err);
}
