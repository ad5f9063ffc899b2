//! Rows that other programs write into the shared tables, good ones and bad ones, and what our scheduler makes of them.

use parsec_api::wire::ProvideRequest;
use parsec_test_support::database;
use parsec_test_support::double::{Double, response};
use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::{Value, json};
use tokio_postgres::Client;

/// The steps of a publication, each with its nanoseconds and its error.
type Steps = &'static [(&'static str, u64, &'static str)];

/// An indexer that took everything, and one that did not.
const INDEXED: Steps = &[
    ("announce", 100_000_000, ""),
    ("index_ad", 250_000_000, ""),
    ("index_entries", 1_500_000_000, ""),
    ("availability", 2_000_000_000, ""),
];
const NOT_INDEXED: Steps = &[("announce", 125_000_000, ""), ("index_ad", 60_000_000_000, "ad not indexed in time")];

/// A server that answers as the original's do: what it was told, at once.
async fn server(steps: Steps) -> Double {
    Double::answering(move |asked| {
        let said = match asked.path().strip_prefix("/retrieve/") {
            Some(cid) => measured(cid, 202, &[("retrieval", 750_000_000, "")]).to_string(),
            None if asked.path() == "/provide" => {
                let (content, _) = ProvideRequest::decode(&asked.body).unwrap();
                measured(&content.cid().to_string(), 0, steps).to_string()
            }
            None => String::new(),
        };
        response("200 OK", "", &said)
    })
    .await
}

/// Its port as a Go program writes it, which lets a high one wrap.
fn wrapped_port(double: &Double) -> i16 {
    double.address().port().cast_signed()
}

fn measured(cid: &str, routing_table: u32, steps: &[(&str, u64, &str)]) -> Value {
    let steps: Vec<_> =
        steps.iter().map(|(step, ns, error)| json!({"Step": step, "Duration": ns, "Error": error})).collect();
    json!({"CID": cid, "RoutingTableSize": routing_table, "Measurements": steps})
}

/// Adds a node that is alive, and returns its number.
async fn register(client: &Client, name: &str, ip_address: &str, server_port: i16, region: &str, fleet: &str) -> i32 {
    let row = format!(
        "INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, peer_port, \
                                last_heartbeat, created_at) \
         VALUES (1, 1, '{name}', {region}, 'parsec server ipni', '{fleet}', '[]', '{ip_address}', {server_port}, 4001, now(), now()) \
         RETURNING id"
    );
    client.query_one(&row, &[]).await.unwrap_or_else(|error| panic!("{row}: {error:?}")).get(0)
}

async fn lines(client: &Client, sql: &str) -> Vec<String> {
    client
        .query(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_others_are_measured_step_by_step_and_rows_that_nobody_can_use_stop_nobody() {
    let (stage, database) = (Stage::begin(), database().await);
    let migrated = Process::start(&stage, &["migrate", "--database-url", database.url()]).end().await;
    assert_eq!(migrated.code(), 0, "{}", migrated.err);
    let client = database.client().await;
    let (good, bad) = tokio::join!(server(INDEXED), server(NOT_INDEXED));
    let (home, here, fleet) = ("127.0.0.1", "'eu'", "cid.contact");
    let unusable = [
        register(&client, "no port", home, 0, here, fleet).await,
        register(&client, "no host", "0.0.0.0", 7_070, here, fleet).await,
        register(&client, "no region", home, 7_070, "repeat('x', 5000000)", fleet).await,
    ];
    register(&client, "good", home, wrapped_port(&good), here, fleet).await;
    register(&client, "bad", home, wrapped_port(&bad), here, fleet).await;
    register(&client, "stranger", home, wrapped_port(&good), here, "; DROP TABLE nodes_ecs").await;
    let starting = register(&client, "starting", home, wrapped_port(&good), here, fleet).await;
    let no_heartbeat = format!("UPDATE nodes_ecs SET last_heartbeat = NULL WHERE id = {starting}");
    client.batch_execute(&no_heartbeat).await.unwrap();

    let url = ["--database-url", database.url()];
    let args = ["scheduler", "--log-format", "json", "--telemetry-port", "0", "--interval", "1s", "--fleets", fleet];
    let scheduler = Process::start(&stage, &[&args[..], &url].concat());
    for (count, id) in (1..).zip(unusable) {
        let logged = scheduler.logged("a row of nodes_ecs cannot be used, left out", count).await;
        assert_eq!(logged["node"], id.to_string(), "{logged}");
    }
    // Each has published, and what the good one published was looked up.
    let rounds = "SELECT count(DISTINCT cid)::TEXT FROM provides_ecs WHERE EXISTS (SELECT FROM retrievals_ecs)";
    stage.eventually("two rounds", async || (lines(&client, rounds).await[0].as_str() >= "2").then_some(())).await;
    assert_eq!(scheduler.terminate().await.code(), 0);
    check_rows(&client).await;
}

/// As the original's scheduler writes them: a row for each step, seconds, NULL for no error.
async fn check_rows(client: &Client) {
    let provides = "SELECT DISTINCT n.peer_id || ':' || string_agg(concat(' ', step, '=', p.duration, '!' || p.error), '' ORDER BY p.id) \
                    FROM provides_ecs p JOIN nodes_ecs n ON n.id = p.node_id GROUP BY n.peer_id, p.cid, p.created_at ORDER BY 1";
    assert_eq!(
        lines(client, provides).await,
        [
            "bad: announce=0.125 index_ad=60!ad not indexed in time",
            "good: announce=0.1 index_ad=0.25 index_entries=1.5 availability=2"
        ]
    );
    let retrievals = "SELECT DISTINCT concat_ws(' ', n.peer_id, rt_size, duration, 'error', error) \
                      FROM retrievals_ecs r JOIN nodes_ecs n ON n.id = r.node_id";
    assert_eq!(lines(client, retrievals).await, ["bad 202 0.75 error"]);
    let odd = "SELECT count(*)::TEXT FROM provides_ecs WHERE rt_size <> 0 OR cid !~ '^Qm[1-9A-HJ-NP-Za-km-z]{44}$' \
               OR created_at NOT BETWEEN now() - INTERVAL '5min' AND now()";
    assert_eq!(lines(client, odd).await, ["0"]);
    // Ours beside them: one row for the whole, which names its last step.
    let whole = "SELECT DISTINCT concat_ws(' ', p.step, o.outcome, o.duration_seconds) \
                 FROM operations o JOIN provides_ecs p ON p.id = o.provide_id ORDER BY 1";
    assert_eq!(lines(client, whole).await, ["availability ok 3.85", "index_ad protocol 60.125"]);
}
