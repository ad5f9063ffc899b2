//! Reading what a page shows at a glance: the servers, the newest rounds and the newest attempts.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use parsec_measure::{AttemptId, NodeId, NotedAttempt, Round, SeenServer, ServerLife};

use crate::archive::operation_columns;
use crate::columns::Key;
use crate::connection::AsyncSqliteConnection;
use crate::history::{HistoryAttempt, HistoryRound, MAX_NAME_CHARS, history_round_columns};
use crate::lines::{POSTGRES, SQLITE};
use crate::selection::{Selected, is_selected};
use crate::session::Session;
use crate::{Chronicle, Glanced, Selection, StoreError, Traces};

/// How many rows of a kind are read at a glance: more than a page of a screen shows.
pub const MAX_GLANCED: u32 = 1_000;

/// How many servers are read: each start of a server makes a row, so that this is years of a deployment.
const MAX_SERVERS: i64 = 100_000;

/// A database as a page shows it while it changes. Nothing is written.
#[async_trait]
pub trait Glance: Traces + Chronicle {
    /// The servers that have started or been heard of since then, the newest first; all if no time is given.
    async fn servers(&self, since: Option<DateTime<Utc>>) -> Result<Vec<SeenServer>, StoreError>;
    /// The rounds that began last, the newest first, at most [`MAX_GLANCED`].
    async fn newest_rounds(&self, limit: u32) -> Result<Glanced<Round>, StoreError>;
    /// The selected attempts that began last, the newest first, at most [`MAX_GLANCED`]: of those with identities before `before`.
    async fn newest_attempts(
        &self,
        selection: &Selection,
        before: Option<AttemptId>,
        limit: u32,
    ) -> Result<Glanced<NotedAttempt>, StoreError>;
}

/// A row of `nodes_ecs`, as far as people want to see it.
#[derive(Debug, Queryable)]
pub(crate) struct ServerRow {
    id: i32,
    fleet: String,
    region: String,
    peer_id: String,
    created: DateTime<Utc>,
    heartbeat: Option<DateTime<Utc>>,
    offline: Option<DateTime<Utc>>,
    strategy: Option<String>,
    network: Option<String>,
    version: Option<String>,
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait GlanceQueries: Send {
    fn seen_servers(&mut self, since: DateTime<Utc>) -> impl Future<Output = QueryResult<Vec<ServerRow>>> + Send;
    fn last_rounds(&mut self, limit: i64) -> impl Future<Output = QueryResult<Vec<HistoryRound>>> + Send;
    fn last_attempts(
        &mut self,
        selected: Selected,
        before: Key,
        limit: i64,
    ) -> impl Future<Output = QueryResult<Vec<HistoryAttempt>>> + Send;
}

macro_rules! implement_glance_queries {
    (for $connection:ty, on $schema:ident, in $dialect:ident) => {
        const _: () = {
            use parsec_schema::$schema::{nodes_ecs, operations, rounds};

            impl GlanceQueries for $connection {
                async fn seen_servers(&mut self, since: DateTime<Utc>) -> QueryResult<Vec<ServerRow>> {
                    // JSON that others may have written, too.
                    let said = |name| sql::<Nullable<Text>>(&($dialect.member)("nodes_ecs.dependencies", name));
                    let heard = nodes_ecs::last_heartbeat.is_not_null().and(nodes_ecs::last_heartbeat.ge(Some(since)));
                    nodes_ecs::table
                        .filter(nodes_ecs::created_at.ge(since).nullable().or(heard))
                        .order(nodes_ecs::id.desc())
                        .limit(MAX_SERVERS)
                        .select((
                            nodes_ecs::id,
                            nodes_ecs::fleet,
                            nodes_ecs::region,
                            nodes_ecs::peer_id,
                            nodes_ecs::created_at,
                            nodes_ecs::last_heartbeat,
                            nodes_ecs::offline_since,
                            said("strategy"),
                            said("network"),
                            said("version"),
                        ))
                        .load(self)
                        .await
                }

                async fn last_rounds(&mut self, limit: i64) -> QueryResult<Vec<HistoryRound>> {
                    rounds::table
                        .order(rounds::id.desc())
                        .limit(limit)
                        .select(history_round_columns!(rounds))
                        .load(self)
                        .await
                }

                async fn last_attempts(
                    &mut self,
                    selected: Selected,
                    before: Key,
                    limit: i64,
                ) -> QueryResult<Vec<HistoryAttempt>> {
                    operations::table
                        .inner_join(nodes_ecs::table)
                        .filter(is_selected!(operations, nodes_ecs, selected))
                        .filter(operations::id.lt(before))
                        .order(operations::id.desc())
                        .limit(limit)
                        .select((operation_columns!(operations), operations::ended_at, operations::created_at))
                        .load(self)
                        .await
                }
            }
        };
    };
}

implement_glance_queries!(for Session, on postgres, in POSTGRES);
implement_glance_queries!(for AsyncSqliteConnection, on sqlite, in SQLITE);

impl ServerRow {
    /// In the terms of the domain.
    pub(crate) fn read(self) -> SeenServer {
        let name = |text: &str| -> String { text.chars().take(MAX_NAME_CHARS).collect() };
        let life = ServerLife {
            id: NodeId(self.id),
            fleet: name(&self.fleet),
            region: name(&self.region),
            peer_id: name(&self.peer_id),
            created: self.created,
            last_heartbeat: self.heartbeat,
            offline_since: self.offline,
        };
        let [strategy, network, version] = [self.strategy, self.network, self.version]
            .map(|text| text.as_deref().filter(|text| !text.is_empty()).map(name));
        SeenServer { life, strategy, network, version }
    }
}
