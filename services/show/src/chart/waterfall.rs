//! An operation, request by request.

use std::collections::BTreeSet;
use std::time::Duration;

use maud::{Markup, html};
use parsec_measure::{RequestEnd, Trace, TracedRequest};
use parsec_results::phases::{Phase, phases};
use parsec_results::{Part, explain};
use serde_json::{Value, json};

use super::axis::{Scale, Tick};
use super::frame::{WIDTH, area, legend, n, svg};
use super::{Chart, Data};
use crate::requests::{named_by, reach, result, state};
use crate::sentences::sentences;
use crate::words;

/// How many requests are drawn: a screen, and a quarter of what a report may weigh if four operations are. The others stand in what `parsec trace` shows.
const ROWS: usize = 32;

/// The height of a row, and the size of what is written in it.
const ROW: f64 = 14.0;
const LETTERS: &str = "10";

/// Where the columns left of the bars end or begin, where the bars do, and where what came of the requests begins.
const NUMBER: f64 = 20.0;
const BY: f64 = 62.0;
const BITS: f64 = 92.0;
const PEER: f64 = 102.0;
const BARS: (f64, f64) = (160.0, 500.0);
const RESULT: f64 = 508.0;

/// Room for the letters of a result; a letter more than the picture is wide for is cut off.
const RESULT_LETTERS: usize = 24;

/// What a request was doing, and the series that it looks like.
const DRAWN: [(Phase, &str, f64); 3] =
    [(Phase::Dial, "dial", 3.0), (Phase::Open, "open stream, write", 7.0), (Phase::Wait, "wait for the answer", 10.0)];

/// A row for each request of an operation, in the order in which they were made: who named the peer, how many bits it shares with the key, when
/// it was dialled and asked, and what came of it. Requests that account for the time of the operation come first where there are too many.
pub fn waterfall(title: &str, trace: &Trace) -> Chart {
    let explained = explain(trace);
    let path: BTreeSet<usize> = requests(explained.parts.as_deref().unwrap_or_default()).collect();
    let rows = chosen(trace, &path);
    let says = says(trace, rows.len(), &sentences(&explained));
    let (legend, top) = legend(&DRAWN.map(|(_, name, _)| name.to_owned()));
    let picture =
        Picture { trace, top: top + ROW, scale: Scale::from_zero(reach(trace).as_secs_f64()), rows: rows.len() };
    let inside = html! {
        (legend) (picture.heads()) (picture.axis())
        @for (row, index) in rows.iter().enumerate() { (picture.request(row, *index, path.contains(index))) }
    };
    let heads = [
        "request",
        "named_by",
        "hop",
        "common_prefix_bits",
        "peer",
        "kind",
        "state",
        "asked_seconds",
        "dialled_seconds",
        "connected_seconds",
        "written_seconds",
        "ended_seconds",
        "result",
        "on_critical_path",
    ];
    let data = rows.iter().map(|index| row(*index, &trace.requests[*index], path.contains(index))).collect();
    Chart {
        title: title.to_owned(),
        svg: svg(picture.bottom() + 38.0, &format!("{title}: {says}"), &inside),
        says,
        data: Data::of(heads, data),
    }
}

fn requests(parts: &[Part]) -> impl Iterator<Item = usize> {
    parts.iter().flat_map(|part| part.requests.iter().map(|share| share.request))
}

/// The requests that are drawn, in the order in which they were made.
fn chosen(trace: &Trace, path: &BTreeSet<usize>) -> Vec<usize> {
    let mut all: Vec<usize> = (0..trace.requests.len()).collect();
    let made = |index: &usize| (trace.requests[*index].asked, *index);
    all.sort_by_key(|index| (!path.contains(index), made(index)));
    all.truncate(ROWS);
    all.sort_by_key(made);
    all
}

fn says(trace: &Trace, drawn: usize, sentences: &[String]) -> String {
    let mut said = sentences.join("; ") + ".";
    let others = trace.requests.len() - drawn + trace.left_out as usize;
    if others > 0 {
        said += &format!(" {} not drawn.", words::count(others, "request is", "requests are"));
    }
    said
}

fn row(index: usize, request: &TracedRequest, is_on_path: bool) -> Vec<Value> {
    let seconds = |time: Option<Duration>| time.map_or(Value::Null, |time| json!(time.as_secs_f64()));
    let mut row = vec![json!(index), json!(named_by(request)), json!(request.hop), json!(request.common_prefix)];
    row.extend([json!(request.peer), json!(request.kind.to_string()), json!(state(request))]);
    row.extend([Some(request.asked), request.dialled, request.connected, request.written, request.ended].map(seconds));
    row.extend([json!(result(request)), json!(if is_on_path { "yes" } else { "no" })]);
    row
}

struct Picture<'a> {
    trace: &'a Trace,
    top: f64,
    scale: Scale,
    rows: usize,
}

impl Picture<'_> {
    fn px(&self, at: Duration) -> f64 {
        self.at(at.as_secs_f64())
    }

    fn at(&self, seconds: f64) -> f64 {
        BARS.0 + self.scale.at(seconds) * (BARS.1 - BARS.0)
    }

    fn bottom(&self) -> f64 {
        self.top + ROW * self.rows as f64
    }

    fn heads(&self) -> Markup {
        let y = n(self.top - 4.0);
        html! {
            @for (x, anchor, head) in
                [(NUMBER, "end", "#"), (BY, "end", "by"), (BITS, "end", "bits"), (PEER, "start", "peer"), (RESULT, "start", "result")]
            {
                text class="faint" font-size=(LETTERS) x=(n(x)) y=(y) text-anchor=(anchor) { (head) }
            }
        }
    }

    /// The time below the rows, and the line where the operation returned.
    fn axis(&self) -> Markup {
        let floor = self.bottom() + 4.0;
        let returned = self.px(self.trace.returned);
        html! {
            @for Tick { at, label } in self.scale.ticks() {
                path class="grid" d=(format!("M{} {}V{}", n(self.at(at)), n(self.top), n(floor))) {}
                text x=(n(self.at(at))) y=(n(floor + 14.0)) text-anchor="middle" { (label) }
            }
            path class="axis" d=(format!("M{} {}H{}", n(BARS.0), n(floor), n(BARS.1))) {}
            path class="guide" d=(format!("M{} {}V{}", n(returned), n(self.top - 2.0), n(floor))) {}
            text class="faint" x=(n(f64::midpoint(BARS.0, BARS.1))) y=(n(floor + 30.0)) text-anchor="middle" {
                "seconds; bold: on the critical path; dotted line: returned after " (words::duration(self.trace.returned))
            }
        }
    }

    fn request(&self, row: usize, index: usize, is_on_path: bool) -> Markup {
        let request = &self.trace.requests[index];
        let middle = self.top + ROW * row as f64 + ROW / 2.0;
        let y = n(middle + 3.5);
        let weight = is_on_path.then_some("bold");
        let result: String = result(request).chars().take(RESULT_LETTERS).collect();
        html! {
            g font-size=(LETTERS) font-weight=[weight] {
                text x=(n(NUMBER)) y=(y) text-anchor="end" { (index) }
                text x=(n(BY)) y=(y) text-anchor="end" { (named_by(request)) }
                text x=(n(BITS)) y=(y) text-anchor="end" { (request.common_prefix) }
                text x=(n(PEER)) y=(y) { (words::peer(&request.peer)) }
                text x=(n(RESULT)) y=(y) { (result) }
            }
            (self.bars(request, middle))
        }
    }

    fn bars(&self, request: &TracedRequest, middle: f64) -> Markup {
        let reach = Duration::try_from_secs_f64(self.scale.high()).unwrap_or_default();
        let end = request.ended.unwrap_or(reach);
        let phases = phases(request, end);
        let (from, to) = (self.px(request.asked), self.px(end));
        let has_failed = !matches!(request.end, RequestEnd::Answered | RequestEnd::Cancelled | RequestEnd::Pending);
        html! {
            path class="grid" d=(format!("M{} {}H{}", n(from), n(middle), n(to))) {}
            @for (index, (phase, _, height)) in DRAWN.iter().enumerate() {
                @for (_, span) in phases.iter().filter(|(known, span)| known == phase && !span.length().is_zero()) {
                    @let (from, to) = (self.px(span.from), self.px(span.to));
                    rect class=(area(index)) x=(n(from)) y=(n(middle - height / 2.0)) width=(n((to - from).max(0.5))) height=(n(*height)) {}
                }
            }
            @if has_failed { path class="axis" d=(format!("M{} {}l6 6m0 -6l-6 6", n(to - 3.0), n(middle - 3.0))) {} }
            @if request.ended.is_none_or(|ended| ended > reach) && to < WIDTH { path class="axis" d=(format!("M{} {}l4 4l-4 4", n(to), n(middle - 4.0))) {} }
        }
    }
}
