//! `parsec conformance` on servers that answer as those of the field do: green with notes; and red on broken ones.

use futures::future::join_all;
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::Value;

use crate::doubles::Doubles;

async fn conformance(stage: &Stage, port: u16) -> (i32, Value) {
    let url = format!("http://127.0.0.1:{port}");
    let args = ["conformance", &url, "--format", "json", "--timeout", "10s", "--ready-timeout", "10s"];
    let ended = Process::start(stage, &args).end().await;
    let report = serde_json::from_str(&ended.out.concat()).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (ended.code(), report)
}

/// The checks with this result.
fn with_result<'a>(report: &'a Value, result: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().expect("a report has checks").iter();
    checks.filter(|check| check["result"] == result).filter_map(|check| check["check"].as_str()).collect()
}

async fn check_green(wire: &str, noted: &[&str]) {
    let stage = Stage::begin();
    let doubles = Doubles::start(&stage, wire, 1, &[]).await;
    let (code, report) = conformance(&stage, doubles.ports[0]).await;
    assert_eq!(
        (code, with_result(&report, "fail"), with_result(&report, "skipped")),
        (0, vec![], vec![]),
        "{report:#}"
    );
    assert_eq!(with_result(&report, "note"), noted, "{report:#}");
}

#[cfg_attr(not(has_node), ignore = "needs Node.js")]
#[tokio::test]
async fn a_server_that_answers_like_the_javascript_one_passes_with_notes() {
    let noted = [
        "retrieve, bad CID",
        "wrong method",
        "provide, Content as base64",
        "provide, Content as integers",
        "provide, Target DHT",
        "retrieve, CIDv0",
        "retrieve, CIDv1",
        "retrieve, with x-scheduler-id",
        "retrieve, no body",
        "retrieve, unpublished content",
    ];
    check_green("js", &noted).await;
}

/// The type of their answers is noted wherever there is one.
const OF_GO: [&str; 8] = [
    "provide, Content as base64",
    "provide, Content as integers",
    "provide, Target DHT",
    "provide, unknown Target",
    "retrieve, CIDv0",
    "retrieve, CIDv1",
    "retrieve, with x-scheduler-id",
    "retrieve, no body",
];

#[cfg_attr(not(has_node), ignore = "needs Node.js")]
#[tokio::test]
async fn servers_that_answer_like_the_go_ones_of_both_generations_pass_with_notes() {
    let last = ["retrieve, unpublished content"];
    check_green("go-2023", &[&["provide, bad JSON"][..], &OF_GO, &last].concat()).await;
    check_green("go-2026", &[&OF_GO[..], &last].concat()).await;
}

#[cfg_attr(not(has_node), ignore = "needs Node.js")]
#[tokio::test]
async fn broken_servers_fail_where_they_are_broken() {
    let stage = Stage::begin();
    // Long enough that a duration in milliseconds is one.
    let broken = [
        ("wrong-cid", "provide, Content as base64"),
        ("milliseconds", "provide, Content as base64"),
        ("always-found", "retrieve, unpublished content"),
        ("error-status", "retrieve, unpublished content"),
        ("no-table-size", "retrieve, unpublished content"),
    ];
    let judging = broken.map(|(flaw, failing)| {
        let stage = &stage;
        async move {
            let doubles = Doubles::start(stage, "js", 1, &["--flaw", flaw, "--work", "200"]).await;
            let (code, report) = conformance(stage, doubles.ports[0]).await;
            assert_eq!(code, 1, "{flaw}: {report:#}");
            assert!(with_result(&report, "fail").contains(&failing), "{flaw}: {report:#}");
        }
    });
    join_all(judging).await;
}
