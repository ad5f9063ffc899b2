//! What the time of operations went to, group by group.

use maud::{Markup, html};
use parsec_results::{Estimate, Portion, Spent};
use serde_json::{Value, json};

use super::axis::Scale;
use super::frame::{Frame, Horizontal, Vertical, area, legend, n, svg};
use super::style::SERIES;
use super::{Chart, Data};
use crate::spent::{counts, portion, seconds};
use crate::words;

/// The height of the name above a bar, of the bar, and of both with what separates them from the next.
const NAME: f64 = 14.0;
const BAR: f64 = 18.0;
const ROW: f64 = 40.0;

/// How wide a part is at least in which its share is written.
const ROOM: f64 = 34.0;

/// How many parts a sentence names.
const SAID: usize = 3;

/// A bar for each group, as long as its operations took in the mean, in parts for what that time went to. The parts that are largest in any
/// group have hues of their own, the others one together.
pub fn spent(title: &str, groups: &[(&str, &Spent)]) -> Chart {
    let parts = largest(groups);
    let bars: Vec<Vec<f64>> = groups.iter().map(|(_, spent)| lengths(spent, &parts)).collect();
    let has_rest = bars.iter().any(|bar| bar.last().is_some_and(|rest| *rest > 0.0));
    let rest = has_rest.then(|| "other".to_owned());
    let names: Vec<String> = parts.iter().map(|part| portion(*part).to_owned()).chain(rest).collect();
    let (legend, top) = legend(&names);
    let scale = Scale::from_zero(groups.iter().map(|(_, spent)| spent.seconds.value).fold(0.0, f64::max) * 1.02);
    let x = Horizontal { scale, ticks: scale.ticks(), name: "seconds of an operation, in the mean" };
    let frame = Frame { top, height: ROW * groups.len() as f64, x, y: Vertical { scale: Scale::none(), name: "" } };
    let inside = html! {
        (legend) (frame.axes())
        @for (index, ((name, spent), bar)) in groups.iter().zip(&bars).enumerate() {
            (drawn(&frame, ROW * index as f64 + NAME, &told(name, spent), bar))
        }
    };
    let says = says(groups);
    let heads = [
        "group",
        "part",
        "seconds",
        "seconds_low",
        "seconds_high",
        "share",
        "share_low",
        "share_high",
        "traces",
        "operations",
    ];
    Chart {
        title: title.to_owned(),
        svg: svg(frame.bottom(), &format!("{title}: {says}"), &inside),
        says,
        data: Data::of(heads, groups.iter().flat_map(|(name, spent)| rows(name, spent)).collect()),
    }
}

/// The parts that have a hue of their own, in the order of the path: one hue is left for all others.
fn largest(groups: &[(&str, &Spent)]) -> Vec<Portion> {
    let most = |index: usize| {
        let values = groups.iter().map(|(_, spent)| spent.portions[index].2.value);
        values.fold(0.0, f64::max)
    };
    let mut order: Vec<usize> = (0..Portion::ALL.len()).filter(|index| most(*index) > 0.0).collect();
    order.sort_by(|one, other| most(*other).total_cmp(&most(*one)));
    order.truncate(SERIES - 1);
    order.sort_unstable();
    order.into_iter().map(|index| Portion::ALL[index]).collect()
}

/// Of each part its seconds, and those of all others at the end.
fn lengths(spent: &Spent, parts: &[Portion]) -> Vec<f64> {
    let of =
        |part: &Portion| spent.portions.iter().find(|(known, ..)| known == part).map_or(0.0, |(_, took, _)| took.value);
    let mut lengths: Vec<f64> = parts.iter().map(of).collect();
    let rest = spent.seconds.value - lengths.iter().sum::<f64>();
    // Less than a millionth of the whole is what rounding leaves.
    lengths.push(if rest > spent.seconds.value * 1e-6 { rest } else { 0.0 });
    lengths
}

fn told(name: &str, spent: &Spent) -> String {
    let (traces, operations) = counts(&spent.stands_for);
    format!("{name}: {}, {traces} of {operations} operations traced", seconds(spent.seconds))
}

fn drawn(frame: &Frame, above: f64, told: &str, bar: &[f64]) -> Markup {
    let top = frame.top + above;
    let mut begun = 0.0;
    let parts: Vec<_> = bar
        .iter()
        .map(|took| {
            let (from, to) = (frame.px(begun), frame.px(begun + took));
            begun += took;
            (from, to - from, took)
        })
        .collect();
    html! {
        text x=(n(frame.left() + 4.0)) y=(n(top - 4.0)) { (told) }
        @for (index, (from, width, took)) in parts.iter().enumerate() {
            @if **took > 0.0 {
                rect class=(area(index)) x=(n(*from)) y=(n(top)) width=(n(*width)) height=(n(BAR)) {}
                @if *width >= ROOM {
                    text x=(n(from + width / 2.0)) y=(n(top + BAR - 5.0)) text-anchor="middle" { (words::rounded_percent(*took / begun)) }
                }
            }
        }
    }
}

fn rows(name: &str, spent: &Spent) -> Vec<Vec<Value>> {
    let (traces, operations) = counts(&spent.stands_for);
    let estimate = |Estimate { value, ends }: Estimate| {
        [json!(value), json!(ends.map(|ends| ends.0)), json!(ends.map(|ends| ends.1))]
    };
    let row = |(part, took, share): &(Portion, Estimate, Estimate)| {
        let figures = estimate(*took).into_iter().chain(estimate(*share)).chain([json!(traces), json!(operations)]);
        [json!(name), json!(portion(*part))].into_iter().chain(figures).collect()
    };
    spent.portions.iter().filter(|(_, took, _)| took.value > 0.0).map(row).collect()
}

fn says(groups: &[(&str, &Spent)]) -> String {
    let said = |(name, spent): &(&str, &Spent)| {
        let mut parts: Vec<_> = spent.portions.iter().filter(|(_, took, _)| took.value > 0.0).collect();
        parts.sort_by(|(_, one, _), (_, other, _)| other.value.total_cmp(&one.value));
        let of = |(part, _, share): &&(Portion, Estimate, Estimate)| {
            format!("{} {}", words::rounded_percent(share.value), portion(*part))
        };
        let parts: Vec<String> = parts.iter().take(SAID).map(of).collect();
        (!parts.is_empty()).then(|| format!("{name}: {}", parts.join(", ")))
    };
    let said: Vec<String> = groups.iter().filter_map(said).collect();
    if said.is_empty() { "No operation took any time.".to_owned() } else { said.join("; ") + "." }
}
