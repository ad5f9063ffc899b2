//! What was measured, on its way into the database.

mod backlog;
mod disk;
mod memory;
pub mod recorder;
mod refused;
mod watched;
