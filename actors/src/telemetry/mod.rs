//! The metrics and the state of a process, and the actor that reports them.

mod actor;
pub mod metrics;
mod role;
pub mod vitals;

pub use actor::{GetStatus, Scrape, Telemetry};
