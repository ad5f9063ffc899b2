//! The field's SQL beside our figures: it runs unchanged, and `docs/methods.md` shows how far the two are apart.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fmt::Write as _;
use std::time::Duration;

use parsec_generator::{FLEETS, History};
use parsec_measure::OutcomeClass;
use parsec_results::statistics::reading;
use serde_json::Value;

use crate::process::ask;
use crate::recorded::{generated, migrated};
use crate::stage::Stage;

const METHODS: &str = include_str!("../../docs/methods.md");

/// The history behind the table.
fn history() -> History {
    History { operations: 21_000, traces: None, checks: 0.0, ..History::default() }
}

/// The SQL in the documentation, for publications and for lookups.
fn queries() -> Vec<&'static str> {
    let marked = METHODS.split("<!-- survivors -->").nth(1).expect("docs/methods.md marks the SQL");
    marked.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn percent_more(ours: &Value, theirs: f64) -> String {
    match ours.as_f64() {
        Some(ours) => format!("{ours:.2} s (+{:.0} %)", 100.0 * (ours / theirs - 1.0)),
        None => format!("{} s", ours.as_str().unwrap_or("–")).replace("failed s", "failed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_sql_runs_unchanged_and_differs_from_ours_as_documented() {
    let (stage, postgres) = (Stage::lasting(Duration::from_secs(180)), parsec_test_support::database().await);
    generated(postgres.url(), history()).await;
    let ours = ask(&stage, &["results", "--format", "json", "--database-url", postgres.url()]).await;
    assert_eq!(ours.code(), 0, "{}", ours.err);
    let ours: Vec<Value> = serde_json::from_str(&ours.out.concat()).unwrap();

    let mut table =
        "| operation | fleet | due | failed | rows in the SQL | p50, survivors | p50, all due | p90, survivors | p90, all due |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    let client = postgres.client().await;
    for (kind, query) in ["provide", "retrieve"].into_iter().zip(queries()) {
        for row in client.query(query, &[]).await.unwrap() {
            let (fleet, n, p50, p90): (String, i64, f64, f64) = (row.get(0), row.get(1), row.get(2), row.get(3));
            let group = ours.iter().find(|group| group["fleet"] == fleet && group["kind"] == kind).unwrap();
            let (due, succeeded) =
                (group["counts"]["due"].as_f64().unwrap(), group["counts"]["succeeded"].as_f64().unwrap());
            let [ours_p50, ours_p90] = ["p50_seconds", "p90_seconds"].map(|name| &group[name]["value"]);
            // Survivors are never slower.
            assert!(
                [(ours_p50, p50), (ours_p90, p90)]
                    .iter()
                    .all(|(ours, theirs)| ours.as_f64().is_none_or(|ours| ours > 0.97 * theirs))
            );
            let _ = writeln!(
                table,
                "| {kind} | `{fleet}` | {due} | {:.1} % | {n} | {p50:.2} s | {} | {p90:.2} s | {} |",
                100.0 * (1.0 - succeeded / due),
                percent_more(ours_p50, p50),
                percent_more(ours_p90, p90),
            );
        }
    }
    assert_eq!(table.lines().count(), 2 + 2 * FLEETS.len(), "{table}");
    let documented = METHODS.split("<!-- table:survivors -->\n").nth(1).expect("docs/methods.md marks the table");
    assert_eq!(documented, table, "docs/methods.md should say:\n{table}");
}

#[tokio::test]
async fn what_a_view_counts_as_due_is_what_the_results_count() {
    let postgres = parsec_test_support::database().await;
    migrated(postgres.url()).await;
    let client = postgres.client().await;
    let definition: String =
        client.query_one("SELECT pg_get_viewdef('v_operations'::regclass)", &[]).await.unwrap().get(0);
    let due = definition.split("AS is_due").next().and_then(|text| text.rsplit("outcome").next()).unwrap();
    for class in OutcomeClass::ALL {
        let counted = due.contains(&format!("'{}'", class.as_str()));
        assert_eq!(counted, reading(class, Duration::ZERO).is_some(), "{class:?} in {due}");
    }
}
