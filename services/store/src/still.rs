//! A store whose calls take no time on the caller's clock.
//!
//! On a clock that jumps as soon as everybody waits (tokio's, when it is paused), whoever waits for a database lets the clock jump: over its own
//! deadline, and over everybody else's. So each call is made on another runtime, whose clock goes on, while the caller's thread waits for it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::executor::block_on;
use parsec_measure::{Fleet, FleetGroup, NodeId, PlannedCheck, SchedulerId};
use tokio::runtime::Handle;

use crate::closed::ClosedTable;
use crate::detached::result_of;
use crate::{ClaimChecks, Migrated, NewNode, OtherScheduler, Roster, Row, Store, StoreError};

/// A store of another runtime. It blocks its callers' thread: meant for programs that play on a simulated clock.
pub struct StillStore {
    store: Arc<dyn Store>,
    runtime: Handle,
}

impl StillStore {
    /// Makes each call of `store` on this runtime, which must have threads of its own.
    pub fn new(store: Arc<dyn Store>, runtime: Handle) -> Self {
        Self { store, runtime }
    }

    fn call<T, F>(&self, call: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        result_of(block_on(self.runtime.spawn(call(Arc::clone(&self.store)))))
    }
}

#[async_trait]
impl Store for StillStore {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        self.call(|store| async move { store.migrate().await })
    }

    /// Every write says how the database is: on a clock that jumps, asking every few seconds would be most of the work.
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn closed_tables(&self, by_others: bool) -> Result<Vec<ClosedTable>, StoreError> {
        self.call(move |store| async move { store.closed_tables(by_others).await })
    }

    fn file_moves(&self) -> usize {
        self.store.file_moves()
    }

    async fn register_node(&self, node: NewNode) -> Result<NodeId, StoreError> {
        self.call(|store| async move { store.register_node(node).await })
    }

    async fn heartbeat(&self, node: NodeId) -> Result<TimeDelta, StoreError> {
        self.call(move |store| async move { store.heartbeat(node).await })
    }

    async fn mark_offline(&self, node: NodeId) -> Result<(), StoreError> {
        self.call(move |store| async move { store.mark_offline(node).await })
    }

    async fn mark_offline_if_silent(&self, node: NodeId) -> Result<bool, StoreError> {
        self.call(move |store| async move { store.mark_offline_if_silent(node).await })
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        let fleets = fleets.to_vec();
        self.call(|store| async move { store.roster(&fleets).await })
    }

    async fn other_schedulers(
        &self,
        fleets: &[Fleet],
        but: SchedulerId,
        since: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        let fleets = fleets.to_vec();
        self.call(move |store| async move { store.other_schedulers(&fleets, but, since).await })
    }

    async fn register_scheduler(
        &self,
        fleets: &FleetGroup,
        dependencies: serde_json::Value,
        at: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        let fleets = fleets.clone();
        self.call(move |store| async move { store.register_scheduler(&fleets, dependencies, at).await })
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        self.call(|store| async move { store.recent_schedulers().await })
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.call(|store| async move { store.record(&rows).await })
    }

    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        self.call(|store| async move { store.claim_checks(claim).await })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use crate::{StoreConfig, connect};

    #[test]
    fn a_database_is_asked_while_a_clock_that_jumps_stands_still() {
        let real = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig::Sqlite { path: directory.path().join("still.db") };
        let store = real.block_on(async {
            let store = connect(&config).await.unwrap();
            store.migrate().await.unwrap();
            store
        });
        let still = StillStore::new(store, real.handle().clone());
        let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        paused.block_on(async {
            // What is due soon is what the clock would jump to.
            tokio::spawn(sleep(Duration::from_millis(10)));
            let began = Instant::now();
            let asked = timeout(Duration::from_millis(1), still.recent_schedulers()).await;
            assert_eq!(asked.expect("no time passes"), Ok(vec![]));
            assert_eq!(began.elapsed(), Duration::ZERO);
        });
    }
}
