//! The disk that rows wait on is broken, and the database is away: rows wait in memory then, and operators are told.

use parsec_test_support::ledger::LOST;
use parsec_test_support::outage::Outage;
use tempfile::{NamedTempFile, TempDir};

use super::{Scene, of_class};
use crate::deployment::metrics;

impl Scene {
    /// Waits until the scheduler says to Prometheus whether rows wait on disk.
    async fn spools(&self, works: bool) {
        let up = format!("\nparsec_spool_up {}\n", i32::from(works));
        let says_so = async || metrics(&self.stage, self.scheduler()).await.contains(&up).then_some(());
        self.stage.eventually("word on the spool", says_so).await;
    }
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("temporary files have plain names")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_spool_that_can_be_opened_rows_wait_in_memory() {
    let in_the_way = NamedTempFile::new().unwrap();
    let scene = Scene::start_with(&["--spool-dir", text(in_the_way.path())]).await;
    scene.scheduler().log("the spool cannot be used: rows that wait for the database are kept in memory only").await;
    scene.strike(Outage::Refused).await;
    scene.goes_on_measuring().await;
    scene.spools(false).await;
    scene.heal(Outage::Refused).await;
    scene.catches_up().await;
    let books = scene.agrees().await;
    assert_eq!(of_class(&books, LOST), 0);
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
