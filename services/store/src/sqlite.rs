//! One SQLite file: how it is opened, and how its schema is brought up to date.

mod moved;
mod opening;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel_async::SimpleAsyncConnection as _;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_migrations::MigrationHarness;
use futures::FutureExt;
use futures::future::BoxFuture;
use parsec_schema::sqlite::MIGRATIONS;
use tokio::sync::Mutex;
use tracing::error;

use crate::closed::ClosedTable;
use crate::connection::AsyncSqliteConnection;
use crate::detached::{Access, Backend};
use crate::file_id::{FileId, FileState};
use crate::queries::Queries as _;
use crate::{Migrated, SchemaVersion, StoreError};
use opening::{Use, journal_beside, name, open, open_to_read, pool, refused, says_not_now, unavailable};

/// How often a file that is in use may be deleted or replaced. Of each that was, up to five connections stay open for as long as the
/// process lives, with three files each: a process may usually have 1024 open.
const MAX_MOVES: usize = 32;

/// What is said of a file that is not at its path any more.
const GONE: &str = "it was deleted or replaced meanwhile";

/// What is said of one that was opened as if nobody changed it.
const CHANGED: &str = "somebody else wrote to it while it was read";

/// One file.
pub(crate) struct Sqlite {
    /// As SQLite is told it.
    file: String,
    /// Where it is looked for before and after each call; `None` if it is only read.
    path: Option<PathBuf>,
    /// `None` before the first connection.
    open: Mutex<Option<Open>>,
    /// How many files were open before the one that is.
    moves: AtomicUsize,
}

/// The file that is open.
struct Open {
    /// Holds the file, whatever becomes of its name: the pool may have no connection to spare then.
    keeper: AsyncSqliteConnection,
    pool: Pool<AsyncSqliteConnection>,
    /// Which it is.
    id: Option<FileId>,
    /// The same of its log.
    log: Option<FileId>,
    /// How it was, if it was opened as one that nobody changes.
    unchanged: Option<FileState>,
}

/// What a connection is open to.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Which file it is.
    id: Option<FileId>,
    /// How it was, if it was opened as one that nobody changes.
    unchanged: Option<FileState>,
}

impl Sqlite {
    /// Prepares connections; the file is not opened yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if SQLite cannot be told such a path.
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        let file = name(path)?;
        Ok(Self { path: Some(PathBuf::from(&file)), file, open: Mutex::default(), moves: AtomicUsize::new(0) })
    }

    /// The same of a file that is there already: none is made in its place.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is no such file, or SQLite cannot be told such a path.
    pub(crate) fn existing(path: &Path) -> Result<Self, StoreError> {
        std::fs::metadata(path).map_err(|error| refused(path.display(), error))?;
        Self::new(path)
    }

    /// The same, with connections that only read. Neither the file nor its folder need be writable.
    ///
    /// # Errors
    /// As for [`existing`](Self::existing).
    pub(crate) fn read_only(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: None, ..Self::existing(path)? })
    }

    /// Connections to the file at our path, and what they are open to. If that is not the file that was opened, follows it.
    async fn current(&self) -> Result<(Pool<AsyncSqliteConnection>, Seen), StoreError> {
        let mut open = self.open.lock().await;
        // It is opened anew, perhaps with a journal by now.
        drop(open.take_if(|open| open.unchanged.is_some_and(|then| self.is_written_to(then))));
        let open = match &mut *open {
            Some(open) => {
                if let Some(path) = &self.path {
                    let there = self.at(path)?;
                    if there != open.id {
                        self.follow(path, open, there).await?;
                    }
                }
                open
            }
            nothing => nothing.insert(self.first().await?),
        };
        Ok((open.pool.clone(), Seen { id: open.id, unchanged: open.unchanged }))
    }

    /// Opens the file: one that is written to is made if it is not there. Nobody else makes it.
    async fn first(&self) -> Result<Open, StoreError> {
        let Some(path) = &self.path else { return self.first_to_read().await };
        let keeper = open(&self.file, Use::Create).await.map_err(|error| error.at_first(&self.file))?;
        let at = |path: &Path| FileId::at(path).map_err(|error| refused(&self.file, error));
        let (id, log) = (at(path)?, at(&opening::log_of(path)[0])?);
        if id.is_none() {
            return Err(unavailable(&self.file, GONE));
        }
        Ok(Open { keeper, pool: pool(&self.file, Use::Write), id, log, unchanged: None })
    }

    async fn first_to_read(&self) -> Result<Open, StoreError> {
        // Looked at before it is opened, so that nothing that is written in between is missed.
        let state = FileState::at(Path::new(&self.file));
        let (keeper, usage) = open_to_read(&self.file).await.map_err(|error| error.at_first(&self.file))?;
        let unchanged = state.filter(|_| usage == Use::Unchanged);
        Ok(Open { keeper, pool: pool(&self.file, usage), id: None, log: None, unchanged })
    }

    /// Whether somebody has written to a file that was like this `then`, or beside it.
    fn is_written_to(&self, then: FileState) -> bool {
        let path = Path::new(&self.file);
        FileState::at(path) != Some(then) || journal_beside(path).is_some()
    }

    /// Which file is there, now that ours is in use.
    fn at(&self, path: &Path) -> Result<Option<FileId>, StoreError> {
        FileId::at(path).map_err(|error| unavailable(&self.file, error))
    }

    /// Goes on with the file that is `there` now. If there is none, writes it again with all that was in it.
    async fn follow(&self, path: &Path, old: &mut Open, there: Option<FileId>) -> Result<(), StoreError> {
        let file = &self.file;
        let _lock = moved::lock(path)?;
        // Somebody else may have been quicker.
        let replaced = there.is_some() || self.at(path)?.is_some();
        let log = &opening::log_of(path)[0];
        if !replaced || old.log.is_some() && self.at(log)? == old.log {
            moved::forget_log(path)?;
        }
        if !replaced {
            moved::restore(&mut old.keeper, path).await?;
        }
        if self.file_moves() == MAX_MOVES {
            let reason = format!("it was deleted or replaced {MAX_MOVES} times while in use: restart the process");
            return Err(unavailable(file, reason));
        }
        let id = self.at(path)?;
        let mut keeper = open(file, Use::Write).await.map_err(|error| error.in_use(file))?;
        self.is_still(id)?;
        keeper.spawn_blocking(|conn| Ok(migrate(conn))).await??;
        if replaced {
            moved::take_along(&mut old.keeper, path).await?;
            error!(file, "the database file was replaced while in use; from now on rows are written to the new one");
        } else {
            error!(file, "the database file was deleted while in use; it has been written again, with all of its rows");
        }
        let next = Open { keeper, pool: pool(file, Use::Write), id, log: self.at(log)?, unchanged: None };
        // Whoever closes the last connection removes the log by its name, which is that of the new file by now.
        std::mem::forget(std::mem::replace(old, next));
        self.moves.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A connection, and what it is open to. Waits for as long as others use theirs, which `busy_timeout` bounds. No time
    /// limit here: what it would cut off is a query under way.
    async fn connection(&self) -> Result<(Object<AsyncSqliteConnection>, Seen), StoreError> {
        let (pool, seen) = self.current().await?;
        Ok((pool.get().await?, seen))
    }

    /// Whether this is still the file at our path.
    fn is_still(&self, id: Option<FileId>) -> Result<(), StoreError> {
        match &self.path {
            Some(path) if self.at(path)? != id => Err(unavailable(&self.file, GONE)),
            _ => Ok(()),
        }
    }

    /// Whether what was read is out of one and the same file. A journal that somebody has begun meanwhile is not in it.
    fn is_unchanged(&self, then: Option<FileState>) -> Result<(), StoreError> {
        match then {
            Some(_) if FileState::at(Path::new(&self.file)) != then => Err(unavailable(&self.file, CHANGED)),
            _ => Ok(()),
        }
    }
}

/// Tells a database that is going away from one that refuses a row: diesel does not say, so ask it for something trivial.
async fn explain(error: QueryError, conn: &mut AsyncSqliteConnection) -> StoreError {
    match &error {
        QueryError::DatabaseError(DatabaseErrorKind::Unknown, information) => {
            let message = information.message().to_owned();
            if says_not_now(&message) || conn.ping().await.is_err() {
                StoreError::Unavailable(message)
            } else {
                StoreError::BadRow(message)
            }
        }
        _ => error.into(),
    }
}

impl Backend for Sqlite {
    type Connection = AsyncSqliteConnection;

    /// Whether the file is still there is soon known.
    const TRUSTED: Duration = Duration::ZERO;

    async fn run<T, Q>(&self, _: Access, query: Q) -> Result<T, StoreError>
    where
        T: Send,
        Q: for<'c> Fn(&'c mut AsyncSqliteConnection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync,
    {
        let (mut conn, seen) = self.connection().await?;
        let result = query(&mut conn).await;
        // What another file says of a row is neither here nor there.
        self.is_still(seen.id)?;
        self.is_unchanged(seen.unchanged)?;
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(explain(error, &mut conn).await),
        }
    }

    async fn migrate(&self) -> Result<Migrated, StoreError> {
        let (mut conn, _) = self.connection().await?;
        // diesel's migrations have errors of their own, which are carried out as text.
        let migrated = conn.spawn_blocking(|conn| Ok(migrate(conn)));
        migrated.await?
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.run(Access::Read, |conn| conn.ping().boxed()).await
    }

    fn file_moves(&self) -> usize {
        self.moves.load(Ordering::Relaxed)
    }

    /// SQLite does it by itself when the last connection is closed, which a process that ends does not wait for.
    async fn rest(&self) -> Result<(), StoreError> {
        self.run(Access::Write, |conn| conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)").boxed()).await
    }

    /// Whoever may write to the file may write to all of its tables.
    async fn closed_tables(&self, _: bool) -> Result<Vec<ClosedTable>, StoreError> {
        Ok(Vec::new())
    }
}

/// The write lock is taken at the beginning, so that two programs do not both see that something is missing.
fn migrate(conn: &mut SqliteConnection) -> Result<Migrated, StoreError> {
    let failed = |error| StoreError::Refused(format!("migrations: {error}"));
    conn.immediate_transaction(|conn| {
        let before = version(conn).map_err(failed)?;
        conn.run_pending_migrations(MIGRATIONS).map_err(failed)?;
        Ok(Migrated { before, after: version(conn).map_err(failed)? })
    })
    .map_err(|error| match error {
        StoreError::Query(reason) if says_not_now(&reason) => StoreError::Unavailable(reason),
        other => other,
    })
}

fn version(conn: &mut SqliteConnection) -> diesel::migration::Result<SchemaVersion> {
    let applied = conn.applied_migrations()?;
    Ok(SchemaVersion { original: None, own: applied.iter().map(ToString::to_string).max() })
}
