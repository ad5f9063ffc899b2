//! Where measurements are read from: a database, or a run that was kept in a file; and which of them were asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedNode, ArchivedOperation, ArchivedRounds, NodeId};
use parsec_results::run::Run;
use parsec_results::{Group, Grouping, Looked};
use parsec_settings::{DatabaseConfig, SelectionConfig, Side};
use parsec_show::selected::{moment, without};
use parsec_store::{Archive, Selection, StoreConfig, Traces, open_archive, wait_for};

use crate::ground::Ground;
use crate::kept;
use crate::reading::Kept;

/// Measurements that are only read.
pub(crate) struct Reader {
    /// The servers that made them.
    pub(crate) nodes: BTreeMap<NodeId, ArchivedNode>,
    /// Where they are.
    pub(crate) source: Source,
}

/// Where measurements are.
pub(crate) enum Source {
    Database(Arc<dyn Archive>, StoreConfig),
    File(Box<Run>, Vec<ArchivedOperation>),
}

impl Reader {
    /// Those of the database of a configuration.
    pub(crate) async fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        Self::of_database(config.target()?, config.wait_to_ask()).await
    }

    /// Those of a database. Waits up to `wait` for one that cannot be reached.
    pub(crate) async fn of_database(target: StoreConfig, wait: Duration) -> anyhow::Result<Self> {
        let archive = wait_for(&target, wait, || open_archive(&target)).await;
        let archive = archive.with_context(|| format!("database {target}"))?;
        let nodes = archive.nodes().await.with_context(|| format!("database {target}"))?;
        Ok(Self { nodes, source: Source::Database(archive, target) })
    }

    /// Those of a database that is open already.
    pub(crate) async fn of_kept(kept: &Kept) -> anyhow::Result<Self> {
        let archive: Arc<dyn Archive> = Arc::<dyn Traces>::clone(&kept.traces);
        Ok(Self { nodes: kept.nodes().await?, source: Source::Database(archive, kept.target.clone()) })
    }

    /// Those of a run in a file.
    pub(crate) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let run = kept::read(path)?;
        let (nodes, operations) = run.archived().with_context(|| path.display().to_string())?;
        Ok(Self { nodes, source: Source::File(Box::new(run), operations) })
    }

    /// The run, if they are of one.
    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.source {
            Source::File(run, _) => Some(run),
            Source::Database(..) => None,
        }
    }

    /// Whether what is selected was measured or simulated.
    ///
    /// # Errors
    /// If it is some of both.
    pub(crate) fn ground(&self, selection: &Selection) -> anyhow::Result<Ground> {
        Ground::of(&self.nodes, selection)
    }

    /// What became of the rounds; a file has none that says so.
    pub(crate) async fn rounds(&self, selection: &Selection) -> anyhow::Result<ArchivedRounds> {
        match &self.source {
            Source::Database(archive, _) => Ok(archive.rounds(selection).await?),
            Source::File(..) => Ok(ArchivedRounds::default()),
        }
    }

    /// Hands all selected ones to `take`, in the order in which they were made. Returns how many more cannot be read.
    pub(crate) async fn each(
        &self,
        selection: &Selection,
        take: impl FnMut(&ArchivedOperation),
    ) -> anyhow::Result<usize> {
        match &self.source {
            Source::Database(archive, _) => {
                Ok(parsec_store::each_counted(archive.as_ref(), selection, Utc::now(), take).await?)
            }
            Source::File(run, _) if (selection.since.is_some() || selection.until.is_some()) && !run.has_times() => {
                bail!(
                    "a run of `parsec {}` was measured on a clock of its own: --since and --until mean nothing to it",
                    run.command
                )
            }
            Source::File(_, operations) => {
                operations.iter().filter(|operation| self.selects(selection, operation)).for_each(take);
                Ok(0)
            }
        }
    }

    /// All selected ones in groups.
    pub(crate) async fn read(
        &self,
        selection: &Selection,
        mut grouping: Grouping,
    ) -> anyhow::Result<(Vec<Group>, Used)> {
        let unread = self.each(selection, |operation| grouping.add(operation)).await?;
        let (groups, looked) = grouping.finish();
        Ok((groups, Used { looked, unread }))
    }

    fn selects(&self, selection: &Selection, operation: &ArchivedOperation) -> bool {
        let Selection { since, until, kind, .. } = selection;
        self.nodes.get(&operation.node).is_some_and(|node| selection.is_of(node))
            && since.is_none_or(|since| since <= operation.started)
            && until.is_none_or(|until| operation.started < until)
            && kind.is_none_or(|kind| kind == operation.kind)
    }
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
            bail!("nothing lies between --since {} and --until {}{side}", moment(since), moment(until))
        }
        _ => Ok(selection),
    }
}

/// The same up to now: what is read in several passes must be the same rows in each of them.
pub(crate) fn settled(selection: &Selection, now: DateTime<Utc>) -> Selection {
    Selection { until: selection.until.or(Some(now)), ..selection.clone() }
}

/// Which rows a result is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Those that were looked at.
    pub(crate) looked: Looked,
    /// How many more cannot be read.
    pub(crate) unread: usize,
}

/// The same in words.
pub(crate) fn used(selection: &Selection, Used { looked, unread }: Used) -> String {
    format!("{}{}", parsec_show::selected::used(&told(selection), looked), without(unread))
}

/// What was selected, in words.
pub(crate) fn told(selection: &Selection) -> String {
    let fleets = selection.fleets.iter().map(|fleet| fleet.as_str()).collect();
    let regions = selection.regions.iter().map(String::as_str).collect();
    parsec_show::selected::selected(
        (selection.since, selection.until),
        &[("fleet", fleets), ("region", regions)],
        selection.kind,
    )
}
