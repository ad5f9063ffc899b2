//! What was measured, as numbers. Pure: no clock, no input, no output, and no words for people, which are made in
//! `parsec-show`.
//!
//! - [`phases`]: what a request was doing at which time
//! - [`path`]: the critical path, on which every moment of an operation belongs to somebody
//! - [`explain`]: what the time of an operation went to, to be added up or told
//! - [`bench`]: operations of one kind by one strategy on a simulated network
//! - [`Grouping`]: operations by what they have in common; [`Records`]: what became of their records
//! - [`statistics`]: what many attempts say together, and how sure that is

pub mod bench;
mod explanation;
mod groups;
pub mod path;
pub mod phases;
mod records;
pub mod statistics;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use explanation::{Background, Explanation, Unconfirmed, explain};
pub use groups::{Dimension, Group, Grouping, Looked, round_number};
pub use path::{Cause, Part, Share};
pub use phases::{Phase, Span};
pub use records::{GivenMeans, Mean, RecordGroup, Records, Verified};
