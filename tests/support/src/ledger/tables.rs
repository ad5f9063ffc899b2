//! What stands in the tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio_postgres::{Client, Error};

/// One row of `rounds`.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundRow {
    /// Its identity.
    pub id: String,
    /// The loop.
    pub scheduler: i32,
    /// The fleets of that loop.
    pub fleets: String,
    /// How many nodes were listed.
    pub listed: usize,
    /// How many were ready, listed or not.
    pub ready: usize,
    /// How many of those were not listed, because their heartbeats were too old.
    pub without_heartbeat: usize,
    /// How many rounds before it were left out.
    pub skipped: u32,
    /// In seconds since 1970.
    pub due: f64,
    /// In seconds since 1970.
    pub started: f64,
    /// In seconds since 1970.
    pub ended: Option<f64>,
    /// How it ended.
    pub outcome: Option<String>,
}

impl RoundRow {
    /// How many attempts it takes to make it complete: one publication, looks of each that is ready, and one failed look of
    /// each that is not.
    pub fn whole(&self, probes: usize) -> usize {
        let listed_and_ready = self.ready.saturating_sub(self.without_heartbeat);
        1 + self.ready.saturating_sub(1) * probes + self.listed.saturating_sub(listed_and_ready)
    }
}

/// One row of `operations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Its identity.
    pub id: String,
    /// The round that it belongs to.
    pub round: String,
    /// The node that was asked.
    pub node: i32,
    /// `provide` or `retrieve`.
    pub kind: String,
    /// Which look of the node.
    pub probe: i32,
    /// The class of its outcome.
    pub outcome: String,
    /// Its row in the original's table for that kind.
    pub measurement: Option<i32>,
    /// Whether the server asked no DHT.
    pub from_own_records: bool,
}

/// All that the tables say of rounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Books {
    /// In the order in which they were due.
    pub rounds: Vec<RoundRow>,
    /// In the order of their ids, which is that of their beginnings.
    pub operations: Vec<OperationRow>,
    /// The ids of `provides_ecs`.
    pub provides: BTreeSet<i32>,
    /// The ids of `retrievals_ecs`.
    pub retrievals: BTreeSet<i32>,
    /// The documents of `traces`, each with the id of its operation.
    pub traces: Vec<(String, Value)>,
}

impl Books {
    /// Reads all of it.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let rounds = "SELECT id::text, scheduler_id, fleets, nodes_listed, nodes_ready, skipped_before, \
                      extract(epoch FROM due_at)::float8, extract(epoch FROM started_at)::float8, \
                      extract(epoch FROM ended_at)::float8, outcome, nodes_without_heartbeat \
                      FROM rounds ORDER BY due_at, id";
        let operations = "SELECT id::text, round_id::text, node_id, kind, probe, outcome, \
                          CASE kind WHEN 'provide' THEN provide_id ELSE retrieval_id END, from_own_records \
                          FROM operations ORDER BY id";
        let rounds = client.query(rounds, &[]).await?;
        let operations = client.query(operations, &[]).await?;
        let traces = client.query("SELECT id::text, document::text FROM traces ORDER BY id", &[]).await?;
        Ok(Self {
            rounds: rounds
                .iter()
                .map(|row| RoundRow {
                    id: row.get(0),
                    scheduler: row.get(1),
                    fleets: row.get(2),
                    listed: count(row.get(3)),
                    ready: count(row.get(4)),
                    skipped: row.get::<_, i32>(5).unsigned_abs(),
                    due: row.get(6),
                    started: row.get(7),
                    ended: row.get(8),
                    outcome: row.get(9),
                    without_heartbeat: count(row.get(10)),
                })
                .collect(),
            operations: operations
                .iter()
                .map(|row| OperationRow {
                    id: row.get(0),
                    round: row.get(1),
                    node: row.get(2),
                    kind: row.get(3),
                    probe: row.get(4),
                    outcome: row.get(5),
                    measurement: row.get(6),
                    from_own_records: row.get(7),
                })
                .collect(),
            provides: numbers(client, "provides_ecs").await?,
            retrievals: numbers(client, "retrievals_ecs").await?,
            traces: traces.iter().map(|row| (row.get(0), document(row.get(1)))).collect(),
        })
    }

    /// The rounds of each loop, in the order in which they were due.
    pub fn loops(&self) -> BTreeMap<i32, Vec<&RoundRow>> {
        let mut loops: BTreeMap<i32, Vec<&RoundRow>> = BTreeMap::new();
        for round in &self.rounds {
            loops.entry(round.scheduler).or_default().push(round);
        }
        loops
    }

    /// How many attempts have each class.
    pub fn classes(&self) -> BTreeMap<&str, usize> {
        let mut classes = BTreeMap::new();
        for row in &self.operations {
            *classes.entry(row.outcome.as_str()).or_default() += 1;
        }
        classes
    }
}

/// Whatever is no JSON is no trace either.
fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

async fn numbers(client: &Client, table: &str) -> Result<BTreeSet<i32>, Error> {
    let rows = client.query(&format!("SELECT id FROM {table}"), &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The tables have no negative counts.
fn count(value: i32) -> usize {
    usize::try_from(value).unwrap_or_default()
}
