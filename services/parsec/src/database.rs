//! Opens the database that the configuration names, and waits for it if it cannot be reached yet.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parsec_measure::NodeId;
use parsec_store::{Migrated, NewNode, Store, StoreConfig, StoreError};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::reload::PasswordFile;
use parsec_settings::DatabaseConfig;

/// The shortest and the longest pause between two tries; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// The file of the password, if there is one, and the password that this target has of it.
pub(crate) fn password_file(config: &DatabaseConfig, target: &StoreConfig) -> PasswordFile {
    match target {
        StoreConfig::Postgres { password, .. } => Some((config.password_file.clone()?, password.clone())),
        StoreConfig::Sqlite { .. } => None,
    }
}

/// Opens the database and brings its schema up to date. Waits up to `wait` for a database that cannot be reached.
pub(crate) async fn open(config: &StoreConfig, wait: Duration) -> anyhow::Result<Arc<dyn Store>> {
    Ok(open_and_migrate(config, wait).await?.0)
}

/// The same, and returns what was done to the schema.
pub(crate) async fn open_and_migrate(
    config: &StoreConfig,
    wait: Duration,
) -> anyhow::Result<(Arc<dyn Store>, Migrated)> {
    let opened = parsec_store::wait_for(config, wait, || connect_and_migrate(config)).await;
    opened.with_context(|| format!("database {config}"))
}

async fn connect_and_migrate(config: &StoreConfig) -> Result<(Arc<dyn Store>, Migrated), StoreError> {
    let store = parsec_store::connect(config).await?;
    let migrated = store.migrate().await?;
    for closed in store.closed_tables(false).await? {
        error!(table = closed.table, "{closed}; its rows will be set aside, for `parsec spool replay`");
    }
    info!(database = %config, "database is ready");
    Ok((store, migrated))
}

/// Writes a server's row. If the database refuses it for the moment, for instance because it is read-only or full,
/// tries again for up to `wait`.
pub(crate) async fn register(store: &dyn Store, row: NewNode, wait: Duration) -> Result<NodeId, StoreError> {
    let (started, mut pause) = (Instant::now(), RETRY.0);
    loop {
        let error = match store.register_node(row.clone()).await {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Query(_) | StoreError::BadRow(_))) => error,
            done => return done,
        };
        let left = wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(error);
        }
        warn!(%error, giving_up_in_seconds = left.as_secs(), "not registered in the database yet; trying again");
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(RETRY.1);
    }
}
