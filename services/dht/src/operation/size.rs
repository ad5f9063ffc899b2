//! The size of the network, as far as a node knows: estimated from its lookups, or counted by a crawl.

use std::sync::Arc;

use libp2p::PeerId;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::strategy::key::{Contact, Key};
use crate::strategy::{NotEnough, SizeEstimator, Walked};

/// What a node knows of the network's size, shared by all its operations.
#[derive(Debug, Clone)]
pub(crate) struct NetworkSize(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    estimator: Mutex<SizeEstimator>,
    counted: Mutex<Option<u32>>,
}

impl NetworkSize {
    /// Nothing known yet, for a node whose lookups end with `k` peers.
    pub(crate) fn unknown(local: &PeerId, k: usize) -> Self {
        let estimator = Mutex::new(SizeEstimator::new(local.key(), k));
        Self(Arc::new(Inner { began: Instant::now(), estimator, counted: Mutex::default() }))
    }

    /// A lookup of `target` has ended; our own table has `in_bucket` peers in the bucket of the target.
    pub(crate) fn track(&self, target: &Key, walked: &Walked<PeerId>, in_bucket: usize) {
        let named: Vec<Key> = walked.named.iter().map(Contact::key).collect();
        self.0.estimator.lock().track(target, &named, in_bucket, self.0.began.elapsed());
    }

    /// A crawl has met this many peers.
    pub(crate) fn counted(&self, peers: usize) {
        *self.0.counted.lock() = Some(u32::try_from(peers).unwrap_or(u32::MAX));
    }

    /// The estimate from lookups.
    pub(crate) fn estimate(&self) -> Result<f64, NotEnough> {
        Ok(self.0.estimator.lock().estimate(self.0.began.elapsed())?.peers)
    }

    /// How many lookups the estimate is based on.
    pub(crate) fn samples(&self) -> usize {
        self.0.estimator.lock().estimate(self.0.began.elapsed()).map_or_else(|few| few.have, |size| size.lookups)
    }

    /// The best known size, in peers: a count is preferred to an estimate.
    pub(crate) fn known(&self) -> Option<u32> {
        let estimated = || Some(self.estimate().ok()?.round().clamp(0.0, f64::from(u32::MAX)) as u32);
        let counted = *self.0.counted.lock();
        counted.or_else(estimated)
    }
}
