//! The output of the demonstration about its rounds.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_actors::scheduling::fleet::RoundFinished;
use parsec_measure::{Attempt, Node, OperationKind, Tally};
use parsec_show::words;
use serde_json::{Value, json};

use crate::output::{self, Unwritten};
use parsec_settings::OutputFormat;

/// Collects the results and shows them. Results go to stdout, everything else to stderr.
pub(crate) struct Board {
    format: OutputFormat,
    tallies: BTreeMap<(String, OperationKind), Tally>,
    rounds: u64,
    failures: u64,
    started: Instant,
    progress: ProgressBar,
}

/// The fleet that the others are compared with.
const BASELINE: &str = "default";

const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

impl Board {
    /// Whether a status line is updated in place on stderr, which needs a terminal.
    pub(crate) fn new(format: OutputFormat, live: bool) -> Self {
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let progress = ProgressBar::with_draw_target(None, target);
        let style =
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        progress.set_style(style);
        Self { format, tallies: BTreeMap::new(), rounds: 0, failures: 0, started: Instant::now(), progress }
    }

    /// Whether stderr can show a status line.
    pub(crate) fn can_be_live() -> bool {
        std::io::stderr().is_terminal()
    }

    /// Prints a line that stays.
    pub(crate) fn announce(&self, text: &str) {
        self.progress.suspend(|| output::note_now(text));
    }

    /// Shows the current state: in the status line, or as a line of its own.
    pub(crate) fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if self.progress.is_hidden() {
            return output::note(&text);
        }
        self.progress.set_message(text);
        self.progress.enable_steady_tick(Duration::from_millis(120));
    }

    /// Counts a round and shows it.
    pub(crate) fn show(&mut self, finished: &RoundFinished) -> Result<(), Unwritten> {
        self.rounds += 1;
        for (node, attempt) in &finished.attempts {
            let tally = self.tallies.entry((node.fleet.to_string(), attempt.kind)).or_default();
            let before = tally.failures();
            tally.add(&attempt.result);
            self.failures += tally.failures() - before;
        }
        match self.format {
            OutputFormat::Text => {
                let text = format!("round {}, fleet {}\n{}", self.rounds, finished.group, self.table());
                self.print(&text)?;
                self.say(format!("{} rounds done, {} failures so far; Ctrl-C ends", self.rounds, self.failures));
                Ok(())
            }
            OutputFormat::Json => {
                for (node, attempt) in &finished.attempts {
                    self.print(&attempt_json(node, attempt).to_string())?;
                }
                self.print(&round_json(finished).to_string())
            }
        }
    }

    /// The closing summary.
    pub(crate) fn conclude(&self) -> Result<(), Unwritten> {
        self.progress.finish_and_clear();
        match self.format {
            OutputFormat::Text => {
                let seconds = self.started.elapsed().as_secs_f64();
                let text = format!("{} rounds in {seconds:.1} s, {} failures", self.rounds, self.failures);
                self.print(&format!("{text}\n{}{}", self.table(), self.comparison()))
            }
            OutputFormat::Json => self.print(&self.summary_json().to_string()),
        }
    }

    fn print(&self, text: &str) -> Result<(), Unwritten> {
        self.progress.suspend(|| output::line(text))
    }

    fn table(&self) -> Table {
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
    fn comparison(&self) -> String {
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

    fn summary_json(&self) -> Value {
        let rows: Vec<Value> = self
            .tallies
            .iter()
            .map(|((fleet, kind), tally)| {
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
            })
            .collect();
        json!({
            "type": "summary",
            "rounds": self.rounds,
            "failures": self.failures,
            "duration_seconds": self.started.elapsed().as_secs_f64(),
            "results": rows,
        })
    }
}

fn attempt_json(node: &Node, attempt: &Attempt) -> Value {
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

fn round_json(finished: &RoundFinished) -> Value {
    let round = &finished.round;
    json!({
        "type": "round",
        "id": round.id.0.to_string(),
        "fleets": finished.group.to_string(),
        "nodes_ready": round.nodes_ready,
        "nodes_listed": round.nodes_listed,
        "attempts": finished.attempts.len(),
        "outcome": round.ended.map(|(_, outcome)| outcome.as_str()),
        "started": round.started.to_rfc3339(),
        "ended": round.ended.map(|(at, _)| at.to_rfc3339()),
    })
}
