//! What operations did, request by request: in the answer of a server that is asked for it, and out of a database.

use parsec_measure::Content;
use serde_json::Value;

use crate::deployment::{Server, joining, network, scheduler, server};
use crate::http::{post, post_with};
use crate::process::{Ended, Process};
use crate::stage::Stage;

/// How many peers are sent a record.
const HOLDERS: usize = 20;

/// The requests of a trace.
fn requests<'a>(of: &'a Value, member: &str) -> &'a Vec<Value> {
    of[member]["requests"].as_array().unwrap_or_else(|| panic!("no requests in {of}"))
}

fn text<'a>(of: &'a Value, member: &str) -> &'a str {
    of[member].as_str().unwrap_or_else(|| panic!("no {member} in {of}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_carries_its_trace_for_those_who_ask_for_it() {
    let (stage, network) = (Stage::begin(), network().await);
    let [flag, peers] = joining(&network);
    let server = server(&stage, &["--dry-run", &flag, &peers]);
    let server = Server::started(server).await.ready(&stage).await;
    let path = || format!("/retrieve/{}", Content::random(&mut rand::rng()).cid());

    let traced = post_with(&stage, server.api, &path(), ("x-parsec-trace", "1")).await.json();
    let asked = requests(&traced, "Trace");
    assert!(asked.iter().any(|request| request["kind"] == "GET_PROVIDERS" && request["end"] == "answered"), "{traced}");

    // A failure is answered for in the same way, and only to those who asked.
    for plain in [post(&stage, server.api, &path(), "{}").await, {
        post_with(&stage, server.api, &path(), ("x-parsec-trace", "0")).await
    }] {
        let plain = plain.json();
        assert!(plain.get("Trace").is_none(), "{plain}");
        assert_eq!(plain["Error"], traced["Error"], "{plain}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_operations_are_listed_and_each_is_drawn_with_its_requests() {
    let (stage, network, file) = (Stage::begin(), network().await, parsec_test_support::sqlite_file());
    let [flag, peers] = joining(&network);
    let url = file.url();
    let start = || server(&stage, &["--database-url", &url, &flag, &peers, "--optprov"]);
    let servers = [start(), start()];
    let scheduler = scheduler(&stage, &["--database-url", &url, "--trace-sample", "1"]);
    for count in 1..=2 {
        let attempt = scheduler.logged("attempt ended", count).await;
        assert_eq!((&attempt["outcome"], &attempt["error"]), (&"ok".into(), &Value::Null), "{attempt}");
    }
    for process in [scheduler].into_iter().chain(servers) {
        assert_eq!(process.terminate().await.code(), 0);
    }

    let listed = trace(&stage, &url, &[]).await.out;
    let document = trace(&stage, &url, &["--format", "json"]).await.out.concat();
    let operations: Vec<Value> = serde_json::from_str(&document).unwrap();
    assert!(operations.len() >= 2 && operations.len() == listed.len(), "{document}\n{listed:#?}");
    for (operation, line) in operations.iter().zip(&listed) {
        let id = text(operation, "id");
        for part in [&id[id.len() - 8..], text(operation, "operation"), "default"] {
            assert!(line.contains(part), "no `{part}` in {line}");
        }
    }
    // The newest first: whatever came after them, the first publication and the first search are the last two.
    for (operation, kind) in operations.iter().rev().zip(["provide", "retrieve"]) {
        check_drawing(&stage, &url, text(operation, "id"), kind).await;
    }
}

async fn trace(stage: &Stage, url: &str, args: &[&str]) -> Ended {
    let ended = Process::start(stage, &[&["trace", "--database-url", url], args].concat()).end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    ended
}

async fn check_drawing(stage: &Stage, url: &str, id: &str, kind: &str) {
    let document = trace(stage, url, &[id, "--format", "json"]).await.out.concat();
    let document: Value = serde_json::from_str(&document).unwrap_or_else(|error| panic!("{error}: {document}"));
    assert_eq!((&document["operation"], &document["trace"]["strategy"]), (&kind.into(), &"optprov".into()));
    for figure in ["routing_table_peers", "rpcs", "rpcs_failed", "dials", "dials_failed"] {
        assert!(document[figure].is_u64(), "no {figure} in {document}");
    }
    assert!(document["peer"].is_string() && document["strategy"] == "optprov", "{document}");
    let requests = requests(&document, "trace");

    let drawing = trace(stage, url, &[id]).await.out;
    assert!(drawing[0].starts_with(&format!("{kind} {}: ok after ", text(&document, "cid"))), "{drawing:#?}");
    assert!(drawing[0].contains(", strategy optprov, fleet default"), "{drawing:#?}");
    assert!(drawing.iter().any(|line| line == "where the time went:"), "{drawing:#?}");
    for sentence in document["explanation"].as_array().expect("there is an explanation") {
        let sentence = sentence.as_str().expect("it is in words");
        assert!(drawing.iter().any(|line| line.trim() == sentence), "no `{sentence}` in {drawing:#?}");
    }
    // A line for each, with the end of the peer's id; the last lines are the legend's.
    let is_drawn = |request: &&Value| {
        let (peer, kind) = (text(request, "peer"), text(request, "kind"));
        let mark = format!(" {} {kind} ", &peer[peer.len() - 6..]);
        drawing.iter().any(|line| line.contains(&mark))
    };
    assert_eq!(requests.iter().filter(is_drawn).count(), requests.len(), "{drawing:#?}");
    let puts = requests.iter().filter(|request| request["kind"] == "ADD_PROVIDER").count();
    assert_eq!(puts, if kind == "provide" { HOLDERS } else { 0 }, "{drawing:#?}");
}
