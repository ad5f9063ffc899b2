//! Every table and every column is explained: ours in the database itself and in `docs/schema.md`, the original's there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use parsec_schema::postgres::{OWN_TABLES, OWN_VIEWS};
use parsec_schema::upstream::TABLES;
use parsec_store::{Dataset, connect};
use parsec_test_support::{TestDatabase, database};
use tokio_postgres::Client;

const SCHEMA: &str = include_str!("../../../docs/schema.md");
const README: &str = include_str!("../../../README.md");

/// Diesel's, which counts the migrations.
const COUNTING: &str = "__diesel_schema_migrations";

/// Each column of a table: its name, its type, whether it may be NULL, and its comment.
const COLUMNS: &str = "SELECT attname::TEXT, format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum) \
                       FROM pg_attribute WHERE attrelid = $1::TEXT::regclass AND attnum > 0 AND NOT attisdropped \
                       ORDER BY attnum";

async fn migrated() -> (TestDatabase, Client) {
    let database = database().await;
    connect(&database.url().parse().unwrap()).await.unwrap().migrate().await.unwrap();
    let client = database.client().await;
    (database, client)
}

/// What stands in the documentation between the markers of a table.
fn documented(table: &str) -> &'static str {
    let marker = format!("<!-- table:{table} -->\n");
    SCHEMA.split(&marker).nth(1).unwrap_or_else(|| panic!("docs/schema.md does not mark the table {table}"))
}

/// What should stand there of a table or a view of ours. Of a column of a view PostgreSQL does not know whether it may be NULL.
async fn described(client: &Client, table: &str) -> String {
    let is_view = OWN_VIEWS.contains(&table);
    let comment = client.query_one("SELECT obj_description($1::TEXT::regclass)", &[&table]).await.unwrap();
    let comment: Option<String> = comment.get(0);
    let mut text = format!("{}\n\n", comment.unwrap_or_else(|| panic!("the table {table} has no comment")));
    text += if is_view {
        "| column | type | meaning |\n| --- | --- | --- |\n"
    } else {
        "| column | type | NULL | meaning |\n| --- | --- | --- | --- |\n"
    };
    for row in client.query(COLUMNS, &[&table]).await.unwrap() {
        let (column, kind, null, meaning): (String, String, bool, Option<String>) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let meaning = meaning.unwrap_or_else(|| panic!("the column {table}.{column} has no comment"));
        let null = match null {
            _ if is_view => "",
            true => " yes |",
            false => " no |",
        };
        text += &format!("| `{column}` | {kind} |{null} {meaning} |\n");
    }
    text
}

#[tokio::test]
async fn our_tables_say_what_they_mean_and_the_documentation_says_the_same() {
    let (_database, client) = migrated().await;
    let mut behind = String::new();
    for table in OWN_TABLES.into_iter().chain(OWN_VIEWS).filter(|table| *table != COUNTING) {
        let described = described(&client, table).await;
        if documented(table) != described {
            behind += &format!("<!-- table:{table} -->\n{described}<!-- table:{table} -->\n\n");
        }
    }
    assert!(behind.is_empty(), "docs/schema.md is behind the comments in the database; it should say:\n{behind}");
}

#[tokio::test]
async fn every_column_of_the_originals_tables_is_documented() {
    let (_database, client) = migrated().await;
    for table in TABLES {
        for row in client.query(COLUMNS, &[&table]).await.unwrap() {
            let (column, comment): (String, Option<String>) = (row.get(0), row.get(3));
            let line = format!("| `{column}` |");
            assert!(documented(table).contains(&line), "docs/schema.md has no row for {table}.{column}");
            assert_eq!(comment, None, "the original's tables stay as they are");
        }
    }
}

#[tokio::test]
async fn every_example_query_is_understood() {
    let (_database, client) = migrated().await;
    let queries: Vec<&str> = [SCHEMA, README].iter().flat_map(|text| text.split("```sql\n").skip(1)).collect();
    assert!(queries.len() > 5, "{queries:?}");
    for query in queries {
        let query = query.split("```").next().unwrap();
        client.query(query, &[]).await.unwrap_or_else(|error| panic!("{query}\n{error:?}"));
    }
}

#[tokio::test]
async fn the_columns_of_an_export_are_those_of_its_view_and_mean_the_same() {
    let (_database, client) = migrated().await;
    for dataset in Dataset::ALL {
        let rows = client.query(COLUMNS, &[&dataset.view()]).await.unwrap();
        let of_view: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(3))).collect();
        let columns = dataset.columns().iter();
        let exported: Vec<_> = columns.map(|column| (column.name.to_owned(), column.meaning.to_owned())).collect();
        assert_eq!(exported, of_view, "{dataset:?}");
    }
}
