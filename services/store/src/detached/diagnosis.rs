//! The diagnosis in terms of one kind of database.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use parsec_measure::{Fleet, SchedulerId};

use super::{Backend, CALL_LIMIT, Detached, skew};
use crate::diagnosis::{Diagnosed, Diagnosis, DiagnosisQueries, newest};
use crate::presence::NodeQueries;
use crate::{SchemaVersion, Store, StoreConfig, StoreError};

/// No loop has this number.
const NOBODY: SchedulerId = SchedulerId(0);

#[async_trait]
impl<B: Backend> Diagnosed for Detached<B> {
    async fn diagnose(
        &self,
        config: &StoreConfig,
        fleets: &[Fleet],
        since: DateTime<Utc>,
    ) -> Result<Diagnosis, StoreError> {
        let backend = Arc::clone(&self.backend);
        // Not our own check: that one trusts the answer to the call that opened the database.
        let check = self.detach(CALL_LIMIT, async move { backend.check().await }.boxed()).await;
        let asking = Utc::now();
        let now = self.read(|conn| NodeQueries::now(conn).boxed()).await?;
        let ahead: TimeDelta = skew(asking, now, Utc::now());
        let versions = self.read(|conn| conn.versions().boxed()).await?;
        let is_migrated = versions.own.is_some();
        let closed = if is_migrated { Store::closed_tables(self, false).await? } else { Vec::new() };
        let schedulers = if is_migrated { self.other_schedulers(fleets, NOBODY, since).await? } else { Vec::new() };
        Ok(Diagnosis {
            is_dirty: versions.original.is_some_and(|(_, dirty)| dirty),
            schema: SchemaVersion { original: versions.original.map(|(version, _)| version), own: versions.own },
            newest: newest(config),
            read_only: check.err().map(|error| error.to_string()),
            ahead,
            closed,
            schedulers,
        })
    }
}
