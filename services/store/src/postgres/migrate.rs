//! Brings a PostgreSQL schema up to date, while other programs may be about to do the same.
//!
//! Everything happens in one transaction, so that no crash leaves half a schema, and under the lock that
//! golang-migrate takes, so that the original's programs and ours wait for each other.

use std::collections::HashSet;

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_migrations::MigrationHarness;
use parsec_schema::postgres::{MIGRATIONS, OWN_TABLES};
use parsec_schema::upstream::{USED_COLUMNS, VERSION_TABLE};

use super::connection::Connection;
use super::rights::{self, Place};
use super::upstream;
use crate::{Migrated, SchemaVersion, StoreError};

/// How long to wait for somebody who holds the lock: a whole migration of theirs, on a table of millions of rows.
const LOCK_LIMIT_SECONDS: u32 = 60;

/// How long one statement of a migration may take: the same table, rewritten on a slow disk.
const STATEMENT_LIMIT_SECONDS: u32 = 600;

/// Brings the original's tables up to its version 6 and ours to the latest.
pub(super) fn migrate<C: Connection>(conn: &mut C) -> Result<Migrated, StoreError> {
    conn.transaction(|conn| {
        conn.batch_execute(&set_up())?;
        let place = rights::place(conn)?;
        take_lock(conn, &place)?;
        let (original, brought_up) = upstream::bring_up(conn, &place)?;
        let (own, newest) = bring_up_ours(conn, &place)?;
        Ok(Migrated {
            before: SchemaVersion { original: Some(original), own },
            after: SchemaVersion { original: Some(brought_up), own: newest },
        })
    })
}

/// What has to hold in the transaction, whatever is set for the role or the database. In other isolation levels it would go on
/// seeing what it saw before it waited for the lock.
fn set_up() -> String {
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET LOCAL lock_timeout = '{LOCK_LIMIT_SECONDS}s'; \
         SET LOCAL statement_timeout = '{STATEMENT_LIMIT_SECONDS}s'; \
         SET LOCAL idle_in_transaction_session_timeout = '{LOCK_LIMIT_SECONDS}s'"
    )
}

/// Waits for the locks that golang-migrate holds during a migration. They are given back with the transaction.
fn take_lock<C: Connection>(conn: &mut C, place: &Place) -> Result<(), StoreError> {
    for id in upstream::lock_ids(&place.database, place.schema()?, VERSION_TABLE) {
        let taken = sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(i64::from(id)).execute(conn);
        taken.map_err(|error| not_taken(error, place))?;
    }
    Ok(())
}

fn not_taken(error: QueryError, place: &Place) -> StoreError {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::Unknown, information) => StoreError::Unavailable(format!(
            "another program has been migrating database `{}` for {LOCK_LIMIT_SECONDS} s: {}",
            place.database,
            information.message()
        )),
        other => other.into(),
    }
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Makes our own tables. With nothing to do it writes nothing, so that a role without rights to create can start.
/// Returns the newest migration that had been run before, and the newest there is now.
fn bring_up_ours<C: Connection>(conn: &mut C, place: &Place) -> Result<(Option<String>, Option<String>), StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Refused(format!("our migrations: {error}"));
    let applied = applied(conn, place)?;
    let before = applied.iter().max().cloned();
    let all = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    let pending = all.iter().map(|migration| migration.name().version().to_string());
    let Some(newest) = pending.filter(|version| !applied.contains(version)).max() else {
        return Ok((before.clone(), before));
    };
    place.must_be_creatable()?;
    place.must_be_changeable(conn, &OWN_TABLES)?;
    place.must_be_referable(conn, &USED_COLUMNS.map(|(table, _)| table))?;
    conn.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    let after = before.clone().max(Some(newest));
    Ok((before, after))
}

/// The migrations of ours that have been run.
fn applied<C: Connection>(conn: &mut C, place: &Place) -> Result<HashSet<String>, StoreError> {
    let known = sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS known");
    if !known.get_result::<Known>(conn)?.known {
        return Ok(HashSet::new());
    }
    place.must_be_readable(conn, &["__diesel_schema_migrations"])?;
    let applied = sql_query("SELECT version::TEXT FROM __diesel_schema_migrations").load::<Applied>(conn)?;
    Ok(applied.into_iter().map(|row| row.version).collect())
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Bool)]
    known: bool,
}
