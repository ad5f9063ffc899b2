//! Two groups of measurements side by side: what differs, how sure that is, and what would settle it.

use comfy_table::{CellAlignment, Table};
use parsec_measure::OperationKind;
use parsec_results::statistics::{self, Compared, Comparison, Figure, Interval, Sample, Verdict};
use serde_json::{Value, json};

use crate::words::times;
use crate::{groups, table, words};

/// The most rounds that people are told to measure: five weeks of a round a minute, in which the network becomes another one. Programs are
/// told the number, whatever it is.
const MOST_ROUNDS: u64 = 50_000;

/// What stands where a table would have no rows; the remarks below it say why.
const NOTHING: &str = "Nothing can be compared:";

/// Two groups of one kind that were compared, and what came of it.
#[derive(Debug)]
pub struct Pair {
    /// What both have in common, such as a region; empty if they are compared as a whole.
    pub common: String,
    /// Publications or lookups.
    pub kind: OperationKind,
    /// The first group, and the second, which is told in terms of the first.
    pub samples: (Sample, Sample),
    /// How many attempts are left out, because only one of the two has measured in their region.
    pub left_out: usize,
    /// The figures that both carry, or why there are none.
    pub compared: Result<Vec<Compared>, String>,
}

impl Pair {
    /// Whether this quantile of both groups falls among failures.
    fn samples_fail_at(&self, q: f64) -> bool {
        let fails = |sample: &Sample| sample.quantile(q).is_some_and(|quantile| !quantile.value.succeeded());
        fails(&self.samples.0) && fails(&self.samples.1)
    }
}

/// Everything that was compared at once.
#[derive(Debug)]
pub struct Pairs {
    /// What the first group is called, and the second.
    pub names: (String, String),
    /// What it is that pairs have in common: `fleet`, `fleet region`; empty if they are compared as a whole.
    pub by: String,
    /// In the order in which they are shown.
    pub pairs: Vec<Pair>,
}

/// Two samples of one kind, with what they have in common: is the second another than the first?
pub type Question<'a> = (String, OperationKind, &'a Sample, &'a Sample);

/// The answers to questions that are asked at once, so that their number is accounted for, in their order.
pub fn pairs(asked: Vec<Question<'_>>, how: Comparison) -> Vec<Pair> {
    // One that only one of the two has says nothing of the difference.
    let in_common = |(_, _, a, b): &Question<'_>| (a.in_strata_of(b), b.in_strata_of(a));
    let samples: Vec<_> = asked.iter().map(in_common).collect();
    let compared = statistics::compare(&samples.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>(), how);
    let due = |sample: &Sample| sample.counts().due;
    let answered = asked.into_iter().zip(samples).zip(compared);
    answered
        .map(|(((common, kind, a, b), samples), compared)| Pair {
            common,
            kind,
            left_out: due(a) + due(b) - due(&samples.0) - due(&samples.1),
            samples,
            compared: compared.map_err(|error| error.to_string()),
        })
        .collect()
}

impl Pairs {
    /// For people, on a terminal.
    pub fn text(&self) -> String {
        self.with_remarks(|| table::plain(self.table("\n")))
    }

    /// For issue trackers.
    pub fn markdown(&self) -> String {
        self.with_remarks(|| table::markdown(self.table(" ")))
    }

    fn with_remarks(&self, table: impl FnOnce() -> String) -> String {
        format!("{}{}", if self.has_figures() { table() } else { NOTHING.to_owned() }, self.remarks())
    }

    /// Whether there is a figure that both groups of a pair carry.
    pub(crate) fn has_figures(&self) -> bool {
        self.pairs.iter().any(|pair| pair.compared.as_ref().is_ok_and(|figures| !figures.is_empty()))
    }

    /// For programs.
    pub fn document(&self) -> Value {
        let pair = |pair: &Pair| {
            json!({
                "common": pair.common,
                "kind": pair.kind.as_str(),
                "a": { "name": self.names.0, "counts": pair.samples.0.counts() },
                "b": { "name": self.names.1, "counts": pair.samples.1.counts() },
                "left_out": pair.left_out,
                "figures": pair.compared.iter().flatten().map(figure).collect::<Vec<_>>(),
                "error": pair.compared.as_ref().err(),
            })
        };
        self.pairs.iter().map(pair).collect()
    }

    pub(crate) fn table(&self, between: &str) -> Table {
        let mut table = Table::new();
        let with_common = self.pairs.iter().any(|pair| !pair.common.is_empty());
        let heads = ["kind", "figure", &self.names.0, &self.names.1, "b / a", "verdict on b"];
        table.set_header(with_common.then_some(self.by.as_str()).into_iter().chain(heads));
        for pair in &self.pairs {
            let first = with_common.then(|| pair.common.clone());
            for compared in pair.compared.iter().flatten() {
                let value = |sample: &Sample| match compared.figure.quantile() {
                    Some(q) => groups::quantile(sample.quantile(q), between),
                    None => groups::success(sample, between),
                };
                let cells = [
                    pair.kind.to_string(),
                    compared.figure.as_str().to_owned(),
                    value(&pair.samples.0),
                    value(&pair.samples.1),
                    change(compared, between),
                    verdict(compared, between),
                ];
                table.add_row(first.clone().into_iter().chain(cells));
            }
        }
        for column in table.column_iter_mut().skip(usize::from(with_common) + 2).take(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// What could not be compared, and how many attempts the table is of.
    fn remarks(&self) -> String {
        let mut lines = String::new();
        for pair in &self.pairs {
            let (a, b) = (pair.samples.0.counts(), pair.samples.1.counts());
            let common = if pair.common.is_empty() { String::new() } else { format!(" in {}", pair.common) };
            let of = format!(
                "{}{common}: {} attempts in {} rounds, and {} in {}",
                pair.kind, a.due, a.rounds, b.due, b.rounds
            );
            lines += &format!("\n{of}");
            if pair.left_out > 0 {
                lines += &format!("; {} more in regions that only one of the two has are left out", pair.left_out);
            }
            if let Err(reason) = &pair.compared {
                lines += &format!(": {reason}");
            }
            let both_fail = |q| pair.samples_fail_at(q);
            if pair.compared.is_ok() && Figure::ALL.into_iter().filter_map(Figure::quantile).any(both_fail) {
                lines += "; where both fail that often, times are not compared";
            }
        }
        lines
    }
}

pub(crate) fn change(compared: &Compared, between: &str) -> String {
    let Interval { value, low, high } = match compared.ratio {
        Some(ratio) => ratio,
        None => {
            let Interval { value, low, high } = compared.difference;
            let points = |share: f64| words::signed(100.0 * share, 1);
            return format!("{} pp{between}({} to {})", points(value), points(low), points(high));
        }
    };
    format!("{}x{between}({}–{})", times(value), times(low), times(high))
}

fn verdict(compared: &Compared, between: &str) -> String {
    let is_time = compared.figure.quantile().is_some();
    match (compared.verdict, compared.rounds_to_decide) {
        (Verdict::Better, _) if is_time => "faster".to_owned(),
        (Verdict::Better, _) => "succeeds more often".to_owned(),
        (Verdict::Worse, _) if is_time => "slower".to_owned(),
        (Verdict::Worse, _) => "succeeds less often".to_owned(),
        (Verdict::Equal, _) => "no difference within the margin".to_owned(),
        (Verdict::Inconclusive, Some(rounds)) if rounds > MOST_ROUNDS => {
            format!("inconclusive;{between}more than {MOST_ROUNDS} rounds:{between}choose a wider margin")
        }
        (Verdict::Inconclusive, Some(rounds)) => format!("inconclusive;{between}{rounds} rounds may decide"),
        (Verdict::Inconclusive, None) => "inconclusive".to_owned(),
    }
}

fn figure(compared: &Compared) -> Value {
    json!({
        "figure": compared.figure.as_str(),
        "ratio": compared.ratio.map(interval),
        "difference": interval(compared.difference),
        "p": compared.p,
        "verdict": compared.verdict,
        "rounds_to_decide": compared.rounds_to_decide,
    })
}

/// JSON has no infinity: where only one of the two fails that often, its text stands in the place of the number.
pub(crate) fn interval(interval: Interval) -> Value {
    let number = |value: f64| match value {
        f64::INFINITY => json!("inf"),
        f64::NEG_INFINITY => json!("-inf"),
        value => json!(value),
    };
    json!({ "value": number(interval.value), "low": number(interval.low), "high": number(interval.high) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::OutcomeClass;
    use parsec_results::statistics::{Comparison, Observation, compare};

    use super::*;

    fn sample(first: u64, rounds: u64, ms: u64) -> Sample {
        let observation = |round: u64| Observation {
            round: first + round,
            stratum: 0,
            class: OutcomeClass::Ok,
            duration: Duration::from_millis(ms + 10 * (round % 17)),
        };
        (0..rounds).map(observation).collect()
    }

    fn pairs() -> Pairs {
        let pair = |a: Sample, b: Sample| Pair {
            common: String::new(),
            kind: OperationKind::Provide,
            compared: compare(&[(&a, &b)], Comparison { resamples: 500, ..Comparison::default() })
                .remove(0)
                .map_err(|error| error.to_string()),
            samples: (a, b),
            left_out: 0,
        };
        let pairs =
            vec![pair(sample(0, 100, 1_000), sample(1_000, 100, 500)), pair(sample(0, 3, 9), sample(1_000, 3, 9))];
        Pairs { names: ("default".to_owned(), "optprov".to_owned()), by: String::new(), pairs }
    }

    #[test]
    fn the_column_of_what_pairs_have_in_common_has_a_name() {
        let mut pairs = Pairs { by: "fleet".to_owned(), ..pairs() };
        pairs.pairs.iter_mut().for_each(|pair| pair.common = "default".to_owned());
        assert!(pairs.markdown().starts_with("| fleet "), "{}", pairs.markdown());
        assert!(pairs.text().starts_with("fleet "), "{}", pairs.text());
    }

    #[test]
    fn a_table_without_rows_is_a_sentence() {
        let mut pairs = pairs();
        pairs.pairs.remove(0);
        let said = "Nothing can be compared:\nprovide: 3 attempts in 3 rounds, and 3 in 3: ";
        for text in [pairs.text(), pairs.markdown()] {
            assert!(text.starts_with(said) && !text.contains("verdict on b"), "{text}");
        }
    }

    #[test]
    fn people_see_both_values_the_change_and_the_verdict() {
        let markdown = pairs().markdown();
        let rows: Vec<_> = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[0][1..7], ["kind", "figure", "default", "optprov", "b / a", "verdict on b"]);
        assert_eq!(rows[2][1..3], ["provide", "p50"]);
        assert!(rows[2][5].starts_with("0.54x (0.5") && rows[2][6] == "faster", "{:?}", rows[2]);
        assert!(markdown.contains("provide: 100 attempts in 100 rounds, and 100 in 100"), "{markdown}");
        assert!(markdown.contains("3 and 3 rounds can be compared; it takes 10 in each group"), "{markdown}");
    }

    #[test]
    fn nobody_is_told_to_measure_for_years() {
        let compared = |rounds_to_decide| Compared {
            figure: Figure::Success,
            ratio: None,
            difference: Interval { value: 0.0, low: -0.06, high: 0.06 },
            p: 1.0,
            verdict: Verdict::Inconclusive,
            rounds_to_decide,
        };
        assert_eq!(verdict(&compared(Some(50_000)), " "), "inconclusive; 50000 rounds may decide");
        let said = "inconclusive;\nmore than 50000 rounds:\nchoose a wider margin";
        assert_eq!(verdict(&compared(Some(110_769)), "\n"), said);
        assert_eq!(figure(&compared(Some(110_769)))["rounds_to_decide"], 110_769, "programs judge for themselves");
    }

    #[test]
    fn programs_get_the_verdict_and_its_figures() {
        let document = pairs().document();
        let p50 = &document[0]["figures"][0];
        assert_eq!((&p50["figure"], &p50["verdict"]), (&json!("p50"), &json!("better")));
        assert!(p50["ratio"]["high"].as_f64().unwrap() < 0.6);
        assert_eq!(document[0]["a"]["counts"]["due"], 100);
        assert!(document[1]["error"].as_str().unwrap().contains("it takes 10"));
    }
}
