//! Reading many traces back, a few at a time, and finding operations.

use async_trait::async_trait;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::dsl::sql;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Json, Jsonb, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use diesel_async::RunQueryDsl;
use parsec_measure::{AttemptId, IdPart, OutcomeClass, SampledOperation, SchedulerId, StoredOperation, Trace};

use crate::archive::{OperationRow, bad, operation_columns, read};
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::glanced::PAGE;
use crate::selection::{Selected, is_selected};
use crate::session::Session;
use crate::{Archive, Glanced, Selection, StoreError};

/// How many traces are read at once: at their usual 30 kB, a megabyte.
pub const TRACES_AT_ONCE: usize = 32;

/// The longest trace that is read together with others: several times what a trace of [`MAX_TRACED_REQUESTS`](parsec_measure::MAX_TRACED_REQUESTS)
/// takes. As many as are read at once then fit in memory, whoever wrote them.
const MAX_TRACE_CHARS: u32 = 1 << 20;

/// How many bytes a trace may take in PostgreSQL to be surely short: most take less, and compression makes 255 of one at best.
const SURELY_SHORT: u32 = 4_096;

/// How many operations can be listed at once.
pub const MAX_LISTED_OPERATIONS: u32 = 1_000;

/// How many operations an ambiguous name is said to mean.
pub const MAX_MEANT: usize = 6;

/// Which of the selected operations are listed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Those that started last.
    Newest,
    /// Those that took longest.
    Slowest,
}

/// Which operations to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which of them.
    pub selection: Selection,
    /// Only those with these outcomes, whether they have a trace or not; none: all that have a trace.
    pub outcomes: Vec<OutcomeClass>,
    /// Which first.
    pub order: Order,
    /// How many at most, and at most [`MAX_LISTED_OPERATIONS`].
    pub limit: u32,
}

/// Traces, and the operations that they belong to, of a database that is only read.
#[async_trait]
pub trait Traces: Archive {
    /// The first selected operations with identities beyond `after`, in their order, with whether the trace was kept. If none is found,
    /// readable or not, there are no more. [`each_sampled`](crate::each_sampled) reads all.
    async fn sampled(
        &self,
        selection: &Selection,
        after: Option<AttemptId>,
    ) -> Result<Glanced<SampledOperation>, StoreError>;
    /// The traces of these operations, of at most [`TRACES_AT_ONCE`]. `None` for one that is too long to be read with others, or that
    /// this version cannot read.
    async fn traces(&self, of: &[AttemptId]) -> Result<Vec<(AttemptId, Option<Trace>)>, StoreError>;
    /// Operations, without their traces and follow-ups.
    async fn list(&self, listing: &Listing) -> Result<Glanced<StoredOperation>, StoreError>;
    /// The operations whose identity begins or ends like this, at most [`MAX_MEANT`].
    async fn meant(&self, part: &IdPart) -> Result<Vec<AttemptId>, StoreError>;
    /// The operation, with its trace if that was kept.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if a newer version has written what this one cannot read.
    async fn whole(&self, id: AttemptId) -> Result<Option<StoredOperation>, StoreError>;
}

/// A row of `operations`, the scheduler, whether its effort is told, whether it has a trace, and why that was kept.
pub(crate) type SampledRow = (OperationRow, i32, bool, bool, Option<String>);

/// A trace, read where it stands: no copy, and no tree of values before it. None if it is not one of ours.
#[derive(Debug, FromSqlRow)]
pub(crate) struct Document(pub(crate) Option<Trace>);

impl FromSql<Jsonb, Pg> for Document {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        // The text stands behind a version, which has been 1 ever since.
        let text = value.as_bytes().strip_prefix(&[1]);
        Ok(Self(text.and_then(|text| serde_json::from_slice(text).ok())))
    }
}

impl FromSql<Json, Sqlite> for Document {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_str(value.read_text()).ok()))
    }
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait TraceQueries: Send {
    fn sampled(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<SampledRow>>> + Send;
    fn documents(&mut self, of: Vec<Key>) -> impl Future<Output = QueryResult<Vec<(Key, Document)>>> + Send;
    fn ids(&mut self, first: Key, last: Key, ending: String) -> impl Future<Output = QueryResult<Vec<Key>>> + Send;
}

/// Whether a trace is short enough to be read with others. Its text has to be made to know its length: PostgreSQL is spared that where what is
/// stored is so little that it can be some megabytes at most, however well it was compressed.
fn fits_on_postgres() -> String {
    format!("CASE WHEN pg_column_size(document) <= {SURELY_SHORT} THEN TRUE ELSE {} END", fits())
}

fn fits() -> String {
    format!("length(CAST(document AS TEXT)) <= {MAX_TRACE_CHARS}")
}

macro_rules! implement_trace_queries {
    (for $connection:ty, on $schema:ident, if $fits:ident) => {
        const _: () = {
            use parsec_schema::$schema::{nodes_ecs, operations, traces};

            impl TraceQueries for $connection {
                async fn sampled(&mut self, selected: Selected) -> QueryResult<Vec<SampledRow>> {
                    operations::table
                        .inner_join(nodes_ecs::table)
                        .left_join(traces::table)
                        .filter(is_selected!(operations, nodes_ecs, selected))
                        .order(operations::id)
                        .limit(PAGE)
                        .select((
                            operation_columns!(operations),
                            operations::scheduler_id,
                            operations::rpcs.is_not_null(),
                            operations::trace_id.is_not_null(),
                            traces::why_kept.nullable(),
                        ))
                        .load(self)
                        .await
                }

                async fn documents(&mut self, of: Vec<Key>) -> QueryResult<Vec<(Key, Document)>> {
                    traces::table
                        .filter(traces::id.eq_any(of))
                        .filter(sql::<Bool>(&$fits()))
                        .select((traces::id, traces::document))
                        .load(self)
                        .await
                }

                async fn ids(&mut self, first: Key, last: Key, ending: String) -> QueryResult<Vec<Key>> {
                    let limit = MAX_MEANT as i64;
                    let begin = operations::table.filter(operations::id.between(first, last)).order(operations::id);
                    let mut meant: Vec<Key> = begin.select(operations::id).limit(limit).load(self).await?;
                    if first == last {
                        return Ok(meant);
                    }
                    // Every identity has to be looked at for its end: none has an index.
                    let ends = sql::<Bool>("CAST(id AS TEXT) LIKE ").bind::<Text, _>(format!("%{ending}"));
                    let ends = operations::table.filter(ends).order(operations::id).select(operations::id);
                    meant.extend(ends.limit(limit).load::<Key>(self).await?);
                    Ok(meant)
                }
            }
        };
    };
}

implement_trace_queries!(for Session, on postgres, if fits_on_postgres);
implement_trace_queries!(for AsyncSqliteConnection, on sqlite, if fits);

/// In the terms of the domain.
///
/// # Errors
/// [`StoreError::BadRow`] if another version has written what this one cannot read.
pub(crate) fn read_sampled(row: SampledRow) -> Result<SampledOperation, StoreError> {
    let (row, scheduler, has_effort, has_trace, why_kept) = row;
    let operation = read(row)?;
    let named = || format!("operation {}", operation.id.0);
    let why_kept = why_kept.map(|why| why.parse().map_err(|error| bad(&named(), &error))).transpose()?;
    let is_told = has_effort || has_trace;
    Ok(SampledOperation { operation, scheduler: SchedulerId(scheduler), is_told, why_kept })
}
