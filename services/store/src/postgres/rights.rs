//! What a role must be allowed to do, asked before it is tried: PostgreSQL would refuse with fewer words, in its own language,
//! and without saying who could help.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, Bool, Nullable, Text};

use super::connection::Connection;
use crate::StoreError;

/// What the programs do with the tables, once these are there.
const DAILY_RIGHTS: &str = "SELECT, INSERT, UPDATE";

/// Where a program stands after connecting, and as whom.
#[derive(Debug, QueryableByName)]
pub(super) struct Place {
    #[diesel(sql_type = Text)]
    pub(super) database: String,
    /// The first schema of the search path that exists and may be used, where unqualified names lead.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) schema: Option<String>,
    #[diesel(sql_type = Text)]
    pub(super) role: String,
    #[diesel(sql_type = Nullable<Bool>)]
    pub(super) may_create: Option<bool>,
}

#[derive(Debug, QueryableByName)]
struct Closed {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    owner: String,
}

pub(super) fn place<C: Connection>(conn: &mut C) -> Result<Place, StoreError> {
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
                "the search_path of `{role}` names no schema of database `{database}` that exists and that it may use: \
                 GRANT USAGE ON SCHEMA public TO {role}, or ALTER ROLE {role} SET search_path"
            ))
        })
    }

    /// Whether tables can be made.
    pub(super) fn must_be_creatable(&self) -> Result<(), StoreError> {
        let Self { role, database, .. } = self;
        let schema = self.schema()?;
        if self.may_create == Some(true) {
            return Ok(());
        }
        Err(StoreError::Refused(format!(
            "`{role}` has no right to create tables in schema `{schema}` of database `{database}`: \
             run `parsec migrate` as a role that has it, or GRANT CREATE ON SCHEMA {schema} TO {role}"
        )))
    }

    /// Whether those of these tables that are there can be read.
    pub(super) fn must_be_readable<C: Connection>(&self, conn: &mut C, tables: &[&str]) -> Result<(), StoreError> {
        let closed = self.first_closed(conn, tables, "has_table_privilege(pg_class.oid, 'SELECT')")?;
        let Some(Closed { table_name, owner }) = closed else { return Ok(()) };
        let (Self { role, database, .. }, schema) = (self, self.schema()?);
        Err(StoreError::Refused(format!(
            "`{role}` has no right to read table {table_name} of database `{database}`: \
             as its owner, `{owner}`, GRANT {DAILY_RIGHTS} ON ALL TABLES IN SCHEMA {schema} TO {role}"
        )))
    }

    /// Whether those of these tables that are there can be altered, which is their owner's right alone.
    pub(super) fn must_be_changeable<C: Connection>(&self, conn: &mut C, tables: &[&str]) -> Result<(), StoreError> {
        let Some(closed) = self.first_closed(conn, tables, "pg_has_role(relowner, 'USAGE')")? else { return Ok(()) };
        let Closed { table_name, owner } = closed;
        let Self { role, database, .. } = self;
        Err(StoreError::Refused(format!(
            "database `{database}` must be migrated, and `{role}` has no right to change table {table_name}: \
             run `parsec migrate` as its owner, `{owner}`"
        )))
    }

    /// Whether tables that refer to those of these tables that are there can be made.
    pub(super) fn must_be_referable<C: Connection>(&self, conn: &mut C, tables: &[&str]) -> Result<(), StoreError> {
        let closed = self.first_closed(conn, tables, "has_table_privilege(pg_class.oid, 'REFERENCES')")?;
        let Some(Closed { table_name, owner }) = closed else { return Ok(()) };
        let Self { role, database, .. } = self;
        Err(StoreError::Refused(format!(
            "database `{database}` must be migrated, and `{role}` has no right to make tables that refer to \
             {table_name}: run `parsec migrate` as its owner, `{owner}`, or as `{owner}` \
             GRANT REFERENCES ON {} TO {role}",
            tables.join(", ")
        )))
    }

    /// The first of these tables that is there and not `open`, a condition in SQL.
    fn first_closed<C: Connection>(
        &self,
        conn: &mut C,
        tables: &[&str],
        open: &str,
    ) -> Result<Option<Closed>, StoreError> {
        let query = sql_query(format!(
            "SELECT relname::TEXT AS table_name, pg_get_userbyid(relowner)::TEXT AS owner \
             FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
             WHERE nspname = $1 AND relname = ANY($2) AND relkind IN ('r', 'p') AND NOT {open} \
             ORDER BY relname LIMIT 1"
        ));
        Ok(query.bind::<Text, _>(self.schema()?).bind::<Array<Text>, _>(tables).get_result(conn).optional()?)
    }
}
