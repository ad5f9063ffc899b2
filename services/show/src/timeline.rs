//! Strategies on a clock on which things happen: how each fares from step to step, and between what happens.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use parsec_results::bench::Unit;
use parsec_results::timeline::{TimedGroup, TimedRow, since, step};
use serde_json::{Map, Value, json};

use crate::bench::{flat, number};
use crate::series::Line;
use crate::{groups, table, words};

/// What the strategies did, and what happened meanwhile.
#[derive(Debug)]
pub struct Timeline {
    step: Duration,
    happened: Vec<(Duration, String)>,
    /// By strategy and kind, and within these as time goes on: between what happens, and by step.
    stretches: Vec<TimedRow>,
    steps: Vec<TimedRow>,
}

impl Timeline {
    /// Sums up what began within each step, and between the times at which something happened.
    pub fn new(groups: &[TimedGroup], happened: Vec<(Duration, String)>, length: Duration, unit: Unit) -> Self {
        let times: Vec<Duration> = happened.iter().map(|(at, _)| *at).collect();
        let stretches = groups.iter().flat_map(|group| TimedRow::of(group, |at| since(at, &times), unit));
        let steps = groups.iter().flat_map(|group| TimedRow::of(group, |at| step(at, length), unit));
        Self { step: length, stretches: stretches.collect(), steps: steps.collect(), happened }
    }

    /// For people.
    pub fn text(&self, unit: Unit) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut happened =
            self.happened.iter().map(|(at, what)| format!("at {}: {what}", clock(*at))).collect::<Vec<_>>();
        if !happened.is_empty() {
            happened.push(String::new());
            let until = |row: &TimedRow| {
                let next = self.happened.iter().map(|(at, _)| *at).find(|at| *at > row.from);
                next.map_or_else(
                    || format!("from {}", clock(row.from)),
                    |next| format!("{} to {}", clock(row.from), clock(next)),
                )
            };
            parts.push(table::plain(rows(&self.stretches, "began", until)));
        }
        let begun = |row: &TimedRow| self.value(row.from).to_string();
        parts.push(table::plain(rows(&self.steps, self.name(), begun)));
        let over = match unit {
            Unit::Operation => "over the operations on one network; another one may differ (--networks 10)",
            Unit::Network => "over networks",
        };
        parts.push(format!(
            "operations stand where they began; in brackets: 95 % intervals {over}\nholders: of a publication, how many of the 20 closest live peers hold the record in the end; of a lookup, how many of those\nthat were given the record answer as it begins"
        ));
        format!("{}{}", happened.iter().map(|line| format!("{line}\n")).collect::<String>(), parts.join("\n\n"))
    }

    /// What a step is counted in.
    fn name(&self) -> &'static str {
        if self.in_minutes() { "minute" } else { "second" }
    }

    fn in_minutes(&self) -> bool {
        self.step.as_nanos().is_multiple_of(MINUTE.as_nanos())
    }

    fn value(&self, at: Duration) -> f64 {
        at.as_secs_f64() / if self.in_minutes() { MINUTE.as_secs_f64() } else { 1.0 }
    }

    fn flat(&self, timed: &TimedRow, network: &str) -> Vec<(String, Value)> {
        let until = timed.from + self.step;
        let within = self.happened.iter().filter(|(at, _)| (timed.from..until).contains(at));
        let happened: Vec<&str> = within.map(|(_, what)| what.as_str()).collect();
        let mut row = vec![
            ("from_seconds".to_owned(), json!(timed.from.as_secs_f64())),
            ("to_seconds".to_owned(), json!(until.as_secs_f64())),
            ("happened".to_owned(), if happened.is_empty() { Value::Null } else { json!(happened.join("; ")) }),
        ];
        row.extend(flat(&timed.row, network));
        row.push(("holders_mean".to_owned(), json!(timed.holders)));
        row
    }

    /// For programs: a list of objects, those of a comparison with the step in which operations began.
    pub fn json(&self, network: &str) -> String {
        let object = |row: &TimedRow| Value::Object(self.flat(row, network).into_iter().collect::<Map<_, _>>());
        format!("{:#}", self.steps.iter().map(object).collect::<Value>())
    }

    /// For spreadsheets.
    pub fn csv(&self, network: &str) -> String {
        let rows: Vec<_> = self.steps.iter().map(|row| self.flat(row, network)).collect();
        let header: Vec<_> = rows.first().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        table::csv(header, rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()))
    }

    /// What steps are counted in, when something happened, and for each strategy and kind its name with what was done in each step.
    pub(crate) fn lines(&self) -> (&'static str, Vec<f64>, Vec<Line<'_>>) {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for timed in &self.steps {
            let name = format!("{} {}", timed.row.strategy, timed.row.kind);
            let point = (self.value(timed.from), &timed.row);
            match lines.last_mut().filter(|(known, _)| *known == name) {
                Some((_, points)) => points.push(point),
                None => lines.push((name, vec![point])),
            }
        }
        (self.name(), self.happened.iter().map(|(at, _)| self.value(*at)).collect(), lines)
    }

    /// What happened, in a sentence.
    pub(crate) fn says(&self) -> String {
        let told: Vec<_> = self.happened.iter().map(|(at, what)| format!("at {} {what}", clock(*at))).collect();
        if told.is_empty() {
            "Nothing happens at once.".to_owned()
        } else {
            format!("What happens: {}.", told.join(", "))
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A time on the clock of a network.
fn clock(at: Duration) -> String {
    if at.as_nanos().is_multiple_of(MINUTE.as_nanos()) {
        format!("{} min", at.as_secs() / MINUTE.as_secs())
    } else {
        words::duration(at)
    }
}

fn rows(all: &[TimedRow], name: &str, when: impl Fn(&TimedRow) -> String) -> Table {
    let mut table = Table::new();
    table.set_header(["strategy", "operation", name, "due", "succeeded", "p50", "p90", "RPCs/op", "holders"]);
    for timed in all {
        let row = &timed.row;
        table.add_row([
            row.strategy.to_string(),
            row.kind.to_string(),
            when(timed),
            row.sample.counts().due.to_string(),
            groups::success(&row.sample, " "),
            groups::quantile(row.sample.quantile(0.5), " "),
            groups::quantile(row.sample.quantile(0.9), " "),
            number(row.means.rpcs, 1),
            number(timed.holders, 1),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
pub(crate) mod tests;
