//! CSV, as RFC 4180 has it.

use std::io;

use csv::{Terminator, WriterBuilder};
use parsec_measure::{Cell, Column};

use crate::format::{Unwritten, Writer};
use crate::sink::Sink;
use crate::text;

pub(crate) struct Delimited(csv::Writer<Sink>);

impl Delimited {
    pub(crate) fn new(sink: Sink, columns: &[Column]) -> Result<Self, Unwritten> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(sink);
        writer.write_record(columns.iter().map(|column| column.name)).map_err(io::Error::from)?;
        Ok(Self(writer))
    }
}

impl Writer for Delimited {
    fn row(&mut self, row: Vec<Cell>) -> Result<(), Unwritten> {
        Ok(self.0.write_record(row.iter().map(text::plain)).map_err(io::Error::from)?)
    }

    fn finish(self: Box<Self>) -> Result<Sink, Unwritten> {
        self.0.into_inner().map_err(|error| Unwritten::File(error.into_error()))
    }
}
