//! Databases that are set up in ways of their own: roles with settings, encodings, passwords, sockets, certificates.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod setups {
    mod certificates;
}

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::future::join_all;
use parsec_measure::{
    Attempt, AttemptId, Measured, NodeId, OperationKind, OutcomeClass, Round, RoundId, RoundOutcome, SchedulerId,
};
use parsec_store::{
    Dataset, NewNode, PrunedTable, Row, Selection, ServerPort, Store, StoreConfig, StoreError, connect, open_archive,
    open_pruning, open_traces,
};
use parsec_test_support::postgres::Postgres;
use parsec_test_support::{TestDatabase, database};
use uuid::Uuid;

fn new_node() -> NewNode {
    NewNode {
        cpu: 2,
        memory: 4_096,
        peer_id: "12D3KooWSample".to_owned(),
        region: "eu-central-1".to_owned(),
        cmd: r"parsec server --fleet a\b'c".to_owned(),
        fleet: "default".parse().unwrap(),
        dependencies: serde_json::json!({ "package": r"back\slash" }),
        ip_address: "192.0.2.7".parse().unwrap(),
        server_port: ServerPort::try_from(7_070).unwrap(),
        peer_port: ServerPort::try_from(4_001).unwrap(),
        created_at: Utc::now(),
    }
}

fn round(scheduler: SchedulerId, node: NodeId) -> Row {
    Row::Round(Round {
        id: RoundId(Uuid::from_u128(1)),
        scheduler,
        fleets: "default".parse().unwrap(),
        provider: Some(node),
        nodes_listed: 2,
        nodes_ready: 2,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: Utc::now(),
        started: Utc::now(),
        ended: Some((Utc::now(), RoundOutcome::Complete)),
    })
}

fn attempt(id: u128, scheduler: SchedulerId, node: NodeId, error: &str) -> Row {
    Row::Attempt(Attempt {
        id: AttemptId(Uuid::from_u128(id)),
        round: RoundId(Uuid::from_u128(1)),
        scheduler,
        node,
        kind: OperationKind::Retrieve,
        probe: 0,
        cid: format!("Qm{id}"),
        due: Utc::now(),
        started: Utc::now(),
        ended: Utc::now(),
        result: Measured::unmeasured(OutcomeClass::Timeout, Duration::from_millis(1_500), error),
        why_kept: None,
    })
}

/// A database with its tables, a server and a scheduler.
async fn joined(config: &StoreConfig) -> (Arc<dyn Store>, NodeId, SchedulerId) {
    let store = connect(config).await.unwrap();
    store.migrate().await.unwrap();
    let node = store.register_node(new_node()).await.unwrap();
    let scheduler =
        store.register_scheduler(&"default".parse().unwrap(), serde_json::json!({}), Utc::now()).await.unwrap();
    (store, node, scheduler)
}

/// Everything that programs do with a database, from an empty one on.
async fn all_is_well(config: &StoreConfig) {
    let (store, node, scheduler) = joined(config).await;
    store.heartbeat(node).await.unwrap();
    let list = store.roster(&["default".parse().unwrap()]).await.unwrap();
    assert_eq!(list.nodes.iter().map(|heard| heard.node.id).collect::<Vec<_>>(), [node]);
    store.record(&[round(scheduler, node), attempt(2, scheduler, node, r"a\b'c")]).await.unwrap();
    let read = open_traces(config).await.unwrap().whole(AttemptId(Uuid::from_u128(2))).await.unwrap().unwrap();
    assert_eq!(read.attempt.result.error.as_deref(), Some(r"a\b'c"));
    store.mark_offline(node).await.unwrap();
}

async fn works(url: &str) {
    all_is_well(&url.parse().unwrap()).await;
}

/// A database whose sessions begin with these settings.
async fn with_settings(settings: &[&str]) -> TestDatabase {
    let database = database().await;
    let client = database.client().await;
    for setting in settings {
        let set = format!("ALTER DATABASE {} SET {setting}", database.name());
        client.batch_execute(&set).await.unwrap_or_else(|error| panic!("{set}: {error:?}"));
    }
    database
}

#[tokio::test]
async fn settings_of_a_database_change_nothing() {
    for settings in [
        &["default_transaction_isolation = serializable"][..],
        &["default_transaction_isolation = 'repeatable read'", "default_transaction_deferrable = on"],
        &["statement_timeout = '20ms'", "lock_timeout = '20ms'", "idle_in_transaction_session_timeout = '50ms'"],
        &["standard_conforming_strings = off", "backslash_quote = on", "escape_string_warning = on"],
        &["timezone = 'Asia/Kathmandu'", "datestyle = 'German, DMY'", "intervalstyle = sql_standard"],
        &["bytea_output = escape", "extra_float_digits = -15", "array_nulls = off", "transform_null_equals = on"],
        &["client_encoding = LATIN1", "client_min_messages = debug5", "quote_all_identifiers = on"],
    ] {
        let database = with_settings(settings).await;
        works(database.url()).await;
    }
}

#[tokio::test]
async fn another_schema_is_used_if_the_search_path_leads_there() {
    let database = with_settings(&["search_path = 'My Schema', public"]).await;
    database.client().await.batch_execute("CREATE SCHEMA \"My Schema\"").await.unwrap();
    works(database.url()).await;
    let there = "SELECT count(*) FROM pg_tables WHERE schemaname = 'My Schema' AND tablename = 'nodes_ecs'";
    assert_eq!(database.client().await.query_one(there, &[]).await.unwrap().get::<_, i64>(0), 1);
}

/// All but one see a database that has changed since they began.
#[tokio::test(flavor = "multi_thread")]
async fn programs_that_start_at_once_on_an_empty_serializable_database_all_start() {
    for isolation in ["serializable", "'repeatable read'"] {
        let database = with_settings(&[&format!("default_transaction_isolation = {isolation}")]).await;
        let config: StoreConfig = database.url().parse().unwrap();
        let starts = (0..6).map(|_| async {
            let store = connect(&config).await?;
            store.migrate().await?;
            store.register_node(new_node()).await
        });
        for started in join_all(starts).await {
            started.unwrap();
        }
    }
}

/// They update what the others insert, and insert what the others have inserted.
#[tokio::test(flavor = "multi_thread")]
async fn programs_that_record_the_same_at_once_on_a_serializable_database_leave_it_once() {
    let database = with_settings(&["default_transaction_isolation = serializable"]).await;
    let config: StoreConfig = database.url().parse().unwrap();
    let (_, node, scheduler) = joined(&config).await;
    let rows: Vec<Row> = std::iter::once(round(scheduler, node))
        .chain((10..30).map(|id| attempt(id, scheduler, node, "slow")))
        .collect();
    let others = join_all((0..4).map(|_| async { connect(&config).await.unwrap() })).await;
    for recorded in join_all(others.iter().map(|store| store.record(&rows))).await {
        recorded.unwrap();
    }
    let count = database.client().await.query_one("SELECT count(*) FROM operations", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 20);
}

/// A database of this encoding beside the one of the test.
async fn encoded(database: &TestDatabase, encoding: &str) -> String {
    let name = format!("{}_{}", database.name(), encoding.to_lowercase());
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    database.client().await.batch_execute(&create).await.unwrap();
    database.url().replace(database.name(), &name)
}

#[tokio::test]
async fn a_database_of_another_encoding_works() {
    let database = database().await;
    for encoding in ["SQL_ASCII", "LATIN1"] {
        works(&encoded(&database, encoding).await).await;
    }
}

/// Others have written no row with it, and none of ours waits for it.
#[tokio::test]
async fn a_row_with_text_that_the_encoding_does_not_have_is_the_rows_fault() {
    let database = database().await;
    let (store, node, scheduler) = joined(&encoded(&database, "LATIN1").await.parse().unwrap()).await;
    let rows = [round(scheduler, node), attempt(3, scheduler, node, "日本")];
    let error = store.record(&rows).await.unwrap_err();
    assert!(matches!(&error, StoreError::BadRow(reason) if reason.contains("LATIN1")), "{error:?}");
    store.record(&rows[..1]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_may_have_any_character_and_be_kept_in_either_way() {
    let server = Postgres::start().await;
    let client = server.client().await.unwrap();
    for (role, kept) in [("by_scram", "scram-sha-256"), ("by_md5", "md5")] {
        let rule = format!("host all {role} 127.0.0.1/32 {kept}");
        server.also_allow(&rule).await;
        let password = r#"p@ss:w/o?r#d %41'"\ ü"#;
        let quoted = password.replace('\'', "''").replace('\\', r"\\");
        client
            .batch_execute(&format!(
                "SET password_encryption = '{kept}'; CREATE ROLE {role} LOGIN SUPERUSER PASSWORD E'{quoted}'"
            ))
            .await
            .unwrap();
        client.batch_execute(&format!("CREATE DATABASE {role} OWNER {role}")).await.unwrap();
        let config = |password: &str| StoreConfig::Postgres {
            host: "127.0.0.1".to_owned(),
            port: server.address().port(),
            name: role.to_owned(),
            user: role.to_owned(),
            password: password.to_owned().into(),
            ssl: parsec_store::SslMode::Disable,
            root_cert: None,
        };
        all_is_well(&config(password)).await;
        let error = connect(&config("wrong")).await.err().unwrap();
        assert!(matches!(&error, StoreError::Refused(reason) if reason.contains("password")), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_used_whatever_is_asked_for_tls() {
    let server = Postgres::start().await;
    for mode in ["disable", "prefer", "require"] {
        let port = server.address().port();
        let directory = server.directory().display();
        works(&format!("postgres://parsec@localhost:{port}/postgres?host={directory}&sslmode={mode}")).await;
    }
}

/// The German locale may not be installed, so functions raise the messages.
#[tokio::test]
async fn what_to_do_is_told_also_where_the_server_speaks_german() {
    let database = database().await;
    let config: StoreConfig = database.url().parse().unwrap();
    let (store, node, scheduler) = joined(&config).await;
    store.record(&[round(scheduler, node), attempt(2, scheduler, node, "why")]).await.unwrap();
    let set_up = "CREATE FUNCTION missing() RETURNS BOOLEAN LANGUAGE plpgsql AS \
                  $$ BEGIN RAISE 'Relation »v_rounds« existiert nicht' USING ERRCODE = '42P01'; END $$; \
                  ALTER VIEW v_rounds RENAME TO v_played; \
                  CREATE VIEW v_rounds AS SELECT * FROM v_played WHERE missing(); \
                  CREATE FUNCTION denied() RETURNS TRIGGER LANGUAGE plpgsql AS \
                  $$ BEGIN RAISE 'keine Berechtigung für Tabelle operations' USING ERRCODE = '42501'; END $$; \
                  CREATE TRIGGER denied BEFORE DELETE ON operations EXECUTE FUNCTION denied()";
    database.client().await.batch_execute(set_up).await.unwrap();
    let refused = |error| match error {
        StoreError::Refused(reason) => reason,
        other => panic!("{other:?}"),
    };
    let archive = open_archive(&config).await.unwrap();
    let error = archive.dataset(Dataset::Rounds, &Selection::default(), None).await.unwrap_err();
    assert_eq!(refused(error), "it lacks the view v_rounds: bring it up to date with `parsec migrate`");

    let pruning = open_pruning(&config, true).await.unwrap();
    let soon = Utc::now() + Duration::from_secs(60);
    let old = pruning.old_rows(PrunedTable::Operations, soon, None).await.unwrap();
    let error = pruning.delete(PrunedTable::Operations, soon, old.last.unwrap()).await.unwrap_err();
    let reason = refused(error);
    assert!(reason.starts_with("keine Berechtigung für Tabelle operations: run `parsec prune` as"), "{reason}");
    assert!(reason.ends_with("GRANT DELETE ON operations"), "{reason}");
}
