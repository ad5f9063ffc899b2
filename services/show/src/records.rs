//! What became of records, by group: a table for people, figures for programs.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use parsec_measure::CHECK_AGES;
use parsec_results::{GivenMeans, Mean, RecordGroup, Verified};
use serde_json::{Value, json};

use crate::words::span;

/// What stands where nothing is known.
const UNKNOWN: &str = "–";

/// What the figures are, for people.
pub(crate) const CAPTION: &str = "Records: how many peers were given them when the last put had ended (mean),\n\
                                  and which share of the closest peers had them when checked";

/// The table of the groups of which something is known; `None` if that is true of none.
pub(crate) fn table(by: &[&'static str], groups: &[RecordGroup], between: &str) -> Option<Table> {
    let known: Vec<_> = groups.iter().filter(|group| is_known(group)).collect();
    if known.is_empty() {
        return None;
    }
    let ages: Vec<Duration> = CHECK_AGES.into_iter().filter(|age| known.iter().any(|group| has(group, *age))).collect();
    let mut table = Table::new();
    let heads = ["stored", "confirmed"].map(str::to_owned);
    let heads = heads.into_iter().chain(ages.iter().map(|age| format!("after {}", span(*age))));
    table.set_header(by.iter().map(|name| (*name).to_owned()).chain(heads));
    for group in known {
        let mut cells = group.common.clone();
        let GivenMeans { stored, confirmed } = group.finally;
        cells.extend([mean(stored, between), mean(confirmed, between)]);
        cells.extend(ages.iter().map(|age| verified(group.verified.get(age), between)));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(by.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Some(table)
}

/// What is known of the records of a group, for programs.
pub(crate) fn document(group: &RecordGroup) -> Value {
    let given = |GivenMeans { stored, confirmed }: GivenMeans| {
        let of = |mean: Mean| json!({ "mean": mean.value(), "n": mean.n });
        json!({ "stored": of(stored), "confirmed": of(confirmed) })
    };
    let verified = group.verified.iter().map(|(age, verified)| {
        let share = verified.share().map(|share| share.share);
        json!({ "after_seconds": age.as_secs(), "checks": verified.checks(), "share": share })
    });
    json!({
        "publications": group.publications,
        "at_return": given(group.at_return),
        "finally": given(group.finally),
        "verified": verified.collect::<Value>(),
    })
}

/// The same for spreadsheets, each with its name. Without a group everything is empty.
pub(crate) fn flat(group: Option<&RecordGroup>) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (when, given) in
        [("at_return", group.map(|group| group.at_return)), ("finally", group.map(|group| group.finally))]
    {
        for (what, mean) in
            [("stored", given.map(|given| given.stored)), ("confirmed", given.map(|given| given.confirmed))]
        {
            flat.push((format!("{what}_{when}_mean"), json!(mean.and_then(Mean::value))));
            flat.push((format!("{what}_{when}_n"), json!(mean.map(|mean| mean.n))));
        }
    }
    for age in CHECK_AGES {
        let verified = group.and_then(|group| group.verified.get(&age));
        let share = verified.and_then(Verified::share).map(|share| share.share);
        let name = format!("held_after_{}s", age.as_secs());
        flat.push((name.clone(), json!(share.map(|share| share.value))));
        flat.push((format!("{name}_low"), json!(share.map(|share| share.low))));
        flat.push((format!("{name}_high"), json!(share.map(|share| share.high))));
        flat.push((format!("{name}_checks"), json!(verified.map(Verified::checks))));
    }
    flat
}

fn is_known(group: &RecordGroup) -> bool {
    [group.finally.stored, group.finally.confirmed].iter().any(|mean| mean.n > 0) || !group.verified.is_empty()
}

fn has(group: &RecordGroup, age: Duration) -> bool {
    group.verified.contains_key(&age)
}

/// A mean with how many it is of.
pub(crate) fn mean(mean: Mean, between: &str) -> String {
    mean.value().map_or_else(|| UNKNOWN.to_owned(), |value| format!("{value:.1}{between}n {}", mean.n))
}

fn verified(verified: Option<&Verified>, between: &str) -> String {
    let Some((verified, share)) = verified.and_then(|verified| Some((verified, verified.share()?.share))) else {
        return UNKNOWN.to_owned();
    };
    let [low, high] = [share.low, share.high].map(|share| format!("{:.1}", 100.0 * share));
    let (value, checks) = (100.0 * share.value, verified.checks());
    format!("{value:.1} %{between}{low}–{high}{between}n {checks}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use parsec_measure::{ArchivedCheck, ArchivedNode, ArchivedPublication, AttemptId, CheckId, Given, NodeId};
    use parsec_results::{Dimension, Records};
    use uuid::Uuid;

    use super::*;

    fn groups() -> Vec<RecordGroup> {
        let node = ArchivedNode { fleet: "optprov".to_owned(), region: "eu".to_owned(), ..ArchivedNode::default() };
        let mut records = Records::new(vec![Dimension::Fleet], BTreeMap::from([(NodeId(1), node)]));
        let (started, id) = (DateTime::UNIX_EPOCH, Uuid::nil());
        for stored in [20, 18] {
            let given = Given { stored: Some(stored), confirmed: None };
            let (id, node) = (AttemptId(id), NodeId(1));
            records.add_publication(&ArchivedPublication {
                id,
                node,
                started,
                at_return: Given::default(),
                finally: given,
            });
        }
        for have in [20, 10, 20, 10] {
            let (after, id) = (CHECK_AGES[2], CheckId(id));
            records.add_check(&ArchivedCheck { id, node: NodeId(1), published: started, after, asked: 20, have });
        }
        records.finish()
    }

    #[test]
    fn people_see_means_shares_and_of_how_many_they_are() {
        let table = crate::table::markdown(table(&["fleet"], &groups(), " ").unwrap());
        let rows: Vec<Vec<_>> = table.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[0][1..5], ["fleet", "stored", "confirmed", "after 12 h"]);
        assert_eq!(rows[2][1..4], ["optprov", "19.0 n 2", "–"]);
        assert!(rows[2][4].starts_with("75.0 % ") && rows[2][4].ends_with(" n 4"), "{}", rows[2][4]);
    }

    #[test]
    fn where_nothing_is_known_there_is_no_table() {
        assert!(super::table(&["fleet"], &[RecordGroup::default()], " ").is_none());
    }

    #[test]
    fn programs_get_every_figure_by_its_name() {
        let group = &groups()[0];
        let document = document(group);
        assert_eq!(document["finally"]["stored"], json!({ "mean": 19.0, "n": 2 }));
        assert_eq!(
            (&document["verified"][0]["after_seconds"], &document["verified"][0]["checks"]),
            (&json!(43_200), &json!(4))
        );
        let flat: BTreeMap<_, _> = flat(Some(group)).into_iter().collect();
        assert_eq!((&flat["stored_finally_mean"], &flat["held_after_43200s"]), (&json!(19.0), &json!(0.75)));
        assert!(super::flat(None).iter().all(|(name, value)| value.is_null() && flat.contains_key(name)));
    }
}
