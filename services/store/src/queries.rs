//! Every query, written once and expanded for each back end.
//!
//! The two differ in three places: the types of the tables, which statement begins a transaction that will write, and
//! whether one statement may insert several rows (diesel's SQLite inserts one by one, which costs little in a file).

use chrono::{DateTime, Utc};
use diesel::dsl::select;
use diesel::prelude::*;
use diesel::result::Error as QueryError;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;

use crate::batch::{
    AttemptRow, Batch, FollowUpRow, Links, Recorded, RoundRow, kept_traces, link, lookups, provide_steps, unrecorded,
    untraced,
};
use crate::checks::CheckQueries;
use crate::columns::{Key, Names};
use crate::connection::AsyncSqliteConnection;
use crate::figures::figure_values;
use crate::session::Session;
use crate::store::MAX_RECENT_SCHEDULERS;

/// How many rows one statement names. PostgreSQL numbers parameters up to 65,535, SQLite up to 32,766; the widest row
/// has 29.
const ROWS_PER_STATEMENT: usize = 1_000;

/// How many round loops are told apart, the newest first: a database has a few that publish at the same time.
const MAX_SCHEDULERS: i64 = 100;

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait Queries: Send {
    /// Asks for nothing.
    fn ping(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
    /// The numbers and fleets of the round loops that have recorded publications since then.
    fn publishing_schedulers(
        &mut self,
        since: DateTime<Utc>,
    ) -> impl Future<Output = QueryResult<Vec<(i32, Names)>>> + Send;
    fn insert_scheduler(
        &mut self,
        fleets: Names,
        dependencies: serde_json::Value,
        at: DateTime<Utc>,
    ) -> impl Future<Output = QueryResult<i32>> + Send;
    /// The fleets of the newest schedulers, newest first.
    fn recent_schedulers(&mut self) -> impl Future<Output = QueryResult<Vec<Names>>> + Send;
    /// Writes the batch, whole or not at all.
    fn record(&mut self, batch: &Batch) -> impl Future<Output = QueryResult<()>> + Send;
}

/// Inserts rows, many in a statement or one by one, and gives back the value of a column of each if one is named.
macro_rules! insert {
    (many, $conn:expr, $table:expr, $rows:expr) => {{
        let rows: Vec<_> = $rows.collect();
        if !rows.is_empty() {
            diesel::insert_into($table).values(rows).execute($conn).await?;
        }
    }};
    (one_by_one, $conn:expr, $table:expr, $rows:expr) => {{
        let rows: Vec<_> = $rows.collect();
        for row in rows {
            diesel::insert_into($table).values(row).execute($conn).await?;
        }
    }};
    (many, $conn:expr, $table:expr, $rows:expr, returning $column:expr) => {{
        let mut rest: Vec<_> = $rows.collect();
        let mut returned: Vec<i32> = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(ROWS_PER_STATEMENT));
            let rows = std::mem::replace(&mut rest, later);
            returned
                .extend(diesel::insert_into($table).values(rows).returning($column).get_results::<i32>($conn).await?);
        }
        returned
    }};
    (one_by_one, $conn:expr, $table:expr, $rows:expr, returning $column:expr) => {{
        let rows: Vec<_> = $rows.collect();
        let mut returned: Vec<i32> = Vec::with_capacity(rows.len());
        for row in rows {
            returned.push(diesel::insert_into($table).values(row).returning($column).get_result($conn).await?);
        }
        returned
    }};
}

/// Does something in one transaction. On PostgreSQL each call has one already: see `postgres`.
macro_rules! transaction {
    (under_way, $conn:expr, $work:ident($given:expr)) => {
        $work($conn, $given).await
    };
    (immediate, $conn:expr, $work:ident($given:expr)) => {
        $conn.immediate_transaction(async |conn| $work(conn, $given).await).await
    };
}

pub(crate) use transaction;

macro_rules! implement_queries {
    (
        for $connection:ty,
        on $schema:ident,
        transaction $transaction:ident,
        inserting $how_many:ident $(,)?
    ) => {
        const _: () = {
            use parsec_schema::$schema::{
                follow_ups, operations, provides_ecs, retrievals_ecs, rounds, schedulers_ecs, traces,
            };

            impl Queries for $connection {
                async fn ping(&mut self) -> QueryResult<()> {
                    select(1.into_sql::<diesel::sql_types::Integer>()).get_result::<i32>(self).await.map(drop)
                }

                async fn publishing_schedulers(&mut self, since: DateTime<Utc>) -> QueryResult<Vec<(i32, Names)>> {
                    let publishing = provides_ecs::table
                        .filter(provides_ecs::created_at.ge(since))
                        .select(provides_ecs::scheduler_id);
                    schedulers_ecs::table
                        .filter(schedulers_ecs::id.eq_any(publishing))
                        .order(schedulers_ecs::id.desc())
                        .limit(MAX_SCHEDULERS)
                        .select((schedulers_ecs::id, schedulers_ecs::fleets))
                        .load(self)
                        .await
                }

                async fn insert_scheduler(
                    &mut self,
                    fleets: Names,
                    dependencies: serde_json::Value,
                    at: DateTime<Utc>,
                ) -> QueryResult<i32> {
                    diesel::insert_into(schedulers_ecs::table)
                        .values((
                            schedulers_ecs::fleets.eq(fleets),
                            schedulers_ecs::dependencies.eq(dependencies),
                            schedulers_ecs::created_at.eq(at),
                        ))
                        .returning(schedulers_ecs::id)
                        .get_result(self)
                        .await
                }

                async fn recent_schedulers(&mut self) -> QueryResult<Vec<Names>> {
                    schedulers_ecs::table
                        .order(schedulers_ecs::id.desc())
                        .limit(MAX_RECENT_SCHEDULERS as i64)
                        .select(schedulers_ecs::fleets)
                        .load(self)
                        .await
                }

                async fn record(&mut self, batch: &Batch) -> QueryResult<()> {
                    transaction!($transaction, self, write(batch))
                }
            }

            async fn write(conn: &mut $connection, batch: &Batch) -> QueryResult<()> {
                for round in &batch.rounds {
                    upsert_round(conn, round).await?;
                }
                for attempts in batch.attempts.chunks(ROWS_PER_STATEMENT) {
                    insert_attempts(conn, attempts, batch.written).await?;
                }
                for follow_up in &batch.follow_ups {
                    insert_follow_up(conn, follow_up, batch.written).await?;
                }
                for check in &batch.checks {
                    conn.insert_check(check, batch.written).await?;
                }
                Ok(())
            }

            /// Writes what is known of a round, unless its end is written already.
            async fn upsert_round(conn: &mut $connection, round: &RoundRow) -> QueryResult<()> {
                use diesel::query_dsl::methods::FilterDsl;

                diesel::insert_into(rounds::table)
                    .values((
                        rounds::id.eq(round.id),
                        rounds::scheduler_id.eq(round.scheduler),
                        rounds::fleets.eq(&round.fleets),
                        rounds::provider_node_id.eq(round.provider),
                        rounds::nodes_listed.eq(round.nodes_listed),
                        rounds::nodes_ready.eq(round.nodes_ready),
                        rounds::nodes_without_heartbeat.eq(round.nodes_without_heartbeat),
                        rounds::skipped_before.eq(round.skipped_before),
                        rounds::due_at.eq(round.due),
                        rounds::started_at.eq(round.started),
                        rounds::ended_at.eq(round.ended),
                        rounds::outcome.eq(round.outcome),
                    ))
                    .on_conflict(rounds::id)
                    .do_update()
                    .set((
                        rounds::provider_node_id.eq(excluded(rounds::provider_node_id)),
                        rounds::nodes_listed.eq(excluded(rounds::nodes_listed)),
                        rounds::nodes_ready.eq(excluded(rounds::nodes_ready)),
                        rounds::nodes_without_heartbeat.eq(excluded(rounds::nodes_without_heartbeat)),
                        rounds::skipped_before.eq(excluded(rounds::skipped_before)),
                        rounds::due_at.eq(excluded(rounds::due_at)),
                        rounds::started_at.eq(excluded(rounds::started_at)),
                        rounds::ended_at.eq(excluded(rounds::ended_at)),
                        rounds::outcome.eq(excluded(rounds::outcome)),
                    ))
                    .filter(rounds::ended_at.is_null())
                    .execute(conn)
                    .await
                    .map(drop)
            }

            /// Writes those attempts that are not there yet, the original's rows first: ours refer to them. Those that are
            /// there without their trace get it.
            async fn insert_attempts(
                conn: &mut $connection,
                attempts: &[AttemptRow],
                written: DateTime<Utc>,
            ) -> QueryResult<()> {
                let keys: Vec<Key> = attempts.iter().map(|attempt| attempt.id).collect();
                let recorded = operations::table.filter(operations::id.eq_any(keys));
                let recorded = recorded.select((operations::id, operations::trace_id)).load(conn).await?;
                let recorded: Recorded = recorded.into_iter().collect();
                let untraced = untraced(attempts, &recorded);
                if !untraced.is_empty() {
                    insert_traces(conn, &untraced, written).await?;
                    let ids: Vec<Key> = untraced.iter().map(|attempt| attempt.id).collect();
                    let traced = operations::trace_id.eq(operations::id.nullable());
                    let rows = operations::table.filter(operations::id.eq_any(ids));
                    diesel::update(rows).set(traced).execute(conn).await?;
                }
                let attempts = unrecorded(attempts, &recorded);

                let provides = insert_provides(conn, &attempts).await?;
                let retrievals = insert_retrievals(conn, &attempts).await?;
                let Some(links) = link(&attempts, provides, retrievals) else {
                    let reason = "the database returned another number of rows than it was given";
                    return Err(QueryError::QueryBuilderError(reason.into()));
                };
                insert_operations(conn, &attempts, links, written).await?;
                insert_traces(conn, &attempts, written).await
            }

            async fn insert_provides(conn: &mut $connection, attempts: &[&AttemptRow]) -> QueryResult<Vec<i32>> {
                let steps = provide_steps(attempts);
                let rows = steps.iter().map(|(attempt, step)| {
                    (
                        provides_ecs::scheduler_id.eq(attempt.scheduler),
                        provides_ecs::node_id.eq(attempt.node),
                        provides_ecs::rt_size.eq(attempt.figures.routing_table_size),
                        provides_ecs::duration.eq(step.seconds),
                        provides_ecs::cid.eq(&attempt.cid),
                        provides_ecs::error.eq(&step.error),
                        provides_ecs::created_at.eq(attempt.ended),
                        provides_ecs::step.eq(&step.step),
                    )
                });
        Ok(insert!($how_many, conn, provides_ecs::table, rows, returning provides_ecs::id))
            }

            async fn insert_retrievals(conn: &mut $connection, attempts: &[&AttemptRow]) -> QueryResult<Vec<i32>> {
                let lookups = lookups(attempts);
                let rows = lookups.iter().map(|(attempt, lookup)| {
                    (
                        retrievals_ecs::scheduler_id.eq(attempt.scheduler),
                        retrievals_ecs::node_id.eq(attempt.node),
                        retrievals_ecs::rt_size.eq(attempt.figures.routing_table_size),
                        retrievals_ecs::duration.eq(lookup.seconds),
                        retrievals_ecs::cid.eq(&attempt.cid),
                        retrievals_ecs::error.eq(&lookup.error),
                        retrievals_ecs::created_at.eq(attempt.ended),
                    )
                });
        Ok(insert!($how_many, conn, retrievals_ecs::table, rows, returning retrievals_ecs::id))
            }

            async fn insert_operations(
                conn: &mut $connection,
                attempts: &[&AttemptRow],
                links: Vec<Links>,
                written: DateTime<Utc>,
            ) -> QueryResult<()> {
                let rows = attempts.iter().zip(links).map(|(attempt, Links { provide, retrieval })| {
                    (
                        operations::id.eq(attempt.id),
                        operations::round_id.eq(attempt.round),
                        operations::scheduler_id.eq(attempt.scheduler),
                        operations::node_id.eq(attempt.node),
                        operations::kind.eq(attempt.kind),
                        operations::probe.eq(attempt.probe),
                        operations::cid.eq(&attempt.cid),
                        operations::outcome.eq(attempt.outcome),
                        operations::error.eq(&attempt.error),
                        operations::due_at.eq(attempt.due),
                        operations::started_at.eq(attempt.started),
                        operations::ended_at.eq(attempt.ended),
                        operations::duration_seconds.eq(attempt.seconds),
                        operations::trace_id.eq(attempt.trace.as_ref().map(|_| attempt.id)),
                        operations::provide_id.eq(provide),
                        operations::retrieval_id.eq(retrieval),
                        operations::created_at.eq(written),
                        figure_values!(operations, attempt.figures),
                    )
                });
                insert!($how_many, conn, operations::table, rows);
                Ok(())
            }

            async fn insert_traces(
                conn: &mut $connection,
                attempts: &[&AttemptRow],
                written: DateTime<Utc>,
            ) -> QueryResult<()> {
                let kept = kept_traces(attempts);
                let rows = kept.iter().map(|(id, trace)| {
                    (
                        traces::id.eq(*id),
                        traces::why_kept.eq(trace.why_kept),
                        traces::document.eq(&trace.document),
                        traces::created_at.eq(written),
                    )
                });
                insert!($how_many, conn, traces::table, rows);
                Ok(())
            }

            /// A server has one of these for a publication at most: too few for batches.
            async fn insert_follow_up(
                conn: &mut $connection,
                row: &FollowUpRow,
                written: DateTime<Utc>,
            ) -> QueryResult<()> {
                diesel::insert_into(follow_ups::table)
                    .values((
                        follow_ups::id.eq(row.id),
                        follow_ups::operation_id.eq(row.operation),
                        follow_ups::node_id.eq(row.node),
                        follow_ups::cid.eq(&row.cid),
                        follow_ups::stored.eq(row.stored),
                        follow_ups::failed.eq(row.failed),
                        follow_ups::duration_seconds.eq(row.seconds),
                        follow_ups::ended_at.eq(row.ended),
                        follow_ups::created_at.eq(written),
                        follow_ups::confirmed.eq(row.confirmed),
                        follow_ups::pending.eq(row.pending),
                    ))
                    .on_conflict(follow_ups::id)
                    .do_nothing()
                    .execute(conn)
                    .await
                    .map(drop)
            }
        };
    };
}

implement_queries!(for Session, on postgres, transaction under_way, inserting many);
implement_queries!(for AsyncSqliteConnection, on sqlite, transaction immediate, inserting one_by_one);
