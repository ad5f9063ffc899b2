//! Roles that may do some things and not others.

use parsec_store::StoreError;
use parsec_test_support::{TestDatabase, database};
use tokio_postgres::Client;

use crate::{at_version, lines, migrate, migrate_at};

/// A role of one test, which may log in and nothing more.
struct Guest {
    name: String,
    owner: Client,
}

impl Guest {
    async fn of(database: &TestDatabase) -> Self {
        Self { name: database.role("").await, owner: database.client().await }
    }

    /// `rights` end where the role's name belongs.
    async fn may(&self, rights: &str) {
        self.owner.batch_execute(&format!("GRANT {rights} TO {}", self.name)).await.unwrap();
    }

    /// Why it cannot migrate.
    async fn refusal(&self, database: &TestDatabase) -> String {
        match migrate_at(&database.url_as(&self.name)).await {
            Err(StoreError::Refused(reason)) => reason,
            other => panic!("a guest migrated: {other:?}"),
        }
    }

    /// Who made the tables.
    async fn owner_name(&self) -> String {
        lines(&self.owner, "SELECT current_user::TEXT").await.remove(0)
    }
}

#[tokio::test]
async fn one_that_may_create_nothing_is_told_so_and_may_start_once_the_tables_are_there() {
    let database = database().await;
    let guest = Guest::of(&database).await;
    let reason = guest.refusal(&database).await;
    for part in [
        &format!("`{}` has no right to create tables in schema `public`", guest.name),
        "run `parsec migrate` as a role that has it",
        &format!("GRANT CREATE ON SCHEMA public TO {}", guest.name),
    ] {
        assert!(reason.contains(part), "no {part} in {reason}");
    }
    migrate(&database).await.unwrap();
    guest.may("SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public").await;
    let migrated = migrate_at(&database.url_as(&guest.name)).await.unwrap();
    assert_eq!(migrated.before, migrated.after);
}

#[tokio::test]
async fn one_that_may_not_even_read_is_told_who_can_let_it() {
    let database = database().await;
    let guest = Guest::of(&database).await;
    migrate(&database).await.unwrap();
    let reason = guest.refusal(&database).await;
    let grant = format!("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {}", guest.name);
    assert!(reason.contains("no right to read table schema_migrations") && reason.contains(&grant), "{reason}");
    assert!(reason.contains(&format!("as its owner, `{}`", guest.owner_name().await)), "{reason}");

    guest.owner.batch_execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC").await.unwrap();
    let reason = guest.refusal(&database).await;
    assert!(reason.contains(&format!("GRANT USAGE ON SCHEMA public TO {}", guest.name)), "{reason}");
}

#[tokio::test]
async fn one_that_does_not_own_the_tables_is_told_who_must_migrate_them() {
    let (database, _) = at_version(5).await;
    let guest = Guest::of(&database).await;
    guest.may("CREATE ON SCHEMA public").await;
    guest.may("SELECT, INSERT, UPDATE, REFERENCES ON ALL TABLES IN SCHEMA public").await;
    let reason = guest.refusal(&database).await;
    let (change, migrate) =
        ("no right to change table", format!("run `parsec migrate` as its owner, `{}`", guest.owner_name().await));
    assert!(reason.contains(change) && reason.contains(&migrate) && reason.contains(&guest.name), "{reason}");
}

#[tokio::test]
async fn one_that_may_create_tables_beside_those_of_the_original_needs_the_right_to_refer_to_them() {
    let (database, client) = at_version(6).await;
    let guest = Guest::of(&database).await;
    guest.may("CREATE ON SCHEMA public").await;
    guest.may("SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public").await;
    let reason = guest.refusal(&database).await;
    let grant =
        format!("GRANT REFERENCES ON schedulers_ecs, nodes_ecs, retrievals_ecs, provides_ecs TO {}", guest.name);
    assert!(reason.contains("no right to make tables that refer to") && reason.contains(&grant), "{reason}");

    client.batch_execute(&grant).await.unwrap();
    migrate_at(&database.url_as(&guest.name)).await.unwrap();
}
