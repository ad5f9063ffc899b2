//! Deleting old measurements, a batch at a time: each is a transaction of its own, so that whoever measures meanwhile waits for
//! milliseconds, and what was interrupted is gone on with by the next run.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::StoreError;
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::selection::{IDENTITY_SLACK, key_at};
use crate::session::Session;

/// How many rows are deleted at once: with their traces, checks and indexes some tens of milliseconds on a slow disk.
const BATCH: i64 = 2_000;

/// A table with old rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrunedTable {
    /// `operations`, with their traces.
    Operations,
    /// `follow_ups`.
    FollowUps,
    /// `planned_checks`, with what was seen at them (`record_checks`).
    PlannedChecks,
    /// `rounds`.
    Rounds,
    /// `provides_ecs`, of the original.
    Provides,
    /// `retrievals_ecs`, of the original.
    Retrievals,
}

impl PrunedTable {
    /// The tables of ours, and also `originals` if these are wanted.
    pub fn of(originals: bool) -> impl Iterator<Item = Self> {
        let all =
            [Self::Operations, Self::FollowUps, Self::PlannedChecks, Self::Rounds, Self::Provides, Self::Retrievals];
        all.into_iter().filter(move |table| originals || !matches!(table, Self::Provides | Self::Retrievals))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::FollowUps => "follow_ups",
            Self::PlannedChecks => "planned_checks",
            Self::Rounds => "rounds",
            Self::Provides => "provides_ecs",
            Self::Retrievals => "retrievals_ecs",
        }
    }

    /// What goes with its rows.
    pub fn takes_along(self) -> Option<&'static str> {
        match self {
            Self::Operations => Some("traces"),
            Self::PlannedChecks => Some("record_checks"),
            _ => None,
        }
    }
}

/// Rows that are old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OldRows {
    /// How many there are.
    pub rows: u64,
    /// When the oldest was measured.
    pub oldest: Option<DateTime<Utc>>,
}

impl OldRows {
    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let oldest = self.oldest.into_iter().chain(other.oldest).min();
        Self { rows: self.rows + other.rows, oldest }
    }
}

/// The last row of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRow(Place);

/// Where rows are in the order of a table: ours have UUIDs, the original's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Key(Key),
    Number(i32),
}

/// Some old rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldBatch {
    /// How many, and how old.
    pub old: OldRows,
    /// The last of them; `None` if there are none.
    pub last: Option<LastRow>,
}

/// A database from which old measurements may go.
#[async_trait]
pub trait Pruning: Send + Sync + 'static {
    /// The first rows of a table that are older than `before`, beyond `after`.
    async fn old_rows(
        &self,
        table: PrunedTable,
        before: DateTime<Utc>,
        after: Option<LastRow>,
    ) -> Result<OldBatch, StoreError>;
    /// Deletes those that are older than `before`, up to `last`: a batch, if [`old_rows`](Pruning::old_rows) told which.
    async fn delete(&self, table: PrunedTable, before: DateTime<Utc>, last: LastRow) -> Result<(), StoreError>;
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait PruneQueries: Send {
    fn old_rows(
        &mut self,
        table: PrunedTable,
        before: DateTime<Utc>,
        after: Option<LastRow>,
    ) -> impl Future<Output = QueryResult<OldBatch>> + Send;
    fn delete_rows(
        &mut self,
        table: PrunedTable,
        before: DateTime<Utc>,
        last: LastRow,
    ) -> impl Future<Output = QueryResult<()>> + Send;
}

macro_rules! implement_prune_queries {
    (for $connection:ty, on $schema:ident) => {
        const _: () = {
            use parsec_schema::$schema::{
                follow_ups, operations, planned_checks, provides_ecs, retrievals_ecs, rounds,
            };

            impl PruneQueries for $connection {
                async fn old_rows(
                    &mut self,
                    table: PrunedTable,
                    before: DateTime<Utc>,
                    after: Option<LastRow>,
                ) -> QueryResult<OldBatch> {
                    macro_rules! of {
                        ($table:ident by $time:ident, after $after:expr, up to $end:expr, as $place:path) => {{
                            let old = $table::table.filter($table::id.gt($after)).filter($table::$time.lt(before));
                            let old = old.order($table::id).limit(BATCH).select(($table::id, $table::$time));
                            batch(old.filter($table::id.le($end)).load(self).await?, $place)
                        }};
                    }
                    let (key, number) = (key(after), number(after));
                    // Times have no index, but these identities hold them: without an upper bound, the query would scan all newer rows.
                    let end = key_at(before + IDENTITY_SLACK);
                    Ok(match table {
                        PrunedTable::Operations => of!(operations by started_at, after key, up to end, as Place::Key),
                        PrunedTable::FollowUps => of!(follow_ups by ended_at, after key, up to end, as Place::Key),
                        PrunedTable::PlannedChecks => {
                            of!(planned_checks by due_at, after key, up to end, as Place::Key)
                        }
                        PrunedTable::Rounds => of!(rounds by started_at, after key, up to end, as Place::Key),
                        PrunedTable::Provides => {
                            of!(provides_ecs by created_at, after number, up to i32::MAX, as Place::Number)
                        }
                        PrunedTable::Retrievals => {
                            of!(retrievals_ecs by created_at, after number, up to i32::MAX, as Place::Number)
                        }
                    })
                }

                async fn delete_rows(
                    &mut self,
                    table: PrunedTable,
                    before: DateTime<Utc>,
                    last: LastRow,
                ) -> QueryResult<()> {
                    macro_rules! of {
                        ($table:ident by $time:ident, up to $last:expr) => {{
                            let old = $table::table.filter($table::id.le($last)).filter($table::$time.lt(before));
                            diesel::delete(old).execute(self).await.map(drop)
                        }};
                    }
                    let (key, number) = (key(Some(last)), number(Some(last)));
                    match table {
                        PrunedTable::Operations => of!(operations by started_at, up to key),
                        PrunedTable::FollowUps => of!(follow_ups by ended_at, up to key),
                        PrunedTable::PlannedChecks => of!(planned_checks by due_at, up to key),
                        PrunedTable::Rounds => of!(rounds by started_at, up to key),
                        PrunedTable::Provides => of!(provides_ecs by created_at, up to number),
                        PrunedTable::Retrievals => of!(retrievals_ecs by created_at, up to number),
                    }
                }
            }
        };
    };
}

implement_prune_queries!(for Session, on postgres);
implement_prune_queries!(for AsyncSqliteConnection, on sqlite);

fn batch<I: Copy>(rows: Vec<(I, DateTime<Utc>)>, place: impl Fn(I) -> Place) -> OldBatch {
    let last = rows.last().map(|(id, _)| LastRow(place(*id)));
    let old = OldRows { rows: rows.len() as u64, oldest: rows.iter().map(|(_, at)| *at).min() };
    OldBatch { old, last }
}

fn key(row: Option<LastRow>) -> Key {
    match row {
        Some(LastRow(Place::Key(key))) => key,
        _ => Key(Uuid::nil()),
    }
}

fn number(row: Option<LastRow>) -> i32 {
    match row {
        Some(LastRow(Place::Number(number))) => number,
        _ => 0,
    }
}
