//! A comparison of strategies: a table for people, JSON or CSV for programs.

use comfy_table::{CellAlignment, Table};
use parsec_measure::{OperationKind, StrategyKind};
use parsec_results::bench::{BenchRow, Means, Unit};
use parsec_results::statistics::{QUANTILES, Reading};
use serde_json::{Map, Value, json};

use crate::verdicts::{Baseline, verdicts};
use crate::{groups, table};

/// For people: how long it took, what it cost, and how each strategy compares with the classic one.
pub fn table(rows: &[BenchRow], unit: Unit) -> String {
    let (times, costs) = (table::plain(times(rows, unit)), table::plain(costs(rows)));
    format!("{times}\n\n{costs}\n{}{}", intervals(rows, unit), compared(rows, unit))
}

/// How long it took: quantiles of all operations, failed ones included.
fn times(rows: &[BenchRow], unit: Unit) -> Table {
    let shown: Vec<_> = QUANTILES
        .into_iter()
        // A column of dashes says no more than none.
        .filter(|(name, q)| *name == "p50" || rows.iter().any(|row| row.sample.quantile(*q).is_some()))
        .collect();
    let mut table = Table::new();
    let heads = shown.iter().map(|(name, _)| (*name).to_owned());
    let last = match unit {
        Unit::Operation => "survivors\np50, p90 (s)".to_owned(),
        Unit::Network => "p90 of a\nnetwork (s)".to_owned(),
    };
    let head = ["strategy", "operation", "due", "succeeded"].map(str::to_owned).into_iter();
    table.set_header(head.chain(heads).chain([last]));
    for row in rows {
        let carried = |q| row.sample.quantile(q).and_then(|_| row.sample.survivors(q));
        let mut cells = vec![row.strategy.to_string(), row.kind.to_string(), row.sample.counts().due.to_string()];
        cells.push(groups::success(&row.sample, "\n"));
        cells.extend(shown.iter().map(|(_, q)| groups::quantile(row.sample.quantile(*q), "\n")));
        cells.push(match row.spread {
            Some([_, (least, most)]) => format!("{} to {}", seconds(least), seconds(most)),
            None => format!("{}, {}", number(carried(0.5), 3), number(carried(0.9), 3)),
        });
        table.add_row(cells);
    }
    right(table)
}

/// What it cost and came to. Side by side with the times this would be wider than a terminal.
fn costs(rows: &[BenchRow]) -> Table {
    let mut table = Table::new();
    table.set_header([
        "strategy",
        "operation",
        "p50\n(RTT)",
        "RPCs/op\n(failed)",
        "dials/op\n(failed)",
        "network\n(peers)",
        "holders\nat return,\nat end",
        "closest\nfound\n(%)",
    ]);
    for row in rows {
        let Means { rpcs, rpcs_failed, dials, dials_failed, network_size, .. } = row.means;
        let holders = match (row.means.holders_at_return, row.means.holders_final) {
            (None, None) => groups::TOO_FEW.to_owned(),
            (at_return, at_end) => format!("{}, {}", number(at_return, 1), number(at_end, 1)),
        };
        table.add_row([
            row.strategy.to_string(),
            row.kind.to_string(),
            number(round_trips(row, 0.5), 1),
            format!("{} ({})", number(rpcs, 1), number(rpcs_failed, 1)),
            format!("{} ({})", number(dials, 1), number(dials_failed, 1)),
            number(network_size, 0),
            holders,
            number(row.means.closest_found.map(|share| share * 100.0), 1),
        ]);
    }
    right(table)
}

fn right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn seconds(seconds: f64) -> String {
    if seconds.is_finite() { format!("{seconds:.2}") } else { "failed".to_owned() }
}

pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| groups::TOO_FEW.to_owned(), |value| format!("{value:.digits$}"))
}

/// A quantile in round trips; nothing if these take no time, or if it is no time.
fn round_trips(row: &BenchRow, q: f64) -> Option<f64> {
    match row.sample.quantile(q)?.value {
        Reading::Took(seconds) if !row.round_trip.is_zero() => Some(seconds / row.round_trip.as_secs_f64()),
        _ => None,
    }
}

/// What the intervals are about.
fn intervals(rows: &[BenchRow], unit: Unit) -> String {
    let networks = rows.iter().map(|row| row.networks).max().unwrap_or_default();
    match unit {
        Unit::Network => format!("in brackets: 95 % intervals over {networks} networks"),
        Unit::Operation => {
            "in brackets: 95 % intervals over the operations on this one network; another one may be far off \
                            (--networks 40)"
                .to_owned()
        }
    }
}

/// How each strategy compares with the classic one, if that was measured.
fn compared(rows: &[BenchRow], unit: Unit) -> String {
    let of_kind = |kind: OperationKind| {
        let rows: Vec<_> = rows.iter().filter(|row| row.kind == kind).collect();
        let classic = rows.iter().find(|row| row.strategy == StrategyKind::Classic)?;
        let others: Vec<_> = rows.iter().filter(|row| row.strategy != StrategyKind::Classic).collect();
        let others: Vec<_> = others.iter().map(|row| (row.strategy.as_str(), &row.sample)).collect();
        let units = match unit {
            Unit::Operation => "operations",
            Unit::Network => "networks",
        };
        let baseline = Baseline { name: StrategyKind::Classic.as_str(), sample: &classic.sample, units };
        Some(verdicts(kind, &baseline, &others))
    };
    OperationKind::ALL.into_iter().filter_map(of_kind).collect()
}

/// A row by the names of its figures, in their order.
pub(crate) fn flat(row: &BenchRow, network: &str) -> Vec<(String, Value)> {
    let counts = row.sample.counts();
    let share = row.sample.success().map(|success| success.share);
    let mut flat = vec![
        ("strategy".to_owned(), json!(row.strategy.as_str())),
        ("operation".to_owned(), json!(row.kind.as_str())),
        ("network".to_owned(), json!(network)),
        ("networks".to_owned(), json!(row.networks)),
        ("n".to_owned(), json!(counts.due + counts.unsaid.values().sum::<usize>())),
        ("due".to_owned(), json!(counts.due)),
        ("successes".to_owned(), json!(counts.succeeded)),
        ("success_low".to_owned(), json!(share.map(|share| share.low))),
        ("success_high".to_owned(), json!(share.map(|share| share.high))),
    ];
    flat.extend(groups::flat_quantiles(&row.sample));
    for (name, q) in QUANTILES {
        flat.push((format!("{name}_round_trips"), json!(round_trips(row, q))));
    }
    for (name, at) in [("p50", 0), ("p90", 1)] {
        let ends = row.spread.map(|spread| spread[at]);
        flat.push((format!("{name}_network_min_seconds"), ends.map_or(Value::Null, |(least, _)| for_programs(least))));
        flat.push((format!("{name}_network_max_seconds"), ends.map_or(Value::Null, |(_, most)| for_programs(most))));
    }
    let means = row.means;
    for (name, mean) in [
        ("rpcs_mean", means.rpcs),
        ("rpcs_failed_mean", means.rpcs_failed),
        ("dials_mean", means.dials),
        ("dials_failed_mean", means.dials_failed),
        ("network_size_mean", means.network_size),
        ("holders_at_return_mean", means.holders_at_return),
        ("holders_final_mean", means.holders_final),
        ("holders_left_mean", means.holders_left),
        ("closest_found_share", means.closest_found),
    ] {
        flat.push((name.to_owned(), json!(mean)));
    }
    flat
}

/// JSON has no infinity.
fn for_programs(seconds: f64) -> Value {
    if seconds.is_finite() { json!(seconds) } else { json!("failed") }
}

/// For programs: a list of objects. `network` says on what it was, so that nobody takes a model for a measurement.
pub fn json(rows: &[BenchRow], network: &str) -> String {
    let rows: Value =
        rows.iter().map(|row| Value::Object(flat(row, network).into_iter().collect::<Map<_, _>>())).collect();
    format!("{rows:#}")
}

/// For spreadsheets.
pub fn csv(rows: &[BenchRow], network: &str) -> String {
    let rows: Vec<_> = rows.iter().map(|row| flat(row, network)).collect();
    let header: Vec<_> = rows.first().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    table::csv(header, rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()))
}

#[cfg(test)]
mod tests;
