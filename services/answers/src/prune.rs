//! `parsec prune`: says which measurements are older than they have to be kept, and deletes them if it is told to.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use parsec_measure::When;
use parsec_settings::PruneConfig;
use parsec_show::selected::moment;
use parsec_store::{OldRows, PrunedTable, Pruning, open_pruning, wait_for};

use parsec_output as output;

/// Counts what is old, and deletes it.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: PruneConfig) -> anyhow::Result<ExitCode> {
    let target = config.database.target()?;
    let before = When::Ago(config.keep).seen_from(Utc::now());
    let pruning = wait_for(&target, config.database.wait_to_ask(), || open_pruning(&target, config.delete)).await;
    let pruning = pruning.with_context(|| format!("database {target}"))?;
    let mut any = false;
    for table in PrunedTable::of(config.originals) {
        let old = one(&*pruning, table, before, config.delete).await;
        let old = old.with_context(|| format!("database {target}, table {}", table.as_str()))?;
        any |= old.rows > 0;
        output::line(&told(table, old, config.delete))?;
    }
    let what = match (any, config.delete) {
        (false, _) => format!("nothing is older than {}", moment(before)),
        (true, false) => format!("nothing was deleted: `--yes` deletes what is older than {}", moment(before)),
        (true, true) => format!("deleted what was older than {}", moment(before)),
    };
    output::note(&what);
    Ok(ExitCode::SUCCESS)
}

/// Goes through the old rows of a table in their order, a batch at a time.
async fn one(
    pruning: &dyn Pruning,
    table: PrunedTable,
    before: DateTime<Utc>,
    delete: bool,
) -> anyhow::Result<OldRows> {
    let (mut all, mut after) = (OldRows::default(), None);
    loop {
        let batch = pruning.old_rows(table, before, after).await?;
        let Some(last) = batch.last else { return Ok(all) };
        if delete {
            pruning.delete(table, before, last).await?;
        }
        all = all.and(batch.old);
        after = Some(last);
    }
}

fn told(table: PrunedTable, old: OldRows, deleted: bool) -> String {
    let name = table.as_str();
    let also = table.takes_along().map_or_else(String::new, |other| format!(", with their {other}"));
    let verb = if deleted { "deleted" } else { "old" };
    match old.oldest {
        Some(oldest) => format!("{name}: {} rows {verb}, the oldest of {}{also}", old.rows, moment(oldest)),
        None => format!("{name}: no row is old"),
    }
}
