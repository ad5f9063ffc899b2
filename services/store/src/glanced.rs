//! Pages of rows.

use uuid::Uuid;

use crate::StoreError;
use crate::columns::Key;

/// How many rows a page has: few enough for some megabytes, enough that asking for the next one costs nothing beside reading it.
pub(crate) const PAGE: i64 = 20_000;

/// Rows of one kind. One that somebody else has written, or a newer version, takes none of the others away.
#[derive(Debug, Clone, PartialEq)]
pub struct Glanced<T> {
    /// Those that can be read.
    pub rows: Vec<T>,
    /// How many cannot.
    pub unread: usize,
    /// The identity of the last one, whether it can be read or not.
    pub last: Option<Uuid>,
}

impl<T> Glanced<T> {
    /// Reads rows as they stand in the table.
    pub(crate) fn of<R>(found: Vec<R>, key: impl Fn(&R) -> Key, read: impl Fn(R) -> Result<T, StoreError>) -> Self {
        let (count, last) = (found.len(), found.last().map(|row| key(row).0));
        let rows: Vec<T> = found.into_iter().filter_map(|row| read(row).ok()).collect();
        Self { unread: count - rows.len(), rows, last }
    }
}
