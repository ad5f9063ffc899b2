//! Tables in the forms in which they leave us.

use comfy_table::{Table, presets};
use parsec_measure::harmless;
use serde_json::Value;

use crate::words;

/// What is left free between two columns of a table for a terminal.
pub(crate) const GAP: u16 = 2;

/// Without lines, for a terminal: as narrow as it can be.
pub(crate) fn plain(mut table: Table) -> String {
    table.load_style(presets::NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.trim_fmt()
}

/// How wide that is if nothing in it is broken.
pub(crate) fn width(table: &Table) -> u16 {
    let columns = table.column_max_content_widths();
    let gaps = GAP.saturating_mul(u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX));
    columns.into_iter().fold(gaps, u16::saturating_add)
}

/// For issue trackers.
pub(crate) fn markdown(mut table: Table) -> String {
    for row in table.row_iter_mut() {
        *row = row.cell_iter().map(|cell| words::markdown(&cell.content())).collect::<Vec<_>>().into();
    }
    table.load_style(presets::ASCII_MARKDOWN);
    table.to_string()
}

/// For spreadsheets, as RFC 4180 defines it: a header, lines that end in CR LF; what is not known is empty.
pub(crate) fn csv<H: AsRef<[u8]>>(
    header: impl IntoIterator<Item = H>,
    rows: impl IntoIterator<Item = Vec<Value>>,
) -> String {
    let in_memory = "rows are as long as their header, and memory takes them";
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(header).expect(in_memory);
    for row in rows {
        writer.write_record(row.iter().map(field)).expect(in_memory);
    }
    String::from_utf8(writer.into_inner().expect(in_memory)).expect("made of texts")
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // Strangers have written some of them.
        Value::String(text) => harmless(text, usize::MAX),
        value => value.to_string(),
    }
}
