//! What a process says that cannot go on by itself: with its exit code, and with its last line.

use parsec_test_support::database;

use crate::deployment::{Server, joining, network, server};
use crate::stage::Stage;
use crate::tables::Tables;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_row_was_deleted_gives_up_in_order_and_says_why_in_its_last_line() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let added = ["--database-url", database.url(), "--startup-delay", "1s", &flag, &peers];
    let server = Server::started(server(&stage, &added)).await;
    let tables = Tables::of(&stage, database).await;
    // Before the first beat, or after it and a minute before the second: the first one comes when the node is ready.
    tables.query(&format!("DELETE FROM nodes_ecs WHERE id = {}", server.node)).await;

    let node = server.node;
    let ended = server.process.end().await;
    assert_eq!(ended.code(), 70, "{}", ended.err);
    let last: serde_json::Value = serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    let expected = format!("giving up: heartbeat: node {node} has no row in nodes_ecs; it must register again");
    assert_eq!(last["message"], expected, "{}", ended.err);
    for part in ["gateway", "DHT node", "recorder"] {
        let stopped = |line: &str| line.contains(r#""message":"stopped""#) && line.contains(&format!(r#""part":"{part}""#));
        assert!(ended.err.lines().any(stopped), "{part} stops in order: {}", ended.err);
    }
}
