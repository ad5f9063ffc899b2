//! A table that is being written, row by row, and what it is at the end.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use parsec_measure::{Cell, Column};

use crate::columnar::Parquet;
use crate::delimited::Delimited;
use crate::format::{Unwritten, Writer};
use crate::json_lines::JsonLines;
use crate::manifest::{Manifest, Provenance};
use crate::sink::{Draft, Sink, remove};
use crate::words::anonymous;
use crate::{ExportError, Format};

/// A table: its name and columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// Its name, and that of its files.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// The column that says when.
    pub time: &'static str,
}

/// A table that is being written. If it is not [finished](Export::finish), nothing stays of it.
pub struct Export {
    table: Table,
    format: Format,
    /// Whether the addresses of strangers stay in it.
    addresses: bool,
    writer: Box<dyn Writer>,
    file: PathBuf,
    manifest: PathBuf,
    rows: u64,
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Export {
    /// Begins files in this directory, which is made if it is not there.
    ///
    /// # Errors
    /// If they are there already and must not be written over, or cannot be written.
    pub fn begin(
        directory: &Path,
        table: Table,
        format: Format,
        addresses: bool,
        overwrite: bool,
    ) -> Result<Self, ExportError> {
        fs::create_dir_all(directory).map_err(ExportError::file(directory))?;
        let file = directory.join(format!("{}.{}", table.name, format.as_str()));
        let manifest = directory.join(format!("{}.manifest.json", table.name));
        if let Some(there) = [&file, &manifest].into_iter().find(|path| !overwrite && path.exists()) {
            return Err(ExportError::Exists(there.clone()));
        }
        let sink = Sink::create(&file).map_err(ExportError::file(&file))?;
        let writer = match format {
            Format::Parquet => Parquet::new(sink, table.name, table.columns).map(boxed),
            Format::Csv => Delimited::new(sink, table.columns).map(boxed),
            Format::Jsonl => Ok(boxed(JsonLines::new(sink, table.columns))),
        };
        let writer = writer.map_err(|error| unwritten(&file, error))?;
        Ok(Self { table, format, addresses, writer, file, manifest, rows: 0, times: None })
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes rows, each with a cell for each column.
    ///
    /// # Errors
    /// If the file takes no more, or a row does not fit into the table.
    pub fn add(&mut self, rows: Vec<Vec<Cell>>) -> Result<(), ExportError> {
        let time = self.table.columns.iter().position(|column| column.name == self.table.time);
        for mut row in rows {
            if let Some(Cell::Time(at)) = time.and_then(|time| row.get(time)) {
                let (first, last) = self.times.unwrap_or((*at, *at));
                self.times = Some((first.min(*at), last.max(*at)));
            }
            if !self.addresses {
                let cells = row.into_iter().zip(self.table.columns);
                row = cells.map(|(cell, column)| anonymous(column.kind, cell)).collect();
            }
            self.writer.row(row).map_err(|error| unwritten(&self.file, error))?;
            self.rows += 1;
        }
        Ok(())
    }

    /// Gives the table and its manifest their names. A manifest that stands beside a table is always that of this table: whatever is
    /// interrupted leaves the earlier pair, the new one, or a table without a manifest.
    ///
    /// # Errors
    /// If either cannot be written.
    pub fn finish(self, provenance: Provenance) -> Result<Manifest, ExportError> {
        let Self { table, format, addresses, writer, file, manifest: beside, rows, times } = self;
        let sink = writer.finish().map_err(|error| unwritten(&file, error))?;
        let draft = sink.close().map_err(ExportError::file(&file))?;
        let manifest = Manifest {
            provenance,
            table: table.name,
            columns: table.columns,
            format,
            addresses,
            file: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            rows,
            bytes: draft.bytes,
            sha256: draft.sha256.clone(),
            time: table.time,
            times,
        };
        let description = described(&beside, &manifest).map_err(ExportError::file(&beside))?;
        remove(&beside).map_err(ExportError::file(&beside))?;
        draft.publish().map_err(ExportError::file(&file))?;
        description.publish().map_err(ExportError::file(&beside))?;
        Ok(manifest)
    }
}

/// The manifest, not under its name yet.
fn described(path: &Path, manifest: &Manifest) -> io::Result<Draft> {
    let mut sink = Sink::create(path)?;
    writeln!(sink, "{:#}", manifest.document())?;
    sink.close()
}

fn boxed(writer: impl Writer + 'static) -> Box<dyn Writer> {
    Box::new(writer)
}

fn unwritten(file: &Path, error: Unwritten) -> ExportError {
    match error {
        Unwritten::File(error) => ExportError::File { path: file.to_owned(), error },
        Unwritten::Row(error) => error,
    }
}

#[cfg(test)]
mod tests;
