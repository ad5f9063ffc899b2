//! Databases that cannot be reached, refuse, or go away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use parsec_store::{Roster, Store, StoreConfig, StoreError, connect};
use parsec_test_support::{TestDatabase, database, sqlite_file};
use tokio_postgres::Client;

async fn refusal(url: &str) -> StoreError {
    match connect(&url.parse().unwrap()).await {
        Ok(_) => panic!("{url} was connected to"),
        Err(error) => error,
    }
}

fn with_sslmode(database: &TestDatabase, mode: &str) -> String {
    database.url().replace("sslmode=disable", &format!("sslmode={mode}"))
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_named() {
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = refusal(&format!("postgres://ann:s3cret@127.0.0.1:{port}/dht")).await;
    let StoreError::Unavailable(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains(&format!("ann@127.0.0.1:{port}/dht")) && reason.contains("refused"), "{reason}");
    assert!(!reason.contains("s3cret"), "{reason}");
}

#[tokio::test]
async fn a_database_and_a_role_that_do_not_exist_are_refused() {
    let database = database().await;
    let nowhere = database.url().replace(database.name(), "parsec_no_such_database");
    let nobody = database.url_as("parsec_no_such_role");
    for (url, named) in [(nowhere, "parsec_no_such_database"), (nobody, "parsec_no_such_role")] {
        let error = refusal(&url).await;
        assert!(matches!(&error, StoreError::Refused(reason) if reason.contains(named)), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_taken_by_the_modes_that_do_not_insist() {
    let database = database().await;
    for mode in ["disable", "allow", "prefer"] {
        connect(&with_sslmode(&database, mode).parse().unwrap()).await.unwrap();
    }
    let error = refusal(&with_sslmode(&database, "require")).await;
    let refused = matches!(&error, StoreError::Refused(reason) if reason.contains("server does not support TLS"));
    assert!(refused, "{error:?}");
}

#[tokio::test]
async fn a_store_comes_back_after_the_server_has_closed_its_connections() {
    let database = database().await;
    let store = connect(&database.url().parse().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let client = database.client().await;
    let others = "SELECT count(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0);
    assert_eq!(store.roster(&[]).await, Ok(Roster::default()));
}

/// A store whose questions about nodes hang for as long as the connection lives that comes with it.
async fn behind_a_lock() -> (TestDatabase, Arc<dyn Store>, Client) {
    let database = database().await;
    let store = connect(&database.url().parse().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let client = database.client().await;
    client.batch_execute("BEGIN; LOCK TABLE nodes_ecs").await.unwrap();
    (database, store, client)
}

#[tokio::test]
async fn a_server_that_goes_away_during_a_query_is_unavailable() {
    let (_database, store, lock) = behind_a_lock().await;
    let query = tokio::spawn(async move { store.roster(&[]).await });

    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks \
               WHERE relation = 'nodes_ecs'::regclass AND NOT granted";
    let deadline = Instant::now() + Duration::from_secs(30);
    while lock.query_one(end, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(Instant::now() < deadline, "the query does not wait for the table");
    }
    let error = query.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_or_cannot_be_made_is_refused_and_named() {
    let file = sqlite_file();
    std::fs::write(file.path(), "This is a text of more than sixteen bytes, and no database.").unwrap();
    let nowhere = StoreConfig::Sqlite { path: file.path().join("below/a/file.db") };
    for config in [file.url().parse().unwrap(), nowhere] {
        let Err(error) = connect(&config).await else { panic!("{config} was opened") };
        let StoreError::Refused(reason) = &error else { panic!("{error:?}") };
        assert!(reason.contains(&file.path().display().to_string()), "{reason}");
    }
}

/// Runs on a clock that jumps as soon as nobody works: a limit of any length is over at once.
#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    tokio::time::pause();
    let error = refusal(&format!("postgres://ann@127.0.0.1:{port}/dht?sslmode=disable")).await;
    assert!(
        matches!(&error, StoreError::Unavailable(reason) if reason.contains("no connection within 10 s")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up() {
    let (_database, store, _lock) = behind_a_lock().await;
    tokio::time::pause();
    let error = store.roster(&[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn the_server_too_ends_a_statement_that_hangs() {
    let database = database().await;
    let store = connect(&database.url().parse().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let client = database.client().await;
    let note_the_limit = "
        CREATE FUNCTION note() RETURNS TRIGGER LANGUAGE plpgsql AS
            $$ BEGIN NEW.dependencies := to_jsonb(current_setting('statement_timeout')); RETURN NEW; END $$;
        CREATE TRIGGER note BEFORE INSERT ON schedulers_ecs FOR EACH ROW EXECUTE FUNCTION note()";
    client.batch_execute(note_the_limit).await.unwrap();
    store.register_scheduler(&"default".parse().unwrap(), serde_json::Value::Null, Utc::now()).await.unwrap();
    let limit = client.query_one("SELECT dependencies #>> '{}' FROM schedulers_ecs", &[]).await.unwrap();
    assert_eq!(limit.get::<_, &str>(0), "30s");
}
