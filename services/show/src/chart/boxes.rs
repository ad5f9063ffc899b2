//! How times spread, group by group.

use std::time::Duration;

use maud::{Markup, html};
use parsec_results::statistics::{Reading, Sample};
use serde_json::{Value, json};

use super::axis::Scale;
use super::frame::{Frame, Horizontal, Vertical, area, n, svg};
use super::{Chart, Data, Named};
use crate::{groups, words};

/// What a box shows: whiskers, its ends, and the line in it.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// The height of the name above a box, of the box, and of both with what separates them from the next.
const NAME: f64 = 14.0;
const BOX: f64 = 16.0;
const ROW: f64 = 36.0;

/// A box from the first to the third quartile with the median in it, and whiskers to the 5th and the 95th percentile, of all due attempts.
/// What falls among failures is drawn to the right end. A quantile that n does not carry is left out.
pub fn boxes(title: &str, groups: &[Named<'_>]) -> Chart {
    let drawn: Vec<Drawn<'_>> = groups.iter().map(Drawn::of).collect();
    let longest = drawn.iter().flat_map(|drawn| drawn.quantiles).flatten().filter(|reading| reading.succeeded());
    let scale = Scale::from_zero(longest.map(Reading::seconds).fold(0.0, f64::max) * 1.02);
    let height = ROW * drawn.len() as f64;
    let x = Horizontal { scale, ticks: scale.ticks(), name: "seconds, of all due attempts" };
    // The names stand above the boxes: the vertical axis has nothing to say.
    let frame = Frame { top: 0.0, height, x, y: Vertical { scale: Scale::none(), name: "" } };
    let inside = html! {
        (frame.axes())
        @for (index, drawn) in drawn.iter().enumerate() { (drawn.draw(index, &frame)) }
    };
    let says = says(&drawn);
    let heads = ["group", "due", "p5_seconds", "p25_seconds", "p50_seconds", "p75_seconds", "p95_seconds"];
    Chart {
        title: title.to_owned(),
        svg: svg(frame.bottom(), &format!("{title}: {says}"), &inside),
        says,
        data: Data::of(heads, drawn.iter().map(Drawn::row).collect()),
    }
}

/// A group, and what its box shows.
struct Drawn<'a> {
    name: &'a str,
    sample: &'a Sample,
    quantiles: [Option<Reading>; 5],
}

impl<'a> Drawn<'a> {
    fn of(Named { name, sample }: &Named<'a>) -> Self {
        Self { name, sample, quantiles: QUANTILES.map(|q| sample.quantile(q).map(|found| found.value)) }
    }

    fn draw(&self, index: usize, frame: &Frame) -> Markup {
        let x = |reading: Reading| if reading.succeeded() { frame.px(reading.seconds()) } else { frame.right() };
        let [low, first, median, third, high] = self.quantiles.map(|reading| reading.map(x));
        let top = ROW * index as f64 + NAME;
        let middle = n(top + BOX / 2.0);
        let whisker = |from: Option<f64>, to: Option<f64>| Some(format!("M{} {middle}H{}", n(from?), n(to?)));
        html! {
            text x=(n(frame.left() + 4.0)) y=(n(top - 4.0)) { (self.name) " (n = " (self.sample.counts().due) ")" }
            @for path in [whisker(low, first), whisker(third, high)].into_iter().flatten() { path class=(area(index)) d=(path) {} }
            @if let (Some(first), Some(third)) = (first, third) {
                rect class=(area(index)) x=(n(first)) y=(n(top)) width=(n((third - first).max(1.0))) height=(n(BOX)) {}
            }
            @if let Some(median) = median { path class=(area(index)) stroke-width="3" d=(format!("M{} {}v{}", n(median), n(top), n(BOX))) {} }
        }
    }

    fn row(&self) -> Vec<Value> {
        let told = |reading: Option<Reading>| reading.map_or(Value::Null, groups::for_programs);
        let mut row = vec![json!(self.name), json!(self.sample.counts().due)];
        row.extend(self.quantiles.map(told));
        row
    }

    /// Whether all these of its quantiles are there.
    fn has(&self, quantiles: &[usize]) -> bool {
        quantiles.iter().all(|at| self.quantiles[*at].is_some())
    }

    /// Its median and its name, if half of it succeeded.
    fn median(&self) -> Option<(f64, &'a str)> {
        let median = self.quantiles[2].filter(|median| median.succeeded())?;
        Some((median.seconds(), self.name))
    }
}

fn says(drawn: &[Drawn<'_>]) -> String {
    let mut medians: Vec<_> = drawn.iter().filter_map(Drawn::median).collect();
    medians.sort_by(|a, b| a.0.total_cmp(&b.0));
    let time = |seconds: f64| words::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let medians = match medians[..] {
        [] => "Too little was measured for a median.".to_owned(),
        [(seconds, name)] => format!("The median of {name} is {}.", time(seconds)),
        [(least, first), .., (most, last)] => {
            format!("The medians go from {} ({first}) to {} ({last}).", time(least), time(most))
        }
    };
    format!("{medians}{}", how_to_read(drawn))
}

/// How to read what is drawn, each sentence with a blank before it: nothing is said of boxes and lines that are not there.
fn how_to_read(drawn: &[Drawn<'_>]) -> String {
    let any = |places: &[usize]| drawn.iter().any(|drawn| drawn.has(places));
    let mut said = match (any(&[1, 3]), any(&[0, 1]) || any(&[3, 4])) {
        (true, true) => {
            " A box is half of all attempts, with the median in it; its lines reach the 5th and the 95th percentile."
        }
        (true, false) => " A box is half of all attempts, with the median in it.",
        (false, _) if any(&[2]) => " A stroke is the median.",
        (false, _) => return String::new(),
    }
    .to_owned();
    if drawn.iter().flat_map(|drawn| drawn.quantiles).flatten().any(|reading| !reading.succeeded()) {
        said += " What falls among failures is at the right end.";
    }
    if drawn.iter().any(|drawn| !drawn.has(&[0, 1, 2, 3, 4])) {
        said += " Boxes and lines for which there are too few attempts are left out.";
    }
    said
}
