//! What a process says that cannot go on by itself: with its exit code, and with its last line.

use nix::sys::signal::Signal;
use parsec_test_support::database;

use crate::deployment::{Server, server};
use crate::stage::Stage;
use crate::tables::Tables;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_row_was_deleted_gives_up_in_order_and_says_why_in_its_last_line() {
    let stage = Stage::begin();
    let peer = Server::started(server(&stage, &["--dry-run", "--server-mode"])).await;
    peer.process.signal(Signal::SIGSTOP);
    let database = database().await;
    let added = ["--database-url", database.url(), "--bootstrap-peers", &peer.multiaddress];
    let server = Server::started(server(&stage, &added)).await;
    let tables = Tables::of(&stage, database).await;
    // As long as its only peer is frozen, it is not ready, and its heart does not beat.
    tables.query(&format!("DELETE FROM nodes_ecs WHERE id = {}", server.node)).await;
    peer.process.signal(Signal::SIGCONT);

    let node = server.node;
    let ended = server.process.end().await;
    assert_eq!(ended.code(), 70, "{}", ended.err);
    let last: serde_json::Value = serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    let expected = format!("giving up: heartbeat: node {node} has no row in nodes_ecs; it must register again");
    assert_eq!(last["message"], expected, "{}", ended.err);
    for part in ["gateway", "DHT node", "recorder"] {
        let stopped =
            |line: &str| line.contains(r#""message":"stopped""#) && line.contains(&format!(r#""part":"{part}""#));
        assert!(ended.err.lines().any(stopped), "{part} stops in order: {}", ended.err);
    }
}
