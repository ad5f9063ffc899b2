//! The tables of the database and the SQL that makes them, nothing else.
//!
//! - [`postgres`] and [`sqlite`]: the tables as diesel sees them, and the migrations of our own tables.
//! - [`upstream`]: the original's tables on PostgreSQL, which Go programs share with ours.
//!
//! The original keeps its schema with golang-migrate, in versions 1 to 6. On PostgreSQL these six steps and ours are
//! kept apart: theirs are counted in `schema_migrations`, ours in `__diesel_schema_migrations`. Nobody else opens an
//! SQLite file, so there both are diesel's.

pub mod postgres;
pub mod sqlite;
pub mod upstream;
