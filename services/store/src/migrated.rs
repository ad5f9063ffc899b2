//! What a migration did, and the SQL of all of them.

use std::fmt::Write as _;

use diesel::migration::CREATE_MIGRATIONS_TABLE;
use parsec_schema::{postgres, sqlite, upstream};

use crate::StoreConfig;

/// Where a schema stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaVersion {
    /// The version of the original's tables, as golang-migrate counts it; 0 if there are none. `None` for SQLite, where
    /// they are made by migrations of ours.
    pub original: Option<i64>,
    /// The newest migration of our own; `None` if there was none yet.
    pub own: Option<String>,
}

/// From where to where a schema was brought. The two are equal if there was nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Where it stood.
    pub before: SchemaVersion,
    /// Where it stands.
    pub after: SchemaVersion,
}

/// Everything that [`migrate`](crate::Store::migrate) runs on an empty database of this kind, as a script for `psql` or
/// `sqlite3`. After it there is nothing left to migrate.
pub fn migration_script(config: &StoreConfig) -> String {
    let mut script = String::new();
    match config {
        StoreConfig::Postgres { .. } => {
            add(&mut script, "What parsec needs in an empty PostgreSQL database, in this order", "BEGIN;");
            add_upstream(&mut script);
            add_own(&mut script, &postgres::SCRIPTS);
        }
        StoreConfig::Sqlite { .. } => {
            add(&mut script, "What parsec needs in an empty SQLite file, in this order", "BEGIN IMMEDIATE;");
            add_own(&mut script, &sqlite::SCRIPTS);
        }
    }
    script + "COMMIT;\n"
}

fn add(script: &mut String, what: &str, sql: &str) {
    let _ = writeln!(script, "-- == {what}\n{}\n", sql.trim_end());
}

fn add_upstream(script: &mut String) {
    let table = upstream::VERSION_TABLE;
    let counting = format!("{};", upstream::CREATE_VERSION_TABLE);
    add(script, "Where golang-migrate counts the versions of the original's tables", &counting);
    for (from, sql) in upstream::STEPS.iter().enumerate() {
        add(script, &format!("The original's tables, from version {from} to {}", from + 1), sql);
    }
    let version = format!("INSERT INTO {table} (version, dirty) VALUES ({}, false);", upstream::VERSION);
    add(script, &format!("The original's tables stand at version {}", upstream::VERSION), &version);
}

fn add_own(script: &mut String, migrations: &[(&str, &str)]) {
    add(script, "Where parsec counts its own migrations", CREATE_MIGRATIONS_TABLE);
    for (name, sql) in migrations {
        add(script, &format!("Migration {name}"), sql);
        let counted = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{}');", version(name));
        add(script, &format!("Migration {name} is done"), &counted);
    }
}

/// The part of a migration's name that is counted.
fn version(name: &str) -> &str {
    name.split('_').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use diesel::migration::MigrationSource;
    use diesel::pg::Pg;
    use diesel::sqlite::Sqlite;

    use super::*;

    fn names<DB: diesel::backend::Backend>(migrations: &impl MigrationSource<DB>) -> Vec<(String, String)> {
        let migrations = migrations.migrations().unwrap();
        let mut names: Vec<_> = migrations
            .iter()
            .map(|migration| (migration.name().to_string(), migration.name().version().to_string()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_scripts_are_those_of_every_migration() {
        let of = |scripts: &[(&str, &str)]| -> Vec<_> {
            scripts.iter().map(|(name, _)| ((*name).to_owned(), version(name).to_owned())).collect()
        };
        assert_eq!(of(&postgres::SCRIPTS), names::<Pg>(&postgres::MIGRATIONS));
        assert_eq!(of(&sqlite::SCRIPTS), names::<Sqlite>(&sqlite::MIGRATIONS));
    }
}
