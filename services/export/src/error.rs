//! Why a table could not be written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a table could not be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A file of an earlier export stands there.
    #[error("{} is already there: choose another directory, or write over it with --overwrite", .0.display())]
    Exists(PathBuf),
    /// The file or its directory cannot be used.
    #[error("cannot write {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A row does not fit into the table.
    #[error("column {column}: {reason}")]
    Cell {
        /// Which column.
        column: &'static str,
        /// What is wrong with its cell.
        reason: String,
    },
}

impl ExportError {
    pub(crate) fn file(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::File { path: path.to_owned(), error }
    }
}
