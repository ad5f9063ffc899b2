//! `parsec trace`: shows, lists, compares and exports operations from the database.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use chrono::Utc;
use parsec_measure::{StoredOperation, Trace, without_addresses};
use parsec_settings::{Asked, OutputFormat, Side, TraceConfig, TraceExport};
use parsec_show::selected::without;
use parsec_show::{Look, perfetto, recorded, side_by_side};
use parsec_store::{Glanced, Listing, Order, StoreError};

use crate::kept::Place;
use crate::reading::Kept;
use crate::results::{selected, told};
use parsec_output as output;

/// Does what was asked for.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: TraceConfig, look: Look) -> anyhow::Result<ExitCode> {
    if config.export.is_none() && config.output.is_some() {
        bail!("--output FILE is for an export: say --export perfetto or --export jsonl, too");
    }
    let kept = Kept::open(&config.database).await?;
    let mut unread = 0;
    let operations = match &config.asked {
        Asked::Diff(a, b) => vec![kept.find(a).await?, kept.find(b).await?],
        Asked::One(id) => vec![kept.find(id).await?],
        Asked::List => {
            let listed = list(&kept, &config).await?;
            unread = listed.unread;
            listed.rows
        }
    };
    let ground = kept.ground(&operations).await?;
    if let Some(export) = config.export {
        ground.note();
        return exported(&kept, &config, export, (operations, unread)).await;
    }
    let shown = match (&config.asked, &operations[..], config.format) {
        (Asked::Diff(..), [a, b], OutputFormat::Text) => side_by_side::text(a, b),
        (Asked::Diff(..), [a, b], OutputFormat::Json) => parsec_show::json(&side_by_side::document(a, b)),
        (Asked::One(_), [one], OutputFormat::Text) => recorded::text(one, look),
        (Asked::One(_), [one], OutputFormat::Json) => parsec_show::json(&recorded::document(one)),
        (_, all, OutputFormat::Text) => recorded::list(all),
        (_, all, OutputFormat::Json) => parsec_show::json(&recorded::list_document(all)),
    };
    output::line(&shown)?;
    ground.note();
    if unread > 0 {
        output::note(without(unread).trim_start_matches("; "));
    }
    Ok(ExitCode::SUCCESS)
}

/// The selected operations, without their traces.
async fn list(kept: &Kept, config: &TraceConfig) -> anyhow::Result<Glanced<StoredOperation>> {
    let (order, limit) = config.slowest.map_or((Order::Newest, config.newest), |limit| (Order::Slowest, limit));
    let listing = Listing {
        selection: selected(&config.selection, &Side::default(), Utc::now())?,
        outcomes: config.outcomes.clone().unwrap_or_default(),
        order,
        limit,
    };
    let listed = kept.traces.list(&listing).await?;
    if listed.rows.is_empty() {
        bail!("{}{}", nothing(&listing), without(listed.unread));
    }
    Ok(listed)
}

/// That there is nothing of what was asked for.
fn nothing(listing: &Listing) -> String {
    let outcomes: Vec<_> = listing.outcomes.iter().map(ToString::to_string).collect();
    let what = match &outcomes[..] {
        [] => "with a trace".to_owned(),
        some => format!("that ended with {}", some.join(" or ")),
    };
    format!("no operation {what} is recorded {}", told(&listing.selection))
}

/// Writes operations with their traces, one after the other, so that only one has to be in memory. One of many that cannot be read takes none
/// of the others away; one that was asked for by name is an error.
async fn exported(
    kept: &Kept,
    config: &TraceConfig,
    export: TraceExport,
    (operations, mut unread): (Vec<StoredOperation>, usize),
) -> anyhow::Result<ExitCode> {
    let mut place = config.output.as_deref().map(|path| Place::at(path, "--output")).transpose()?;
    let (mut exported, mut others) = (0, 0);
    let mut write = |text: &str| match &mut place {
        Some(place) => place.add(text),
        None => output::part(text).map_err(anyhow::Error::from),
    };
    for listed in &operations {
        let whole = match kept.traces.whole(listed.attempt.id).await {
            Err(StoreError::BadRow(_)) if matches!(config.asked, Asked::List) => {
                unread += 1;
                continue;
            }
            whole => whole?,
        };
        let Some(mut whole) = whole.filter(|whole| whole.attempt.result.trace.is_some()) else {
            others += 1;
            continue;
        };
        if !config.addresses {
            anonymous(&mut whole);
        }
        exported += 1;
        match export {
            TraceExport::Jsonl => write(&format!("{}\n", parsec_show::json(&recorded::document(&whole))))?,
            TraceExport::Perfetto => {
                let lines: Vec<_> = perfetto::events(exported, &whole).iter().map(parsec_show::json).collect();
                let before = if exported > 1 { ",".to_owned() } else { perfetto::BEGIN.to_owned() };
                write(&format!("{before}\n{}", lines.join(",\n")))?;
            }
        }
    }
    if exported == 0 {
        bail!("nothing is exported: no trace was taken of {}{}", of_which(&operations), without(unread));
    }
    if export == TraceExport::Perfetto {
        write(&format!("\n{}\n", perfetto::END))?;
    }
    if let Some(place) = place {
        place.done()?;
    }
    let more = if others > 0 { format!(", {others} others have no trace") } else { String::new() };
    output::note(&format!("{exported} operations exported{more}{}", without(unread)));
    Ok(ExitCode::SUCCESS)
}

/// Operations without a trace, in words.
fn of_which(operations: &[StoredOperation]) -> String {
    match operations {
        [one] => format!("operation {}", one.attempt.id.0),
        some => format!("any of {} operations", some.len()),
    }
}

fn anonymous(operation: &mut StoredOperation) {
    let result = &mut operation.attempt.result;
    result.trace = result.trace.take().map(|trace| Arc::new(Trace::clone(&trace).without_addresses()));
    result.error = result.error.take().map(|error| without_addresses(&error).into_owned());
}
