//! How groups of measurements failed: a line for each class, with its share of what was due.

use comfy_table::{CellAlignment, Table};
use parsec_measure::OutcomeClass;
use parsec_results::Group;
use parsec_results::statistics::Share;
use serde_json::{Map, Value, json};

use crate::groups::Groups;
use crate::{table, words};

/// What one group says of one class.
struct Line<'a> {
    group: &'a Group,
    /// `None` if nothing failed.
    class: Option<OutcomeClass>,
    attempts: usize,
    /// `None` for what was not due, because it says nothing about the DHT.
    share: Option<Share>,
}

/// For people, on a terminal.
pub fn text(groups: &Groups) -> String {
    table::plain(made(groups))
}

/// For issue trackers.
pub fn markdown(groups: &Groups) -> String {
    table::markdown(made(groups))
}

/// For spreadsheets.
pub fn csv(groups: &Groups) -> String {
    let heads = ["kind", "due", "class", "attempts", "share", "share_low", "share_high"];
    let header = groups.by.iter().copied().chain(heads);
    let row = |line: Line<'_>| {
        let mut row: Vec<Value> = line.group.common.iter().map(|value| json!(value)).collect();
        let share = line.share.map(|share| share.share);
        row.extend([
            json!(line.group.kind.as_str()),
            json!(line.group.sample.counts().due),
            json!(line.class.map(OutcomeClass::as_str)),
            json!(line.attempts),
            json!(share.map(|share| share.value)),
            json!(share.map(|share| share.low)),
            json!(share.map(|share| share.high)),
        ]);
        row
    };
    table::csv(header, lines(groups).into_iter().map(row))
}

/// For programs: an object for each class of each group.
pub fn document(groups: &Groups) -> Value {
    let object = |line: Line<'_>| {
        let common = groups.by.iter().zip(&line.group.common).map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut object: Map<_, _> = common.collect();
        let own = json!({
            "kind": line.group.kind.as_str(),
            "due": line.group.sample.counts().due,
            "class": line.class.map(OutcomeClass::as_str),
            "attempts": line.attempts,
            "share": line.share.map(|share| share.share),
        });
        object.extend(own.as_object().cloned().unwrap_or_default());
        Value::Object(object)
    };
    lines(groups).into_iter().map(object).collect()
}

fn made(groups: &Groups) -> Table {
    let mut table = Table::new();
    table.set_header(groups.by.iter().copied().chain(["kind", "due", "ended as", "attempts", "of those due"]));
    for line in lines(groups) {
        let share = match (line.class, line.share) {
            (None, _) => String::new(),
            (Some(_), Some(Share { share, .. })) => words::share_interval(share, " "),
            (Some(_), None) => "not due".to_owned(),
        };
        let class = line.class.map_or("no failure", OutcomeClass::as_str);
        let attempts = if line.class.is_some() { line.attempts.to_string() } else { String::new() };
        let own = [
            line.group.kind.to_string(),
            line.group.sample.counts().due.to_string(),
            class.to_owned(),
            attempts,
            share,
        ];
        table.add_row(line.group.common.iter().cloned().chain(own));
    }
    for index in [1, 3, 4] {
        if let Some(column) = table.column_mut(groups.by.len() + index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Of each group the most frequent class first, and what was not due last.
fn lines(groups: &Groups) -> Vec<Line<'_>> {
    groups.groups.iter().flat_map(of_group).collect()
}

fn of_group(group: &Group) -> Vec<Line<'_>> {
    let counts = group.sample.counts();
    let line = |class: OutcomeClass, attempts: usize, share| Line { group, class: Some(class), attempts, share };
    let mut failed: Vec<_> =
        counts.failed.iter().map(|(class, count)| line(*class, *count, group.sample.ended(*class))).collect();
    failed.sort_by_key(|line| std::cmp::Reverse(line.attempts));
    failed.extend(counts.unsaid.iter().map(|(class, count)| line(*class, *count, None)));
    if failed.is_empty() {
        failed.push(Line { group, class: None, attempts: 0, share: None });
    }
    failed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use parsec_measure::OperationKind;
    use parsec_results::statistics::Observation;

    fn groups() -> Groups {
        let observation = |round: u64| {
            let class = match round {
                0..5 => OutcomeClass::NotFound,
                5..20 => OutcomeClass::Timeout,
                20..23 => OutcomeClass::ServerUnreachable,
                _ => OutcomeClass::Ok,
            };
            Observation { round, stratum: 0, class, duration: Duration::from_secs(1) }
        };
        let group = |day: &str, rounds: std::ops::Range<u64>| Group {
            common: vec![day.to_owned()],
            kind: OperationKind::Retrieve,
            sample: rounds.map(observation).collect(),
        };
        let groups = vec![group("2026-11-26", 0..103), group("2026-11-27", 200..240)];
        Groups { by: vec!["day"], groups, records: vec![] }
    }

    #[test]
    fn the_most_frequent_failure_comes_first_and_what_was_not_due_last() {
        let markdown = markdown(&groups());
        let rows: Vec<_> = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[0][1..7], ["day", "kind", "due", "ended as", "attempts", "of those due"]);
        assert_eq!(rows[2][3..6], ["100", "timeout", "15"]);
        assert!(rows[2][6].starts_with("15.0 % ("), "{:?}", rows[2]);
        assert_eq!(rows[3][4..6], ["not_found", "5"]);
        assert_eq!(rows[4][4..7], ["server_unreachable", "3", "not due"]);
        assert_eq!(rows[5][1..7], ["2026-11-27", "retrieve", "40", "no failure", "", ""]);
    }

    #[test]
    fn programs_get_a_row_for_each_class() {
        let document = document(&groups());
        assert_eq!((&document[0]["day"], &document[0]["class"]), (&json!("2026-11-26"), &json!("timeout")));
        assert_eq!((&document[0]["share"]["value"], &document[2]["share"]), (&json!(0.15), &Value::Null));
        let csv = csv(&groups());
        assert!(csv.starts_with("day,kind,due,class,attempts,share,share_low,share_high\r\n"), "{csv}");
        assert_eq!(csv.lines().count(), 5);
    }
}
