//! Reading many traces back, a few at a time, and finding operations.

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;
use parsec_measure::{AttemptId, IdPart, OutcomeClass, SampledOperation, SchedulerId, StoredOperation, Trace};
use serde_json::Value;

use crate::archive::{OperationRow, PAGE, bad, operation_columns, read};
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::selection::{Selected, is_selected};
use crate::session::Session;
use crate::{Archive, Selection, StoreError};

/// How many traces are read at once: at their usual 30 kB, a megabyte.
pub const TRACES_AT_ONCE: usize = 32;

/// The longest trace that is read together with others: several times what a trace of [`MAX_TRACED_REQUESTS`](parsec_measure::MAX_TRACED_REQUESTS)
/// takes. As many as are read at once then fit in memory, whoever wrote them.
const MAX_TRACE_CHARS: u32 = 1 << 20;

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
    /// As [`Archive::operations`](crate::Archive::operations), with whether the trace was kept.
    async fn sampled(
        &self,
        selection: &Selection,
        after: Option<AttemptId>,
    ) -> Result<Vec<SampledOperation>, StoreError>;
    /// The traces of these operations, of at most [`TRACES_AT_ONCE`]. `None` for one that is too long to be read with others, or that
    /// this version cannot read.
    async fn traces(&self, of: &[AttemptId]) -> Result<Vec<(AttemptId, Option<Trace>)>, StoreError>;
    /// Operations, without their traces and follow-ups.
    ///
    /// # Errors
    /// As with [`whole`](Self::whole).
    async fn list(&self, listing: &Listing) -> Result<Vec<StoredOperation>, StoreError>;
    /// The operations whose identity begins or ends like this, at most [`MAX_MEANT`].
    async fn meant(&self, part: &IdPart) -> Result<Vec<AttemptId>, StoreError>;
    /// The operation, with its trace if that was kept.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if a newer version has written what this one cannot read.
    async fn whole(&self, id: AttemptId) -> Result<Option<StoredOperation>, StoreError>;
}

/// Hands over each of the selected operations, and its trace if that was kept: none in it if it cannot be read. Only a few traces are in memory
/// at once.
///
/// # Errors
/// As with [`Traces::sampled`].
pub async fn each_traced(
    traces: &dyn Traces,
    selection: &Selection,
    mut each: impl FnMut(&SampledOperation, Option<Option<Trace>>),
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = traces.sampled(selection, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.operation.id);
        let (kept, others): (Vec<_>, Vec<_>) = page.iter().partition(|sampled| sampled.why_kept.is_some());
        others.into_iter().for_each(|sampled| each(sampled, None));
        for some in kept.chunks(TRACES_AT_ONCE) {
            let ids: Vec<AttemptId> = some.iter().map(|sampled| sampled.operation.id).collect();
            let found = traces.traces(&ids).await?;
            some.iter().zip(found).for_each(|(sampled, (_, trace))| each(sampled, Some(trace)));
        }
    }
}

/// A row of `operations`, the scheduler, whether its effort is told, whether it has a trace, and why that was kept.
pub(crate) type SampledRow = (OperationRow, i32, bool, bool, Option<String>);

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait TraceQueries: Send {
    fn sampled(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<SampledRow>>> + Send;
    fn documents(&mut self, of: Vec<Key>) -> impl Future<Output = QueryResult<Vec<(Key, Value)>>> + Send;
    fn ids(&mut self, first: Key, last: Key, ending: String) -> impl Future<Output = QueryResult<Vec<Key>>> + Send;
}

macro_rules! implement_trace_queries {
    (for $connection:ty, on $schema:ident) => {
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

                async fn documents(&mut self, of: Vec<Key>) -> QueryResult<Vec<(Key, Value)>> {
                    let fits = sql::<Bool>(&format!("length(CAST(document AS TEXT)) <= {MAX_TRACE_CHARS}"));
                    traces::table
                        .filter(traces::id.eq_any(of))
                        .filter(fits)
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

implement_trace_queries!(for Session, on postgres);
implement_trace_queries!(for AsyncSqliteConnection, on sqlite);

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
