//! The tables of a PostgreSQL database, as others see them.

use parsec_test_support::TestDatabase;
use tokio_postgres::{Client, Row};

use crate::stage::Stage;

/// A database with tables in it.
pub(crate) struct Tables {
    stage: Stage,
    sql: Client,
    _database: TestDatabase,
}

impl Tables {
    /// Of a database that a process has been started on: one that is up has made the tables.
    pub(crate) async fn of(stage: &Stage, database: TestDatabase) -> Self {
        Self { stage: stage.clone(), sql: database.client().await, _database: database }
    }

    /// The rows of a query.
    pub(crate) async fn query(&self, query: &str) -> Vec<Row> {
        self.sql.query(query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    /// Where the test plays.
    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// How many rows there are `from` a table and on such conditions.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.query(&format!("SELECT count(*) FROM {from}")).await[0].get(0)
    }

    /// Waits until there are so many rows at least.
    pub(crate) async fn wait_for(&self, least: i64, from: &str) {
        let are_there = async || (self.count(from).await >= least).then_some(());
        self.stage.eventually(&format!("{least} rows of {from}"), are_there).await;
    }
}
