//! SQLite: the same tables in one file, with text where it has no type for a UUID, a time, JSON, a list or an address.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

#[expect(missing_docs, reason = "the SQL under `sqlite/` says what the columns mean")]
mod tables;

pub use tables::*;

/// Makes all tables, the original's included.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("sqlite/migrations");

/// The same as text, each with its name: the version, and what it is about.
pub const SCRIPTS: [(&str, &str); 7] = [
    ("0001_upstream_tables", include_str!("../sqlite/migrations/0001_upstream_tables/up.sql")),
    ("0002_rounds_and_operations", include_str!("../sqlite/migrations/0002_rounds_and_operations/up.sql")),
    ("0003_traces", include_str!("../sqlite/migrations/0003_traces/up.sql")),
    ("0004_found_publisher", include_str!("../sqlite/migrations/0004_found_publisher/up.sql")),
    ("0005_confirmed_and_checked", include_str!("../sqlite/migrations/0005_confirmed_and_checked/up.sql")),
    ("0006_who_answers", include_str!("../sqlite/migrations/0006_who_answers/up.sql")),
    ("0007_views", include_str!("../sqlite/migrations/0007_views/up.sql")),
];
