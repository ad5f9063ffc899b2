//! Groups of measurements, as sections of a page. Each group of charts is made of its own groups, so that not all of them have to be in
//! memory at once.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use maud::{Markup, html};
use parsec_measure::{ArchivedRounds, OperationKind};
use parsec_results::Group;

use super::{section, table};
use crate::chart::{self, Cell, Named, Period, Room, Times};
use crate::groups::{self, Groups};
use crate::report::{Part, part, tiles};
use crate::words;

/// How many groups a chart shows at most: more cannot be told apart.
const MAX_SERIES: usize = 6;

/// How many charts of one sort stand on a page.
const MAX_CHARTS: usize = 12;

fn of_kind(groups: &[Group], kind: OperationKind) -> impl Iterator<Item = &Group> {
    groups.iter().filter(move |group| group.kind == kind)
}

/// Groups by fleet: figures, distributions, boxes.
pub fn by_fleet(of: &[Group], times: Times) -> String {
    let glance = html! {
        p { "Quantiles of all due attempts with their 95 % intervals. Figures for which there are too few attempts are left out." }
        @for group in of {
            h3 { (words::plural(group.kind)) " of " (group.common.join(" ")) }
            (part(&Part::Tiles(tiles(group, None))))
        }
    };
    let charts = |kind: OperationKind| -> Markup {
        let groups: Vec<_> = of_kind(of, kind).map(named).collect();
        let left_out = groups.len().saturating_sub(MAX_SERIES);
        let drawn = &groups[..groups.len().min(MAX_SERIES)];
        html! {
            @if !drawn.is_empty() {
                (part(&Part::Chart(chart::ecdf(&format!("{}: the share that was done after a time", words::plural(kind)), drawn, times, Room::Whole))))
                (part(&Part::Chart(chart::boxes(&format!("{}: how times spread", words::plural(kind)), &groups))))
            }
            @if left_out > 0 { p { (left_out) " more fleets are not drawn as lines: choose some of them." } }
        }
    };
    html! {
        (section("figures", "At a glance", &glance))
        (section("distributions", "How long it took", &html! { @for kind in OperationKind::ALL { (charts(kind)) } }))
    }
    .into_string()
}

fn named(group: &Group) -> Named<'_> {
    Named { name: group.common.last().map_or("", String::as_str), sample: &group.sample }
}

/// Groups by fleet and region: a table, and the median by both.
pub fn by_region(of: Vec<Group>) -> (String, serde_json::Value) {
    let groups = Groups { by: vec!["fleet", "region"], groups: of, records: Vec::new() };
    let heat = |kind: OperationKind| -> Markup {
        let cell = |group: &'_ Group| match &group.common[..] {
            [fleet, region] => Some((fleet.clone(), region.clone())),
            _ => None,
        };
        let names: Vec<_> = of_kind(&groups.groups, kind).filter_map(|group| Some((cell(group)?, group))).collect();
        let cells: Vec<_> = names
            .iter()
            .map(|((fleet, region), group)| Cell { row: region, column: fleet, sample: &group.sample })
            .collect();
        html! {
            @if !cells.is_empty() {
                (part(&Part::Chart(chart::heat(&format!("{}: the median by region and fleet", words::plural(kind)), 0.5, &cells))))
            }
        }
    };
    let inside = html! {
        (table("Attempts by fleet, region and kind, with 95 % intervals", &groups.table(" ")))
        @for kind in OperationKind::ALL { (heat(kind)) }
    };
    (section("regions", "By fleet and region", &inside).into_string(), groups.document())
}

/// Groups by fleet and by day or hour, as long as `length` says.
pub fn by_time(of: &[Group], length: TimeDelta) -> String {
    let unit = if length < TimeDelta::days(1) { "hour" } else { "day" };
    let mut charts = Vec::new();
    for kind in OperationKind::ALL {
        let mut fleets: BTreeMap<&str, Vec<Period<'_>>> = BTreeMap::new();
        for group in of_kind(of, kind) {
            let [fleet, at] = &group.common[..] else { continue };
            let Some(from) = moment(at) else { continue };
            fleets.entry(fleet).or_default().push(Period { from, sample: &group.sample });
        }
        for (fleet, mut periods) in fleets {
            periods.sort_by_key(|period| period.from);
            let title = format!("{} of {fleet}, by {unit}", words::plural(kind));
            charts.push(chart::over_time(&title, &periods, length));
        }
    }
    let left_out = charts.len().saturating_sub(MAX_CHARTS);
    charts.truncate(MAX_CHARTS);
    let inside = html! {
        (part(&Part::Charts(charts)))
        @if left_out > 0 { p { (left_out) " more are not drawn: choose a fleet." } }
    };
    section("time", "Over time", &inside).into_string()
}

/// The beginning of a day or of an hour as groups are named by it.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_time(NaiveTime::MIN).and_utc());
    }
    let hour = text.strip_suffix('Z')?;
    NaiveDateTime::parse_from_str(&format!("{hour}:00"), "%FT%H:%M").ok().map(|at| at.and_utc())
}

/// What became of the rounds.
pub fn rounds(of: &ArchivedRounds) -> String {
    let chart = part(&Part::Chart(chart::rounds("Rounds that were due", of)));
    section("played", "Rounds", &html! { p { (groups::rounds(of)) } (chart) }).into_string()
}

/// Which measurements these are, or that there are none.
pub fn used(sentence: &str) -> String {
    html! { p class="lead" { (sentence) } }.into_string()
}
