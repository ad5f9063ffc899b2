//! Kept traces, read a few at a time from a database in which nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parsec_measure::{ArchivedNode, IdPart, NodeId, SampledOperation, StoredOperation, Trace};
use parsec_results::Spending;
use parsec_settings::DatabaseConfig;
use parsec_store::{MAX_MEANT, Selection, StoreConfig, Traces, open_traces, wait_for};

use crate::ground::Ground;

/// A database with traces.
pub(crate) struct Kept {
    pub(crate) traces: Arc<dyn Traces>,
    /// Its name.
    pub(crate) target: StoreConfig,
}

impl Kept {
    /// Opens it, to read.
    pub(crate) async fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let target = config.target()?;
        if let StoreConfig::Sqlite { path } = &target
            && !path.exists()
        {
            bail!("database {}: there is no such file", path.display());
        }
        let traces = wait_for(&target, config.wait_to_ask(), || open_traces(&target)).await;
        Ok(Self { traces: traces.with_context(|| format!("database {target}"))?, target })
    }

    /// Every server that ever announced itself.
    pub(crate) async fn nodes(&self) -> anyhow::Result<BTreeMap<NodeId, ArchivedNode>> {
        self.traces.nodes().await.with_context(|| format!("database {}", self.target))
    }

    /// Whether these operations were measured or simulated.
    ///
    /// # Errors
    /// If some were simulated and others not.
    pub(crate) async fn ground(&self, operations: &[StoredOperation]) -> anyhow::Result<Ground> {
        let mut nodes = self.nodes().await?;
        nodes.retain(|id, _| operations.iter().any(|operation| operation.attempt.node == *id));
        Ground::of(&nodes, &Selection::default())
    }

    /// Hands over each of the selected operations. Returns how many more cannot be read.
    pub(crate) async fn operations(
        &self,
        selection: &Selection,
        each: impl FnMut(&SampledOperation),
    ) -> anyhow::Result<usize> {
        Ok(parsec_store::each_sampled(self.traces.as_ref(), selection, each).await?)
    }

    /// What the time of the selected operations went to; `each` sees all of them. Returns how many more cannot be read, too.
    pub(crate) async fn spent(
        &self,
        selection: &Selection,
        mut spending: Spending,
        mut each: impl FnMut(&SampledOperation),
    ) -> anyhow::Result<(Spending, usize)> {
        let count = |sampled: &SampledOperation, trace: Option<Option<Trace>>| {
            each(sampled);
            spending.count(sampled);
            if let Some(trace) = trace {
                spending.add(sampled, trace.as_ref());
            }
        };
        let unread = self.with_traces(selection, count).await?;
        Ok((spending, unread))
    }

    /// Hands over each of the selected operations, and its trace if that was kept: none in it if it cannot be read. Returns how many more
    /// operations cannot be read.
    pub(crate) async fn with_traces(
        &self,
        selection: &Selection,
        each: impl FnMut(&SampledOperation, Option<Option<Trace>>),
    ) -> anyhow::Result<usize> {
        Ok(parsec_store::each_traced(self.traces.as_ref(), selection, each).await?)
    }

    /// The one operation that is meant.
    pub(crate) async fn find(&self, part: &IdPart) -> anyhow::Result<StoredOperation> {
        let meant = self.traces.meant(part).await.with_context(|| format!("database {}", self.target))?;
        match meant[..] {
            [] => bail!("no operation {part} is recorded"),
            [id] => self.traces.whole(id).await?.with_context(|| format!("no operation {part} is recorded")),
            _ => {
                let names: Vec<_> = meant.iter().map(|id| id.0.to_string()).collect();
                let more = if meant.len() == MAX_MEANT { " and perhaps more" } else { "" };
                bail!("{part} can mean several operations: {}{more}; write more of the id", names.join(", "))
            }
        }
    }
}
