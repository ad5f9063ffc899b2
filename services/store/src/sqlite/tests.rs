use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel_async::SimpleAsyncConnection;
use nix::unistd::{Uid, setfsuid};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::opening::NotOpened;
use super::*;
use crate::spool::synced;

/// A file with our tables and one row of ours, in use.
async fn in_use() -> (TempDir, PathBuf, Sqlite) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("50% #1?.db");
    let sqlite = Sqlite::new(&path).unwrap();
    sqlite.migrate().await.unwrap();
    note(&sqlite, 0).await.unwrap();
    (directory, path, sqlite)
}

/// Writes one more row.
async fn note(sqlite: &Sqlite, number: u32) -> Result<(), StoreError> {
    sqlite
        .run(Access::Write, |conn| {
            async move { conn.batch_execute(&format!("CREATE TABLE note_{number} (x)")).await }.boxed()
        })
        .await
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Counts what [`note`] writes.
const NOTES: &str = "SELECT count(*) AS count FROM sqlite_master WHERE name LIKE 'note%'";

/// How many rows somebody finds who opens the file at this path now.
fn notes(path: &Path) -> i64 {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let counted: Count = sql_query(NOTES).get_result(&mut conn).unwrap();
    counted.count
}

fn is_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>, why: &str) {
    let error = result.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains(why)), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_deleted_while_all_connections_are_in_use_is_written_again_with_its_rows() {
    let (_directory, path, sqlite) = in_use().await;
    let (held, _) = sqlite.connection().await.unwrap();
    fs::remove_file(&path).unwrap();
    synced::take();
    note(&sqlite, 1).await.unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(synced::take().iter().any(|names| names.contains(&name)), "it has its name on disk");
    drop(held);
    assert_eq!(notes(&path), 2);
}

/// It is deleted between the look for it and the connection to it.
#[tokio::test]
async fn a_file_that_is_deleted_is_not_made_anew_by_the_next_connection() {
    let (_directory, path, sqlite) = in_use().await;
    let (held, _) = sqlite.connection().await.unwrap();
    let (pool, _) = sqlite.current().await.unwrap();
    fs::remove_file(&path).unwrap();
    is_unavailable(pool.get().await.map(drop).map_err(StoreError::from), "nable to open");
    assert!(!path.exists());
    drop(held);
    note(&sqlite, 1).await.unwrap();
    assert_eq!(notes(&path), 2);
}

#[tokio::test]
async fn what_a_file_says_of_a_row_that_is_not_ours_any_more_is_no_fault_of_the_row() {
    let (_directory, path, sqlite) = in_use().await;
    let refused = sqlite.run(Access::Write, |_| {
        fs::rename(&path, path.with_extension("moved")).unwrap();
        let error = QueryError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, Box::new("no".to_owned()));
        async { Err::<(), _>(error) }.boxed()
    });
    is_unavailable(refused.await, "deleted or replaced meanwhile");
}

#[tokio::test]
async fn a_file_of_something_else_is_a_mistake_at_first_and_a_mishap_in_use() {
    let (_directory, path, sqlite) = in_use().await;
    let text = path.with_extension("txt");
    fs::write(&text, "This is a text of more than sixteen bytes, and no database.").unwrap();
    for first in [Sqlite::new(&text).unwrap(), Sqlite::read_only(&text).unwrap()] {
        let error = first.check().await.unwrap_err();
        assert!(matches!(&error, StoreError::Refused(reason) if reason.contains("not a database")), "{error:?}");
    }
    fs::rename(&text, &path).unwrap();
    is_unavailable(note(&sqlite, 1).await, "not a database");
}

/// What SQLite says is looked at, and not where the file is.
#[test]
fn a_path_that_reads_like_an_error_changes_nothing() {
    let file = "/data/(os error 5) file is not a database, unable to open database file";
    let locked = || NotOpened::SetUp("database is locked".to_owned());
    let odd = || NotOpened::SetUp("no such function".to_owned());
    for explain in [NotOpened::at_first, NotOpened::in_use] {
        assert!(matches!(explain(locked(), file), StoreError::Unavailable(_)));
        assert!(matches!(explain(odd(), file), StoreError::Refused(_)));
    }
}

#[tokio::test]
async fn a_file_that_is_only_read_is_not_read_without_what_was_written_last() {
    let (_directory, path, sqlite) = in_use().await;
    let away = tempfile::tempdir().unwrap();
    let copy = away.path().join("copy.db");
    let [log, index] = opening::log_of(&copy);
    fs::copy(&path, &copy).unwrap();
    fs::copy(&opening::log_of(&path)[0], &log).unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 0);
    // Nobody can make the index, as where nothing can be written.
    std::os::unix::fs::symlink("/nowhere", &index).unwrap();
    let error = Sqlite::read_only(&copy).unwrap().check().await.unwrap_err();
    let expected = format!("what was written to it last is in {}", log.display());
    assert!(matches!(&error, StoreError::Refused(reason) if reason.contains(&expected)), "{error:?}");

    drop(sqlite);
    // All of it is in the file by now.
    fs::copy(&path, &copy).unwrap();
    fs::write(&log, "").unwrap();
    Sqlite::read_only(&copy).unwrap().check().await.unwrap();
}

/// A runtime with the rights of somebody who owns nothing here: to files, a thread can give up the rights of its process for itself alone.
/// Those of a process that is not root's stay as they are.
fn stranger() -> Runtime {
    let give_up = || {
        setfsuid(Uid::from_raw(65_534));
    };
    Builder::new_multi_thread().worker_threads(1).enable_all().on_thread_start(give_up).build().unwrap()
}

/// What [`NOTES`] counts for them.
fn counted(stranger: &Runtime, reader: &Arc<Sqlite>) -> i64 {
    let reader = Arc::clone(reader);
    let counting = async move {
        let count = |conn: &mut SqliteConnection| sql_query(NOTES).get_result::<Count>(conn);
        reader.run(Access::Read, |conn| conn.spawn_blocking(count)).await
    };
    stranger.block_on(stranger.spawn(counting)).unwrap().unwrap().count
}

#[test]
fn a_file_in_a_directory_of_others_is_read_and_read_anew_when_they_write_to_it() {
    let (owner, stranger) = (Runtime::new().unwrap(), stranger());
    let (directory, path, sqlite) = owner.block_on(in_use());
    owner.block_on(async { drop(sqlite) });
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    allow(&path, 0o644);
    allow(directory.path(), 0o555);
    let reader = Arc::new(Sqlite::read_only(&path).unwrap());
    assert_eq!(counted(&stranger, &reader), 1);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing was made beside it");

    let (of_owner, same) = (fs::File::options().append(true).open(&path).unwrap(), Arc::clone(&reader));
    let torn = async move {
        let written_to = same.run(Access::Read, |_| {
            (&of_owner).write_all(&[0]).unwrap();
            async { Ok(()) }.boxed()
        });
        written_to.await
    };
    is_unavailable(stranger.block_on(stranger.spawn(torn)).unwrap(), "wrote to it while it was read");

    allow(directory.path(), 0o755);
    let write = async |number| {
        let sqlite = Sqlite::new(&path).unwrap();
        note(&sqlite, number).await.unwrap();
        sqlite
    };
    owner.block_on(async { drop(write(1).await) });
    assert_eq!(counted(&stranger, &reader), 2, "all of it is in the file");
    let sqlite = owner.block_on(write(2));
    assert!(opening::journal_beside(&path).is_some());
    assert_eq!(counted(&stranger, &reader), 3, "not all of it is in the file");
    owner.block_on(async { drop(sqlite) });
}

#[tokio::test]
async fn a_file_that_is_deleted_too_often_is_written_again_and_then_asks_for_a_new_process() {
    let (_directory, path, sqlite) = in_use().await;
    sqlite.moves.store(MAX_MOVES - 1, Ordering::Relaxed);
    fs::remove_file(&path).unwrap();
    note(&sqlite, 1).await.unwrap();
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        is_unavailable(note(&sqlite, 2).await, "32 times while in use: restart the process");
    }
    assert_eq!(notes(&path), 2, "nothing is lost");
    note(&Sqlite::new(&path).unwrap(), 2).await.unwrap();
}
