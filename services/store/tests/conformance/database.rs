//! A database to try promises on, and a way to look into it that is the same for both back ends.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::Text;
use futures::future::join_all;
use parsec_store::{Row, Store, connect};
use parsec_test_support::{SqliteFile, TestDatabase, database, sqlite_file};

/// A migrated database.
pub(crate) struct Database {
    pub(crate) store: Arc<dyn Store>,
    url: String,
    place: Place,
}

enum Place {
    Server(TestDatabase),
    File(SqliteFile),
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Database {
    pub(crate) async fn postgres() -> Self {
        let database = database().await;
        Self::migrated(database.url().to_owned(), Place::Server(database)).await
    }

    pub(crate) async fn sqlite() -> Self {
        let file = sqlite_file();
        Self::migrated(file.url(), Place::File(file)).await
    }

    async fn migrated(url: String, place: Place) -> Self {
        let store = connect(&url.parse().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, url, place }
    }

    /// Another program's view of the same database.
    pub(crate) async fn another_store(&self) -> Arc<dyn Store> {
        connect(&self.url.parse().unwrap()).await.unwrap()
    }

    /// Lets eight programs record the same rows at the same time, each in an order of its own.
    pub(crate) async fn recorded_by_eight(&self, offered: &[Row]) {
        let stores = join_all((0..8).map(|_| self.another_store())).await;
        let writers = stores.into_iter().enumerate().map(|(i, store)| {
            let mut offered = offered.to_vec();
            offered.rotate_left(i * 5);
            tokio::spawn(async move { store.record(&offered).await })
        });
        for written in join_all(writers).await {
            written.unwrap().unwrap();
        }
    }

    /// The values of a query of one text column. Times are in UTC.
    pub(crate) async fn lines(&self, expression: &str, rest: &str) -> Vec<String> {
        let sql = format!("SELECT CAST({expression} AS TEXT) AS line FROM {rest}");
        match &self.place {
            Place::Server(database) => {
                let client = database.client().await;
                client.batch_execute("SET TIME ZONE 'UTC'").await.unwrap();
                let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                rows.iter().map(|row| row.get(0)).collect()
            }
            Place::File(file) => {
                let mut conn = open(file.path());
                let rows = diesel::sql_query(&sql).load::<Line>(&mut conn);
                rows.unwrap_or_else(|error| panic!("{sql}: {error}")).into_iter().map(|row| row.line).collect()
            }
        }
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &str) -> usize {
        self.lines("count(*)", table).await[0].parse().unwrap()
    }

    /// Takes the schema back to before traces were kept.
    pub(crate) async fn forget_traces(&self) {
        let undo = match self.place {
            Place::Server(_) => include_str!("../../../../schema/postgres/migrations/0002_traces/down.sql"),
            Place::File(_) => include_str!("../../../../schema/sqlite/migrations/0003_traces/down.sql"),
        };
        let latest = "(SELECT max(version) FROM __diesel_schema_migrations)";
        let uncount = format!("DELETE FROM __diesel_schema_migrations WHERE version = {latest}");
        self.execute(&format!("{undo}; {uncount}")).await;
    }

    /// Changes something behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.place {
            Place::Server(database) => database.client().await.batch_execute(sql).await.unwrap(),
            Place::File(file) => {
                let mut conn = open(file.path());
                diesel::connection::SimpleConnection::batch_execute(&mut conn, sql).unwrap();
            }
        }
    }
}

fn open(path: PathBuf) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let set_up = "PRAGMA busy_timeout = 15000; PRAGMA foreign_keys = ON";
    diesel::connection::SimpleConnection::batch_execute(&mut conn, set_up).unwrap();
    conn
}
