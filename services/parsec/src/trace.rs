//! `parsec trace`: shows operations from the database.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use parsec_settings::{OutputFormat, TraceConfig};
use parsec_show::{Look, recorded};
use parsec_store::StoreConfig;

use crate::database;
use parsec_output as output;

/// How many operations the list shows.
const LISTED: u32 = 20;

/// Shows one operation, or lists the newest.
pub(crate) async fn run(config: TraceConfig, look: Look) -> anyhow::Result<ExitCode> {
    let target = database::target(&config.database)?;
    if let StoreConfig::Sqlite { path } = &target
        && !path.exists()
    {
        bail!("database {}: there is no such file", path.display());
    }
    let store = database::open(&target, config.database.wait).await?;
    let shown = if let Some(id) = config.id {
        let operation = store.operation(id).await?.with_context(|| format!("no operation {} is recorded", id.0))?;
        match config.format {
            OutputFormat::Text => recorded::text(&operation, look),
            OutputFormat::Json => parsec_show::json(&recorded::document(&operation)),
        }
    } else {
        let newest = store.recent_operations(LISTED).await?;
        match config.format {
            OutputFormat::Text => recorded::list(&newest),
            OutputFormat::Json => parsec_show::json(&recorded::list_document(&newest)),
        }
    };
    output::line(&shown)?;
    Ok(ExitCode::SUCCESS)
}
