//! A PostgreSQL database that the original's programs share with ours.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod upstream_schema {
    pub(crate) mod contract;
}

use std::time::{Duration, Instant};

use parsec_schema::upstream::{CREATE_VERSION_TABLE, STEPS};
use parsec_store::{StoreError, connect};
use parsec_test_support::{TestDatabase, database};
use tokio_postgres::Client;
use upstream_schema::contract::{self, Schema};

async fn migrate(database: &TestDatabase) -> Result<(), StoreError> {
    migrate_at(database.url()).await
}

async fn migrate_at(url: &str) -> Result<(), StoreError> {
    connect(&url.parse().unwrap()).await?.migrate().await
}

/// What a database looks like after the original stopped at `version`: with its data, and an empty version table for 0.
async fn at_version(version: usize) -> (TestDatabase, Client) {
    let database = database().await;
    let client = database.client().await;
    client.batch_execute(CREATE_VERSION_TABLE).await.unwrap();
    for (step, data) in STEPS.into_iter().zip(contract::DATA).take(version) {
        client.batch_execute(step).await.unwrap();
        client.batch_execute(data).await.unwrap();
    }
    if version > 0 {
        set_version(&client, version, false).await;
    }
    (database, client)
}

async fn set_version(client: &Client, version: usize, dirty: bool) {
    let row = format!("DELETE FROM schema_migrations; INSERT INTO schema_migrations VALUES ({version}, {dirty})");
    client.batch_execute(&row).await.unwrap();
}

/// The rows of a query's first column.
async fn lines(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

const VERSION: &str = "SELECT version || ' ' || dirty FROM schema_migrations";

#[tokio::test]
async fn an_empty_database_gets_the_schema_that_the_original_leaves() {
    let database = database().await;
    migrate(&database).await.unwrap();
    let client = database.client().await;
    assert_eq!(Schema::read(&client).await, Schema::of_the_contract());
    assert_eq!(lines(&client, VERSION).await, ["6 false"]);
}

#[tokio::test]
async fn each_earlier_version_is_brought_up_with_its_data() {
    for version in 0..=5 {
        let (database, client) = at_version(version).await;
        migrate(&database).await.unwrap();
        assert_eq!(Schema::read(&client).await, Schema::of_the_contract(), "from version {version}");
        assert_eq!(lines(&client, VERSION).await, ["6 false"], "from version {version}");
        for (table, since) in [("runs", 1), ("nodes", 2), ("retrievals", 3), ("provides", 4), ("nodes_ecs", 5)] {
            let rows = lines(&client, &format!("SELECT count(*)::TEXT FROM {table}")).await;
            assert_eq!(rows[0] != "0", version >= since, "{table} from version {version}");
        }
    }
}

#[tokio::test]
async fn earlier_publications_get_the_step_that_was_timed_then() {
    let (database, client) = at_version(5).await;
    migrate(&database).await.unwrap();
    let steps =
        "SELECT n.fleet || ': ' || p.step FROM provides_ecs p JOIN nodes_ecs n ON n.id = p.node_id ORDER BY p.id";
    assert_eq!(lines(&client, steps).await, ["default: provide", "cid.contact: availability"]);
}

#[tokio::test]
async fn a_database_of_the_originals_latest_version_is_left_as_it_is() {
    let (database, client) = at_version(6).await;
    migrate(&database).await.unwrap();
    assert_eq!(Schema::read(&client).await, Schema::of_the_contract());
    let ours = "SELECT to_regclass('operations')::TEXT || ' ' || version FROM __diesel_schema_migrations";
    assert_eq!(lines(&client, &format!("{ours} ORDER BY version")).await, ["operations 0001", "operations 0002"]);
}

#[tokio::test]
async fn a_newer_original_is_joined_if_its_tables_still_take_our_rows() {
    let (database, client) = at_version(6).await;
    set_version(&client, 7, false).await;
    client.batch_execute("ALTER TABLE provides_ecs ADD COLUMN note TEXT").await.unwrap();
    migrate(&database).await.unwrap();
    assert_eq!(lines(&client, VERSION).await, ["7 false"]);

    client
        .batch_execute("DELETE FROM provides_ecs; ALTER TABLE provides_ecs ADD COLUMN must INT NOT NULL")
        .await
        .unwrap();
    let message = migrate(&database).await.unwrap_err().to_string();
    assert!(message.contains("table provides_ecs") && message.contains("column must must be given"), "{message}");
}

#[tokio::test]
async fn an_interrupted_migration_is_refused_with_what_to_do() {
    let (database, client) = at_version(5).await;
    set_version(&client, 6, true).await;
    let Err(StoreError::Refused(reason)) = migrate(&database).await else { panic!("a dirty schema was migrated") };
    assert!(reason.contains("to version 6 was cut off") && reason.contains("SET dirty = false"), "{reason}");
    assert_eq!(lines(&client, VERSION).await, ["6 true"]);
}

#[tokio::test]
async fn tables_without_a_version_are_refused_and_left_alone() {
    let database = database().await;
    let client = database.client().await;
    client.batch_execute("CREATE TABLE provides (mine INT)").await.unwrap();
    let Err(StoreError::Refused(reason)) = migrate(&database).await else { panic!("foreign tables were migrated") };
    assert!(reason.contains("(provides) and no schema_migrations"), "{reason}");
    let tables = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(lines(&client, tables).await, ["provides"]);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let (database, client) = at_version(3).await;
    client.batch_execute("CREATE TABLE schedulers_ecs (mine INT)").await.unwrap();
    let Err(StoreError::Refused(reason)) = migrate(&database).await else { panic!("step 5 cannot succeed") };
    assert!(reason.contains("from version 4 to 5") && reason.contains("schedulers_ecs"), "{reason}");
    assert_eq!(lines(&client, VERSION).await, ["3 false"]);
    assert_eq!(lines(&client, "SELECT (to_regclass('provides') IS NULL)::TEXT").await, ["true"]);
}

#[tokio::test]
async fn a_go_program_that_migrates_is_waited_for() {
    let database = database().await;
    let client = database.client().await;
    // As golang-migrate computes it; the sum by somebody else's code than the store's.
    let sum = crc32fast::hash(format!("public\0schema_migrations\0{}", database.name()).as_bytes());
    let id = i64::from(sum.wrapping_mul(1_486_364_155));
    client.execute("SELECT pg_advisory_lock($1)", &[&id]).await.unwrap();

    let url = database.url().to_owned();
    let waiting = tokio::spawn(async move { migrate_at(&url).await });
    let waiters = "SELECT count(*)::TEXT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let deadline = Instant::now() + Duration::from_secs(30);
    while lines(&client, waiters).await != ["1"] {
        assert!(Instant::now() < deadline && !waiting.is_finished(), "the migration does not wait for the lock");
    }
    assert_eq!(lines(&client, "SELECT (to_regclass('schema_migrations') IS NULL)::TEXT").await, ["true"]);

    client.execute("SELECT pg_advisory_unlock($1)", &[&id]).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(lines(&client, VERSION).await, ["6 false"]);
}

#[tokio::test]
async fn a_role_that_may_create_nothing_is_told_so_and_may_start_once_the_tables_are_there() {
    let database = database().await;
    let client = database.client().await;
    let role = format!("{}_guest", database.name());
    let set_up = format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    client.batch_execute(&set_up).await.unwrap();

    let guest = database.url_as(&role);
    let Err(StoreError::Refused(reason)) = migrate_at(&guest).await else { panic!("a guest made tables") };
    assert!(reason.contains(&format!("GRANT CREATE ON SCHEMA public TO {role}")), "{reason}");

    migrate(&database).await.unwrap();
    client.batch_execute(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await.unwrap();
    migrate_at(&guest).await.unwrap();
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}
