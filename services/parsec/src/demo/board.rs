//! The output of the demonstration about its rounds.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_actors::scheduling::fleet::RoundFinished;
use parsec_show::rounds::{Tallies, attempt_json, round_json};
use serde_json::{Value, json};

use parsec_output::{self as output, Unwritten};
use parsec_settings::OutputFormat;

/// Collects the results and shows them. Results go to stdout, everything else to stderr.
pub(crate) struct Board {
    format: OutputFormat,
    tallies: Tallies,
    rounds: u64,
    started: Instant,
    progress: ProgressBar,
}

impl Board {
    /// Whether a status line is updated in place on stderr, which needs a terminal.
    pub(crate) fn new(format: OutputFormat, live: bool) -> Self {
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let progress = ProgressBar::with_draw_target(None, target);
        let style =
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        progress.set_style(style);
        Self { format, tallies: Tallies::default(), rounds: 0, started: Instant::now(), progress }
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
            self.tallies.add(node, attempt);
        }
        match self.format {
            OutputFormat::Text => {
                let text = format!("round {}, fleet {}\n{}", self.rounds, finished.group, self.tallies.table());
                self.print(&text)?;
                self.say(format!(
                    "{} rounds done, {} failures so far; Ctrl-C ends",
                    self.rounds, self.tallies.failures
                ));
                Ok(())
            }
            OutputFormat::Json => {
                for (node, attempt) in &finished.attempts {
                    self.print(&attempt_json(node, attempt).to_string())?;
                }
                self.print(&round_json(&finished.group, &finished.round, finished.attempts.len()).to_string())
            }
        }
    }

    /// The closing summary.
    pub(crate) fn conclude(&self) -> Result<(), Unwritten> {
        self.progress.finish_and_clear();
        match self.format {
            OutputFormat::Text => {
                let seconds = self.started.elapsed().as_secs_f64();
                let text = format!("{} rounds in {seconds:.1} s, {} failures", self.rounds, self.tallies.failures);
                self.print(&format!("{text}\n{}{}", self.tallies.table(), self.tallies.comparison()))
            }
            OutputFormat::Json => self.print(&self.summary_json().to_string()),
        }
    }

    fn print(&self, text: &str) -> Result<(), Unwritten> {
        self.progress.suspend(|| output::line(text))
    }

    fn summary_json(&self) -> Value {
        json!({
            "type": "summary",
            "rounds": self.rounds,
            "failures": self.tallies.failures,
            "duration_seconds": self.started.elapsed().as_secs_f64(),
            "results": self.tallies.json(),
        })
    }
}
