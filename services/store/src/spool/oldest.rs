//! What is read from a spool before it is confirmed, and what confirming it says.

use super::error::Damage;
use crate::Row;

/// The oldest rows, and how to confirm them.
#[derive(Debug, Clone, PartialEq)]
pub struct Oldest {
    /// The rows; none if nothing waits that can be read.
    pub rows: Vec<Row>,
    /// The mark behind them.
    pub end: Mark,
    /// How many rows before the mark are lost. They count as lost once the mark is confirmed.
    pub lost: usize,
    /// What was found damaged just now.
    pub damage: Vec<Damage>,
}

/// A place between two rows that were written apart: everything before the row with this number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(pub u64);

/// What was news to a spool that was told that everything before a mark is done with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Confirmed {
    /// Rows that it had.
    pub rows: usize,
    /// Rows that it should have had.
    pub lost: usize,
}
