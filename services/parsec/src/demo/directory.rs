//! Where a demonstration keeps its measurements: a directory of its own, with a database in it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use parsec_results::run::is_simulated;
use parsec_store::{Store, StoreConfig};

use crate::database;

/// The file of the database.
pub(super) const DATABASE: &str = "parsec.db";

/// The file in a demonstration's directory that is locked as long as it runs.
const LOCK: &str = "demo.lock";

/// How many names are tried for a new directory.
const MAX_DIRECTORIES: u32 = 1_000;

/// The database of a demonstration of real peers, its directory, and what keeps others out of it.
pub(super) async fn open_store(data_dir: Option<&Path>) -> anyhow::Result<(Arc<dyn Store>, PathBuf, File)> {
    let (directory, lock) = of_its_own(data_dir)?;
    let target = StoreConfig::Sqlite { path: directory.join(DATABASE) };
    let store = database::open(&target, Duration::ZERO).await?;
    refuse_models(&target).await?;
    Ok((store, directory, lock))
}

/// A directory, and what keeps others out of it.
pub(super) fn of_its_own(data_dir: Option<&Path>) -> anyhow::Result<(PathBuf, File)> {
    let directory = match data_dir {
        Some(given) => {
            let made = std::fs::create_dir_all(given);
            made.with_context(|| format!("cannot make the directory {}", given.display()))?;
            given.to_path_buf()
        }
        None => fresh_directory()?,
    };
    let lock = lock(&directory)?;
    Ok((directory, lock))
}

/// A directory that was not there before: the numbers of processes come again, in containers at once.
fn fresh_directory() -> anyhow::Result<PathBuf> {
    let name = |number: u32| std::env::temp_dir().join(format!("parsec-demo-{}-{number}", std::process::id()));
    for directory in (0..MAX_DIRECTORIES).map(name) {
        match std::fs::create_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => {
                made.with_context(|| format!("cannot make the directory {}", directory.display()))?;
                return Ok(directory);
            }
        }
    }
    bail!(
        "{} has {MAX_DIRECTORIES} directories of earlier demonstrations; give this one another with --data-dir",
        std::env::temp_dir().display()
    )
}

/// Keeps other demonstrations out of a directory until it is dropped: each would measure the servers of the other.
fn lock(directory: &Path) -> anyhow::Result<File> {
    let path = directory.join(LOCK);
    let lock = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "--data-dir {}: another demonstration that still runs uses this directory; give this one another",
            directory.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Rows of a model and rows of real peers never stand in the same database: nobody could tell figures of both apart.
async fn refuse_models(target: &StoreConfig) -> anyhow::Result<()> {
    let nodes = parsec_store::open_archive(target).await?.nodes().await;
    let nodes = nodes.with_context(|| format!("database {target}"))?;
    match nodes.values().filter_map(|node| node.network.as_deref()).find(|network| is_simulated(network)) {
        Some(model) => bail!(
            "database {target}: it is one of {model}, and what real peers measure is not mixed with what a model says; expected another \
             --data-dir"
        ),
        None => Ok(()),
    }
}
