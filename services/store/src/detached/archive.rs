//! The archive in terms of one kind of database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::FutureExt;
use parsec_measure::{
    ArchivedCheck, ArchivedNode, ArchivedPublication, ArchivedRounds, AttemptId, CheckId, FleetGroup, NodeId,
    OperationKind, RoundOutcome,
};

use super::{Backend, Detached};
use crate::archive::{ArchiveQueries, node};
use crate::columns::Key;
use crate::counted::{self, CountedQueries};
use crate::datasets::{self, DatasetQueries};
use crate::records::{self, RecordQueries};
use crate::selection::{IDENTITY_SLACK, Selected};
use crate::{Archive, CountedPage, Dataset, DatasetPage, PageEnd, Selection, StoreError, Stretch};

#[async_trait]
impl<B: Backend> Archive for Detached<B> {
    async fn nodes(&self) -> Result<BTreeMap<NodeId, ArchivedNode>, StoreError> {
        let rows = self.read(|conn| conn.all_nodes().boxed()).await?;
        Ok(rows.into_iter().map(node).collect())
    }

    async fn counted(&self, selection: &Selection, stretch: Stretch) -> Result<CountedPage, StoreError> {
        let selected = Selected::new(selection, None).in_stretch(stretch);
        let rows = self.read(move |conn| conn.counted(selected.clone()).boxed()).await?;
        Ok(counted::page(rows, stretch))
    }

    async fn rounds(&self, selection: &Selection) -> Result<ArchivedRounds, StoreError> {
        let selected = Selected::new(selection, None);
        let rows = self.read(move |conn| ArchiveQueries::rounds(conn, selected.clone()).boxed()).await?;
        let mut rounds = ArchivedRounds::default();
        for (fleets, outcome, count, skipped) in rows {
            let count = u64::try_from(count).unwrap_or_default();
            let read = (fleets.parse::<FleetGroup>().ok(), outcome.map(|name| name.parse::<RoundOutcome>().ok()));
            let (Some(fleets), outcome @ (None | Some(Some(_)))) = read else {
                rounds.unread += count;
                continue;
            };
            let wanted = &selection.fleets;
            if wanted.is_empty() || fleets.fleets().iter().any(|fleet| wanted.contains(fleet)) {
                *rounds.played.entry(outcome.flatten()).or_default() += count;
                rounds.skipped += skipped.and_then(|skipped| u64::try_from(skipped).ok()).unwrap_or_default();
            }
        }
        Ok(rounds)
    }

    async fn publications(
        &self,
        selection: &Selection,
        after: Option<AttemptId>,
    ) -> Result<Vec<ArchivedPublication>, StoreError> {
        let selected = Selected::new(selection, after);
        if selection.kind == Some(OperationKind::Retrieve) {
            return Ok(Vec::new());
        }
        let rows = self.read(move |conn| conn.publications(selected.clone()).boxed()).await?;
        rows.into_iter().map(records::publication).collect()
    }

    async fn checks(&self, selection: &Selection, after: Option<CheckId>) -> Result<Vec<ArchivedCheck>, StoreError> {
        // They are planned, and get their identities, when the publication has ended.
        let selected = Selected::within(selection, after.map(|after| Key(after.0)), IDENTITY_SLACK);
        if selection.kind == Some(OperationKind::Retrieve) {
            return Ok(Vec::new());
        }
        let rows = self.read(move |conn| conn.checks(selected.clone()).boxed()).await?;
        rows.into_iter().map(records::check).collect()
    }

    async fn dataset(
        &self,
        dataset: Dataset,
        selection: &Selection,
        after: Option<PageEnd>,
    ) -> Result<DatasetPage, StoreError> {
        let range = dataset.range(selection, after);
        let page = self.read(move |conn| {
            let range = range.clone();
            async move {
                let page = conn.page(dataset, range).await;
                page.map_err(|error| datasets::explained(dataset, conn, error))
            }
            .boxed()
        });
        let (lines, next) = page.await?;
        datasets::read(dataset, lines, next)
    }

    async fn schema_version(&self) -> Result<Option<String>, StoreError> {
        match self.read(|conn| conn.newest_migration().boxed()).await {
            Err(StoreError::Query(_) | StoreError::BadRow(_)) => Ok(None),
            version => version,
        }
    }
}
