//! What a role must be allowed to do, asked before it is tried: PostgreSQL would refuse with fewer words, in its own language,
//! and without saying who could help.

use diesel::prelude::*;
use diesel::query_builder::SqlQuery;
use diesel::sql_query;
use diesel::sql_types::{Array, Bool, Nullable, Text};

use super::connection::Connection;
use crate::StoreError;
use crate::closed::ClosedTable;
use crate::session::Session;

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

/// Asks for it.
fn where_we_are() -> SqlQuery {
    sql_query(
        "SELECT current_database()::TEXT AS database, current_schema()::TEXT AS schema, current_user::TEXT AS role, \
                has_schema_privilege(current_schema()::TEXT, 'CREATE') AS may_create",
    )
}

pub(super) fn place<C: Connection>(conn: &mut C) -> Result<Place, StoreError> {
    Ok(where_we_are().get_result(conn)?)
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

/// What each table needs for rows to be written to it.
const WRITING: [(&str, &str); 21] = [
    ("schedulers_ecs", "SELECT"),
    ("schedulers_ecs", "INSERT"),
    ("nodes_ecs", "SELECT"),
    ("nodes_ecs", "INSERT"),
    ("nodes_ecs", "UPDATE"),
    ("provides_ecs", "SELECT"),
    ("provides_ecs", "INSERT"),
    ("retrievals_ecs", "SELECT"),
    ("retrievals_ecs", "INSERT"),
    ("rounds", "SELECT"),
    ("rounds", "INSERT"),
    ("rounds", "UPDATE"),
    ("operations", "SELECT"),
    ("operations", "INSERT"),
    ("traces", "INSERT"),
    ("follow_ups", "SELECT"),
    ("follow_ups", "INSERT"),
    ("planned_checks", "SELECT"),
    ("planned_checks", "INSERT"),
    ("planned_checks", "UPDATE"),
    ("record_checks", "INSERT"),
];

#[derive(Debug, QueryableByName)]
struct Lacking {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    table_name: String,
    /// Rights to the table, or the sequence that it takes numbers from; empty if the table is not there.
    #[diesel(sql_type = Text)]
    lacking: String,
    #[diesel(sql_type = Bool)]
    is_sequence: bool,
    #[diesel(sql_type = Nullable<Text>)]
    owner: Option<String>,
}

/// Who lacks which right, the current role or, with `$4`, any that may write to one of these tables. An identity column
/// needs no right to its sequence, a SERIAL one does.
const LACKING: &str = "
WITH needed AS (SELECT * FROM unnest($1::TEXT[], $2::TEXT[]) AS needed (name, action)),
     there AS (SELECT needed.name, action, pg_class.oid, relowner
               FROM needed LEFT JOIN (pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = $3)
               ON relname = needed.name AND relkind IN ('r', 'p', 'v')),
     writers AS (SELECT pg_roles.oid, rolname FROM pg_roles
                 WHERE rolname = current_user OR $4 AND rolcanlogin AND NOT rolsuper AND EXISTS (
                     SELECT FROM there WHERE action = 'INSERT' AND has_any_column_privilege(pg_roles.oid, there.oid, 'INSERT')))
SELECT rolname::TEXT AS role, name AS table_name, false AS is_sequence,
       CASE WHEN there.oid IS NULL THEN '' ELSE string_agg(action, ', ' ORDER BY action) END AS lacking,
       pg_get_userbyid(relowner)::TEXT AS owner
FROM there CROSS JOIN writers
WHERE there.oid IS NULL OR NOT has_any_column_privilege(writers.oid, there.oid, action)
GROUP BY rolname, name, there.oid, relowner
UNION ALL
SELECT rolname::TEXT, name, true, numbers.relname::TEXT, pg_get_userbyid(relowner)::TEXT
FROM (SELECT DISTINCT name, oid FROM there) AS there
     JOIN pg_depend ON refobjid = there.oid AND deptype = 'a' AND classid = 'pg_class'::REGCLASS
     JOIN pg_class AS numbers ON numbers.oid = objid AND relkind = 'S'
     CROSS JOIN writers
WHERE NOT has_sequence_privilege(writers.oid, numbers.oid, 'USAGE')
ORDER BY role, table_name";

/// The tables that rows cannot be written to, each with the GRANT that changes that; or why there can be none.
pub(super) async fn closed_tables(session: &mut Session, by_others: bool) -> QueryResult<Vec<ClosedTable>> {
    let place: Place = diesel_async::RunQueryDsl::get_result(where_we_are(), session).await?;
    let schema = place.schema().map_err(StoreError::into_query_error)?;
    let (tables, actions): (Vec<&str>, Vec<&str>) = WRITING.into_iter().unzip();
    let lacking = sql_query(LACKING).bind::<Array<Text>, _>(tables).bind::<Array<Text>, _>(actions);
    let lacking = lacking.bind::<Text, _>(schema).bind::<Bool, _>(by_others);
    let lacking: Vec<Lacking> = diesel_async::RunQueryDsl::load(lacking, session).await?;
    Ok(lacking.into_iter().map(|lacking| lacking.in_words(&place.database, schema)).collect())
}

impl Lacking {
    fn in_words(self, database: &str, schema: &str) -> ClosedTable {
        let Self { role, table_name, lacking, is_sequence, owner } = self;
        let owner = owner.unwrap_or_default();
        let why = if lacking.is_empty() {
            format!("there is no table {table_name} in database `{database}`: restore it, or use an empty database")
        } else if is_sequence {
            format!(
                "`{role}` has no right to the sequence {lacking} that numbers the rows of table {table_name} of database \
                 `{database}`: as its owner, `{owner}`, GRANT USAGE ON SEQUENCE {schema}.{lacking} TO {role}"
            )
        } else {
            format!(
                "`{role}` has no right to write to table {table_name} of database `{database}` ({lacking}): as its owner, \
                 `{owner}`, GRANT {DAILY_RIGHTS} ON TABLE {schema}.{table_name} TO {role}"
            )
        };
        ClosedTable { table: table_name, role, why }
    }
}
