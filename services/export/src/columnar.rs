//! Parquet, in row groups of a bounded size: columns are collected until a group is full.

use std::io;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parsec_measure::{Cell, CellKind, Column};

use crate::ExportError;
use crate::format::{Unwritten, Writer};
use crate::sink::Sink;

/// How many rows a group has at most: enough that columns compress, few enough for some tens of megabytes.
const GROUP_ROWS: usize = 50_000;

/// How many bytes of text a group has at most, for documents of hundreds of kilobytes.
const GROUP_TEXT: usize = 32 << 20;

pub(crate) struct Parquet {
    writer: SerializedFileWriter<Sink>,
    columns: &'static [Column],
    /// The group that is being collected.
    collected: Vec<Collected>,
    rows: usize,
    text: usize,
}

/// The cells of one column in a group: values, and for each row whether there is one.
struct Collected {
    values: Values,
    is_there: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
}

impl Parquet {
    pub(crate) fn new(sink: Sink, name: &str, columns: &'static [Column]) -> Result<Self, Unwritten> {
        let schema = Arc::new(parse_message_type(&schema(name, columns)).map_err(failed)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("parsec ", env!("CARGO_PKG_VERSION")).to_owned());
        let writer = SerializedFileWriter::new(sink, schema, Arc::new(properties.build())).map_err(failed)?;
        let collected = columns.iter().map(|column| Collected::of(column.kind)).collect();
        Ok(Self { writer, columns, collected, rows: 0, text: 0 })
    }

    /// Writes the group that was collected.
    fn group(&mut self) -> Result<(), Unwritten> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for (column, collected) in self.columns.iter().zip(&mut self.collected) {
            let Some(mut writer) = group.next_column().map_err(failed)? else { break };
            let full = std::mem::replace(collected, Collected::of(column.kind));
            full.write(&mut writer, column.nullable).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        (self.rows, self.text) = (0, 0);
        Ok(())
    }
}

impl Writer for Parquet {
    fn row(&mut self, row: Vec<Cell>) -> Result<(), Unwritten> {
        for ((column, collected), cell) in self.columns.iter().zip(&mut self.collected).zip(row) {
            if let Cell::Text(text) = &cell {
                self.text += text.len();
            }
            collected.push(column, cell)?;
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.text >= GROUP_TEXT { self.group() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<Sink, Unwritten> {
        self.group()?;
        self.writer.into_inner().map_err(failed)
    }
}

impl Collected {
    fn of(kind: CellKind) -> Self {
        let values = match kind {
            CellKind::Text | CellKind::Words | CellKind::Document => Values::Text(Vec::new()),
            CellKind::Int | CellKind::Time => Values::Int(Vec::new()),
            CellKind::Float => Values::Float(Vec::new()),
            CellKind::Bool => Values::Bool(Vec::new()),
        };
        Self { values, is_there: Vec::new() }
    }

    fn push(&mut self, column: &Column, cell: Cell) -> Result<(), Unwritten> {
        let is_there = cell != Cell::Null;
        match (&mut self.values, cell) {
            (_, Cell::Null) if column.nullable => {}
            (Values::Text(values), Cell::Text(text)) => values.push(text.into_bytes().into()),
            (Values::Int(values), Cell::Int(number)) => values.push(number),
            (Values::Int(values), Cell::Time(at)) => values.push(at.timestamp_micros()),
            (Values::Float(values), Cell::Float(number)) => values.push(number),
            (Values::Bool(values), Cell::Bool(value)) => values.push(value),
            (_, cell) => {
                let reason = format!("{cell:?} where {} is expected", column.kind.as_str());
                return Err(Unwritten::Row(ExportError::Cell { column: column.name, reason }));
            }
        }
        self.is_there.push(i16::from(is_there));
        Ok(())
    }

    fn write(self, to: &mut SerializedColumnWriter<'_>, nullable: bool) -> Result<(), ParquetError> {
        let levels = nullable.then_some(self.is_there.as_slice());
        match &self.values {
            Values::Text(values) => write::<ByteArrayType>(to, values, levels),
            Values::Int(values) => write::<Int64Type>(to, values, levels),
            Values::Float(values) => write::<DoubleType>(to, values, levels),
            Values::Bool(values) => write::<BoolType>(to, values, levels),
        }
    }
}

fn write<T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    to.typed::<T>().write_batch(values, levels, None).map(drop)
}

/// The table in Parquet's own words.
fn schema(name: &str, columns: &[Column]) -> String {
    let fields = columns.iter().map(|column| {
        let repetition = if column.nullable { "OPTIONAL" } else { "REQUIRED" };
        let (physical, logical) = match column.kind {
            CellKind::Text | CellKind::Words | CellKind::Document => ("BYTE_ARRAY", " (STRING)"),
            CellKind::Int => ("INT64", ""),
            CellKind::Float => ("DOUBLE", ""),
            CellKind::Bool => ("BOOLEAN", ""),
            CellKind::Time => ("INT64", " (TIMESTAMP(MICROS,true))"),
        };
        format!("{repetition} {physical} {}{logical};", column.name)
    });
    format!("message {name} {{ {} }}", fields.collect::<String>())
}

fn failed(error: ParquetError) -> Unwritten {
    Unwritten::File(match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    })
}
