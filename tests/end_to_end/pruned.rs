//! Old measurements: told, and deleted only if that is asked for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use parsec_generator::History;
use parsec_measure::Share;
use parsec_store::Dataset;

use crate::process::{Ended, ask};
use crate::recorded::generated;
use crate::stage::Stage;

/// How old measurements may be.
const KEPT: i64 = 15;

/// A month of measurements, of which half is too old. No round, and no check, is as old as may be within hours: rounds are eighteen
/// hours apart.
async fn database(url: &str) {
    let history = History {
        operations: 840,
        end: Utc::now() + TimeDelta::hours(9),
        traces: Share::new(0.3),
        checks: 0.3,
        ..History::default()
    };
    generated(url, history).await;
}

async fn prune(stage: &Stage, url: &str, words: &[&str]) -> Ended {
    ask(stage, &[&["prune", "--keep", "15d", "--database-url", url], words].concat()).await
}

/// How many rows of each dataset are older than may be, and how many are not.
async fn rows(url: &str) -> BTreeMap<&'static str, (usize, usize)> {
    let archive = parsec_store::open_archive(&url.parse().unwrap()).await.unwrap();
    let border = Utc::now() - TimeDelta::days(KEPT);
    let mut counted = BTreeMap::new();
    for dataset in Dataset::ALL {
        let mut counts = [0, 0];
        let halves = [(None, Some(border)), (Some(border), None)];
        for ((since, until), count) in halves.into_iter().zip(&mut counts) {
            let selection = parsec_store::Selection { since, until, ..Default::default() };
            let mut after = None;
            loop {
                let page = archive.dataset(dataset, &selection, after).await.unwrap();
                *count += page.rows.len();
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        counted.insert(dataset.as_str(), (counts[0], counts[1]));
    }
    counted
}

async fn old_ones_go_and_no_others(url: &str) {
    let stage = Stage::begin();
    database(url).await;
    let before = rows(url).await;
    assert!(before.values().all(|(old, young)| *old > 10 && *young > 10), "{before:?}");

    let told = prune(&stage, url, &[]).await;
    assert_eq!(told.code(), 0, "{}", told.err);
    let text = told.out.join("\n");
    assert!(text.contains(&format!("operations: {} rows old", before["operations"].0)), "{text}");
    assert!(text.contains("with their traces") && !text.contains("provides_ecs"), "{text}");
    assert!(told.err.contains("nothing was deleted"), "{}", told.err);
    assert_eq!(rows(url).await, before, "it was not asked to delete");

    let done = prune(&stage, url, &["--yes"]).await;
    assert_eq!(done.code(), 0, "{}", done.err);
    let after = rows(url).await;
    for name in ["operations", "requests", "traces", "rounds"] {
        assert_eq!(after[name], (0, before[name].1), "{name}");
    }
    // A check belongs to the time when it is due, which may be a day after its publication.
    assert!(after["records"].0 == 0 && after["records"].1 <= before["records"].1, "{after:?}");
    let again = prune(&stage, url, &["--yes"]).await;
    assert!(again.out.iter().all(|line| line.ends_with("no row is old")), "{:?}", again.out);

    let originals = prune(&stage, url, &["--yes", "--original-tables"]).await;
    let text = originals.out.join("\n");
    assert!(text.contains("provides_ecs: ") && text.contains("retrievals_ecs: ") && text.contains("deleted"), "{text}");
    assert_eq!(rows(url).await, after, "ours are as they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_measurements_go_from_postgresql_if_that_is_asked_for() {
    let postgres = parsec_test_support::database().await;
    old_ones_go_and_no_others(postgres.url()).await;
    let client = postgres.client().await;
    let rows = client.query("SELECT created_at < now() - INTERVAL '15 days' FROM provides_ecs", &[]).await;
    assert!(rows.unwrap().iter().all(|row| !row.get::<_, bool>(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_measurements_go_from_sqlite_if_that_is_asked_for() {
    old_ones_go_and_no_others(&parsec_test_support::sqlite_file().url()).await;
}

/// Enough for the old half to be more than a batch of 2,000 rows, also of lookups alone.
const OF_SEVERAL_BATCHES: u64 = 5_040;

#[tokio::test(flavor = "multi_thread")]
async fn more_old_rows_than_a_batch_has_all_go_and_are_counted() {
    let (stage, file, postgres) =
        (Stage::begin(), parsec_test_support::sqlite_file(), parsec_test_support::database().await);
    for url in [file.url(), postgres.url().to_owned()] {
        let end = Utc::now() + TimeDelta::hours(1);
        let history = History { operations: OF_SEVERAL_BATCHES, end, traces: None, checks: 0.0, ..History::default() };
        generated(&url, history).await;
        let (old, young) = rows(&url).await["operations"];
        assert!(old > 2_200 && young > 2_200, "{url}: {old} and {young}");
        let told = prune(&stage, &url, &["--original-tables"]).await.out;
        let done = prune(&stage, &url, &["--yes", "--original-tables"]).await;
        assert_eq!(done.code(), 0, "{url}: {}", done.err);
        assert_eq!(done.out, told.iter().map(|line| line.replace(" old, ", " deleted, ")).collect::<Vec<_>>());
        assert!(done.out[0].starts_with(&format!("operations: {old} rows deleted")), "{url}: {:?}", done.out);
        assert_eq!(rows(&url).await["operations"], (0, young), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_delete_is_told_who_may() {
    let (stage, postgres) = (Stage::begin(), parsec_test_support::database().await);
    database(postgres.url()).await;
    let url = postgres.url_as(&postgres.role("SELECT, INSERT, UPDATE").await);
    let ended = prune(&stage, &url, &["--yes"]).await;
    assert_eq!(ended.code(), 1);
    assert!(ended.err.contains("GRANT DELETE ON operations"), "{}", ended.err);
    // To be told what is old, reading is enough.
    assert_eq!(prune(&stage, &url, &[]).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_age_that_makes_no_sense_and_a_file_that_is_not_there_are_one_sentence() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    let url = file.url();
    for (words, code, expected) in [
        (vec!["prune", "--database-url", &url], 2, "--keep"),
        (vec!["prune", "--keep", "1h", "--database-url", &url], 2, "at least 2d"),
        (vec!["prune", "--keep", "90d", "--yes", "--database-url", &url], 1, "No such file"),
    ] {
        let ended = ask(&stage, &words).await;
        assert_eq!(ended.code(), code, "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
    }
    assert!(!file.path().exists(), "nothing is made where nothing was");
}
