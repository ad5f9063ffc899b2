//! What was measured, as numbers. Pure: no clock, no input, no output, and no words for people, which are made in
//! `parsec-show`.
//!
//! - [`phases`]: what a request was doing at which time
//! - [`path`]: the critical path, on which every moment of an operation belongs to somebody
//! - [`explain`]: what the time of an operation went to, to be added up or told
//! - [`bench`]: operations of one kind by one strategy on simulated networks
//! - [`bulk`]: many keys published at once
//! - [`timeline`]: operations on a clock on which things happen
//! - [`run`]: what was measured at one go, as it is kept in a file
//! - [`check`]: limits that measurements must keep
//! - [`Grouping`]: operations by what they have in common; [`Records`]: what became of their records
//! - [`Sampling`]: which operations the traces that were kept stand for
//! - [`Uses`]: with which versions and configuration, and when these changed
//! - [`Spending`]: what the time of many operations went to; [`Costs`]: which peers it went to
//! - [`incidents`]: what happened in a stretch of time: outages, losses, bursts of failures, shifts of p90
//! - [`statistics`]: what many attempts say together, and how sure that is

pub mod bench;
pub mod bulk;
pub mod check;
mod costs;
mod explanation;
mod groups;
pub mod incidents;
pub mod path;
pub mod phases;
mod portions;
mod records;
pub mod run;
mod sampling;
mod setups;
mod spending;
pub mod statistics;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timeline;

pub use costs::{Costs, MAX_PEERS, PeerCost, PeerCosts};
pub use explanation::{Background, Explanation, Unconfirmed, explain};
pub use groups::{Dimension, Group, Grouping, Looked, UNKNOWN, round_number};
pub use path::{Cause, Part, Share};
pub use phases::{Phase, Span};
pub use portions::{Portion, portions};
pub use records::{GivenMeans, Mean, RecordGroup, Records, Verified};
pub use sampling::{Layer, NotAsked, Sampling, StandsFor, Unrepresented};
pub use setups::{Change, Changed, Configured, MeasuredWith, Uses, Whose};
pub use spending::{Estimate, Named, Spending, Spent};
