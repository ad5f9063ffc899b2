//! A comparison of strategies at several values of one thing: what it changes, and how sure that is.

use comfy_table::{CellAlignment, Table};
use parsec_measure::{OperationKind, StrategyKind};
use parsec_results::bench::{BenchRow, Unit};
use parsec_results::statistics::{Compared, Comparison, Figure, Verdict, compare};
use serde_json::{Map, Value, json};

use crate::bench::{flat, number};
use crate::compared::change;
use crate::{groups, table};

/// What the strategies did at several values of one thing.
#[derive(Debug)]
pub struct Series {
    name: &'static str,
    /// How a value is written.
    written: fn(&str, f64) -> String,
    /// By strategy and kind, and within these in the order of the values.
    points: Vec<Point>,
}

/// A strategy and kind by name, and what it did at each value.
pub(crate) type Line<'a> = (String, Vec<(f64, &'a BenchRow)>);

/// What one strategy did at one value.
#[derive(Debug)]
struct Point {
    value: f64,
    row: BenchRow,
    /// What differs from the first value; nothing of that value itself, and of too few operations.
    compared: Vec<Compared>,
}

impl Series {
    /// Compares what was done at each value with what was done at the first one: the same keys on the same networks in pairs.
    /// `written` is how a value of what has this name is written.
    pub fn new(name: &'static str, written: fn(&str, f64) -> String, values: Vec<(f64, Vec<BenchRow>)>) -> Self {
        let mut all: Vec<(f64, BenchRow)> =
            values.into_iter().flat_map(|(value, rows)| rows.into_iter().map(move |row| (value, row))).collect();
        let mut order: Vec<(StrategyKind, OperationKind)> = Vec::new();
        for (_, row) in &all {
            if !order.contains(&like(row)) {
                order.push(like(row));
            }
        }
        // A stable sort: values stay in their order.
        all.sort_by_key(|(_, row)| order.iter().position(|known| *known == like(row)));
        let is_first = |at: usize| at == 0 || like(&all[at - 1].1) != like(&all[at].1);
        let first = |at: usize| (0..=at).rev().find(|before| is_first(*before)).unwrap_or(at);
        let others: Vec<usize> = (0..all.len()).filter(|at| !is_first(*at)).collect();
        let pairs: Vec<_> = others.iter().map(|at| (&all[first(*at)].1.sample, &all[*at].1.sample)).collect();
        let found = compare(&pairs, Comparison::default());
        let mut compared: Vec<Vec<Compared>> = vec![Vec::new(); all.len()];
        others.into_iter().zip(found).for_each(|(at, found)| compared[at] = found.unwrap_or_default());
        let point = |((value, row), compared)| Point { value, row, compared };
        Self { name, written, points: all.into_iter().zip(compared).map(point).collect() }
    }

    /// For people: how long it took, what it cost, and what differs from the first value.
    pub fn text(&self, unit: Unit) -> String {
        let (times, costs) = (table::plain(self.times()), table::plain(self.costs()));
        format!("{times}\n\n{costs}\n{}", self.remarks(unit))
    }

    /// What is scanned.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// How a value is written.
    pub(crate) fn written(&self, value: f64) -> String {
        (self.written)(self.name, value)
    }

    /// The first value: with it all others are compared.
    fn base(&self) -> String {
        self.points.first().map_or_else(String::new, |point| format!("{} {}", self.name, self.written(point.value)))
    }

    fn times(&self) -> Table {
        let mut table = Table::new();
        let beside = |figure: &str| format!("{figure} beside\n{}", self.base());
        let heads = ["strategy", "operation", self.name, "succeeded", "p50", "p90"].map(str::to_owned);
        table.set_header(heads.into_iter().chain([beside("p50"), beside("p90")]));
        for Point { value, row, compared } in &self.points {
            let beside = |figure| {
                compared.iter().find(|one| one.figure == figure).map_or_else(String::new, |one| change(one, "\n"))
            };
            table.add_row([
                row.strategy.to_string(),
                row.kind.to_string(),
                self.written(*value),
                groups::success(&row.sample, "\n"),
                groups::quantile(row.sample.quantile(0.5), "\n"),
                groups::quantile(row.sample.quantile(0.9), "\n"),
                beside(Figure::P50),
                beside(Figure::P90),
            ]);
        }
        right(table)
    }

    fn costs(&self) -> Table {
        let mut table = Table::new();
        // Where nobody leaves, nobody counts who is left.
        let may_leave = self.points.iter().any(|point| point.row.means.holders_left.is_some());
        let mut heads = vec!["strategy", "operation", self.name, "RPCs/op\n(failed)", "dials/op\n(failed)"];
        heads.push("holders at return,\nat end");
        heads.extend(may_leave.then_some("holders\nleft"));
        heads.push("closest\nfound (%)");
        table.set_header(heads);
        for Point { value, row, .. } in &self.points {
            let means = row.means;
            let holders = match (means.holders_at_return, means.holders_final) {
                (None, None) => groups::TOO_FEW.to_owned(),
                (at_return, at_end) => format!("{}, {}", number(at_return, 1), number(at_end, 1)),
            };
            let mut cells = vec![
                row.strategy.to_string(),
                row.kind.to_string(),
                self.written(*value),
                format!("{} ({})", number(means.rpcs, 1), number(means.rpcs_failed, 1)),
                format!("{} ({})", number(means.dials, 1), number(means.dials_failed, 1)),
                holders,
            ];
            cells.extend(may_leave.then(|| number(means.holders_left, 1)));
            cells.push(number(means.closest_found.map(|share| share * 100.0), 1));
            table.add_row(cells);
        }
        right(table)
    }

    /// What the intervals are about, and which differences are more than chance.
    fn remarks(&self, unit: Unit) -> String {
        let over = match unit {
            Unit::Operation => "over the operations on one network, the same keys in pairs",
            Unit::Network => "over networks, the same ones in pairs",
        };
        let mut lines = format!("in brackets: 95 % intervals {over}");
        for Point { value, row, compared } in &self.points {
            for one in compared {
                let told = match (one.figure, one.verdict) {
                    (Figure::Success, Verdict::Better) => "succeeds more often",
                    (Figure::Success, Verdict::Worse) => "succeeds less often",
                    (Figure::P50, Verdict::Better) => "is faster",
                    (Figure::P50, Verdict::Worse) => "is slower",
                    _ => continue,
                };
                let (strategy, kind, name, value) = (row.strategy, row.kind, self.name, self.written(*value));
                lines += &format!("\n{strategy} {kind} with {name} {value} {told} than with {}", self.base());
                lines += &format!(": {} {}", one.figure.as_str(), change(one, " "));
            }
        }
        lines
    }

    fn flat(&self, Point { value, row, compared }: &Point, network: &str) -> Vec<(String, Value)> {
        let mut flat_row = vec![("scanned".to_owned(), json!(self.name)), ("value".to_owned(), json!(value))];
        flat_row.extend(flat(row, network));
        for figure in [Figure::P50, Figure::P90] {
            let found = compared.iter().find(|one| one.figure == figure);
            let ratio = found.and_then(|one| one.ratio);
            let ends =
                [("", ratio.map(|of| of.value)), ("_low", ratio.map(|of| of.low)), ("_high", ratio.map(|of| of.high))];
            for (name, value) in ends {
                // JSON has no infinity.
                let told =
                    value.map_or(Value::Null, |value| if value.is_finite() { json!(value) } else { json!("inf") });
                flat_row.push((format!("{}_ratio{name}", figure.as_str()), told));
            }
            flat_row.push((format!("{}_verdict", figure.as_str()), json!(found.map(|one| one.verdict))));
        }
        flat_row
    }

    /// For programs: a list of objects, those of a comparison with what was scanned and what differs from the first value.
    pub fn json(&self, network: &str) -> String {
        let object = |point: &Point| Value::Object(self.flat(point, network).into_iter().collect::<Map<_, _>>());
        format!("{:#}", self.points.iter().map(object).collect::<Value>())
    }

    /// For spreadsheets.
    pub fn csv(&self, network: &str) -> String {
        let rows: Vec<_> = self.points.iter().map(|point| self.flat(point, network)).collect();
        let header: Vec<_> = rows.first().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        table::csv(header, rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()))
    }

    /// What it is about, and for each strategy and kind its name with what was done at each value.
    pub(crate) fn lines(&self) -> (&'static str, Vec<Line<'_>>) {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for Point { value, row, .. } in &self.points {
            let name = format!("{} {}", row.strategy, row.kind);
            match lines.last_mut().filter(|(known, _)| *known == name) {
                Some((_, points)) => points.push((*value, row)),
                None => lines.push((name, vec![(*value, row)])),
            }
        }
        (self.name, lines)
    }
}

fn like(row: &BenchRow) -> (StrategyKind, OperationKind) {
    (row.strategy, row.kind)
}

fn right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests;
