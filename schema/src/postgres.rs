//! PostgreSQL: the tables that parsec uses, and the migrations of its own.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

#[expect(missing_docs, reason = "the SQL under `postgres/` says what the columns mean")]
mod tables;

pub use tables::*;

/// Makes the tables of our own. They refer to the original's, which must stand already.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("postgres/migrations");

/// The same as text, each with its name: the version, and what it is about.
pub const SCRIPTS: [(&str, &str); 7] = [
    ("0001_rounds_and_operations", include_str!("../postgres/migrations/0001_rounds_and_operations/up.sql")),
    ("0002_traces", include_str!("../postgres/migrations/0002_traces/up.sql")),
    ("0003_found_publisher", include_str!("../postgres/migrations/0003_found_publisher/up.sql")),
    ("0004_confirmed_and_checked", include_str!("../postgres/migrations/0004_confirmed_and_checked/up.sql")),
    ("0005_comments", include_str!("../postgres/migrations/0005_comments/up.sql")),
    ("0006_who_answers", include_str!("../postgres/migrations/0006_who_answers/up.sql")),
    ("0007_views", include_str!("../postgres/migrations/0007_views/up.sql")),
];

/// Every table of our own, the one that counts the migrations included.
pub const OWN_TABLES: [&str; 7] =
    ["rounds", "operations", "traces", "follow_ups", "planned_checks", "record_checks", "__diesel_schema_migrations"];

/// Every view of our own.
pub const OWN_VIEWS: [&str; 5] = ["v_operations", "v_requests", "v_traces", "v_rounds", "v_records"];
