//! `parsec migrate`: brings the database up to date and prints what it did, or prints the SQL to do so by hand.

use parsec_store::{Migrated, SchemaVersion, migration_script};

use crate::database;
use parsec_output as output;
use parsec_settings::MigrateConfig;

/// `parsec migrate`.
pub(crate) async fn run(config: MigrateConfig) -> anyhow::Result<()> {
    let target = config.database.target()?;
    if config.print {
        output::line(migration_script(&target).trim_end())?;
        return Ok(());
    }
    let (store, migrated) = database::open_and_migrate(&target, config.database.wait_to_run()).await?;
    output::line(&format!("database {target}"))?;
    for line in lines(&migrated) {
        output::line(&line)?;
    }
    // A migration may bring tables that the roles of the programs have no rights to yet.
    for closed in store.closed_tables(true).await? {
        output::line(&closed.to_string())?;
    }
    Ok(())
}

/// What was done, one line for each program that keeps a schema version.
fn lines(Migrated { before, after }: &Migrated) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(before), Some(after)) = (before.original, after.original) {
        lines.push(format!("tables of the original: {}", change(&version(before), &version(after))));
    }
    let own = |version: &SchemaVersion| {
        version.own.as_deref().map_or_else(|| "none".to_owned(), |own| format!("migration {own}"))
    };
    let whose = if after.original.is_some() { "tables of its own" } else { "all tables" };
    lines.push(format!("{whose}: {}", change(&own(before), &own(after))));
    lines
}

fn version(version: i64) -> String {
    if version == 0 { "none".to_owned() } else { format!("version {version}") }
}

fn change(before: &str, after: &str) -> String {
    if before == after { format!("{after}, as before") } else { format!("from {before} to {after}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stands(original: Option<i64>, own: Option<&str>) -> SchemaVersion {
        SchemaVersion { original, own: own.map(str::to_owned) }
    }

    #[test]
    fn both_versions_are_told_before_and_after() {
        let done = Migrated { before: stands(Some(0), None), after: stands(Some(6), Some("0002")) };
        assert_eq!(
            lines(&done),
            ["tables of the original: from none to version 6", "tables of its own: from none to migration 0002"]
        );
        let done = Migrated { before: stands(Some(6), Some("0001")), after: stands(Some(6), Some("0002")) };
        assert_eq!(
            lines(&done),
            [
                "tables of the original: version 6, as before",
                "tables of its own: from migration 0001 to migration 0002"
            ]
        );
    }

    #[test]
    fn a_file_has_one_version() {
        let done = Migrated { before: stands(None, Some("0003")), after: stands(None, Some("0003")) };
        assert_eq!(lines(&done), ["all tables: migration 0003, as before"]);
    }
}
