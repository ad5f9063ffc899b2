//! `parsec spool`: rows that a process has left, looked at and written by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use parsec_measure::{Attempt, AttemptId, Measured, NodeId, OperationKind, OutcomeClass, Round, RoundId, SchedulerId};
use parsec_store::{Row, Spool, SpoolLimits, Spooling, StoreConfig, Traces, open_traces};
use parsec_test_support::{database, sqlite_file};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, Process, ask};
use crate::recorded;
use crate::stage::Stage;

/// A database with a scheduler and a node, and a spool directory for it.
struct Left {
    stage: Stage,
    url: String,
    directory: TempDir,
    traces: Arc<dyn Traces>,
    scheduler: SchedulerId,
    node: NodeId,
}

impl Left {
    async fn at(url: &str) -> Self {
        let store = recorded::migrated(url).await;
        let scheduler = recorded::scheduler(&*store, "default", Utc::now()).await;
        let node = store.register_node(recorded::node("default", "eu-central-1")).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let traces = open_traces(&url.parse().unwrap()).await.unwrap();
        Self { stage: Stage::begin(), url: url.to_owned(), directory, traces, scheduler, node }
    }

    /// The spool of a process of this test.
    fn spool(&self) -> Spool {
        let limits = SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(3_600) };
        let database: StoreConfig = self.url.parse().unwrap();
        Spool::open(self.directory.path(), &database, limits).unwrap().0
    }

    fn round(&self) -> Round {
        let round = recorded::round(RoundId::fresh().0, self.scheduler, "default", self.node, Utc::now());
        Round { ended: None, ..round }
    }

    fn attempt(&self, of: &Round, class: OutcomeClass) -> Attempt {
        let result = Measured::unmeasured(class, Duration::from_secs(1), "why");
        recorded::attempt(AttemptId::fresh().0, of, self.node, OperationKind::Retrieve, result)
    }

    async fn run(&self, action: &str, added: &[&str]) -> Ended {
        let directory = self.directory.path().to_str().unwrap();
        let args = ["spool", action, "--spool-dir", directory, "--database-url", &self.url];
        ask(&self.stage, &[&args, added].concat()).await
    }

    /// What the slots are, as a program reads it.
    async fn list(&self) -> Vec<Value> {
        let ended = self.run("list", &["--format", "json"]).await;
        assert_eq!((ended.code(), ended.err.as_str()), (0, ""));
        serde_json::from_str(&ended.out.join("\n")).unwrap()
    }

    async fn class_of(&self, id: AttemptId) -> Option<OutcomeClass> {
        let operation = self.traces.whole(id).await.unwrap();
        operation.map(|operation| operation.attempt.result.class)
    }

    /// The files with the rows.
    fn files(&self) -> Vec<PathBuf> {
        let entries = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let slots = entries(self.directory.path()).filter(|path| path.is_dir()).collect::<Vec<_>>();
        let files = slots.iter().flat_map(|slot| entries(slot));
        files.filter(|path| path.extension().is_some_and(|ending| ending == "entries")).collect()
    }
}

async fn rows_are_listed_verified_and_replayed(left: Left) {
    let mut spool = left.spool();
    let (whole, cut_off) = (left.round(), left.round());
    let measured = left.attempt(&whole, OutcomeClass::ServerUnreachable);
    let lost = left.attempt(&cut_off, OutcomeClass::RecordLost);
    spool.push(&[Row::Round(whole), Row::Attempt(measured.clone())]).unwrap();
    spool.announce(&cut_off, std::slice::from_ref(&lost), &[]).unwrap();

    let [slot] = &left.list().await[..] else { panic!("one slot") };
    assert_eq!((&slot["used"], &slot["rows"], &slot["open_rounds"]), (&true.into(), &2.into(), &1.into()), "{slot}");
    let replayed = left.run("replay", &[]).await;
    assert_eq!((replayed.code(), replayed.out.len()), (0, 2), "{replayed:?}");
    assert!(replayed.out[0].starts_with("nothing waits for database "), "{replayed:?}");
    assert_eq!(replayed.out[1], "1 slot is used by running processes, which write their rows themselves");
    assert_eq!(left.class_of(measured.id).await, None);

    drop(spool);
    let listed = left.run("list", &[]).await;
    assert!(listed.out[0].starts_with(" directory ") && listed.out[1].contains(" nobody "), "{listed:?}");
    let verified = left.run("verify", &[]).await;
    assert!(verified.code() == 0 && verified.out[0].ends_with(": 2 rows, no damage"), "{verified:?}");
    let replayed = left.run("replay", &["--format", "json"]).await;
    let said: Value = serde_json::from_str(&replayed.out[0]).unwrap();
    assert_eq!((replayed.code(), &said["rows"], &said["refused"]), (0, &4.into(), &0.into()), "{replayed:?}");
    assert_eq!(left.class_of(measured.id).await, Some(OutcomeClass::ServerUnreachable));
    assert_eq!(left.class_of(lost.id).await, Some(OutcomeClass::RecordLost));

    let again = left.run("replay", &[]).await;
    assert!(again.code() == 0 && again.out[0].starts_with("nothing waits"), "{again:?}");
    assert!(left.list().await.iter().all(|slot| slot["rows"] == 0 && slot["open_rounds"] == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_rows_are_listed_verified_and_replayed() {
    let database = database().await;
    rows_are_listed_verified_and_replayed(Left::at(database.url()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_rows_are_listed_verified_and_replayed() {
    let file = sqlite_file();
    rows_are_listed_verified_and_replayed(Left::at(&file.url()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_database_refuses_is_kept_beside_the_others_are_written() {
    let database = database().await;
    let left = Left::at(database.url()).await;
    let round = left.round();
    let good = left.attempt(&round, OutcomeClass::Cancelled);
    let bad = Attempt { node: NodeId(999_999), ..left.attempt(&round, OutcomeClass::Cancelled) };
    left.spool().push(&[Row::Round(round), Row::Attempt(bad.clone()), Row::Attempt(good.clone())]).unwrap();

    let replayed = left.run("replay", &[]).await;
    assert_eq!(replayed.code(), 1);
    assert!(replayed.out[0].starts_with("2 rows written to database ") && replayed.out[0].ends_with(", 1 refused"));
    assert!(replayed.err.contains("the database refuses a row: "), "{replayed:?}");
    assert!(left.class_of(good.id).await.is_some() && left.class_of(bad.id).await.is_none());
    let listed = left.list().await;
    let refused = listed.iter().find(|entry| entry["refused"] == true).unwrap();
    assert_eq!((&refused["rows"], &refused["in_part"]), (&1.into(), &0.into()), "{refused}");
    let kept = std::fs::read_to_string(refused["path"].as_str().unwrap()).unwrap();
    let kept: Value = serde_json::from_str(kept.trim_end()).unwrap();
    assert_eq!(kept["row"]["attempt"]["id"], bad.id.0.to_string());
    let again = left.run("replay", &[]).await;
    assert!(again.code() == 1 && again.out[0].starts_with("0 rows written to database "), "{again:?}");
    assert!(again.out[0].ends_with(", 1 refused") && left.list().await.contains(refused), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_and_costs_nothing_else() {
    let file = sqlite_file();
    let left = Left::at(&file.url()).await;
    let rounds: Vec<_> = (0..3).map(|_| left.round()).collect();
    let mut spool = left.spool();
    for round in &rounds {
        spool.push(&[Row::Round(round.clone())]).unwrap();
    }
    drop(spool);
    let path = left.files().remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    for _ in 0..2 {
        let verified = left.run("verify", &[]).await;
        assert_eq!(verified.code(), 1);
        assert!(verified.out[0].ends_with(": 2 rows, 1 damaged place, 1 row is lost"), "{verified:?}");
        assert!(verified.out[1].contains(&format!("{} is damaged from byte ", path.display())), "{verified:?}");
    }
    let replayed = left.run("replay", &[]).await;
    assert!(replayed.code() == 1 && replayed.out[0].starts_with("2 rows written to database "), "{replayed:?}");
    assert!(replayed.out[1].ends_with("1 row cannot be read") && replayed.out[2] == "1 row is lost", "{replayed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_and_leaves_the_rows_where_they_are() {
    let file = sqlite_file();
    let left = Left::at(&file.url()).await;
    left.spool().push(&[Row::Round(left.round())]).unwrap();

    let bare = Process::start_with(&left.stage, &[("PARSEC_SPOOL_DIR", "none")], &["spool", "list"]).end().await;
    assert_eq!(bare.code(), 1);
    assert!(bare.err.contains("there is no spool directory: set --spool-dir or PARSEC_SPOOL_DIR"), "{bare:?}");

    let elsewhere = file.path().with_extension("moved");
    std::fs::rename(file.path(), &elsewhere).unwrap();
    let replayed = left.run("replay", &[]).await;
    assert!(replayed.code() == 1 && replayed.err.contains("there is no such file"), "{replayed:?}");
    assert!(!file.path().exists());
    std::fs::rename(&elsewhere, file.path()).unwrap();
    assert_eq!(left.list().await[0]["rows"], 1);
    assert!(left.run("replay", &[]).await.out[0].starts_with("1 row written"));
}
