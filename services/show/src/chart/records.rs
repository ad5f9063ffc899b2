//! How many of the closest peers have a record, by its age.

use std::time::Duration;

use maud::{Markup, html};
use parsec_results::RecordGroup;
use parsec_results::statistics::Interval;
use serde_json::json;

use super::axis::{Scale, Tick};
use super::frame::{Frame, Horizontal, Vertical, band, legend, line, n, svg};
use super::{Chart, Data};
use crate::words;

/// The height of the drawing area.
const HEIGHT: f64 = 200.0;

/// How far the lines of groups stand apart, so that their intervals do not hide each other.
const APART: f64 = 4.0;

/// A line for each group: which share of the closest peers had its records when they were checked, with 95 % intervals. Groups without a
/// check are left out.
pub fn records(title: &str, groups: &[(&str, &RecordGroup)]) -> Chart {
    let drawn: Vec<Drawn<'_>> = groups.iter().map(Drawn::of).filter(|drawn| !drawn.points.is_empty()).collect();
    let ages: Vec<Duration> = drawn.iter().flat_map(|drawn| drawn.points.iter().map(|point| point.age)).collect();
    let names: Vec<String> = drawn.iter().map(|drawn| drawn.name.to_owned()).collect();
    let (legend, top) = legend(&names);
    let oldest = ages.iter().max().map_or(0.0, |age| hours(*age));
    let scale = Scale::from_zero(oldest.max(1.0));
    let tick = |age: &Duration| Tick { at: hours(*age), label: words::span(*age) };
    let mut ticks: Vec<Tick> = ages.iter().map(tick).collect();
    ticks.sort_by(|one, other| one.at.total_cmp(&other.at));
    ticks.dedup();
    let x = Horizontal { scale, ticks, name: "age of the record" };
    let frame = Frame { top, height: HEIGHT, x, y: Vertical { scale: Scale::share(), name: "share that has it" } };
    let inside = html! {
        (legend) (frame.axes())
        @for (index, drawn) in drawn.iter().enumerate() { (drawn.draw(index, &frame)) }
    };
    let says = says(&drawn);
    let row = |name: &str, point: &Point| {
        let Interval { value, low, high } = point.share;
        vec![json!(name), json!(hours(point.age)), json!(value), json!(low), json!(high), json!(point.checks)]
    };
    let rows = drawn.iter().flat_map(|drawn| drawn.points.iter().map(move |point| row(drawn.name, point)));
    Chart {
        title: title.to_owned(),
        svg: svg(frame.bottom(), &format!("{title}: {says}"), &inside),
        data: Data::of(["group", "age_hours", "share", "share_low", "share_high", "checks"], rows.collect()),
        says,
    }
}

fn hours(age: Duration) -> f64 {
    age.as_secs_f64() / 3_600.0
}

/// What was seen of the records of a group at one age.
struct Point {
    age: Duration,
    share: Interval,
    checks: usize,
}

/// A group and its line.
struct Drawn<'a> {
    name: &'a str,
    points: Vec<Point>,
}

impl<'a> Drawn<'a> {
    fn of((name, group): &(&'a str, &RecordGroup)) -> Self {
        let point = |(age, verified): (&Duration, &parsec_results::Verified)| {
            Some(Point { age: *age, share: verified.share()?.share, checks: verified.checks() })
        };
        Self { name, points: group.verified.iter().filter_map(point).collect() }
    }

    fn draw(&self, index: usize, frame: &Frame) -> Markup {
        let x = |point: &Point| frame.px(hours(point.age)) + APART * index as f64;
        let at = |point: &Point| format!("{} {}", n(x(point)), n(frame.py(point.share.value)));
        let path = self.points.iter().map(at).collect::<Vec<_>>().join("L");
        html! {
            path class=(line(index)) d=(format!("M{path}")) {}
            @for point in &self.points {
                @let (low, high) = (frame.py(point.share.low), frame.py(point.share.high));
                rect class=(band(index)) x=(n(x(point) - 3.0)) y=(n(high)) width="6" height=(n((low - high).max(1.0))) {}
                path class=(line(index)) d=(format!("M{} {}h6", n(x(point) - 3.0), n(frame.py(point.share.value)))) {}
            }
        }
    }
}

fn says(drawn: &[Drawn<'_>]) -> String {
    let said = |drawn: &Drawn<'_>| {
        let last = drawn.points.last()?;
        let share = words::share_interval(last.share, " ");
        let checks = words::count(last.checks, "check", "checks");
        Some(format!(
            "{}: {share} of the closest peers had the record after {} ({checks})",
            drawn.name,
            words::span(last.age)
        ))
    };
    let said: Vec<String> = drawn.iter().filter_map(said).collect();
    if said.is_empty() { "No record was checked.".to_owned() } else { said.join("; ") + "." }
}
