//! What a process counts and how it is doing, and the actor that says so.

mod actor;
pub mod metrics;
mod role;
pub mod vitals;

pub use actor::{GetStatus, Scrape, Telemetry};
