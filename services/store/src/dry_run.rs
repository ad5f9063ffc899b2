//! What stands for the database in a dry run.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use parsec_measure::{CheckId, Fleet, FleetGroup, NodeId, PlannedCheck, RecordCheck, SchedulerId};
use tracing::info;

use crate::{ClaimChecks, Migrated, NewNode, OtherScheduler, Roster, Row, Store, StoreError};

/// How many looks at records a dry run remembers: at four for each publication and one publication a minute, more than fall
/// due in the day after which the first are made.
const MAX_PLANNED: usize = 10_000;

/// A store for `--dry-run`: reads from the real database where there is one, and writes nothing.
pub struct DryRun {
    /// What is read from.
    nodes: Option<Arc<dyn Store>>,
    /// Looks at records that are planned and not claimed yet, the earliest due first.
    planned: Mutex<BTreeMap<(DateTime<Utc>, CheckId), PlannedCheck>>,
}

impl DryRun {
    /// One without a database.
    pub fn alone() -> Self {
        Self { nodes: None, planned: Mutex::default() }
    }

    /// One that reads what is in this database.
    pub fn reading(store: Arc<dyn Store>) -> Self {
        Self { nodes: Some(store), planned: Mutex::default() }
    }

    fn plan(&self, plan: &PlannedCheck) {
        let mut planned = self.planned.lock();
        if planned.len() < MAX_PLANNED {
            planned.insert((plan.due(), plan.id), plan.clone());
        }
    }
}

#[async_trait]
impl Store for DryRun {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        Err(StoreError::Refused("a dry run changes no tables".to_owned()))
    }

    fn file_moves(&self) -> usize {
        self.nodes.as_ref().map_or(0, |store| store.file_moves())
    }

    async fn register_node(&self, node: NewNode) -> Result<NodeId, StoreError> {
        info!(peer_id = node.peer_id, "dry run: node not registered");
        Ok(NodeId(0))
    }

    async fn heartbeat(&self, _: NodeId) -> Result<TimeDelta, StoreError> {
        Ok(TimeDelta::zero())
    }

    async fn mark_offline(&self, _: NodeId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn mark_offline_if_silent(&self, _: NodeId) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        match &self.nodes {
            Some(store) => store.roster(fleets).await,
            None => Ok(Roster::default()),
        }
    }

    async fn other_schedulers(
        &self,
        fleets: &[Fleet],
        but: SchedulerId,
        since: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        match &self.nodes {
            Some(store) => store.other_schedulers(fleets, but, since).await,
            None => Ok(Vec::new()),
        }
    }

    async fn register_scheduler(
        &self,
        _: &FleetGroup,
        _: serde_json::Value,
        _: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        Ok(SchedulerId(0))
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        match &self.nodes {
            Some(store) => store.recent_schedulers().await,
            None => Ok(Vec::new()),
        }
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            if let Row::Check(RecordCheck { plan, done: None }) = row {
                self.plan(plan);
            }
        }
        Ok(())
    }

    /// What this process has planned itself, each once: a dry run leaves nothing to others, and takes nothing from them.
    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        let mut planned = self.planned.lock();
        let due = planned.keys().take_while(|(due, _)| *due <= claim.now).take(claim.limit as usize);
        let due: Vec<_> = due.copied().collect();
        Ok(due.iter().filter_map(|key| planned.remove(key)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(after: u64) -> PlannedCheck {
        PlannedCheck {
            id: CheckId::fresh(),
            attempt: None,
            node: NodeId(0),
            fleet: "default".parse().unwrap(),
            region: "local".to_owned(),
            cid: "Qm".to_owned(),
            provider: "12D3KooW".to_owned(),
            published: "2026-01-02T03:04:05Z".parse().unwrap(),
            after: Duration::from_secs(after),
        }
    }

    fn claim(now: &str) -> ClaimChecks {
        let now = now.parse().unwrap();
        let (fleet, region) = ("default".parse().unwrap(), "local".to_owned());
        let [of_others_due_by, oldest_due, until] = [now; 3];
        ClaimChecks { by: NodeId(0), fleet, region, now, of_others_due_by, oldest_due, until, limit: 2 }
    }

    #[tokio::test]
    async fn records_are_looked_for_in_a_dry_run_too_each_once() {
        let (store, plans) = (DryRun::alone(), [plan(3_600), plan(0), plan(60), plan(30)]);
        let rows = plans.clone().map(|plan| Row::Check(RecordCheck { plan, done: None }));
        store.record(&rows).await.unwrap();
        let [later, now, soon, sooner] = plans;
        assert_eq!(store.claim_checks(claim("2026-01-02T03:04:00Z")).await.unwrap(), []);
        assert_eq!(store.claim_checks(claim("2026-01-02T03:06:00Z")).await.unwrap(), [now, sooner]);
        assert_eq!(store.claim_checks(claim("2026-01-02T03:06:00Z")).await.unwrap(), [soon]);
        assert_eq!(store.claim_checks(claim("2026-01-03T03:06:00Z")).await.unwrap(), [later]);
    }
}
