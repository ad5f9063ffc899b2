//! Reading operations back: the queries, once for each back end, and what becomes of their rows.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::Error as QueryError;
use diesel::sql_types::{BigInt, Bool};
use diesel::sqlite::Sqlite;
use diesel_async::RunQueryDsl;
use parsec_measure::{Attempt, AttemptId, FollowUp, Measured, NodeId, RoundId, SchedulerId, StoredOperation};

use crate::StoreError;
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::figures::{FigureColumns, figure_columns, read};
use crate::selection::{Selected, is_selected, is_selected_at_any_time};
use crate::session::Session;
use crate::traced::Order;

/// The longest trace that is read: several times what fits into the answer that it came in, of 2 MB.
const MAX_TRACE_CHARS: i64 = 16 << 20;

/// A row of `operations`, with what is said of its node and of its trace.
#[derive(Debug, Queryable)]
pub(crate) struct OperationRow {
    id: Key,
    round: Key,
    scheduler: i32,
    node: i32,
    kind: String,
    probe: i32,
    cid: String,
    outcome: String,
    error: Option<String>,
    due: DateTime<Utc>,
    started: DateTime<Utc>,
    ended: DateTime<Utc>,
    seconds: f64,
    figures: FigureColumns,
    peer_id: String,
    region: String,
    fleet: String,
    why_kept: Option<String>,
}

/// A row of `follow_ups`.
#[derive(Debug, Queryable)]
pub(crate) struct StoredFollowUp {
    cid: String,
    stored: i32,
    confirmed: Option<i32>,
    failed: i32,
    pending: Option<i32>,
    seconds: f64,
}

/// One operation with all that belongs to it.
#[derive(Debug)]
pub(crate) struct WholeOperation {
    row: OperationRow,
    trace: Option<serde_json::Value>,
    follow_up: Option<StoredFollowUp>,
}

/// Which operations to list, as the query takes it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) selected: Selected,
    pub(crate) outcomes: Vec<String>,
    pub(crate) order: Order,
    pub(crate) limit: i64,
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait OperationQueries: Send {
    fn operation(&mut self, id: Key) -> impl Future<Output = QueryResult<Option<WholeOperation>>> + Send;
    fn listed(&mut self, listed: Listed) -> impl Future<Output = QueryResult<Vec<OperationRow>>> + Send;
}

macro_rules! implement_operation_queries {
    (for $connection:ty, of $backend:ty, on $schema:ident) => {
        const _: () = {
            use parsec_schema::$schema::{follow_ups, nodes_ecs, operations, traces};

            macro_rules! rows {
                () => {
                    operations::table.inner_join(nodes_ecs::table).left_join(traces::table).select((
                        operations::id,
                        operations::round_id,
                        operations::scheduler_id,
                        operations::node_id,
                        operations::kind,
                        operations::probe,
                        operations::cid,
                        operations::outcome,
                        operations::error,
                        operations::due_at,
                        operations::started_at,
                        operations::ended_at,
                        operations::duration_seconds,
                        figure_columns!(operations),
                        nodes_ecs::peer_id,
                        nodes_ecs::region,
                        nodes_ecs::fleet,
                        traces::why_kept.nullable(),
                    ))
                };
            }

            impl OperationQueries for $connection {
                async fn operation(&mut self, id: Key) -> QueryResult<Option<WholeOperation>> {
                    let found = rows!().filter(operations::id.eq(id)).first(self).await.optional()?;
                    let Some(row) = found else { return Ok(None) };
                    let length = sql::<BigInt>("CAST(length(CAST(document AS TEXT)) AS BIGINT)");
                    let length = traces::table.find(id).select(length).first::<i64>(self).await.optional()?;
                    let trace = match length {
                        Some(length) if length <= MAX_TRACE_CHARS => {
                            let document = traces::table.find(id).select(traces::document);
                            document.first(self).await.optional()?
                        }
                        Some(length) => return Err(too_long(id, length)),
                        None => None,
                    };
                    let follow_up = follow_ups::table
                        .filter(follow_ups::operation_id.eq(Some(id)))
                        .order(follow_ups::ended_at.desc())
                        .select((
                            follow_ups::cid,
                            follow_ups::stored,
                            follow_ups::confirmed,
                            follow_ups::failed,
                            follow_ups::pending,
                            follow_ups::duration_seconds,
                        ))
                        .first(self)
                        .await
                        .optional()?;
                    Ok(Some(WholeOperation { row, trace, follow_up }))
                }

                async fn listed(&mut self, listed: Listed) -> QueryResult<Vec<OperationRow>> {
                    let Listed { selected, outcomes, order, limit } = listed;
                    // Times and outcomes are left out of the statement where none are asked for: a database takes the indexes of
                    // operations with traces only for statements that are about these whatever is bound, and the one by duration only
                    // if no times are compared.
                    let rows = rows!().into_boxed::<$backend>().limit(limit);
                    let rows = if selected.is_at_any_time() {
                        rows.filter(is_selected_at_any_time!(operations, nodes_ecs, selected))
                    } else {
                        rows.filter(is_selected!(operations, nodes_ecs, selected))
                    };
                    let rows = if outcomes.is_empty() {
                        rows.filter(operations::trace_id.is_not_null())
                    } else {
                        rows.filter(operations::outcome.eq_any(outcomes))
                    };
                    let rows = match order {
                        Order::Newest => rows.order((operations::started_at.desc(), operations::id.desc())),
                        Order::Slowest => rows.order((operations::duration_seconds.desc(), operations::id.desc())),
                    };
                    rows.load(self).await
                }
            }
        };
    };
}

implement_operation_queries!(for Session, of Pg, on postgres);
implement_operation_queries!(for AsyncSqliteConnection, of Sqlite, on sqlite);

impl WholeOperation {
    /// In the terms of the domain.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if another version has written what this one cannot read.
    pub(crate) fn read(self) -> Result<StoredOperation, StoreError> {
        let Self { row, trace, follow_up } = self;
        let id = row.id;
        let trace = trace.map(serde_json::from_value).transpose().map_err(|error| bad(id, &error))?;
        let mut operation = row.read()?;
        operation.attempt.result.trace = trace.map(Arc::new);
        operation.follow_up = follow_up.map(|row| FollowUp {
            attempt: Some(operation.attempt.id),
            cid: row.cid,
            stored: read(row.stored),
            confirmed: row.confirmed.map(read),
            failed: read(row.failed),
            pending: row.pending.map(read),
            duration: duration(row.seconds),
            confirming: Duration::ZERO,
        });
        Ok(operation)
    }
}

impl OperationRow {
    /// Its identity.
    pub(crate) fn key(&self) -> Key {
        self.id
    }

    /// The same as [`WholeOperation::read`], without trace and follow-up.
    pub(crate) fn read(self) -> Result<StoredOperation, StoreError> {
        let id = self.id;
        // Steps stand in the original's tables, providers in the trace.
        let result = Measured {
            error: self.error,
            ..Measured::unmeasured(name(id, &self.outcome)?, duration(self.seconds), "")
        };
        let attempt = Attempt {
            id: AttemptId(id.0),
            round: RoundId(self.round.0),
            scheduler: SchedulerId(self.scheduler),
            node: NodeId(self.node),
            kind: name(id, &self.kind)?,
            probe: read(self.probe),
            cid: self.cid,
            due: self.due,
            started: self.started,
            ended: self.ended,
            result: self.figures.of(result),
            why_kept: self.why_kept.map(|why| name(id, &why)).transpose()?,
        };
        Ok(StoredOperation { attempt, peer_id: self.peer_id, region: self.region, fleet: self.fleet, follow_up: None })
    }
}

fn name<T: FromStr<Err: Display>>(id: Key, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| bad(id, &error))
}

fn too_long(id: Key, length: i64) -> QueryError {
    let reason = format!("trace {} has {length} characters, at most {MAX_TRACE_CHARS} are read", id.0);
    QueryError::DeserializationError(reason.into())
}

fn bad(id: Key, error: &dyn Display) -> StoreError {
    StoreError::BadRow(format!("operation {}: {error}", id.0))
}

/// Durations are not negative in any of the tables.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
