//! What a process was told in confidence is in nothing that it says: not in its log at the level of every step, not in its
//! metrics, not in its row, not in its errors.

use parsec_test_support::{TestDatabase, database};
use url::Url;

use crate::deployment::{Server, joining, metrics, network, scheduler_with, server_with};
use crate::http::{get, post_with};
use crate::process::{Ended, Process};
use crate::stage::Stage;
use crate::tables::Tables;

/// Parts of these are in no word that a process has reason to say.
const PASSWORD: &str = "Zauberwort0Passwort";
const TOKEN: &str = "Zauberwort1Token0123456789";
const WRONG_TOKEN: &str = "Zauberwort2Token0123456789";

/// What is in all of them.
const MARK: &str = "Zauberwort";

/// The database for somebody with a password, which a test server does not look at.
fn with_password(database: &TestDatabase) -> String {
    let mut url = Url::parse(database.url()).expect("a test database has a URL");
    url.set_password(Some(PASSWORD)).expect("a URL with a host can hold a password");
    url.into()
}

fn keeps_quiet(what: &str, said: &str) {
    assert!(!said.is_empty(), "{what} says nothing at all");
    let line = said.lines().find(|line| line.contains(MARK));
    assert_eq!(line, None, "{what} tells a secret");
}

fn all_of(ended: &Ended) -> String {
    format!("{}\n{}", ended.out.join("\n"), ended.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_measures_tells_no_secret() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let url = with_password(&database);
    let line = ["--log-level", "6", "--database-url", &url, &flag, &peers];
    let by_flag = [&line[..], &["--api-token", TOKEN]].concat();
    let (one, other) = tokio::join!(
        Server::started(server_with(&stage, &[("PARSEC_SERVER_API_TOKEN", TOKEN)], &line)),
        Server::started(server_with(&stage, &[], &by_flag)),
    );
    let (one, other) = tokio::join!(one.ready(&stage), other.ready(&stage));
    let tables = Tables::of(&stage, database).await;
    let scheduler = [("PARSEC_SCHEDULER_API_TOKEN", TOKEN), ("PARSEC_DATABASE_URL", &*url)];
    let scheduler = scheduler_with(&stage, &scheduler, &["--log-level", "6"]);
    assert_eq!(scheduler.log("attempt ended").await["outcome"], "ok");

    for presented in [TOKEN, WRONG_TOKEN] {
        let header = format!("Bearer {presented}");
        let reply = post_with(&stage, one.api, "/retrieve/nonsense", ("authorization", &header)).await;
        keeps_quiet("an answer", &format!("{reply:?}"));
    }
    for process in [&one.process, &other.process, &scheduler] {
        keeps_quiet("/metrics", &metrics(&stage, process).await);
        let status = get(&stage, crate::deployment::telemetry(process).await, "/status").await;
        keeps_quiet("/status", &format!("{status:?}"));
    }
    for row in tables.query("SELECT to_jsonb(n)::text FROM nodes_ecs n").await {
        keeps_quiet("a row", &row.get::<_, String>(0));
    }
    let cmd: String = tables.query(&format!("SELECT cmd FROM nodes_ecs WHERE id = {}", other.node)).await[0].get(0);
    assert!(cmd.contains("--api-token ***") && cmd.contains(":***@"), "{cmd}");
    for process in [scheduler, one.process, other.process] {
        let ended = process.terminate().await;
        assert_eq!(ended.code(), 0);
        keeps_quiet("a log", &all_of(&ended));
    }
}

#[tokio::test]
async fn what_cannot_start_tells_no_secret() {
    let stage = Stage::begin();
    let nowhere = format!("postgres://ann:{PASSWORD}@127.0.0.1:1/measurements");
    let wait = ["--log-level", "6", "--database-wait", "1s", "--telemetry-port", "0"];
    let token = ("PARSEC_SERVER_API_TOKEN", TOKEN);
    for (variables, line) in [
        (vec![token, ("PARSEC_DATABASE_URL", &*nowhere)], "server --server-port 0 --peer-port 0"),
        (
            vec![token, ("PARSEC_DATABASE_PASSWORD", PASSWORD), ("PARSEC_DATABASE_PORT", "1")],
            "server --server-port 0 --peer-port 0",
        ),
        (vec![("PARSEC_SCHEDULER_API_TOKEN", TOKEN), ("PARSEC_DATABASE_URL", &*nowhere)], "scheduler --fleets default"),
        // Not the least of it is told when it is no token or no URL.
        (vec![("PARSEC_SERVER_API_TOKEN", "Zauberwort")], "server"),
        (vec![("PARSEC_SERVER_API_TOKEN", "Zauberwort Zauberwort Zauberwort")], "server"),
        (vec![("PARSEC_DATABASE_URL", "mysql://ann:Zauberwort@db/x")], "server"),
    ] {
        let line: Vec<_> = line.split(' ').chain(wait).collect();
        let ended = Process::start_with(&stage, &variables, &line).end().await;
        assert_ne!(ended.code(), 0, "{line:?}");
        keeps_quiet(&format!("{line:?}"), &all_of(&ended));
    }
}

#[tokio::test]
async fn the_settings_are_shown_without_secrets() {
    let stage = Stage::begin();
    let url = format!("postgres://ann:{PASSWORD}@db/x");
    let variables = [
        ("PARSEC_SERVER_API_TOKEN", TOKEN),
        ("PARSEC_SCHEDULER_API_TOKEN", TOKEN),
        ("PARSEC_CLIENT_API_TOKEN", TOKEN),
        ("PARSEC_DATABASE_PASSWORD", PASSWORD),
        ("PARSEC_DATABASE_URL", &*url),
    ];
    for line in ["config", "config server", "config --format toml server", "config --format json scheduler --fleets a"]
    {
        let line: Vec<_> = line.split(' ').collect();
        let ended = Process::start_with(&stage, &variables, &line).end().await;
        assert_eq!(ended.code(), 0, "{line:?}: {ended:?}");
        keeps_quiet(&format!("{line:?}"), &all_of(&ended));
    }
    let token = [("PARSEC_CLIENT_API_TOKEN", TOKEN)];
    let ended = Process::start_with(&stage, &token, &["conformance", "http://127.0.0.1:1", "--ready-timeout", "1s"]);
    keeps_quiet("a judgement", &all_of(&ended.end().await));
}
