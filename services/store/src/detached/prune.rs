//! Pruning in terms of one kind of database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt;

use super::{Backend, Detached};
use crate::StoreError;
use crate::columns::micros;
use crate::prune::{LastRow, OldBatch, PruneQueries, PrunedTable, Pruning};

#[async_trait]
impl<B: Backend> Pruning for Detached<B> {
    async fn old_rows(
        &self,
        table: PrunedTable,
        before: DateTime<Utc>,
        after: Option<LastRow>,
    ) -> Result<OldBatch, StoreError> {
        let before = micros(before);
        self.read(move |conn| PruneQueries::old_rows(conn, table, before, after).boxed()).await
    }

    async fn delete(&self, table: PrunedTable, before: DateTime<Utc>, last: LastRow) -> Result<(), StoreError> {
        let before = micros(before);
        let deleted = self.write(move |conn| conn.delete_rows(table, before, last).boxed()).await;
        deleted.map_err(|error| match error {
            StoreError::BadRow(reason) if reason.contains("permission denied") => StoreError::Refused(format!(
                "{reason}: run `parsec prune` as the owner of the tables, or GRANT DELETE ON {}",
                table.as_str()
            )),
            error => error,
        })
    }
}
