//! What can go wrong with the database, told apart by what the caller should do about it.

use std::error::Error as StdError;

use diesel::ConnectionError;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as QueryError};
use diesel_async::pooled_connection::{PoolError, deadpool};
use parsec_measure::NodeId;
use thiserror::Error;
/// Why the database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// It cannot be reached, gives no answer in time, or is shutting down. The same call may succeed later.
    #[error("database is unavailable: {0}")]
    Unavailable(String),
    /// It can be reached and will not serve us until somebody changes something. The sentence says what.
    #[error("database cannot be used: {0}")]
    Refused(String),
    /// The node's row is not there (any more).
    #[error("node {0} has no row in nodes_ecs; it must register again")]
    NoSuchNode(NodeId),
    /// The database takes rows and refuses this one, for instance because its node's row was deleted, or because we have
    /// no right to write to its table. It can be written once somebody has changed that, or never.
    #[error("database does not take the row: {0}")]
    BadRow(String),
    /// The database answers, and did not do this, for a reason that lies in neither: out of disk, a statement that
    /// took too long, a table that somebody changed. The same call may succeed later.
    #[error("database query failed: {0}")]
    Query(String),
}

impl From<QueryError> for StoreError {
    fn from(error: QueryError) -> Self {
        use DatabaseErrorKind as Kind;
        let error = match unpacked(error) {
            Ok(error) => return error,
            Err(error) => error,
        };
        match &error {
            QueryError::DatabaseError(kind, information) => match kind {
                Kind::UnableToSendCommand
                | Kind::ClosedConnection
                | Kind::ReadOnlyTransaction
                | Kind::SerializationFailure => Self::Unavailable(information.message().to_owned()),
                Kind::UniqueViolation
                | Kind::ForeignKeyViolation
                | Kind::NotNullViolation
                | Kind::CheckViolation
                | Kind::RestrictViolation
                | Kind::ExclusionViolation => Self::BadRow(in_words(information.as_ref())),
                _ => Self::Query(in_words(information.as_ref())),
            },
            QueryError::RollbackErrorOnCommit { .. } | QueryError::BrokenTransactionManager => {
                Self::Unavailable(error.to_string())
            }
            QueryError::SerializationError(_) | QueryError::DeserializationError(_) | QueryError::InvalidCString(_) => {
                Self::BadRow(error.to_string())
            }
            _ => Self::Query(error.to_string()),
        }
    }
}

impl From<deadpool::PoolError> for StoreError {
    fn from(error: deadpool::PoolError) -> Self {
        match error {
            deadpool::PoolError::Backend(PoolError::ConnectionError(error)) => from_connection_error(error),
            deadpool::PoolError::Backend(PoolError::QueryError(error)) => Self::Unavailable(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl StoreError {
    /// Packs the error so that it survives the way through diesel's pool; unpacked by `From<PoolError>`.
    pub(crate) fn into_connection_error(self) -> ConnectionError {
        ConnectionError::CouldntSetupConfiguration(self.into_query_error())
    }

    /// Packs what a query knows better than diesel; unpacked by `From<QueryError>`.
    pub(crate) fn into_query_error(self) -> QueryError {
        QueryError::QueryBuilderError(Box::new(self))
    }
}

/// What [`StoreError::into_query_error`] has packed, or the error as it is.
fn unpacked(error: QueryError) -> Result<StoreError, QueryError> {
    match error {
        QueryError::QueryBuilderError(packed) => {
            packed.downcast::<StoreError>().map(|error| *error).map_err(QueryError::QueryBuilderError)
        }
        error => Err(error),
    }
}

fn from_connection_error(error: ConnectionError) -> StoreError {
    match error {
        ConnectionError::CouldntSetupConfiguration(error) => {
            unpacked(error).unwrap_or_else(|other| StoreError::Unavailable(other.to_string()))
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// The database's message, and its details where it gives some: they name the key that is missing.
fn in_words(information: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    match information.details() {
        Some(details) => format!("{} ({})", information.message(), details.trim_end_matches('.')),
        None => information.message().to_owned(),
    }
}

/// What an error came from, the nearest first.
pub(crate) fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |error: &&'e (dyn StdError + 'static)| (*error).source())
}

/// An error and its causes in one line. The outermost often says no more than that something went wrong.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    causes(error).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_through_the_pool_unchanged() {
        let error = StoreError::Refused("no TLS".to_owned());
        let pooled = PoolError::ConnectionError(error.clone().into_connection_error());
        assert_eq!(StoreError::from(deadpool::PoolError::Backend(pooled)), error);
    }

    #[test]
    fn what_a_query_says_itself_comes_out_unchanged() {
        let error = StoreError::Refused("no view".to_owned());
        assert_eq!(StoreError::from(error.clone().into_query_error()), error);
        let other = QueryError::QueryBuilderError("why".into());
        assert_eq!(StoreError::from(other), StoreError::Query("why".to_owned()));
    }

    #[test]
    fn a_row_that_breaks_a_constraint_is_told_apart_from_a_query_that_failed() {
        let failed = |kind| StoreError::from(QueryError::DatabaseError(kind, Box::new("why".to_owned())));
        assert_eq!(failed(DatabaseErrorKind::ForeignKeyViolation), StoreError::BadRow("why".to_owned()));
        assert_eq!(failed(DatabaseErrorKind::Unknown), StoreError::Query("why".to_owned()));
        assert_eq!(failed(DatabaseErrorKind::UnableToSendCommand), StoreError::Unavailable("why".to_owned()));
    }
}
