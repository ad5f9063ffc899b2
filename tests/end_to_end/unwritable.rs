//! Streams that take nothing: a full disk, a pipe that nobody reads or that somebody has closed. What is measured does not
//! depend on the log; a result that cannot be written is a failure, unless its reader has simply gone.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::deployment::{SERVER, scheduling};
use crate::http;
use crate::process::{Ended, IGNORE_FILE_LIMIT, Process};
use crate::stage::Stage;

/// Everything that is logged is lost.
const FULL: &str = "exec 2>/dev/full";

/// A port that was free a moment ago and fits into the database: there is no log to read one from.
fn free_address() -> SocketAddr {
    let mut rng = rand::rng();
    let addresses = parsec_dht::port_candidates(&mut rng).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    addresses.into_iter().find(|address| std::net::TcpListener::bind(address).is_ok()).expect("a port is free")
}

/// A pipe whose reader runs `reading`, and then says so with a file; `stream` leads into it. The process begins once the
/// reader has gone so far.
fn into_pipe(directory: &TempDir, stream: u8, reading: &str) -> String {
    let (pipe, done) = (directory.path().join("pipe"), directory.path().join("done"));
    let (pipe, done) = (pipe.display(), done.display());
    format!(
        "mkfifo {pipe}; ( exec 3<{pipe} >/dev/null 2>&1; {reading}; : >{done}; {HOLD} ) & \
         exec {stream}>{pipe}; until [ -e {done} ]; do :; done"
    )
}

/// The reader keeps the pipe open, if it still has it, for longer than a test lasts.
const HOLD: &str = "[ -e /dev/fd/3 ] && exec sleep 90";

/// The reader closes the pipe.
const CLOSE: &str = "exec 3<&-";

fn tempdir() -> TempDir {
    tempfile::Builder::new().prefix("parsec-unwritable-").tempdir().expect("tests can make a temporary directory")
}

/// These arguments with another value for a flag that is among them.
fn with<'a>(mut args: Vec<&'a str>, flag: &str, value: &'a str) -> Vec<&'a str> {
    let at = args.iter().position(|arg| *arg == flag).expect("the flag is there");
    args[at + 1] = value;
    args
}

/// Starts a scheduler of a fleet that has no servers: it plays its rounds all the same, and logs each of them.
fn scheduler(stage: &Stage, preparation: &str, interval: &str, telemetry: SocketAddr, database: &Path) -> Process {
    let url = format!("sqlite:{}", database.join("parsec.db").display());
    let port = telemetry.port().to_string();
    let args = scheduling("nobody", interval, &["--database-url", &url, "--dry-run"]);
    Process::start_after(stage, preparation, &with(args, "--telemetry-port", &port))
}

/// The value of a series, once the process shows it.
async fn figure(stage: &Stage, telemetry: SocketAddr, series: &str, enough: impl Fn(f64) -> bool) -> f64 {
    let look = async || {
        let reply = http::try_get(telemetry, "/metrics", std::time::Duration::from_secs(5)).await?;
        let line = reply.text.lines().find(|line| line.starts_with(series))?;
        line.rsplit(' ').next()?.parse().ok().filter(|value| enough(*value))
    };
    stage.eventually(series, look).await
}

const LOST: &str = "parsec_log_lines_lost_total ";
const ROUNDS: &str = "parsec_rounds_total{outcome=\"too_few_nodes\"";

/// Starts a server that logs a line for every operation that it refuses.
fn server(stage: &Stage, preparation: &str, api: SocketAddr, telemetry: SocketAddr) -> Process {
    let (api, telemetry) = (api.port().to_string(), telemetry.port().to_string());
    let args = with(with(SERVER.to_vec(), "--server-port", &api), "--telemetry-port", &telemetry);
    let token = ["--api-token", "a-token-that-nobody-presents", "--log-level", "debug"];
    let alone = ["--protocol-id", parsec_lab::LOCAL_PROTOCOL, "--dry-run"];
    Process::start_after(stage, preparation, &[&args[..], &token, &alone].concat())
}

/// Has the server log a line about this long, and waits for its answer.
async fn log_a_line(stage: &Stage, api: SocketAddr, length: usize) {
    let refused = http::post(stage, api, &format!("/retrieve/{}", "x".repeat(length)), "{}").await;
    assert_eq!(refused.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_is_on_a_full_disk_serves_and_stops_in_order() {
    let (stage, api, telemetry) = (Stage::begin(), free_address(), free_address());
    let server = server(&stage, FULL, api, telemetry);
    assert!(figure(&stage, telemetry, LOST, |lost| lost > 0.0).await > 0.0);
    assert_eq!(http::get(&stage, api, "/readiness").await.status, 503);
    let ended = server.terminate().await;
    assert_eq!((ended.code(), ended.err.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_whose_log_nobody_reads_any_more_goes_on_and_stops_in_order() {
    let (stage, telemetry, directory) = (Stage::begin(), free_address(), tempdir());
    let closed = into_pipe(&directory, 2, CLOSE);
    let scheduler = scheduler(&stage, &closed, "50ms", telemetry, directory.path());
    figure(&stage, telemetry, LOST, |lost| lost > 0.0).await;
    figure(&stage, telemetry, ROUNDS, |rounds| rounds > 20.0).await;
    assert_eq!(scheduler.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_read_holds_nobody_up_and_no_stop_either() {
    let (stage, api, telemetry, directory) = (Stage::begin(), free_address(), free_address(), tempdir());
    let unread = into_pipe(&directory, 2, ":");
    let server = server(&stage, &unread, api, telemetry);
    figure(&stage, telemetry, LOST, |lost| lost >= 0.0).await;
    // A pipe holds 64 KiB.
    for _ in 0..400 {
        log_a_line(&stage, api, 100).await;
    }
    assert_eq!(server.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_says_what_it_has_lost_once_its_disk_takes_something_again() {
    let (stage, api, telemetry, directory) = (Stage::begin(), free_address(), free_address(), tempdir());
    let log = directory.path().join("log");
    let into_file = format!("{IGNORE_FILE_LIMIT}; exec 2>{}", log.display());
    let server = server(&stage, &into_file, api, telemetry);
    figure(&stage, telemetry, LOST, |lost| lost >= 0.0).await;
    assert!(server.writes_to_disk(false));
    for _ in 0..3 {
        log_a_line(&stage, api, 10).await;
    }
    let lost = figure(&stage, telemetry, LOST, |lost| lost >= 3.0).await;
    assert!(server.writes_to_disk(true));
    log_a_line(&stage, api, 10).await;
    let said = async || {
        let text = std::fs::read_to_string(&log).ok()?;
        let mut events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        events.find(|event| event["message"] == "log lines were lost")
    };
    let said = stage.eventually("line about lost lines", said).await;
    assert!(said["lines"].as_f64() >= Some(lost), "{said}");
    assert!(said["reason"].as_str().is_some_and(|reason| reason.starts_with("File too large")), "{said}");
    assert_eq!(server.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_without_a_log_runs_to_its_end() {
    let (stage, directory) = (Stage::begin(), tempdir());
    let data = directory.path().join("data").display().to_string();
    let small = [
        "demo",
        "--peers",
        "30",
        "--servers",
        "2",
        "--rounds",
        "1",
        "--undialable",
        "0",
        "--silent",
        "0",
        "--fleets",
        "default",
        "--data-dir",
        &data,
    ];
    for preparation in [FULL.to_owned(), into_pipe(&directory, 2, CLOSE)] {
        let ended = Process::start_after(&stage, &preparation, &small).end().await;
        assert_eq!(ended.code(), 0, "{ended:?}");
        assert!(ended.out.iter().any(|line| line.contains("1 round in ")), "{ended:?}");
    }
}

/// Runs `parsec` with its standard output in a pipe that has been closed, or on a full disk.
async fn run(stage: &Stage, preparation: &str, args: &[&str]) -> Ended {
    Process::start_after(stage, preparation, args).end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_whose_reader_has_gone_ends_quietly_like_any_other_tool() {
    let stage = Stage::begin();
    for args in [&["config", "server"][..], &["--help"], &["completions", "bash"], &["migrate", "--print"]] {
        let directory = tempdir();
        let ended = run(&stage, &into_pipe(&directory, 1, CLOSE), args).await;
        assert_eq!((ended.code(), ended.err.as_str()), (141, ""), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_has_no_room_is_a_failure_with_its_reason() {
    let stage = Stage::begin();
    for args in [&["config", "server"][..], &["--help"], &["completions", "bash"], &["migrate", "--print"]] {
        let ended = run(&stage, "exec 1>/dev/full", args).await;
        assert_eq!(ended.code(), 1, "{args:?}: {ended:?}");
        let reason = "cannot write to standard output: No space left on device (os error 28)";
        assert!(ended.err.trim_end().ends_with(reason), "{args:?}: {ended:?}");
    }
}
