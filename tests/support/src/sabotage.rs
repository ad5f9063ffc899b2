//! Faults inside PostgreSQL, made with its own means.

use std::time::Duration;

use tokio_postgres::{Client, Error};

/// Where rows are written.
const TABLES: [&str; 10] = [
    "schedulers_ecs",
    "nodes_ecs",
    "provides_ecs",
    "retrievals_ecs",
    "rounds",
    "operations",
    "traces",
    "follow_ups",
    "planned_checks",
    "record_checks",
];

/// What happens to statements that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    None,
    /// They fail with the SQLSTATE and the words of a full disk. The disk has room: a full one takes a file system of its
    /// own, which takes a privileged machine; what a client sees is the same.
    DiskFull,
    /// They take so much longer.
    Slow(Duration),
    /// Those on these tables fail with the SQLSTATE and the words of a missing right. Whoever writes may be a superuser,
    /// from whom nothing can be revoked.
    NoRights(&'static [&'static str]),
}

/// Puts the triggers in place that [`sabotage`] works with. The tables must be there.
///
/// # Errors
/// If the server refuses.
pub async fn prepare(client: &Client) -> Result<(), Error> {
    sabotage(client, Sabotage::None).await?;
    for table in TABLES {
        let trigger = format!(
            "CREATE TRIGGER sabotage BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION sabotage()"
        );
        client.batch_execute(&trigger).await?;
    }
    Ok(())
}

/// From now on. Only a function is replaced, which waits for no lock.
///
/// # Errors
/// If the server refuses.
pub async fn sabotage(client: &Client, kind: Sabotage) -> Result<(), Error> {
    let body = match kind {
        Sabotage::None => String::new(),
        Sabotage::DiskFull => {
            // PostgreSQL's own words, from its message catalogue for SQLSTATE 53100.
            "RAISE EXCEPTION USING ERRCODE = 'disk_full', \
             MESSAGE = 'could not extend file \"base/5/16384\": No space left on device', \
             HINT = 'Check free disk space.';"
                .to_owned()
        }
        Sabotage::NoRights(tables) => format!(
            "IF TG_TABLE_NAME IN ('{}') THEN RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', \
             MESSAGE = 'permission denied for table ' || TG_TABLE_NAME; END IF;",
            tables.join("', '")
        ),
        Sabotage::Slow(by) => format!("PERFORM pg_sleep({});", by.as_secs_f64()),
    };
    let function = format!(
        "CREATE OR REPLACE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN {body} RETURN NULL; END $$"
    );
    client.batch_execute(&function).await
}

/// Ends every session but this one, and makes those that begin from now on read-only for as long as they last, as those are that
/// a server keeps in a fail-over; or makes new ones writable again.
///
/// # Errors
/// If the server refuses.
pub async fn read_only_sessions(client: &Client, on: bool) -> Result<(), Error> {
    if !on {
        return client.batch_execute("ALTER ROLE parsec RESET default_transaction_read_only").await;
    }
    client.batch_execute("ALTER ROLE parsec SET default_transaction_read_only = on").await?;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    client.batch_execute(others).await
}

/// Makes every transaction of the server read-only from now on, or ends that: as on a replica, or while a managed
/// database has run out of space.
///
/// # Errors
/// If the server refuses.
pub async fn read_only(client: &Client, on: bool) -> Result<(), Error> {
    let value = if on { "on" } else { "off" };
    client.batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).await?;
    client.batch_execute("SELECT pg_reload_conf()").await
}
