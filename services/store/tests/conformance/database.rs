//! A database to try promises on, and a way to look into it that is the same for both back ends.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::Text;
use futures::future::join_all;
use parsec_store::{Archive, Row, Store, StoreConfig, Traces, connect, migration_script, open_archive, open_traces};
use parsec_test_support::{SqliteFile, TestDatabase, database, sqlite_file};

/// What takes the newest migrations back, the newest first: version, name, SQL.
const UNDO_ON_POSTGRES: [(&str, &str, &str); 6] = [
    ("0007", "views", include_str!("../../../../schema/postgres/migrations/0007_views/down.sql")),
    ("0006", "who_answers", include_str!("../../../../schema/postgres/migrations/0006_who_answers/down.sql")),
    ("0005", "comments", include_str!("../../../../schema/postgres/migrations/0005_comments/down.sql")),
    (
        "0004",
        "confirmed_and_checked",
        include_str!("../../../../schema/postgres/migrations/0004_confirmed_and_checked/down.sql"),
    ),
    ("0003", "found_publisher", include_str!("../../../../schema/postgres/migrations/0003_found_publisher/down.sql")),
    ("0002", "traces", include_str!("../../../../schema/postgres/migrations/0002_traces/down.sql")),
];

/// The same.
const UNDO_ON_SQLITE: [(&str, &str, &str); 5] = [
    ("0007", "views", include_str!("../../../../schema/sqlite/migrations/0007_views/down.sql")),
    ("0006", "who_answers", include_str!("../../../../schema/sqlite/migrations/0006_who_answers/down.sql")),
    (
        "0005",
        "confirmed_and_checked",
        include_str!("../../../../schema/sqlite/migrations/0005_confirmed_and_checked/down.sql"),
    ),
    ("0004", "found_publisher", include_str!("../../../../schema/sqlite/migrations/0004_found_publisher/down.sql")),
    ("0003", "traces", include_str!("../../../../schema/sqlite/migrations/0003_traces/down.sql")),
];

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

    /// The same database, to read measurements.
    pub(crate) async fn archive(&self) -> Arc<dyn Archive> {
        open_archive(&self.url.parse().unwrap()).await.unwrap()
    }

    /// The same, on PostgreSQL as a role that may read and nothing else.
    pub(crate) async fn archive_for_readers(&self) -> Arc<dyn Archive> {
        open_archive(&self.url_for_readers().await.parse().unwrap()).await.unwrap()
    }

    /// The same, to read traces besides.
    pub(crate) async fn traces(&self) -> Arc<dyn Traces> {
        open_traces(&self.url.parse().unwrap()).await.unwrap()
    }

    /// The same, on PostgreSQL as a role that may read and nothing else.
    pub(crate) async fn traces_for_readers(&self) -> Arc<dyn Traces> {
        open_traces(&self.url_for_readers().await.parse().unwrap()).await.unwrap()
    }

    async fn url_for_readers(&self) -> String {
        let Place::Server(database) = &self.place else { return self.url.clone() };
        database.url_as(&database.role("SELECT").await)
    }

    /// On PostgreSQL, seen by a role that may do with the rows what the programs do, and nothing to the tables; and its name.
    pub(crate) async fn with_daily_rights_only() -> (Self, String) {
        let Self { place, .. } = Self::postgres().await;
        let Place::Server(database) = &place else { unreachable!("it was just made on a server") };
        let guest = database.role("SELECT, INSERT, UPDATE").await;
        let url = database.url_as(&guest);
        (Self::migrated(url, place).await, guest)
    }

    /// Made by somebody who runs the script, instead of by us.
    pub(crate) async fn by_script(on_postgres: bool) -> Self {
        let (url, place) = if on_postgres {
            let database = database().await;
            (database.url().to_owned(), Place::Server(database))
        } else {
            let file = sqlite_file();
            (file.url(), Place::File(file))
        };
        let config: StoreConfig = url.parse().unwrap();
        let store = connect(&config).await.unwrap();
        let this = Self { store, url, place };
        this.execute(&migration_script(&config)).await;
        this
    }

    async fn migrated(url: String, place: Place) -> Self {
        let store = connect(&url.parse().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, url, place }
    }

    /// Where it is.
    pub(crate) fn config(&self) -> StoreConfig {
        self.url.parse().unwrap()
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// The tables and their columns, indexes and what else has a name.
    pub(crate) async fn tables(&self) -> Vec<String> {
        match self.place {
            Place::Server(_) => {
                let columns =
                    "table_name || '.' || column_name || ' ' || ordinal_position || ' ' || data_type || is_nullable";
                let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'";
                self.lines(
                    columns,
                    &format!("information_schema.columns WHERE table_schema = 'public' UNION {indexes} ORDER BY 1"),
                )
                .await
            }
            Place::File(_) => self.lines("coalesce(sql, name)", "sqlite_schema ORDER BY 1").await,
        }
    }

    /// Another program's view of the same database.
    pub(crate) async fn another_store(&self) -> Arc<dyn Store> {
        connect(&self.url.parse().unwrap()).await.unwrap()
    }

    /// What the owner of the tables sees, on PostgreSQL.
    pub(crate) async fn of_the_owner(&self) -> Arc<dyn Store> {
        let Place::Server(database) = &self.place else { unreachable!("a file has no owner") };
        connect(&database.url().parse().unwrap()).await.unwrap()
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
        self.take_back("traces").await;
    }

    /// Takes the schema back to before the migration of this name.
    pub(crate) async fn take_back(&self, name: &str) {
        let undo: &[_] = match self.place {
            Place::Server(_) => &UNDO_ON_POSTGRES,
            Place::File(_) => &UNDO_ON_SQLITE,
        };
        let last = undo.iter().position(|(_, undone, _)| *undone == name).unwrap();
        for (version, _, sql) in &undo[..=last] {
            let uncount = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
            self.execute(&format!("BEGIN; {sql}; {uncount}; COMMIT")).await;
        }
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
