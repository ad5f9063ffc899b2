//! Which share of all due attempts was done after which time.

use maud::html;
use parsec_results::statistics::Ecdf;
use serde_json::{Value, json};

use super::axis::Scale;
use super::frame::{Frame, Horizontal, Vertical, legend, line, n, svg};
use super::{Chart, Data, Named};
use crate::words;

/// How many steps a line has at most, where it has the width of a page and half of it: a step is then a millimetre or two of a printed
/// chart, and a report has dozens of lines.
pub(crate) const STEPS: [usize; 2] = [160, 80];

/// Which share of the attempts of every series the horizontal axis shows, so that a single straggler does not press all others to
/// the left. How many lie beyond is said.
const SHOWN: f64 = 0.99;

/// The shares in the table of the chart, in percent; those beside others have the ones that people ask for.
pub(crate) const TOLD: [&[u32]; 2] = [
    &[1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 99],
    &[1, 5, 10, 25, 50, 75, 90, 95, 99],
];

/// Where guides help to read the median and the ninth decile.
const GUIDES: [f64; 2] = [0.5, 0.9];

/// How an axis of times goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Evenly, from zero.
    FromZero,
    /// By decades, so that what is short is seen as well.
    ByDecades,
}

/// How much room a chart has, and so how finely it is drawn and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The width of a page.
    Whole,
    /// Half of it: it stands beside others like it.
    Half,
}

/// One line for each group. What failed is never done, so each line levels off at the success rate of its group.
pub fn ecdf(title: &str, groups: &[Named<'_>], times: Times, room: Room) -> Chart {
    let (steps, shares) = (STEPS[room as usize], TOLD[room as usize]);
    let drawn: Vec<_> = groups.iter().map(|group| (group, group.sample.ecdf(steps))).collect();
    let end = drawn.iter().filter_map(|(group, _)| group.sample.survivors(SHOWN)).fold(0.0, f64::max);
    let shortest = drawn.iter().filter_map(|(_, ecdf)| Some(ecdf.steps.first()?.seconds)).fold(f64::INFINITY, f64::min);
    let scale = match times {
        Times::FromZero => Scale::from_zero(end),
        Times::ByDecades => Scale::logarithmic(shortest, end),
    };
    let names: Vec<_> =
        groups.iter().map(|group| format!("{} (n = {})", group.name, group.sample.counts().due)).collect();
    let (legend, top) = legend(&names);
    let x = Horizontal { scale, ticks: scale.ticks(), name: "seconds since the start" };
    let frame = Frame { top, height: 220.0, x, y: Vertical { scale: Scale::share(), name: "share of due attempts" } };
    let inside = html! {
        (legend) (frame.axes())
        @for share in GUIDES {
            path class="guide" d=(format!("M{} {}H{}", n(frame.left()), n(frame.py(share)), n(frame.right()))) {}
        }
        @for (index, (_, ecdf)) in drawn.iter().enumerate() { path class=(line(index)) d=(path(&frame, ecdf)) {} }
    };
    let says = says(groups, scale.high());
    let rows = drawn.iter().flat_map(|(group, _)| shares.iter().filter_map(|percent| told(group, *percent)));
    Chart {
        title: title.to_owned(),
        svg: svg(frame.bottom(), &format!("{title}: {says}"), &inside),
        says,
        data: Data::of(["group", "due", "share_percent", "seconds"], rows.collect()),
    }
}

/// When so many percent of all due attempts were done, if they ever were.
fn told(Named { name, sample }: &Named<'_>, percent: u32) -> Option<Vec<Value>> {
    let seconds = sample.done_after(f64::from(percent) / 100.0)?;
    Some(vec![json!(name), json!(sample.counts().due), json!(percent), json!(seconds)])
}

fn path(frame: &Frame, ecdf: &Ecdf) -> String {
    let mut path = format!("M{} {}", n(frame.left()), n(frame.py(0.0)));
    for step in ecdf.steps.iter().take_while(|step| step.seconds <= frame.x.scale.high()) {
        path += &format!("H{}V{}", n(frame.px(step.seconds)), n(frame.py(step.share)));
    }
    path + &format!("H{}", n(frame.right()))
}

fn says(groups: &[Named<'_>], end: f64) -> String {
    let told = groups.iter().map(|Named { name, sample }| {
        let counts = sample.counts();
        match sample.success() {
            Some(success) => format!("{name}: {} of {} succeeded", words::percent(success.share.value), counts.due),
            None => format!("{name}: nothing was due"),
        }
    });
    let mut says = told.collect::<Vec<_>>().join("; ");
    let slower: usize =
        groups.iter().map(|Named { sample, .. }| sample.counts().succeeded - sample.done_within(end)).sum();
    if slower > 0 {
        says += &format!(". {slower} more took longer than the axis shows");
    }
    says + "."
}
