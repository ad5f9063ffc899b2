//! The forms that a table can have, and what each of them does.

use std::io;

use parsec_measure::Cell;

use crate::ExportError;
use crate::sink::Sink;

/// In which form a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet, compressed with Snappy.
    Parquet,
    /// Comma-separated values (RFC 4180), with a header. What is not known is empty.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// Its name, which is what names of files end with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

/// What writes rows in one of these forms.
pub(crate) trait Writer: Send {
    /// Writes a row, now or with later ones.
    fn row(&mut self, row: Vec<Cell>) -> Result<(), Unwritten>;
    /// Writes what is left, and gives the file back.
    fn finish(self: Box<Self>) -> Result<Sink, Unwritten>;
}

/// Why a row could not be written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// The file takes no more.
    File(io::Error),
    /// The row does not fit.
    Row(ExportError),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}
