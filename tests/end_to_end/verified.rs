//! `--verify-records`: who of the closest peers has a record, looked at by real servers, over a restart.

use parsec_measure::Content;
use parsec_test_support::database;
use serde_json::json;

use crate::deployment::{Server, joining, metrics, network, server};
use crate::http::post;
use crate::stage::Stage;
use crate::tables::Tables;

/// Has the server publish something fresh.
async fn publish(stage: &Stage, server: &Server) {
    let content: Vec<u8> = Content::random(&mut rand::rng()).bytes().to_vec();
    let reply = post(stage, server.api, "/provide", json!({ "Content": content }).to_string()).await;
    assert_eq!((reply.status, reply.json()["Error"].as_str()), (200, Some("")), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_record_is_looked_at_right_after_it_and_by_the_next_server_what_the_one_before_has_left() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let url = database.url().to_owned();
    let added = ["--database-url", &url, &flag, &peers, "--verify-records", "1"];
    let first = Server::started(server(&stage, &added)).await.ready(&stage).await;
    let tables = Tables::of(&stage, database).await;
    publish(&stage, &first).await;

    tables.wait_for(20, "record_checks WHERE after_seconds = 0").await;
    let held = format!(
        "record_checks c JOIN nodes_ecs n ON n.id = c.node_id AND n.peer_id = c.provider_peer_id \
         WHERE answered AND has_record AND node_id = {0} AND checked_by = {0}",
        first.node
    );
    assert_eq!(tables.count(&held).await, 20);
    let confirmed = "follow_ups WHERE stored = 20 AND confirmed = 20 AND failed = 0 AND pending = 0";
    assert_eq!(tables.count(confirmed).await, 1);
    let text = metrics(&stage, &first.process).await;
    let series = "parsec_checked_holders_total{age=\"0h\",outcome=\"held\",fleet=\"default\"} 20";
    assert!(text.contains(series), "no {series} in\n{text}");
    assert_eq!(tables.count("planned_checks WHERE ended_at IS NULL").await, 3);
    assert_eq!(first.process.terminate().await.code(), 0);

    // As if an hour had passed, and a little more.
    tables.query("UPDATE planned_checks SET due_at = now() - INTERVAL '6 minutes' WHERE after_seconds = 3600").await;
    let second = Server::started(server(&stage, &added)).await.ready(&stage).await;
    tables.wait_for(20, "record_checks WHERE after_seconds = 3600").await;
    let held = format!(
        "record_checks WHERE after_seconds = 3600 AND has_record AND node_id = {} AND checked_by = {}",
        first.node, second.node
    );
    assert_eq!(tables.count(&held).await, 20, "under the name that the record has, which is no longer anybody's");
    assert_eq!(second.process.terminate().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_0_looks_at_nothing_and_a_dry_run_looks_too() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let url = database.url().to_owned();
    let none = ["--database-url", &url, &flag, &peers, "--verify-records", "0"];
    let dry = ["--dry-run", &flag, &peers, "--verify-records", "1"];
    let none = Server::started(server(&stage, &none)).await.ready(&stage).await;
    let dry = Server::started(server(&stage, &dry)).await.ready(&stage).await;
    let tables = Tables::of(&stage, database).await;
    publish(&stage, &none).await;
    publish(&stage, &dry).await;
    let series = "parsec_checked_holders_total{age=\"0h\",outcome=\"held\",fleet=\"default\"} 20";
    let counted = async || metrics(&stage, &dry.process).await.contains(series).then_some(());
    stage.eventually("20 holders seen in a dry run", counted).await;
    tables.wait_for(1, "follow_ups").await;
    assert_eq!((tables.count("planned_checks").await, tables.count("record_checks").await), (0, 0));
}
