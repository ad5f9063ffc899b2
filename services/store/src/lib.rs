//! The database: what parsec writes and reads there, on PostgreSQL or in one SQLite file.
//!
//! This crate alone knows diesel. Others hold an `Arc<dyn Store>`, which [`connect`] gives them.
//!
//! - [`Store`]: what can be asked of the database, the rows that go in: [`NewNode`], [`Row`], [`ServerPort`]
//! - [`Roster`]: who is there, and which rows could not be used
//! - [`Migrated`], [`migration_script`]: what was done to the schema, and the SQL for those who do it themselves
//! - [`StoreConfig`]: which database, how to reach it, as a value or as a URL; [`wait_for`]: opens one that cannot be reached yet
//! - [`Spool`]: files in which rows wait while the database is away, behind the trait [`Spooling`]
//! - [`write`]: writes rows and tells which of them the database refuses; [`SetAside`]: the file where those are kept
//! - [`Archive`]: many measurements, read a page at a time, from a database in which nothing is written; [`Traces`]: what they did;
//!   [`Dataset`]: the same as flat tables to take along
//! - [`Pruning`]: what deletes old measurements
//! - [`Chronicle`]: what happened in a stretch of time, from such a database
//! - [`each_stretch`], [`each_counted`], [`each_sampled`], [`each_traced`]: passes over all that is selected
//! - [`Glance`]: what a page shows at a glance, besides all that can be read
//! - [`Setups`]: with which versions and configuration processes were started, likewise
//! - [`Diagnosis`]: what is to be known of a database before programs use it
//! - [`DryRun`]: what stands for the database where nothing may be written
//! - [`StoreError`]: what can go wrong, told apart by what the caller should do
//!
//! Inside, from the outside in: `detached` runs each call as a task of its own; `postgres` and `sqlite` open connections and bring
//! the schema up to date; `queries`, `operations` and `checks` have each query once for both; `session` is a connection to
//! PostgreSQL; `batch` turns measurements into rows, whose figures are in `figures`; `columns` holds the types that the back ends
//! store differently.

mod archive;
mod aside;
mod batch;
mod checks;
mod closed;
mod columns;
mod config;
mod connection;
mod counted;
mod datasets;
mod detached;
mod diagnosis;
mod dry_run;
mod error;
mod figures;
mod file_id;
mod glance;
mod glanced;
mod history;
mod lines;
mod migrated;
mod operations;
mod passes;
mod patience;
mod port;
mod postgres;
mod presence;
mod prune;
mod queries;
mod reason;
mod records;
mod refused;
mod roster;
mod selection;
mod session;
mod setups;
mod spool;
mod sqlite;
mod still;
mod store;
mod traced;

use std::sync::Arc;

pub use archive::Archive;
pub use aside::{Aside, SetAside, SetAsideReport, set_aside};
pub use closed::ClosedTable;
pub use config::{ParseStoreUrlError, Password, SslMode, StoreConfig, UnknownSslMode};
pub use counted::CountedPage;
pub use datasets::{Dataset, DatasetPage, PageEnd};
pub use diagnosis::Diagnosis;
pub use dry_run::DryRun;
pub use error::StoreError;
pub use glance::{Glance, MAX_GLANCED};
pub use glanced::Glanced;
pub use history::{Chronicle, MAX_HISTORY_ROWS};
pub use migrated::{Migrated, SchemaVersion, migration_script};
pub use passes::{each_counted, each_sampled, each_stretch, each_traced};
pub use patience::wait_for;
pub use port::{PortTooHigh, ServerPort};
pub use prune::{LastRow, OldBatch, OldRows, PrunedTable, Pruning};
pub use refused::{Refused, write};
pub use roster::{HEARD_WITHIN, MAX_ROSTER, OtherScheduler, Roster, UnusableNode};
pub use selection::{Selection, Stretch};
pub use setups::Setups;
pub use spool::{
    Adopted, Confirmed, Damage, LateSpool, Mark, Oldest, Recovered, ReplayError, Replayed, SlotReport, Spool,
    SpoolDepth, SpoolError, SpoolLimits, SpoolState, Spooling, inspect, replay,
};
pub use still::StillStore;
pub use store::{ClaimChecks, MAX_RECENT_SCHEDULERS, NewNode, NodeFollowUp, Row, Store};
pub use traced::{Listing, MAX_LISTED_OPERATIONS, MAX_MEANT, Order, TRACES_AT_ONCE, Traces};

use chrono::{DateTime, Utc};
use detached::{Backend, Beats, Detached};
use diagnosis::Diagnosed;
use parsec_measure::Fleet;
use tokio::runtime::Handle;

/// Opens the database and checks that it answers.
///
/// Connections, and the tasks that every later call runs in, live on the runtime that this is called from: call it on
/// the multi-thread runtime of the process, not inside an arbiter whose runtime may end earlier.
///
/// # Errors
/// [`StoreError::Unavailable`] if nobody answers within 10 seconds, [`StoreError::Refused`] if somebody does and says
/// no: wrong password, no such database, no TLS where TLS is asked for, a file that cannot be opened.
pub async fn connect(config: &StoreConfig) -> Result<Arc<dyn Store>, StoreError> {
    match config {
        StoreConfig::Postgres { .. } => Ok(Arc::new(Detached::open(postgres::Postgres::new(config)?).await?)),
        StoreConfig::Sqlite { path } => Ok(Arc::new(Detached::open(sqlite::Sqlite::new(path)?).await?)),
    }
}

/// Opens the database, as [`connect`] does, for a program that plays on a simulated clock.
///
/// # Errors
/// As for [`connect`].
pub async fn connect_still(config: &StoreConfig) -> Result<StillStore, StoreError> {
    let store: Arc<dyn Beats> = match config {
        StoreConfig::Postgres { .. } => Arc::new(Detached::open(postgres::Postgres::new(config)?).await?),
        StoreConfig::Sqlite { path } => Arc::new(Detached::open(sqlite::Sqlite::new(path)?).await?),
    };
    Ok(StillStore::new(store, Handle::current()))
}

/// All that only reads, and what deletes if the database lets it.
trait Opened: Glance + Setups + Pruning + Diagnosed {}

impl<B: Backend> Opened for Detached<B> {}

/// Opens the database for that: an SQLite file read-only.
async fn open(config: &StoreConfig) -> Result<Arc<dyn Opened>, StoreError> {
    match config {
        StoreConfig::Postgres { .. } => Ok(Arc::new(Detached::open(postgres::Postgres::new(config)?).await?)),
        StoreConfig::Sqlite { path } => Ok(Arc::new(Detached::open(sqlite::Sqlite::read_only(path)?).await?)),
    }
}

/// Opens the database to read measurements: a role that may only read, and a file that may only be read, are enough.
///
/// # Errors
/// As for [`connect`].
pub async fn open_archive(config: &StoreConfig) -> Result<Arc<dyn Archive>, StoreError> {
    Ok(open(config).await?)
}

/// The same as [`open_archive`], to read traces besides.
///
/// # Errors
/// As for [`connect`].
pub async fn open_traces(config: &StoreConfig) -> Result<Arc<dyn Traces>, StoreError> {
    Ok(open(config).await?)
}

/// Opens the database to read what happened, as [`open_archive`] does.
///
/// # Errors
/// As for [`connect`].
pub async fn open_chronicle(config: &StoreConfig) -> Result<Arc<dyn Chronicle>, StoreError> {
    Ok(open(config).await?)
}

/// Opens the database to read what processes said of themselves, as [`open_archive`] does.
///
/// # Errors
/// As for [`connect`].
pub async fn open_setups(config: &StoreConfig) -> Result<Arc<dyn Setups>, StoreError> {
    Ok(open(config).await?)
}

/// Opens the database to look for old measurements, and to delete them if it is to be `written`. The schema stays as it is.
///
/// # Errors
/// As for [`connect`].
pub async fn open_pruning(config: &StoreConfig, written: bool) -> Result<Arc<dyn Pruning>, StoreError> {
    match config {
        StoreConfig::Sqlite { path } if written => Ok(Arc::new(Detached::open(sqlite::Sqlite::existing(path)?).await?)),
        _ => Ok(open(config).await?),
    }
}

/// Opens the database for a page that shows it, as [`open_archive`] does.
///
/// # Errors
/// As for [`connect`].
pub async fn open_glance(config: &StoreConfig) -> Result<Arc<dyn Glance>, StoreError> {
    Ok(open(config).await?)
}

/// Looks at a database without changing anything: which loops have recorded publications of these fleets since then, and all else
/// that is to be known. An SQLite file has to be there.
///
/// # Errors
/// As for [`connect`].
pub async fn diagnose(config: &StoreConfig, fleets: &[Fleet], since: DateTime<Utc>) -> Result<Diagnosis, StoreError> {
    open(config).await?.diagnose(config, fleets, since).await
}
