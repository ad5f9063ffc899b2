//! Rounds as they are played: the results of each fleet so far, for people and for programs.

use std::collections::{BTreeMap, VecDeque};

use comfy_table::{CellAlignment, ColumnConstraint, Table, Width};
use parsec_measure::{Attempt, FleetGroup, Node, OperationKind, OutcomeClass, Round};
use parsec_results::round_number;
use parsec_results::statistics::{Observation, QUANTILES, Sample};
use serde_json::{Map, Value, json};

use crate::verdicts::{Baseline, verdicts};
use crate::{groups, table};

/// The fleet that the others are compared with.
const BASELINE: &str = "default";

/// How many attempts of a fleet and kind are kept: the figures are of the newest ones, which are those of days of a demonstration.
const MAX_KEPT: usize = 100_000;

/// The width of the table: every terminal has it.
const COLUMNS: u16 = 80;

/// How narrow the column of the fleets may become: the names that a demonstration gives them stay whole.
const FLEET: u16 = 8;

/// What rounds have come to so far.
#[derive(Debug, Default)]
pub struct Tallies {
    tallies: BTreeMap<(String, OperationKind), Tally>,
    /// How many attempts have failed, in whatever way.
    pub failures: u64,
}

/// The attempts of one kind in one fleet.
#[derive(Debug, Default)]
struct Tally {
    attempts: u64,
    failures: u64,
    /// Those that say how long the DHT takes, or that it fails.
    observations: VecDeque<Observation>,
    /// The routing-table size of the newest measured attempt, in peers.
    routing_table_size: u32,
}

impl Tally {
    fn add(&mut self, attempt: &Attempt) {
        let result = &attempt.result;
        self.attempts += 1;
        if result.class != OutcomeClass::Ok {
            self.failures += 1;
        }
        if result.class.is_measured() {
            self.routing_table_size = result.routing_table_size;
        }
        // Nobody was asked: that time is none of the DHT's.
        if result.from_own_records {
            return;
        }
        if self.observations.len() == MAX_KEPT {
            self.observations.pop_front();
        }
        let (round, class, duration) = (round_number(attempt.round), result.class, result.duration);
        self.observations.push_back(Observation { round, stratum: 0, class, duration });
    }

    fn sample(&self) -> Sample {
        self.observations.iter().copied().collect()
    }
}

impl Tallies {
    /// Counts an attempt.
    pub fn add(&mut self, node: &Node, attempt: &Attempt) {
        let tally = self.tallies.entry((node.fleet.to_string(), attempt.kind)).or_default();
        let before = tally.failures;
        tally.add(attempt);
        self.failures += tally.failures - before;
    }

    /// For people: how long operations took, by fleet and kind, in 80 columns. Half an interval says something else than the whole: where
    /// there is no room, first the peers are left out, then p99, and names of fleets that are long are broken.
    pub fn table(&self) -> String {
        let rows: Vec<Row<'_>> = self.tallies.iter().map(|(name, tally)| (name, tally, tally.sample())).collect();
        let carries = |q| rows.iter().any(|(.., sample)| sample.quantile(q).is_some());
        // A column of dashes says no more than none.
        let mut shown: Vec<_> = QUANTILES.into_iter().filter(|(name, q)| *name != "p99" || carries(*q)).collect();
        let mut table = laid_out(&rows, &shown, true);
        if table::width(&table) > COLUMNS {
            table = laid_out(&rows, &shown, false);
        }
        if narrowed(&mut table) > COLUMNS {
            shown.retain(|(name, _)| *name != "p99");
            table = laid_out(&rows, &shown, false);
            narrowed(&mut table);
        }
        table::plain(table)
    }

    /// How the fleets' publications compare with the classic ones.
    pub fn comparison(&self) -> String {
        let published = |fleet: &str| self.tallies.get(&(fleet.to_owned(), OperationKind::Provide));
        let Some(baseline) = published(BASELINE).map(Tally::sample) else { return String::new() };
        let provided = self.tallies.iter().filter(|((_, kind), _)| *kind == OperationKind::Provide);
        let others: Vec<_> = provided
            .filter(|((fleet, _), _)| fleet != BASELINE)
            .map(|((fleet, _), tally)| (fleet.as_str(), tally.sample()))
            .collect();
        let others: Vec<_> = others.iter().map(|(fleet, sample)| (*fleet, sample)).collect();
        verdicts(OperationKind::Provide, &Baseline { name: BASELINE, sample: &baseline, units: "rounds" }, &others)
    }

    /// For programs: one object for each fleet and kind of operation.
    pub fn json(&self) -> Vec<Value> {
        let rows = self.tallies.iter().map(|((fleet, kind), tally)| {
            let mut row: Map<_, _> = [
                ("fleet", json!(fleet)),
                ("operation", json!(kind.as_str())),
                ("n", json!(tally.attempts)),
                ("failures", json!(tally.failures)),
                ("routing_table_peers", json!(tally.routing_table_size)),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect();
            row.extend(groups::flat_quantiles(&tally.sample()));
            Value::Object(row)
        });
        rows.collect()
    }
}

/// A row of the table: whose it is, what was counted, and what it says.
type Row<'a> = (&'a (String, OperationKind), &'a Tally, Sample);

/// The table with these quantiles, with or without how many peers were known.
fn laid_out(rows: &[Row<'_>], shown: &[(&str, f64)], with_peers: bool) -> Table {
    let mut table = Table::new();
    let heads = shown.iter().map(|(name, _)| *name).chain(with_peers.then_some("peers\nknown"));
    table.set_header(["fleet", "operation", "n", "failures"].into_iter().chain(heads));
    for ((fleet, kind), tally, sample) in rows {
        let mut cells = vec![fleet.clone(), kind.to_string(), tally.attempts.to_string(), tally.failures.to_string()];
        cells.extend(shown.iter().map(|(_, q)| groups::quantile(sample.quantile(*q), "\n")));
        cells.extend(with_peers.then(|| tally.routing_table_size.to_string()));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Makes the names of fleets as narrow as the table has to be, if they can be; returns how wide it is then.
fn narrowed(table: &mut Table) -> u16 {
    let (whole, names) = (table::width(table), table.column_max_content_widths().first().copied().unwrap_or_default());
    let narrow = names.saturating_sub(whole.saturating_sub(COLUMNS)).max(FLEET.min(names));
    if let Some(column) = table.column_mut(0).filter(|_| narrow < names) {
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(narrow + table::GAP)));
    }
    whole - (names - narrow)
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
        "left_out_before": round.skipped_before,
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

    fn node(fleet: &str) -> Node {
        Node {
            id: NodeId(1),
            peer_id: "12D3KooWSample".to_owned(),
            fleet: fleet.parse().unwrap(),
            region: "local".to_owned(),
            endpoint: Endpoint::new("127.0.0.1".parse().unwrap(), 1),
        }
    }

    fn tallied(rounds: u128, default: u64, optprov: u64) -> Tallies {
        let mut tallies = Tallies::default();
        for (fleet, ms) in [("default", default), ("optprov", optprov)] {
            for number in 0..rounds {
                let duration = Duration::from_millis(ms + 10 * (number as u64 % 7));
                let result = Measured { error: None, ..Measured::unmeasured(OutcomeClass::Ok, duration, "") };
                tallies.add(&node(fleet), &attempt(number << 64, result, Utc::now()));
            }
        }
        tallies
    }

    fn played(rounds: u128, default: u64, optprov: u64) -> String {
        tallied(rounds, default, optprov).comparison()
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
        let few = "\nhow fast optprov publishes is not compared with default after 2 and 2 rounds: it takes 10 of each";
        assert_eq!(played(2, 900, 300), few);
        let told = played(40, 900, 300);
        assert!(told.starts_with("\noptprov publishes faster than default: p50 is 0.35x as long (95 %: 0."), "{told}");
        let told = played(40, 300, 900);
        assert!(told.starts_with("\noptprov publishes slower than default: p50 is 2.82x as long (95 %: 2."), "{told}");
        assert_eq!(played(0, 1, 1), "");
    }

    #[test]
    fn a_quantile_stands_in_the_table_only_where_there_are_enough_attempts() {
        let ten = tallied(10, 900, 300).table();
        assert!(ten.contains("p90") && !ten.contains("p99"), "ten attempts carry no p99:\n{ten}");
        assert!(ten.contains("920 ms"), "{ten}");
        let p90 = ten.lines().find(|line| line.starts_with("default")).unwrap().split_whitespace().nth(6);
        assert_eq!(p90, Some("–"), "ten attempts carry no p90:\n{ten}");
        assert!(tallied(400, 900, 300).table().contains("p99"));
        let row = &tallied(10, 900, 300).json()[0];
        assert_eq!(
            (&row["fleet"], &row["p50_seconds"], &row["p99_seconds"]),
            (&json!("default"), &json!(0.92), &Value::Null)
        );
    }

    #[test]
    fn failures_count_in_the_quantiles_and_answers_from_own_records_in_none() {
        let mut tallies = tallied(10, 900, 300);
        for number in 10..50 {
            let failed = Measured::unmeasured(OutcomeClass::Timeout, Duration::from_secs(60), "");
            tallies.add(&node("default"), &attempt(number << 64, failed, Utc::now()));
        }
        let own = Measured {
            from_own_records: true,
            error: None,
            ..Measured::unmeasured(OutcomeClass::Ok, Duration::ZERO, "")
        };
        tallies.add(&node("optprov"), &attempt(99 << 64, own, Utc::now()));
        let rows = tallies.json();
        assert_eq!((&rows[0]["failures"], &rows[0]["p50_seconds"]), (&json!(40), &json!("> 60")));
        assert_eq!((&rows[1]["n"], &rows[1]["p50_seconds"]), (&json!(11), &json!(0.32)));
        assert_eq!(tallies.failures, 40);
    }

    #[test]
    fn the_table_fits_eighty_columns_whatever_was_measured() {
        let mut tallies = tallied(400, 150_000, 12_345);
        for number in 400..500 {
            let failed = Measured::unmeasured(OutcomeClass::Timeout, Duration::from_secs(180), "");
            tallies.add(&node("default"), &attempt(number << 64, failed.clone(), Utc::now()));
            tallies.add(&node("a-fleet-with-a-long-name"), &attempt(number << 64, failed, Utc::now()));
        }
        let text = tallies.table();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("p99") && text.contains("> 180.0 s"), "{text}");
        assert!(text.contains("a-fleet-") && !text.contains("a-fleet-with-a-long-name"), "{text}");
    }

    /// So many attempts of a fleet, one in `fails` of which runs into its limit.
    fn add(tallies: &mut Tallies, fleet: &str, duration: impl Fn(u64) -> u64, fails: u64) {
        for number in 0..400 {
            let (class, ms) = if number % fails == fails - 1 {
                (OutcomeClass::Timeout, 180_000)
            } else {
                (OutcomeClass::Ok, duration(number))
            };
            let result = Measured { error: None, ..Measured::unmeasured(class, Duration::from_millis(ms), "") };
            tallies.add(&node(fleet), &attempt(u128::from(number) << 64, result, Utc::now()));
        }
    }

    fn is_whole_in_eighty_columns(text: &str) {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{text}");
            assert_eq!(line.matches('(').count(), line.matches(')').count(), "an interval is broken:\n{text}");
        }
    }

    #[test]
    fn an_interval_is_never_broken_and_the_peers_go_first() {
        let mut tallies = Tallies::default();
        for fleet in ["default", "fullrt", "optprov"] {
            add(&mut tallies, fleet, |number| 20_000 + 1_250 * (number * 7_919 % 101), 1_000);
        }
        let text = tallies.table();
        is_whole_in_eighty_columns(&text);
        assert!(text.contains("p99") && !text.contains("peers"), "{text}");
        assert!(tallied(400, 900, 300).table().contains("peers"), "there is room for all");
    }

    #[test]
    fn where_there_is_no_room_for_a_p99_there_is_none() {
        let mut tallies = Tallies::default();
        for (fleet, fails) in [("default", 2), ("fullrt", 10), ("optprov", 100)] {
            add(&mut tallies, fleet, |number| 150_000 + 10 * (number % 7), fails);
        }
        let text = tallies.table();
        is_whole_in_eighty_columns(&text);
        assert!(text.contains("p90") && !text.contains("p99"), "{text}");
        assert_eq!(text.matches("–> 180.0 s)").count(), 2, "{text}");
    }
}
