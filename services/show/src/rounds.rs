//! Rounds as they are played: the results of each fleet so far, for people and for programs.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use parsec_measure::{Attempt, FleetGroup, Node, OperationKind, Round, Tally};
use serde_json::{Value, json};

use crate::words;

/// The fleet that the others are compared with.
const BASELINE: &str = "default";

const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// What rounds have come to so far.
#[derive(Debug, Default)]
pub struct Tallies {
    tallies: BTreeMap<(String, OperationKind), Tally>,
    /// How many attempts have failed.
    pub failures: u64,
}

impl Tallies {
    /// Counts an attempt.
    pub fn add(&mut self, node: &Node, attempt: &Attempt) {
        let tally = self.tallies.entry((node.fleet.to_string(), attempt.kind)).or_default();
        let before = tally.failures();
        tally.add(&attempt.result);
        self.failures += tally.failures() - before;
    }

    /// For people: how long operations took, by fleet and kind.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_header(["fleet", "operation", "n", "failures", "p50", "p90", "p99", "routing table (peers)"]);
        for ((fleet, kind), tally) in &self.tallies {
            let [p50, p90, p99] =
                tally.quantiles(QUANTILES).map(|value| value.map_or_else(|| "–".to_owned(), words::duration));
            let counts = [tally.attempts(), tally.failures()].map(|count| count.to_string());
            let [n, failures] = counts;
            let size = tally.routing_table_size().to_string();
            table.add_row([fleet.clone(), kind.to_string(), n, failures, p50, p90, p99, size]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// How the fleets' publications compare with the classic ones.
    pub fn comparison(&self) -> String {
        let median = |fleet: &str| {
            let tally = self.tallies.get(&(fleet.to_owned(), OperationKind::Provide))?;
            Some(tally.quantiles([0.5])[0]?.as_secs_f64())
        };
        let Some(baseline) = median(BASELINE) else { return String::new() };
        let others = self.tallies.keys().filter(|(fleet, kind)| fleet != BASELINE && *kind == OperationKind::Provide);
        let lines = others.filter_map(|(fleet, _)| {
            Some(format!("\n{fleet} publishes {} than {BASELINE} at p50", words::speed(baseline, median(fleet)?)))
        });
        lines.collect()
    }

    /// For programs: one object for each fleet and kind of operation.
    pub fn json(&self) -> Vec<Value> {
        let rows = self.tallies.iter().map(|((fleet, kind), tally)| {
            let [p50, p90, p99] = tally.quantiles(QUANTILES).map(|value| value.map(|value| value.as_secs_f64()));
            json!({
                "fleet": fleet,
                "operation": kind.as_str(),
                "n": tally.attempts(),
                "failures": tally.failures(),
                "p50_seconds": p50,
                "p90_seconds": p90,
                "p99_seconds": p99,
                "routing_table_peers": tally.routing_table_size(),
            })
        });
        rows.collect()
    }
}

/// An attempt, for programs.
pub fn attempt_json(node: &Node, attempt: &Attempt) -> Value {
    let result = &attempt.result;
    json!({
        "type": "attempt",
        "id": attempt.id.0.to_string(),
        "round": attempt.round.0.to_string(),
        "fleet": node.fleet.as_str(),
        "region": node.region,
        "node": node.id.0,
        "operation": attempt.kind.as_str(),
        "cid": attempt.cid,
        "outcome": result.class.as_str(),
        "error": result.error,
        "duration_seconds": result.duration.as_secs_f64(),
        "routing_table_peers": result.routing_table_size,
        "rpcs": result.effort.rpcs,
        "rpcs_failed": result.effort.rpcs_failed,
        "dials": result.effort.dials,
        "dials_failed": result.effort.dials_failed,
        "holders_stored": result.effort.holders_stored,
        "holders_confirmed": result.effort.holders_confirmed,
        "holders_failed": result.effort.holders_failed,
        "holders_pending": result.effort.holders_pending,
        "network_size_peers": result.network_size,
        "fallback": result.fallback,
        "from_own_records": result.from_own_records,
        "found_publisher": result.found_publisher,
        "started": attempt.started.to_rfc3339(),
    })
}

/// A round that has ended, with how many attempts, for programs.
pub fn round_json(group: &FleetGroup, round: &Round, attempts: usize) -> Value {
    json!({
        "type": "round",
        "id": round.id.0.to_string(),
        "fleets": group.to_string(),
        "nodes_ready": round.nodes_ready,
        "nodes_listed": round.nodes_listed,
        "attempts": attempts,
        "outcome": round.ended.map(|(_, outcome)| outcome.as_str()),
        "started": round.started.to_rfc3339(),
        "ended": round.ended.map(|(at, _)| at.to_rfc3339()),
    })
}
