//! What happened, in sentences for people and in fields for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use comfy_table::Table;
use parsec_measure::{ACTIVE_WITHIN, History, OutcomeClass};
use parsec_results::incidents::{FALSE_ALARMS, Incident, Incidents, Lost, NotJudged, Place, What};
use parsec_results::statistics::Quantile;
use serde_json::{Value, json};

use crate::{groups, table, words};

/// How one is sent to the attempts of an incident.
const LOOK: &str = "look at: parsec trace";

/// For people, on a terminal: an incident to a paragraph.
pub fn text(found: &Incidents) -> String {
    let paragraph = |incident: &Incident| {
        let mut lines = vec![when(incident)];
        lines.push(format!("  {}", sentence(&incident.what)));
        let place = place(&incident.place);
        if !place.is_empty() {
            lines.push(format!("  in {place}"));
        }
        if !incident.ids.is_empty() {
            lines.push(format!("  {LOOK} {}", ids(incident, &format!("\n{}", " ".repeat(LOOK.len() + 3)))));
        }
        lines.join("\n")
    };
    let paragraphs: Vec<_> = found.incidents.iter().map(paragraph).collect();
    if paragraphs.is_empty() { "nothing happened".to_owned() } else { paragraphs.join("\n\n") }
}

/// For issue trackers.
pub fn markdown(found: &Incidents) -> String {
    let mut table = Table::new();
    table.set_header(HEADS);
    table.add_rows(rows(found));
    table::markdown(table)
}

/// What stands above [`rows`].
pub(crate) const HEADS: [&str; 4] = ["when", "what", "where", "attempts"];

/// A row for each incident.
pub(crate) fn rows(found: &Incidents) -> Vec<[String; 4]> {
    let row =
        |incident: &Incident| [when(incident), sentence(&incident.what), place(&incident.place), ids(incident, " ")];
    found.incidents.iter().map(row).collect()
}

/// For spreadsheets.
pub fn csv(found: &Incidents) -> String {
    let header = ["incident", "from", "to", "fleet", "region", "kind", "peer", "count", "said", "attempts"];
    let row = |incident: &Incident| {
        let Place { fleet, region, kind, peer } = &incident.place;
        vec![
            json!(incident.what.as_str()),
            json!(incident.from),
            json!(incident.to),
            json!(fleet),
            json!(region),
            json!(kind.map(|kind| kind.as_str())),
            json!(peer),
            json!(incident.what.count()),
            json!(sentence(&incident.what)),
            json!(ids(incident, " ")),
        ]
    };
    table::csv(header, found.incidents.iter().map(row))
}

/// For programs: an object for each incident.
pub fn document(found: &Incidents) -> Value {
    let object = |incident: &Incident| {
        let Place { fleet, region, kind, peer } = &incident.place;
        json!({
            "incident": incident.what.as_str(),
            "from": incident.from,
            "to": incident.to,
            "fleet": fleet,
            "region": region,
            "kind": kind.map(|kind| kind.as_str()),
            "peer": peer,
            "count": incident.what.count(),
            "said": sentence(&incident.what),
            "details": details(&incident.what),
            "attempts": incident.ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>(),
        })
    };
    found.incidents.iter().map(object).collect()
}

/// What could not be read of it, in words; empty if there is nothing.
pub fn unread(history: &History) -> String {
    let rows = [
        (history.unread_rounds, "round has a row", "rounds have rows"),
        (history.unread_attempts, "attempt has a row", "attempts have rows"),
    ];
    let unread = rows.into_iter().filter(|(count, ..)| *count > 0);
    let unread =
        unread.map(|(count, one, many)| format!("; {} that this version cannot read", words::count(count, one, many)));
    unread.collect()
}

/// What was judged, and how often it would be wrong.
pub fn judged(found: &Incidents) -> String {
    let NotJudged { too_short, too_many } = found.not_judged;
    let left_out = [
        (too_short, "too short for that"),
        (too_many, "left out, because there are too many: --fleet and --region choose"),
    ];
    let left_out = left_out.into_iter().filter(|(count, _)| *count > 0);
    let left_out = left_out.map(|(count, why)| format!("; {} {why}", words::count(count, "series is", "series are")));
    format!(
        "Bursts and shifts: {} of attempts (fleet, region, kind) judged{}. A quiet stretch of time shows one in at most {} of cases.",
        words::count(found.judged, "series", "series"),
        left_out.collect::<String>(),
        words::percent(FALSE_ALARMS)
    )
}

fn when(incident: &Incident) -> String {
    let from = incident.from.format("%F %T").to_string();
    match incident.to {
        None => format!("{from} UTC, not over"),
        Some(to) => format!("{from} – {} UTC ({})", end(incident.from, to), age(incident.from, to)),
    }
}

/// The day is said once.
fn end(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let is_same_day = from.date_naive() == to.date_naive();
    to.format(if is_same_day { "%T" } else { "%F %T" }).to_string()
}

fn age(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    words::lasted(Duration::from_secs((to - from).num_seconds().unsigned_abs()))
}

fn place(place: &Place) -> String {
    let Place { fleet, region, kind, peer } = place;
    let peer = peer.as_ref().map(|peer| format!("server {}", words::peer(peer)));
    let fleet = fleet
        .as_ref()
        .map(|fleet| if fleet.is_empty() { "the fleet without a name".to_owned() } else { fleet.clone() });
    let parts = [fleet, region.clone(), kind.map(|kind| kind.to_string()), peer];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn ids(incident: &Incident, between: &str) -> String {
    incident.ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(between)
}

fn classes(classes: &BTreeMap<OutcomeClass, usize>) -> String {
    classes.iter().map(|(class, count)| format!("{count} {class}")).collect::<Vec<_>>().join(", ")
}

fn sentence(what: &What) -> String {
    let rounds = |count: usize| words::count(count, "round", "rounds");
    match what {
        What::DatabaseAway { rows, longest } => format!(
            "database away: {} had to wait, up to {}",
            words::count(*rows, "row", "rows"),
            words::lasted(*longest)
        ),
        What::HeartbeatsMissing { rounds: count } => {
            format!("nearly all heartbeats too old in {}: not written, or a clock jumped", rounds(*count))
        }
        What::NoRounds { missing } => format!("no rounds: {missing} are missing, and nothing says why"),
        What::RoundsSkipped { skipped } => format!(
            "{} left out, because an earlier one took too long",
            words::count(*skipped as usize, "round was", "rounds were")
        ),
        What::TooFewNodes { rounds: count } => format!("fewer than two servers ready in {}", rounds(*count)),
        What::RoundsCutOff { rounds: count } => {
            format!("{} cut off: a scheduler was stopped or killed", words::count(*count, "round was", "rounds were"))
        }
        What::FewerServers { usual, ready, listed, rounds: count } => format!(
            "fewer servers than usual ({usual}) in {}: {ready} ready of {listed} listed when they were fewest",
            rounds(*count)
        ),
        What::ServerLost(Lost::Offline) => "server went: it was stopped, or a scheduler could not reach it".to_owned(),
        What::ServerLost(Lost::Silent) => format!(
            "server silent: no heartbeat for more than {}, and nobody marked it as offline",
            words::lasted(ACTIVE_WITHIN)
        ),
        What::ServerFailing { classes: of } => {
            format!("server without a measurement, several times in a row: {}", classes(of))
        }
        What::RecordsLost { attempts } => {
            format!("{} lost in a crash of a measuring process", words::count(*attempts, "result was", "results were"))
        }
        What::FailureBurst { classes: of, due, otherwise: (failed, rest) } => {
            let share = words::percent(*failed as f64 / (*rest).max(1) as f64);
            format!(
                "burst of failures: {} of {due} failed ({}); {failed} of {rest} otherwise ({share})",
                of.values().sum::<usize>(),
                classes(of)
            )
        }
        What::P90Shift { before, after, rounds: (earlier, later) } => {
            format!("p90 from {} in {} to {} in {later}", quantile(*before), rounds(*earlier), quantile(*after))
        }
    }
}

fn quantile(quantile: Quantile) -> String {
    groups::quantile(Some(quantile), " ")
}

fn details(what: &What) -> Value {
    let named = |classes: &BTreeMap<OutcomeClass, usize>| {
        classes
            .iter()
            .map(|(class, count)| (class.as_str().to_owned(), json!(count)))
            .collect::<serde_json::Map<_, _>>()
    };
    let of = |quantile: &Quantile| {
        let [value, low, high] = [quantile.value, quantile.low, quantile.high].map(groups::for_programs);
        json!({ "value": value, "low": low, "high": high })
    };
    match what {
        What::DatabaseAway { rows, longest } => json!({ "rows": rows, "longest_seconds": longest.as_secs_f64() }),
        What::HeartbeatsMissing { rounds } | What::TooFewNodes { rounds } | What::RoundsCutOff { rounds } => {
            json!({ "rounds": rounds })
        }
        What::NoRounds { missing: rounds } | What::RoundsSkipped { skipped: rounds } => json!({ "rounds": rounds }),
        What::FewerServers { usual, ready, listed, rounds } => {
            json!({ "usual": usual, "ready": ready, "listed": listed, "rounds": rounds })
        }
        What::ServerLost(how) => json!({ "how": if *how == Lost::Silent { "silent" } else { "offline" } }),
        What::ServerFailing { classes } => json!({ "classes": named(classes) }),
        What::RecordsLost { attempts } => json!({ "attempts": attempts }),
        What::FailureBurst { classes, due, otherwise: (failed, rest) } => json!({
            "classes": named(classes), "due": due, "otherwise_failed": failed, "otherwise_due": rest,
        }),
        What::P90Shift { before, after, rounds: (earlier, later) } => json!({
            "before_seconds": of(before), "after_seconds": of(after), "rounds_before": earlier, "rounds_after": later,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_measure::{AttemptId, OperationKind};
    use uuid::Uuid;

    fn found() -> Incidents {
        let at = |second: i64| DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap();
        let burst = What::FailureBurst {
            classes: [(OutcomeClass::Timeout, 12), (OutcomeClass::DialFailed, 2)].into(),
            due: 16,
            otherwise: (12, 700),
        };
        let place = Place {
            fleet: Some("default".to_owned()),
            region: Some("eu-central-1".to_owned()),
            kind: Some(OperationKind::Provide),
            peer: None,
        };
        let incidents = vec![
            Incident {
                what: burst,
                from: at(0),
                to: Some(at(720)),
                place,
                ids: vec![AttemptId(Uuid::from_u128(1)), AttemptId(Uuid::from_u128(2))],
            },
            Incident {
                what: What::ServerLost(Lost::Silent),
                from: at(900),
                to: None,
                place: Place { peer: Some("12D3KooWabcdef".to_owned()), ..Place::default() },
                ids: vec![],
            },
        ];
        Incidents { incidents, judged: 4, not_judged: NotJudged { too_short: 1, too_many: 0 } }
    }

    #[test]
    fn people_see_when_what_where_and_what_to_look_at() {
        let text = text(&found());
        let expected = "2026-09-21 14:13:20 – 14:25:20 UTC (12m)
  burst of failures: 14 of 16 failed (12 timeout, 2 dial_failed); 12 of 700 otherwise (1.7 %)
  in default, eu-central-1, provide
  look at: parsec trace 00000000-0000-0000-0000-000000000001
                        00000000-0000-0000-0000-000000000002

2026-09-21 14:28:20 UTC, not over
  server silent: no heartbeat for more than 2m, and nobody marked it as offline
  in server abcdef";
        assert_eq!(text, expected);
        let nothing = Incidents { incidents: vec![], judged: 0, not_judged: NotJudged::default() };
        assert_eq!(super::text(&nothing), "nothing happened");
        assert!(judged(&found()).starts_with("Bursts and shifts: 4 series of attempts"), "{}", judged(&found()));
    }

    #[test]
    fn series_that_were_not_judged_are_counted_with_the_reason() {
        let said =
            |too_short, too_many| judged(&Incidents { not_judged: NotJudged { too_short, too_many }, ..found() });
        assert!(!said(0, 0).contains(';'), "{}", said(0, 0));
        assert!(said(1, 0).contains("judged; 1 series is too short for that. A quiet"), "{}", said(1, 0));
        let both = "judged; 3 series are too short for that; 2 series are left out, because there are too many: --fleet and --region choose. A";
        assert!(said(3, 2).contains(both), "{}", said(3, 2));
    }

    #[test]
    fn programs_get_times_counts_and_ids() {
        let document = document(&found());
        assert_eq!(document[0]["incident"], "failure_burst");
        assert_eq!(document[0]["from"], "2026-09-21T14:13:20Z");
        assert_eq!((&document[0]["count"], &document[0]["details"]["otherwise_due"]), (&json!(14), &json!(700)));
        assert_eq!(document[0]["attempts"][1], "00000000-0000-0000-0000-000000000002");
        assert_eq!((&document[1]["to"], &document[1]["peer"]), (&Value::Null, &json!("12D3KooWabcdef")));
        let csv = csv(&found());
        let mut rows = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(rows.records().count(), 2);
        assert!(markdown(&found()).contains("| 2026-09-21 14:28:20 UTC, not over "), "{}", markdown(&found()));
    }
}
