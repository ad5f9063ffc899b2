//! What stands behind the figures: what the time went to, the slowest operations, what became of records and rounds.

use chrono::SecondsFormat;
use parsec_measure::{OperationKind, StoredOperation};
use parsec_results::incidents::Incidents;
use parsec_results::{RecordGroup, Spent};
use serde_json::json;

use super::{Measurements, Part, Section};
use crate::chart::{self, Chart, Data};
use crate::records::mean;
use crate::spent::{counts, stands_for, unknown, weighed};
use crate::{incidents, words};

/// How many incidents are listed: who wants all asks `parsec incidents`.
const MAX_INCIDENTS: usize = 30;

/// The fleet of a group by fleet.
fn fleet(common: &[String]) -> &str {
    common.first().map_or("", String::as_str)
}

/// What the time of operations went to.
pub(super) fn time(all: &Measurements) -> Section {
    let mut parts = Vec::new();
    for kind in OperationKind::ALL {
        let of_kind = all.spent.iter().filter(|(_, of, _)| *of == kind);
        let known = of_kind.filter_map(|(common, _, spent)| Some((fleet(common), spent.as_ref().ok()?)));
        let groups: Vec<(&str, &Spent)> = known.collect();
        if !groups.is_empty() {
            parts.push(Part::Chart(chart::spent(&format!("{}: what the time went to", words::plural(kind)), &groups)));
        }
    }
    let stands_for = stands_for(&all.spent);
    let mut said = unknown(&all.spent).into_iter().map(|group| group + ".").collect::<Vec<_>>();
    if counts(&stands_for).1 > 0 {
        said.insert(0, weighed(&stands_for));
    }
    if said.is_empty() {
        said.push("No operation has a trace that says what its time went to.".to_owned());
    }
    if let Some(left_out) = all.spent_without.strip_prefix("; ") {
        said.push(format!("{left_out}."));
    }
    parts.extend(said.into_iter().map(Part::Text));
    Section { id: "time", heading: "What the time went to".to_owned(), parts }
}

/// The slowest operations, request by request.
pub(super) fn slowest(all: &Measurements) -> Section {
    let mut parts: Vec<Part> = all.slowest.iter().filter_map(waterfall).map(Part::Chart).collect();
    if parts.is_empty() {
        parts.push(Part::Text("No operation has a trace that could be drawn.".to_owned()));
    }
    if all.slowest_unread > 0 {
        let more = words::count(all.slowest_unread, "more of them is", "more of them are");
        parts.push(Part::Text(format!("{more} not drawn: this version cannot read what was recorded.")));
    }
    Section { id: "slowest", heading: "The slowest operations".to_owned(), parts }
}

/// An operation request by request, with what it was.
pub(crate) fn waterfall(operation: &StoredOperation) -> Option<Chart> {
    let StoredOperation { attempt, region, fleet, .. } = operation;
    let trace = attempt.result.trace.as_deref()?;
    let what = match attempt.kind {
        OperationKind::Provide => "Publication",
        OperationKind::Retrieve => "Lookup",
    };
    let (class, took) = (attempt.result.class, words::duration(attempt.result.duration));
    let mut chart = chart::waterfall(&format!("{what} of {fleet} in {region}: {class} after {took}"), trace);
    let started = attempt.started.to_rfc3339_opts(SecondsFormat::Secs, true);
    chart.says += &format!(" Started {started}, operation {}.", attempt.id.0);
    Some(chart)
}

/// Who was given records, and who had them later.
pub(super) fn records(all: &Measurements) -> Section {
    let groups: Vec<(&str, &RecordGroup)> = all.records.iter().map(|group| (fleet(&group.common), group)).collect();
    let mut parts = Vec::new();
    if groups.iter().any(|(_, group)| !group.verified.is_empty()) {
        parts.push(Part::Chart(chart::records("Which share of the closest peers had a record, by its age", &groups)));
    } else {
        parts.push(Part::Text("No record was looked for after its publication.".to_owned()));
    }
    let rows: Vec<_> = groups
        .iter()
        .filter(|(_, group)| group.finally.stored.n > 0)
        .map(|(fleet, group)| {
            let [stored, confirmed] = [group.finally.stored, group.finally.confirmed].map(|of| mean(of, " "));
            vec![json!(fleet), json!(group.publications), json!(stored), json!(confirmed)]
        })
        .collect();
    if !rows.is_empty() {
        let heads = ["fleet", "publications", "peers given the record (mean)", "of them confirmed (mean)"];
        parts.push(Part::Table(Data::of(heads, rows)));
    }
    Section { id: "records", heading: "What became of records".to_owned(), parts }
}

/// What became of rounds, and what happened meanwhile.
pub(super) fn rounds(all: &Measurements) -> Section {
    let mut parts = vec![Part::Chart(chart::rounds("Rounds that were due", &all.rounds))];
    match &all.incidents {
        Ok(found) => parts.extend(happened(found)),
        Err(reason) => parts.push(Part::Text(format!("What happened meanwhile is not known: {reason}."))),
    }
    Section { id: "rounds", heading: "Rounds and what happened".to_owned(), parts }
}

fn happened(found: &Incidents) -> Vec<Part> {
    let judged = Part::Text(incidents::judged(found));
    if found.incidents.is_empty() {
        return vec![Part::Text("Nothing happened that stands out.".to_owned()), judged];
    }
    let rows = incidents::rows(found);
    let more = rows.len().saturating_sub(MAX_INCIDENTS);
    let rows = rows.into_iter().take(MAX_INCIDENTS).map(|row| row.map(|cell| json!(cell)).to_vec()).collect();
    let mut parts = vec![Part::Table(Data::of(incidents::HEADS, rows))];
    if more > 0 {
        parts.push(Part::Text(format!("{more} more are left out: see parsec incidents.")));
    }
    parts.push(judged);
    parts
}
