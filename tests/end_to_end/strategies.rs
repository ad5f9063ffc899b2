//! A server for each way to publish and find, in fleets of their own that measure in one loop of rounds.

use futures::future::join_all;
use parsec_test_support::database;

use crate::deployment::{Server, joining, metrics, network, scheduler_of, server_of};
use crate::stage::Stage;
use crate::tables::Tables;

/// Fleets, the flags of their servers, and what these say that they do.
const FLEETS: [(&str, &[&str], &str); 4] = [
    ("default", &[], "classic"),
    ("optprov", &["--optprov"], "optprov"),
    ("fullrt", &["--fullrt"], "fullrt"),
    ("libp2p", &["--strategy", "libp2p"], "libp2p"),
];

/// Each with its node, fleet and what else a measurement has.
const OPERATIONS: &str = "operations o JOIN nodes_ecs n ON n.id = o.node_id WHERE";

/// Publications that left puts to the background, each with what became of it.
const FOLLOWED: &str = "operations o JOIN nodes_ecs n ON n.id = o.node_id JOIN follow_ups f ON f.operation_id = o.id \
     WHERE o.kind = 'provide' AND o.holders_pending > 0 AND";

#[tokio::test(flavor = "multi_thread")]
async fn every_strategy_publishes_what_all_the_others_find_and_says_how_it_did_it() {
    let stage = Stage::begin();
    let (network, database) = tokio::join!(network(), database());
    let [flag, peers] = joining(&network);
    let joining = ["--database-url", database.url(), &flag, &peers];
    let servers = FLEETS.map(|(fleet, strategy, _)| server_of(&stage, fleet, &[&joining[..], strategy].concat()));
    let added = ["--database-url", database.url(), "--trace-sample", "1"];
    let scheduler = scheduler_of(&stage, "default+optprov+fullrt+libp2p", &added);
    let servers = join_all(servers.map(Server::started)).await;
    let tables = Tables::of(&stage, database).await;

    // Until each has published something that all the others have found.
    let rounds = "rounds WHERE outcome = 'complete' AND nodes_ready = 4";
    tables.wait_for(4, &format!("(SELECT DISTINCT provider_node_id FROM {rounds}) publishers")).await;
    for fleet in ["optprov", "fullrt"] {
        tables.wait_for(1, &format!("{FOLLOWED} n.fleet = '{fleet}'")).await;
        let server = &servers[FLEETS.iter().position(|(name, ..)| *name == fleet).unwrap()];
        let text = metrics(&stage, &server.process).await;
        let size = format!("parsec_network_size_peers{{fleet=\"{fleet}\"}} ");
        assert!(text.contains(&size), "no {size} in\n{text}");
    }
    assert_eq!(scheduler.terminate().await.code(), 0);

    for (fleet, _, strategy) in FLEETS {
        let says = format!("nodes_ecs WHERE fleet = '{fleet}' AND dependencies->>'strategy' = '{strategy}'");
        assert_eq!(tables.count(&says).await, 1, "{fleet}");
    }
    check_operations(&tables).await;
    check_follow_ups(&tables).await;
    for server in servers {
        assert_eq!(server.process.terminate().await.code(), 0);
    }
}

async fn check_operations(tables: &Tables) {
    let none = async |wrong: &str| {
        let rows = tables.query(&format!("SELECT row_to_json(o)::text, n.fleet FROM {OPERATIONS} {wrong}")).await;
        let rows: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(rows.is_empty(), "{wrong}: {rows:#?}");
    };
    // The stop may have cut one round off, and nothing else went wrong.
    none("outcome NOT IN ('ok', 'cancelled')").await;
    none("from_own_records OR fallback IS NOT NULL").await;
    let published = "outcome = 'ok' AND kind = 'provide'";
    // On each of the 20 closest, or still on its way there.
    none(&format!("{published} AND (holders_stored + holders_failed + holders_pending) IS DISTINCT FROM 20")).await;
    none(&format!("{published} AND fleet IN ('default', 'libp2p') AND holders_stored <> 20")).await;
    none(&format!("{published} AND fleet = 'optprov' AND holders_stored NOT BETWEEN 15 AND 20")).await;
    none("kind = 'retrieve' AND (holders_stored IS NOT NULL OR holders_pending IS NOT NULL)").await;
    none("outcome = 'ok' AND (rpcs IS NULL OR rpcs < 1 OR dials IS NULL)").await;
    // An estimate, and a count; there are 30 peers, and the servers are not among them.
    none("outcome = 'ok' AND fleet = 'optprov' AND (network_size IS NULL OR network_size NOT BETWEEN 15 AND 90)").await;
    none("outcome = 'ok' AND fleet = 'fullrt' AND network_size IS DISTINCT FROM 30").await;

    // Each found who had published, and those whose answers we read ourselves say who told them.
    none("kind = 'provide' AND found_publisher IS NOT NULL").await;
    none("outcome = 'ok' AND kind = 'retrieve' AND found_publisher IS DISTINCT FROM TRUE").await;
    let told = "(SELECT document::jsonb @? '$.requests[*].named[*].peer' FROM traces t WHERE t.id = o.trace_id)";
    none(&format!("outcome = 'ok' AND kind = 'retrieve' AND fleet <> 'libp2p' AND NOT {told}")).await;

    // Whatever was measured has its trace.
    none("outcome = 'ok' AND (trace_id IS NULL OR trace_id NOT IN (SELECT id FROM traces))").await;
    let requests = "jsonb_array_length((SELECT document FROM traces t WHERE t.id = o.trace_id)::jsonb->'requests')";
    none(&format!("outcome = 'ok' AND {requests} < rpcs")).await;
}

/// What became of each publication, under the name of its operation.
async fn check_follow_ups(tables: &Tables) {
    let lost = format!(
        "{OPERATIONS} o.holders_stored > 0 AND NOT EXISTS (SELECT FROM follow_ups f WHERE f.operation_id = o.id)"
    );
    let all_there = async || (tables.count(&lost).await == 0).then_some(());
    tables.stage().eventually("follow-up of every publication that stored anything", all_there).await;
    let wrong = "f.cid <> o.cid OR f.node_id <> o.node_id OR f.failed <> 0 OR f.stored <> 20 OR f.pending <> 0 \
         OR f.confirmed <> 20 OR f.duration_seconds < o.duration_seconds - 0.000001";
    let all = FOLLOWED.replace("AND o.holders_pending > 0 AND", "AND");
    assert_eq!(tables.count(&format!("{all} ({wrong})")).await, 0);
    // Whoever waits for all puts leaves none.
    assert_eq!(tables.count(&format!("{FOLLOWED} n.fleet IN ('default', 'libp2p')")).await, 0);
}
