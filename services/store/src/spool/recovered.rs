//! What was found when a spool was opened or looked after.

use std::fmt;

use super::error::{Damage, SpoolError};
use crate::Row;

/// What was found when a spool was opened or looked after. As text it is one line for a log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recovered {
    /// Rows that wait, all together.
    pub rows: usize,
    /// Those of them that were made for rounds which had been cut off.
    pub cut_off: usize,
    /// Bytes at the ends of files: pushes that had not come to their end.
    pub torn_bytes: u64,
    /// Places that could not be read.
    pub damage: Vec<Damage>,
    /// Rows that are lost, and are not among those that [`confirm`](super::Spooling::confirm) counts.
    pub lost: usize,
    /// Slots of processes that are gone, and how many rows each of them brought.
    pub adopted: Vec<Adopted>,
    /// Rows of rounds that were cut off which the disk does not take. They are found again by the next start, unless they
    /// are pushed before.
    pub in_hand: Vec<Row>,
    /// Whether the spool can be used only now.
    pub opened: bool,
}

/// A slot of the same database that nobody used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The name of its directory.
    pub slot: String,
    /// Rows that were moved from there.
    pub rows: usize,
    /// Why some are there still; `None` if none is, or the rest follows.
    pub left: Option<SpoolError>,
}

impl Recovered {
    /// Whether an earlier process left anything at all.
    pub fn is_empty(&self) -> bool {
        *self == Self { opened: self.opened, ..Self::default() }
    }

    /// Whether something is gone, or could not be taken over.
    pub fn is_bad(&self) -> bool {
        self.lost > 0 || !self.damage.is_empty() || self.adopted.iter().any(|adopted| adopted.left.is_some())
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows wait", self.rows)?;
        if self.cut_off > 0 {
            write!(f, ", {} of them of rounds that were cut off", self.cut_off)?;
        }
        if !self.in_hand.is_empty() {
            write!(f, "; {} rows of rounds that were cut off are in memory only", self.in_hand.len())?;
        }
        if self.torn_bytes > 0 {
            write!(f, "; {} bytes of an unfinished write are left out", self.torn_bytes)?;
        }
        for Adopted { slot, rows, left } in &self.adopted {
            write!(f, "; {rows} rows came from {slot}, which no running process uses")?;
            if let Some(error) = left {
                write!(f, ", and the rest could not be taken over: {error}")?;
            }
        }
        // Many places of a disk may be bad at once.
        for damage in self.damage.iter().take(MAX_NAMED) {
            write!(f, "; {damage}")?;
        }
        match self.damage.len().saturating_sub(MAX_NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more places"),
        }
    }
}

/// How many damaged places one line names.
const MAX_NAMED: usize = 5;
