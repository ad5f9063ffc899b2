//! One figure by two things at once, such as region and fleet.

use maud::html;
use parsec_results::statistics::Sample;
use serde_json::json;

use super::frame::{WIDTH, n, svg};
use super::{Chart, Data};
use crate::groups;

/// Room for the names of rows.
const LEFT: f64 = 130.0;

/// The height of a row, and that of the names of columns.
const ROW: f64 = 34.0;
const HEAD: f64 = 22.0;

/// How strong the colour of the largest value is: its text must stay readable.
const STRONGEST: f64 = 0.45;

/// The attempts of one row and column.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// The name of its row.
    pub row: &'a str,
    /// The name of its column.
    pub column: &'a str,
    /// Its attempts.
    pub sample: &'a Sample,
}

/// The quantile `q` of each cell, written into it with its interval; the longer, the stronger its colour. Cells that are not there, or whose n
/// does not carry the quantile, have no colour.
pub fn heat(title: &str, q: f64, cells: &[Cell<'_>]) -> Chart {
    let [rows, columns] =
        [|cell: &Cell<'_>| cell.row.to_owned(), |cell: &Cell<'_>| cell.column.to_owned()].map(|name| {
            let mut names: Vec<String> = cells.iter().map(name).collect();
            names.sort();
            names.dedup();
            names
        });
    let times = cells.iter().filter_map(|cell| seconds(cell.sample, q)).filter(|seconds| seconds.is_finite());
    let longest = times.fold(f64::MIN_POSITIVE, f64::max);
    let width = (WIDTH - LEFT) / columns.len().max(1) as f64;
    let place = |names: &[String], name: &str| names.iter().position(|known| known == name).unwrap_or_default() as f64;
    let inside = html! {
        @for (index, column) in columns.iter().enumerate() {
            text x=(n(LEFT + width * (index as f64 + 0.5))) y="14" text-anchor="middle" { (column) }
        }
        @for (index, row) in rows.iter().enumerate() { text x="2" y=(n(HEAD + ROW * (index as f64 + 0.5) + 4.0)) { (row) } }
        @for cell in cells {
            @let (x, y) = (LEFT + width * place(&columns, cell.column), HEAD + ROW * place(&rows, cell.row));
            @let part = seconds(cell.sample, q).map_or(0.0, |seconds| if seconds.is_finite() { seconds / longest } else { 1.0 });
            rect class="m0" x=(n(x + 1.0)) y=(n(y + 1.0)) width=(n(width - 2.0)) height=(n(ROW - 2.0)) opacity=(format!("{:.2}", STRONGEST * part)) {}
            text x=(n(x + width / 2.0)) y=(n(y + 15.0)) text-anchor="middle" { (groups::quantile(cell.sample.quantile(q), " ")) }
            text class="faint" x=(n(x + width / 2.0)) y=(n(y + 28.0)) text-anchor="middle" { "n = " (cell.sample.counts().due) }
        }
    };
    let says = says(cells, q);
    let data = cells.iter().map(|cell| {
        let ends = cell.sample.quantile(q).map(|found| [found.value, found.low, found.high].map(groups::for_programs));
        let mut row = vec![json!(cell.row), json!(cell.column), json!(cell.sample.counts().due)];
        row.extend(ends.unwrap_or_default());
        row
    });
    Chart {
        title: title.to_owned(),
        svg: svg(HEAD + ROW * rows.len() as f64 + 4.0, &format!("{title}: {says}"), &inside),
        says,
        data: Data::of(["row", "column", "due", "seconds", "low", "high"], data.collect()),
    }
}

/// The quantile in seconds, infinite among failures.
fn seconds(sample: &Sample, q: f64) -> Option<f64> {
    Some(sample.quantile(q)?.value.seconds())
}

fn says(cells: &[Cell<'_>], q: f64) -> String {
    let mut known: Vec<_> = cells.iter().filter_map(|cell| Some((seconds(cell.sample, q)?, cell))).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let told = |cell: &Cell<'_>| {
        format!("{} for {} and {}", groups::quantile(cell.sample.quantile(q), " "), cell.row, cell.column)
    };
    match known[..] {
        [] => "Too little was measured anywhere.".to_owned(),
        [(_, only)] => format!("{}.", told(only)),
        [(_, least), .., (_, most)] => format!("From {} to {}.", told(least), told(most)),
    }
}
