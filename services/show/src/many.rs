//! Many keys that one node has published at once: what they took, and a row for each, those first that are at no peer.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use parsec_measure::{OutcomeClass, ProvidedKey, ProvidedMany, StrategyKind};
use serde_json::{Value, json};

use crate::{table, words};

/// For people: totals, and a row for each key.
pub fn text(strategy: StrategyKind, all: &ProvidedMany) -> String {
    let (keys, lost) = (all.keys.len(), all.lost());
    let mut table = Table::new();
    table.set_header(["key", "outcome", "stored", "confirmed", "failed", "first", "last"]);
    all.failures_first().into_iter().for_each(|key| {
        table.add_row(row(key));
    });
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let requests = format!(
        "lookups: {}, questions: {}, records: {}, dials: {}, at most {} in a second",
        all.lookups,
        all.questions,
        all.records,
        all.dials,
        words::count(usize::try_from(all.busiest_second).unwrap_or(usize::MAX), "request", "requests"),
    );
    format!(
        "provide {}: {} published, {lost} at no peer, after {}, strategy {strategy}, manner {}\n{requests}\n\
         peers: {} chosen, {} reached, routing table: {}\n\n{}{}",
        words::count(keys, "key", "keys"),
        keys - lost,
        words::duration(all.duration),
        all.manner,
        all.chosen,
        all.reached,
        words::count(all.routing_table_size as usize, "peer", "peers"),
        table::plain(table),
        reasons(all),
    )
}

fn row(key: &ProvidedKey) -> Vec<String> {
    let time = |time: Option<Duration>| time.map_or_else(|| "–".to_owned(), words::duration);
    vec![
        key.cid.to_string(),
        key.class.to_string(),
        key.stored.to_string(),
        key.confirmed.to_string(),
        key.failed.to_string(),
        time(key.first),
        time(key.last),
    ]
}

/// Why keys are at no peer, the first of each outcome: all others of it are likely to be there for the same reason.
fn reasons(all: &ProvidedMany) -> String {
    let mut told: Vec<OutcomeClass> = Vec::new();
    let mut text = String::new();
    for key in &all.keys {
        if let Some(error) = key.error.as_ref().filter(|_| !told.contains(&key.class)) {
            text += &format!("\n{}, for instance of {}: {error}", key.class, key.cid);
            told.push(key.class);
        }
    }
    text
}

/// For programs, as one object: totals, and an object for each key.
pub fn document(peer: &str, strategy: StrategyKind, all: &ProvidedMany) -> Value {
    json!({
        "operation": "provide",
        "peer": peer,
        "strategy": strategy.as_str(),
        "manner": all.manner.as_str(),
        "keys": all.keys.len(),
        "keys_failed": all.lost(),
        "duration_seconds": all.duration.as_secs_f64(),
        "routing_table_peers": all.routing_table_size,
        "lookups": all.lookups,
        "questions": all.questions,
        "records": all.records,
        "dials": all.dials,
        "peers_chosen": all.chosen,
        "peers_reached": all.reached,
        "busiest_second": all.busiest_second,
        "cids": all.failures_first().into_iter().map(object).collect::<Vec<_>>(),
    })
}

fn object(key: &ProvidedKey) -> Value {
    json!({
        "cid": key.cid.to_string(),
        "outcome": key.class.as_str(),
        "error": key.error,
        "holders_stored": key.stored,
        "holders_confirmed": key.confirmed,
        "holders_failed": key.failed,
        "first_seconds": key.first.map(|first| first.as_secs_f64()),
        "last_seconds": key.last.map(|last| last.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use parsec_measure::{Content, Manner};

    use super::*;

    fn key(number: u8, error: Option<&str>) -> ProvidedKey {
        let is_stored = error.is_none();
        ProvidedKey {
            cid: Content::from(vec![number]).cid(),
            class: if is_stored { OutcomeClass::Ok } else { OutcomeClass::DialFailed },
            error: error.map(str::to_owned),
            stored: if is_stored { 20 } else { 0 },
            confirmed: if is_stored { 19 } else { 0 },
            failed: if is_stored { 0 } else { 20 },
            first: is_stored.then_some(Duration::from_millis(120)),
            last: is_stored.then_some(Duration::from_millis(2_400)),
        }
    }

    fn some() -> ProvidedMany {
        let keys = vec![key(1, None), key(2, Some("refused")), key(3, Some("gone")), key(4, None)];
        ProvidedMany {
            keys,
            duration: Duration::from_secs(3),
            routing_table_size: 99,
            lookups: 7,
            questions: 60,
            records: 40,
            dials: 20,
            chosen: 60,
            reached: 45,
            busiest_second: 1,
            ..ProvidedMany::nothing(Manner::Sweep)
        }
    }

    #[test]
    fn people_see_totals_then_keys_those_first_that_are_nowhere_and_why() {
        let all = some();
        let text = text(StrategyKind::Classic, &all);
        let lines: Vec<&str> = text.lines().collect();
        let totals = [
            "provide 4 keys: 2 published, 2 at no peer, after 3.00 s, strategy classic, manner sweep",
            "lookups: 7, questions: 60, records: 40, dials: 20, at most 1 request in a second",
            "peers: 60 chosen, 45 reached, routing table: 99 peers",
            "",
        ];
        assert_eq!(lines[..4], totals);
        assert!(lines[4].starts_with("key ") && lines[4].ends_with("last"), "{text}");
        let rows: Vec<Vec<&str>> = lines[5..9].iter().map(|line| line.split_whitespace().collect()).collect();
        let cid = |place: usize| all.keys[place].cid.to_string();
        assert_eq!(rows.iter().map(|row| row[0].to_owned()).collect::<Vec<_>>(), [1, 2, 0, 3].map(cid));
        assert_eq!(rows[0][1..], ["dial_failed", "0", "0", "20", "–", "–"]);
        assert_eq!(rows[2][1..], ["ok", "20", "19", "0", "120", "ms", "2.40", "s"]);
        assert_eq!(lines[9..], [format!("dial_failed, for instance of {}: refused", cid(1))]);
    }

    #[test]
    fn programs_get_the_same_by_name() {
        let all = some();
        let document = document("12D3KooW", StrategyKind::Fullrt, &all);
        assert_eq!((&document["keys"], &document["keys_failed"]), (&json!(4), &json!(2)));
        assert_eq!((&document["strategy"], &document["manner"]), (&json!("fullrt"), &json!("sweep")));
        let [failed, .., stored] = &document["cids"].as_array().unwrap()[..] else { panic!("{document}") };
        assert_eq!((&failed["error"], &failed["first_seconds"]), (&json!("refused"), &Value::Null));
        assert_eq!((&stored["error"], &stored["first_seconds"]), (&Value::Null, &json!(0.12)));
        assert_eq!((&stored["outcome"], &stored["holders_confirmed"]), (&json!("ok"), &json!(19)));
    }
}
