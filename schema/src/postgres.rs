//! PostgreSQL: the tables that parsec uses, and the migrations of its own.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

#[expect(missing_docs, reason = "the SQL under `postgres/` says what the columns mean")]
mod tables;

pub use tables::*;

/// Makes the tables of our own. They refer to the original's, which must stand already.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("postgres/migrations");
