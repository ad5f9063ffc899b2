//! Why a statement failed, where the advice depends on it. PostgreSQL's messages are in the language of the server, so its code is used;
//! SQLite has one language.

use diesel::result::Error as QueryError;
use tokio_postgres::error::SqlState;

use crate::StoreError;
use crate::connection::AsyncSqliteConnection;
use crate::session::Session;

/// What a connection knows of the error of its last statement.
pub(crate) trait Reasons {
    /// Whether there is no such table or view.
    fn lacks(&self, name: &str, error: &QueryError) -> bool;
    /// Whether our role may not do what was asked.
    fn denies(&self) -> bool;
}

impl Reasons for Session {
    fn lacks(&self, _: &str, _: &QueryError) -> bool {
        self.code() == Some(&SqlState::UNDEFINED_TABLE)
    }

    fn denies(&self) -> bool {
        self.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
    }
}

impl Reasons for AsyncSqliteConnection {
    fn lacks(&self, name: &str, error: &QueryError) -> bool {
        error.to_string() == format!("no such table: {name}")
    }

    /// Whoever may write to the file may write to all of its tables.
    fn denies(&self) -> bool {
        false
    }
}

/// The database answers, and somebody has to change something first.
pub(crate) fn refused(what_to_do: String) -> QueryError {
    StoreError::Refused(what_to_do).into_query_error()
}
