//! What is to be known of a database before programs use it. Nothing is changed: neither rows, nor the schema, nor is a file made.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::RunQueryDsl;
use parsec_measure::Fleet;
use parsec_schema::{postgres, sqlite};

use crate::closed::ClosedTable;
use crate::connection::AsyncSqliteConnection;
use crate::migrated::SchemaVersion;
use crate::session::Session;
use crate::{OtherScheduler, StoreConfig, StoreError};

/// A database, looked at from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Where its schema stands.
    pub schema: SchemaVersion,
    /// The newest migration that this program knows.
    pub newest: String,
    /// Whether a migration of the original was cut off.
    pub is_dirty: bool,
    /// Why it would take no rows now, although it answers.
    pub read_only: Option<String>,
    /// By how much its clock is ahead of ours, at least.
    pub ahead: TimeDelta,
    /// The tables that we cannot write rows to; none is named as long as there are no tables of ours.
    pub closed: Vec<ClosedTable>,
    /// The round loops that have lately recorded publications of the fleets that were asked about.
    pub schedulers: Vec<OtherScheduler>,
}

/// A database that can be looked at.
#[async_trait]
pub(crate) trait Diagnosed {
    /// What is to be known of the database at `config`, which this one is.
    async fn diagnose(
        &self,
        config: &StoreConfig,
        fleets: &[Fleet],
        since: DateTime<Utc>,
    ) -> Result<Diagnosis, StoreError>;
}

/// The newest migration for such a database.
pub(crate) fn newest(config: &StoreConfig) -> String {
    let (last, _) = match config {
        StoreConfig::Postgres { .. } => postgres::SCRIPTS[postgres::SCRIPTS.len() - 1],
        StoreConfig::Sqlite { .. } => sqlite::SCRIPTS[sqlite::SCRIPTS.len() - 1],
    };
    last.split('_').next().unwrap_or(last).to_owned()
}

/// What the tables of both programs that keep a schema version say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    /// Version and whether a migration to it was cut off.
    pub(crate) original: Option<(i64, bool)>,
    pub(crate) own: Option<String>,
}

#[derive(Debug, QueryableByName)]
struct There {
    #[diesel(sql_type = Bool)]
    original: bool,
    #[diesel(sql_type = Bool)]
    own: bool,
}

#[derive(Debug, QueryableByName)]
struct Original {
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Bool)]
    dirty: bool,
}

#[derive(Debug, QueryableByName)]
struct Own {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait DiagnosisQueries: Send {
    fn versions(&mut self) -> impl Future<Output = QueryResult<Versions>> + Send;
}

macro_rules! implement_diagnosis_queries {
    (for $connection:ty, which tables are there: $there:literal) => {
        impl DiagnosisQueries for $connection {
            async fn versions(&mut self) -> QueryResult<Versions> {
                let there: There = sql_query($there).get_result(self).await?;
                let mut versions = Versions::default();
                if there.original {
                    let rows = sql_query("SELECT version, dirty FROM schema_migrations LIMIT 1");
                    let rows: Vec<Original> = rows.load(self).await?;
                    versions.original = rows.into_iter().next().map(|row| (row.version, row.dirty));
                }
                if there.own {
                    let newest = "SELECT version FROM __diesel_schema_migrations ORDER BY version DESC LIMIT 1";
                    let rows: Vec<Own> = sql_query(newest).load(self).await?;
                    versions.own = rows.into_iter().next().map(|row| row.version);
                }
                Ok(versions)
            }
        }
    };
}

implement_diagnosis_queries!(
    for Session,
    which tables are there: "SELECT to_regclass('schema_migrations') IS NOT NULL AS original, \
                             to_regclass('__diesel_schema_migrations') IS NOT NULL AS own"
);
implement_diagnosis_queries!(
    for AsyncSqliteConnection,
    which tables are there: "SELECT false AS original, EXISTS (SELECT 1 FROM sqlite_master \
                             WHERE name = '__diesel_schema_migrations') AS own"
);
