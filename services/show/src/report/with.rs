//! With which versions and configuration things were measured, and what of it changed.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use parsec_results::{Change, Changed, MeasuredWith, Whose};
use serde_json::json;

use super::Part;
use crate::chart::Data;
use crate::words;

/// What stands first in the table: what people ask for. The rest follows by name, libraries and flags last.
const FIRST: [&str; 11] = [
    "package",
    "version",
    "commit",
    "strategy",
    "network",
    "connections",
    "alpha",
    "operation_timeout",
    "interval",
    "probes",
    "trace_sample",
];

/// How many settings and how many changes are shown.
const MAX_SETTINGS: usize = 60;
const MAX_CHANGES: usize = 20;

/// How many values of a setting are named.
const MAX_VALUES: usize = 3;

/// What the first section says of it.
pub(super) fn parts(with: &MeasuredWith) -> Vec<Part> {
    let heading = Part::Heading("With which versions and configuration".to_owned());
    if with.configured.iter().all(|configured| configured.settings.is_empty()) {
        return vec![heading, Part::Text("They do not say with which versions and configuration they ran.".to_owned())];
    }
    let text = "As servers and schedulers said themselves when they started. Flags stand as they were typed. Settings from the environment or \
                a file appear under their names without dashes. Where things are (addresses, ports, files) is left out.";
    let names: BTreeSet<&String> = with.configured.iter().flat_map(|configured| configured.settings.keys()).collect();
    let left_out = names.len().saturating_sub(MAX_SETTINGS);
    let mut parts = vec![heading, Part::Text(text.to_owned()), Part::Table(table(with, names))];
    if left_out > 0 {
        parts.push(Part::Text(format!("{} left out.", words::count(left_out, "more setting is", "more settings are"))));
    }
    parts.extend(changes(&with.changes));
    parts
}

fn table(with: &MeasuredWith, names: BTreeSet<&String>) -> Data {
    let mut names: Vec<_> = names.into_iter().collect();
    let place = |name: &str| {
        let first = FIRST.iter().rev().position(|first| *first == name);
        (Reverse(first), name.contains('.'), name.starts_with('-'))
    };
    names.sort_by_key(|name| (place(name), *name));
    let cell = |values: Option<&BTreeSet<String>>| match values {
        None => json!("–"),
        Some(values) if values.len() > MAX_VALUES => json!(format!("{} values", values.len())),
        Some(values) => json!(values.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    let row = |name: &&String| {
        let cells = with.configured.iter().map(|configured| cell(configured.settings.get(*name)));
        [json!(name)].into_iter().chain(cells).collect()
    };
    let counts = with.configured.iter().map(|configured| json!(configured.count));
    let counts = [json!("how many")].into_iter().chain(counts).collect();
    let heads = with.configured.iter().map(|configured| whose(&configured.whose));
    Data {
        heads: ["what was said".to_owned()].into_iter().chain(heads).collect(),
        rows: [counts].into_iter().chain(names.iter().take(MAX_SETTINGS).map(row)).collect(),
    }
}

fn whose(whose: &Whose) -> String {
    let (who, name) = match whose {
        Whose::Servers(fleet) => ("servers", fleet),
        Whose::Scheduler(fleets) => ("scheduler", fleets),
    };
    if name.is_empty() { format!("{who} without a fleet") } else { format!("{who} of {name}") }
}

fn changes(changes: &[Change]) -> Vec<Part> {
    if changes.is_empty() {
        let text = "Nothing of this changed, neither in this period nor in the one before.";
        return vec![Part::Text(text.to_owned())];
    }
    let mut said: Vec<String> = changes.iter().take(MAX_CHANGES).map(change).collect();
    if let Some(more) = changes.len().checked_sub(MAX_CHANGES).filter(|more| *more > 0) {
        said.push(format!("{} left out.", words::count(more, "more change is", "more changes are")));
    }
    let text = "What changed, in this period and in the one before:";
    vec![Part::Text(text.to_owned()), Part::List(said)]
}

fn change(change: &Change) -> String {
    let Change { first, last, regions, settings, .. } = change;
    let minute = |at: &DateTime<Utc>| at.format("%F %H:%M UTC").to_string();
    let when = match (minute(first), minute(last)) {
        (first, last) if first == last => format!("At {first}"),
        (first_said, _) if first.date_naive() == last.date_naive() => {
            format!("From {first_said} to {}", last.format("%H:%M UTC"))
        }
        (first, last) => format!("From {first} to {last}"),
    };
    let mut regions_said = regions.iter();
    let place = match (regions_said.next(), regions_said.len()) {
        (None, _) => String::new(),
        (Some(one), 0) => format!(" in {one}"),
        (Some(_), more) => format!(" in {} regions", more + 1),
    };
    let settings: Vec<_> = settings.iter().map(changed).collect();
    format!("{when}, {}{place}: {}.", whose(&change.whose), settings.join("; "))
}

fn changed(Changed { name, from, to }: &Changed) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("{name} is {to} (it was {from})"),
        (None, Some(to)) => format!("{name} is {to} (it was not said before)"),
        (Some(from), None) => format!("{name} is no longer said (it was {from})"),
        (None, None) => name.clone(),
    }
}
