//! Nodes: how a server announces itself and says that it is alive, and whom a scheduler finds. Written once, and expanded for each
//! back end.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, now as server_time, select};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use parsec_measure::{ACTIVE_WITHIN, clock};

use crate::columns::{Address, micros};
use crate::connection::AsyncSqliteConnection;
use crate::queries::transaction;
use crate::roster::{HEARD_WITHIN, MAX_NAME_CHARS, MAX_ROSTER, RosterRow};
use crate::session::Session;

/// One row of `nodes_ecs` to insert.
#[derive(Debug, Clone)]
pub(crate) struct NodeRow {
    pub(crate) cpu: i32,
    pub(crate) memory: i32,
    pub(crate) peer_id: String,
    pub(crate) region: String,
    pub(crate) cmd: String,
    pub(crate) fleet: String,
    pub(crate) dependencies: serde_json::Value,
    pub(crate) address: Address,
    pub(crate) server_port: i16,
    pub(crate) peer_port: i16,
    pub(crate) created: DateTime<Utc>,
}

define_sql_function! {
    /// So many characters of a text, the first one being number 1.
    fn substr(text: Text, first: Integer, count: Integer) -> Text;
}

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait NodeQueries: Send {
    fn insert_node(&mut self, row: NodeRow) -> impl Future<Output = QueryResult<i32>> + Send;
    /// Whether there is such a node.
    fn heartbeat(&mut self, node: i32, at: DateTime<Utc>) -> impl Future<Output = QueryResult<bool>> + Send;
    /// Whether there is such a node.
    fn mark_offline(&mut self, node: i32, at: DateTime<Utc>) -> impl Future<Output = QueryResult<bool>> + Send;
    /// Marks a node offline that was not heard of since. Whether there is such a node that is offline now.
    fn mark_offline_if_silent(
        &mut self,
        node: i32,
        since: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> impl Future<Output = QueryResult<bool>> + Send;
    /// The time: the database's, or where it has none, that of this process.
    fn now(&mut self) -> impl Future<Output = QueryResult<DateTime<Utc>>> + Send;
    /// Those heard of lately first, then the newest ones; one more than [`MAX_ROSTER`] if there are more.
    fn roster(
        &mut self,
        fleets: Vec<String>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = QueryResult<Vec<RosterRow>>> + Send;
}

macro_rules! implement_node_queries {
    (
        for $connection:ty,
        on $schema:ident,
        transaction $transaction:ident,
        asking $now:ident for the time $(,)?
    ) => {
        const _: () = {
            use parsec_schema::$schema::nodes_ecs;

            impl NodeQueries for $connection {
                async fn insert_node(&mut self, row: NodeRow) -> QueryResult<i32> {
                    transaction!($transaction, self, register(row))
                }

                async fn heartbeat(&mut self, node: i32, at: DateTime<Utc>) -> QueryResult<bool> {
                    let online =
                        (nodes_ecs::last_heartbeat.eq(Some(at)), nodes_ecs::offline_since.eq(None::<DateTime<Utc>>));
                    let updated = diesel::update(nodes_ecs::table.find(node)).set(online).execute(self).await?;
                    Ok(updated > 0)
                }

                async fn mark_offline(&mut self, node: i32, at: DateTime<Utc>) -> QueryResult<bool> {
                    let online = nodes_ecs::table.find(node).filter(nodes_ecs::offline_since.is_null());
                    let offline = nodes_ecs::offline_since.eq(Some(at));
                    if diesel::update(online).set(offline).execute(self).await? > 0 {
                        return Ok(true);
                    }
                    select(exists(nodes_ecs::table.find(node))).get_result(self).await
                }

                async fn mark_offline_if_silent(
                    &mut self,
                    node: i32,
                    since: DateTime<Utc>,
                    at: DateTime<Utc>,
                ) -> QueryResult<bool> {
                    let silent = nodes_ecs::last_heartbeat.is_null().or(nodes_ecs::last_heartbeat.lt(Some(since)));
                    let online = nodes_ecs::table.find(node).filter(nodes_ecs::offline_since.is_null());
                    diesel::update(online.filter(silent))
                        .set(nodes_ecs::offline_since.eq(Some(at)))
                        .execute(self)
                        .await?;
                    let offline = nodes_ecs::table.find(node).filter(nodes_ecs::offline_since.is_not_null());
                    select(exists(offline)).get_result(self).await
                }

                async fn now(&mut self) -> QueryResult<DateTime<Utc>> {
                    $now(self).await
                }

                async fn roster(&mut self, fleets: Vec<String>, now: DateTime<Utc>) -> QueryResult<Vec<RosterRow>> {
                    let newest: Option<Option<DateTime<Utc>>> = nodes_ecs::table
                        .filter(nodes_ecs::offline_since.is_null())
                        .filter(nodes_ecs::last_heartbeat.is_not_null())
                        .filter(nodes_ecs::fleet.eq_any(fleets.clone()))
                        .order(nodes_ecs::last_heartbeat.desc())
                        .select(nodes_ecs::last_heartbeat)
                        .first(self)
                        .await
                        .optional()?;
                    let [lately, at_all] =
                        [now - ACTIVE_WITHIN, newest.flatten().map_or(now, |at| at.min(now)) - HEARD_WITHIN];
                    nodes_ecs::table
                        .filter(nodes_ecs::offline_since.is_null())
                        .filter(nodes_ecs::last_heartbeat.ge(Some(at_all)))
                        .filter(nodes_ecs::fleet.eq_any(fleets))
                        .order((nodes_ecs::last_heartbeat.ge(Some(lately)).desc(), nodes_ecs::id.desc()))
                        .limit(MAX_ROSTER as i64 + 1)
                        .select((
                            nodes_ecs::id,
                            substr(nodes_ecs::peer_id, 1, MAX_NAME_CHARS + 1),
                            substr(nodes_ecs::region, 1, MAX_NAME_CHARS + 1),
                            nodes_ecs::fleet,
                            nodes_ecs::ip_address,
                            nodes_ecs::server_port,
                            nodes_ecs::last_heartbeat,
                        ))
                        .load(self)
                        .await
                }
            }

            /// Writes the row of a node, and that whoever stood at its address and port before is there no more.
            async fn register(conn: &mut $connection, row: NodeRow) -> QueryResult<i32> {
                let (address, server_port) = (row.address, row.server_port);
                let id: i32 = insert_node(conn, row).await?;
                let older = nodes_ecs::table
                    .filter(nodes_ecs::ip_address.eq(address))
                    .filter(nodes_ecs::server_port.eq(server_port))
                    .filter(nodes_ecs::offline_since.is_null())
                    .filter(nodes_ecs::id.lt(id));
                let at = conn.now().await?;
                diesel::update(older).set(nodes_ecs::offline_since.eq(Some(at))).execute(conn).await?;
                Ok(id)
            }

            async fn insert_node(conn: &mut $connection, row: NodeRow) -> QueryResult<i32> {
                diesel::insert_into(nodes_ecs::table)
                    .values((
                        nodes_ecs::cpu.eq(row.cpu),
                        nodes_ecs::memory.eq(row.memory),
                        nodes_ecs::peer_id.eq(row.peer_id),
                        nodes_ecs::region.eq(row.region),
                        nodes_ecs::cmd.eq(row.cmd),
                        nodes_ecs::fleet.eq(row.fleet),
                        nodes_ecs::dependencies.eq(row.dependencies),
                        nodes_ecs::ip_address.eq(row.address),
                        nodes_ecs::server_port.eq(row.server_port),
                        nodes_ecs::peer_port.eq(row.peer_port),
                        nodes_ecs::created_at.eq(row.created),
                    ))
                    .returning(nodes_ecs::id)
                    .get_result(conn)
                    .await
            }
        };
    };
}

/// On a simulated clock nobody else's time counts.
async fn server(conn: &mut Session) -> QueryResult<DateTime<Utc>> {
    if let Some(at) = clock::simulated() {
        return Ok(micros(at));
    }
    select(server_time.into_sql::<Timestamptz>()).get_result(conn).await
}

async fn host(_: &mut AsyncSqliteConnection) -> QueryResult<DateTime<Utc>> {
    Ok(micros(clock::now()))
}

implement_node_queries!(for Session, on postgres, transaction under_way, asking server for the time);
implement_node_queries!(for AsyncSqliteConnection, on sqlite, transaction immediate, asking host for the time);
