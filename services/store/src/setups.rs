//! Reading with which versions and configuration servers and schedulers were started.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use parsec_measure::{NodeId, SchedulerId, Setup};
use serde_json::Value;

use crate::StoreError;
use crate::columns::Names;
use crate::connection::AsyncSqliteConnection;
use crate::session::Session;

/// How many rows are asked for at once: a few megabytes, if all are as long as they may be.
pub(crate) const AT_ONCE: usize = 200;

/// How much of what a process said is read: several times what ours say. A longer document counts as none, a longer command line is cut.
const MAX_DOCUMENT_CHARS: u32 = 16_384;
const MAX_CMD_CHARS: u32 = 4_096;

/// How many things one process can say of itself, and how long a name and a value may be.
const MAX_SAID: usize = 64;
const MAX_SAID_CHARS: usize = 128;

/// How deep documents are read: ours hold the versions of libraries one level down.
const MAX_DEPTH: usize = 3;

/// What processes said of themselves, from a database that is only read.
#[async_trait]
pub trait Setups: Send + Sync + 'static {
    /// Of these servers, as far as they have rows.
    async fn servers(&self, of: &BTreeSet<NodeId>) -> Result<BTreeMap<NodeId, Setup>, StoreError>;
    /// Of these loops of rounds, likewise.
    async fn schedulers(&self, of: &BTreeSet<SchedulerId>) -> Result<BTreeMap<SchedulerId, Setup>, StoreError>;
}

/// A row of `nodes_ecs`.
pub(crate) type ServerRow = (i32, String, String, DateTime<Utc>, String, String);

/// A row of `schedulers_ecs`.
pub(crate) type SchedulerRow = (i32, Names, DateTime<Utc>, String);

/// The queries of one connection. Futures must not be dropped half-way: see `detached`.
pub(crate) trait SetupQueries: Send {
    fn server_setups(&mut self, of: Vec<i32>) -> impl Future<Output = QueryResult<Vec<ServerRow>>> + Send;
    fn scheduler_setups(&mut self, of: Vec<i32>) -> impl Future<Output = QueryResult<Vec<SchedulerRow>>> + Send;
}

/// The beginning of a column as text, whatever its type is.
fn beginning(column: &str, chars: u32) -> String {
    format!("substr(CAST({column} AS TEXT), 1, {chars})")
}

macro_rules! implement_setup_queries {
    (for $connection:ty, on $schema:ident) => {
        const _: () = {
            use parsec_schema::$schema::{nodes_ecs, schedulers_ecs};

            impl SetupQueries for $connection {
                async fn server_setups(&mut self, of: Vec<i32>) -> QueryResult<Vec<ServerRow>> {
                    nodes_ecs::table
                        .filter(nodes_ecs::id.eq_any(of))
                        .select((
                            nodes_ecs::id,
                            nodes_ecs::fleet,
                            nodes_ecs::region,
                            nodes_ecs::created_at,
                            sql::<Text>(&beginning("dependencies", MAX_DOCUMENT_CHARS)),
                            sql::<Text>(&beginning("cmd", MAX_CMD_CHARS)),
                        ))
                        .load(self)
                        .await
                }

                async fn scheduler_setups(&mut self, of: Vec<i32>) -> QueryResult<Vec<SchedulerRow>> {
                    schedulers_ecs::table
                        .filter(schedulers_ecs::id.eq_any(of))
                        .select((
                            schedulers_ecs::id,
                            schedulers_ecs::fleets,
                            schedulers_ecs::created_at,
                            sql::<Text>(&beginning("dependencies", MAX_DOCUMENT_CHARS)),
                        ))
                        .load(self)
                        .await
                }
            }
        };
    };
}

implement_setup_queries!(for Session, on postgres);
implement_setup_queries!(for AsyncSqliteConnection, on sqlite);

/// In the terms of the domain.
pub(crate) fn server((id, of, region, started, document, cmd): ServerRow) -> (NodeId, Setup) {
    (NodeId(id), Setup { of: short(&of), region: short(&region), started, said: said(&document), cmd })
}

/// The same.
pub(crate) fn scheduler((id, Names(fleets), started, document): SchedulerRow) -> (SchedulerId, Setup) {
    let of = short(&fleets.join("+"));
    (SchedulerId(id), Setup { of, region: String::new(), started, said: said(&document), cmd: String::new() })
}

/// The members of an object that is written as JSON, those within others by both names. Anything else says nothing.
fn said(document: &str) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    if let Ok(Value::Object(members)) = serde_json::from_str(document) {
        members.into_iter().for_each(|(name, value)| gather(&mut said, name, value, MAX_DEPTH));
    }
    said
}

fn gather(said: &mut BTreeMap<String, String>, name: String, value: Value, depth: usize) {
    let text = match value {
        Value::Null => return,
        Value::Object(members) if depth > 0 => {
            let inner = members.into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value));
            inner.for_each(|(name, value)| gather(said, name, value, depth - 1));
            return;
        }
        Value::String(text) => text,
        value => value.to_string(),
    };
    if !text.is_empty() && said.len() < MAX_SAID {
        said.insert(short(&name), short(&text));
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_SAID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_a_process_says_is_read_up_to_a_bound() {
        let ours = json!({ "package": "parsec", "version": "0.1.0", "crates": { "libp2p": "0.57.1" }, "commit": "" });
        let expected = [("package", "parsec"), ("version", "0.1.0"), ("crates.libp2p", "0.57.1")];
        assert_eq!(said(&ours.to_string()), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let many: serde_json::Map<_, _> = (0..1_000).map(|n| (format!("{n:0200}"), json!("x".repeat(1_000)))).collect();
        let many = said(&Value::Object(many).to_string());
        assert!(many.len() <= MAX_SAID && many.iter().all(|(name, value)| name.len() + value.len() <= 256));
        for nothing in ["", "null", "[]", "7", "\"parsec\"", "{\"version\": \"0.1"] {
            assert_eq!(said(nothing), BTreeMap::new(), "{nothing}");
        }
    }
}
