//! What tests need around them: databases to throw away, and processes that end with the test.
//!
//! A test with processes has a [`Stage`](stage::Stage) of its own: what it starts there ends with it, and every wait is for
//! a state and bounded. [`process`] starts programs, [`http`] asks servers as a stranger does,
//! [`deployment`] starts servers and schedulers as one deploys them, [`servers`] those that stand among others, and
//! [`go_program`] those others. [`openapi`] reads the file that describes them. [`tls`] makes certificates.
//! What is to fail has a module too: [`postgres`] is a server of one's own that can be killed or frozen, [`proxy`] a wire that
//! can be bent, [`pooler`] a PgBouncer in between, [`sabotage`] makes statements fail or slow, and [`outage`] has them all by name. [`ledger`] compares what processes
//! said with what stands in the tables. [`double`] is a server that answers as a test tells it to, [`hostile`] one that breaks the contract as it is told to, [`stranger`] one that
//! stands in the list of nodes besides.
//! [`node`] starts nodes of ours in the process of the test, [`clock`] gives programs another time.
//! [`database()`] gives each test a PostgreSQL database of its own, [`sqlite_file`] a place for an SQLite file. Neither
//! is ever skipped: where PostgreSQL is neither installed nor pointed at, the test fails and says what to install.

pub mod clock;
mod cluster;
mod database;
pub mod deployment;
pub mod double;
pub mod go_program;
pub mod hostile;
pub mod http;
pub mod ledger;
pub mod node;
pub mod openapi;
pub mod outage;
pub mod peer;
pub mod poison;
pub mod pooler;
pub mod postgres;
pub mod process;
mod programs;
pub mod proxy;
pub mod sabotage;
pub mod servers;
pub mod stage;
pub mod stranger;
pub mod tls;
mod transcript;

use std::path::PathBuf;

pub use cluster::SERVER_VARIABLE;
pub use database::{TestDatabase, database};
use tempfile::TempDir;

/// A directory for one SQLite file, removed with this value.
#[derive(Debug)]
pub struct SqliteFile {
    directory: TempDir,
}

impl SqliteFile {
    /// Where the file will be, once somebody opens it.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("parsec.db")
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }
}

/// A place for an SQLite file that does not exist yet.
pub fn sqlite_file() -> SqliteFile {
    let directory = tempfile::Builder::new().prefix("parsec-sqlite-").tempdir();
    SqliteFile { directory: directory.expect("tests can make a temporary directory") }
}
