//! Reading many measurements back, a page at a time: what statistics are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, max, sql, sum};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel_async::RunQueryDsl;
use parsec_measure::{
    ArchivedCheck, ArchivedNode, ArchivedOperation, ArchivedPublication, ArchivedRounds, AttemptId, CheckId, NodeId,
    RoundId,
};

use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::datasets::{Dataset, DatasetPage, PageEnd};
use crate::lines::{POSTGRES, SQLITE};
use crate::selection::{Selected, Selection, Stretch};
use crate::session::Session;
use crate::{CountedPage, StoreError};

/// A database whose measurements are only read.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// Every server that ever announced itself.
    async fn nodes(&self) -> Result<BTreeMap<NodeId, ArchivedNode>, StoreError>;
    /// The first selected attempts of a stretch, as far as figures need them. [`each_counted`](crate::each_counted) reads all.
    async fn counted(&self, selection: &Selection, stretch: Stretch) -> Result<CountedPage, StoreError>;
    /// The rounds of loops in which one of the selected fleets takes part.
    async fn rounds(&self, selection: &Selection) -> Result<ArchivedRounds, StoreError>;
    /// The first selected publications that say something about the DHT, beyond `after`, in the order of their identities; none if there
    /// are no more.
    async fn publications(
        &self,
        selection: &Selection,
        after: Option<AttemptId>,
    ) -> Result<Vec<ArchivedPublication>, StoreError>;
    /// The first checks of records that were made of selected publications, likewise.
    async fn checks(&self, selection: &Selection, after: Option<CheckId>) -> Result<Vec<ArchivedCheck>, StoreError>;
    /// A page of the selected rows of a dataset, in the order of time, beyond `after`.
    async fn dataset(
        &self,
        dataset: Dataset,
        selection: &Selection,
        after: Option<PageEnd>,
    ) -> Result<DatasetPage, StoreError>;
    /// Up to which migration of ours its tables have come. `None` if it does not say: there is no list of them, or we may not read it.
    async fn schema_version(&self) -> Result<Option<String>, StoreError>;
}

/// A row of `nodes_ecs`: identity, fleet, region and peer id, and what it says of its strategy, its package, that one's version, and its network.
pub(crate) type NodeRow = (i32, String, String, String, Option<String>, Option<String>, Option<String>, Option<String>);

/// A row of `operations`.
pub(crate) type OperationRow = (Key, Key, i32, String, i32, String, DateTime<Utc>, f64, bool);

/// Rounds of the same fleets with the same outcome: how many there are, and how many were left out before them.
pub(crate) type RoundRow = (String, Option<String>, i64, Option<i64>);

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait ArchiveQueries: Send {
    fn all_nodes(&mut self) -> impl Future<Output = QueryResult<Vec<NodeRow>>> + Send;
    fn rounds(&mut self, selected: Selected) -> impl Future<Output = QueryResult<Vec<RoundRow>>> + Send;
    fn newest_migration(&mut self) -> impl Future<Output = QueryResult<Option<String>>> + Send;
}

/// Where diesel counts migrations.
mod counted {
    diesel::table! {
        __diesel_schema_migrations (version) {
            version -> Text,
        }
    }
}

/// The columns of an [`OperationRow`].
macro_rules! operation_columns {
    ($operations:ident) => {
        (
            $operations::id,
            $operations::round_id,
            $operations::node_id,
            $operations::kind,
            $operations::probe,
            $operations::outcome,
            $operations::started_at,
            $operations::duration_seconds,
            $operations::from_own_records,
        )
    };
}

pub(crate) use operation_columns;

macro_rules! implement_archive_queries {
    (for $connection:ty, on $schema:ident, in $dialect:ident) => {
        const _: () = {
            use parsec_schema::$schema::{nodes_ecs, rounds};

            impl ArchiveQueries for $connection {
                async fn all_nodes(&mut self) -> QueryResult<Vec<NodeRow>> {
                    let said = |name| sql::<Nullable<Text>>(&($dialect.member)("nodes_ecs.dependencies", name));
                    nodes_ecs::table
                        .select((
                            nodes_ecs::id,
                            nodes_ecs::fleet,
                            nodes_ecs::region,
                            nodes_ecs::peer_id,
                            said("strategy"),
                            said("package"),
                            said("version"),
                            said("network"),
                        ))
                        .load(self)
                        .await
                }

                async fn rounds(&mut self, selected: Selected) -> QueryResult<Vec<RoundRow>> {
                    rounds::table
                        .filter(rounds::started_at.ge(selected.since))
                        .filter(rounds::started_at.lt(selected.until))
                        .group_by((rounds::fleets, rounds::outcome))
                        .select((rounds::fleets, rounds::outcome, count_star(), sum(rounds::skipped_before)))
                        .load(self)
                        .await
                }

                async fn newest_migration(&mut self) -> QueryResult<Option<String>> {
                    use counted::__diesel_schema_migrations as migrations;
                    migrations::table.select(max(migrations::version)).first(self).await
                }
            }
        };
    };
}

implement_archive_queries!(for Session, on postgres, in POSTGRES);
implement_archive_queries!(for AsyncSqliteConnection, on sqlite, in SQLITE);

/// In the terms of the domain. An empty text counts as missing.
pub(crate) fn node(
    (id, fleet, region, peer_id, strategy, package, version, network): NodeRow,
) -> (NodeId, ArchivedNode) {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let agent = said(package).zip(said(version)).map(|(package, version)| format!("{package}/{version}"));
    (NodeId(id), ArchivedNode { fleet, region, peer_id, strategy: said(strategy), agent, network: said(network) })
}

/// In the terms of the domain.
///
/// # Errors
/// [`StoreError::BadRow`] if another version has written what this one cannot read.
pub(crate) fn read(row: OperationRow) -> Result<ArchivedOperation, StoreError> {
    let (id, round, node, kind, probe, outcome, started, seconds, from_own_records) = row;
    let named = format!("operation {}", id.0);
    Ok(ArchivedOperation {
        id: AttemptId(id.0),
        round: RoundId(round.0),
        node: NodeId(node),
        kind: kind.parse().map_err(|error| bad(&named, &error))?,
        probe: probe.try_into().unwrap_or_default(),
        class: outcome.parse().map_err(|error| bad(&named, &error))?,
        started,
        duration: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        from_own_records,
    })
}

pub(crate) fn bad(what: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::BadRow(format!("{what}: {error}"))
}
