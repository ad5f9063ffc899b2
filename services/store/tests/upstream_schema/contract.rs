//! The original's schema after its sixth migration, as the contract writes it down, made into a database to compare with.

use parsec_test_support::{TestDatabase, database};

/// The tables, in the contract's words: `NN` is NOT NULL, `->` refers to the `id` of a table, and every `id` is
/// `INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY`.
const TABLES: [(&str, &str); 8] = [
    (
        "runs",
        "id, dependencies JSONB NN, started_at TIMESTAMPTZ NN, finished_at TIMESTAMPTZ CHECK (finished_at > started_at), \
         updated_at TIMESTAMPTZ NN CHECK (updated_at >= created_at), created_at TIMESTAMPTZ NN",
    ),
    (
        "nodes",
        "id, peer_id TEXT NN, run_id INT NN -> runs ON DELETE SET NULL, region TEXT NN, instance_type TEXT NN, \
         dependencies JSONB NN, created_at TIMESTAMPTZ NN",
    ),
    (
        "retrievals",
        "id, node_id INT NN -> nodes, rt_size INT NN, duration FLOAT NN, cid TEXT NN, error TEXT, created_at TIMESTAMPTZ NN",
    ),
    (
        "provides",
        "id, node_id INT NN -> nodes, rt_size INT NN, duration FLOAT NN, cid TEXT NN, error TEXT, created_at TIMESTAMPTZ NN",
    ),
    ("schedulers_ecs", "id, fleets TEXT[] NN, dependencies JSONB NN, created_at TIMESTAMPTZ NN"),
    (
        "nodes_ecs",
        "id, cpu INT NN, memory INT NN, peer_id TEXT NN, region TEXT NN, cmd TEXT NN, fleet TEXT NN, \
         dependencies JSONB NN, ip_address INET NN, server_port SMALLINT NN, peer_port SMALLINT NN, \
         last_heartbeat TIMESTAMPTZ, offline_since TIMESTAMPTZ, created_at TIMESTAMPTZ NN",
    ),
    (
        "retrievals_ecs",
        "id, scheduler_id INT NN -> schedulers_ecs ON DELETE CASCADE, node_id INT NN -> nodes_ecs ON DELETE CASCADE, \
         rt_size INT NN, duration FLOAT NN, cid TEXT NN, error TEXT, created_at TIMESTAMPTZ NN",
    ),
    (
        "provides_ecs",
        "id, scheduler_id INT NN -> schedulers_ecs ON DELETE CASCADE, node_id INT NN -> nodes_ecs ON DELETE CASCADE, \
         rt_size INT NN, duration FLOAT NN, cid TEXT NN, error TEXT, created_at TIMESTAMPTZ NN, step TEXT NN",
    ),
];

/// The names of the references.
const REFERENCES: [(&str, &str, &str); 7] = [
    ("nodes", "run_id", "fk_nodes_run_id"),
    ("retrievals", "node_id", "fk_retrievals_node"),
    ("provides", "node_id", "fk_provides_node"),
    ("retrievals_ecs", "scheduler_id", "fk_retrievals_ecs_scheduler_id"),
    ("retrievals_ecs", "node_id", "fk_retrievals_ecs_node_id"),
    ("provides_ecs", "scheduler_id", "fk_provides_ecs_scheduler_id"),
    ("provides_ecs", "node_id", "fk_provides_ecs_node_id"),
];

/// The tables with an index on `created_at`, which is named after them.
const INDEXED: [&str; 4] = ["retrievals", "provides", "retrievals_ecs", "provides_ecs"];

/// What golang-migrate counts in.
const VERSION_TABLE: &str = "CREATE TABLE schema_migrations (version bigint primary key, dirty boolean not null)";

/// A database that has what the contract says, and nothing of parsec's making.
pub(crate) async fn reference() -> TestDatabase {
    let database = database().await;
    let mut statements = vec![VERSION_TABLE.to_owned()];
    for (table, columns) in TABLES {
        let columns: Vec<_> = columns.split(", ").map(|column| definition(table, column)).collect();
        statements.push(format!("CREATE TABLE {table} ({})", columns.join(", ")));
    }
    statements.extend(INDEXED.map(|table| format!("CREATE INDEX idx_{table}_created_at ON {table} (created_at)")));
    database.client().await.batch_execute(&statements.join(";")).await.unwrap();
    database
}

/// A column in SQL.
fn definition(table: &str, column: &str) -> String {
    if column == "id" {
        return "id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY".to_owned();
    }
    let column = column.replace(" NN", " NOT NULL");
    let Some((before, reference)) = column.split_once(" -> ") else { return column };
    let name = REFERENCES.iter().find(|(of, column, _)| *of == table && before.starts_with(&format!("{column} ")));
    let (_, _, name) = name.unwrap_or_else(|| panic!("the contract names no reference for {table}.{before}"));
    let (target, action) = reference.split_once(' ').unwrap_or((reference, ""));
    format!("{before} CONSTRAINT {name} REFERENCES {target} (id) {action}")
}

/// Rows such as each version of the original left, to be inserted once its tables are there.
pub(crate) const DATA: [&str; 6] = [
    "INSERT INTO runs (dependencies, started_at, finished_at, updated_at, created_at) \
     VALUES ('{}', now(), now() + INTERVAL '1h', now(), now()), ('{\"a\": 1}', now(), NULL, now(), now())",
    "INSERT INTO nodes (peer_id, run_id, region, instance_type, dependencies, created_at) \
     VALUES ('12D3', 1, 'eu', 't3', '{}', now())",
    "INSERT INTO retrievals (node_id, rt_size, duration, cid, error, created_at) \
     VALUES (1, 200, 1.5, 'Qm', NULL, now()), (1, 201, 60, 'Qm', 'not found', now())",
    "INSERT INTO provides (node_id, rt_size, duration, cid, created_at) VALUES (1, 200, 1.5, 'Qm', now())",
    "INSERT INTO schedulers_ecs (fleets, dependencies, created_at) VALUES ('{default}', '{}', now()); \
     INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, peer_port, \
     last_heartbeat, created_at) \
     SELECT 2, 4096, '12D3', 'eu', 'parsec', fleet, '{}', '192.0.2.7', 7070, -25536, now(), now() \
     FROM unnest('{default,cid.contact,\"\"}'::TEXT[]) AS fleet; \
     INSERT INTO provides_ecs (scheduler_id, node_id, rt_size, duration, cid, error, created_at) \
     SELECT 1, id, 200, 1.5, 'Qm', nullif(fleet, 'default'), now() FROM nodes_ecs ORDER BY id; \
     INSERT INTO retrievals_ecs (scheduler_id, node_id, rt_size, duration, cid, error, created_at) \
     SELECT 1, id, 200, 0.5, 'Qm', nullif(fleet, 'default'), now() FROM nodes_ecs ORDER BY id",
    "INSERT INTO provides_ecs (scheduler_id, node_id, rt_size, duration, cid, created_at, step) \
     VALUES (1, 2, 0, 0.1, 'Qm', now(), 'announce')",
];
