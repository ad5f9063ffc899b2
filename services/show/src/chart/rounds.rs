//! What became of the rounds that were due.

use maud::html;
use parsec_measure::{ArchivedRounds, RoundOutcome};
use serde_json::json;

use super::frame::{WIDTH, area, legend, n, svg};
use super::{Chart, Data};
use crate::groups;

/// The height of the bar.
const BAR: f64 = 26.0;

/// One bar, as long as all rounds that were due: those that were played, by what became of them, and those that were left out.
pub fn rounds(title: &str, rounds: &ArchivedRounds) -> Chart {
    let outcome = |outcome: Option<RoundOutcome>| outcome.map_or("without an end", RoundOutcome::as_str);
    let mut parts: Vec<(String, u64)> =
        rounds.played.iter().map(|(ended, count)| (outcome(*ended).replace('_', " "), *count)).collect();
    parts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    parts.push(("left out".to_owned(), rounds.skipped));
    let all = parts.iter().map(|(_, count)| count).sum::<u64>().max(1);
    let names: Vec<_> = parts.iter().map(|(name, count)| format!("{name}: {count}")).collect();
    let (legend, top) = legend(&names);
    let mut x = 0.0;
    let places: Vec<_> = parts
        .iter()
        .map(|(_, count)| {
            let width = WIDTH * *count as f64 / all as f64;
            let place = (x, width);
            x += width;
            place
        })
        .collect();
    let inside = html! {
        (legend)
        @for (index, (x, width)) in places.iter().enumerate() {
            @if *width > 0.0 { rect class=(area(index)) x=(n(*x)) y=(n(top)) width=(n(*width)) height=(n(BAR)) {} }
        }
    };
    let says = groups::rounds(rounds);
    Chart {
        title: title.to_owned(),
        svg: svg(top + BAR + 4.0, &format!("{title}: {says}"), &inside),
        says: says + ".",
        data: Data::of(
            ["outcome", "rounds"],
            parts.iter().map(|(name, count)| vec![json!(name), json!(count)]).collect(),
        ),
    }
}
