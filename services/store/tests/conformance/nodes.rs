//! Servers: from their registration to their end.

use chrono::{Duration, Utc};
use parsec_measure::{Endpoint, Fleet, FleetGroup, Heard, Node, NodeId, OperationKind};
use parsec_store::{NewNode, StoreError};

use super::database::Database;
use super::samples::{Pair, at, new_node, register_node, rows};

fn fleets(names: &[&str]) -> Vec<Fleet> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Those heard of lately.
async fn listed(database: &Database, names: &[&str]) -> Vec<NodeId> {
    let nodes = database.store.roster(&fleets(names)).await.unwrap().nodes;
    nodes.into_iter().filter(Heard::is_fresh).map(|heard| heard.node.id).collect()
}

/// How many seconds ago each was heard of, in tens, whoever has fallen silent included.
async fn ages(database: &Database) -> Vec<(i32, i64)> {
    let nodes = database.store.roster(&fleets(&["default"])).await.unwrap().nodes;
    nodes.into_iter().map(|heard| (heard.node.id.0, heard.age.num_seconds() / 10 * 10)).collect()
}

/// Makes the last heartbeat of a node that much older.
async fn age(database: &Database, node: NodeId, seconds: i64) {
    let older = if database.is_postgres() {
        format!("last_heartbeat - INTERVAL '{seconds} seconds'")
    } else {
        format!("strftime('%Y-%m-%d %H:%M:%f', last_heartbeat, '-{seconds} seconds') || '+00:00'")
    };
    database.execute(&format!("UPDATE nodes_ecs SET last_heartbeat = {older} WHERE id = {node}")).await;
}

async fn offline_since(database: &Database) -> String {
    let time = "coalesce(substr(CAST(offline_since AS TEXT), 1, 26), 'online')";
    database.lines(time, "nodes_ecs").await.remove(0)
}

async fn beating(database: &Database, fleet: &str) -> NodeId {
    let node = register_node(database, fleet).await;
    database.store.heartbeat(node).await.unwrap();
    node
}

pub(crate) async fn a_node_is_listed_from_its_first_heartbeat_on(database: &Database) {
    let node = register_node(database, "default").await;
    assert_eq!(listed(database, &["default"]).await, []);
    database.store.heartbeat(node).await.unwrap();
    assert_eq!(listed(database, &["default"]).await, [node]);
}

pub(crate) async fn a_node_is_listed_as_it_registered(database: &Database) {
    let over_v4 = new_node("default");
    let over_v6 = NewNode { ip_address: "2001:db8::7".parse().unwrap(), ..over_v4.clone() };
    for new in [over_v4, over_v6] {
        let id = database.store.register_node(new.clone()).await.unwrap();
        database.store.heartbeat(id).await.unwrap();
        let heard = database.store.roster(&fleets(&["default"])).await.unwrap().nodes.pop();
        let endpoint = Endpoint::new(new.ip_address, new.server_port.get());
        let (peer_id, region, fleet) = (new.peer_id, new.region, new.fleet);
        assert_eq!(heard.map(|heard| heard.node), Some(Node { id, peer_id, region, fleet, endpoint }));
    }
}

pub(crate) async fn a_heartbeat_goes_by_the_clock_of_the_database(database: &Database) {
    let node = register_node(database, "default").await;
    let (before, skew) = (Utc::now(), database.store.heartbeat(node).await.unwrap());
    // Both have the same clock here.
    assert_eq!(skew, Duration::zero());
    let roster = database.store.roster(&fleets(&["default"])).await.unwrap();
    let age = roster.nodes[0].age;
    assert!(age >= Duration::zero() && age <= Utc::now() - before, "{age}");
    assert_eq!(roster.skew, Duration::zero());
}

pub(crate) async fn a_heartbeat_brings_a_node_back(database: &Database) {
    let node = beating(database, "default").await;
    database.store.mark_offline(node).await.unwrap();
    assert_eq!(listed(database, &["default"]).await, []);

    database.store.heartbeat(node).await.unwrap();
    assert_eq!(listed(database, &["default"]).await, [node]);
    assert_eq!(offline_since(database).await, "online");
}

pub(crate) async fn a_node_that_is_offline_keeps_the_time_since_when(database: &Database) {
    let node = register_node(database, "default").await;
    database.store.mark_offline(node).await.unwrap();
    let since = offline_since(database).await;
    database.store.mark_offline(node).await.unwrap();
    assert_eq!((database.store.mark_offline_if_silent(node).await, offline_since(database).await), (Ok(true), since));
}

pub(crate) async fn who_beats_is_not_marked_offline_by_who_cannot_reach_it(database: &Database) {
    let node = beating(database, "default").await;
    age(database, node, 110).await;
    assert_eq!(database.store.mark_offline_if_silent(node).await, Ok(false));
    assert_eq!(offline_since(database).await, "online");
    age(database, node, 11).await;
    assert_eq!(database.store.mark_offline_if_silent(node).await, Ok(true));
    assert_eq!(listed(database, &["default"]).await, []);
    assert_eq!(database.store.mark_offline_if_silent(NodeId(4_711)).await, Ok(false));
}

pub(crate) async fn a_server_that_starts_again_takes_the_place_of_the_one_that_stood_there(database: &Database) {
    let at_port = |port: u16| NewNode { server_port: port.try_into().unwrap(), ..new_node("default") };
    let mut nodes = Vec::new();
    // Two behind one address, each with a port of its own, and then the first one again, which was killed.
    for port in [7_070, 7_071, 7_070] {
        let node = database.store.register_node(at_port(port)).await.unwrap();
        database.store.heartbeat(node).await.unwrap();
        nodes.push(node);
    }
    assert_eq!(listed(database, &["default"]).await, nodes[1..]);
    // Also in another fleet: nobody else stands there now.
    let moved = NewNode { fleet: "optprov".parse().unwrap(), ..at_port(7_071) };
    database.store.register_node(moved).await.unwrap();
    assert_eq!(listed(database, &["default"]).await, nodes[2..]);
    let elsewhere = NewNode { ip_address: "192.0.2.8".parse().unwrap(), ..at_port(7_070) };
    database.store.register_node(elsewhere).await.unwrap();
    assert_eq!(listed(database, &["default"]).await, nodes[2..]);
}

pub(crate) async fn only_nodes_of_the_asked_fleets_are_listed_and_by_id(database: &Database) {
    let mut nodes = Vec::new();
    for fleet in ["default", "optprov", "", "default"] {
        let node = register_node(database, fleet).await;
        nodes.push(node);
    }
    // Beating in another order than they registered.
    for node in nodes.iter().rev() {
        database.store.heartbeat(*node).await.unwrap();
    }
    assert_eq!(listed(database, &["default"]).await, [nodes[0], nodes[3]]);
    assert_eq!(listed(database, &["optprov", "default"]).await, [nodes[0], nodes[1], nodes[3]]);
    assert_eq!(listed(database, &[""]).await, [nodes[2]]);
    assert_eq!(listed(database, &["fullrt"]).await, []);
    assert_eq!(listed(database, &[]).await, []);
}

pub(crate) async fn who_fell_silent_is_told_for_an_hour_after_the_last_heartbeat_of_all(database: &Database) {
    let mut nodes = Vec::new();
    for port in [7_070, 7_071] {
        let node = NewNode { server_port: port.try_into().unwrap(), ..new_node("default") };
        let node = database.store.register_node(node).await.unwrap();
        database.store.heartbeat(node).await.unwrap();
        nodes.push(node);
    }
    let [one, other] = nodes[..] else { unreachable!("two were registered") };
    age(database, one, 130).await;
    assert_eq!(listed(database, &["default"]).await, [other]);
    assert_eq!(ages(database).await, [(one.0, 130), (other.0, 0)]);
    // Nobody could beat for a day: what counts is the last heartbeat that could be written.
    age(database, one, 86_400).await;
    age(database, other, 86_400).await;
    assert_eq!(ages(database).await, [(one.0, 86_530), (other.0, 86_400)]);
    age(database, one, 3_600).await;
    assert_eq!(ages(database).await, [(other.0, 86_400)]);
}

pub(crate) async fn a_node_without_a_row_is_named(database: &Database) {
    let gone = NodeId(4_711);
    assert_eq!(database.store.heartbeat(gone).await, Err(StoreError::NoSuchNode(gone)));
    assert_eq!(database.store.mark_offline(gone).await, Err(StoreError::NoSuchNode(gone)));
}

pub(crate) async fn a_port_that_another_program_let_wrap_is_read_as_it_was_meant(database: &Database) {
    beating(database, "default").await;
    database.execute("UPDATE nodes_ecs SET server_port = -25536").await;
    let nodes = database.store.roster(&fleets(&["default"])).await.unwrap();
    assert_eq!(nodes.nodes[0].node.endpoint.to_string(), "192.0.2.7:40000");
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
    beating(database, "default").await;
    let (ip, port, region) = ("ip_address", "server_port", "region");
    copies(database, 1, ip, "0", region).await;
    copies(database, 1, "'0.0.0.0'", port, region).await;
    // More than a message or a log line would bear.
    let huge = if database.is_postgres() { "repeat('x', 5000000)" } else { "hex(zeroblob(2500000))" };
    copies(database, 1, ip, port, huge).await;
    copies(database, 1, "'10.1.2.3/8'", port, "''").await;
    let list = database.store.roster(&fleets(&["default"])).await.unwrap();
    let endpoints: Vec<_> = list.nodes.iter().map(|heard| (heard.node.id.0, heard.node.endpoint.to_string())).collect();
    assert_eq!(endpoints, [(1, "192.0.2.7:7070".to_owned()), (5, "10.1.2.3:7070".to_owned())]);
    let named: Vec<_> = list.unusable.iter().map(ToString::to_string).collect();
    for (id, reason) in [(2, "server_port is 0"), (3, "ip_address 0.0.0.0 is not"), (4, "region has more than 128")] {
        assert!(named[id - 2].starts_with(&format!("row {id} of nodes_ecs: {reason}")), "{named:?}");
    }
    assert!(!list.more);
}

pub(crate) async fn of_many_thousands_of_nodes_the_newest_five_thousand_are_listed(database: &Database) {
    beating(database, "default").await;
    copies(database, 6_000, "ip_address", "server_port", "region").await;
    let list = database.store.roster(&fleets(&["default"])).await.unwrap();
    let ids: Vec<_> = list.nodes.iter().map(|heard| heard.node.id.0).collect();
    assert_eq!((list.more, ids), (true, (1_002..=6_001).collect()));
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

pub(crate) async fn who_publishes_with_the_same_fleets_is_told(database: &Database) {
    let pair = Pair::registered(database).await;
    let group: FleetGroup = "default+fullrt".parse().unwrap();
    let mine = database.store.register_scheduler(&group, serde_json::Value::Null, at(0)).await.unwrap();
    database.store.record(&rows([pair.attempt(1, OperationKind::Provide)])).await.unwrap();
    let ended = pair.attempt(1, OperationKind::Provide).ended;
    let others = async |names: &[&str], but, since| {
        let others = database.store.other_schedulers(&fleets(names), but, since).await.unwrap();
        others.into_iter().map(|other| (other.id, other.fleets)).collect::<Vec<_>>()
    };
    let theirs = (pair.scheduler, vec!["default".to_owned()]);
    assert_eq!(others(&["fullrt", "default"], mine, ended).await, [theirs]);
    assert_eq!(others(&["fullrt"], mine, ended).await, []);
    assert_eq!(others(&["default"], pair.scheduler, ended).await, []);
    assert_eq!(others(&["default"], mine, ended + Duration::seconds(1)).await, []);
}
