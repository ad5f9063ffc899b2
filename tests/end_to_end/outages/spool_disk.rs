//! The disk that rows wait on is broken, and the database is away: rows wait in memory then, and operators are told.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parsec_test_support::hostile::Mode;
use parsec_test_support::ledger::LOST;
use parsec_test_support::outage::Outage;
use tempfile::TempDir;

use super::{Scene, of_class};
use crate::deployment::metrics;
use crate::process::IGNORE_FILE_LIMIT;

impl Scene {
    /// Waits until the scheduler says to Prometheus whether rows wait on disk.
    async fn spools(&self, works: bool) {
        let up = format!("\nparsec_spool_up {}\n", i32::from(works));
        let says_so = async || metrics(&self.stage, self.scheduler()).await.contains(&up).then_some(());
        self.stage.eventually("word on the spool", says_so).await;
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary files have plain names")
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_spool_cannot_be_opened_rows_wait_in_memory_and_it_is_tried_again() {
    let in_the_way = TempDir::with_prefix("parsec-spool-").unwrap();
    let directory = in_the_way.path().join("spool");
    std::fs::write(&directory, "no directory").unwrap();
    let scene = Scene::start_with(&["--spool-dir", text(&directory)]).await;
    scene.scheduler().log("the spool takes no rows; they are kept in memory only").await;
    scene.strike(Outage::Refused).await;
    scene.goes_on_measuring().await;
    scene.spools(false).await;
    std::fs::remove_file(&directory).unwrap();
    scene.scheduler().log("the spool takes rows again").await;
    scene.goes_on_measuring().await;
    scene.spools(true).await;
    scene.heal(Outage::Refused).await;
    scene.catches_up().await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), 0);
}

/// What the one before was about to attempt is recorded, and not only when the disk has room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_starts_with_a_full_disk_ends_the_round_of_the_one_that_was_killed() {
    let directory = TempDir::with_prefix("parsec-spool-").unwrap();
    let mut scene = Scene::among_strangers([Mode::Mute, Mode::Honest], &["--spool-dir", text(directory.path())]).await;
    let is_asked = async || (scene.strangers[0].server.operations() > 0).then_some(());
    scene.stage.eventually("round in the middle", is_asked).await;
    scene.kill_scheduler().await;
    scene.strangers.iter().for_each(|stranger| stranger.server.measures(Mode::Honest));

    scene.schedule_after(&format!("{IGNORE_FILE_LIMIT}; ulimit -S -f 0"));
    scene.wait_for(1, "rounds WHERE outcome = 'interrupted'").await;
    scene.wait_for(1, "operations WHERE outcome = 'record_lost'").await;
    scene.goes_on_measuring().await;
    assert!(scene.scheduler().writes_to_disk(true));
    scene.goes_on_measuring().await;
    scene.spools(true).await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), 1, "{:?}", books.classes());
}

/// Bytes of what waits change while the database is away.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_damaged_while_they_wait_are_counted_and_recorded_as_lost() {
    let directory = TempDir::with_prefix("parsec-spool-").unwrap();
    let scene = Scene::start_with(&["--spool-dir", text(directory.path())]).await;
    scene.strike(Outage::Refused).await;
    scene.goes_on_measuring().await;
    scene.goes_on_measuring().await;
    let entries = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let slot = entries(directory.path()).remove(0);
    let mut files = entries(&slot);
    files.retain(|file| file.extension().is_some_and(|ending| ending == "entries"));
    let bytes = std::fs::read(&files[0]).unwrap();
    // In the rows of two attempts that have just ended.
    let found = bytes.windows(9).enumerate().filter(|(_, window)| *window == b"\"attempt\"").map(|(at, _)| at);
    let rows: Vec<_> = found.collect();
    let file = OpenOptions::new().write(true).open(&files[0]).unwrap();
    for at in &rows[rows.len() - 2..] {
        file.write_all_at(b"~", *at as u64).unwrap();
    }

    scene.heal(Outage::Refused).await;
    scene.catches_up().await;
    let lost = scene.scheduler().log("rows that waited on disk are damaged; they are lost").await;
    assert_eq!(lost["rows"], 2, "{lost}");
    assert!(metrics(&scene.stage, scene.scheduler()).await.contains("\nparsec_recorder_rows_lost_total 2\n"));
    let books = scene.agrees_but_for(2).await;
    assert_eq!(of_class(&books, LOST), 2, "{:?}", books.classes());
}

/// Full as a limit on the size of files makes it (RLIMIT_FSIZE): writing fails with EFBIG instead of ENOSPC. A disk that is
/// full takes a file system of its own, which takes a privileged machine.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_of_the_spool_is_full_rows_wait_in_memory() {
    let directory = TempDir::with_prefix("parsec-spool-").unwrap();
    let scene = Scene::start_with(&["--spool-dir", text(directory.path())]).await;
    scene.spools(true).await;
    scene.strike(Outage::Refused).await;
    scene.goes_on_measuring().await;
    assert!(scene.scheduler().writes_to_disk(false));
    scene.scheduler().log("the spool takes no rows; they are kept in memory only").await;
    scene.goes_on_measuring().await;
    scene.spools(false).await;

    assert!(scene.scheduler().writes_to_disk(true));
    scene.scheduler().log("the spool takes rows again").await;
    scene.spools(true).await;
    scene.heal(Outage::Refused).await;
    scene.catches_up().await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), 0);
}
