//! What an export is of, and what its columns mean: a data dictionary beside the table.

use chrono::{DateTime, Utc};
use parsec_measure::Column;
use serde_json::{Map, Value, json};

use crate::Format;
use crate::text::time;

/// The version of the manifest: a program that reads another one than it knows should not guess.
const VERSION: u32 = 1;

/// Where the rows of an export come from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// The version of parsec, and the commit that it was built from.
    pub written_by: String,
    /// When it was written.
    pub written_at: DateTime<Utc>,
    /// The database, without a password.
    pub database: String,
    /// What was selected, by name.
    pub selection: Map<String, Value>,
}

/// What an export is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub(crate) provenance: Provenance,
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) format: Format,
    pub(crate) addresses: bool,
    /// The file, by its name.
    pub file: String,
    /// How many rows it has.
    pub rows: u64,
    /// How long it is.
    pub bytes: u64,
    pub(crate) sha256: String,
    pub(crate) time: &'static str,
    /// The first and the last moment in it.
    pub times: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Manifest {
    pub(crate) fn document(&self) -> Value {
        let Self { provenance, times, .. } = self;
        let columns = self.columns.iter().map(|column| {
            let unit = if column.unit.is_empty() { None } else { Some(column.unit) };
            let Column { name, kind, nullable, meaning, .. } = column;
            json!({ "name": name, "type": kind.as_str(), "unit": unit, "nullable": nullable, "meaning": meaning })
        });
        json!({
            "manifest": VERSION,
            "written_by": provenance.written_by,
            "written_at": time(provenance.written_at),
            "database": provenance.database,
            "selection": provenance.selection,
            "addresses": if self.addresses { "kept" } else { "left out" },
            "table": self.table,
            "format": self.format.as_str(),
            "file": self.file,
            "rows": self.rows,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "time_column": self.time,
            "first": times.map(|(first, _)| time(first)),
            "last": times.map(|(_, last)| time(last)),
            "columns": columns.collect::<Value>(),
        })
    }
}
