//! What there is to tell of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use parsec_test_support::ledger::{Books, RoundRow, Said};
use serde_json::Value;

use crate::checks::Life;
use crate::plan::{Mishap, Plan};
use crate::run::Struck;
use crate::slot::{End, Growth};
use crate::world::World;

/// How much of a last line is shown, in characters: enough for the reason, without the values that make each one different.
const MAX_WORDS: usize = 90;

/// How long it took after the last fault had healed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// Until each group had played a complete round.
    pub(crate) rounds: Duration,
    /// Until nothing waited for the database any more.
    pub(crate) backlog: Duration,
}

/// Everything that was seen.
pub(crate) struct Report<'r> {
    pub(crate) plan: &'r Plan,
    pub(crate) struck: &'r [Struck],
    pub(crate) said: &'r Said,
    pub(crate) books: &'r Books,
    pub(crate) recovery: Recovery,
    pub(crate) growth: &'r [(String, Growth)],
    pub(crate) ends: &'r [(String, End)],
    /// How many bytes of the spool were changed, and how many rows were lost by that.
    pub(crate) rot: (usize, usize),
}

/// Says something past libtest, which keeps what a test that passes prints to itself.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says it, and keeps it in a file.
pub(crate) fn publish(report: &Report<'_>, complaints: &[String]) {
    let mut text = report.to_string();
    for complaint in complaints {
        text.push_str(&format!("- **{complaint}**\n"));
    }
    say(&text);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}.md", report.plan.seed));
    match std::fs::write(&path, &text) {
        Ok(()) => say(&format!("this report stands in {}", path.display())),
        Err(error) => say(&format!("this report stands nowhere: {}: {error}", path.display())),
    }
}

/// Keeps the log lines of the schedulers of a run in which something was not in order: a race may not show again.
pub(crate) fn keep_logs(plan: &Plan, lives: &[Life]) {
    let lines: String = lives.iter().flat_map(|(lines, _)| lines).map(|line| format!("{line}\n")).collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}.scheduler.jsonl", plan.seed));
    match std::fs::write(&path, lines) {
        Ok(()) => say(&format!("the log of the scheduler stands in {}", path.display())),
        Err(error) => say(&format!("the log of the scheduler stands nowhere: {}: {error}", path.display())),
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, length, .. } = self.plan;
        writeln!(f, "# {} seconds of chaos, seed {seed}\n", length.as_secs())?;
        let struck = self.struck.iter().filter(|struck| struck.healed.is_some()).count();
        writeln!(f, "{struck} of {} faults found something to strike:\n", self.struck.len())?;
        table(f, ["fault", "times"], count(self.kinds()))?;
        self.attempts(f)?;
        writeln!(f, "\n{} bytes of the spool were changed; {} rows are counted as lost.", self.rot.0, self.rot.1)?;
        writeln!(f, "\nEnds of processes:\n")?;
        table(f, ["who, how", "times"], count(self.ends.iter().map(|(name, end)| how(name, end))))?;
        self.recoveries(f)?;
        writeln!(
            f,
            "\n| process | age | memory until half of that, MB | at the end | files until then | at the end |"
        )?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for (name, Growth { over, early, late }) in self.growth {
            let [before, after] = [early, late].map(|footprint| footprint.memory_kb / 1024);
            let (over, files) = (over.as_secs(), early.files);
            writeln!(f, "| {name} | {over} s | {before} | {after} | {files} | {} |", late.files)?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn kinds(&self) -> impl Iterator<Item = String> {
        self.struck.iter().filter(|struck| struck.healed.is_some()).map(|struck| struck.strike.blow.kind())
    }

    fn attempts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { said, books, .. } = self;
        let skipped: u32 = books.rounds.iter().map(|round| round.skipped).sum();
        let (rounds, attempts, rows) = (books.rounds.len(), said.attempts.len(), books.operations.len());
        let ids = books.operations.iter().map(|row| &row.id);
        let due: BTreeSet<_> = said.attempts.keys().chain(&said.measured).chain(ids).collect();
        writeln!(
            f,
            "\n{rounds} rounds were begun and {skipped} left out. {} attempts were due: schedulers",
            due.len()
        )?;
        writeln!(
            f,
            "spoke of {attempts}, servers of {} that they measured. There are {rows} rows:\n",
            said.measured.len()
        )?;
        table(f, ["outcome of attempts", "rows"], books.classes().into_iter().map(|(class, n)| (class.to_owned(), n)))?;
        writeln!(f)?;
        let outcomes = books.rounds.iter().map(|round| round.outcome.clone().unwrap_or_else(|| "none".to_owned()));
        table(f, ["outcome of rounds", "rows"], count(outcomes))
    }

    fn recoveries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut until_rounds = self.until_rounds();
        until_rounds.sort_by(f64::total_cmp);
        let Recovery { rounds, backlog } = self.recovery;
        if let (Some(median), Some(longest)) = (until_rounds.get(until_rounds.len() / 2), until_rounds.last()) {
            writeln!(
                f,
                "\nFrom the healing of a fault to the end of the next complete round of every group (with other"
            )?;
            writeln!(f, "faults there meanwhile): p50 {median:.1} s, longest {longest:.1} s.")?;
        }
        writeln!(
            f,
            "After the last one had healed: {:.1} s until each group had played a complete",
            rounds.as_secs_f64()
        )?;
        writeln!(f, "round, {:.1} s until nothing waited for the database.", backlog.as_secs_f64())
    }

    /// For each fault that healed, how long it was until every group had had a complete round that was due later.
    fn until_rounds(&self) -> Vec<f64> {
        let complete = |round: &&RoundRow| round.outcome.as_deref() == Some("complete");
        let next = |group: &str, healed: f64| {
            let of_group = self.books.rounds.iter().filter(complete).filter(|round| round.fleets == group);
            of_group.filter(|round| round.due >= healed).filter_map(|round| round.ended).min_by(f64::total_cmp)
        };
        let until = |healed: f64| {
            let ends: Option<Vec<f64>> = World::groups().map(|group| next(group, healed)).collect();
            Some(ends?.into_iter().max_by(f64::total_cmp)? - healed)
        };
        self.struck.iter().filter_map(|struck| until(struck.healed?)).collect()
    }
}

fn how(name: &str, end: &End) -> String {
    let who = name.split(' ').next().unwrap_or_default();
    match end.mishap {
        Some(Mishap::Killed) => format!("{who} killed"),
        Some(_) => format!("{who} stopped, code {}", end.code),
        None => format!("{who} by itself, code {}: {}", end.code, last_words(&end.last_line)),
    }
}

/// The message of a JSON log line, or the line itself, cut short.
fn last_words(line: &str) -> String {
    let fields: Value = serde_json::from_str(line).unwrap_or_default();
    fields["message"].as_str().unwrap_or(line).chars().take(MAX_WORDS).collect()
}

fn count(of: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in of {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn table(
    f: &mut fmt::Formatter<'_>,
    [left, right]: [&str; 2],
    rows: impl IntoIterator<Item = (String, usize)>,
) -> fmt::Result {
    writeln!(f, "| {left} | {right} |\n| --- | ---: |")?;
    rows.into_iter().try_for_each(|(name, count)| writeln!(f, "| {name} | {count} |"))
}
