//! A store that tells how the database is doing, whoever asks it for something.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{Fleet, FleetGroup, NodeId, PlannedCheck, SchedulerId};
use parsec_store::{ClaimChecks, ClosedTable, Migrated, NewNode, OtherScheduler, Roster, Row, Store, StoreError};

use crate::telemetry::metrics::Metrics;
use crate::telemetry::vitals::DatabaseCall::{self, Check, Read, Record, Write};

/// A store, and where its state is reported.
pub struct WatchedStore {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl WatchedStore {
    /// Passes every call on to `store`.
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    fn noted<T>(&self, call: DatabaseCall, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let trouble = result.as_ref().err().filter(|error| is_about_the_database(error));
        self.metrics.database(call, trouble.map(ToString::to_string));
        self.metrics.database_file_moves(self.store.file_moves());
        result
    }
}

/// Whether an error says something about the database, not about what was asked.
fn is_about_the_database(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(_) | StoreError::Refused(_) | StoreError::Query(_) => true,
        StoreError::NoSuchNode(_) | StoreError::BadRow(_) => false,
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        self.store.migrate().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.noted(Check, self.store.check().await)
    }

    async fn closed_tables(&self, by_others: bool) -> Result<Vec<ClosedTable>, StoreError> {
        self.store.closed_tables(by_others).await
    }

    fn file_moves(&self) -> usize {
        self.store.file_moves()
    }

    async fn rest(&self) -> Result<(), StoreError> {
        self.store.rest().await
    }

    async fn register_node(&self, node: NewNode) -> Result<NodeId, StoreError> {
        self.noted(Write, self.store.register_node(node).await)
    }

    async fn heartbeat(&self, node: NodeId) -> Result<TimeDelta, StoreError> {
        self.noted(Write, self.store.heartbeat(node).await)
    }

    async fn mark_offline(&self, node: NodeId) -> Result<(), StoreError> {
        self.noted(Write, self.store.mark_offline(node).await)
    }

    async fn mark_offline_if_silent(&self, node: NodeId) -> Result<bool, StoreError> {
        self.noted(Write, self.store.mark_offline_if_silent(node).await)
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        self.noted(Read, self.store.roster(fleets).await)
    }

    async fn other_schedulers(
        &self,
        fleets: &[Fleet],
        but: SchedulerId,
        since: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        self.noted(Read, self.store.other_schedulers(fleets, but, since).await)
    }

    async fn register_scheduler(
        &self,
        fleets: &FleetGroup,
        dependencies: serde_json::Value,
        at: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        self.noted(Write, self.store.register_scheduler(fleets, dependencies, at).await)
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        self.noted(Read, self.store.recent_schedulers().await)
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        self.noted(Record, self.store.record(rows).await)
    }

    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        self.noted(Write, self.store.claim_checks(claim).await)
    }
}
