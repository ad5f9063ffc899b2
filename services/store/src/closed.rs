//! Tables that rows cannot be written to, found out before or when a row is refused.

use std::fmt;

/// A table that a role cannot write rows to until somebody who may changes that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedTable {
    /// Its name.
    pub table: String,
    /// Who cannot write.
    pub role: String,
    /// What is wrong, and which statement mends it.
    pub why: String,
}

impl fmt::Display for ClosedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
