//! A comparison of strategies: a table for people, JSON or CSV for programs.

use crate::{table, words};
use comfy_table::{CellAlignment, Table, presets};
use parsec_measure::{OperationKind, StrategyKind};
use parsec_results::bench::BenchRow;

/// The columns of the CSV file, in their order: the fields of a [`BenchRow`].
const COLUMNS: [&str; 18] = [
    "strategy",
    "operation",
    "n",
    "successes",
    "p50_seconds",
    "p90_seconds",
    "p99_seconds",
    "p50_round_trips",
    "p90_round_trips",
    "p99_round_trips",
    "rpcs_mean",
    "rpcs_failed_mean",
    "dials_mean",
    "dials_failed_mean",
    "network_size_mean",
    "holders_at_return_mean",
    "holders_final_mean",
    "closest_found_share",
];

/// For people: a table, and how each strategy's publications compare with the classic ones.
pub fn table(rows: &[BenchRow]) -> String {
    let (times, costs) = (table_of(rows, &TIMES), table_of(rows, &COSTS));
    let comparison: String =
        rows.iter().filter_map(|row| compared(row, rows)).map(|line| format!("\n{line}")).collect();
    format!("{times}\n{costs}{comparison}")
}

/// The column heads, and the figure that each cell shows: how long it took, and what it cost. Side by side the two
/// would be wider than a terminal.
const TIMES: [(&str, usize); 10] = [
    ("strategy", 0),
    ("operation", 1),
    ("n", 2),
    ("ok", 3),
    ("p50 (s)", 4),
    ("p90 (s)", 5),
    ("p99 (s)", 6),
    ("p50 (RTT)", 7),
    ("p90 (RTT)", 8),
    ("p99 (RTT)", 9),
];
const COSTS: [(&str, usize); 8] = [
    ("strategy", 0),
    ("operation", 1),
    ("RPCs/op\n(failed)", 10),
    ("dials/op\n(failed)", 11),
    ("network\n(peers)", 12),
    ("holders of 20\nat return", 13),
    ("holders of 20\nat the end", 14),
    ("closest\nfound (%)", 15),
];

fn table_of(rows: &[BenchRow], columns: &[(&str, usize)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(columns.iter().map(|(head, _)| *head));
    for row in rows {
        let cells = cells(row);
        table.add_row(columns.iter().map(|(_, cell)| cells[*cell].clone()));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(row: &BenchRow) -> Vec<String> {
    let number =
        |value: Option<f64>, digits: usize| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"));
    let with_failed = |all: Option<f64>, failed: Option<f64>| format!("{} ({})", number(all, 1), number(failed, 1));
    vec![
        row.strategy.to_string(),
        row.operation.to_string(),
        row.n.to_string(),
        row.successes.to_string(),
        number(row.p50_seconds, 3),
        number(row.p90_seconds, 3),
        number(row.p99_seconds, 3),
        number(row.p50_round_trips, 1),
        number(row.p90_round_trips, 1),
        number(row.p99_round_trips, 1),
        with_failed(row.rpcs_mean, row.rpcs_failed_mean),
        with_failed(row.dials_mean, row.dials_failed_mean),
        number(row.network_size_mean, 0),
        number(row.holders_at_return_mean, 1),
        number(row.holders_final_mean, 1),
        number(row.closest_found_share.map(|share| share * 100.0), 1),
    ]
}

/// How a strategy's publications compare with the classic ones.
fn compared(row: &BenchRow, rows: &[BenchRow]) -> Option<String> {
    let is_classic = |row: &BenchRow| row.strategy == StrategyKind::Classic;
    let is_provide = |row: &BenchRow| row.operation == OperationKind::Provide;
    if !is_provide(row) || is_classic(row) {
        return None;
    }
    let classic = rows.iter().find(|row| is_provide(row) && is_classic(row))?;
    let p50 = words::speed(classic.p50_seconds?, row.p50_seconds?);
    let p90 = words::speed(classic.p90_seconds?, row.p90_seconds?);
    Some(format!("{} provides {p50} than classic at p50, {p90} at p90", row.strategy))
}

/// For programs: a list of objects.
pub fn json(rows: &[BenchRow]) -> String {
    let rows = serde_json::to_value(rows).expect("rows are names and numbers");
    format!("{rows:#}")
}

/// For spreadsheets.
pub fn csv(rows: &[BenchRow]) -> String {
    let columns = |row: &BenchRow| {
        let row = serde_json::to_value(row).expect("a row is names and numbers");
        COLUMNS.iter().map(|column| row[column].clone()).collect()
    };
    table::csv(COLUMNS, rows.iter().map(columns))
}

#[cfg(test)]
mod tests;
