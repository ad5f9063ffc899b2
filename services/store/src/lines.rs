//! Rows of statements that are written by hand, whatever their columns are, and what is written differently for PostgreSQL and SQLite.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::pg::{Pg, PgValue};
use diesel::row::{Field, NamedRow, Row};
use diesel::sql_types::{BigInt, Bool, Double, Text, Timestamptz};
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};
use parsec_measure::{Cell, CellKind, Column};

use crate::columns::Key;

/// The cells of a row. SQLite has no types for moments and switches: [`read`](Line::read) knows which are meant.
#[derive(Debug)]
pub(crate) struct Line(Vec<Cell>);

/// How SQLite keeps moments.
const SQLITE_TIME: &str = "%F %T%.f%:z";

/// What is written differently for PostgreSQL and SQLite.
pub(crate) struct Dialect {
    /// The members of a list that is given as JSON.
    pub(crate) list: fn(&str) -> String,
    /// Finds a text in another.
    pub(crate) find: &'static str,
    /// A member of an object in a column of JSON, as text; NULL if the column holds no object, or nothing of that name.
    pub(crate) member: fn(&str, &str) -> String,
}

pub(crate) const POSTGRES: Dialect = Dialect {
    list: |json| format!("jsonb_array_elements_text({json}::JSONB) AS wanted (value)"),
    find: "strpos",
    member: |column, name| format!("{column} ->> '{name}'"),
};
pub(crate) const SQLITE: Dialect = Dialect {
    list: |json| format!("json_each({json}) AS wanted"),
    find: "instr",
    member: |column, name| {
        format!("CASE WHEN json_valid({column}) THEN CAST(json_extract({column}, '$.{name}') AS TEXT) END")
    },
};

/// Names as a parameter of [`Dialect::list`].
pub(crate) fn json(names: &[String]) -> String {
    serde_json::to_string(names).unwrap_or_default()
}

/// The numbers of PostgreSQL's types, which are the same in every version.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT8: u32 = 20;
    pub(super) const TEXT: u32 = 25;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
}

impl Line {
    /// The key that stands first in it.
    pub(crate) fn first_key(&self) -> Option<Key> {
        match self.0.as_slice() {
            [Cell::Text(key), ..] => key.parse().ok().map(Key),
            _ => None,
        }
    }

    /// The cells as their columns have them.
    ///
    /// # Errors
    /// Names the column, the value and what would be right.
    pub(crate) fn read(self, columns: &[Column]) -> Result<Vec<Cell>, String> {
        self.0.into_iter().zip(columns).map(|(cell, column)| read(cell, column)).collect()
    }
}

fn read(cell: Cell, column: &Column) -> Result<Cell, String> {
    let expected = |cell: &Cell, what: &str| format!("column {}: {cell:?} is no {what}", column.name);
    match (column.kind, cell) {
        (_, Cell::Null) => Ok(Cell::Null),
        (CellKind::Bool, Cell::Int(value)) => Ok(Cell::Bool(value != 0)),
        (CellKind::Float, Cell::Int(value)) => Ok(Cell::Float(value as f64)),
        (CellKind::Time, Cell::Text(text)) => match sqlite_time(&text) {
            Some(time) => Ok(Cell::Time(time)),
            None => Err(expected(&Cell::Text(text), "time")),
        },
        (CellKind::Text | CellKind::Words | CellKind::Document, cell @ Cell::Text(_))
        | (CellKind::Int, cell @ Cell::Int(_))
        | (CellKind::Float, cell @ Cell::Float(_))
        | (CellKind::Bool, cell @ Cell::Bool(_))
        | (CellKind::Time, cell @ Cell::Time(_)) => Ok(cell),
        (kind, cell) => Err(expected(&cell, kind.as_str())),
    }
}

/// A moment as SQLite keeps it. Those that we write are read by their places: a million rows have four million of them.
fn sqlite_time(text: &str) -> Option<DateTime<Utc>> {
    written_time(text).or_else(|| Some(DateTime::parse_from_str(text, SQLITE_TIME).ok()?.to_utc()))
}

/// `2026-11-27 13:00:00.123456+00:00`, of any number of digits behind the point.
fn written_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.strip_suffix("+00:00")?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_date = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        10 => *byte == b' ',
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let is_fraction = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 19 || !is_fraction || !whole.as_bytes().iter().enumerate().all(is_date) {
        return None;
    }
    let number = |digits: &str| digits.bytes().fold(0_u32, |number, digit| 10 * number + u32::from(digit - b'0'));
    let part = |range: std::ops::Range<usize>| number(&whole[range]);
    let nanos = number(fraction) * 10_u32.pow(9 - fraction.len() as u32);
    let date = NaiveDate::from_ymd_opt(i32::try_from(part(0..4)).ok()?, part(5..7), part(8..10))?;
    Some(date.and_hms_nano_opt(part(11..13), part(14..16), part(17..19), nanos)?.and_utc())
}

/// The cells of a row, each made by `cell`.
fn cells<'a, DB: Backend, R: Row<'a, DB>>(
    row: &R,
    cell: impl Fn(DB::RawValue<'_>) -> deserialize::Result<Cell>,
) -> deserialize::Result<Line> {
    let mut cells = Vec::with_capacity(row.field_count());
    for index in 0..row.field_count() {
        let field = <R as Row<'a, DB>>::get(row, index).ok_or("a row has fewer columns than it says")?;
        cells.push(field.value().map_or(Ok(Cell::Null), &cell)?);
    }
    Ok(Line(cells))
}

impl QueryableByName<Pg> for Line {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        cells::<Pg, _>(row, |value: PgValue<'_>| {
            Ok(match value.get_oid().get() {
                oid::TEXT => Cell::Text(<String as FromSql<Text, Pg>>::from_sql(value)?),
                oid::INT8 => Cell::Int(<i64 as FromSql<BigInt, Pg>>::from_sql(value)?),
                oid::FLOAT8 => Cell::Float(<f64 as FromSql<Double, Pg>>::from_sql(value)?),
                oid::BOOL => Cell::Bool(<bool as FromSql<Bool, Pg>>::from_sql(value)?),
                oid::TIMESTAMPTZ => Cell::Time(<DateTime<Utc> as FromSql<Timestamptz, Pg>>::from_sql(value)?),
                other => return Err(format!("type {other} is in none of our views").into()),
            })
        })
    }
}

impl QueryableByName<Sqlite> for Line {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        cells::<Sqlite, _>(row, |value: SqliteValue<'_, '_, '_>| {
            Ok(match value.value_type() {
                None => Cell::Null,
                Some(SqliteType::Text | SqliteType::Binary) => {
                    Cell::Text(<String as FromSql<Text, Sqlite>>::from_sql(value)?)
                }
                Some(SqliteType::Float | SqliteType::Double) => {
                    Cell::Float(<f64 as FromSql<Double, Sqlite>>::from_sql(value)?)
                }
                Some(SqliteType::SmallInt | SqliteType::Integer | SqliteType::Long) => {
                    Cell::Int(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?)
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(kind: CellKind) -> Column {
        Column { name: "due", kind, unit: "", nullable: true, meaning: "" }
    }

    proptest! {
        #[test]
        fn a_time_that_is_read_by_its_places_is_the_one_that_was_written(micros in 0..253_402_300_799_000_000i64, digits in 0..3usize) {
            // diesel leaves out the fraction, or gives it 3, 6 or 9 digits.
            let time = DateTime::from_timestamp_micros(micros - micros % [1_000_000, 1_000, 1][digits]).unwrap();
            let text = time.format("%F %T%.f+00:00").to_string();
            prop_assert_eq!(written_time(&text), Some(time));
        }

        #[test]
        fn whatever_is_written_otherwise_is_left_to_others(text in "[0-9: .+-]{0,34}") {
            prop_assert!(written_time(&text).is_none_or(|time| sqlite_time(&text) == Some(time)));
        }
    }

    #[test]
    fn times_of_other_places_and_nonsense_are_told_apart() {
        let read = |text| sqlite_time(text).map(|time| time.to_rfc3339());
        assert_eq!(read("2026-11-27 13:00:00.5+02:00").as_deref(), Some("2026-11-27T11:00:00.500+00:00"));
        for text in ["", "2026-11-27", "2026-13-27 13:00:00+00:00", "2026-11-27 13:00:00", "2026-11-27T13:00:00+00:00"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_sqlite_has_no_type_for_is_read_as_its_column_has_it() {
        let at = DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap();
        for (kind, raw, expected) in [
            (CellKind::Bool, Cell::Int(1), Cell::Bool(true)),
            (CellKind::Bool, Cell::Int(0), Cell::Bool(false)),
            (CellKind::Float, Cell::Int(2), Cell::Float(2.0)),
            (CellKind::Time, Cell::Text("2026-09-21 14:13:20.123456+00:00".to_owned()), Cell::Time(at)),
            (CellKind::Int, Cell::Null, Cell::Null),
        ] {
            assert_eq!(read(raw, &column(kind)), Ok(expected));
        }
        let error = read(Cell::Text("soon".to_owned()), &column(CellKind::Time)).unwrap_err();
        assert_eq!(error, r#"column due: Text("soon") is no time"#);
    }
}
