//! `parsec explain` and `parsec peers`: what the time of operations went to, and on whom it was spent.

use std::process::ExitCode;

use anyhow::bail;
use chrono::Utc;
use parsec_measure::IdPart;
use parsec_results::{Costs, Sampling, Spending};
use parsec_settings::{ExplainConfig, PeersConfig, ResultsFormat, Side};
use parsec_show::peers::PeerTable;
use parsec_show::recorded;
use parsec_show::selected::without;
use parsec_show::spent::{SpentTable, counts, not_asked, stands_for, weighed};

use crate::ground::Ground;
use crate::measured::{selected, settled, told};
use crate::reading::Kept;
use crate::written::{Written, written};
use parsec_output as output;

/// Explains one operation, or adds up all that were selected.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: ExplainConfig) -> anyhow::Result<ExitCode> {
    let kept = Kept::open(&config.database).await?;
    if let Some(id) = &config.id {
        return one(&kept, id, config.format).await;
    }
    let selection = selected(&config.selection, &Side::default(), Utc::now())?;
    let nodes = kept.nodes().await?;
    let ground = Ground::of(&nodes, &selection)?;
    let spending = Spending::new(config.by.clone(), nodes);
    let (spending, unread) = kept.spent(&selection, spending, |_| ()).await?;
    let left_out = not_asked(spending.not_asked(), spending.unread()) + &without(unread);
    let by = config.by.iter().map(|dimension| dimension.as_str()).collect();
    let table = SpentTable { by, groups: spending.finish() };
    if table.groups.is_empty() {
        bail!("no operation to explain is recorded {}{left_out}", told(&selection));
    }
    let unknown = table.unknown();
    if unknown.len() == table.groups.len() {
        bail!("{} ({}{left_out})", unknown.join("; "), told(&selection));
    }
    let stands_for = stands_for(&table.groups);
    let mut remark = format!("{} operations {}{left_out}\n", counts(&stands_for).1, told(&selection));
    remark += &weighed(&stands_for);
    remark.extend(unknown.iter().map(|group| format!("\n{group}")));
    remark += &ground.line();
    written(
        config.format,
        &remark,
        &Written {
            text: &|| table.text(),
            markdown: &|| table.markdown(),
            csv: &|| table.csv(),
            json: &|| table.document(),
        },
    )
}

async fn one(kept: &Kept, id: &IdPart, format: ResultsFormat) -> anyhow::Result<ExitCode> {
    let operation = kept.find(id).await?;
    kept.ground(std::slice::from_ref(&operation)).await?.note();
    match format {
        ResultsFormat::Text | ResultsFormat::Markdown => output::line(&recorded::explanation(&operation))?,
        ResultsFormat::Json => output::line(&parsec_show::json(&recorded::explanation_document(&operation)))?,
        ResultsFormat::Csv => {
            bail!("one operation is not a table: --format csv is for groups; use text, markdown or json")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the peers that cost most.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn peers(config: PeersConfig) -> anyhow::Result<ExitCode> {
    let kept = Kept::open(&config.database).await?;
    let now = Utc::now();
    let asked = selected(&config.selection, &Side::default(), now)?;
    let selection = settled(&asked, now);
    let ground = Ground::of(&kept.nodes().await?, &selection)?;
    let mut sampling = Sampling::default();
    let without = without(kept.operations(&selection, |sampled| sampling.count(sampled)).await?);
    let mut unread = 0;
    if sampling.operations() == 0 {
        let left_out = not_asked(sampling.not_asked(), unread) + &without;
        bail!("no operation whose peers are known is recorded {}{left_out}", told(&asked));
    }
    sampling.weigh()?;
    let mut costs = Costs::new(&sampling);
    let each = |sampled: &_, trace: Option<Option<_>>| match trace {
        Some(Some(trace)) => costs.add(sampled, &trace),
        Some(None) => {
            costs.missed(sampled);
            unread += 1;
        }
        None => {}
    };
    kept.with_traces(&selection, each).await?;
    let costs = costs.finish(usize::try_from(config.worst).unwrap_or(usize::MAX));
    let table = PeerTable { costs, addresses: config.addresses };
    let left_out = not_asked(sampling.not_asked(), unread) + &without;
    let mut remark = format!("{}\n{} operations {}", table.remark(), sampling.operations(), told(&asked));
    remark += &format!("{left_out}\n{}{}", weighed(&sampling.stands_for()), ground.line());
    written(
        config.format,
        &remark,
        &Written {
            text: &|| table.text(),
            markdown: &|| table.markdown(),
            csv: &|| table.csv(),
            json: &|| table.document(),
        },
    )
}
