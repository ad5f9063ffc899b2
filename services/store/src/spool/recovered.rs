//! What was found when a spool was opened.

use std::fmt;

use super::error::{Damage, SpoolError};

/// What was found when a spool was opened. As text it is one line for a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows that wait, all together.
    pub rows: usize,
    /// Those of them that were made for rounds which had been cut off.
    pub cut_off: usize,
    /// Bytes at the ends of files that were cut off: pushes that had not come to their end.
    pub torn_bytes: u64,
    /// Places that could not be read. Their files are set aside.
    pub damage: Vec<Damage>,
    /// Slots of processes that are gone, and how many rows each of them brought.
    pub adopted: Vec<Adopted>,
}

/// A slot of the same database that nobody used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The name of its directory.
    pub slot: String,
    /// Rows that were moved from there.
    pub rows: usize,
    /// Why some are there still; `None` if none is.
    pub left: Option<SpoolError>,
}

impl Recovered {
    /// Whether an earlier process left anything at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is gone, or could not be taken over.
    pub fn is_bad(&self) -> bool {
        !self.damage.is_empty() || self.adopted.iter().any(|adopted| adopted.left.is_some())
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows wait", self.rows)?;
        if self.cut_off > 0 {
            write!(f, ", {} of them of rounds that were cut off", self.cut_off)?;
        }
        if self.torn_bytes > 0 {
            write!(f, "; {} bytes of an unfinished write were cut off", self.torn_bytes)?;
        }
        for Adopted { slot, rows, left } in &self.adopted {
            write!(f, "; {rows} rows came from {slot}, which no running process uses")?;
            if let Some(error) = left {
                write!(f, ", and the rest could not be taken over: {error}")?;
            }
        }
        for damage in &self.damage {
            write!(f, "; {damage}")?;
        }
        Ok(())
    }
}
