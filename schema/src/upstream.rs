//! The original's schema on PostgreSQL, as the six steps in which it came about.

/// What takes a database from version `n` to version `n + 1`, at index `n`.
pub const STEPS: [&str; 6] = [
    include_str!("../postgres/upstream/1_runs.sql"),
    include_str!("../postgres/upstream/2_nodes.sql"),
    include_str!("../postgres/upstream/3_retrievals.sql"),
    include_str!("../postgres/upstream/4_provides.sql"),
    include_str!("../postgres/upstream/5_ecs.sql"),
    include_str!("../postgres/upstream/6_provide_steps.sql"),
];

/// The version after all [`STEPS`].
pub const VERSION: i64 = STEPS.len() as i64;

/// The table in which golang-migrate counts them: its default name.
pub const VERSION_TABLE: &str = "schema_migrations";

/// Makes that table as golang-migrate does.
pub const CREATE_VERSION_TABLE: &str =
    "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)";

/// The tables of the original that we write and read, with every column that we give a value or rely on.
pub const USED_COLUMNS: [(&str, &[&str]); 4] = [
    ("schedulers_ecs", &["id", "fleets", "dependencies", "created_at"]),
    (
        "nodes_ecs",
        &[
            "id",
            "cpu",
            "memory",
            "peer_id",
            "region",
            "cmd",
            "fleet",
            "dependencies",
            "ip_address",
            "server_port",
            "peer_port",
            "last_heartbeat",
            "offline_since",
            "created_at",
        ],
    ),
    ("retrievals_ecs", &["id", "scheduler_id", "node_id", "rt_size", "duration", "cid", "error", "created_at"]),
    ("provides_ecs", &["id", "scheduler_id", "node_id", "rt_size", "duration", "cid", "error", "created_at", "step"]),
];

/// Every table of the original. A database that has one of them but no [`VERSION_TABLE`] was not made by parsec.
pub const TABLES: [&str; 8] =
    ["runs", "nodes", "retrievals", "provides", "schedulers_ecs", "nodes_ecs", "retrievals_ecs", "provides_ecs"];
