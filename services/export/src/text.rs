//! Cells as text.

use chrono::{DateTime, SecondsFormat, Utc};
use parsec_measure::Cell;
use serde_json::{Value, json};

/// RFC 3339, to the microsecond.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// As it stands between commas.
pub(crate) fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => number.to_string(),
        Cell::Bool(value) => value.to_string(),
        Cell::Time(at) => time(*at),
    }
}

/// As it stands in JSON.
pub(crate) fn json(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Int(number) => json!(number),
        Cell::Float(number) => json!(number),
        Cell::Bool(value) => json!(value),
        Cell::Time(at) => json!(time(*at)),
    }
}
