//! What a comparison of strategies shows: as a table for people, as JSON or CSV for programs.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use parsec_measure::{Effort, OperationKind, StrategyKind, quantile};
use parsec_show::words;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::output;
use parsec_settings::{BenchConfig, BenchFormat, BenchTransport};

/// The quantiles of the durations of the operations that succeeded.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// One operation of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// Whether it succeeded.
    pub(crate) success: bool,
    /// How long it took.
    pub(crate) duration: Duration,
    /// What it cost.
    pub(crate) effort: Effort,
    /// How many peers the node believed the network to have.
    pub(crate) network_size: Option<u32>,
    /// How many of the truly closest live peers held the record when a publication returned.
    pub(crate) holders_at_return: Option<u32>,
    /// How many of them held it when the last put had ended.
    pub(crate) holders_final: Option<u32>,
    /// The share of the truly closest live peers that the lookup found.
    pub(crate) closest_found: Option<f64>,
}

/// All operations of one kind by one strategy. Its fields are the names in JSON and CSV.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BenchRow {
    /// How it was done.
    pub(crate) strategy: StrategyKind,
    /// `provide` or `retrieve`.
    #[serde(serialize_with = "as_str")]
    pub(crate) operation: OperationKind,
    /// How many operations there were, failed ones included.
    pub(crate) n: usize,
    /// How many succeeded; the quantiles are of these, everything else is of all.
    pub(crate) successes: usize,
    /// Half of them took no longer.
    pub(crate) p50_seconds: Option<f64>,
    /// Nine of ten took no longer.
    pub(crate) p90_seconds: Option<f64>,
    /// All but one in a hundred took no longer.
    pub(crate) p99_seconds: Option<f64>,
    /// The same in round trips; nothing if these take no time.
    pub(crate) p50_round_trips: Option<f64>,
    /// The same in round trips.
    pub(crate) p90_round_trips: Option<f64>,
    /// The same in round trips.
    pub(crate) p99_round_trips: Option<f64>,
    /// Requests for each operation.
    pub(crate) rpcs_mean: Option<f64>,
    /// Those of them that failed.
    pub(crate) rpcs_failed_mean: Option<f64>,
    /// Dials for each operation.
    pub(crate) dials_mean: Option<f64>,
    /// Those of them that failed.
    pub(crate) dials_failed_mean: Option<f64>,
    /// How many peers the network was believed to have.
    pub(crate) network_size_mean: Option<f64>,
    /// Holders among the 20 truly closest live peers when a publication returned.
    pub(crate) holders_at_return_mean: Option<f64>,
    /// The same when its last put had ended.
    pub(crate) holders_final_mean: Option<f64>,
    /// The share of the truly closest live peers that lookups found.
    pub(crate) closest_found_share: Option<f64>,
}

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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn as_str<S: Serializer>(operation: &OperationKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(operation.as_str())
}

impl BenchRow {
    /// Sums up operations on a network with this round-trip time.
    pub(crate) fn of(strategy: StrategyKind, operation: OperationKind, rtt: Duration, samples: &[Sample]) -> Self {
        let mut durations: Vec<_> = samples.iter().filter(|sample| sample.success).map(|s| s.duration).collect();
        durations.sort_unstable();
        let [p50, p90, p99] = QUANTILES.map(|q| quantile(&durations, q));
        let in_seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
        let in_round_trips = |duration: Option<Duration>| {
            duration.filter(|_| !rtt.is_zero()).map(|duration| duration.div_duration_f64(rtt))
        };
        let of_effort =
            |count: fn(&Effort) -> Option<u32>| mean(samples, |sample| count(&sample.effort).map(f64::from));
        let of_provide = |count: fn(&Sample) -> Option<u32>| match operation {
            OperationKind::Provide => mean(samples, |sample| count(sample).map(f64::from)),
            OperationKind::Retrieve => None,
        };
        Self {
            strategy,
            operation,
            n: samples.len(),
            successes: durations.len(),
            p50_seconds: in_seconds(p50),
            p90_seconds: in_seconds(p90),
            p99_seconds: in_seconds(p99),
            p50_round_trips: in_round_trips(p50),
            p90_round_trips: in_round_trips(p90),
            p99_round_trips: in_round_trips(p99),
            rpcs_mean: of_effort(|effort| effort.rpcs),
            rpcs_failed_mean: of_effort(|effort| effort.rpcs_failed),
            dials_mean: of_effort(|effort| effort.dials),
            dials_failed_mean: of_effort(|effort| effort.dials_failed),
            network_size_mean: mean(samples, |sample| sample.network_size.map(f64::from)),
            holders_at_return_mean: of_provide(|sample| sample.holders_at_return),
            holders_final_mean: of_provide(|sample| sample.holders_final),
            closest_found_share: mean(samples, |sample| sample.closest_found),
        }
    }
}

/// The mean of what is known.
fn mean(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = samples.iter().filter_map(value).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Prints what was measured, and under which circumstances: with the table for people, beside the rows for programs.
///
/// # Errors
/// If nobody reads any more.
pub(crate) fn print(config: &BenchConfig, seed: u64, rows: &[BenchRow]) -> std::io::Result<()> {
    let heading = heading(config, seed);
    match config.format {
        BenchFormat::Table => output::line(&format!("{heading}\n{}", table(rows))),
        BenchFormat::Json => output::note(&heading).and_then(|()| output::line(&json(rows))),
        BenchFormat::Csv => output::note(&heading).and_then(|()| output::table(&csv(rows))),
    }
}

/// The circumstances in one line.
pub(crate) fn heading(config: &BenchConfig, seed: u64) -> String {
    let percent = |share: f64| format!("{} %", (share * 1e4).round() / 1e2);
    let clock = match config.transport {
        BenchTransport::Memory => "virtual clock",
        BenchTransport::Tcp | BenchTransport::Quic => "real clock",
    };
    format!(
        "{} peers, RTT {}, {} undialable, {} silent, {} connections, alpha {}, seed {seed}, transport {}, {clock}",
        config.peers,
        humantime::format_duration(config.rtt),
        percent(config.undialable.get()),
        percent(config.silent.get()),
        if config.warm { "warm" } else { "cold" },
        config.alpha,
        config.transport.as_str(),
    )
}

/// For people: a table, and how each strategy's publications compare with the classic ones.
fn table(rows: &[BenchRow]) -> String {
    let (times, costs) = (table_of(rows, &TIMES), table_of(rows, &COSTS));
    let comparison: String =
        rows.iter().filter_map(|row| compared(row, rows)).map(|line| format!("\n{line}")).collect();
    format!("{times}\n{costs}{comparison}")
}

/// The heads of the columns, and which cell stands in each: how long it took, and what it cost. Side by side they would be
/// wider than a terminal.
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
fn json(rows: &[BenchRow]) -> String {
    let rows = serde_json::to_value(rows).expect("rows are names and numbers");
    format!("{rows:#}")
}

/// For spreadsheets, as RFC 4180 has it: a header, lines that end in CR LF; what is not known is empty.
fn csv(rows: &[BenchRow]) -> String {
    let mut text = COLUMNS.join(",") + "\r\n";
    for row in rows {
        let row = serde_json::to_value(row).expect("a row is names and numbers");
        text += &COLUMNS.map(|column| field(&row[column])).join(",");
        text += "\r\n";
    }
    text
}

fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests;
