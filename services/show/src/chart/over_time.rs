//! Quantiles with their intervals, period by period, and the failures under them.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use parsec_results::statistics::{QUANTILES, Quantile, Reading, Sample};
use serde_json::{Value, json};

use super::axis::Scale;
use super::frame::{Frame, Horizontal, Vertical, area, band, legend, line, mark, n, svg};
use super::{Chart, Data};
use crate::{groups, words};

/// The height of the upper and the lower part.
const TIMES: f64 = 200.0;
const FAILURES: f64 = 70.0;

/// How wide the mark of a period is at most.
const MARK: f64 = 10.0;

/// How many times as long as the longest quantile the upper end of an interval may be and still be on the axis: one wild end would press all
/// others to the floor. What goes beyond ends in an arrow.
const REACH: f64 = 6.0;

/// The size of such an arrow.
const ARROW: f64 = 8.0;

/// The attempts of one group in one period.
#[derive(Debug, Clone, Copy)]
pub struct Period<'a> {
    /// When it began.
    pub from: DateTime<Utc>,
    /// The attempts in it.
    pub sample: &'a Sample,
}

/// p50, p90 and p99 of all due attempts with 95 % bands, and the share that failed below. Periods of the same `length` in the order of
/// time; one without attempts may be missing, and leaves a gap. A quantile among failures, or that n does not carry, leaves a gap too. An
/// interval that goes beyond the axis, or ends among failures, has an arrow at the top.
pub fn over_time(title: &str, periods: &[Period<'_>], length: TimeDelta) -> Chart {
    let frames = Frames::of(periods, length);
    let names = QUANTILES.map(|(name, _)| format!("{name} of all due attempts, with its 95 % interval"));
    let drawn: Vec<_> = QUANTILES.iter().map(|(_, q)| frames.stretches(periods, *q, length)).collect();
    // A line that has no point needs no name.
    let named: Vec<_> =
        names.into_iter().zip(&drawn).map(|(name, parts)| if parts.is_empty() { None } else { Some(name) }).collect();
    let (legend, _) = legend(&named.into_iter().flatten().collect::<Vec<_>>());
    let inside = html! {
        (legend) (frames.times.axes()) (frames.failures.axes())
        @for (index, parts) in drawn.iter().enumerate() { (frames.quantile(index, parts)) }
        @for period in periods { (frames.failed(period, length)) }
    };
    let beyond = drawn.iter().flatten().flatten().filter(|point| point.is_cut).count();
    let says = says(periods, length) + &cut(beyond);
    let rows = periods.iter().map(row);
    let heads = [
        "from",
        "due",
        "p50_seconds",
        "p50_low",
        "p50_high",
        "p90_seconds",
        "p90_low",
        "p90_high",
        "p99_seconds",
        "p99_low",
        "p99_high",
        "failed_share",
    ];
    Chart {
        title: title.to_owned(),
        svg: svg(frames.failures.bottom(), &format!("{title}: {says}"), &inside),
        says,
        data: Data::of(heads, rows.collect()),
    }
}

/// Where a quantile and the ends of its interval stand at one moment, and whether the upper end is above the axis.
#[derive(Clone, Copy)]
struct Point {
    x: f64,
    value: f64,
    low: f64,
    high: f64,
    is_cut: bool,
}

struct Frames {
    times: Frame,
    failures: Frame,
}

impl Frames {
    fn of(periods: &[Period<'_>], length: TimeDelta) -> Self {
        let from = periods.first().map_or(DateTime::UNIX_EPOCH, |period| period.from);
        let to = periods.last().map_or(from, |period| period.from) + length;
        let scale = Scale::time(from, to);
        let most = periods.iter().filter_map(|period| failed(period.sample)).map(|share| share[2]).fold(0.0, f64::max);
        let x = |ticks, name| Horizontal { scale, ticks, name };
        let times = Frame {
            top: 58.0,
            height: TIMES,
            x: x(Vec::new(), ""),
            y: Vertical { scale: Scale::from_zero(longest(periods)), name: "seconds" },
        };
        let failures = Frame {
            top: times.bottom() - 16.0,
            height: FAILURES,
            x: x(scale.times(), "UTC"),
            y: Vertical { scale: Scale::from_zero(100.0 * most), name: "failed, %" },
        };
        Self { times, failures }
    }

    /// The points of a quantile, in stretches without a gap.
    fn stretches(&self, periods: &[Period<'_>], q: f64, length: TimeDelta) -> Vec<Vec<Point>> {
        let mut stretches: Vec<Vec<Point>> = Vec::new();
        let mut last: Option<DateTime<Utc>> = None;
        for period in periods {
            let quantile = period.sample.quantile(q).filter(|quantile| quantile.value.succeeded());
            let Some(Quantile { value, low, high, .. }) = quantile else {
                last = None;
                continue;
            };
            let y = |reading: Reading| self.times.py(reading.seconds());
            let x = self.times.px((period.from + length / 2).timestamp() as f64);
            let is_cut = high.seconds() > self.times.y.scale.high();
            let point = Point { x, value: y(value), low: y(low), high: y(high), is_cut };
            match stretches.last_mut().filter(|_| last.is_some_and(|last| last + length >= period.from)) {
                Some(stretch) => stretch.push(point),
                None => stretches.push(vec![point]),
            }
            last = Some(period.from);
        }
        stretches
    }

    fn quantile(&self, index: usize, stretches: &[Vec<Point>]) -> Markup {
        let path = |points: &[Point], y: fn(&Point) -> f64| {
            points.iter().map(|point| format!("{} {}", n(point.x), n(y(point)))).collect::<Vec<_>>().join("L")
        };
        html! {
            @for points in stretches {
                @if let [Point { x, value, low, high, .. }] = points[..] {
                    path class=(line(index)) d=(format!("M{} {}V{}M{} {}h6", n(x), n(low), n(high), n(x - 3.0), n(value))) {}
                } @else {
                    @let back: Vec<Point> = points.iter().rev().copied().collect();
                    path class=(band(index)) d=(format!("M{}L{}Z", path(points, |point| point.high), path(&back, |point| point.low))) {}
                    path class=(line(index)) d=(format!("M{}", path(points, |point| point.value))) {}
                }
                @for point in points.iter().filter(|point| point.is_cut) {
                    // Below each other, so that none hides the others.
                    @let top = point.high + ARROW * index as f64;
                    path class=(mark(index)) d=(format!("M{} {}l{} {ARROW}h-{ARROW}Z", n(point.x), n(top), n(ARROW / 2.0))) {}
                }
            }
        }
    }

    /// The share that failed in a period: a bar, and its interval on it.
    fn failed(&self, period: &Period<'_>, length: TimeDelta) -> Markup {
        let Some([share, low, high]) = failed(period.sample) else { return html! {} };
        let frame = &self.failures;
        let (from, to) = (period.from.timestamp() as f64, (period.from + length).timestamp() as f64);
        let width = (0.7 * (frame.px(to) - frame.px(from))).min(MARK);
        let middle = f64::midpoint(frame.px(from), frame.px(to));
        let [floor, share, low, high] = [0.0, share, low, high].map(|share| frame.py(100.0 * share));
        html! {
            rect class=(area(1)) x=(n(middle - width / 2.0)) y=(n(share)) width=(n(width)) height=(n(floor - share)) {}
            path class="axis" d=(format!("M{} {}V{}", n(middle), n(low), n(high))) {}
        }
    }
}

/// How long the axis of times has to be.
fn longest(periods: &[Period<'_>]) -> f64 {
    let quantiles = periods.iter().flat_map(|period| QUANTILES.map(|(_, q)| period.sample.quantile(q))).flatten();
    let times = quantiles.filter(|quantile| quantile.value.succeeded());
    let (value, end) = times.fold((0.0_f64, 0.0_f64), |(value, end), quantile| {
        let high = Some(quantile.high).filter(|high| high.succeeded()).map_or(0.0, Reading::seconds);
        (value.max(quantile.value.seconds()), end.max(high))
    });
    (1.1 * value).max(end.min(REACH * value))
}

/// How many intervals go beyond the axis, a sentence with a blank before it.
fn cut(beyond: usize) -> String {
    match beyond {
        0 => String::new(),
        1 => " One interval goes beyond the axis: an arrow marks it.".to_owned(),
        many => format!(" {many} intervals go beyond the axis: arrows mark them."),
    }
}

/// The share that failed, and the ends of its interval.
fn failed(sample: &Sample) -> Option<[f64; 3]> {
    let share = sample.success()?.share;
    Some([1.0 - share.value, 1.0 - share.high, 1.0 - share.low])
}

fn row(period: &Period<'_>) -> Vec<Value> {
    let mut row = vec![json!(period.from), json!(period.sample.counts().due)];
    for (_, q) in QUANTILES {
        let quantile = period.sample.quantile(q);
        row.extend(
            quantile.map(|found| [found.value, found.low, found.high].map(groups::for_programs)).unwrap_or_default(),
        );
    }
    row.push(json!(failed(period.sample).map(|[share, ..]| share)));
    row
}

fn says(periods: &[Period<'_>], length: TimeDelta) -> String {
    let medians: Vec<_> = periods
        .iter()
        .filter_map(|period| Some((period.sample.quantile(0.5)?.value, period.from)))
        .filter(|(median, _)| median.succeeded())
        .map(|(median, from)| (median.seconds(), from))
        .collect();
    let by_median = |a: &&(f64, DateTime<Utc>), b: &&(f64, DateTime<Utc>)| a.0.total_cmp(&b.0);
    let (Some(least), Some(most)) = (medians.iter().min_by(by_median), medians.iter().max_by(by_median)) else {
        return "Too little was measured in any period for a median.".to_owned();
    };
    let told = |(seconds, from): &(f64, DateTime<Utc>)| {
        let time = words::duration(std::time::Duration::try_from_secs_f64(*seconds).unwrap_or_default());
        let named = if length < TimeDelta::days(1) { "%-d %b %H:%M" } else { "%-d %b" };
        format!("{time} ({})", from.format(named))
    };
    let (low, high) = (told(least), told(most));
    let median = match &medians[..] {
        [_] => format!("The median was {low}"),
        _ => format!("The median was between {low} and {high}"),
    };
    let due: usize = periods.iter().map(|period| period.sample.counts().due).sum();
    let succeeded: usize = periods.iter().map(|period| period.sample.counts().succeeded).sum();
    format!("{median}; {} of {due} due attempts failed.", due - succeeded)
}
