//! JSON Lines: an object for each row, with a member for each column, in their order.

use std::io::Write;

use parsec_measure::{Cell, CellKind, Column};
use serde_json::Value;

use crate::format::{Unwritten, Writer};
use crate::sink::Sink;
use crate::text;

pub(crate) struct JsonLines {
    sink: Sink,
    columns: &'static [Column],
    line: String,
}

impl JsonLines {
    pub(crate) fn new(sink: Sink, columns: &'static [Column]) -> Self {
        Self { sink, columns, line: String::new() }
    }
}

impl Writer for JsonLines {
    fn row(&mut self, row: Vec<Cell>) -> Result<(), Unwritten> {
        self.line.clear();
        for (column, cell) in self.columns.iter().zip(&row) {
            self.line.push(if self.line.is_empty() { '{' } else { ',' });
            // A document is no text here but what it says.
            let value = match (column.kind, cell) {
                (CellKind::Document, Cell::Text(document)) => {
                    serde_json::from_str(document).unwrap_or_else(|_| Value::from(document.as_str()))
                }
                _ => text::json(cell),
            };
            self.line.push_str(&format!("\"{}\":{value}", column.name));
        }
        self.line.push_str("}\n");
        Ok(self.sink.write_all(self.line.as_bytes())?)
    }

    fn finish(self: Box<Self>) -> Result<Sink, Unwritten> {
        Ok(self.sink)
    }
}
