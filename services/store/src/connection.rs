//! What queries run on, beside diesel's own connections.

use diesel::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

/// A connection to an SQLite file.
pub(crate) type AsyncSqliteConnection = SyncConnectionWrapper<SqliteConnection>;
