//! Brings a PostgreSQL schema up to date, while other programs may be about to do the same.
//!
//! Everything happens in one transaction, so that no crash leaves half a schema, and under the lock that
//! golang-migrate takes, so that the original's programs and ours wait for each other.

use std::collections::HashSet;

use diesel::connection::LoadConnection;
use diesel::migration::{MigrationConnection, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_migrations::MigrationHarness;
use parsec_schema::postgres::MIGRATIONS;
use parsec_schema::upstream::VERSION_TABLE;

use super::upstream;
use crate::StoreError;

/// How long to wait for somebody who holds the lock: a whole migration of theirs, on a table of millions of rows.
const LOCK_LIMIT_SECONDS: u32 = 60;

/// How long one statement of a migration may take: the same table, rewritten on a slow disk.
const STATEMENT_LIMIT_SECONDS: u32 = 600;

/// A connection that runs migrations: diesel's are synchronous.
pub(super) trait Connection: LoadConnection<Backend = Pg> + MigrationConnection + 'static {}

impl<C: LoadConnection<Backend = Pg> + MigrationConnection + 'static> Connection for C {}

/// Where a program stands after connecting.
#[derive(Debug, QueryableByName)]
pub(super) struct Place {
    #[diesel(sql_type = Text)]
    pub(super) database: String,
    /// The first schema of the search path that exists, where unqualified names lead.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) schema: Option<String>,
    #[diesel(sql_type = Text)]
    pub(super) role: String,
    #[diesel(sql_type = Nullable<Bool>)]
    pub(super) may_create: Option<bool>,
}

/// Brings the original's tables up to its version 6 and ours to the latest.
pub(super) fn migrate<C: Connection>(conn: &mut C) -> Result<(), StoreError> {
    let migrated = conn.transaction(|conn| {
        let place = place(conn)?;
        take_lock(conn, &place)?;
        upstream::bring_up(conn, &place)?;
        bring_up_ours(conn, &place)
    });
    migrated.map_err(|error| match error {
        // A server that goes away gives its reason in words of its own language.
        StoreError::Query(reason) | StoreError::Refused(reason) if conn.batch_execute("SELECT 1").is_err() => {
            StoreError::Unavailable(reason)
        }
        StoreError::Query(reason) => StoreError::Refused(reason),
        other => other,
    })
}

fn place<C: Connection>(conn: &mut C) -> Result<Place, StoreError> {
    let place = sql_query(
        "SELECT current_database()::TEXT AS database, current_schema()::TEXT AS schema, current_user::TEXT AS role, \
                has_schema_privilege(current_schema()::TEXT, 'CREATE') AS may_create",
    );
    Ok(place.get_result(conn)?)
}

impl Place {
    pub(super) fn schema(&self) -> Result<&str, StoreError> {
        self.schema.as_deref().ok_or_else(|| {
            let Self { role, database, .. } = self;
            StoreError::Refused(format!(
                "the search_path of `{role}` names no schema that exists in database `{database}`"
            ))
        })
    }

    /// To be asked before anything is made: PostgreSQL would say the same less clearly, and in its own language.
    pub(super) fn must_be_creatable(&self) -> Result<(), StoreError> {
        let Self { role, database, .. } = self;
        let schema = self.schema()?;
        if self.may_create == Some(true) {
            return Ok(());
        }
        Err(StoreError::Refused(format!(
            "`{role}` has no right to create tables in schema `{schema}` of database `{database}`: \
             GRANT CREATE ON SCHEMA {schema} TO {role}, or start parsec once as a role that has it"
        )))
    }
}

/// Waits for the lock that golang-migrate holds during a migration. It is given back with the transaction.
fn take_lock<C: Connection>(conn: &mut C, place: &Place) -> Result<(), StoreError> {
    conn.batch_execute(&format!(
        "SET LOCAL lock_timeout = '{LOCK_LIMIT_SECONDS}s'; SET LOCAL statement_timeout = '{STATEMENT_LIMIT_SECONDS}s'"
    ))?;
    let id = upstream::lock_id(&place.database, place.schema()?, VERSION_TABLE);
    let taken = sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(i64::from(id)).execute(conn);
    taken.map(drop).map_err(|error| match error {
        QueryError::DatabaseError(DatabaseErrorKind::Unknown, information) => StoreError::Unavailable(format!(
            "another program has been migrating database `{}` for {LOCK_LIMIT_SECONDS} s: {}",
            place.database,
            information.message()
        )),
        other => other.into(),
    })
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Makes our own tables. With nothing to do it writes nothing, so that a role without rights to create can start.
fn bring_up_ours<C: Connection>(conn: &mut C, place: &Place) -> Result<(), StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Refused(format!("our migrations: {error}"));
    let known = sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS known");
    let applied: HashSet<String> = if known.get_result::<Known>(conn)?.known {
        let applied = sql_query("SELECT version::TEXT FROM __diesel_schema_migrations").load::<Applied>(conn)?;
        applied.into_iter().map(|row| row.version).collect()
    } else {
        HashSet::new()
    };
    let all = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    if all.iter().all(|migration| applied.contains(&migration.name().version().to_string())) {
        return Ok(());
    }
    place.must_be_creatable()?;
    conn.run_pending_migrations(MIGRATIONS).map(drop).map_err(failed)
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Bool)]
    known: bool,
}
