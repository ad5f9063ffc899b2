//! `parsec incidents`: reads what the tables have of a stretch of time, and says what happened in it.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::History;
use parsec_results::incidents::{self, Incidents};
use parsec_settings::IncidentsConfig;
use parsec_show::incidents as shown;
use parsec_store::{MAX_HISTORY_ROWS, Selection, StoreConfig};

use crate::ground::Ground;
use crate::results;
use crate::written::{Written, written};

/// How far back is looked if nobody says how far.
const A_DAY: TimeDelta = TimeDelta::hours(24);

/// Says what happened.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: IncidentsConfig) -> anyhow::Result<ExitCode> {
    let now = Utc::now();
    let mut selection = results::selected(&config.selection, &parsec_settings::Side::default(), now)?;
    if selection.since.is_none() {
        selection.since = Some(selection.until.unwrap_or(now) - A_DAY);
    }
    let target = config.database.target()?;
    let ground =
        results::Reader::of_database(target.clone(), config.database.wait_to_ask()).await?.ground(&selection)?;
    let history = history(&target, &selection).await?;
    let told = results::told(&selection);
    let (attempts, rounds, servers) = (history.attempts.len(), history.rounds.len(), history.servers.len());
    let unread = shown::unread(&history);
    if attempts + rounds + servers == 0 {
        bail!("neither an attempt, a round nor a server is recorded {told}");
    }
    let found = judged(history, &selection, now, &ground).await?;
    let remark = format!(
        "{attempts} attempts, {rounds} rounds and {servers} servers {told}{unread}.\n{}{}",
        shown::judged(&found),
        ground.line()
    );
    written(
        config.format,
        &remark,
        &Written {
            text: &|| shown::text(&found),
            markdown: &|| shown::markdown(&found),
            csv: &|| shown::csv(&found),
            json: &|| shown::document(&found),
        },
    )
}

/// What the tables have of the selected time.
pub(crate) async fn history(target: &StoreConfig, selection: &Selection) -> anyhow::Result<History> {
    let chronicle = parsec_store::open_chronicle(target).await.with_context(|| format!("database {target}"))?;
    chronicle.history(selection, MAX_HISTORY_ROWS).await.with_context(|| format!("database {target}"))
}

/// What happened in it, as far as it is over `now`.
pub(crate) async fn judged(
    history: History,
    selection: &Selection,
    now: DateTime<Utc>,
    ground: &Ground,
) -> anyhow::Result<Incidents> {
    let end = selection.until.map_or(now, |until| until.min(now));
    let end = if ground.is_model() { incidents::end_of_model(&history, end) } else { end };
    Ok(tokio::task::spawn_blocking(move || incidents::find(&history, end)).await?)
}
