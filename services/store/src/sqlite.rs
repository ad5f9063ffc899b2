//! One SQLite file: how it is opened, and how its schema is brought up to date.

mod moved;

use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use diesel_migrations::MigrationHarness;
use futures::FutureExt;
use futures::future::BoxFuture;
use parsec_schema::sqlite::MIGRATIONS;
use tokio::sync::Mutex;
use tracing::error;

use crate::closed::ClosedTable;
use crate::connection::AsyncSqliteConnection;
use crate::detached::{Access, Backend};
use crate::queries::Queries as _;
use crate::{Migrated, SchemaVersion, StoreError};
use moved::FileId;

/// One writes at a time, whatever their number; the others read meanwhile.
const MAX_CONNECTIONS: usize = 4;

/// How a connection is set up.
///
/// - `busy_timeout`: somebody else's transaction is waited for; a batch takes milliseconds.
/// - WAL: readers and the writer do not wait for each other.
/// - `synchronous = FULL`: what was committed survives a power failure, also in WAL mode.
/// - `foreign_keys`: off unless asked for.
const SET_UP: &str = "
    PRAGMA busy_timeout = 15000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
";

/// How a connection is set up that only reads: what does not write cannot change the file's mode of journalling. The query finds out
/// whether the file can be read.
const SET_UP_TO_READ: &str = "
    PRAGMA busy_timeout = 15000;
    PRAGMA query_only = ON;
    SELECT 1 FROM sqlite_master LIMIT 1;
";

/// What tells SQLite to write nothing.
const READ_ONLY: &str = "?mode=ro";

/// What SQLite says when a wait was in vain or its file system fails: it has one language, and diesel has no kinds
/// for these.
const NOT_NOW: [&str; 8] = [
    "database is locked",
    "database table is locked",
    "disk I/O error",
    "database or disk is full",
    "unable to open database file",
    "attempt to write a readonly database",
    "database disk image is malformed",
    NO_DATABASE,
];

/// What SQLite says of a file of something else. While it is in use, somebody has put that in its place, and rows wait for it to go away.
const NO_DATABASE: &str = "file is not a database";

/// One file.
pub(crate) struct Sqlite {
    /// As SQLite is told it.
    file: String,
    /// Where it is looked for before and after each call; `None` if it is only read.
    path: Option<PathBuf>,
    open: Mutex<Open>,
}

/// The file that is open.
#[derive(Clone)]
struct Open {
    pool: Pool<AsyncSqliteConnection>,
    /// Which it is; `None` before the first connection, which makes it.
    id: Option<FileId>,
    /// The same of its log.
    log: Option<FileId>,
}

impl Sqlite {
    /// Prepares connections; the file is not opened yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if SQLite cannot be told such a path.
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        let file = name(path)?;
        let path = Some(PathBuf::from(&file));
        Ok(Self { path, ..Self::with(file, SET_UP) })
    }

    /// Prepares connections that only read. The file must be there; neither it nor its folder need be writable.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is no such file, or SQLite cannot be told such a path.
    pub(crate) fn read_only(path: &Path) -> Result<Self, StoreError> {
        let missing = |error| StoreError::Refused(format!("sqlite file {}: {error}", path.display()));
        std::fs::metadata(path).map_err(missing)?;
        let file = name(path)?;
        Ok(Self::with(format!("file:{}{READ_ONLY}", escaped(&file)), SET_UP_TO_READ))
    }

    fn with(file: String, set_up: &'static str) -> Self {
        let pool = pool(&file, set_up);
        Self { file, path: None, open: Mutex::new(Open { pool, id: None, log: None }) }
    }
}

/// What an error means when the file is opened for the first time: a file of something else, or a path at which none can be, is a
/// mistake. Later the same is a mishap, and rows wait for the file to come back.
pub(crate) fn at_first(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(reason) if reason.contains(NO_DATABASE) || reason.contains("(os error") => {
            StoreError::Refused(reason)
        }
        other => other,
    }
}

fn pool(file: &str, set_up: &'static str) -> Pool<AsyncSqliteConnection> {
    let mut manager = ManagerConfig::default();
    // A file does not go away like a server: asking before each use would only cost.
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |file| {
        let file = file.to_owned();
        async move { open(&file, set_up).await.map_err(StoreError::into_connection_error) }.boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config(file, manager);
    let pool = Pool::builder(manager).max_size(MAX_CONNECTIONS).build();
    pool.expect("a pool without timeouts of its own needs no runtime")
}

/// The path as SQLite takes it.
fn name(path: &Path) -> Result<String, StoreError> {
    let Some(text) = path.to_str() else {
        return Err(StoreError::Refused(format!("sqlite file {}: its path is not UTF-8", path.display())));
    };
    // A path that begins with `file:` or `:` means something else to SQLite.
    Ok(if path.is_absolute() { text.to_owned() } else { format!("./{text}") })
}

/// Opens the file. One whose journal cannot be written beside it, for it lies on a disk that only reads, is opened as one that nobody
/// changes: SQLite has no other way to read it.
async fn open(file: &str, set_up: &str) -> Result<AsyncSqliteConnection, StoreError> {
    match establish(file, set_up).await {
        Err(StoreError::Unavailable(reason)) if file.ends_with(READ_ONLY) && reason.contains("unable to open") => {
            establish(&file.replace(READ_ONLY, "?immutable=1"), set_up).await
        }
        result => result,
    }
}

async fn establish(file: &str, set_up: &str) -> Result<AsyncSqliteConnection, StoreError> {
    let refused = |error: &dyn std::fmt::Display| StoreError::Refused(format!("sqlite file {file}: {error}"));
    let mut conn = AsyncSqliteConnection::establish(file).await.map_err(|error| refused(&error))?;
    match conn.batch_execute(set_up).await {
        Ok(()) => Ok(conn),
        Err(error) if Sqlite::says_not_now(&error.to_string()) => {
            Err(StoreError::Unavailable(format!("sqlite file {file}: {error}")))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// The path as a part of a URI.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

impl Sqlite {
    /// The file at our path. If that is not the one that was opened, follows it.
    async fn current(&self) -> Result<Open, StoreError> {
        let mut open = self.open.lock().await;
        let Some(path) = &self.path else { return Ok(open.clone()) };
        let there = FileId::at(path)?;
        match open.id {
            None => {
                drop(open.pool.get().await?);
                open.id = FileId::at(path)?;
            }
            Some(_) if there == open.id => {
                if open.log.is_none() {
                    open.log = FileId::at(&moved::log_of(path)[0])?;
                }
            }
            Some(_) => self.follow(path, &mut open, there).await?,
        }
        Ok(open.clone())
    }

    /// Goes on with the file that is `there` now. If there is none, writes it again with all that was in it.
    async fn follow(&self, path: &Path, open: &mut Open, there: Option<FileId>) -> Result<(), StoreError> {
        let (mut old, file) = (open.pool.get().await?, path.display().to_string());
        let _lock = moved::lock(path)?;
        // Somebody else may have been quicker.
        let replaced = there.is_some() || FileId::at(path)?.is_some();
        let log = &moved::log_of(path)[0];
        if !replaced || open.log.is_some() && FileId::at(log)? == open.log {
            moved::forget_log(path)?;
        }
        if !replaced {
            moved::restore(&mut old, path).await?;
        }
        let pool = pool(&self.file, SET_UP);
        let mut conn = pool.get().await?;
        conn.spawn_blocking(|conn| Ok(migrate(conn))).await??;
        if replaced {
            moved::take_along(&mut old, path).await?;
            error!(file, "the database file was replaced while in use; from now on rows are written to the new one");
        } else {
            error!(file, "the database file was deleted while in use; it has been written again, with all of its rows");
        }
        let next = Open { pool, id: FileId::at(path)?, log: FileId::at(log)? };
        // Whoever closes the last connection removes the log by its name, which is that of the new file by now.
        Box::leak(Box::new(std::mem::replace(open, next)));
        Ok(())
    }

    /// A connection, and what it is open to. Waits for as long as others use theirs, which `busy_timeout` bounds. No time
    /// limit here: what it would cut off is a query under way.
    async fn connection(&self) -> Result<(Object<AsyncSqliteConnection>, Option<FileId>), StoreError> {
        let Open { pool, id, .. } = self.current().await?;
        Ok((pool.get().await?, id))
    }

    /// Whether this is still the file at our path.
    fn is_still(&self, id: Option<FileId>) -> Result<(), StoreError> {
        match &self.path {
            Some(path) if FileId::at(path)? != id => {
                let file = path.display();
                Err(StoreError::Unavailable(format!("sqlite file {file}: it was deleted or replaced meanwhile")))
            }
            _ => Ok(()),
        }
    }

    /// Whether `message`, which came without a reason that diesel knows, only says "not now".
    fn says_not_now(message: &str) -> bool {
        NOT_NOW.iter().any(|reason| message.contains(reason))
    }
}

/// Tells a database that is going away from one that refuses a row: diesel does not say, so ask it for something trivial.
async fn explain(error: QueryError, conn: &mut AsyncSqliteConnection) -> StoreError {
    match &error {
        QueryError::DatabaseError(DatabaseErrorKind::Unknown, information) => {
            let message = information.message().to_owned();
            if Sqlite::says_not_now(&message) || conn.ping().await.is_err() {
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
        let (mut conn, id) = self.connection().await?;
        match query(&mut conn).await {
            Ok(value) => self.is_still(id).map(|()| value),
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
        StoreError::Query(reason) if Sqlite::says_not_now(&reason) => StoreError::Unavailable(reason),
        other => other,
    })
}

fn version(conn: &mut SqliteConnection) -> diesel::migration::Result<SchemaVersion> {
    let applied = conn.applied_migrations()?;
    Ok(SchemaVersion { original: None, own: applied.iter().map(ToString::to_string).max() })
}
