//! What many attempts say together, and how sure that is.
//!
//! - [`Reading`]: what one attempt says, a time or a failure; what says nothing about the DHT has none
//! - [`Sample`]: the readings of one group, with the rounds in which they were taken
//! - [`Interval`], [`Share`]: estimates and how far they may be off
//! - [`Ecdf`]: the share of all due attempts that was done after a time
//! - [`compare()`]: two groups against each other, with a [`Verdict`]
//! - [`changes`]: the same differences, to be asked with any certainty
//! - [`rounds_to_see`]: how long to measure to see a difference of a given size
//!
//! Attempts of one round share their content, their moment and often their peers. They are not independent, so every interval here
//! takes the round, not the attempt, as the unit.

mod blocks;
mod bootstrap;
mod change;
mod clusters;
mod compare;
mod ecdf;
mod holm;
mod interval;
mod plan;
mod quantile;
mod reading;
mod resample;
mod sample;
mod verdict;

pub(crate) use bootstrap::intervals;
pub use change::Change;
pub use compare::{CompareError, Compared, Comparison, changes, compare};
pub use ecdf::{Ecdf, Step};
pub(crate) use interval::Z;
pub use interval::{CONFIDENCE, Interval, Share};
pub use plan::rounds_to_see;
pub use quantile::{QUANTILES, Quantile, attempts_to_carry};
pub use reading::{Reading, reading};
pub use resample::{MIN_ROUNDS, RESAMPLES};
pub use sample::{Counts, Observation, Sample};
pub use verdict::{Figure, Verdict};
