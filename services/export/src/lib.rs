//! Flat tables in files that other programs read: Parquet, CSV or JSON Lines, each with a manifest that says what the columns mean
//! and what the rows are of. Rows are written as they come: memory does not grow with their number.
//!
//! - [`Export`]: a table that is being written, and the [`Manifest`] at its end
//! - [`Format`]: in which form; `columnar`, `delimited` and `json_lines` write them
//! - `words`: rows without the addresses of strangers; `sink`: the file, and the hash of what is in it

mod columnar;
mod delimited;
mod error;
mod export;
mod format;
mod json_lines;
mod manifest;
mod sink;
mod text;
mod words;

pub use error::ExportError;
pub use export::{Export, Table};
pub use format::Format;
pub use manifest::{Manifest, Provenance};
