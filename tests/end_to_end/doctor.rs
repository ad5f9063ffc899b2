//! `parsec doctor`, before and during a deployment.

use parsec_lab::LOCAL_PROTOCOL;
use serde_json::Value;

use crate::deployment::{Server, joining, network, server};
use crate::process::Process;
use crate::stage::Stage;

/// What it finds with these flags: its exit code, and a level for each check with all that is said of it.
async fn doctor(stage: &Stage, added: &[&str]) -> (i32, Vec<(String, String, String)>) {
    let local = ["doctor", "--format", "json", "--protocol-id", LOCAL_PROTOCOL, "--telemetry-port", "0"];
    let ended = Process::start(stage, &[&local[..], added].concat()).end().await;
    let all: Vec<Value> = serde_json::from_str(&ended.out.concat()).unwrap_or_else(|_| panic!("{}", ended.err));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |found: &Value| {
        let said = format!("{} → {}", text(&found["found"]), text(&found["advice"]));
        (text(&found["check"]), text(&found["level"]), said)
    };
    (ended.code(), all.iter().map(one).collect())
}

fn of<'a>(found: &'a [(String, String, String)], check: &str) -> (&'a str, &'a str) {
    let found_one = found.iter().find(|(what, ..)| what == check);
    let (_, level, said) = found_one.unwrap_or_else(|| panic!("no {check} in {found:#?}"));
    (level, said)
}

const FREE: [&str; 4] = ["--server-port", "0", "--peer-port", "0"];

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_will_work_is_ok_and_nothing_is_made() {
    let (stage, network, file) = (Stage::begin(), network().await, parsec_test_support::sqlite_file());
    let [flag, peers] = joining(&network);
    let url = file.url();
    let (code, found) = doctor(&stage, &[&FREE[..], &["--database-url", &url, &flag, &peers]].concat()).await;
    assert_eq!(code, 0, "{found:#?}");
    assert!(!file.path().exists(), "it makes no file");
    for check in ["HTTP API", "telemetry", "peer port", "reach", "database", "spool", "bootstrap"] {
        assert_eq!(of(&found, check).0, "ok", "{check}: {found:#?}");
    }
    assert!(of(&found, "database").1.contains("is not there yet"), "{found:#?}");
    assert!(of(&found, "bootstrap").1.contains("peers let us in"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_are_taken_and_peers_that_do_not_answer_are_said() {
    let (stage, network, file) = (Stage::begin(), network().await, parsec_test_support::sqlite_file());
    let [flag, peers] = joining(&network);
    let url = file.url();
    let server = server(&stage, &["--database-url", &url, &flag, &peers]);
    let server = Server::started(server).await.ready(&stage).await;
    let (api, taken) = (server.api.port().to_string(), server.multiaddress.split('/').nth(4).unwrap());
    // The port of tcpmux: below 1024, so that no test can be given it.
    let nobody = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWQnUASa11PcTJZQPR5AJq5o4BYqqzYVn4kuEnnJ7dSTvj";
    let ports = ["--server-port", &api, "--peer-port", taken, "--database-url", &url];
    let (code, found) = doctor(&stage, &[&ports[..], &["--bootstrap-peers", nobody]].concat()).await;
    assert_eq!(code, 1, "{found:#?}");
    let (level, said) = of(&found, "HTTP API");
    assert!(level == "warning" && said.contains("answers GET /readiness with 200 OK"), "{said}");
    let (level, said) = of(&found, "peer port");
    assert!(level == "error" && said.contains("is in use (TCP)"), "{said}");
    let (level, said) = of(&found, "bootstrap");
    assert!(level == "error" && said.contains("refused") && said.contains("--bootstrap-peers"), "{said}");
    assert_eq!((of(&found, "schema").0, of(&found, "rights").0), ("ok", "ok"));
    assert_eq!(server.process.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_is_told_which_and_a_database_that_is_away_is_an_error() {
    let (stage, database) = (Stage::begin(), parsec_test_support::database().await);
    let config = database.url().parse().unwrap();
    let before = doctor(&stage, &[&FREE[..], &["--database-url", database.url()]].concat()).await.1;
    let (level, said) = of(&before, "schema");
    assert!(level == "warning" && said.contains("there are no tables of ours yet"), "{said}");
    parsec_store::connect(&config).await.unwrap().migrate().await.unwrap();

    let role = database.role("SELECT").await;
    let (code, found) = doctor(&stage, &[&FREE[..], &["--database-url", &database.url_as(&role)]].concat()).await;
    assert_eq!(code, 1, "{found:#?}");
    let (level, said) = of(&found, "rights");
    assert!(level == "error" && said.contains(&role) && said.contains("GRANT"), "{said}");
    assert_eq!((of(&found, "clock").0, of(&found, "schedulers").0), ("ok", "ok"));

    let away = ["--db-host", "127.0.0.1", "--db-port", "1"];
    let (code, found) = doctor(&stage, &[&FREE[..], &away].concat()).await;
    let (level, said) = of(&found, "database");
    assert!(code == 1 && level == "error" && said.contains("refused") && said.contains("start it"), "{said}");
}

#[tokio::test]
async fn a_person_sees_a_line_for_each_check_and_what_to_do() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    let url = file.url();
    let words = ["doctor", "--protocol-id", LOCAL_PROTOCOL, "--telemetry-port", "0", "--database-url", &url];
    let ended = Process::start(&stage, &[&words[..], &FREE].concat()).end().await;
    let text = ended.out.join("\n");
    assert_eq!(ended.code(), 0, "{text} {}", ended.err);
    assert!(text.contains("warning  bootstrap") && text.contains("→ name some (--bootstrap-peers)"), "{text}");
    assert!(ended.out.last().is_some_and(|line| line.ends_with("0 to mend")), "{text}");
}
