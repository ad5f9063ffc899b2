//! Months of synthetic measurements, to try what reads them: rounds of several fleets in several regions, with failures,
//! traces, follow-ups and checks of records. The same [`History`] makes the same rows.
//!
//! - [`History`]: how much of what; [`write()`] puts it into a database that is migrated
//! - `world`: servers, and the peers of the DHT; `round`: what happens in one round; `trace`: what an operation did, request by request
//! - `chance`: random numbers and what is made of them

mod chance;
mod history;
mod round;
mod trace;
mod world;
mod writing;

pub use history::{FLEETS, History, REGIONS};
pub use writing::write;
