//! Pruning in terms of one kind of database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::result::Error as QueryError;
use futures::FutureExt;

use super::{Backend, Detached};
use crate::StoreError;
use crate::columns::micros;
use crate::prune::{LastRow, OldBatch, PruneQueries, PrunedTable, Pruning};
use crate::reason::{Reasons, refused};

/// Whoever may write measurements may not delete any.
fn explained(table: PrunedTable, reasons: &impl Reasons, error: QueryError) -> QueryError {
    if reasons.denies() {
        let table = table.as_str();
        refused(format!("{error}: run `parsec prune` as the owner of the tables, or GRANT DELETE ON {table}"))
    } else {
        error
    }
}

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
        let deleting = self.write(move |conn| {
            async move {
                let deleted = conn.delete_rows(table, before, last).await;
                deleted.map_err(|error| explained(table, conn, error))
            }
            .boxed()
        });
        deleting.await
    }
}
