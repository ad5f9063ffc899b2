//! The original's part of a PostgreSQL schema: which version stands there, and what is missing.

use std::ops::Range;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use parsec_schema::upstream::{CREATE_VERSION_TABLE, STEPS, TABLES, USED_COLUMNS, VERSION, VERSION_TABLE};

use super::connection::Connection;
use super::rights::Place;
use crate::StoreError;

/// golang-migrate's `advisoryLockIDSalt` (its `database/util.go`).
const LOCK_SALT: u32 = 1_486_364_155;

/// What is there of the original's schema.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// No version; these of the original's tables are there all the same. `counted` says whether the version table is
    /// there: golang-migrate makes it before it notes anything in it.
    Unversioned { tables: Vec<String>, counted: bool },
    /// The version table and its row.
    Version { version: i64, dirty: bool },
    /// The version table has several rows.
    Ambiguous,
}

#[derive(Debug, QueryableByName)]
struct VersionRow {
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Bool)]
    dirty: bool,
}

#[derive(Debug, QueryableByName)]
struct TableRow {
    #[diesel(sql_type = Text)]
    name: String,
}

/// A column of a table that stands in the database.
#[derive(Debug, QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    /// Whether an INSERT must give it a value.
    #[diesel(sql_type = Bool)]
    required: bool,
}

/// Runs the steps that are missing and notes the version, as golang-migrate would. Returns the version that was found, and
/// the one that is left.
///
/// # Errors
/// [`StoreError::Refused`] if an earlier migration was cut off, or if the tables are not the ones that we know.
pub(super) fn bring_up<C: Connection>(conn: &mut C, place: &Place) -> Result<(i64, i64), StoreError> {
    let found = find(conn, place)?;
    let steps = missing(&found, place)?;
    let before = if let Found::Version { version, .. } = found { version } else { 0 };
    if !steps.is_empty() {
        place.must_be_creatable()?;
        let changed: Vec<&str> = TABLES.into_iter().chain([VERSION_TABLE]).collect();
        place.must_be_changeable(conn, &changed)?;
        if matches!(found, Found::Unversioned { counted: false, .. }) {
            conn.batch_execute(CREATE_VERSION_TABLE)?;
        }
        for step in steps {
            conn.batch_execute(STEPS[step]).map_err(|error| {
                let (from, to) = (step, step + 1);
                StoreError::Refused(format!("migration of the original's tables from version {from} to {to}: {error}"))
            })?;
        }
        let version = format!("DELETE FROM {VERSION_TABLE}; INSERT INTO {VERSION_TABLE} VALUES ({VERSION}, false)");
        conn.batch_execute(&version)?;
    }
    check_columns(&columns(conn, place.schema()?)?)?;
    Ok((before, before.max(VERSION)))
}

fn find<C: Connection>(conn: &mut C, place: &Place) -> Result<Found, StoreError> {
    let names: Vec<&str> = TABLES.into_iter().chain([VERSION_TABLE]).collect();
    let tables =
        sql_query("SELECT tablename::TEXT AS name FROM pg_tables WHERE schemaname = $1 AND tablename = ANY($2)")
            .bind::<Text, _>(place.schema()?)
            .bind::<Array<Text>, _>(names);
    let mut tables: Vec<String> = tables.load::<TableRow>(conn)?.into_iter().map(|row| row.name).collect();
    tables.sort();
    let counted = tables.iter().any(|name| name == VERSION_TABLE);
    tables.retain(|name| name != VERSION_TABLE);
    if !counted {
        return Ok(Found::Unversioned { tables, counted });
    }
    place.must_be_readable(conn, &[VERSION_TABLE])?;
    let rows = sql_query(format!("SELECT version, dirty FROM {VERSION_TABLE} LIMIT 2")).load::<VersionRow>(conn)?;
    Ok(match rows.as_slice() {
        [] => Found::Unversioned { tables, counted },
        [row] => Found::Version { version: row.version, dirty: row.dirty },
        _ => Found::Ambiguous,
    })
}

/// Which of [`STEPS`] remain to be run.
///
/// A version above ours is a newer original. It is taken as it is, and [`check_columns`] decides whether we fit.
fn missing(found: &Found, place: &Place) -> Result<Range<usize>, StoreError> {
    let database = &place.database;
    match found {
        Found::Unversioned { tables, .. } if tables.is_empty() => Ok(0..STEPS.len()),
        Found::Unversioned { tables, counted } => Err(StoreError::Refused(format!(
            "database `{database}` has tables of parsec ({}) and no {}{VERSION_TABLE} that says of which version: \
             use an empty database, or restore {VERSION_TABLE}",
            tables.join(", "),
            if *counted { "row in " } else { "" },
        ))),
        Found::Ambiguous => Err(StoreError::Refused(format!(
            "{VERSION_TABLE} of database `{database}` has several rows, and golang-migrate keeps one: \
             DELETE those that are not the version of its tables"
        ))),
        Found::Version { version, dirty: true } => Err(StoreError::Refused(format!(
            "a migration of database `{database}` to version {version} was cut off ({VERSION_TABLE}.dirty is true): \
             compare its tables with that version, repair them by hand, then \
             UPDATE {VERSION_TABLE} SET dirty = false (and version to what stands there)"
        ))),
        Found::Version { version, .. } => {
            let done = usize::try_from(*version).map_err(|_| {
                StoreError::Refused(format!("{VERSION_TABLE} of database `{database}` has the version {version}"))
            })?;
            Ok(done.min(STEPS.len())..STEPS.len())
        }
    }
}

/// Reads the catalogue, not `information_schema`, which hides what a role has no rights to.
fn columns<C: Connection>(conn: &mut C, schema: &str) -> Result<Vec<Column>, StoreError> {
    let names: Vec<&str> = USED_COLUMNS.iter().map(|(table, _)| *table).collect();
    let columns = sql_query(
        "SELECT relname::TEXT AS table_name, attname::TEXT AS column_name, \
                attnotnull AND NOT atthasdef AND attidentity = '' AS required \
         FROM pg_attribute \
         JOIN pg_class ON pg_class.oid = attrelid \
         JOIN pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE nspname = $1 AND relname = ANY($2) AND attnum > 0 AND NOT attisdropped",
    );
    Ok(columns.bind::<Text, _>(schema).bind::<Array<Text>, _>(names).load(conn)?)
}

/// Whether we can write to these tables: they have every column we use, and ask for none that we do not know.
fn check_columns(columns: &[Column]) -> Result<(), StoreError> {
    let unfit = |table: &str, reason: String| {
        Err(StoreError::Refused(format!(
            "table {table} is not the one of version {VERSION} of the original: {reason}; \
             use a version of parsec that knows it"
        )))
    };
    for (table, used) in USED_COLUMNS {
        let of_table = || columns.iter().filter(|column| column.table_name == table);
        if let Some(lost) = used.iter().find(|name| !of_table().any(|column| column.column_name == **name)) {
            return unfit(table, format!("column {lost} is missing"));
        }
        if let Some(new) = of_table().find(|column| column.required && !used.contains(&column.column_name.as_str())) {
            return unfit(table, format!("column {} must be given a value", new.column_name));
        }
    }
    Ok(())
}

/// The numbers of the locks that golang-migrate takes for a version table. The original's programs tell it no name of the
/// database, so that it asks for it; its own command line takes the path of the URL, with the slash.
pub(super) fn lock_ids(database: &str, schema: &str, table: &str) -> [u32; 2] {
    [lock_id(database, schema, table), lock_id(&format!("/{database}"), schema, table)]
}

/// Names joined by NUL, CRC-32, times a salt.
fn lock_id(database: &str, schema: &str, table: &str) -> u32 {
    crc32fast::hash(format!("{schema}\0{table}\0{database}").as_bytes()).wrapping_mul(LOCK_SALT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            database: "parsec".to_owned(),
            schema: Some("public".to_owned()),
            role: "ann".to_owned(),
            may_create: Some(true),
        }
    }

    fn version(version: i64) -> Found {
        Found::Version { version, dirty: false }
    }

    fn unversioned(tables: &[&str], counted: bool) -> Found {
        Found::Unversioned { tables: tables.iter().map(|name| (*name).to_owned()).collect(), counted }
    }

    /// Every column we use, as the database would list it.
    fn known() -> Vec<Column> {
        let column = |table: &str, name: &str| Column {
            table_name: table.to_owned(),
            column_name: name.to_owned(),
            required: name != "id",
        };
        USED_COLUMNS.iter().flat_map(|(table, used)| used.iter().map(|name| column(table, name))).collect()
    }

    #[test]
    fn the_lock_has_the_number_that_golang_migrate_gives_it() {
        // From its own tests of `GenerateAdvisoryLockId`.
        assert_eq!(lock_id("database_name", "schema_name_1", "schema_name_2"), 3_743_845_847);
    }

    #[test]
    fn only_the_missing_steps_are_run() {
        assert_eq!(missing(&unversioned(&[], false), &place()), Ok(0..6));
        assert_eq!(missing(&unversioned(&[], true), &place()), Ok(0..6));
        assert_eq!(missing(&version(0), &place()), Ok(0..6));
        assert_eq!(missing(&version(5), &place()), Ok(5..6));
        assert_eq!(missing(&version(6), &place()), Ok(6..6));
        assert_eq!(missing(&version(9), &place()), Ok(6..6));
    }

    #[test]
    fn what_cannot_be_migrated_is_refused_with_what_to_do() {
        for (found, advice) in [
            (
                unversioned(&["nodes_ecs"], false),
                "no schema_migrations that says of which version: use an empty database",
            ),
            (unversioned(&["nodes_ecs"], true), "no row in schema_migrations that says of which version"),
            (Found::Ambiguous, "has several rows"),
            (Found::Version { version: 5, dirty: true }, "UPDATE schema_migrations SET dirty = false"),
            (version(-1), "has the version -1"),
        ] {
            let message = missing(&found, &place()).unwrap_err().to_string();
            assert!(message.contains(advice), "{message}");
        }
    }

    #[test]
    fn a_newer_original_is_accepted_as_long_as_we_can_write_to_its_tables() {
        assert_eq!(check_columns(&known()), Ok(()));
        let with = |name: &str, required| {
            let mut columns = known();
            columns.push(Column { table_name: "provides_ecs".to_owned(), column_name: name.to_owned(), required });
            check_columns(&columns)
        };
        assert_eq!(with("note", false), Ok(()));
        let message = with("note", true).unwrap_err().to_string();
        assert!(message.contains("table provides_ecs") && message.contains("column note must be given"), "{message}");

        let mut columns = known();
        columns.retain(|column| column.column_name != "fleet");
        let message = check_columns(&columns).unwrap_err().to_string();
        assert!(message.contains("table nodes_ecs") && message.contains("column fleet is missing"), "{message}");
    }
}
