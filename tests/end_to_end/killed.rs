//! What is left of a server that was killed, and how the next one begins.

use nix::sys::signal::Signal;
use parsec_test_support::database;

use crate::deployment::{Server, joining, network, scheduler, server};
use crate::stage::Stage;
use crate::tables::Tables;

#[tokio::test(flavor = "multi_thread")]
async fn the_row_of_a_server_that_was_killed_goes_stale_by_itself_and_its_successor_registers_anew() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let at = database.url().to_owned();
    let added = ["--database-url", &at, &flag, &peers];
    let begin = async || Server::started(server(&stage, &added)).await.ready(&stage).await;
    let (first, second, third) = tokio::join!(begin(), begin(), begin());
    let tables = Tables::of(&stage, database).await;
    tables.wait_for(3, "nodes_ecs WHERE last_heartbeat IS NOT NULL").await;

    let victim = third.node;
    third.process.signal(Signal::SIGKILL);
    assert_eq!(third.process.end().await.code(), 137);
    // Nobody has taken it off the list: it is its silence that does. Two minutes pass for its row alone.
    let row = format!("nodes_ecs WHERE id = {victim}");
    assert_eq!(tables.count(&format!("{row} AND offline_since IS NULL")).await, 1);
    tables.query(&format!("UPDATE nodes_ecs SET last_heartbeat = now() - interval '121 s' WHERE id = {victim}")).await;

    let scheduler = scheduler(&stage, &["--database-url", &at]);
    tables.wait_for(2, "rounds WHERE outcome = 'complete'").await;
    assert_eq!(tables.count("rounds WHERE nodes_listed <> 2").await, 0);
    assert_eq!(tables.count(&format!("operations WHERE node_id = {victim}")).await, 0, "nobody asks it");

    let successor = begin().await;
    assert!(successor.node > first.node.max(second.node).max(victim), "a row of its own");
    tables.wait_for(1, "rounds WHERE outcome = 'complete' AND nodes_listed = 3 AND nodes_ready = 3").await;
    tables.wait_for(1, &format!("operations WHERE node_id = {} AND outcome = 'ok'", successor.node)).await;
    let untouched = format!("{row} AND offline_since IS NULL AND last_heartbeat < now() - interval '2 min'");
    assert_eq!(tables.count(&untouched).await, 1, "nobody touches the old one");
    assert_eq!(scheduler.terminate().await.code(), 0);
}
