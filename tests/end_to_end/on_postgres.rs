//! A deployment on PostgreSQL, seen through the tables and the queries of the field.

use futures::future::join_all;
use nix::sys::signal::Signal;
use parsec_lab::LocalNetwork;
use parsec_test_support::database;

use crate::deployment::{Server, joining, metrics, network, scheduler, server};
use crate::process::Process;
use crate::stage::Stage;
use crate::tables::Tables;

/// Where the servers say they are: one each.
const REGIONS: [&str; 3] = ["eu-central-1", "us-east-2", "ap-southeast-2"];

/// Everything that one test runs.
struct Deployment {
    stage: Stage,
    tables: Tables,
    servers: Vec<Server>,
    scheduler: Process,
    _network: LocalNetwork,
}

impl Deployment {
    /// Everything at the same time, on an empty database: whoever comes first makes the tables.
    async fn start(scheduling: &[&str]) -> Self {
        let stage = Stage::begin();
        let (network, database) = tokio::join!(network(), database());
        let [flag, peers] = joining(&network);
        let at_database = ["--database-url", database.url()];
        let starting = REGIONS
            .map(|region| server(&stage, &[&at_database[..], &[&flag, &peers, "--aws-region", region]].concat()));
        let scheduler = scheduler(&stage, &[&at_database[..], scheduling].concat());
        let servers = join_all(starting.map(Server::started)).await;
        let tables = Tables::of(&stage, database).await;
        Self { stage, tables, servers, scheduler, _network: network }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_on_an_empty_database_measure_what_the_reports_of_the_field_read() {
    let Deployment { stage, tables, servers, scheduler, _network } = Deployment::start(&[]).await;
    // Until each server has done both.
    tables.wait_for(3, "(SELECT DISTINCT node_id FROM provides_ecs) publishers").await;
    tables.wait_for(3, "(SELECT DISTINCT node_id FROM retrievals_ecs) finders").await;

    check_health_and_metrics(&stage, &servers, &scheduler).await;
    // A scheduler that has stopped has written everything down.
    assert_eq!(scheduler.terminate().await.code(), 0);
    check_schema(&tables).await;
    check_measurements(&tables).await;
    check_own_tables(&tables).await;

    for server in servers {
        let from = format!("nodes_ecs WHERE id = {}", server.node);
        assert_eq!(tables.count(&format!("{from} AND last_heartbeat IS NOT NULL AND offline_since IS NULL")).await, 1);
        assert_eq!(server.process.terminate().await.code(), 0);
        assert_eq!(tables.count(&format!("{from} AND offline_since >= last_heartbeat")).await, 1);
    }
}

async fn check_health_and_metrics(stage: &Stage, servers: &[Server], scheduler: &Process) {
    let ended = Process::start(stage, &["health", &servers[0].api.to_string()]).end().await;
    assert_eq!((ended.code(), ended.out), (0, vec!["OK".to_owned()]));

    let of_servers = join_all(servers.iter().map(|server| metrics(stage, &server.process))).await;
    for text in &of_servers {
        for series in [
            r#"parsec_durations{type="provide_duration",success="true",scheduler="default",quantile="0.5"}"#,
            r#"parsec_http_requests_total{method="GET",path="readiness",scheduler="""#,
            r#"parsec_http_requests_total{method="POST",path="retrieve",scheduler="default""#,
            r#"parsec_durations{type="retrieval_ttfpr",success="true",scheduler="default",quantile="0.99"}"#,
            r#"parsec_operation_duration_seconds_count{operation="retrieve",outcome="ok",fleet="default"}"#,
            "parsec_routing_table_peers{fleet=\"default\"} ",
            "parsec_datastore_disk_usage ",
            "parsec_build_info{",
        ] {
            assert!(text.contains(series), "no {series} in\n{text}");
        }
    }
    let text = metrics(stage, scheduler).await;
    for series in [
        "parsec_active_nodes ",
        "parsec_ready_nodes{fleet=\"default\"} ",
        "parsec_issued_provides{success=\"true\"} ",
        "parsec_issued_retrievals{success=\"true\"} ",
        "parsec_rounds_total{outcome=\"complete\",fleet=\"default\"} ",
        "parsec_recorder_backlog_rows ",
        "parsec_build_info{",
    ] {
        assert!(text.contains(series), "no {series} in\n{text}");
    }
}

/// As golang-migrate leaves it.
async fn check_schema(tables: &Tables) {
    let rows = tables.query("SELECT version, dirty FROM schema_migrations").await;
    let versions: Vec<(i64, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(versions, [(6, false)]);
}

/// The tables that others know.
async fn check_measurements(tables: &Tables) {
    let count = async |from: &str| tables.count(from).await;
    assert_eq!(count("schedulers_ecs WHERE fleets = '{default}' AND dependencies->>'package' = 'parsec'").await, 1);
    assert_eq!(count("nodes_ecs WHERE fleet = 'default' AND host(ip_address) = '127.0.0.1'").await, 3);
    assert_eq!(count("provides_ecs WHERE error IS NOT NULL OR step <> 'provide'").await, 0);
    assert_eq!(count("retrievals_ecs WHERE error IS NOT NULL").await, 0);

    // As ProbeLab's weekly reports ask: percentiles by region over successes with a filled routing table.
    let report = "
        SELECT n.region, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY r.duration) > 0
        FROM retrievals_ecs r JOIN nodes_ecs n ON n.id = r.node_id JOIN schedulers_ecs s ON s.id = r.scheduler_id
        WHERE r.error IS NULL AND r.rt_size > 0 AND n.fleet = 'default' AND r.created_at > now() - INTERVAL '1 day'
        GROUP BY n.region ORDER BY n.region";
    let rows = tables.query(report).await;
    let mut regions = REGIONS;
    regions.sort_unstable();
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), regions);
    assert!(rows.iter().all(|row| row.get::<_, bool>(2)));
    let reported: i64 = rows.iter().map(|row| row.get::<_, i64>(1)).sum();
    assert_eq!(reported, count("retrievals_ecs").await);
}

/// Ours, beside them: a row for every attempt, linked to its measurement.
async fn check_own_tables(tables: &Tables) {
    let count = async |from: &str| tables.count(from).await;
    let ok = "operations WHERE outcome = 'ok' AND";
    let linked = [
        (format!("{ok} kind = 'provide' AND provide_id IS NOT NULL AND retrieval_id IS NULL"), "provides_ecs"),
        (format!("{ok} kind = 'retrieve' AND retrieval_id IS NOT NULL AND provide_id IS NULL"), "retrievals_ecs"),
    ];
    for (ours, theirs) in linked {
        assert_eq!(count(&ours).await, count(theirs).await, "{theirs}");
    }
    // The stop may have cut one round off, and nothing else went wrong.
    assert_eq!(count("operations WHERE outcome NOT IN ('ok', 'cancelled')").await, 0);
    assert_eq!(count("rounds WHERE outcome IS NULL OR outcome = 'provide_failed'").await, 0);
    assert!(count("rounds WHERE outcome = 'interrupted'").await <= 1);
    let complete = "rounds r WHERE outcome = 'complete' AND provider_node_id IS NOT NULL AND ended_at > started_at";
    assert!(count(complete).await >= 3);
    // One that published, and the others that looked it up.
    let attempts = "(SELECT count(*) FROM operations o WHERE o.round_id = r.id)";
    assert_eq!(count(&format!("{complete} AND nodes_ready <> {attempts}")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_is_noted_and_the_rounds_go_on_without_it() {
    let Deployment { tables, mut servers, stage: _, scheduler: _scheduler, _network } = Deployment::start(&[]).await;
    tables.wait_for(1, "rounds WHERE outcome = 'complete' AND nodes_ready = 3").await;
    let Server { process: victim, node, .. } = servers.remove(1);
    victim.signal(Signal::SIGKILL);
    assert_eq!(victim.end().await.code(), 137);

    let noted = format!("operations WHERE node_id = {node} AND outcome = 'server_unreachable' AND error IS NOT NULL");
    tables.wait_for(1, &noted).await;
    // Others may reach it, for all the scheduler knows: it has to be silent as well. Two minutes pass for its row alone.
    assert_eq!(tables.count(&format!("nodes_ecs WHERE id = {node} AND offline_since IS NULL")).await, 1);
    tables.query(&format!("UPDATE nodes_ecs SET last_heartbeat = now() - interval '121 s' WHERE id = {node}")).await;
    tables.wait_for(1, &format!("nodes_ecs WHERE id = {node} AND offline_since > last_heartbeat")).await;
    let since = format!("(SELECT offline_since FROM nodes_ecs WHERE id = {node})");
    let without = format!("nodes_listed = 2 AND nodes_ready = 2 AND provider_node_id <> {node}");
    tables.wait_for(2, &format!("rounds WHERE outcome = 'complete' AND started_at > {since} AND {without}")).await;
    // It measured nothing, so the tables of the field have no row of its failure.
    for table in ["provides_ecs", "retrievals_ecs"] {
        assert_eq!(tables.count(&format!("{table} WHERE error IS NOT NULL")).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_measures_and_writes_nothing() {
    let Deployment { tables, scheduler, servers: _servers, stage: _, _network } =
        Deployment::start(&["--dry-run"]).await;
    for count in 1..=3 {
        assert_eq!(scheduler.logged("attempt ended", count).await["outcome"], "ok");
    }
    assert_eq!(scheduler.terminate().await.code(), 0);
    for table in ["schedulers_ecs", "provides_ecs", "retrievals_ecs", "rounds", "operations"] {
        assert_eq!(tables.count(table).await, 0, "{table}");
    }
}
