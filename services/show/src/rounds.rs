//! Rounds as they are played: the results of each fleet so far, for people and for programs.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use parsec_measure::{Attempt, FleetGroup, Node, OperationKind, Round, Tally};
use parsec_results::round_number;
use parsec_results::statistics::{
    CompareError, Compared, Comparison, Figure, Interval, MIN_ROUNDS, Observation, QUANTILES, Sample, Verdict, compare,
};
use serde_json::{Value, json};

use crate::words;

/// The fleet that the others are compared with.
const BASELINE: &str = "default";

/// How many publications of a fleet are kept to compare it: days of a demonstration.
const MAX_COMPARED: usize = 100_000;

/// What rounds have come to so far.
#[derive(Debug, Default)]
pub struct Tallies {
    tallies: BTreeMap<(String, OperationKind), Tally>,
    published: BTreeMap<String, Vec<Observation>>,
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
        if attempt.kind == OperationKind::Provide {
            let published = self.published.entry(node.fleet.to_string()).or_default();
            if published.len() < MAX_COMPARED {
                let (round, result) = (round_number(attempt.round), &attempt.result);
                published.push(Observation { round, stratum: 0, class: result.class, duration: result.duration });
            }
        }
    }

    /// For people: how long operations took, by fleet and kind.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_header(["fleet", "operation", "n", "failures", "p50", "p90", "p99", "routing table (peers)"]);
        for ((fleet, kind), tally) in &self.tallies {
            let [p50, p90, p99] = tally
                .quantiles(QUANTILES.map(|(_, q)| q))
                .map(|value| value.map_or_else(|| "–".to_owned(), words::duration));
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
        let sample = |published: &Vec<Observation>| published.iter().copied().collect::<Sample>();
        let Some(baseline) = self.published.get(BASELINE).map(sample) else { return String::new() };
        let others = self.published.iter().filter(|(fleet, _)| *fleet != BASELINE);
        let others: Vec<_> = others.map(|(fleet, published)| (fleet, sample(published))).collect();
        let pairs: Vec<_> = others.iter().map(|(_, other)| (&baseline, other)).collect();
        let compared = compare(&pairs, Comparison::default());
        let lines = others.iter().zip(compared).map(|((fleet, _), compared)| format!("\n{}", verdict(fleet, compared)));
        lines.collect()
    }

    /// For programs: one object for each fleet and kind of operation.
    pub fn json(&self) -> Vec<Value> {
        let rows = self.tallies.iter().map(|((fleet, kind), tally)| {
            let [p50, p90, p99] =
                tally.quantiles(QUANTILES.map(|(_, q)| q)).map(|value| value.map(|value| value.as_secs_f64()));
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

/// How a fleet publishes, in comparison with the classic one.
fn verdict(fleet: &str, compared: Result<Vec<Compared>, CompareError>) -> String {
    let CompareError::TooFewRounds { a, b } = match compared {
        Ok(compared) => match compared.into_iter().find(|compared| compared.figure == Figure::P50) {
            Some(Compared { ratio: Some(Interval { value, low, high }), verdict, .. }) => {
                let told = match verdict {
                    Verdict::Better => "publishes faster than",
                    Verdict::Worse => "publishes slower than",
                    Verdict::Equal => "publishes as fast as",
                    Verdict::Inconclusive => "is not shown to publish faster or slower than",
                };
                return format!("{fleet} {told} {BASELINE}: p50 is {value:.2}x as long (95 %: {low:.2}–{high:.2})");
            }
            _ => return format!("{fleet} and {BASELINE} have too few publications for a comparison of p50"),
        },
        Err(error) => error,
    };
    format!("{fleet} is not compared with {BASELINE} after {b} and {a} rounds: it takes {MIN_ROUNDS} of each")
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{TimeDelta, Utc};
    use parsec_measure::{AttemptId, Endpoint, Measured, NodeId, OutcomeClass, RoundId, SchedulerId};
    use uuid::Uuid;

    use super::*;

    fn played(rounds: u128, default: u64, optprov: u64) -> String {
        let mut tallies = Tallies::default();
        for (fleet, ms) in [("default", default), ("optprov", optprov)] {
            for number in 0..rounds {
                let node = Node {
                    id: NodeId(1),
                    peer_id: "12D3KooWSample".to_owned(),
                    fleet: fleet.parse().unwrap(),
                    region: "local".to_owned(),
                    endpoint: Endpoint::new("127.0.0.1".parse().unwrap(), 1),
                };
                let duration = Duration::from_millis(ms + 10 * (number as u64 % 7));
                let result = Measured { error: None, ..Measured::unmeasured(OutcomeClass::Ok, duration, "") };
                let now = Utc::now();
                tallies.add(&node, &attempt(number << 64, result, now));
            }
        }
        tallies.comparison()
    }

    fn attempt(round: u128, result: Measured, now: chrono::DateTime<Utc>) -> Attempt {
        Attempt {
            id: AttemptId(Uuid::nil()),
            round: RoundId(Uuid::from_u128(round)),
            scheduler: SchedulerId(1),
            node: NodeId(1),
            kind: OperationKind::Provide,
            probe: 0,
            cid: String::new(),
            due: now,
            started: now,
            ended: now + TimeDelta::seconds(1),
            result,
            why_kept: None,
        }
    }

    #[test]
    fn fleets_are_compared_once_there_are_enough_rounds() {
        assert_eq!(
            played(2, 900, 300),
            "\noptprov is not compared with default after 2 and 2 rounds: it takes 10 of each"
        );
        let told = played(40, 900, 300);
        assert!(told.starts_with("\noptprov publishes faster than default: p50 is 0.35x as long (95 %: 0."), "{told}");
        let told = played(40, 300, 900);
        assert!(told.starts_with("\noptprov publishes slower than default: p50 is 2.82x as long (95 %: 2."), "{told}");
        assert_eq!(played(0, 1, 1), "");
    }
}
