//! Traces in terms of one kind of database.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::FutureExt;
use parsec_measure::{AttemptId, IdPart, SampledOperation, StoredOperation, Trace};

use super::{Backend, Detached};
use crate::columns::Key;
use crate::operations::{Listed, OperationQueries, OperationRow, WholeOperation};
use crate::selection::Selected;
use crate::traced::{Document, TraceQueries, read_sampled};
use crate::{Glanced, Listing, MAX_LISTED_OPERATIONS, MAX_MEANT, Selection, StoreError, TRACES_AT_ONCE, Traces};

#[async_trait]
impl<B: Backend> Traces for Detached<B> {
    async fn sampled(
        &self,
        selection: &Selection,
        after: Option<AttemptId>,
    ) -> Result<Glanced<SampledOperation>, StoreError> {
        let selected = Selected::new(selection, after);
        let rows = self.read(move |conn| conn.sampled(selected.clone()).boxed()).await?;
        Ok(Glanced::of(rows, |((id, ..), ..)| *id, read_sampled))
    }

    async fn traces(&self, of: &[AttemptId]) -> Result<Vec<(AttemptId, Option<Trace>)>, StoreError> {
        let keys: Vec<_> = of.iter().take(TRACES_AT_ONCE).map(|id| Key(id.0)).collect();
        let asked = keys.clone();
        let documents = self.read(move |conn| conn.documents(asked.clone()).boxed()).await?;
        let mut documents: HashMap<_, _> = documents.into_iter().collect();
        let read = |key: Key| (AttemptId(key.0), documents.remove(&key).and_then(|Document(trace)| trace));
        Ok(keys.into_iter().map(read).collect())
    }

    async fn list(&self, listing: &Listing) -> Result<Glanced<StoredOperation>, StoreError> {
        let listed = Listed {
            selected: Selected::new(&listing.selection, None),
            outcomes: listing.outcomes.iter().map(|class| class.as_str().to_owned()).collect(),
            order: listing.order,
            limit: i64::from(listing.limit.min(MAX_LISTED_OPERATIONS)),
        };
        let rows = self.read(move |conn| conn.listed(listed.clone()).boxed()).await?;
        Ok(Glanced::of(rows, OperationRow::key, OperationRow::read))
    }

    async fn meant(&self, part: &IdPart) -> Result<Vec<AttemptId>, StoreError> {
        let ((first, last), ending) = (part.range(), part.ending());
        let keys = self.read(move |conn| conn.ids(Key(first.0), Key(last.0), ending.clone()).boxed()).await?;
        let mut ids: Vec<_> = keys.into_iter().map(|key| AttemptId(key.0)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(MAX_MEANT);
        Ok(ids)
    }

    async fn whole(&self, id: AttemptId) -> Result<Option<StoredOperation>, StoreError> {
        let found = self.read(move |conn| conn.operation(Key(id.0)).boxed()).await?;
        found.map(WholeOperation::read).transpose()
    }
}
