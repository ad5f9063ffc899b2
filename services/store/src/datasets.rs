//! Datasets: what can be taken along as flat tables, read from the views a page at a time.
//!
//! A page ends at a key, which is looked for first: so it has whole operations and whole checks, and the next one goes on from there
//! whatever is written meanwhile.

mod columns;

use chrono::TimeDelta;
use diesel::QueryResult;
use diesel::result::Error as QueryError;
use diesel::sql_query;
use diesel::sql_types::{Text, Timestamptz, TimestamptzSqlite, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use parsec_measure::{Cell, CellKind, Column};

use crate::StoreError;
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::lines::{Dialect, Line, POSTGRES, SQLITE, json};
use crate::reason::{Reasons, refused};
use crate::selection::{IDENTITY_SLACK, Selected, Selection};
use crate::session::Session;

/// How much later than it was planned, when the publication ended, a check is made at most: after 24 hours, or within the day that
/// others have to take it over. Identities of checks hold the time of the plan.
const CHECK_SLACK: TimeDelta = TimeDelta::hours(50);

/// A flat table to take along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dataset {
    /// A row for each attempt.
    Operations,
    /// A row for each request of each trace.
    Requests,
    /// A row for each trace.
    Traces,
    /// A row for each round.
    Rounds,
    /// A row for each peer that was asked at a check for a record.
    Records,
}

/// A page of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetPage {
    /// The rows, with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// Where the next page goes on; `None` after the last one.
    pub next: Option<PageEnd>,
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageEnd(pub(crate) Key);

/// How a dataset is read.
struct Shape {
    view: &'static str,
    columns: &'static [Column],
    /// The column by which pages are told apart: UUIDs that sort by time.
    key: &'static str,
    /// Its order.
    order: &'static str,
    /// Where the keys are found, and under which name.
    keys: (&'static str, &'static str),
    /// What is selected by time.
    time: &'static str,
    /// By how much the time in the key may be another one.
    slack: TimeDelta,
    /// How many keys a page has: a few megabytes, and some tens where every text is as long as texts of strangers can be.
    page: u32,
    /// Which rows are of a kind of operations.
    of_kind: &'static str,
}

impl Dataset {
    /// Every dataset, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Operations, Self::Requests, Self::Traces, Self::Rounds, Self::Records];

    /// Its name on the command line, and that of its file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Requests => "requests",
            Self::Traces => "traces",
            Self::Rounds => "rounds",
            Self::Records => "records",
        }
    }

    /// The view that it is read from.
    pub fn view(self) -> &'static str {
        self.shape().view
    }

    /// Its columns.
    pub fn columns(self) -> &'static [Column] {
        self.shape().columns
    }

    /// The column by which it is selected in time.
    pub fn time(self) -> &'static str {
        self.shape().time
    }

    fn shape(self) -> Shape {
        let of_operations = Shape {
            view: "v_operations",
            columns: columns::OPERATIONS,
            key: "id",
            order: "id",
            keys: ("v_operations", "id"),
            time: "started_at",
            slack: IDENTITY_SLACK,
            page: 2_000,
            of_kind: "kind = $7",
        };
        match self {
            Self::Operations => of_operations,
            Self::Requests => Shape {
                view: "v_requests",
                columns: columns::REQUESTS,
                key: "operation_id",
                order: "operation_id, number",
                keys: ("v_traces", "id"),
                page: 100,
                ..of_operations
            },
            Self::Traces => Shape {
                view: "v_traces",
                columns: columns::TRACES,
                keys: ("v_traces", "id"),
                page: 50,
                ..of_operations
            },
            Self::Rounds => Shape {
                view: "v_rounds",
                columns: columns::ROUNDS,
                keys: ("v_rounds", "id"),
                of_kind: "$7 <> ''",
                ..of_operations
            },
            Self::Records => Shape {
                view: "v_records",
                columns: columns::RECORDS,
                key: "check_id",
                order: "check_id, rank",
                keys: ("v_records", "check_id"),
                time: "checked_at",
                slack: CHECK_SLACK,
                page: 500,
                of_kind: "$7 = 'provide'",
            },
        }
    }

    pub(crate) fn range(self, selection: &Selection, after: Option<PageEnd>) -> Selected {
        Selected::within(selection, after.map(|PageEnd(key)| key), self.shape().slack)
    }

    /// The key that ends the page, if there are more.
    fn end_sql(self, dialect: &Dialect) -> String {
        let Shape { keys: (view, key), page, .. } = self.shape();
        let selected = self.selected(key, dialect);
        let last = page - 1;
        format!(
            "SELECT CAST({key} AS TEXT) AS key FROM \
             (SELECT DISTINCT {key} FROM {view} WHERE {selected} ORDER BY {key} LIMIT 1 OFFSET {last}) AS ending"
        )
    }

    /// The rows up to that key.
    fn rows_sql(self, dialect: &Dialect) -> String {
        let Shape { view, columns, key, order, .. } = self.shape();
        let columns: Vec<_> = columns.iter().map(cast).collect();
        format!("SELECT {} FROM {view} WHERE {} ORDER BY {order}", columns.join(", "), self.selected(key, dialect))
    }

    /// The parameters stand in their order: SQLite numbers them as they come.
    fn selected(self, key: &str, Dialect { list, find, .. }: &Dialect) -> String {
        let Shape { time, of_kind, .. } = self.shape();
        let wanted = list("$5");
        let of_fleet = match self {
            // As in the sums over rounds: those of loops in which one of the fleets takes part.
            Self::Rounds => {
                format!(
                    "EXISTS (SELECT 1 FROM {wanted} WHERE {find}('+' || fleets || '+', '+' || wanted.value || '+') > 0)"
                )
            }
            _ => format!("fleet IN (SELECT wanted.value FROM {wanted})"),
        };
        let of_region = format!("region IN (SELECT wanted.value FROM {})", list("$6"));
        format!(
            "{key} > $1 AND {key} <= $2 AND {time} >= $3 AND {time} < $4 \
             AND ($5 = '[]' OR {of_fleet}) AND ($6 = '[]' OR {of_region}) AND ($7 = '' OR {of_kind})"
        )
    }
}

/// A column in a type that both databases have.
fn cast(Column { name, kind, .. }: &Column) -> String {
    match kind {
        CellKind::Text | CellKind::Words | CellKind::Document => format!("CAST({name} AS TEXT) AS {name}"),
        CellKind::Int => format!("CAST({name} AS BIGINT) AS {name}"),
        CellKind::Float => format!("CAST({name} AS DOUBLE PRECISION) AS {name}"),
        CellKind::Bool | CellKind::Time => (*name).to_owned(),
    }
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait DatasetQueries: Send {
    /// The rows of a page, and where it ends if there are more.
    fn page(
        &mut self,
        dataset: Dataset,
        range: Selected,
    ) -> impl Future<Output = QueryResult<(Vec<Line>, Option<Key>)>> + Send;
}

/// A statement with what is selected, in the order of [`Dataset::selected`].
macro_rules! bound {
    ($sql:expr, up to $last:expr, of $range:ident, keys $key:ty, times $time:ty) => {
        sql_query($sql)
            .bind::<$key, _>($range.after)
            .bind::<$key, _>($last)
            .bind::<$time, _>($range.since)
            .bind::<$time, _>($range.until)
            .bind::<Text, _>(json(&$range.fleets))
            .bind::<Text, _>(json(&$range.regions))
            .bind::<Text, _>($range.kind.unwrap_or_default())
    };
}

impl DatasetQueries for Session {
    async fn page(&mut self, dataset: Dataset, range: Selected) -> QueryResult<(Vec<Line>, Option<Key>)> {
        let end = bound!(dataset.end_sql(&POSTGRES), up to range.before, of range, keys SqlUuid, times Timestamptz);
        let next = key_of(end.load(self).await?);
        let last = next.unwrap_or(range.before);
        let rows = bound!(dataset.rows_sql(&POSTGRES), up to last, of range, keys SqlUuid, times Timestamptz);
        Ok((rows.load(self).await?, next))
    }
}

impl DatasetQueries for AsyncSqliteConnection {
    /// Each row is read where it stands: to hand it over first, it would be copied cell by cell, which takes longer than all the rest.
    async fn page(&mut self, dataset: Dataset, range: Selected) -> QueryResult<(Vec<Line>, Option<Key>)> {
        let page = self.spawn_blocking(move |conn| {
            let end =
                bound!(dataset.end_sql(&SQLITE), up to range.before, of range, keys Text, times TimestamptzSqlite);
            let next = key_of(diesel::RunQueryDsl::load(end, conn)?);
            let last = next.unwrap_or(range.before);
            let rows = bound!(dataset.rows_sql(&SQLITE), up to last, of range, keys Text, times TimestamptzSqlite);
            Ok((diesel::RunQueryDsl::load(rows, conn)?, next))
        });
        page.await
    }
}

/// The key in the one row that was found, if any was.
fn key_of(found: Vec<Line>) -> Option<Key> {
    found.into_iter().next().and_then(|line| line.first_key())
}

/// In the terms of the domain.
///
/// # Errors
/// [`StoreError::BadRow`] if a cell is not what its column holds.
pub(crate) fn read(dataset: Dataset, lines: Vec<Line>, next: Option<Key>) -> Result<DatasetPage, StoreError> {
    let columns = dataset.columns();
    let rows = lines.into_iter().map(|line| line.read(columns));
    let rows: Result<Vec<_>, _> = rows.collect();
    let rows = rows.map_err(|error| StoreError::BadRow(format!("{}: {error}", dataset.view())))?;
    Ok(DatasetPage { rows, next: next.map(PageEnd) })
}

/// A database that was not brought up to date lacks the view: whoever reads it may not make it.
pub(crate) fn explained(dataset: Dataset, reasons: &impl Reasons, error: QueryError) -> QueryError {
    let view = dataset.view();
    if reasons.lacks(view, &error) {
        refused(format!("it lacks the view {view}: bring it up to date with `parsec migrate`"))
    } else {
        error
    }
}
