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

/// The database of a demonstration that is simulated or not, its directory, and what keeps others out of it.
pub(super) async fn open_store(
    data_dir: Option<&Path>,
    simulates: bool,
) -> anyhow::Result<(Arc<dyn Store>, PathBuf, File)> {
    let directory = match data_dir {
        Some(given) => {
            let made = std::fs::create_dir_all(given);
            made.with_context(|| format!("cannot make the directory {}", given.display()))?;
            given.to_path_buf()
        }
        None => fresh_directory()?,
    };
    let lock = lock(&directory)?;
    let store = database::open(&StoreConfig::Sqlite { path: directory.join(DATABASE) }, Duration::ZERO).await?;
    refuse_others(&directory, simulates).await?;
    Ok((store, directory, lock))
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

/// Rows of a model and rows of real peers never stand in the same database: nobody could tell figures of both apart. And each model, with its
/// own weeks, has one of its own.
async fn refuse_others(directory: &Path, simulates: bool) -> anyhow::Result<()> {
    let target = StoreConfig::Sqlite { path: directory.join(DATABASE) };
    let nodes =
        parsec_store::open_archive(&target).await?.nodes().await.with_context(|| format!("database {target}"))?;
    let networks: Vec<_> = nodes.values().filter_map(|node| node.network.as_deref()).collect();
    let model = networks.iter().find(|network| is_simulated(network));
    match (simulates, model) {
        (true, _) if !nodes.is_empty() => bail!(
            "--data-dir {}: there is a database with the rows of {} servers, and simulated rounds are mixed with no others; expected another \
             directory",
            directory.display(),
            nodes.len()
        ),
        (false, Some(model)) => bail!(
            "--data-dir {}: there is a database of {model}, and what real peers measure is not mixed with what a model says; expected \
             another directory",
            directory.display()
        ),
        _ => Ok(()),
    }
}
