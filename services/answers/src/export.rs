//! `parsec export`: reads a dataset page by page and writes it into a file, with a manifest beside it.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use parsec_export::{Export, Format, Provenance, Table};
use parsec_settings::{ExportConfig, ExportFormat, Side};
use parsec_show::selected::moment;
use parsec_store::{Archive, Dataset, Selection, StoreConfig, open_archive, wait_for};
use serde_json::{Map, Value, json};

use crate::ground::Ground;
use crate::measured::{selected, settled, told};
use parsec_output as output;

/// Writes a dataset into files.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: ExportConfig, version: &str) -> anyhow::Result<ExitCode> {
    let ExportConfig { dataset, directory, addresses, overwrite, .. } = config;
    let target = config.database.target()?;
    let now = Utc::now();
    let selection = selected(&config.selection, &Side::default(), now)?;
    // What is written meanwhile is for the next export.
    let selection = settled(&selection, now);
    let archive = wait_for(&target, config.database.wait_to_ask(), || open_archive(&target)).await;
    let archive = archive.with_context(|| format!("database {target}"))?;
    let nodes = archive.nodes().await.with_context(|| format!("database {target}"))?;
    let ground = Ground::of(&nodes, &selection)?;
    let table = Table { name: dataset.as_str(), columns: dataset.columns(), time: dataset.time() };
    let mut export = Export::begin(&directory, table, format(config.format), addresses, overwrite)?;
    read(&*archive, dataset, &selection, &mut export).await.with_context(|| format!("database {target}"))?;
    if export.rows() == 0 {
        bail!("no row of {} is recorded {}", dataset.as_str(), told(&selection));
    }
    let provenance = of(&target, &selection, now, version);
    let manifest = tokio::task::spawn_blocking(move || export.finish(provenance)).await??;
    let times = manifest.times.map(|(first, last)| format!(", from {} to {}", moment(first), moment(last)));
    let size = parsec_show::words::bytes(manifest.bytes);
    let file = directory.join(&manifest.file);
    output::line(&format!("{}: {} rows, {size}{}", file.display(), manifest.rows, times.unwrap_or_default()))?;
    ground.note();
    Ok(ExitCode::SUCCESS)
}

async fn read(
    archive: &dyn Archive,
    dataset: Dataset,
    selection: &Selection,
    export: &mut Export,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = archive.dataset(dataset, selection, after).await?;
        // Compressing a page takes milliseconds: less than handing it to another thread is worth.
        export.add(page.rows)?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn format(format: ExportFormat) -> Format {
    match format {
        ExportFormat::Parquet => Format::Parquet,
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Jsonl => Format::Jsonl,
    }
}

/// What the manifest says of where the rows come from.
fn of(target: &StoreConfig, selection: &Selection, now: DateTime<Utc>, version: &str) -> Provenance {
    let time = |at: Option<DateTime<Utc>>| json!(at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)));
    let names = |names: Vec<&str>| if names.is_empty() { Value::Null } else { json!(names) };
    let selection = [
        ("since", time(selection.since)),
        ("until", time(selection.until)),
        ("fleets", names(selection.fleets.iter().map(|fleet| fleet.as_str()).collect())),
        ("regions", names(selection.regions.iter().map(String::as_str).collect())),
        ("kind", json!(selection.kind.map(parsec_measure::OperationKind::as_str))),
    ];
    Provenance {
        written_by: format!("parsec {version}"),
        written_at: now,
        database: target.to_string(),
        selection: Map::from_iter(selection.map(|(name, value)| (name.to_owned(), value))),
    }
}
