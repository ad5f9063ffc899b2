//! What a report says, section by section.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use parsec_measure::OperationKind;
use parsec_results::Group;
use parsec_results::statistics::{QUANTILES, Verdict};
use serde_json::{Value, json};

use super::tiles::tiles;
use super::{Measurements, Part, Report, Section, operations, with};
use crate::chart::{self, Cell, Data, Named, Period, Room};
use crate::compared::{Pairs, change};
use crate::words;

/// The report on these measurements.
pub fn report(all: &Measurements) -> Report {
    let shown = |moment: DateTime<Utc>| moment.format("%F %H:%M UTC");
    let mut lead = vec![format!("From {} to {}.", shown(all.since), shown(all.until))];
    lead.extend(all.used.iter().cloned());
    lead.push(format!("Made {} by parsec {}.", shown(all.made), all.version));
    let kinds = || OperationKind::ALL.into_iter();
    let mut sections = vec![what(all), verdicts(all), at_a_glance(all)];
    sections.push(Section {
        id: "distributions",
        heading: "How long it took".to_owned(),
        parts: kinds().flat_map(|kind| distributions(all, kind)).collect(),
    });
    sections.push(Section {
        id: "days",
        heading: "Day by day".to_owned(),
        parts: kinds().filter_map(|kind| days(all, kind)).collect(),
    });
    sections.push(Section {
        id: "regions",
        heading: "By region".to_owned(),
        parts: kinds().flat_map(|kind| regions(all, kind)).collect(),
    });
    sections.push(failures(all));
    sections.extend(
        [operations::time, operations::slowest, operations::records, operations::rounds].map(|section| section(all)),
    );
    sections.push(caveats(all));
    Report { title: "What parsec measured".to_owned(), lead, sections }
}

fn what(all: &Measurements) -> Section {
    let fleets: BTreeSet<&String> = all.servers.keys().map(|(fleet, _)| fleet).collect();
    let regions: BTreeSet<&String> = all.servers.keys().map(|(_, region)| region).collect();
    let count =
        |fleet: &String, region: &String| all.servers.get(&(fleet.clone(), region.clone())).copied().unwrap_or(0);
    let row = |region: &String| {
        let counts = fleets.iter().map(|fleet| json!(count(fleet, region)));
        [json!(region)].into_iter().chain(counts).collect()
    };
    let heads = ["servers in".to_owned()].into_iter().chain(fleets.iter().map(|fleet| (*fleet).clone())).collect();
    let servers = Data { heads, rows: regions.into_iter().map(row).collect() };
    let text = "Each round one server publishes fresh random content, and the other servers of the round look it up. Times are taken in the server \
                that does it, from the start of the operation to its return. Failed attempts count: they took longer than any that succeeded.";
    let mut parts = vec![Part::Text(text.to_owned()), Part::Table(servers)];
    parts.extend(with::parts(&all.with));
    Section { id: "what", heading: "What was measured".to_owned(), parts }
}

fn verdicts(all: &Measurements) -> Section {
    let mut said: Vec<String> =
        all.fleets.iter().flat_map(|pairs| judged(pairs, &pairs.names.1, &pairs.names.0)).collect();
    if let Some(before) = &all.before {
        said.extend(judged(before, "this period", "the one before"));
    }
    if said.is_empty() {
        said.push("There is nothing to compare: one fleet, and no measurement of the period before.".to_owned());
    }
    Section { id: "verdicts", heading: "Verdicts".to_owned(), parts: vec![Part::List(said)] }
}

/// What a comparison comes to, a sentence for each figure.
pub(crate) fn judged(pairs: &Pairs, b: &str, a: &str) -> Vec<String> {
    let mut said = Vec::new();
    for pair in &pairs.pairs {
        let of = if pair.common.is_empty() { String::new() } else { format!("{}, ", pair.common) };
        let what = format!("{of}{}", words::plural(pair.kind).to_lowercase());
        match &pair.compared {
            Err(reason) => said.push(format!("{what}: {b} and {a} cannot be compared: {reason}.")),
            Ok(figures) => said.extend(figures.iter().map(|compared| {
                let figure = compared.figure.as_str();
                let is_time = compared.ratio.is_some();
                let by = change(compared, " ");
                match compared.verdict {
                    Verdict::Better if is_time => format!("{what}: {b} is faster than {a} at {figure}, {by}."),
                    Verdict::Worse if is_time => format!("{what}: {b} is slower than {a} at {figure}, {by}."),
                    Verdict::Better => format!("{what}: {b} succeeds more often than {a}, {by}."),
                    Verdict::Worse => format!("{what}: {b} succeeds less often than {a}, {by}."),
                    Verdict::Equal => format!("{what}: {figure} of {b} and {a} count as equal, {by}."),
                    Verdict::Inconclusive => {
                        format!("{what}: no difference in {figure} between {b} and {a} is shown, {by}.")
                    }
                }
            })),
        }
        if pair.left_out > 0 {
            let left_out = words::count(pair.left_out, "attempt", "attempts");
            said.push(format!("{what}: {left_out} in regions that only one of the two has are in no comparison."));
        }
    }
    said
}

fn at_a_glance(all: &Measurements) -> Section {
    let says = "Quantiles of all due attempts with their 95 % intervals. Figures for which there are too few attempts are left out.";
    let mut parts = vec![Part::Text(says.to_owned())];
    for group in &all.by_fleet {
        parts.push(Part::Heading(format!("{} of {}", words::plural(group.kind), group.common.join(" "))));
        parts.push(Part::Tiles(tiles(group, all.before.as_ref())));
    }
    Section { id: "figures", heading: "At a glance".to_owned(), parts }
}

/// The groups of one kind.
fn of_kind(groups: &[Group], kind: OperationKind) -> impl Iterator<Item = &Group> {
    groups.iter().filter(move |group| group.kind == kind)
}

fn named(group: &Group) -> Named<'_> {
    Named { name: group.common.last().map_or("", String::as_str), sample: &group.sample }
}

fn distributions(all: &Measurements, kind: OperationKind) -> Vec<Part> {
    let groups: Vec<_> = of_kind(&all.by_fleet, kind).map(named).collect();
    if groups.is_empty() {
        return Vec::new();
    }
    vec![
        Part::Chart(chart::ecdf(
            &format!("{}: the share that was done after a time", words::plural(kind)),
            &groups,
            all.times,
            Room::Whole,
        )),
        Part::Chart(chart::boxes(&format!("{}: how times spread", words::plural(kind)), &groups)),
    ]
}

fn days(all: &Measurements, kind: OperationKind) -> Option<Part> {
    let mut fleets: BTreeMap<&str, Vec<Period<'_>>> = BTreeMap::new();
    for group in of_kind(&all.by_day, kind) {
        let [fleet, day] = &group.common[..] else { continue };
        let Ok(day) = day.parse::<NaiveDate>() else { continue };
        let period = Period { from: day.and_time(NaiveTime::MIN).and_utc(), sample: &group.sample };
        fleets.entry(fleet).or_default().push(period);
    }
    let charts: Vec<_> = fleets
        .into_iter()
        .map(|(fleet, mut periods)| {
            periods.sort_by_key(|period| period.from);
            chart::over_time(&format!("{} of {fleet}, by day", words::plural(kind)), &periods, TimeDelta::days(1))
        })
        .collect();
    (!charts.is_empty()).then_some(Part::Charts(charts))
}

fn regions(all: &Measurements, kind: OperationKind) -> Vec<Part> {
    let mut regions: BTreeMap<&str, Vec<Named<'_>>> = BTreeMap::new();
    let mut cells = Vec::new();
    for group in of_kind(&all.by_region, kind) {
        let [fleet, region] = &group.common[..] else { continue };
        regions.entry(region).or_default().push(Named { name: fleet, sample: &group.sample });
        cells.push(Cell { row: region, column: fleet, sample: &group.sample });
    }
    if cells.is_empty() {
        return Vec::new();
    }
    let heat = chart::heat(&format!("{}: the median by region and fleet", words::plural(kind)), 0.5, &cells);
    let mut parts = vec![Part::Chart(heat)];
    if regions.len() > 1 {
        let charts = regions.into_iter().map(|(region, groups)| {
            chart::ecdf(&format!("{} in {region}", words::plural(kind)), &groups, all.times, Room::Half)
        });
        parts.push(Part::Charts(charts.collect()));
    }
    parts
}

fn failures(all: &Measurements) -> Section {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    let mut unsaid: BTreeMap<&str, usize> = BTreeMap::new();
    for group in &all.by_fleet {
        let counts = group.sample.counts();
        for (class, count) in &counts.failed {
            let Some(share) = group.sample.ended(*class) else { continue };
            let share = words::share_interval(share.share, " ");
            let named = [group.common.join(" "), group.kind.to_string(), class.as_str().to_owned()];
            rows.push(
                named.into_iter().map(Value::from).chain([json!(count), json!(counts.due), json!(share)]).collect(),
            );
        }
        for (class, count) in &counts.unsaid {
            *unsaid.entry(class.as_str()).or_default() += count;
        }
    }
    let mut parts = vec![if rows.is_empty() {
        Part::Text("No due attempt failed.".to_owned())
    } else {
        Part::Table(Data::of(["fleet", "kind", "class", "failed", "due", "share of due (95 %)"], rows))
    }];
    if !unsaid.is_empty() {
        let told: Vec<_> = unsaid.iter().map(|(class, count)| format!("{count} {class}")).collect();
        parts.push(Part::Text(format!(
            "Attempts that say nothing about the DHT are in no figure: {}.",
            told.join(", ")
        )));
    }
    Section { id: "failures", heading: "Failures".to_owned(), parts }
}

/// What the numbers do not allow to say.
fn caveats(all: &Measurements) -> Section {
    let (time, success) = all.margins;
    let mut said = vec![
        format!("Times within {} of each other, and success rates within {}, count as equal.", words::percent(time), words::percentage_points(success)),
        "Intervals are of 95 % and take the round, not the attempt, as the unit: attempts of one round share their content and their moment.".to_owned(),
        format!(
            "Distributions are drawn in at most {} steps, and in {} where charts stand side by side. Their tables have exact times, for {} and {} shares.",
            chart::STEPS[0],
            chart::STEPS[1],
            chart::TOLD[0].len(),
            chart::TOLD[1].len()
        ),
        "A comparison says what these servers met at these times. It holds for other places and times only as far as these stand for them.".to_owned(),
    ];
    for group in &all.by_fleet {
        let missing: Vec<_> =
            QUANTILES.into_iter().filter(|(_, q)| group.sample.quantile(*q).is_none()).map(|(name, _)| name).collect();
        if !missing.is_empty() {
            let due = words::count(group.sample.counts().due, "due attempt", "due attempts");
            said.push(format!(
                "{} {}: {due} do not carry {}.",
                group.common.join(" "),
                group.kind,
                missing.join(" or ")
            ));
        }
    }
    let regions: BTreeSet<_> = all.servers.keys().map(|(_, region)| region).collect();
    if regions.len() == 1 {
        said.push("All servers stand in one region: nothing is known of others.".to_owned());
    }
    Section { id: "caveats", heading: "Methods and caveats".to_owned(), parts: vec![Part::List(said)] }
}
