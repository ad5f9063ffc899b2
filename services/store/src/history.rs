//! Reading what happened in a stretch of time: rounds, attempts with the time at which their rows were written, and servers.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use parsec_measure::{History, NodeId, NotedAttempt, Round, RoundId, SchedulerId, ServerLife};

use crate::archive::{self, OperationRow, bad, operation_columns};
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::selection::{Selected, is_selected};
use crate::session::Session;
use crate::{Selection, StoreError};

/// How many rows a page has.
pub(crate) const PAGE: i64 = 20_000;

/// How many rows of a kind a command reads at most: a month of a large deployment, and some hundred megabytes. They have to be in memory
/// together to be compared with each other.
pub const MAX_HISTORY_ROWS: usize = 2_000_000;

/// How much of a name that strangers may have written is read.
pub(crate) const MAX_NAME_CHARS: usize = 128;

/// A database whose past is only read.
#[async_trait]
pub trait Chronicle: Send + Sync + 'static {
    /// The rounds, attempts and servers of a stretch of time: servers that were there at some moment of it, and later looks at the same
    /// key included.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there are more than `at_most` of a kind.
    async fn history(&self, selection: &Selection, at_most: usize) -> Result<History, StoreError>;
}

/// A row of `rounds`.
#[derive(Debug, Queryable)]
pub(crate) struct HistoryRound {
    pub(crate) id: Key,
    scheduler: i32,
    fleets: String,
    provider: Option<i32>,
    listed: i32,
    ready: i32,
    without_heartbeat: i32,
    skipped: i32,
    due: DateTime<Utc>,
    started: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    outcome: Option<String>,
}

/// A row of `operations`, with when it ended and was written.
pub(crate) type HistoryAttempt = (OperationRow, DateTime<Utc>, DateTime<Utc>);

/// A row of `nodes_ecs`.
#[derive(Debug, Queryable)]
pub(crate) struct HistoryServer {
    pub(crate) id: i32,
    fleet: String,
    region: String,
    peer_id: String,
    created: DateTime<Utc>,
    heartbeat: Option<DateTime<Utc>>,
    offline: Option<DateTime<Utc>>,
}

/// The queries of one connection, a page each. Futures must not be dropped half-way: see `detached`.
pub(crate) trait HistoryQueries: Send {
    fn history_rounds(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<HistoryRound>>> + Send;
    fn history_attempts(&mut self, selected: Selected)
    -> impl Future<Output = QueryResult<Vec<HistoryAttempt>>> + Send;
    /// Those with ids beyond `after`.
    fn history_servers(
        &mut self,
        selected: Selected,
        after: i32,
    ) -> impl Future<Output = QueryResult<Vec<HistoryServer>>> + Send;
}

/// The columns of a [`HistoryRound`].
macro_rules! history_round_columns {
    ($rounds:ident) => {
        (
            $rounds::id,
            $rounds::scheduler_id,
            $rounds::fleets,
            $rounds::provider_node_id,
            $rounds::nodes_listed,
            $rounds::nodes_ready,
            $rounds::nodes_without_heartbeat,
            $rounds::skipped_before,
            $rounds::due_at,
            $rounds::started_at,
            $rounds::ended_at,
            $rounds::outcome,
        )
    };
}

pub(crate) use history_round_columns;

macro_rules! implement_history_queries {
    (for $connection:ty, on $schema:ident) => {
        const _: () = {
            use parsec_schema::$schema::{nodes_ecs, operations, rounds};

            impl HistoryQueries for $connection {
                async fn history_rounds(&mut self, selected: Selected) -> QueryResult<Vec<HistoryRound>> {
                    rounds::table
                        .filter(rounds::id.gt(selected.after).and(rounds::id.lt(selected.before)))
                        .filter(rounds::started_at.ge(selected.since))
                        .filter(rounds::started_at.lt(selected.until))
                        .order(rounds::id)
                        .limit(PAGE)
                        .select(history_round_columns!(rounds))
                        .load(self)
                        .await
                }

                async fn history_attempts(&mut self, selected: Selected) -> QueryResult<Vec<HistoryAttempt>> {
                    operations::table
                        .inner_join(nodes_ecs::table)
                        .filter(is_selected!(operations, nodes_ecs, selected))
                        .order(operations::id)
                        .limit(PAGE)
                        .select((operation_columns!(operations), operations::ended_at, operations::created_at))
                        .load(self)
                        .await
                }

                async fn history_servers(&mut self, selected: Selected, after: i32) -> QueryResult<Vec<HistoryServer>> {
                    let any_fleet = selected.fleets.is_empty().into_sql::<Bool>();
                    let any_region = selected.regions.is_empty().into_sql::<Bool>();
                    // A server that was killed may never be marked as offline; its last heartbeat says when it was there.
                    let heard = nodes_ecs::last_heartbeat.ge(Some(selected.since));
                    let started = nodes_ecs::created_at.ge(selected.since);
                    nodes_ecs::table
                        .filter(nodes_ecs::id.gt(after))
                        .filter(nodes_ecs::created_at.lt(selected.until))
                        .filter(started.or(heard))
                        .filter(any_fleet.or(nodes_ecs::fleet.eq_any(selected.fleets)))
                        .filter(any_region.or(nodes_ecs::region.eq_any(selected.regions)))
                        .order(nodes_ecs::id)
                        .limit(PAGE)
                        .select((
                            nodes_ecs::id,
                            nodes_ecs::fleet,
                            nodes_ecs::region,
                            nodes_ecs::peer_id,
                            nodes_ecs::created_at,
                            nodes_ecs::last_heartbeat,
                            nodes_ecs::offline_since,
                        ))
                        .load(self)
                        .await
                }
            }
        };
    };
}

implement_history_queries!(for Session, on postgres);
implement_history_queries!(for AsyncSqliteConnection, on sqlite);

impl HistoryRound {
    /// In the terms of the domain.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if another version has written what this one cannot read.
    pub(crate) fn read(self) -> Result<Round, StoreError> {
        let named = format!("round {}", self.id.0);
        let outcome = self.outcome.map(|name| name.parse().map_err(|error| bad(&named, &error))).transpose()?;
        // The tables allow nothing negative.
        let count = |value: i32| u32::try_from(value).unwrap_or_default();
        Ok(Round {
            id: RoundId(self.id.0),
            scheduler: SchedulerId(self.scheduler),
            fleets: self.fleets.parse().map_err(|error| bad(&named, &error))?,
            provider: self.provider.map(NodeId),
            nodes_listed: count(self.listed),
            nodes_ready: count(self.ready),
            nodes_without_heartbeat: count(self.without_heartbeat),
            skipped_before: count(self.skipped),
            due: self.due,
            started: self.started,
            ended: self.ended.zip(outcome),
        })
    }
}

/// In the terms of the domain.
///
/// # Errors
/// As with [`HistoryRound::read`].
pub(crate) fn attempt((row, ended, written): HistoryAttempt) -> Result<NotedAttempt, StoreError> {
    Ok(NotedAttempt { operation: archive::read(row)?, ended, written })
}

impl HistoryServer {
    /// In the terms of the domain.
    pub(crate) fn read(self) -> ServerLife {
        let name = |text: &str| text.chars().take(MAX_NAME_CHARS).collect();
        ServerLife {
            id: NodeId(self.id),
            fleet: name(&self.fleet),
            region: name(&self.region),
            peer_id: name(&self.peer_id),
            created: self.created,
            last_heartbeat: self.heartbeat,
            offline_since: self.offline,
        }
    }
}

/// What is said where more rows are selected than fit into memory.
pub(crate) fn too_many(what: &str, at_most: usize) -> StoreError {
    StoreError::Refused(format!("more than {at_most} {what} are selected; choose a shorter time (since, until)"))
}
