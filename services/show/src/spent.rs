//! What the time of many operations went to: a table for people, Markdown for issue trackers, CSV and JSON for programs.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use parsec_results::{Estimate, Layer, Named, NotAsked, Portion, Spent, StandsFor};
use serde_json::{Map, Value, json};

use crate::{table, words};

/// Groups, and what tells them apart.
#[derive(Debug)]
pub struct SpentTable {
    /// The names of what tells them apart: `fleet`, `region`.
    pub by: Vec<&'static str>,
    /// In the order in which they are shown.
    pub groups: Vec<Named<Spent>>,
}

/// The name of a portion for people.
pub fn portion(portion: Portion) -> &'static str {
    match portion {
        Portion::Dials => "dialling",
        Portion::DialTimeouts => "dial time-outs",
        Portion::DialFailures => "failed dials",
        Portion::Silent => "silent peers",
        Portion::Hops => "hops of the lookup",
        Portion::Puts => "writing records",
        Portion::Slowest => "waiting for the slowest",
        Portion::Failures => "other failures",
        Portion::Own => "the node itself",
    }
}

impl SpentTable {
    /// For people, on a terminal.
    pub fn text(&self) -> String {
        table::plain(self.table())
    }

    /// For issue trackers.
    pub fn markdown(&self) -> String {
        table::markdown(self.table())
    }

    /// For spreadsheets: a row for each portion.
    pub fn csv(&self) -> String {
        let figures = ["kind", "part", "seconds", "seconds_low", "seconds_high", "share", "share_low", "share_high"];
        let header = self.by.iter().copied().chain(figures).chain(["traces", "operations"]);
        let rows = self.spent().flat_map(|(common, spent)| {
            let (traces, operations) = counts(&spent.stands_for);
            let whole = Estimate { value: 1.0, ends: None };
            let portions = spent.portions.iter().map(|(portion, seconds, share)| (portion.as_str(), *seconds, *share));
            let parts = std::iter::once(("all", spent.seconds, whole)).chain(portions);
            let row = move |(part, seconds, share): (&str, Estimate, Estimate)| {
                let mut row: Vec<Value> = common.iter().map(|value| json!(value)).collect();
                row.extend([json!(spent.kind.as_str()), json!(part)]);
                for Estimate { value, ends } in [seconds, share] {
                    row.extend([json!(value), json!(ends.map(|ends| ends.0)), json!(ends.map(|ends| ends.1))]);
                }
                row.extend([json!(traces), json!(operations)]);
                row
            };
            parts.map(row).collect::<Vec<_>>()
        });
        table::csv(header, rows)
    }

    /// For programs: an object for each group.
    pub fn document(&self) -> Value {
        let object = |(common, kind, spent): &Named<Spent>| {
            let mut object: Map<_, _> =
                self.by.iter().zip(common).map(|(by, value)| ((*by).to_owned(), json!(value))).collect();
            object.insert("kind".to_owned(), json!(kind.as_str()));
            match spent {
                Ok(spent) => {
                    object.insert("stands_for".to_owned(), json!(spent.stands_for));
                    object.insert("seconds".to_owned(), estimate(spent.seconds));
                    let part = |(portion, seconds, share): &(Portion, Estimate, Estimate)| json!({ "part": portion.as_str(), "seconds": estimate(*seconds), "share": estimate(*share) });
                    object.insert("parts".to_owned(), spent.portions.iter().map(part).collect());
                }
                Err(unrepresented) => {
                    object.insert("unknown".to_owned(), json!(unrepresented.to_string()));
                }
            }
            Value::Object(object)
        };
        self.groups.iter().map(object).collect()
    }

    /// Groups of which nothing is known, a sentence for each.
    pub fn unknown(&self) -> Vec<String> {
        unknown(&self.groups)
    }

    fn spent(&self) -> impl Iterator<Item = (&Vec<String>, &Spent)> {
        self.groups.iter().filter_map(|(common, _, spent)| Some((common, spent.as_ref().ok()?)))
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.set_header(self.by.iter().copied().chain(["kind", "time went to", "mean", "share"]));
        for (common, spent) in self.spent() {
            let (traces, operations) = counts(&spent.stands_for);
            let mut cells = common.clone();
            let all = format!("all ({traces} of {operations} traced)");
            cells.extend([spent.kind.to_string(), all, seconds(spent.seconds), String::new()]);
            table.add_row(cells);
            let mut portions: Vec<_> = spent.portions.iter().filter(|(_, seconds, _)| seconds.value > 0.0).collect();
            portions.sort_by(|(_, one, _), (_, other, _)| other.value.total_cmp(&one.value));
            for (of, took, share) in portions {
                let mut cells = vec![String::new(); common.len() + 1];
                cells.extend([portion(*of).to_owned(), seconds(*took), words::rounded_percent(share.value)]);
                table.add_row(cells);
            }
        }
        for column in table.column_iter_mut().skip(self.by.len() + 2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

/// Groups of which nothing is known, a sentence for each.
pub(crate) fn unknown(groups: &[Named<Spent>]) -> Vec<String> {
    let unknown = |(common, kind, spent): &Named<Spent>| {
        let unrepresented = spent.as_ref().err()?;
        let mut name = common.join(" ");
        name = if name.is_empty() { kind.to_string() } else { format!("{name} {kind}") };
        Some(format!("{name}: {unrepresented}"))
    };
    groups.iter().filter_map(unknown).collect()
}

/// How many traces stand for how many operations.
pub fn counts(stands_for: &[StandsFor]) -> (u64, u64) {
    stands_for.iter().fold((0, 0), |(traces, operations), of| (traces + of.traces, operations + of.operations))
}

/// Adds up what is known of several groups.
pub fn stands_for(groups: &[Named<Spent>]) -> [StandsFor; Layer::ALL.len()] {
    let mut all = Layer::ALL.map(|layer| StandsFor { layer, traces: 0, operations: 0 });
    for of in groups.iter().filter_map(|(.., spent)| spent.as_ref().ok()).flat_map(|spent| &spent.stands_for) {
        let sum = &mut all[of.layer as usize];
        sum.traces += of.traces;
        sum.operations += of.operations;
    }
    all
}

/// How traces were weighed, in a sentence.
pub fn weighed(stands_for: &[StandsFor]) -> String {
    let told = |of: &StandsFor| {
        let what = match of.layer {
            Layer::Failed => "of failures",
            Layer::Slow => "of the slowest",
            Layer::Ordinary => "of the others",
        };
        format!("{} {what} for {}", of.traces, of.operations)
    };
    let some: Vec<_> = stands_for.iter().filter(|of| of.operations > 0).map(told).collect();
    let (traces, operations) = counts(stands_for);
    format!(
        "Weighed: {traces} traces stand for {operations} operations ({}), those of each loop of rounds apart. Intervals: 95 %, by round.",
        some.join(", ")
    )
}

/// What is not in the figures, in words; empty if there is nothing.
pub fn not_asked(not_asked: NotAsked, unread: u64) -> String {
    let NotAsked { from_own_records, later_looks, unsaid, untold } = not_asked;
    let all = [
        (from_own_records, "answered from the own records of a server"),
        (later_looks, "later looks at the same key"),
        (unsaid, "say nothing about the DHT"),
        (untold, "by servers that do not tell what they did"),
    ];
    let mut told: String =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} left out: {what}")).collect();
    if unread > 0 {
        told += &format!("; {unread} traces are too long or not readable by this version");
    }
    told
}

pub(crate) fn estimate(Estimate { value, ends }: Estimate) -> Value {
    json!({ "value": value, "low": ends.map(|ends| ends.0), "high": ends.map(|ends| ends.1) })
}

/// Seconds with their interval, in the unit that suits them.
pub(crate) fn seconds(Estimate { value, ends }: Estimate) -> String {
    let scale = Duration::try_from_secs_f64(value).unwrap_or_default();
    let value = words::scaled(value, scale, true);
    let ends = ends.map(|(low, high)| [low, high].map(|end| words::scaled(end, scale, false)));
    ends.map_or_else(|| format!("{value} (–)"), |[low, high]| format!("{value} ({low}–{high})"))
}

#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use parsec_measure::{OutcomeClass, RequestEnd, WhyKept};
    use parsec_results::testing::{ending, request, sampled, trace};
    use parsec_results::{Named, Spending, Spent};

    /// Ninety lookups of a second, every third of which is kept, and ten that failed.
    pub(crate) fn groups() -> Vec<Named<Spent>> {
        let mut spending = Spending::new(vec![], BTreeMap::new());
        for second in 0..90_u64 {
            let why = second.is_multiple_of(3).then_some(WhyKept::Sampled);
            let operation = sampled(second, OutcomeClass::Ok, Duration::from_secs(1), why);
            spending.count(&operation);
            if why.is_some() {
                spending.add(&operation, Some(&trace(1_000, vec![request("a", 0, 1_000)])));
            }
        }
        for second in 0..10 {
            let operation = sampled(second, OutcomeClass::Timeout, Duration::from_secs(10), Some(WhyKept::Failed));
            spending.count(&operation);
            let silent = ending(RequestEnd::Timeout, request("b", 0, 10_000));
            spending.add(&operation, Some(&trace(10_000, vec![silent])));
        }
        spending.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use parsec_measure::OutcomeClass;
    use parsec_results::Spending;
    use parsec_results::testing::sampled;

    use super::*;

    fn table() -> SpentTable {
        SpentTable { by: vec![], groups: testing::groups() }
    }

    #[test]
    fn people_see_what_the_time_went_to_the_longest_first() {
        let markdown = table().markdown();
        let rows: Vec<_> = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[0][1..5], ["kind", "time went to", "mean", "share"]);
        assert_eq!(rows[2][1..3], ["retrieve", "all (40 of 100 traced)"]);
        assert!(rows[2][3].starts_with("1.90 s (1."), "{markdown}");
        assert_eq!((rows[3][2], rows[3][4]), ("silent peers", "53 %"));
        assert_eq!((rows[4][2], rows[4][4]), ("hops of the lookup", "47 %"));
        assert_eq!(rows.len(), 5, "what took no time is not there");
        assert_eq!(
            weighed(&stands_for(&table().groups)),
            "Weighed: 40 traces stand for 100 operations (10 of failures for 10, 30 of the others for 90), those of each loop of rounds \
             apart. Intervals: 95 %, by round."
        );
    }

    #[test]
    fn programs_get_every_portion_with_its_interval() {
        let document = table().document();
        let hops = &document[0]["parts"][Portion::Hops as usize];
        assert_eq!((&hops["part"], &hops["seconds"]["value"]), (&json!("hops"), &json!(0.9)));
        assert!(hops["share"]["low"].as_f64() < Some(0.5), "{hops}");
        let (csv, mut rows) = (table().csv(), 0);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let heads = reader.headers().unwrap().clone();
        for row in reader.records() {
            let row = row.unwrap();
            let field = |name: &str| &row[heads.iter().position(|head| head == name).unwrap()];
            assert_eq!((field("traces"), field("operations")), ("40", "100"));
            rows += 1;
        }
        assert_eq!(rows, 1 + Portion::ALL.len());
    }

    #[test]
    fn a_group_that_no_trace_stands_for_says_so() {
        let mut spending = Spending::new(vec![], BTreeMap::new());
        spending.count(&sampled(1, OutcomeClass::Ok, Duration::from_secs(1), None));
        let table = SpentTable { by: vec![], groups: spending.finish() };
        assert!(table.unknown()[0].starts_with("retrieve: 1 operation has no trace"), "{:?}", table.unknown());
        assert!(table.document()[0]["unknown"].is_string());
    }
}
