//! Which traces a scheduler keeps: the policy with its randomness, shared by all its loops of rounds.

use std::fmt;

use parking_lot::Mutex;
use parsec_measure::{Fleet, Measured, OperationKind, Share, TraceKeeper, WhyKept};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Decides about one trace after the other. What it remembers survives a crash of any loop.
pub struct Traces(Mutex<(TraceKeeper, StdRng)>);

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

impl Traces {
    /// Keeps this share of what is neither failed nor slow. `seed` makes the draws reproducible.
    pub fn new(sample: Share, seed: Option<u64>) -> Self {
        let rng = seed.map_or_else(|| StdRng::from_rng(&mut rand::rng()), StdRng::seed_from_u64);
        Self(Mutex::new((TraceKeeper::new(sample), rng)))
    }

    /// Takes the trace out of a result, unless it is to be kept: then says why.
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
