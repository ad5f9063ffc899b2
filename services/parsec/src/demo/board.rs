//! The output of the demonstration about its rounds.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_actors::scheduling::fleet::RoundFinished;
use parsec_results::run::{KeptOperation, is_simulated, of_attempt};
use parsec_show::rounds::{Tallies, attempt_json, round_json};
use parsec_show::words;
use serde_json::json;

use parsec_output::{self as output, Unwritten};
use parsec_settings::OutputFormat;

/// The most operations that are kept for a file: what a demonstration measures in days, some hundred megabytes.
const MAX_KEPT: usize = 1_000_000;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Live {
    /// A line on stderr that changes.
    pub(crate) status: bool,
    /// The table as well, in place of the one before: both streams are the same terminal.
    pub(crate) table: bool,
}

impl Live {
    /// What it can do.
    pub(crate) fn here() -> Self {
        let status = std::io::stderr().is_terminal();
        Self { status, table: status && std::io::stdout().is_terminal() }
    }
}

/// Collects the results and shows them. Results go to stdout, everything else to stderr.
pub(crate) struct Board {
    format: OutputFormat,
    live: Live,
    tallies: Tallies,
    /// How many rounds each group of fleets has played.
    rounds: BTreeMap<String, u64>,
    /// How many were left out.
    left_out: u64,
    /// What is kept for a file, if anything is.
    kept: Option<Vec<KeptOperation>>,
    /// What is measured: `local` are real peers.
    network: String,
    started: Instant,
    progress: ProgressBar,
}

impl Board {
    /// With `keeps`, every operation is kept for a file.
    pub(crate) fn new(format: OutputFormat, live: Live, keeps: bool, network: String) -> Self {
        let target = if live.status { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let progress = ProgressBar::with_draw_target(None, target);
        let style =
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        progress.set_style(style);
        Self {
            format,
            live,
            tallies: Tallies::default(),
            rounds: BTreeMap::new(),
            left_out: 0,
            kept: keeps.then(Vec::new),
            network,
            started: Instant::now(),
            progress,
        }
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
        // A whole table that is drawn again several times a second flickers on slow terminals.
        self.progress.enable_steady_tick(Duration::from_millis(if self.live.table { 1_000 } else { 120 }));
    }

    /// Counts a round and shows it.
    pub(crate) fn show(&mut self, finished: &RoundFinished) -> Result<(), Unwritten> {
        let heading = self.count(finished);
        if self.format == OutputFormat::Text { self.show_table(&heading) } else { self.print_round(finished) }
    }

    /// Counts one of many rounds, of `all`: for people, it only shows how far they are.
    pub(crate) fn collect(&mut self, finished: &RoundFinished, all: u64) -> Result<(), Unwritten> {
        self.count(finished);
        if self.format == OutputFormat::Json {
            self.print_round(finished)?;
        }
        let (played, tenth) = (self.played(), (all / 10).max(1));
        // Lines that stay are few.
        if self.live.status || played.is_multiple_of(tenth) {
            self.say(format!("{played} of {all} rounds, {} failures; Ctrl-C ends", self.tallies.failures));
        }
        Ok(())
    }

    /// Counts a round; returns what to call it.
    fn count(&mut self, finished: &RoundFinished) -> String {
        let fleet = finished.group.to_string();
        let number = self.rounds.entry(fleet.clone()).or_default();
        *number += 1;
        let heading = format!("round {number} of fleet {fleet}");
        self.left_out += u64::from(finished.round.skipped_before);
        for (node, attempt) in &finished.attempts {
            self.tallies.add(node, attempt);
            if let Some(kept) = self.kept.as_mut().filter(|kept| kept.len() < MAX_KEPT) {
                kept.push(of_attempt(node, attempt));
            }
        }
        heading
    }

    fn print_round(&self, finished: &RoundFinished) -> Result<(), Unwritten> {
        for (node, attempt) in &finished.attempts {
            self.print(&attempt_json(node, attempt).to_string())?;
        }
        self.print(&round_json(&finished.group, &finished.round, finished.attempts.len()).to_string())
    }

    fn show_table(&self, heading: &str) -> Result<(), Unwritten> {
        let status = format!("{}; Ctrl-C ends", self.counts(None));
        if self.live.table {
            // Below the status line, and with it drawn again in the same place.
            self.say(format!("{status}\n{heading}\n{}", self.tallies.table()));
            return Ok(());
        }
        self.print(&format!("{heading}\n{}\n", self.tallies.table()))?;
        self.say(status);
        Ok(())
    }

    /// How many rounds there were, in how much time if that is known, and what became of them.
    fn counts(&self, seconds: Option<f64>) -> String {
        let in_time = seconds.map(|seconds| format!(" in {seconds:.1} s")).unwrap_or_default();
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!(", {} left out because an earlier one took too long", rounds(count)),
        };
        format!("{}{in_time}, {} failures{left_out}", rounds(self.played()), self.tallies.failures)
    }

    fn played(&self) -> u64 {
        self.rounds.values().sum()
    }

    /// The closing summary.
    pub(crate) fn conclude(&self, seed: u64, database: Option<&str>) -> Result<(), Unwritten> {
        self.progress.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f64();
        match self.format {
            OutputFormat::Text => {
                let counts = self.counts(Some(seconds));
                let model = if is_simulated(&self.network) {
                    format!("network {}, a model: nothing of this was measured\n", self.network)
                } else {
                    String::new()
                };
                self.print(&format!("{model}{counts}\n{}{}", self.tallies.table(), self.tallies.comparison()))
            }
            OutputFormat::Json => self.print(
                &json!({
                    "type": "summary",
                    "network": self.network,
                    "rounds": self.played(),
                    "left_out": self.left_out,
                    "failures": self.tallies.failures,
                    "duration_seconds": seconds,
                    "seed": seed,
                    "database": database,
                    "results": self.tallies.json(),
                })
                .to_string(),
            ),
        }
    }

    /// What was kept for a file, and whether that is all.
    pub(crate) fn take_kept(&mut self) -> (Vec<KeptOperation>, bool) {
        let kept = self.kept.take().unwrap_or_default();
        let all = kept.len() < MAX_KEPT;
        if !all {
            output::note(&format!("only the first {MAX_KEPT} operations are saved"));
        }
        (kept, all)
    }

    fn print(&self, text: &str) -> Result<(), Unwritten> {
        self.progress.suspend(|| output::line(text))
    }
}

fn rounds(count: u64) -> String {
    words::count(usize::try_from(count).unwrap_or(usize::MAX), "round", "rounds")
}
