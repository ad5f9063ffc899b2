//! What becomes of a database file that is deleted or replaced while it is in use.
//!
//! SQLite goes on with the file that it has opened, which has no name any more and is gone with the last process that has it
//! open. So it is looked for at its path before and after each call. While it is still open, nothing of it is lost.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::opening::{self, beside, log_of};
use crate::StoreError;
use crate::connection::AsyncSqliteConnection;
use crate::spool::sync_directory;

fn unavailable(path: &Path, error: impl std::fmt::Display) -> StoreError {
    opening::unavailable(path.display(), error)
}

/// Keeps other processes from following the file at the same time, as long as it lives.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = OpenOptions::new().create(true).write(true).truncate(false).open(beside(path, "-moved"));
    let lock = lock.map_err(|error| unavailable(path, format!("it is gone, and cannot be written again: {error}")))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(unavailable(path, "it is gone; another process is writing it again")),
        Err(TryLockError::Error(error)) => Err(unavailable(path, error)),
    }
}

/// Removes the log of a file that is gone. SQLite would take it for that of the file that has the name next, or now.
pub(super) fn forget_log(path: &Path) -> Result<(), StoreError> {
    for file in log_of(path) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unavailable(&file, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the file again, from a connection to the one that was deleted.
pub(super) async fn restore(old: &mut AsyncSqliteConnection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: &dyn std::fmt::Display| {
        unavailable(path, format!("it was deleted while in use, and cannot be written again: {error}"))
    };
    let copy = beside(path, "-restored");
    let _ = fs::remove_file(&copy);
    old.batch_execute(&format!("VACUUM INTO {}", quoted(&copy))).await.map_err(|error| failed(&error))?;
    let synced = File::open(&copy).and_then(|file| file.sync_all());
    synced.and_then(|()| fs::rename(&copy, path)).map_err(|error| failed(&error))?;
    // Else a power failure may leave neither the old file nor the new one.
    path.parent().map_or(Ok(()), sync_directory).map_err(|error| failed(&error))
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}

#[derive(Debug, QueryableByName)]
struct Stranger {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Nodes and schedulers that have the number of another one in the file that now has the name.
const STRANGERS: &str = "
    SELECT 'node ' || id AS name FROM main.nodes_ecs AS ours JOIN fresh.nodes_ecs AS theirs USING (id)
    WHERE ours.peer_id <> theirs.peer_id OR ours.created_at <> theirs.created_at
    UNION ALL
    SELECT 'scheduler ' || id FROM main.schedulers_ecs AS ours JOIN fresh.schedulers_ecs AS theirs USING (id)
    WHERE ours.created_at <> theirs.created_at
    LIMIT 1";

/// Rows refer to nodes and schedulers by number: these are taken along.
const TAKE_ALONG: &str = "
    INSERT OR IGNORE INTO fresh.nodes_ecs SELECT * FROM main.nodes_ecs;
    INSERT OR IGNORE INTO fresh.schedulers_ecs SELECT * FROM main.schedulers_ecs;";

/// Makes the file at this path, which has our tables, fit for rows of ours, from a connection to the one that was there
/// before.
///
/// # Errors
/// [`StoreError::Unavailable`] if it is a database in which our numbers mean others.
pub(super) async fn take_along(old: &mut AsyncSqliteConnection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: diesel::result::Error| unavailable(path, format!("it was replaced while in use: {error}"));
    old.batch_execute(&format!("ATTACH DATABASE {} AS fresh", quoted(path))).await.map_err(failed)?;
    let taken = async {
        let strangers: Vec<Stranger> = sql_query(STRANGERS).load(old).await.map_err(failed)?;
        match strangers.as_slice() {
            [Stranger { name }, ..] => Err(unavailable(
                path,
                format!(
                    "it was replaced while in use by another database, in which {name} is another one: stop all processes \
                     that use it, and start them again"
                ),
            )),
            [] => old.batch_execute(TAKE_ALONG).await.map_err(failed),
        }
    }
    .await;
    old.batch_execute("DETACH DATABASE fresh").await.map_err(failed)?;
    taken
}
