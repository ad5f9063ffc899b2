//! What an error of PostgreSQL means: for the session it happened in, for whoever asked, and whether to try again at once.

use diesel::result::Error as QueryError;
use tokio_postgres::error::SqlState;

use crate::StoreError;
use crate::session::Session;

/// What to do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The row or its table is at fault. The session is as good as before.
    Row,
    /// Somebody else did the same at the same time; nothing was written. The session is as good as before.
    Collision,
    /// The session may only read, and did not say so when the transaction began.
    ReadOnly,
    /// The session has ended, or is of no more use.
    Lost,
    /// Anything else. The session may be the reason, so it is not used again.
    Other,
}

impl Verdict {
    /// Of the classes in PostgreSQL's list of error codes.
    pub(super) fn of(code: &SqlState) -> Self {
        match *code {
            // Somebody else wrote the row between our look and our insert, and is seen at the next look.
            SqlState::UNIQUE_VIOLATION => return Self::Collision,
            SqlState::READ_ONLY_SQL_TRANSACTION => return Self::ReadOnly,
            SqlState::TOO_MANY_CONNECTIONS => return Self::Lost,
            // A statement that took too long.
            SqlState::QUERY_CANCELED => return Self::Other,
            _ => {}
        }
        match code.code().get(..2) {
            // What the row is, what a trigger says of it, or what there is or may be done in its table: others are taken.
            Some("22" | "23" | "42" | "44" | "P0") => Self::Row,
            Some("40") => Self::Collision,
            Some("08" | "25" | "57") => Self::Lost,
            _ => Self::Other,
        }
    }

    /// Whether the session can be used again.
    pub(super) fn keeps_session(self) -> bool {
        matches!(self, Self::Row | Self::Collision)
    }
}

/// What an error in this session means, and how to tell it.
pub(super) fn judge(session: &Session, error: QueryError) -> (Verdict, StoreError) {
    let Some(code) = session.code() else {
        // Not from the server: either it is silent or says nonsense, or a value did not fit on our side.
        let verdict = if matches!(error, QueryError::DatabaseError(..)) { Verdict::Lost } else { Verdict::Row };
        return (verdict, error.into());
    };
    let verdict = Verdict::of(code);
    let told = match (verdict, StoreError::from(error)) {
        (Verdict::Row, StoreError::Query(reason)) => StoreError::BadRow(reason),
        (Verdict::Collision | Verdict::ReadOnly | Verdict::Lost, StoreError::Query(reason)) => {
            StoreError::Unavailable(reason)
        }
        (_, told) => told,
    };
    (verdict, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_becomes_of_the_session() {
        for (codes, verdict) in [
            (&["22001", "22P05", "23503", "23514", "42501", "42P01", "42703", "P0001"][..], Verdict::Row),
            (&["23505", "40001", "40P01"], Verdict::Collision),
            (&["25006"], Verdict::ReadOnly),
            (&["25P02", "25P03", "57P01", "57P02", "57P03", "57P05", "08006", "08P01", "53300"], Verdict::Lost),
            (&["57014", "53100", "55P03", "XX000", "58030"], Verdict::Other),
        ] {
            for code in codes {
                assert_eq!(Verdict::of(&SqlState::from_code(code)), verdict, "{code}");
            }
        }
    }
}
