//! How connections to an SQLite file are made.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures::FutureExt;

use crate::StoreError;
use crate::connection::AsyncSqliteConnection;

/// One writes at a time, whatever their number; the others read meanwhile.
const MAX_CONNECTIONS: usize = 4;

/// How a connection is set up.
///
/// - `busy_timeout`: somebody else's transaction is waited for; a batch takes milliseconds.
/// - WAL: readers and the writer do not wait for each other.
/// - `synchronous = FULL`: what was committed survives a power failure, also in WAL mode.
/// - `foreign_keys`: off unless asked for.
/// - The look at the file opens its log too: from then on the connection has all that is in either, whatever becomes of their names.
const SET_UP: &str = "
    PRAGMA busy_timeout = 15000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    SELECT 1 FROM sqlite_master LIMIT 1;
";

/// How a connection is set up that only reads: what does not write cannot change the file's mode of journalling. The query finds out
/// whether the file can be read.
const SET_UP_TO_READ: &str = "
    PRAGMA busy_timeout = 15000;
    PRAGMA query_only = ON;
    SELECT 1 FROM sqlite_master LIMIT 1;
";

/// What SQLite says when a wait was in vain or its file system fails: it has one language, and diesel has no kinds
/// for these.
const NOT_NOW: [&str; 8] = [
    "database is locked",
    "database table is locked",
    "disk I/O error",
    "database or disk is full",
    CANNOT_OPEN,
    READ_ONLY,
    "database disk image is malformed",
    NO_DATABASE,
];

/// What SQLite says of a file, or of the journal beside it, that it cannot open.
const CANNOT_OPEN: &str = "unable to open database file";

/// What it says where its journal is not there and may not be made: in a directory of others, without a word of writing from us.
const READ_ONLY: &str = "attempt to write a readonly database";

/// What SQLite says of a file of something else. While it is in use, somebody has put that in its place, and rows wait for it to go away.
const NO_DATABASE: &str = "file is not a database";

/// Whether `message`, which came without a reason that diesel knows, only says "not now".
pub(super) fn says_not_now(message: &str) -> bool {
    NOT_NOW.iter().any(|reason| message.contains(reason))
}

/// What connections do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// They write to it, and make it if it is not there.
    Create,
    /// They write to it. One that is not there is not made: whoever deleted it did not delete what was in it.
    Write,
    /// They write nothing, while others may. What SQLite needs beside a file for that, it makes if it is not there.
    Read,
    /// They read the file alone, as it is, and write nothing, not even beside it. Whoever writes to it meanwhile is not noticed.
    Unchanged,
}

/// Why there is no connection, in SQLite's words.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// The file is not there, or cannot be opened.
    File(String),
    /// It can be opened, and not be used.
    SetUp(String),
    /// It could be read only without what was written last.
    Log(String),
}

impl NotOpened {
    /// When the file is opened for the first time, one of something else, or a path at which none can be, is a mistake.
    pub(super) fn at_first(self, file: &str) -> StoreError {
        match &self {
            Self::File(reason) => refused(file, reason),
            Self::SetUp(reason) if reason.contains(NO_DATABASE) => refused(file, reason),
            _ => self.in_use(file),
        }
    }

    /// Later the same is a mishap, and rows wait for the file to come back.
    pub(super) fn in_use(self, file: &str) -> StoreError {
        match self {
            Self::File(reason) => unavailable(file, reason),
            Self::SetUp(reason) if says_not_now(&reason) => unavailable(file, reason),
            Self::SetUp(reason) | Self::Log(reason) => refused(file, reason),
        }
    }
}

/// What is said of a file that cannot be used before somebody changes something,
pub(super) fn refused(file: impl Display, reason: impl Display) -> StoreError {
    StoreError::Refused(format!("sqlite file {file}: {reason}"))
}

/// and of one that can perhaps be used later.
pub(super) fn unavailable(file: impl Display, reason: impl Display) -> StoreError {
    StoreError::Unavailable(format!("sqlite file {file}: {reason}"))
}

/// The path as SQLite takes it.
///
/// # Errors
/// [`StoreError::Refused`] if SQLite cannot be told such a path.
pub(super) fn name(path: &Path) -> Result<String, StoreError> {
    let Some(text) = path.to_str() else {
        return Err(refused(path.display(), "its path is not UTF-8"));
    };
    // A path that begins with `file:` or `:` means something else to SQLite.
    Ok(if path.is_absolute() { text.to_owned() } else { format!("./{text}") })
}

/// What SQLite writes to before the file itself, and the index of that.
pub(super) fn log_of(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|ending| beside(path, ending))
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Connections to the file of this name, which are made when they are needed.
pub(super) fn pool(file: &str, usage: Use) -> Pool<AsyncSqliteConnection> {
    let mut manager = ManagerConfig::default();
    // A file does not go away like a server: asking before each use would only cost.
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |file| {
        let file = file.to_owned();
        let opened = async move {
            let opened = open(&file, usage).await;
            opened.map_err(|error| error.in_use(&file).into_connection_error())
        };
        opened.boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config(file, manager);
    let pool = Pool::builder(manager).max_size(MAX_CONNECTIONS).build();
    pool.expect("a pool without timeouts of its own needs no runtime")
}

/// Opens the file of this name.
pub(super) async fn open(file: &str, usage: Use) -> Result<AsyncSqliteConnection, NotOpened> {
    match usage {
        Use::Create => establish(file, SET_UP).await,
        Use::Write => establish(&uri(file, "mode=rw"), SET_UP).await,
        Use::Read => establish(&uri(file, "mode=ro"), SET_UP_TO_READ).await,
        Use::Unchanged => establish(&uri(file, "immutable=1"), SET_UP_TO_READ).await,
    }
}

/// Opens the file of this name to read it, and says how. One whose journal cannot be made beside it, for it lies on a disk that only reads or
/// in a directory of others, is opened as one that nobody changes: SQLite has no other way to read it.
pub(super) async fn open_to_read(file: &str) -> Result<(AsyncSqliteConnection, Use), NotOpened> {
    let reason = match open(file, Use::Read).await {
        Err(NotOpened::SetUp(reason)) if reason.contains(CANNOT_OPEN) || reason.contains(READ_ONLY) => reason,
        opened => return opened.map(|conn| (conn, Use::Read)),
    };
    match journal_beside(Path::new(file)) {
        None => Ok((open(file, Use::Unchanged).await?, Use::Unchanged)),
        Some(log) if reason.contains(CANNOT_OPEN) => Err(NotOpened::Log(format!(
            "what was written to it last is in {}, which can be read only where files can be made beside it: copy both to such a \
             directory ({reason})",
            log.display()
        ))),
        // Somebody is writing to it.
        Some(_) => Err(NotOpened::SetUp(reason)),
    }
}

/// A journal with something in it beside the file at this path: without that, the file is not what was written to it.
pub(super) fn journal_beside(path: &Path) -> Option<PathBuf> {
    let journals = ["-wal", "-journal"].map(|ending| beside(path, ending));
    journals.into_iter().find(|journal| std::fs::metadata(journal).is_ok_and(|journal| journal.len() > 0))
}

async fn establish(url: &str, set_up: &str) -> Result<AsyncSqliteConnection, NotOpened> {
    let opened = AsyncSqliteConnection::establish(url).await;
    let mut conn = opened.map_err(|error| NotOpened::File(error.to_string()))?;
    conn.batch_execute(set_up).await.map_err(|error| NotOpened::SetUp(error.to_string()))?;
    Ok(conn)
}

/// The file as a URI with an option. What follows two slashes would be a host.
fn uri(file: &str, option: &str) -> String {
    let scheme = if file.starts_with('/') { "file://" } else { "file:" };
    let path = file.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("{scheme}{path}?{option}")
}
