//! How strategies fare as time goes on: how long it took, and which share succeeded.

use maud::{Markup, html};
use parsec_results::statistics::Quantile;

use super::axis::{Scale, Tick};
use super::frame::{Frame, Horizontal, Vertical, legend, line, n, svg};
use super::scanned::{data, drawn, medians};
use super::{Chart, Data};
use crate::series::Line;
use crate::timeline::Timeline;

const TIMES: f64 = 220.0;
const SHARES: f64 = 110.0;

/// p50 of all due attempts with its 95 % band, on a scale of decades, by the time at which they began; below, the share that succeeded. Where p50
/// falls among failures, or n does not carry it, there is a gap. Dashed: when something happens.
pub fn timeline(title: &str, timeline: &Timeline) -> Chart {
    let (name, happened, lines) = timeline.lines();
    let points: Vec<Vec<(f64, Quantile)>> = lines.iter().map(|(_, points)| medians(points)).collect();
    let (legend, top) = legend(&lines.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    let values = || lines.iter().flat_map(|(_, points)| points.iter().map(|(value, _)| *value));
    let last = values().fold(0.0, f64::max);
    let seconds = || points.iter().flatten().map(|(_, median)| median.value.seconds());
    let x = |name| Horizontal { scale: Scale::between(0.0, last), ticks: ticks(last), name };
    let low = seconds().fold(f64::MAX, f64::min);
    let times = Frame {
        top: top + 12.0,
        height: TIMES,
        x: x(""),
        y: Vertical { scale: Scale::logarithmic(low, seconds().fold(0.0, f64::max)), name: "p50, seconds" },
    };
    let y = Vertical { scale: Scale::share(), name: "succeeded" };
    let shares = Frame { top: times.bottom(), height: SHARES, x: x(name), y };
    let inside = html! {
        (legend) (times.axes()) (shares.axes())
        @for frame in [&times, &shares] { (marks(&happened, frame)) }
        @for (index, points) in points.iter().enumerate() {
            @for part in unbroken(points, &lines[index]) { (drawn(index, &part, &times)) }
        }
        @for (index, (_, points)) in lines.iter().enumerate() { (share(index, points, &shares)) }
    };
    let says = timeline.says();
    let rows = lines.iter().flat_map(|(line, points)| points.iter().map(move |(value, row)| data(line, *value, row)));
    Chart {
        title: title.to_owned(),
        svg: svg(shares.bottom(), &format!("{title}: {says}"), &inside),
        data: Data::of(["line", name, "due", "p50_seconds", "p50_low", "p50_high"], rows.collect()),
        says,
    }
}

/// Round numbers from zero.
fn ticks(last: f64) -> Vec<Tick> {
    Scale::from_zero(last).ticks().into_iter().filter(|tick| tick.at <= last).collect()
}

/// The stretches in which every step has a median.
fn unbroken(points: &[(f64, Quantile)], (_, all): &Line<'_>) -> Vec<Vec<(f64, Quantile)>> {
    let mut parts: Vec<Vec<(f64, Quantile)>> = vec![Vec::new()];
    for (value, _) in all {
        match points.iter().find(|(at, _)| at == value) {
            Some(point) => parts.last_mut().into_iter().for_each(|part| part.push(*point)),
            None => parts.push(Vec::new()),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn marks(happened: &[f64], frame: &Frame) -> Markup {
    html! {
        @for at in happened {
            path class="axis" stroke-dasharray="3 3" d=(format!("M{} {}v{}", n(frame.px(*at)), n(frame.top), n(frame.height))) {}
        }
    }
}

fn share(index: usize, points: &[(f64, &parsec_results::bench::BenchRow)], frame: &Frame) -> Markup {
    let point = |(at, row): &(f64, &parsec_results::bench::BenchRow)| {
        let share = row.sample.success()?.share.value;
        Some(format!("{} {}", n(frame.px(*at)), n(frame.py(share))))
    };
    let path: Vec<_> = points.iter().filter_map(point).collect();
    html! { @if !path.is_empty() { path class=(line(index)) d=(format!("M{}", path.join("L"))) {} } }
}
