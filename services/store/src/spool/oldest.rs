//! What is read from a spool before it is confirmed.

use crate::Row;

/// The oldest rows, and how to confirm them.
#[derive(Debug, Clone, PartialEq)]
pub struct Oldest {
    /// The rows; none if nothing waits.
    pub rows: Vec<Row>,
    /// The mark behind them.
    pub end: Mark,
}

/// A place between two rows that were written apart: everything before the row with this number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(pub u64);
