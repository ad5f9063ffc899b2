//! Reading what figures are made of: of each attempt what is counted, and nothing else, so that a million come within a second.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow, Queryable};
use diesel::dsl::sql;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use diesel_async::RunQueryDsl;
use parsec_measure::{ArchivedOperation, AttemptId, NodeId, OperationKind, OutcomeClass, RoundId};

use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::selection::{Selected, Stretch, is_selected};
use crate::session::Session;

/// How many are read at once: several are in memory on their way, each in half a kilobyte of the connection's.
const PAGE: i64 = 5_000;

/// Some attempts, as far as figures need them, in the order of their identities.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CountedPage {
    /// Those that can be read.
    pub attempts: Vec<ArchivedOperation>,
    /// How many cannot, because a newer version or somebody else wrote them.
    pub unread: usize,
    /// Where there may be more.
    pub rest: Option<Stretch>,
}

/// A word that may be one of ours. It is not copied to be read.
#[derive(Debug, FromSqlRow)]
pub(crate) struct Said<T>(Option<T>);

impl<T: std::str::FromStr> FromSql<Text, Pg> for Said<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(std::str::from_utf8(value.as_bytes())?.parse().ok()))
    }
}

impl<T: std::str::FromStr> FromSql<Text, Sqlite> for Said<T> {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(<String as FromSql<Text, Sqlite>>::from_sql(value)?.parse().ok()))
    }
}

/// A row of `operations`. What most rows have is NULL, which costs least to send: [`OperationKind::Retrieve`], the first look,
/// [`OutcomeClass::Ok`], not from own records.
#[derive(Debug, Queryable)]
pub(crate) struct CountedRow {
    id: Key,
    round: Key,
    node: i32,
    kind: Option<Said<OperationKind>>,
    probe: Option<i32>,
    class: Option<Said<OutcomeClass>>,
    started: DateTime<Utc>,
    seconds: f64,
    from_own_records: Option<bool>,
}

/// The query of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait CountedQueries: Send {
    fn counted(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<CountedRow>>> + Send;
}

macro_rules! implement_counted_queries {
    (for $connection:ty, on $schema:ident) => {
        const _: () = {
            use parsec_schema::$schema::{nodes_ecs, operations};

            impl CountedQueries for $connection {
                async fn counted(&mut self, selected: Selected) -> QueryResult<Vec<CountedRow>> {
                    operations::table
                        .inner_join(nodes_ecs::table)
                        .filter(is_selected!(operations, nodes_ecs, selected))
                        .order(operations::id)
                        .limit(PAGE)
                        .select((
                            operations::id,
                            operations::round_id,
                            operations::node_id,
                            sql::<Nullable<Text>>("nullif(operations.kind, 'retrieve')"),
                            sql::<Nullable<Integer>>("nullif(operations.probe, 0)"),
                            sql::<Nullable<Text>>("nullif(operations.outcome, 'ok')"),
                            operations::started_at,
                            operations::duration_seconds,
                            sql::<Nullable<Bool>>("nullif(operations.from_own_records, false)"),
                        ))
                        .load(self)
                        .await
                }
            }
        };
    };
}

implement_counted_queries!(for Session, on postgres);
implement_counted_queries!(for AsyncSqliteConnection, on sqlite);

/// A page in the terms of the domain, of this stretch.
pub(crate) fn page(rows: Vec<CountedRow>, stretch: Stretch) -> CountedPage {
    let is_full = rows.len() >= PAGE as usize;
    let rest = rows.last().filter(|_| is_full).map(|last| stretch.beyond(last.id));
    let found = rows.len();
    let attempts: Vec<_> = rows.into_iter().filter_map(CountedRow::read).collect();
    CountedPage { unread: found - attempts.len(), attempts, rest }
}

impl CountedRow {
    /// `None` if it has a word that this version does not know.
    fn read(self) -> Option<ArchivedOperation> {
        Some(ArchivedOperation {
            id: AttemptId(self.id.0),
            round: RoundId(self.round.0),
            node: NodeId(self.node),
            kind: self.kind.map_or(Some(OperationKind::Retrieve), |said| said.0)?,
            probe: self.probe.unwrap_or_default().try_into().unwrap_or_default(),
            class: self.class.map_or(Some(OutcomeClass::Ok), |said| said.0)?,
            started: self.started,
            duration: Duration::try_from_secs_f64(self.seconds).unwrap_or_default(),
            from_own_records: self.from_own_records.unwrap_or_default(),
        })
    }
}
