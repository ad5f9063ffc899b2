//! Our scheduler drives servers that answer as those of the field do, and one of our own beside them: rounds, and the rows
//! that they leave in the tables which everybody reads.

use std::time::Duration;

use parsec_lab::{LOCAL_PROTOCOL, LocalConfig, LocalNetwork};
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use parsec_test_support::{TestDatabase, database};
use tokio_postgres::Client;

use crate::doubles::Doubles;

/// As many as hold a record, so that a publication of ours has somewhere to go.
const PEERS: usize = 20;

/// How many peers the doubles say that they know.
const TABLE_SIZE: i64 = 202;

struct Tables {
    stage: Stage,
    sql: Client,
}

impl Tables {
    async fn count(&self, from: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {from}");
        self.sql.query_one(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
    }

    async fn wait_for(&self, least: i64, from: &str) {
        let are_there = async || (self.count(from).await >= least).then_some(());
        self.stage.eventually(&format!("{least} rows of {from}"), are_there).await;
    }

    /// Until somebody has made them.
    async fn made(stage: &Stage, database: &TestDatabase) -> Self {
        let tables = Self { stage: stage.clone(), sql: database.client().await };
        let is_made = async || {
            let query = "SELECT version = 6 AND NOT dirty FROM schema_migrations";
            let row = tables.sql.query_opt(query, &[]).await.ok().flatten()?;
            row.get::<_, bool>(0).then_some(())
        };
        stage.eventually("the schema of the field", is_made).await;
        tables
    }

    /// As the JavaScript server registers itself: at once with a heartbeat, without a libp2p port and dependencies.
    async fn register(&self, fleet: &str, port: u16) {
        let port = i16::try_from(port).expect("the doubles take ports that fit");
        let insert = "INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, \
                      server_port, peer_port, last_heartbeat, created_at) \
                      VALUES (1024, 2048, $1, 'us-east-2', 'node parsec.js', $2, '{}', '127.0.0.1', $3, 0, now(), now())";
        let peer = format!("12D3KooWDouble{port}");
        self.sql.execute(insert, &[&peer, &fleet, &port]).await.expect("the table is as the contract has it");
    }
}

/// A server of ours in a network of its own.
async fn own_server(stage: &Stage, database: &TestDatabase, network: &LocalNetwork) -> Process {
    let (peers, ports) =
        (network.bootstrap().join(","), ["--server-port", "0", "--peer-port", "0", "--telemetry-port", "0"]);
    let args = [
        &["server", "dht", "--fleet", "mixed", "--startup-delay", "0s", "--database-url", database.url()][..],
        &["--protocol-id", LOCAL_PROTOCOL, "--bootstrap-peers", &peers],
        &ports,
    ];
    Process::start(stage, &args.concat())
}

#[cfg_attr(not(has_node), ignore = "needs Node.js")]
#[tokio::test(flavor = "multi_thread")]
async fn our_scheduler_measures_servers_of_every_generation_and_leaves_the_rows_of_the_field() {
    let stage = Stage::begin();
    let database = database().await;
    let config = LocalConfig { peers: PEERS, seed: 7, ..LocalConfig::default() };
    let network = LocalNetwork::start(config).await.expect("loopback carries a small network");
    let own = own_server(&stage, &database, &network).await;
    let tables = Tables::made(&stage, &database).await;
    let (javascript, go_2023, go_2026, stranger) = tokio::join!(
        Doubles::start(&stage, "js", 2, &[]),
        Doubles::start(&stage, "go-2023", 2, &[]),
        Doubles::start(&stage, "go-2026", 2, &[]),
        Doubles::start(&stage, "js", 1, &[]),
    );
    for (fleet, doubles) in [("js", &javascript), ("go23", &go_2023), ("go26", &go_2026), ("mixed", &stranger)] {
        for port in &doubles.ports {
            tables.register(fleet, *port).await;
        }
    }
    let scheduler = Process::start(
        &stage,
        &[
            "scheduler",
            "--fleets",
            "js,go23,go26,mixed",
            "--interval",
            "1s",
            "--telemetry-port",
            "0",
            "--database-url",
            database.url(),
        ],
    );
    for fleet in ["js", "go23", "go26", "mixed"] {
        for (table, least) in [("provides_ecs", 2), ("retrievals_ecs", 2)] {
            let nodes = format!(
                "(SELECT DISTINCT node_id FROM {table} m JOIN nodes_ecs n ON n.id = m.node_id WHERE n.fleet = '{fleet}') nodes"
            );
            tables.wait_for(least, &nodes).await;
        }
    }
    assert_eq!(scheduler.terminate().await.code(), 0);
    assert_eq!(own.terminate().await.code(), 0);
    // It has to outlive the server that lives in it.
    drop(network);
    check_successes(&tables).await;
    check_mixed(&tables).await;
}

async fn none(tables: &Tables, wrong: &str) {
    assert_eq!(tables.count(wrong).await, 0, "{wrong}");
}

async fn check_successes(tables: &Tables) {
    let doubles = "n.fleet IN ('js', 'go23', 'go26')";
    for table in ["provides_ecs", "retrievals_ecs"] {
        let rows = format!("{table} m JOIN nodes_ecs n ON n.id = m.node_id WHERE");
        none(tables, &format!("{rows} {doubles} AND m.error IS NOT NULL")).await;
        none(tables, &format!("{rows} {doubles} AND m.rt_size <> {TABLE_SIZE}")).await;
        // In seconds: what they work, and no more than a test takes.
        let limit = Duration::from_secs(60).as_secs();
        none(tables, &format!("{rows} {doubles} AND (m.duration < 0.015 OR m.duration > {limit})")).await;
        // Each key as its server writes it.
        none(tables, &format!("{rows} n.fleet = 'js' AND m.cid NOT LIKE 'bafkrei%'")).await;
        none(tables, &format!("{rows} n.fleet IN ('go23', 'go26') AND m.cid NOT LIKE 'Qm%'")).await;
    }
    none(tables, "provides_ecs WHERE step <> 'provide'").await;
    none(tables, "operations o JOIN nodes_ecs n ON n.id = o.node_id WHERE n.fleet <> 'mixed' AND outcome NOT IN ('ok', 'cancelled')").await;
    // Whoever publishes is not asked to find it.
    none(tables, "provides_ecs p JOIN retrievals_ecs r ON r.cid = p.cid AND r.node_id = p.node_id").await;
}

/// Both can publish, each in its own network: nobody finds what the other has.
async fn check_mixed(tables: &Tables) {
    let rows = "m JOIN nodes_ecs n ON n.id = m.node_id WHERE n.fleet = 'mixed'";
    none(tables, &format!("provides_ecs {rows} AND m.error IS NOT NULL")).await;
    let words = "CASE WHEN n.peer_id LIKE '12D3KooWDouble%' THEN 'Did not find any providers' ELSE 'not found' END";
    none(tables, &format!("retrievals_ecs {rows} AND m.error IS DISTINCT FROM {words}")).await;
    let classes = "operations o JOIN nodes_ecs n ON n.id = o.node_id \
                   WHERE n.fleet = 'mixed' AND o.kind = 'retrieve' AND o.outcome NOT IN ('not_found', 'cancelled')";
    none(tables, classes).await;
}
