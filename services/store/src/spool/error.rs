//! What can go wrong with the spool, told apart by what the caller should do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the spool did not do what it was asked. Nothing that was in it before is lost by it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpoolError {
    /// Its files have come to the limit that was set.
    #[error("the spool is full: {bytes} of {max_bytes} bytes are taken, and {needed} more are needed")]
    Full {
        /// What its files take.
        bytes: u64,
        /// What they may take.
        max_bytes: u64,
        /// What these rows would take.
        needed: u64,
    },
    /// The file system refuses. The same call may succeed later.
    #[error("cannot {doing} {}: {reason}", path.display())]
    Io {
        /// What was tried, as in `write`.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
        /// Of which kind that is.
        kind: io::ErrorKind,
    },
    /// A row that no answer of a bounded length can have led to.
    #[error("a row of {bytes} bytes is too long for the spool: at most {max_bytes} are taken")]
    TooLong {
        /// How long it is when written.
        bytes: usize,
        /// How long it may be.
        max_bytes: usize,
    },
    /// More rounds than there can be loops.
    #[error("{open} rounds have been announced, and none of them has ended")]
    TooManyRounds {
        /// How many.
        open: usize,
    },
    /// Each place for this database is used by a running process.
    #[error("all {tried} slots below {} are in use; give each host, or each group of processes, a spool directory of its own", directory.display())]
    NoSlot {
        /// Where was looked.
        directory: PathBuf,
        /// How many slots there are.
        tried: u32,
    },
}

impl SpoolError {
    /// Whether there is no room: up to the limit, or on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { kind, .. } => matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded),
            _ => false,
        }
    }
}

/// What `map_err` makes of an error of the operating system.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    move |error| SpoolError::Io { doing, path: path.to_owned(), reason: error.to_string(), kind: error.kind() }
}

/// A place in a file that cannot be read as what was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// From which byte on; 0 if the whole file is meant.
    pub offset: u64,
    /// How many rows are lost by it, as far as is known.
    pub rows: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged from byte {} on: {}", self.path.display(), self.offset, self.what)
    }
}
