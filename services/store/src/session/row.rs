//! A statement as diesel built it and PostgreSQL takes it, and a row as PostgreSQL gave it and diesel reads it.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata, PgValue};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder as _, QueryFragment};
use diesel::result::Error as QueryError;
use diesel::row::{Field, PartialRow, Row, RowIndex, RowSealed};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

/// SQL and the values of its parameters.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<(Parameter, Type)>,
}

impl Statement {
    pub(super) fn of(query: &dyn QueryFragment<Pg>) -> QueryResult<Self> {
        let mut builder = PgQueryBuilder::default();
        query.to_sql(&mut builder, &Pg)?;
        let mut collector = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut collector, &mut NoLookup, &Pg)?;
        let types = collector.metadata.iter().map(type_of).collect::<QueryResult<Vec<_>>>()?;
        let parameters = collector.binds.into_iter().map(Parameter).zip(types).collect();
        Ok(Self { sql: builder.finish(), parameters })
    }
}

fn type_of(metadata: &PgTypeMetadata) -> QueryResult<Type> {
    let oid = metadata.oid().map_err(|error| QueryError::SerializationError(Box::new(error)))?;
    let unnamed = || Type::new(format!("type {oid}"), oid, Kind::Simple, "pg_catalog".to_owned());
    Ok(Type::from_oid(oid).unwrap_or_else(unnamed))
}

/// Our tables have built-in types only, whose numbers are the same everywhere: nothing is ever looked up.
struct NoLookup;

impl PgMetadataLookup for NoLookup {
    fn lookup_type(&mut self, name: &str, _: Option<&str>) -> PgTypeMetadata {
        unreachable!("type {name} is built into no PostgreSQL")
    }
}

/// The value of a parameter, in PostgreSQL's binary form.
#[derive(Debug)]
pub(super) struct Parameter(Option<Vec<u8>>);

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row that was read.
pub(crate) struct SessionRow {
    row: tokio_postgres::Row,
    /// The types of its columns, the same for all rows of a result.
    types: Arc<[NonZeroU32]>,
}

impl SessionRow {
    /// The rows of one result.
    pub(super) fn all(rows: Vec<tokio_postgres::Row>) -> QueryResult<Vec<Self>> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let types = first.columns().iter().map(|column| NonZeroU32::new(column.type_().oid()));
        let untyped = || QueryError::DeserializationError("a column has no type".into());
        let types: Arc<[_]> = types.collect::<Option<Vec<_>>>().ok_or_else(untyped)?.into();
        Ok(rows.into_iter().map(|row| Self { row, types: Arc::clone(&types) }).collect())
    }
}

impl RowSealed for SessionRow {}

impl<'a> Row<'a, Pg> for SessionRow {
    type Field<'f>
        = SessionField<'f>
    where
        Self: 'f,
        'a: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.types.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        Some(SessionField { row: self, index })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for SessionRow {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.types.len()).then_some(index)
    }
}

impl RowIndex<&str> for SessionRow {
    fn idx(&self, name: &str) -> Option<usize> {
        self.row.columns().iter().position(|column| column.name() == name)
    }
}

/// One value of a row.
pub(crate) struct SessionField<'a> {
    row: &'a SessionRow,
    index: usize,
}

impl<'a> Field<'a, Pg> for SessionField<'a> {
    fn field_name(&self) -> Option<&str> {
        self.row.row.columns().get(self.index).map(tokio_postgres::Column::name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        // Bytes of any type are taken, so that nothing can fail.
        let Bytes(bytes) = self.row.row.try_get(self.index).ok()?;
        Some(PgValue::new(bytes?, &self.row.types[self.index]))
    }
}

/// A value as it came.
struct Bytes<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(bytes)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
