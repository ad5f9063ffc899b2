//! Where rows wait while the database is away: opens the spool of a process. Also `parsec spool`, for the spools of
//! processes that are gone.

mod report;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use parsec_actors::recording::recorder::Backlog;
use parsec_store::{LateSpool, Replayed, SetAside, SpoolDepth, SpoolLimits, StoreConfig, inspect, set_aside};
use tracing::{error, info};

use crate::database;
use parsec_output as output;
use parsec_settings::{SpoolAction, SpoolCommandConfig};

/// Where refused rows are kept without a spool directory: below the directory for temporary files.
const WITHOUT_SPOOL: &str = "parsec-spool";

/// Where rows for `database` wait: in a spool, or only in memory, which is logged.
pub(crate) async fn backlog(
    directory: Option<&Path>,
    limits: SpoolLimits,
    durable: bool,
    database: &StoreConfig,
) -> Backlog {
    let for_refused = directory.map_or_else(|| std::env::temp_dir().join(WITHOUT_SPOOL), Path::to_path_buf);
    let refused = SetAside::of(&for_refused, database, limits.bytes);
    let Some(spool) = open(directory, limits, database).await else {
        return Backlog::default().setting_aside(refused);
    };
    let backlog = Backlog::on_disk(Box::new(spool)).setting_aside(refused);
    if durable { backlog } else { backlog.ending_with_us() }
}

/// The spool of a process. If it cannot be opened now, the process measures all the same, and the recorder tries again.
async fn open(directory: Option<&Path>, limits: SpoolLimits, database: &StoreConfig) -> Option<LateSpool> {
    const WITHOUT: &str = "rows that wait for the database are kept in memory only";
    let Some(directory) = directory else {
        info!("no spool directory (--spool-dir): {WITHOUT}");
        return None;
    };
    let (database, at) = (database.clone(), directory.to_owned());
    let opened = tokio::task::spawn_blocking(move || LateSpool::open(&at, &database, limits)).await;
    opened.map_err(|error| error!(%error, "the spool cannot be used: {WITHOUT}")).ok()
}

/// `parsec spool`.
pub(crate) async fn run(config: SpoolCommandConfig) -> anyhow::Result<ExitCode> {
    let Some(directory) = config.spool.directory.as_deref() else {
        bail!("there is no spool directory: set --spool-dir or PARSEC_SPOOL_DIR, or HOME");
    };
    match config.action {
        SpoolAction::List => {
            let slots = inspect(directory, SpoolDepth::Frames)?;
            output::line(&report::list(directory, &slots, &set_aside(directory)?, config.format))?;
            Ok(ExitCode::SUCCESS)
        }
        SpoolAction::Verify => {
            let slots = inspect(directory, SpoolDepth::Rows)?;
            output::line(&report::verified(directory, &slots, config.format))?;
            let sound = slots.iter().all(|slot| slot.damage.is_empty());
            Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        SpoolAction::Replay => replay(directory, &config).await,
    }
}

async fn replay(directory: &Path, config: &SpoolCommandConfig) -> anyhow::Result<ExitCode> {
    let target = config.database.target()?;
    let slots: Vec<_> =
        inspect(directory, SpoolDepth::Frames)?.into_iter().filter(|slot| slot.is_of(&target)).collect();
    let used = slots.iter().filter(|slot| slot.used).count();
    let refused = set_aside(directory)?.iter().any(|refused| refused.is_of(&target));
    let replayed = if refused || slots.iter().any(|slot| slot.is_abandoned()) {
        // A new database file would not contain the nodes that these rows refer to, so it would refuse every row.
        if let StoreConfig::Sqlite { path } = &target
            && !path.exists()
        {
            bail!("database {}: there is no such file", path.display());
        }
        let store = database::open(&target, config.database.wait_to_run()).await?;
        parsec_store::replay(directory, &target, store, tell_refused).await?
    } else {
        Replayed::default()
    };
    output::line(&report::replayed(directory, &target, &replayed, used, config.format))?;
    Ok(if replayed.refused + replayed.unreadable == 0 && replayed.damage.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell_refused(reason: &str) -> std::io::Result<()> {
    output::note(&format!("the database refuses a row: {reason}"));
    Ok(())
}

#[cfg(test)]
mod tests;
