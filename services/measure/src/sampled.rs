//! Operations as one needs them to say which traces stand for which operations.

use crate::{ArchivedOperation, SchedulerId, WhyKept};

/// An operation, and whether its trace was kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampledOperation {
    /// The operation.
    pub operation: ArchivedOperation,
    /// The loop of rounds that asked for it. It keeps the same share of traces from its start to its end.
    pub scheduler: SchedulerId,
    /// Whether its server tells what it did, so that there was a trace to keep.
    pub is_told: bool,
    /// Why its trace was kept, if it was.
    pub why_kept: Option<WhyKept>,
}
