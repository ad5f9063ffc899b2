//! SIGHUP: files are read again, and whoever sat at a terminal that has hung up finds everything stopped in order.

use std::path::Path;

use nix::sys::signal::Signal;
use parsec_test_support::postgres::Postgres;
use parsec_test_support::process::Terminal;
use parsec_test_support::sqlite_file;
use parsec_test_support::tls::Authority;

use crate::deployment::{SERVER, Server, joining, metrics, network, scheduler, server};
use crate::http::{get_secure, post_with};
use crate::process::Process;
use crate::stage::Stage;

const OLD: &str = "geheim-geheim-geheim-geheim";
const NEW: &str = "anders-anders-anders-anders";

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().expect("temporary directories have plain names").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_read_again_by_a_server_and_a_scheduler_and_the_old_one_lets_nobody_in() {
    let (stage, network, file) = (Stage::begin(), network().await, sqlite_file());
    let [flag, peers] = joining(&network);
    let (url, secret) = (file.url(), path(file.path().parent().unwrap(), "token"));
    std::fs::write(&secret, OLD).unwrap();
    let start = || server(&stage, &["--database-url", &url, "--api-token-file", &secret, &flag, &peers]);
    let (one, two) = tokio::join!(Server::started(start()), Server::started(start()));
    let scheduler = scheduler(&stage, &["--database-url", &url, "--api-token-file", &secret]);
    assert_eq!(scheduler.log("attempt ended").await["outcome"], "ok");

    std::fs::write(&secret, NEW).unwrap();
    for process in [&one.process, &two.process] {
        process.signal(Signal::SIGHUP);
        assert_eq!(process.log("read again").await["what"], "token");
    }
    let lookup = "/retrieve/QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5";
    let status = async |token: &str| {
        post_with(&stage, one.api, lookup, ("authorization", &format!("Bearer {token}"))).await.status
    };
    assert_eq!((status(OLD).await, status(NEW).await), (401, 200));

    scheduler.signal(Signal::SIGHUP);
    scheduler.log("read again").await;
    let measures_again = async || {
        let lines = scheduler.logged_so_far();
        let mut since = lines.iter().skip_while(|line| line["message"] != "read again");
        since.find(|line| line["message"] == "attempt ended" && line["outcome"] == "ok").map(drop)
    };
    stage.eventually("attempt with the new token", measures_again).await;
    // A file that cannot be used changes nothing.
    std::fs::write(&secret, "short").unwrap();
    one.process.signal(Signal::SIGHUP);
    let refused = one.process.log("cannot be used: what was read before stays in use").await;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("it has 5 characters")), "{refused}");
    assert_eq!(status(NEW).await, 200);
    assert_eq!(scheduler.terminate().await.code(), 0);
    assert_eq!(one.process.terminate().await.code(), 0);
}

/// Sessions that are there go on with the password that they have logged in with; those that begin need the one that is valid.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_the_database_is_read_again_and_rows_that_waited_for_it_are_written() {
    let (stage, postgres, directory) = (Stage::begin(), Postgres::start().await, tempfile::tempdir().unwrap());
    let client = postgres.client().await.unwrap();
    let ask = async |statements: String| client.batch_execute(&statements).await.unwrap();
    let shut_out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'renewed'";
    ask(format!("CREATE ROLE renewed LOGIN PASSWORD '{OLD}'")).await;
    ask("CREATE DATABASE renewed OWNER renewed".to_owned()).await;
    postgres.also_allow("host renewed renewed 127.0.0.1/32 scram-sha-256").await;
    let (secret, port) = (path(directory.path(), "password"), postgres.address().port().to_string());
    std::fs::write(&secret, OLD).unwrap();
    let target = ["--db-host", "127.0.0.1", "--db-port", &port, "--db-name", "renewed", "--db-user", "renewed"];
    let target = [&target[..], &["--db-sslmode", "disable", "--db-password-file", &secret]].concat();
    let server = Server::started(server(&stage, &target)).await;
    let scheduler = scheduler(&stage, &target);
    scheduler.log("round loop registered").await;

    ask(format!("ALTER ROLE renewed PASSWORD '{NEW}'; {shut_out}")).await;
    let refused = scheduler.log("rows cannot be written to the database; they wait").await;
    assert!(
        refused["error"].as_str().is_some_and(|error| error.contains("password authentication failed")),
        "{refused}"
    );
    std::fs::write(&secret, "").unwrap();
    scheduler.signal(Signal::SIGHUP);
    let refused = scheduler.log("cannot be used: what was read before stays in use").await;
    assert_eq!(
        refused["error"],
        format!("password (--db-password-file) {secret}: it is empty; expected a secret in it")
    );
    std::fs::write(&secret, NEW).unwrap();
    for process in [&server.process, &scheduler] {
        process.signal(Signal::SIGHUP);
        assert_eq!(process.log("read again").await["what"], "password of the database");
    }
    scheduler.log("the database takes rows again").await;
    // Their last rows and the mark of a server that has gone are written in sessions that begin now.
    ask(shut_out.to_owned()).await;
    assert_eq!(scheduler.terminate().await.code(), 0);
    let ended = server.process.terminate().await;
    assert_eq!(ended.code(), 0, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_read_again_and_one_that_is_too_old_is_used_and_said_to_be() {
    let (stage, directory, authority) = (Stage::begin(), tempfile::tempdir().unwrap(), Authority::new());
    let files = authority.issue_into(directory.path(), &["127.0.0.1"]);
    let tls =
        ["--server-tls-cert", files.certificate.to_str().unwrap(), "--server-tls-key", files.key.to_str().unwrap()];
    let server = Server::started(server(&stage, &[&["--dry-run"], &tls[..]].concat())).await;
    assert_eq!(get_secure(&stage, &authority, server.api, "/readiness").await.unwrap().status, 503);

    authority.issue_until(directory.path(), &["127.0.0.1"], (2000, 1, 1), (2001, 9, 9));
    server.process.signal(Signal::SIGHUP);
    server.process.log("the renewed certificate is used").await;
    let said = server.process.log("the certificate has expired: whoever checks it refuses this server").await;
    assert_eq!(said["valid_until"], "2001-09-09T00:00:00+00:00");
    assert!(get_secure(&stage, &authority, server.api, "/readiness").await.is_err());
    let expiry = r#"parsec_certificate_expiry_timestamp_seconds{certificate="server"} 999993600"#;
    assert!(metrics(&stage, &server.process).await.contains(expiry));
    assert_eq!(server.process.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_nothing_to_read_again_goes_on() {
    let stage = Stage::begin();
    let server = Server::started(server(&stage, &["--dry-run"])).await;
    server.process.signal(Signal::SIGHUP);
    server.process.log("no file is configured that could be read again").await;
    assert_eq!(server.process.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_terminal_reads_again_while_it_is_there_and_stops_in_order_when_it_hangs_up() {
    let (stage, terminal) = (Stage::begin(), Terminal::open());
    let args = [SERVER, &["--protocol-id", parsec_lab::LOCAL_PROTOCOL, "--dry-run"]].concat();
    let server = Process::start_on(&stage, &terminal, &args);
    server.log("server started").await;
    server.log("serving /metrics").await;
    server.signal(Signal::SIGHUP);
    server.log("no file is configured that could be read again").await;
    drop(terminal);
    assert_eq!(server.log("stopping").await["signal"], "SIGHUP");
    let ended = server.end().await;
    assert_eq!(ended.code(), 0, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_whose_terminal_hangs_up_ends_in_order() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let data = path(directory.path(), "data");
    let quick =
        ["demo", "--peers", "30", "--servers", "2", "--undialable", "0", "--silent", "0", "--fleets", "default"];
    let demo = Process::start(&stage, &[&quick[..], &["--interval", "1s", "--data-dir", &data]].concat());
    demo.out("a round", |line| line.starts_with("round 1").then_some(())).await;
    demo.signal(Signal::SIGHUP);
    let ended = demo.end().await;
    assert_eq!(ended.code(), 0, "{ended:?}");
    let sums_up = |line: &String| line.contains(" round in ") || line.contains(" rounds in ");
    assert!(ended.out.iter().any(sums_up), "it sums up what it has measured: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_started_to_outlive_a_hang_up_does() {
    let stage = Stage::begin();
    let args = [SERVER, &["--protocol-id", parsec_lab::LOCAL_PROTOCOL, "--dry-run"]].concat();
    let server = Process::start_after(&stage, "trap '' HUP", &args);
    server.log("serving /metrics").await;
    server.signal(Signal::SIGHUP);
    let ended = server.terminate().await;
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(!ended.err.contains("SIGHUP"), "{ended:?}");
}
