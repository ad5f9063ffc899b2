//! How long it took at several values of one thing, strategy by strategy.

use std::time::Duration;

use maud::{Markup, html};
use parsec_results::bench::BenchRow;
use parsec_results::statistics::{Quantile, Reading};
use serde_json::{Value, json};

use super::axis::{Scale, Tick};
use super::frame::{Frame, Horizontal, Vertical, band, legend, line, n, svg};
use super::{Chart, Data};
use crate::series::{Line, Series};
use crate::{groups, words};

const HEIGHT: f64 = 260.0;

/// How far the ends of a mark of an interval reach to either side.
const MARK: f64 = 3.0;

/// p50 of all due attempts with its 95 % band, on a scale of decades, by the value. Where it falls among failures, or n does not carry
/// it, there is a gap.
pub fn scanned(title: &str, series: &Series) -> Chart {
    let (name, lines) = series.lines();
    let points: Vec<Vec<(f64, Quantile)>> = lines.iter().map(|(_, points)| medians(points)).collect();
    let (legend, top) = legend(&lines.iter().map(|(name, _)| format!("{name}, p50")).collect::<Vec<_>>());
    let values = || lines.iter().flat_map(|(_, points)| points.iter().map(|(value, _)| *value));
    let (least, most) = values().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
    let seconds = || points.iter().flatten().map(|(_, median)| median.value.seconds());
    let frame = Frame {
        top: top + 12.0,
        height: HEIGHT,
        x: Horizontal { scale: Scale::between(least, most), ticks: ticks(values().collect(), series), name },
        y: Vertical {
            scale: Scale::logarithmic(seconds().fold(f64::MAX, f64::min), seconds().fold(0.0, f64::max)),
            name: "seconds",
        },
    };
    let inside = html! {
        (legend) (frame.axes())
        @for (index, points) in points.iter().enumerate() { (drawn(index, points, &frame)) }
    };
    let says = says(series, &lines, &points);
    let rows = lines.iter().flat_map(|(line, points)| points.iter().map(move |(value, row)| data(line, *value, row)));
    Chart {
        title: title.to_owned(),
        svg: svg(frame.bottom(), &format!("{title}: {says}"), &inside),
        data: Data::of(["line", "value", "due", "p50_seconds", "p50_low", "p50_high"], rows.collect()),
        says,
    }
}

pub(super) fn medians(points: &[(f64, &BenchRow)]) -> Vec<(f64, Quantile)> {
    let median = |(value, row): &(f64, &BenchRow)| Some((*value, row.sample.quantile(0.5)?));
    points.iter().filter_map(median).filter(|(_, median)| median.value.succeeded()).collect()
}

/// One for each value: what was asked for is what is written.
fn ticks(mut values: Vec<f64>, series: &Series) -> Vec<Tick> {
    values.sort_by(f64::total_cmp);
    values.dedup();
    values.into_iter().map(|at| Tick { at, label: series.written(at) }).collect()
}

pub(super) fn drawn(index: usize, points: &[(f64, Quantile)], frame: &Frame) -> Markup {
    let path = |points: &mut dyn Iterator<Item = (f64, Reading)>| {
        points.map(|(x, y)| format!("{} {}", n(frame.px(x)), n(frame.py(y.seconds())))).collect::<Vec<_>>().join("L")
    };
    let middle = path(&mut points.iter().map(|(x, median)| (*x, median.value)));
    let ahead = path(&mut points.iter().map(|(x, median)| (*x, median.high)));
    let back = path(&mut points.iter().rev().map(|(x, median)| (*x, median.low)));
    html! {
        @if !points.is_empty() {
            path class=(band(index)) d=(format!("M{ahead}L{back}Z")) {}
            path class=(line(index)) d=(format!("M{middle}")) {}
        }
        @for (x, median) in points {
            path class=(line(index)) d=(format!("M{} {}h{}", n(frame.px(*x) - MARK), n(frame.py(median.value.seconds())), n(2.0 * MARK))) {}
        }
    }
}

fn says(series: &Series, lines: &[Line<'_>], points: &[Vec<(f64, Quantile)>]) -> String {
    let time = |quantile: &Quantile| {
        words::duration(Duration::try_from_secs_f64(quantile.value.seconds()).unwrap_or_default())
    };
    let told = lines.iter().zip(points).filter_map(|((line, _), points)| {
        let ((from, first), (to, last)) = (points.first()?, points.last()?);
        let [from, to] = [from, to].map(|value| format!("{} {}", series.name(), series.written(*value)));
        Some(format!("p50 of {line} goes from {} ({from}) to {} ({to}).", time(first), time(last)))
    });
    let told: Vec<_> = told.collect();
    if told.is_empty() { "Too little was done for a median.".to_owned() } else { told.join(" ") }
}

pub(super) fn data(line: &str, value: f64, row: &BenchRow) -> Vec<Value> {
    let median = row.sample.quantile(0.5);
    let mut cells = vec![json!(line), json!(value), json!(row.sample.counts().due)];
    let of = |part: fn(Quantile) -> Reading| median.map_or(Value::Null, |median| groups::for_programs(part(median)));
    cells.extend([of(|median| median.value), of(|median| median.low), of(|median| median.high)]);
    cells
}
