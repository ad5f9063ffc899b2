//! Servers: from their registration to their end.

use chrono::Duration;
use parsec_measure::{Endpoint, Fleet, Node, NodeId};
use parsec_store::{NewNode, StoreError};

use super::database::Database;
use super::samples::{at, new_node, register_node, shown};

fn fleets(names: &[&str]) -> Vec<Fleet> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn listed(database: &Database, names: &[&str], since: i64) -> Vec<NodeId> {
    let nodes = database.store.active_nodes(&fleets(names), at(since)).await.unwrap();
    nodes.nodes.into_iter().map(|node| node.id).collect()
}

async fn offline_since(database: &Database) -> String {
    let time = "coalesce(substr(CAST(offline_since AS TEXT), 1, 26), 'online')";
    database.lines(time, "nodes_ecs").await.remove(0)
}

pub(crate) async fn a_node_is_listed_from_its_first_heartbeat_on(database: &Database) {
    let node = register_node(database, "default").await;
    assert_eq!(listed(database, &["default"], 0).await, []);
    database.store.heartbeat(node, at(5)).await.unwrap();
    assert_eq!(listed(database, &["default"], 0).await, [node]);
}

pub(crate) async fn a_node_is_listed_as_it_registered(database: &Database) {
    let over_v4 = new_node("default");
    let over_v6 = NewNode { ip_address: "2001:db8::7".parse().unwrap(), ..over_v4.clone() };
    for new in [over_v4, over_v6] {
        let id = database.store.register_node(new.clone()).await.unwrap();
        database.store.heartbeat(id, at(5)).await.unwrap();
        let node = database.store.active_nodes(&fleets(&["default"]), at(0)).await.unwrap().nodes.pop();
        let endpoint = Endpoint::new(new.ip_address, 7_070);
        let (peer_id, region, fleet) = (new.peer_id, new.region, new.fleet);
        assert_eq!(node, Some(Node { id, peer_id, region, fleet, endpoint }));
    }
}

pub(crate) async fn a_heartbeat_brings_a_node_back(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.heartbeat(node, at(5)).await.unwrap();
    database.store.mark_offline(node, at(6)).await.unwrap();
    assert_eq!(listed(database, &["default"], 0).await, []);

    database.store.heartbeat(node, at(7)).await.unwrap();
    assert_eq!(listed(database, &["default"], 0).await, [node]);
    assert_eq!(offline_since(database).await, "online");
}

pub(crate) async fn a_node_that_is_offline_keeps_the_time_since_when(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.mark_offline(node, at(6)).await.unwrap();
    database.store.mark_offline(node, at(9)).await.unwrap();
    assert_eq!(offline_since(database).await, shown(at(6)));
}

pub(crate) async fn only_nodes_of_the_asked_fleets_are_listed_and_by_id(database: &Database) {
    let mut nodes = Vec::new();
    for fleet in ["default", "optprov", "", "default"] {
        let node = register_node(database, fleet).await;
        nodes.push(node);
    }
    // Beating in another order than they registered.
    for node in nodes.iter().rev() {
        database.store.heartbeat(*node, at(5)).await.unwrap();
    }
    assert_eq!(listed(database, &["default"], 0).await, [nodes[0], nodes[3]]);
    assert_eq!(listed(database, &["optprov", "default"], 0).await, [nodes[0], nodes[1], nodes[3]]);
    assert_eq!(listed(database, &[""], 0).await, [nodes[2]]);
    assert_eq!(listed(database, &["fullrt"], 0).await, []);
    assert_eq!(listed(database, &[], 0).await, []);
}

pub(crate) async fn a_node_whose_heartbeat_is_too_old_is_not_listed(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.heartbeat(node, at(5)).await.unwrap();
    assert_eq!(listed(database, &["default"], 5).await, [node]);
    let later = at(5) + Duration::microseconds(1);
    assert_eq!(database.store.active_nodes(&fleets(&["default"]), later).await.unwrap().nodes, []);
}

pub(crate) async fn a_node_without_a_row_is_named(database: &Database) {
    let gone = NodeId(4_711);
    assert_eq!(database.store.heartbeat(gone, at(5)).await, Err(StoreError::NoSuchNode(gone)));
    assert_eq!(database.store.mark_offline(gone, at(5)).await, Err(StoreError::NoSuchNode(gone)));
}

pub(crate) async fn a_port_that_another_program_let_wrap_is_read_as_it_was_meant(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.heartbeat(node, at(5)).await.unwrap();
    database.execute("UPDATE nodes_ecs SET server_port = -25536").await;
    let nodes = database.store.active_nodes(&fleets(&["default"]), at(0)).await.unwrap();
    assert_eq!(nodes.nodes[0].endpoint.to_string(), "192.0.2.7:40000");
}

/// Adds copies of the only node, with something else in them.
async fn copies(database: &Database, count: usize, ip_address: &str, server_port: &str, region: &str) {
    let same = "cpu, memory, cmd, dependencies, peer_port, last_heartbeat, created_at, peer_id, fleet";
    database
        .execute(&format!(
            "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {count}) \
             INSERT INTO nodes_ecs (ip_address, server_port, region, {same}) \
             SELECT {ip_address}, {server_port}, {region}, {same} FROM nodes_ecs, copies WHERE id = 1"
        ))
        .await;
}

pub(crate) async fn a_row_that_nobody_can_use_is_named_and_the_others_are_listed(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.heartbeat(node, at(5)).await.unwrap();
    let (ip, port, region) = ("ip_address", "server_port", "region");
    copies(database, 1, ip, "0", region).await;
    copies(database, 1, "'0.0.0.0'", port, region).await;
    // More than a message or a log line would bear.
    let huge = if database.is_postgres() { "repeat('x', 5000000)" } else { "hex(zeroblob(2500000))" };
    copies(database, 1, ip, port, huge).await;
    copies(database, 1, "'10.1.2.3/8'", port, "''").await;
    let list = database.store.active_nodes(&fleets(&["default"]), at(0)).await.unwrap();
    let endpoints: Vec<_> = list.nodes.iter().map(|node| (node.id.0, node.endpoint.to_string())).collect();
    assert_eq!(endpoints, [(1, "192.0.2.7:7070".to_owned()), (5, "10.1.2.3:7070".to_owned())]);
    let named: Vec<_> = list.unusable.iter().map(ToString::to_string).collect();
    for (id, reason) in [(2, "server_port is 0"), (3, "ip_address 0.0.0.0 is not"), (4, "region has more than 128")] {
        assert!(named[id - 2].starts_with(&format!("row {id} of nodes_ecs: {reason}")), "{named:?}");
    }
    assert!(!list.more);
}

pub(crate) async fn of_thousands_of_nodes_the_newest_thousand_are_listed(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.heartbeat(node, at(5)).await.unwrap();
    copies(database, 3_000, "ip_address", "server_port", "region").await;
    let list = database.store.active_nodes(&fleets(&["default"]), at(0)).await.unwrap();
    let ids: Vec<_> = list.nodes.iter().map(|node| node.id.0).collect();
    assert_eq!((list.more, ids), (true, (2_002..=3_001).collect()));
}

pub(crate) async fn a_round_loop_has_a_row_with_its_fleets(database: &Database) {
    let group = "default+fullrt".parse().unwrap();
    let dependencies = serde_json::json!({ "package": "parsec" });
    let one = database.store.register_scheduler(&group, dependencies.clone(), at(0)).await.unwrap();
    let other = database.store.register_scheduler(&group, dependencies, at(0)).await.unwrap();
    assert_ne!(one, other);
    // An array in one and its JSON in the other.
    for fleets in database.lines("fleets", "schedulers_ecs").await {
        assert_eq!(fleets.replace(['"', '{', '}', '[', ']'], ""), "default,fullrt");
    }
}

pub(crate) async fn schedulers_are_known_by_the_names_they_give_themselves(database: &Database) {
    assert_eq!(database.store.recent_schedulers().await.unwrap(), [""; 0]);
    for group in ["default", "optprov+fullrt", "default"] {
        let group = group.parse().unwrap();
        database.store.register_scheduler(&group, serde_json::json!({}), at(0)).await.unwrap();
        assert!(database.store.recent_schedulers().await.unwrap().contains(&group.scheduler_id()));
    }
    assert_eq!(database.store.recent_schedulers().await.unwrap().len(), 2, "each once");
}
