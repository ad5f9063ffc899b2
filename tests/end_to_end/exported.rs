//! Measurements taken along: the same rows from both databases, in files that say what they are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parsec_generator::History;
use parsec_measure::Share;
use parsec_store::{Dataset, Selection};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::process::{Ended, ask};
use crate::recorded::generated;
use crate::stage::Stage;

/// What stands in every address that the generator gives to peers.
const ADDRESS: &str = "198.51.100.";

/// A short history with much of everything.
fn history() -> History {
    History { operations: 420, days: 3, traces: Share::new(0.5), checks: 0.5, ..History::default() }
}

async fn database(url: &str) {
    generated(url, history()).await;
}

async fn export(stage: &Stage, url: &str, to: &Path, words: &[&str]) -> Ended {
    let place = ["export", "--database-url", url, "-o", to.to_str().unwrap()];
    ask(stage, &[&place[..1], words, &place[1..]].concat()).await
}

/// The rows of a file of JSON lines.
fn lines(directory: &TempDir, dataset: Dataset) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(directory.path().join(format!("{}.jsonl", dataset.as_str()))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn manifest(directory: &TempDir, dataset: Dataset) -> Value {
    let file = directory.path().join(format!("{}.manifest.json", dataset.as_str()));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_give_the_same_rows_and_none_with_an_address() {
    let (stage, file, postgres) =
        (Stage::begin(), parsec_test_support::sqlite_file(), parsec_test_support::database().await);
    let urls = [file.url(), postgres.url().to_owned()];
    for url in &urls {
        database(url).await;
    }
    for dataset in Dataset::ALL {
        let mut of_both = Vec::new();
        for url in &urls {
            let directory = tempfile::tempdir().unwrap();
            let ended = export(&stage, url, directory.path(), &[dataset.as_str(), "--format", "jsonl"]).await;
            assert_eq!(ended.code(), 0, "{url} {dataset:?}: {}", ended.err);
            let mut rows = lines(&directory, dataset);
            // When the row was written is the one thing that differs.
            rows.iter_mut().for_each(|row| drop(row.remove("created_at")));
            let whole = fs::read_dir(directory.path()).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()));
            assert!(whole.into_iter().all(|text| !text.unwrap().contains(ADDRESS)), "{dataset:?} names addresses");
            let manifest = manifest(&directory, dataset);
            assert_eq!((&manifest["rows"], &manifest["addresses"]), (&rows.len().into(), &"left out".into()));
            of_both.push(rows);
        }
        assert!(of_both[0].len() >= 60, "{dataset:?}: {}", of_both[0].len());
        assert_eq!(of_both[0].len(), of_both[1].len(), "{dataset:?}");
        for (one, other) in of_both[0].iter().zip(&of_both[1]) {
            assert_eq!(one, other, "{dataset:?}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let words = ["traces", "--format", "jsonl", "--addresses", "--kind", "retrieve"];
    assert_eq!(export(&stage, &urls[0], directory.path(), &words).await.code(), 0);
    let traces = lines(&directory, Dataset::Traces);
    assert!(traces.iter().all(|trace| trace["kind"] == "retrieve"));
    assert!(traces.iter().any(|trace| trace["document"].to_string().contains(ADDRESS)), "asked for, they stay");
}

/// More than two pages of operations, which have 2,000 each.
const OF_SEVERAL_PAGES: u64 = 4_410;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_several_pages_has_every_row_once_and_in_order() {
    let (stage, file, postgres) =
        (Stage::begin(), parsec_test_support::sqlite_file(), parsec_test_support::database().await);
    let history = History { operations: OF_SEVERAL_PAGES, days: 3, traces: None, checks: 0.0, ..History::default() };
    for url in [file.url(), postgres.url().to_owned()] {
        generated(&url, history).await;
        let archive = parsec_store::open_archive(&url.parse().unwrap()).await.unwrap();
        let first = archive.dataset(Dataset::Operations, &Selection::default(), None).await.unwrap();
        assert!(first.next.is_some() && first.rows.len() * 2 < OF_SEVERAL_PAGES as usize, "{}", first.rows.len());

        let directory = tempfile::tempdir().unwrap();
        let ended = export(&stage, &url, directory.path(), &["operations", "--format", "jsonl"]).await;
        assert_eq!(ended.code(), 0, "{url}: {}", ended.err);
        let rows = lines(&directory, Dataset::Operations);
        assert_eq!(rows.len() as u64, OF_SEVERAL_PAGES, "{url}");
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        // UUIDs of version 7: in their order they are in that of time, and strictly so only if none is there twice.
        assert!(ids.is_sorted_by(|one, next| one < next), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_has_every_operation_and_the_manifest_says_what_it_is() {
    let (stage, file, directory) = (Stage::begin(), parsec_test_support::sqlite_file(), tempfile::tempdir().unwrap());
    database(&file.url()).await;
    let ended = export(&stage, &file.url(), directory.path(), &["operations"]).await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert!(ended.out.concat().contains("420 rows"), "{:?}", ended.out);
    let reader = SerializedFileReader::try_from(directory.path().join("operations.parquet").as_path()).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    let names: Vec<_> = rows[0].get_column_iter().map(|(name, _)| name.clone()).collect();
    let columns: Vec<_> = Dataset::Operations.columns().iter().map(|column| column.name).collect();
    assert_eq!((rows.len(), names.iter().map(String::as_str).collect::<Vec<_>>()), (420, columns));
    let column = |name: &str| names.iter().position(|found| found == name).unwrap();
    let text = |row: &parquet::record::Row, name: &str| {
        row.get_column_iter().nth(column(name)).map(|(_, field)| field.clone()).unwrap()
    };
    let failed = rows.iter().filter(|row| text(row, "outcome") != Field::Str("ok".to_owned())).count();
    assert!((20..120).contains(&failed), "{failed} of 420 failed");
    assert!(rows.iter().all(|row| matches!(text(row, "started_at"), Field::TimestampMicros(_))));
    assert!(rows.iter().all(|row| text(row, "strategy") != Field::Null && text(row, "peer_id") != Field::Null));

    let manifest = manifest(&directory, Dataset::Operations);
    let described = manifest["columns"].as_array().unwrap();
    assert_eq!(described.len(), Dataset::Operations.columns().len());
    assert!(described.iter().all(|column| column["meaning"].as_str().is_some_and(|meaning| meaning.ends_with('.'))));
    assert_eq!(manifest["written_by"].as_str().unwrap().split(' ').next(), Some("parsec"));
    assert!(manifest["first"].as_str().unwrap() < manifest["last"].as_str().unwrap(), "{manifest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_selected_is_what_is_taken_along() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let count = async |words: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let ended = export(&stage, &file.url(), directory.path(), &[words, &["--format", "csv"]].concat()).await;
        assert_eq!(ended.code(), 0, "{words:?}: {}", ended.err);
        let name = format!("{}.csv", words[0]);
        csv_rows(&directory.path().join(name))
    };
    assert_eq!(count(&["operations", "--kind", "provide"]).await, 60);
    assert_eq!(count(&["operations", "--fleet", "optprov"]).await, 140);
    assert_eq!(count(&["rounds", "--fleet", "optprov,default"]).await, 40);
    let half = "2026-10-28T12:00:00Z";
    let (before, after) = (count(&["rounds", "--until", half]).await, count(&["rounds", "--since", half]).await);
    assert_eq!((before, after), (30, 30));
}

fn csv_rows(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count() - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_cannot_be_made_is_one_sentence_and_leaves_nothing() {
    let (stage, file, directory) = (Stage::begin(), parsec_test_support::sqlite_file(), tempfile::tempdir().unwrap());
    database(&file.url()).await;
    let names = |directory: &TempDir| fs::read_dir(directory.path()).unwrap().count();
    for (words, code, expected) in [
        (vec!["operations", "--fleet", "nobody"], 1, "no row of operations is recorded until"),
        (vec!["everything"], 2, "expected one of: operations, requests, traces, rounds, records"),
        (vec!["rounds", "--format", "xml"], 2, "expected one of: parquet, csv, jsonl"),
        (vec!["rounds", "--since", "2026-10-20", "--until", "2026-10-10"], 1, "nothing lies between"),
    ] {
        let ended = export(&stage, &file.url(), directory.path(), &words).await;
        assert_eq!(ended.code(), code, "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
        assert_eq!(names(&directory), 0, "{words:?}");
    }
    assert_eq!(export(&stage, &file.url(), directory.path(), &["rounds"]).await.code(), 0);
    let again = export(&stage, &file.url(), directory.path(), &["rounds"]).await;
    assert!(again.code() == 1 && again.err.contains("is already there"), "{}", again.err);
    assert_eq!(export(&stage, &file.url(), directory.path(), &["rounds", "--overwrite"]).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_views_says_what_to_do() {
    let (stage, postgres) = (Stage::begin(), parsec_test_support::database().await);
    database(postgres.url()).await;
    postgres.client().await.batch_execute("DROP VIEW v_rounds").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let ended = export(&stage, postgres.url(), directory.path(), &["rounds"]).await;
    assert_eq!(ended.code(), 1);
    assert!(ended.err.contains("lacks the view v_rounds") && ended.err.contains("parsec migrate"), "{}", ended.err);
}
