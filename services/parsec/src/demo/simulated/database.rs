//! The database that simulated rounds go to: an SQLite file of their own, or any that is empty.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parsec_store::{StillStore, Store, StoreConfig, connect_still};

use crate::demo::directory::{DATABASE, of_its_own};

/// A database that was empty.
pub(super) struct Database {
    pub(super) store: Arc<StillStore>,
    pub(super) target: StoreConfig,
    /// What keeps other demonstrations out of its directory, if it has one.
    _in_use: Option<File>,
}

impl Database {
    /// Opens the one that is given, or one in this directory. Must be called on a runtime with threads and a clock of their own.
    pub(super) async fn open(given: Option<&StoreConfig>, data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let (target, in_use) = match given {
            Some(target) => (target.clone(), None),
            None => {
                let (directory, in_use) = of_its_own(data_dir)?;
                (StoreConfig::Sqlite { path: directory.join(DATABASE) }, Some(in_use))
            }
        };
        // The tables of a deployment are not even brought up to date.
        let before = async { parsec_store::open_archive(&target).await?.nodes().await };
        if let Ok(nodes) = before.await {
            refuse(&target, nodes.len(), 0)?;
        }
        let store = empty(&target).await?;
        Ok(Self { store, target, _in_use: in_use })
    }

    /// Makes sure that nobody else has come to it, now that so many servers have registered.
    pub(super) fn alone(&self, servers: usize) -> anyhow::Result<()> {
        match self.store.registered()?.checked_sub(servers) {
            Some(0) => Ok(()),
            others => refuse(&self.target, others.unwrap_or_default(), 0),
        }
    }
}

/// The database with all tables and without rows.
async fn empty(target: &StoreConfig) -> anyhow::Result<Arc<StillStore>> {
    let opening = async {
        let store = connect_still(target).await?;
        store.migrate().await?;
        let (servers, schedulers) = (store.registered()?, store.recent_schedulers().await?.len());
        Ok::<_, parsec_store::StoreError>((store, servers, schedulers))
    };
    let (store, servers, schedulers) = opening.await.with_context(|| format!("database {target}"))?;
    refuse(target, servers, schedulers)?;
    if let Some(closed) = store.closed_tables(false).await?.first() {
        bail!("database {target}: {closed}");
    }
    Ok(Arc::new(store))
}

/// Rows of a model stand beside no others: nobody could tell figures of both apart, and each model, with its own weeks, has a database of its
/// own.
fn refuse(target: &StoreConfig, servers: usize, schedulers: usize) -> anyhow::Result<()> {
    let whose = match (servers, schedulers) {
        (0, 0) => return Ok(()),
        (0, schedulers) => format!("{schedulers} schedulers"),
        (servers, _) => format!("{servers} servers"),
    };
    bail!(
        "database {target}: it has the rows of {whose}, and simulated rounds are mixed with no others; expected an empty database, or a \
         --data-dir without one"
    )
}
