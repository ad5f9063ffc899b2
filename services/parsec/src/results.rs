//! `parsec results` and `parsec compare`: read the measurements, hand them to the statistics, show what comes of it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedNode, NodeId, OperationKind};
use parsec_results::statistics::{self, Comparison, Sample};
use parsec_results::{Dimension, Group, Grouping, Looked};
use parsec_settings::{
    CompareConfig, CompareFormat, DatabaseConfig, ResultsConfig, ResultsFormat, SelectionConfig, Side,
};
use parsec_show::compared::{Pair, Pairs};
use parsec_show::groups::Groups;
use parsec_store::{Archive, Selection};

use crate::database;
use parsec_output as output;

/// Shows what groups of measurements say.
pub(crate) async fn run(config: ResultsConfig) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.database).await?;
    let selection = selected(&config.selection, &Side::default(), Utc::now())?;
    let (groups, looked) = reader.read(&selection, config.selection.kind, &config.by).await?;
    let rounds = reader.archive.rounds(&selection).await?;
    let groups = Groups { by: config.by.iter().map(|dimension| dimension.as_str()).collect(), groups };
    if groups.groups.is_empty() {
        bail!("no measurement is recorded {}", told(&selection));
    }
    let remark = format!("{}\n{}", used(&selection, looked), parsec_show::groups::rounds(&rounds));
    match config.format {
        ResultsFormat::Text => output::line(&format!("{}\n\n{remark}", groups.text()))?,
        ResultsFormat::Markdown => output::line(&format!("{}\n\n{remark}", groups.markdown()))?,
        ResultsFormat::Json => {
            output::note(&remark);
            output::line(&parsec_show::json(&groups.document()))?;
        }
        ResultsFormat::Csv => {
            output::note(&remark);
            output::table(&groups.csv())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares two groups of measurements.
pub(crate) async fn compare(config: CompareConfig) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.database).await?;
    let now = Utc::now();
    let (a, a_used) = reader.side(&config, &config.a, now).await?;
    let (b, b_used) = reader.side(&config, &config.b, now).await?;
    let pairs = Pairs { names: (config.a.name.clone(), config.b.name.clone()), pairs: compared(&config, a, b)? };
    let remark = format!(
        "a: {a_used}\nb: {b_used}\nIntervals: 95 %, by round. Equal: within {} of the time, {} of success.",
        config.margin, config.success_margin
    );
    match config.format {
        CompareFormat::Text => output::line(&format!("{}\n\n{remark}", pairs.text()))?,
        CompareFormat::Markdown => output::line(&format!("{}\n\n{remark}", pairs.markdown()))?,
        CompareFormat::Json => {
            output::note(&remark);
            output::line(&parsec_show::json(&pairs.document()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Groups by what they have in common.
type Named = BTreeMap<(Vec<String>, OperationKind), Sample>;

/// Each group of one side with its like on the other.
fn compared(config: &CompareConfig, a: Named, mut b: Named) -> anyhow::Result<Vec<Pair>> {
    let both: Vec<_> = a.into_iter().filter_map(|(name, a)| Some((b.remove(&name)?, name, a))).collect();
    if both.is_empty() {
        bail!("the sides {} and {} have no group in common", config.a.name, config.b.name);
    }
    let samples: Vec<_> = both.iter().map(|(b, _, a)| (a, b)).collect();
    let (margin, success_margin) = (config.margin.share(), config.success_margin.share());
    let compared = statistics::compare(&samples, Comparison { margin, success_margin, ..Comparison::default() });
    let pairs = both.into_iter().zip(compared).map(|((b, (common, kind), a), compared)| Pair {
        common: common.join(" "),
        kind,
        samples: (a, b),
        compared: compared.map_err(|error| error.to_string()),
    });
    Ok(pairs.collect())
}

/// What one side is made of: what was asked of both sides, and what the side says of itself.
fn selected(common: &SelectionConfig, side: &Side, now: DateTime<Utc>) -> anyhow::Result<Selection> {
    let selection = Selection {
        since: side.since.or(common.since).map(|when| when.seen_from(now)),
        until: side.until.or(common.until).map(|when| when.seen_from(now)),
        fleets: side.fleet.clone().map_or_else(|| common.fleets.clone().unwrap_or_default(), |fleet| vec![fleet]),
        regions: side.region.clone().map_or_else(|| common.regions.clone().unwrap_or_default(), |region| vec![region]),
    };
    match (selection.since, selection.until) {
        (Some(since), Some(until)) if since >= until => {
            bail!("nothing lies between --since {} and --until {}", shown(since), shown(until))
        }
        _ => Ok(selection),
    }
}

/// The measurements of a database.
struct Reader {
    archive: Arc<dyn Archive>,
    nodes: BTreeMap<NodeId, ArchivedNode>,
}

impl Reader {
    async fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let target = database::target(config)?;
        let archive = parsec_store::open_archive(&target).await.with_context(|| format!("database {target}"))?;
        let nodes = archive.nodes().await.with_context(|| format!("database {target}"))?;
        Ok(Self { archive, nodes })
    }

    /// What stands on one side of a comparison, and which rows that is.
    async fn side(&self, config: &CompareConfig, side: &Side, now: DateTime<Utc>) -> anyhow::Result<(Named, String)> {
        let selection = selected(&config.selection, side, now)?;
        let by = config.by.clone().unwrap_or_default();
        let (groups, looked) = self.read(&selection, config.selection.kind, &by).await?;
        if groups.is_empty() {
            bail!("no measurement is recorded {}: nothing stands on the side {}", told(&selection), side.name);
        }
        let named = groups.into_iter().map(|group| ((group.common, group.kind), group.sample)).collect();
        Ok((named, used(&selection, looked)))
    }

    async fn read(
        &self,
        selection: &Selection,
        kind: Option<OperationKind>,
        by: &[Dimension],
    ) -> anyhow::Result<(Vec<Group>, Looked)> {
        let mut grouping = Grouping::new(by.to_vec(), self.nodes.clone());
        let mut after = None;
        loop {
            let page = self.archive.operations(selection, after).await?;
            let Some(last) = page.last() else { return Ok(grouping.finish()) };
            after = Some(last.id);
            page.iter()
                .filter(|operation| kind.is_none_or(|kind| kind == operation.kind))
                .for_each(|operation| grouping.add(operation));
        }
    }
}

/// Which rows a result is made of.
fn used(selection: &Selection, looked: Looked) -> String {
    let Looked { grouped, from_own_records, later_looks } = looked;
    let mut told = format!("{grouped} attempts {}", told(selection));
    let left_out = [
        (from_own_records, "answered from the own records of a server"),
        (later_looks, "later looks at the same key (see --by probe)"),
    ];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        told += &format!("; {count} left out: {what}");
    }
    told
}

/// What was selected, in words.
fn told(selection: &Selection) -> String {
    let mut told = match (selection.since, selection.until) {
        (None, None) => "at any time".to_owned(),
        (Some(since), None) => format!("since {}", shown(since)),
        (None, Some(until)) => format!("until {}", shown(until)),
        (Some(since), Some(until)) => format!("from {} to {}", shown(since), shown(until)),
    };
    if !selection.fleets.is_empty() {
        let fleets: Vec<_> = selection.fleets.iter().map(|fleet| fleet.as_str()).collect();
        told += &format!(", fleet {}", fleets.join(" or "));
    }
    if !selection.regions.is_empty() {
        told += &format!(", region {}", selection.regions.join(" or "));
    }
    told
}

fn shown(moment: DateTime<Utc>) -> String {
    moment.format("%F %H:%M UTC").to_string()
}
