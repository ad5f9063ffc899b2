//! Reading back what became of records: who was given them at publications, and who had them when that was checked.

use std::time::Duration;

use diesel::QueryResult;
use diesel::sql_query;
use diesel::sql_types::{Text, Timestamptz, TimestamptzSqlite, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use parsec_measure::CellKind::{Int, Text as Words, Time};
use parsec_measure::{ArchivedCheck, ArchivedPublication, AttemptId, Cell, CellKind, CheckId, Column, Given, NodeId};

use crate::StoreError;
use crate::connection::AsyncSqliteConnection;
use crate::lines::{Dialect, Line, POSTGRES, SQLITE, json};
use crate::selection::Selected;
use crate::session::Session;

/// How many rows a page has. They are short.
const PAGE: u32 = 20_000;

const fn column(name: &'static str, kind: CellKind) -> Column {
    Column { name, kind, unit: "", nullable: true, meaning: "" }
}

const OF_PUBLICATIONS: [Column; 7] = [
    column("id", Words),
    column("node_id", Int),
    column("started_at", Time),
    column("holders_stored", Int),
    column("holders_confirmed", Int),
    column("finally_stored", Int),
    column("finally_confirmed", Int),
];

const OF_CHECKS: [Column; 6] = [
    column("check_id", Words),
    column("node_id", Int),
    column("published_at", Time),
    column("after_seconds", Int),
    column("asked", Int),
    column("have", Int),
];

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait RecordQueries: Send {
    fn publications(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<Line>>> + Send;
    fn checks(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<Line>>> + Send;
}

/// The statement with what is selected, in the order of [`selected_sql`].
macro_rules! bound {
    ($sql:expr, $selected:ident, $key:ty, $time:ty) => {
        sql_query($sql)
            .bind::<$key, _>($selected.after)
            .bind::<$key, _>($selected.before)
            .bind::<$time, _>($selected.since)
            .bind::<$time, _>($selected.until)
            .bind::<Text, _>(json(&$selected.fleets))
            .bind::<Text, _>(json(&$selected.regions))
    };
}

impl RecordQueries for Session {
    async fn publications(&mut self, selected: Selected) -> QueryResult<Vec<Line>> {
        bound!(publications_sql(&POSTGRES), selected, SqlUuid, Timestamptz).load(self).await
    }

    async fn checks(&mut self, selected: Selected) -> QueryResult<Vec<Line>> {
        bound!(checks_sql(&POSTGRES), selected, SqlUuid, Timestamptz).load(self).await
    }
}

/// Each row is read where it stands, as those of datasets are.
impl RecordQueries for AsyncSqliteConnection {
    async fn publications(&mut self, selected: Selected) -> QueryResult<Vec<Line>> {
        let query = bound!(publications_sql(&SQLITE), selected, Text, TimestamptzSqlite);
        self.spawn_blocking(move |conn| diesel::RunQueryDsl::load(query, conn)).await
    }

    async fn checks(&mut self, selected: Selected) -> QueryResult<Vec<Line>> {
        let query = bound!(checks_sql(&SQLITE), selected, Text, TimestamptzSqlite);
        self.spawn_blocking(move |conn| diesel::RunQueryDsl::load(query, conn)).await
    }
}

fn selected_sql(key: &str, time: &str, Dialect { list, .. }: &Dialect) -> String {
    format!(
        "{key} > $1 AND {key} <= $2 AND {time} >= $3 AND {time} < $4 \
         AND ($5 = '[]' OR n.fleet IN (SELECT wanted.value FROM {})) \
         AND ($6 = '[]' OR n.region IN (SELECT wanted.value FROM {}))",
        list("$5"),
        list("$6")
    )
}

/// Not from the views: whoever may only read cannot bring a database up to date that lacks them.
fn publications_sql(dialect: &Dialect) -> String {
    let finally = |count: &str| {
        format!(
            "CAST((SELECT f.{count} FROM follow_ups f WHERE f.operation_id = o.id ORDER BY f.ended_at DESC LIMIT 1) AS BIGINT)"
        )
    };
    format!(
        "SELECT CAST(o.id AS TEXT), CAST(o.node_id AS BIGINT), o.started_at, CAST(o.holders_stored AS BIGINT), \
                CAST(o.holders_confirmed AS BIGINT), {}, {} \
         FROM operations o JOIN nodes_ecs n ON n.id = o.node_id \
         WHERE {} AND o.kind = 'provide' ORDER BY o.id LIMIT {PAGE}",
        finally("stored"),
        finally("confirmed"),
        selected_sql("o.id", "o.started_at", dialect)
    )
}

fn checks_sql(dialect: &Dialect) -> String {
    format!(
        "SELECT CAST(c.check_id AS TEXT), CAST(max(c.node_id) AS BIGINT), max(p.published_at), \
                CAST(max(c.after_seconds) AS BIGINT), CAST(count(*) AS BIGINT), \
                CAST(sum(CASE WHEN c.has_record THEN 1 ELSE 0 END) AS BIGINT) \
         FROM record_checks c JOIN planned_checks p ON p.id = c.check_id JOIN nodes_ecs n ON n.id = c.node_id \
         WHERE {} GROUP BY c.check_id ORDER BY c.check_id LIMIT {PAGE}",
        selected_sql("c.check_id", "p.published_at", dialect)
    )
}

/// In the terms of the domain.
///
/// # Errors
/// [`StoreError::BadRow`] if a cell is not what its column holds.
pub(crate) fn publication(line: Line) -> Result<ArchivedPublication, StoreError> {
    let named = |error: String| StoreError::BadRow(format!("operations: {error}"));
    let id = line.first_key().ok_or_else(|| named("an id is no UUID".to_owned()))?;
    match line.read(&OF_PUBLICATIONS).map_err(named)?.as_slice() {
        [_, Cell::Int(node), Cell::Time(started), stored, confirmed, finally_stored, finally_confirmed] => {
            Ok(ArchivedPublication {
                id: AttemptId(id.0),
                node: node_id(*node),
                started: *started,
                at_return: Given { stored: count(stored), confirmed: count(confirmed) },
                finally: Given { stored: count(finally_stored), confirmed: count(finally_confirmed) },
            })
        }
        other => Err(named(format!("{other:?} is no publication"))),
    }
}

/// The same.
///
/// # Errors
/// The same.
pub(crate) fn check(line: Line) -> Result<ArchivedCheck, StoreError> {
    let named = |error: String| StoreError::BadRow(format!("record_checks: {error}"));
    let id = line.first_key().ok_or_else(|| named("an id is no UUID".to_owned()))?;
    match line.read(&OF_CHECKS).map_err(named)?.as_slice() {
        [_, Cell::Int(node), Cell::Time(published), Cell::Int(after), asked, have] => Ok(ArchivedCheck {
            id: CheckId(id.0),
            node: node_id(*node),
            published: *published,
            after: Duration::from_secs(u64::try_from(*after).unwrap_or_default()),
            asked: count(asked).unwrap_or_default(),
            have: count(have).unwrap_or_default(),
        }),
        other => Err(named(format!("{other:?} is no check"))),
    }
}

fn node_id(number: i64) -> NodeId {
    NodeId(i32::try_from(number).unwrap_or_default())
}

fn count(cell: &Cell) -> Option<u32> {
    match cell {
        Cell::Int(count) => u32::try_from(*count).ok(),
        _ => None,
    }
}
