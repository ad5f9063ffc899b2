//! SQLite: the same tables in one file, with text where it has no type for a UUID, a time, JSON, a list or an address.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

#[expect(missing_docs, reason = "the SQL under `sqlite/` says what the columns mean")]
mod tables;

pub use tables::*;

/// Makes all tables, the original's included.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("sqlite/migrations");
