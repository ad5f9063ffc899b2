//! What processes said of themselves, in terms of one kind of database.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::FutureExt;
use parsec_measure::{NodeId, SchedulerId, Setup};

use super::{Backend, Detached};
use crate::setups::{AT_ONCE, SetupQueries, scheduler, server};
use crate::{Setups, StoreError};

#[async_trait]
impl<B: Backend> Setups for Detached<B> {
    async fn servers(&self, of: &BTreeSet<NodeId>) -> Result<BTreeMap<NodeId, Setup>, StoreError> {
        let ids: Vec<i32> = of.iter().map(|id| id.0).collect();
        let mut found = BTreeMap::new();
        for some in ids.chunks(AT_ONCE) {
            let some = some.to_vec();
            let rows = self.read(move |conn| conn.server_setups(some.clone()).boxed()).await?;
            found.extend(rows.into_iter().map(server));
        }
        Ok(found)
    }

    async fn schedulers(&self, of: &BTreeSet<SchedulerId>) -> Result<BTreeMap<SchedulerId, Setup>, StoreError> {
        let ids: Vec<i32> = of.iter().map(|id| id.0).collect();
        let mut found = BTreeMap::new();
        for some in ids.chunks(AT_ONCE) {
            let some = some.to_vec();
            let rows = self.read(move |conn| conn.scheduler_setups(some.clone()).boxed()).await?;
            found.extend(rows.into_iter().map(scheduler));
        }
        Ok(found)
    }
}
