//! A DHT in which a peer names a provider who never published anything: whoever searches there is told of a stranger.

use parsec_test_support::database;
use parsec_test_support::poison::{NOWHERE, Poisoned};
use serde_json::Value;

use crate::deployment::{Server, scheduler, server};
use crate::process::Process;
use crate::stage::Stage;
use crate::tables::Tables;

/// Lookups of strangers, each with its row in the original's table.
const WRONG: &str = "operations o JOIN retrievals_ecs r ON r.id = o.retrieval_id WHERE o.outcome = 'wrong_provider'";

#[tokio::test(flavor = "multi_thread")]
async fn where_a_peer_names_a_stranger_the_lookup_is_no_success_and_the_row_the_trace_and_the_terminal_say_who() {
    let stage = Stage::begin();
    let (Poisoned { stranger, liar, address: peers }, database) = tokio::join!(Poisoned::start(), database());
    let url = database.url().to_owned();
    let start = || server(&stage, &["--database-url", &url, "--bootstrap-peers", &peers]);
    let (one, other) = tokio::join!(Server::started(start()), Server::started(start()));
    let scheduler = scheduler(&stage, &["--database-url", &url, "--trace-sample", "0"]);
    let tables = Tables::of(&stage, database).await;
    tables.wait_for(2, WRONG).await;
    for process in [scheduler, one.process, other.process] {
        assert_eq!(process.terminate().await.code(), 0);
    }

    let publisher =
        "(SELECT n.peer_id FROM rounds p JOIN nodes_ecs n ON n.id = p.provider_node_id WHERE p.id = o.round_id)";
    let says = format!(
        "o.error LIKE 'provided by {stranger} (so says {liar}), and not by the publisher ' || {publisher} AND \
         NOT o.found_publisher AND o.trace_id IS NOT NULL"
    );
    let wrong = tables.count(WRONG).await;
    assert_eq!(tables.count(&format!("{WRONG} AND {says}")).await, wrong);
    // As the original would have recorded it.
    assert_eq!(tables.count(&format!("{WRONG} AND r.error IS NULL AND r.duration = o.duration_seconds")).await, wrong);
    assert_eq!(tables.count("operations WHERE kind = 'retrieve' AND outcome = 'ok'").await, 0);

    let id: String = tables.query(&format!("SELECT o.id::text FROM {WRONG} LIMIT 1")).await[0].get(0);
    let show = async |args: &[&str]| {
        let ended = Process::start(&stage, &[&["trace", &id, "--database-url", &url], args].concat()).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        ended.out
    };
    let named = format!("provider {stranger} at {NOWHERE}, named by {liar}");
    let shown = show(&[]).await;
    assert!(shown.contains(&named), "no `{named}` in {shown:#?}");
    let document: Value = serde_json::from_str(&show(&["--format", "json"]).await.concat()).expect("one object");
    assert_eq!((&document["outcome"], &document["found_publisher"]), (&"wrong_provider".into(), &false.into()));
    assert_eq!(document["providers"][0]["peer"], stranger.to_string(), "{document}");
}
