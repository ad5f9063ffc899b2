//! Limits that measurements must keep, as CI jobs want them checked.
//!
//! - [`Threshold`]: a limit, as one writes it: `provide.p90{fleet=optprov} > 2s`
//! - [`Gathering`]: the measurements that each limit is about
//! - [`judge`]: whether they keep all of them, and how sure that is

mod gather;
mod judge;
mod parse;
mod threshold;

pub use gather::{Gathering, Subject};
pub use judge::{Asked, Found, Judged, Judgement, Undecided, judge};
pub use parse::split;
pub use threshold::{Crossing, LABELS, Limit, Measured, Metric, Threshold};
