//! `parsec plan`: how many rounds it takes to see a difference, judged by those that were measured.

use std::process::ExitCode;

use anyhow::bail;
use chrono::Utc;
use parsec_results::Grouping;
use parsec_settings::{PlanConfig, Side};
use parsec_show::planned::Plans;
use parsec_show::selected::without;

use crate::results::{Reader, selected, told, used};
use crate::written::{Written, written};

/// Says how long to measure.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: PlanConfig) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.database).await?;
    let selection = selected(&config.selection, &Side::default(), Utc::now())?;
    let ground = reader.ground(&selection)?;
    let grouping = Grouping::new(config.by.clone(), reader.nodes.clone());
    let (groups, found) = reader.read(&selection, grouping).await?;
    if groups.is_empty() {
        let without = without(found.unread);
        bail!("no measurement is recorded {}{without}: measure for a while, then ask again", told(&selection));
    }
    let kinds = groups.iter().map(|group| group.kind).collect::<std::collections::BTreeSet<_>>().len();
    let by = config.by.iter().map(|dimension| dimension.as_str()).collect();
    let effect = config.to_see.get();
    let plans = tokio::task::spawn_blocking(move || Plans::new(by, groups, effect, kinds)).await?;
    let remark = format!("{}\n{}{}", plans.remark(), used(&selection, found), ground.line());
    written(
        config.format,
        &remark,
        &Written {
            text: &|| plans.text(),
            markdown: &|| plans.markdown(),
            csv: &|| plans.csv(),
            json: &|| plans.document(),
        },
    )
}
