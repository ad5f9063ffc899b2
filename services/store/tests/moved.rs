//! An SQLite file that is deleted, moved or replaced while programs have it open.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use parsec_measure::{NodeId, Round, RoundId, RoundOutcome, SchedulerId};
use parsec_store::{NewNode, Row, ServerPort, Store, StoreConfig, StoreError, connect};
use tempfile::TempDir;

/// A program with a node and a scheduler.
struct Program {
    store: Arc<dyn Store>,
    node: NodeId,
    scheduler: SchedulerId,
}

impl Program {
    async fn started(path: &Path) -> Self {
        let store = connect(&StoreConfig::Sqlite { path: path.to_owned() }).await.unwrap();
        store.migrate().await.unwrap();
        let dependencies = serde_json::json!({ "package": "parsec" });
        let fleets = "default".parse().unwrap();
        let scheduler = store.register_scheduler(&fleets, dependencies.clone(), Utc::now()).await.unwrap();
        let node = NewNode {
            cpu: 2,
            memory: 4_096,
            peer_id: format!("12D3KooW{}", RoundId::fresh().0),
            region: "eu-central-1".to_owned(),
            cmd: "parsec server".to_owned(),
            fleet: "default".parse().unwrap(),
            dependencies,
            ip_address: "192.0.2.7".parse().unwrap(),
            server_port: ServerPort::try_from(7_070).unwrap(),
            peer_port: ServerPort::try_from(4_001).unwrap(),
            created_at: Utc::now(),
        };
        let node = store.register_node(node).await.unwrap();
        Self { store, node, scheduler }
    }

    fn round(&self) -> Row {
        let now = Utc::now();
        Row::Round(Round {
            id: RoundId::fresh(),
            scheduler: self.scheduler,
            fleets: "default".parse().unwrap(),
            provider: Some(self.node),
            nodes_listed: 2,
            nodes_ready: 2,
            nodes_without_heartbeat: 0,
            skipped_before: 0,
            due: now,
            started: now,
            ended: Some((now, RoundOutcome::Complete)),
        })
    }

    /// Writes a round, as the recorder does: until the database has taken it.
    async fn write(&self) {
        let row = self.round();
        for _ in 0..20 {
            match self.store.record(std::slice::from_ref(&row)).await {
                Ok(()) => return,
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the row was never taken");
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's.db");
    (directory, path)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many rows somebody finds who opens the file at this path now.
fn count(path: &Path, table: &str) -> i64 {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let counted: Count =
        diesel::sql_query(format!("SELECT count(*) AS count FROM {table}")).get_result(&mut conn).unwrap();
    counted.count
}

#[tokio::test]
async fn a_file_that_is_deleted_in_use_is_written_again_with_all_that_was_in_it() {
    for all in [false, true] {
        let (_directory, path) = place();
        let (one, other) = (Program::started(&path).await, Program::started(&path).await);
        for _ in 0..50 {
            one.write().await;
        }
        for ending in if all { &["", "-wal", "-shm"][..] } else { &[""] } {
            std::fs::remove_file(format!("{}{ending}", path.display())).unwrap();
        }
        one.write().await;
        other.write().await;
        one.write().await;
        one.store.heartbeat(one.node).await.unwrap();
        assert_eq!((count(&path, "rounds"), count(&path, "nodes_ecs")), (53, 2), "deleted with its log: {all}");
        assert_eq!(count(&path, "nodes_ecs WHERE last_heartbeat IS NOT NULL"), 1);
        assert_eq!((one.store.file_moves(), other.store.file_moves()), (1, 1));
        // And once more.
        std::fs::remove_file(&path).unwrap();
        other.write().await;
        one.write().await;
        assert_eq!(count(&path, "rounds"), 55);
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_is_written_again_by_a_check_also_if_nobody_writes() {
    let (_directory, path) = place();
    let program = Program::started(&path).await;
    program.write().await;
    std::fs::remove_file(&path).unwrap();
    program.store.check().await.unwrap();
    assert_eq!(count(&path, "rounds"), 1);
}

#[tokio::test]
async fn while_its_directory_is_gone_nothing_counts_as_written_and_later_everything_does() {
    let (directory, path) = place();
    let program = Program::started(&path).await;
    program.write().await;
    let elsewhere = directory.path().with_extension("moved");
    std::fs::rename(directory.path(), &elsewhere).unwrap();
    let row = program.round();
    let error = program.store.record(std::slice::from_ref(&row)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("it is gone")), "{error}");
    std::fs::rename(&elsewhere, directory.path()).unwrap();
    program.store.record(std::slice::from_ref(&row)).await.unwrap();
    assert_eq!(count(&path, "rounds"), 2);
}

#[tokio::test]
async fn a_file_that_is_replaced_by_an_older_copy_of_itself_takes_the_rows_from_then_on() {
    let (_directory, path) = place();
    let program = Program::started(&path).await;
    program.write().await;
    let copy = path.with_extension("copy");
    let backup = format!("VACUUM INTO '{}'", copy.to_str().unwrap().replace('\'', "''"));
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    diesel::sql_query(backup).execute(&mut conn).unwrap();
    drop(conn);
    let later = Program::started(&path).await;
    later.write().await;
    std::fs::rename(&copy, &path).unwrap();
    later.write().await;
    program.write().await;
    // What was written between the copy and its use is gone with the file; who wrote it is known all the same.
    assert_eq!((count(&path, "rounds"), count(&path, "nodes_ecs")), (3, 2));
}

#[tokio::test]
async fn a_file_that_is_replaced_by_a_new_one_takes_nodes_and_rows() {
    let (_directory, path) = place();
    let program = Program::started(&path).await;
    program.write().await;
    let fresh = path.with_extension("fresh");
    connect(&StoreConfig::Sqlite { path: fresh.clone() }).await.unwrap().migrate().await.unwrap();
    std::fs::rename(&fresh, &path).unwrap();
    program.write().await;
    assert_eq!((count(&path, "rounds"), count(&path, "nodes_ecs"), count(&path, "schedulers_ecs")), (1, 1, 1));
    assert_eq!(program.store.file_moves(), 1);
}

#[tokio::test]
async fn a_file_of_other_nodes_gets_no_row_of_ours() {
    let (_directory, path) = place();
    let program = Program::started(&path).await;
    let foreign = path.with_extension("foreign");
    drop(Program::started(&foreign).await);
    let before = count(&foreign, "nodes_ecs");
    std::fs::rename(&foreign, &path).unwrap();
    for _ in 0..3 {
        let error = program.store.record(&[program.round()]).await.unwrap_err();
        let expected = "in which node 1 is another one: stop all processes that use it, and start them again";
        assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains(expected)), "{error}");
    }
    assert_eq!((count(&path, "rounds"), count(&path, "nodes_ecs")), (0, before));
}
