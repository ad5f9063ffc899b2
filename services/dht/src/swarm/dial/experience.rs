//! What a node has learnt from earlier dials.

use std::sync::Arc;

use parking_lot::Mutex;

use super::backoff::BackOff;
use super::black_hole::BlackHoles;

/// What earlier dials have taught, shared by a node's transport and the code that makes it forget.
#[derive(Debug, Clone, Default)]
pub(crate) struct Experience(pub(super) Arc<Mutex<Learnt>>);

#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub(super) backoff: BackOff,
    pub(super) black_holes: BlackHoles,
}

impl Experience {
    /// Every address may be dialled again.
    pub(crate) fn forget(&self) {
        *self.0.lock() = Learnt::default();
    }
}
