//! Which traces a scheduler keeps: the policy and its random generator, shared by all its round loops.

use std::fmt;

use parking_lot::Mutex;
use parsec_measure::{Fleet, Measured, OperationKind, Share, TraceKeeper, WhyKept};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Decides for one trace after the other. Its state survives a crash of any round loop.
pub struct Traces(Mutex<(TraceKeeper, StdRng)>);

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

impl Traces {
    /// Keeps this share of the traces that are neither failed nor slow. `seed` makes the draws reproducible.
    pub fn new(sample: Share, seed: Option<u64>) -> Self {
        let rng = seed.map_or_else(|| StdRng::from_rng(&mut rand::rng()), StdRng::seed_from_u64);
        Self(Mutex::new((TraceKeeper::new(sample), rng)))
    }

    /// Removes the trace from a result unless it is to be kept; if it is kept, returns why.
    pub(crate) fn sift(&self, fleet: &Fleet, kind: OperationKind, result: &mut Measured) -> Option<WhyKept> {
        let mut policy = self.0.lock();
        let (keeper, rng) = &mut *policy;
        let why = keeper.decide(fleet, kind, result, rng.random());
        if why.is_none() {
            result.trace = None;
        }
        why
    }
}
