//! `parsec results` and `parsec compare`: read the measurements, hand them to the statistics, show what comes of it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedNode, ArchivedOperation, NodeId, OperationKind, Share};
use parsec_results::statistics::{self, Comparison, Sample};
use parsec_results::{Group, Grouping, Looked, RecordGroup, Records};
use parsec_settings::{
    CompareConfig, CompareFormat, DatabaseConfig, ResultsConfig, ResultsFormat, SelectionConfig, Side,
};
use parsec_show::compared::{Pair, Pairs};
use parsec_show::failures;
use parsec_show::groups::Groups;
use parsec_store::{Archive, Selection};

use crate::database;
use parsec_output as output;

/// Shows what groups of measurements say.
pub(crate) async fn run(config: ResultsConfig) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.database).await?;
    let selection = selected(&config.selection, &Side::default(), Utc::now())?;
    let grouping = Grouping::new(config.by.clone(), reader.nodes.clone());
    let (groups, looked) = reader.read(&selection, grouping).await?;
    let rounds = reader.archive.rounds(&selection).await?;
    let records = reader.records(&selection, Records::new(config.by.clone(), reader.nodes.clone())).await?;
    let groups = Groups { by: config.by.iter().map(|dimension| dimension.as_str()).collect(), groups, records };
    if groups.groups.is_empty() {
        bail!("no measurement is recorded {}", told(&selection));
    }
    let remark = format!("{}\n{}", used(&selection, looked), parsec_show::groups::rounds(&rounds));
    let shown = |whole: fn(&Groups) -> String, failures: fn(&Groups) -> String| {
        if config.failures { failures(&groups) } else { whole(&groups) }
    };
    match config.format {
        ResultsFormat::Text => output::line(&format!("{}\n\n{remark}", shown(Groups::text, failures::text)))?,
        ResultsFormat::Markdown => {
            output::line(&format!("{}\n\n{remark}", shown(Groups::markdown, failures::markdown)))?
        }
        ResultsFormat::Json => {
            output::note(&remark);
            let document = if config.failures { failures::document(&groups) } else { groups.document() };
            output::line(&parsec_show::json(&document))?;
        }
        ResultsFormat::Csv => {
            output::note(&remark);
            output::table(&shown(Groups::csv, failures::csv))?;
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
    let percent = |share: Share| parsec_show::words::percent(share.get());
    let remark = format!(
        "a: {a_used}\nb: {b_used}\nIntervals: 95 %, by round. Equal: times within {}, success rates within {} (points).",
        percent(config.margin),
        percent(config.success_margin)
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
    let (mut both, mut alone) = (Vec::new(), Vec::new());
    for (name, a) in a {
        match b.remove(&name) {
            Some(b) => {
                let (common_a, common_b) = (a.in_strata_of(&b), b.in_strata_of(&a));
                let due = |sample: &Sample| sample.counts().due;
                let left_out = due(&a) + due(&b) - due(&common_a) - due(&common_b);
                both.push((name, common_a, common_b, left_out));
            }
            None => alone.push((name, &config.a.name)),
        }
    }
    alone.extend(b.into_keys().map(|name| (name, &config.b.name)));
    if both.is_empty() {
        bail!("the sides {} and {} have no group in common", config.a.name, config.b.name);
    }
    for ((common, kind), side) in alone {
        output::note(&format!("{} {kind}: only {side} has measured this; left out", common.join(" ")));
    }
    let samples: Vec<_> = both.iter().map(|(_, a, b, _)| (a, b)).collect();
    let (margin, success_margin) = (config.margin.get(), config.success_margin.get());
    let compared = statistics::compare(&samples, Comparison { margin, success_margin, ..Comparison::default() });
    let pairs = both.into_iter().zip(compared).map(|(((common, kind), a, b, left_out), compared)| Pair {
        common: common.join(" "),
        kind,
        samples: (a, b),
        left_out,
        compared: compared.map_err(|error| error.to_string()),
    });
    Ok(pairs.collect())
}

/// What one side is made of: what was asked of both sides, and what the side says of itself.
pub(crate) fn selected(common: &SelectionConfig, side: &Side, now: DateTime<Utc>) -> anyhow::Result<Selection> {
    let selection = Selection {
        since: side.since.or(common.since).map(|when| when.seen_from(now)),
        until: side.until.or(common.until).map(|when| when.seen_from(now)),
        fleets: side.fleet.clone().map_or_else(|| common.fleets.clone().unwrap_or_default(), |fleet| vec![fleet]),
        regions: side.region.clone().map_or_else(|| common.regions.clone().unwrap_or_default(), |region| vec![region]),
        kind: common.kind,
    };
    match (selection.since, selection.until) {
        (Some(since), Some(until)) if since >= until => {
            let side = if side.name.is_empty() { String::new() } else { format!(" on the side {}", side.name) };
            bail!("nothing lies between --since {} and --until {}{side}", shown(since), shown(until))
        }
        _ => Ok(selection),
    }
}

/// The measurements of a database.
pub(crate) struct Reader {
    pub(crate) archive: Arc<dyn Archive>,
    /// Every server that ever announced itself.
    pub(crate) nodes: BTreeMap<NodeId, ArchivedNode>,
}

impl Reader {
    pub(crate) async fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let target = database::target(config)?;
        let archive = parsec_store::open_archive(&target).await.with_context(|| format!("database {target}"))?;
        let nodes = archive.nodes().await.with_context(|| format!("database {target}"))?;
        Ok(Self { archive, nodes })
    }

    /// What stands on one side of a comparison, and which rows that is.
    async fn side(&self, config: &CompareConfig, side: &Side, now: DateTime<Utc>) -> anyhow::Result<(Named, String)> {
        let selection = selected(&config.selection, side, now)?;
        let grouping = Grouping::new(config.by.clone().unwrap_or_default(), self.nodes.clone());
        // Where regions are what is compared, they cannot be what is kept apart.
        let of_regions = config.a.region.is_some() || config.b.region.is_some();
        let grouping = if of_regions { grouping.across_regions() } else { grouping };
        let (groups, looked) = self.read(&selection, grouping).await?;
        if groups.is_empty() {
            bail!("no measurement is recorded {}: nothing stands on the side {}", told(&selection), side.name);
        }
        let named = groups.into_iter().map(|group| ((group.common, group.kind), group.sample)).collect();
        Ok((named, used(&selection, looked)))
    }

    async fn records(&self, selection: &Selection, mut records: Records) -> anyhow::Result<Vec<RecordGroup>> {
        let mut after = None;
        loop {
            let page = self.archive.publications(selection, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            page.iter().for_each(|publication| records.add_publication(publication));
        }
        let mut after = None;
        loop {
            let page = self.archive.checks(selection, after).await?;
            let Some(last) = page.last() else { return Ok(records.finish()) };
            after = Some(last.id);
            page.iter().for_each(|check| records.add_check(check));
        }
    }

    pub(crate) async fn read(
        &self,
        selection: &Selection,
        mut grouping: Grouping,
    ) -> anyhow::Result<(Vec<Group>, Looked)> {
        self.each(selection, |operation| grouping.add(operation)).await?;
        Ok(grouping.finish())
    }

    /// Shows every selected operation, in the order of their identities.
    pub(crate) async fn each(
        &self,
        selection: &Selection,
        mut see: impl FnMut(&ArchivedOperation),
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let page = self.archive.operations(selection, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            page.iter().for_each(&mut see);
        }
    }
}

/// Which rows a result is made of.
pub(crate) fn used(selection: &Selection, looked: Looked) -> String {
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
pub(crate) fn told(selection: &Selection) -> String {
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

pub(crate) fn shown(moment: DateTime<Utc>) -> String {
    moment.format("%F %H:%M UTC").to_string()
}
