//! Groups of measurements: a table for people, Markdown for issue trackers, CSV and JSON for programs.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use parsec_measure::{ArchivedRounds, OperationKind, RoundOutcome};
use parsec_results::statistics::{QUANTILES, Quantile, Reading, Sample};
use parsec_results::{Group, RecordGroup};
use serde_json::{Map, Value, json};

use crate::records::{self, CAPTION};
use crate::{table, words};

/// What stands where n does not carry a figure.
pub(crate) const TOO_FEW: &str = "–";

/// Groups, and what tells them apart.
#[derive(Debug)]
pub struct Groups {
    /// The names of what tells them apart: `fleet`, `region`.
    pub by: Vec<&'static str>,
    /// In the order in which they are shown.
    pub groups: Vec<Group>,
    /// What became of the records of those that published.
    pub records: Vec<RecordGroup>,
}

impl Groups {
    /// For people, on a terminal.
    pub fn text(&self) -> String {
        let records = records::table(&self.by, &self.records, "\n");
        let records = records.map_or_else(String::new, |records| format!("\n\n{CAPTION}\n\n{}", table::plain(records)));
        table::plain(self.table("\n")) + &records
    }

    /// For issue trackers.
    pub fn markdown(&self) -> String {
        let records = records::table(&self.by, &self.records, " ");
        let records =
            records.map_or_else(String::new, |records| format!("\n\n{CAPTION}\n\n{}", table::markdown(records)));
        table::markdown(self.table(" ")) + &records
    }

    /// For spreadsheets.
    pub fn csv(&self) -> String {
        let mut rows = self.groups.iter().map(|group| self.flat(group)).peekable();
        let header: Vec<_> = rows.peek().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        table::csv(header, rows.map(|row| row.into_iter().map(|(_, value)| value).collect()))
    }

    /// For programs: an object for each group.
    pub fn document(&self) -> Value {
        self.groups.iter().map(|group| self.object(group)).collect()
    }

    pub(crate) fn table(&self, between: &str) -> Table {
        let mut table = Table::new();
        let heads = ["kind", "due", "succeeded", "p50", "p90", "p99", "not due"];
        table.set_header(self.by.iter().copied().chain(heads));
        for group in &self.groups {
            let counts = group.sample.counts();
            let mut cells = group.common.clone();
            cells.extend([group.kind.to_string(), counts.due.to_string(), success(&group.sample, between)]);
            cells.extend(QUANTILES.map(|(_, q)| quantile(group.sample.quantile(q), between)));
            cells.push(counts.unsaid.values().sum::<usize>().to_string());
            table.add_row(cells);
        }
        for column in table.column_iter_mut().skip(self.by.len() + 1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn object(&self, group: &Group) -> Value {
        let mut object: Map<_, _> = self.common(group).collect();
        let counts = serde_json::to_value(group.sample.counts()).expect("counts are names and numbers");
        object.insert("counts".to_owned(), counts);
        object.insert("success".to_owned(), json!(group.sample.success().map(|success| success.share)));
        let mut survivors = Map::new();
        for figure in figures(&group.sample) {
            let (name, [value, low, high]) = (format!("{}_seconds", figure.name), figure.all);
            object.insert(name.clone(), json!({ "value": value, "low": low, "high": high }));
            survivors.insert(name, figure.survivors);
        }
        object.insert("survivors_only".to_owned(), Value::Object(survivors));
        if let Some(records) = self.records_of(group) {
            object.insert("records".to_owned(), records::document(records));
        }
        Value::Object(object)
    }

    fn flat(&self, group: &Group) -> Vec<(String, Value)> {
        let counts = group.sample.counts();
        let mut row: Vec<_> = self.common(group).collect();
        let mut add = |name: &str, value: Value| row.push((name.to_owned(), value));
        add("rounds", json!(counts.rounds));
        add("due", json!(counts.due));
        add("succeeded", json!(counts.succeeded));
        add("not_due", json!(counts.unsaid.values().sum::<usize>()));
        let success = group.sample.success().map(|success| success.share);
        add("success", json!(success.map(|share| share.value)));
        add("success_low", json!(success.map(|share| share.low)));
        add("success_high", json!(success.map(|share| share.high)));
        row.extend(flat_quantiles(&group.sample));
        row.extend(records::flat(self.records_of(group)));
        row
    }

    fn records_of(&self, group: &Group) -> Option<&RecordGroup> {
        let publishes = group.kind == OperationKind::Provide;
        self.records.iter().find(|records| publishes && records.common == group.common)
    }

    fn common(&self, group: &Group) -> impl Iterator<Item = (String, Value)> {
        let common = self.by.iter().zip(&group.common).map(|(name, value)| ((*name).to_owned(), json!(value)));
        common.chain([("kind".to_owned(), json!(group.kind.as_str()))])
    }
}

/// What became of rounds, in a sentence.
pub fn rounds(rounds: &ArchivedRounds) -> String {
    let outcome = |outcome: Option<RoundOutcome>| outcome.map_or("without an end", RoundOutcome::as_str);
    let played: Vec<_> = rounds.played.iter().map(|(ended, count)| format!("{count} {}", outcome(*ended))).collect();
    let all: u64 = rounds.played.values().sum();
    let unread = match rounds.unread {
        0 => String::new(),
        some => format!("; {some} more have rows that this version cannot read"),
    };
    format!(
        "{} rounds were due: {} left out because an earlier one took too long, {all} begun{}{}{unread}",
        all + rounds.skipped,
        rounds.skipped,
        if played.is_empty() { "" } else { ": " },
        played.join(", ")
    )
}

/// A quantile for programs: seconds, or in words what is longer than any time.
struct Figure {
    name: &'static str,
    /// Of all due attempts: its value and the ends of its interval. Null where n does not carry it.
    all: [Value; 3],
    /// The original's figure, of those that succeeded, where n carries the other one.
    survivors: Value,
}

/// The quantiles by name: of all due attempts with the ends of their intervals, then of those that succeeded.
pub(crate) fn flat_quantiles(sample: &Sample) -> Vec<(String, Value)> {
    let (mut flat, figures) = (Vec::new(), figures(sample));
    for Figure { name, all: [value, low, high], .. } in &figures {
        for (end, value) in [("", value), ("_low", low), ("_high", high)] {
            flat.push((format!("{name}{end}_seconds"), value.clone()));
        }
    }
    flat.extend(figures.map(|Figure { name, survivors, .. }| (format!("survivors_{name}_seconds"), survivors)));
    flat
}

fn figures(sample: &Sample) -> [Figure; 3] {
    QUANTILES.map(|(name, q)| {
        let quantile = sample.quantile(q);
        let ends = quantile.map(|quantile| [quantile.value, quantile.low, quantile.high].map(for_programs));
        let survivors = quantile.and_then(|_| sample.survivors(q));
        Figure { name, all: ends.unwrap_or_default(), survivors: json!(survivors) }
    })
}

pub(crate) fn for_programs(reading: Reading) -> Value {
    match reading {
        Reading::Took(seconds) => json!(seconds),
        Reading::MoreThan(limit) => json!(format!("> {limit}")),
        Reading::Failed => json!("failed"),
    }
}

pub(crate) fn success(sample: &Sample, between: &str) -> String {
    sample.success().map_or_else(|| TOO_FEW.to_owned(), |success| words::share_interval(success.share, between))
}

pub(crate) fn quantile(quantile: Option<Quantile>, between: &str) -> String {
    let Some(Quantile { value, low, high, .. }) = quantile else { return TOO_FEW.to_owned() };
    let scale = [value, low].into_iter().find(|reading| reading.succeeded()).map_or(0.0, Reading::seconds);
    let scale = Duration::try_from_secs_f64(scale).unwrap_or_default();
    let told = |reading: Reading, with_unit: bool| match reading {
        Reading::Took(seconds) => words::scaled(seconds, scale, with_unit),
        Reading::MoreThan(limit) => {
            format!("> {}", words::duration(Duration::try_from_secs_f64(limit).unwrap_or_default()))
        }
        Reading::Failed => "failed".to_owned(),
    };
    if low == high {
        return told(value, true);
    }
    // Where the value is no time, the lower end has nobody to take its unit from.
    format!("{}{between}({}–{})", told(value, true), told(low, !value.succeeded()), told(high, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_measure::OutcomeClass;
    use parsec_results::statistics::Observation;

    fn groups() -> Groups {
        let observation = |round: u64| {
            let (class, ms) = match round % 20 {
                0 => (OutcomeClass::Timeout, 180_000),
                1 => (OutcomeClass::ServerUnreachable, 5_000),
                n => (OutcomeClass::Ok, 1_000 + 100 * n),
            };
            Observation { round, stratum: 0, class, duration: Duration::from_millis(ms) }
        };
        let group = |fleet: &str, rounds: u64| Group {
            common: vec![fleet.to_owned()],
            kind: OperationKind::Provide,
            sample: (0..rounds).map(observation).collect(),
        };
        Groups { by: vec!["fleet"], groups: vec![group("default", 400), group("optprov", 10)], records: vec![] }
    }

    #[test]
    fn people_see_how_many_and_how_sure() {
        let markdown = groups().markdown();
        let rows: Vec<_> = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[0][1..9], ["fleet", "kind", "due", "succeeded", "p50", "p90", "p99", "not due"]);
        assert_eq!(rows[2][1..4], ["default", "provide", "380"]);
        assert_eq!(rows[2][4], "94.7 % (92.0–96.6)");
        assert_eq!(rows[2][5], "2.10 s (2.00–2.20)");
        assert_eq!(rows[2][7], "> 180.0 s");
        assert_eq!(rows[2][8], "20");
        assert_eq!(rows[3][6..8], ["–", "–"], "ten attempts carry neither p90 nor p99");
    }

    #[test]
    fn rounds_are_told_by_what_became_of_them() {
        let played = [(None, 1), (Some(RoundOutcome::Complete), 40), (Some(RoundOutcome::TooFewNodes), 2)].into();
        let told = rounds(&ArchivedRounds { played, skipped: 3, unread: 0 });
        let expected = "46 rounds were due: 3 left out because an earlier one took too long, 43 begun: 1 without an end, 40 complete, 2 too_few_nodes";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_terminal_of_eighty_columns_is_wide_enough() {
        let text = groups().text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn programs_get_every_figure_by_its_name() {
        let groups = groups();
        let document = groups.document();
        assert_eq!(document[0]["fleet"], "default");
        assert_eq!(document[0]["counts"]["failed"], json!({ "timeout": 20 }));
        assert_eq!(document[0]["counts"]["unsaid"], json!({ "server_unreachable": 20 }));
        assert_eq!(document[0]["p50_seconds"], json!({ "value": 2.1, "low": 2.0, "high": 2.2 }));
        assert_eq!(document[0]["p99_seconds"]["value"], "> 180");
        assert_eq!(document[0]["survivors_only"]["p99_seconds"], 2.9);
        assert_eq!(document[1]["p90_seconds"]["value"], Value::Null);
        let csv = groups.csv();
        let mut rows = csv::Reader::from_reader(csv.as_bytes());
        let heads = rows.headers().unwrap().clone();
        let first = rows.records().next().unwrap().unwrap();
        let field = |name: &str| &first[heads.iter().position(|head| head == name).unwrap()];
        assert_eq!((field("fleet"), field("due"), field("p50_low_seconds")), ("default", "380", "2.0"));
        assert_eq!((field("p99_seconds"), field("survivors_p99_seconds")), ("> 180", "2.9"));
    }
}
