//! The archive in terms of one kind of database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::FutureExt;
use parsec_measure::{ArchivedNode, ArchivedOperation, ArchivedRounds, AttemptId, FleetGroup, NodeId};

use super::{Backend, Detached};
use crate::archive::{ArchiveQueries, Selected, bad, read};
use crate::{Archive, Selection, StoreError};

#[async_trait]
impl<B: Backend> Archive for Detached<B> {
    async fn nodes(&self) -> Result<BTreeMap<NodeId, ArchivedNode>, StoreError> {
        let rows = self.read(|conn| conn.all_nodes().boxed()).await?;
        let node = |(id, fleet, region, peer_id)| (NodeId(id), ArchivedNode { fleet, region, peer_id });
        Ok(rows.into_iter().map(node).collect())
    }

    async fn operations(
        &self,
        selection: &Selection,
        after: Option<AttemptId>,
    ) -> Result<Vec<ArchivedOperation>, StoreError> {
        let selected = Selected::new(selection, after);
        let rows = self.read(move |conn| ArchiveQueries::operations(conn, selected.clone()).boxed()).await?;
        rows.into_iter().map(read).collect()
    }

    async fn rounds(&self, selection: &Selection) -> Result<ArchivedRounds, StoreError> {
        let selected = Selected::new(selection, None);
        let rows = self.read(move |conn| ArchiveQueries::rounds(conn, selected.clone()).boxed()).await?;
        let mut rounds = ArchivedRounds::default();
        for (fleets, outcome, count, skipped) in rows {
            let fleets: FleetGroup = fleets.parse().map_err(|error| bad("a round", &error))?;
            let wanted = &selection.fleets;
            if wanted.is_empty() || fleets.fleets().iter().any(|fleet| wanted.contains(fleet)) {
                let outcome = outcome.map(|name| name.parse().map_err(|error| bad("a round", &error))).transpose()?;
                *rounds.played.entry(outcome).or_default() += u64::try_from(count).unwrap_or_default();
                rounds.skipped += skipped.and_then(|skipped| u64::try_from(skipped).ok()).unwrap_or_default();
            }
        }
        Ok(rounds)
    }
}
