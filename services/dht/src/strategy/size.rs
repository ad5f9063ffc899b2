//! How many peers the network has, estimated from how close the closest peers of random keys are.
//!
//! If N peers are spread evenly over the keyspace, the distance d of the k-th closest to any key, as a share of the
//! keyspace, follows Beta(k, N + 1 − k), and (k − 1)/d is N on average: exactly, not only in large networks. So every
//! lookup that ended with k peers is a sample of N, off by 1/√(k − 2), 24 % for k = 20; the estimate is their mean, a
//! sample whose neighbourhood is known badly weighing less.
//!
//! go-libp2p-kad-dht (`netsize.go`) takes the same samples with the same weights, ages and limits, but fits a line through
//! the mean distances of the ranks 1 to k, each weighing as much as it scatters. The k-th distance alone says all that k
//! distances have to say, the nearer ones being spread evenly below it; the mean of (k − 1)/d makes 90 % of what could be
//! made of the samples, the fit 86 %, and the latter has no value when nothing scatters. Lookups that ended too far away,
//! as with a table just begun, or too near, as with peers placed around a key on purpose, are left out: a sample must not
//! differ from the median by more than twice, which honest ones do once in three hundred times.

use std::collections::VecDeque;
use std::time::Duration;

use thiserror::Error;

use crate::strategy::key::Key;

/// Older samples may describe a network of another size (Go: `MaxMeasurementAge`).
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// With fewer samples there is no estimate (Go: `MinMeasurementsThreshold`).
const MIN_SAMPLES: usize = 5;

/// How many samples are kept, the latest (Go: `MaxMeasurementsThreshold`).
const MAX_SAMPLES: usize = 150;

/// After this many halvings a weight hardly counts any more, but its square is still a positive number.
const MAX_HALVINGS: usize = 64;

/// By what factor a sample may differ from the median.
const MAX_RATIO: f64 = 2.0;

/// How many peers there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeEstimate {
    /// Peers in the network, ourselves not counted.
    pub peers: f64,
    /// How many lookups this is taken from.
    pub lookups: usize,
    /// The standard error as a share of [`SizeEstimate::peers`].
    pub relative_error: f64,
}

/// Why there is no estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("network size unknown: {have} of {need} lookups that found {k} peers in the last two hours")]
pub struct NotEnough {
    /// Lookups so far.
    pub have: usize,
    /// Lookups that are needed.
    pub need: usize,
    /// How many peers such a lookup ends with.
    pub k: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    peers: f64,
    weight: f64,
    at: Duration,
}

/// Estimates the size of the network from lookups; see the module's documentation.
#[derive(Debug, Clone)]
pub struct SizeEstimator {
    local: Key,
    k: usize,
    /// Ordered by time.
    samples: VecDeque<Sample>,
}

impl SizeEstimator {
    /// An estimator for a node at `local`, with lookups that end with `k` peers, at least 2.
    pub fn new(local: Key, k: usize) -> Self {
        Self { local, k, samples: VecDeque::new() }
    }

    /// Adds a lookup that ran to its natural end with exactly k peers; others are ignored. `closest` are the keys of
    /// these peers (unreachable ones included: [`Walked::named`](super::Walked::named)). `in_bucket` is the number of
    /// peers in the bucket of our own routing table that `target` falls into. Returns whether it was added.
    ///
    /// Targets should be random. `now` is the time on a clock that never goes back, the same for every call.
    pub fn track(&mut self, target: &Key, closest: &[Key], in_bucket: usize, now: Duration) -> bool {
        let distances = closest.iter().map(|key| key.distance(target).fraction());
        let kth = distances.fold(0.0, f64::max);
        if closest.len() != self.k || self.k < 2 || kth == 0.0 {
            return false;
        }
        let weight = self.weight(target, closest, in_bucket);
        self.samples.push_back(Sample { peers: (self.k - 1) as f64 / kth, weight, at: now });
        while self.samples.len() > MAX_SAMPLES || self.samples.front().is_some_and(|sample| !sample.is_recent(now)) {
            self.samples.pop_front();
        }
        true
    }

    /// 2^(level − k), level being how full the bucket is that the target falls into, by our table or by the lookup: in a
    /// bucket that is not full, lookups come upon the same few peers again and again (Go: `calcWeight`).
    fn weight(&self, target: &Key, closest: &[Key], in_bucket: usize) -> f64 {
        let bucket = |key: &Key| self.local.distance(key).common_prefix();
        let found = closest.iter().filter(|key| bucket(key) == bucket(target)).count();
        let missing = self.k.saturating_sub(in_bucket.max(found));
        // By halves, which are exact: the last bit of a power differs between platforms.
        (0..missing.min(MAX_HALVINGS)).fold(1.0, |weight, _| weight / 2.0)
    }

    /// The size of the network according to the lookups of the last two hours.
    ///
    /// # Errors
    /// With fewer than five such lookups.
    pub fn estimate(&self, now: Duration) -> Result<SizeEstimate, NotEnough> {
        let mut samples: Vec<Sample> = self.samples.iter().filter(|sample| sample.is_recent(now)).copied().collect();
        if samples.len() < MIN_SAMPLES {
            return Err(NotEnough { have: samples.len(), need: MIN_SAMPLES, k: self.k });
        }
        let median = weighted_median(&mut samples);
        samples.retain(|sample| sample.peers <= median * MAX_RATIO && sample.peers >= median / MAX_RATIO);
        let sum = |term: fn(&Sample) -> f64| samples.iter().map(term).sum::<f64>();
        let weight = sum(|sample| sample.weight);
        // The number of samples of equal weight that would be as exact as these.
        let effective = weight * weight / sum(|sample| sample.weight * sample.weight);
        let freedom = (self.k as f64 - 2.0).max(1.0);
        Ok(SizeEstimate {
            peers: sum(|sample| sample.weight * sample.peers) / weight,
            lookups: samples.len(),
            relative_error: 1.0 / (freedom * effective).sqrt(),
        })
    }
}

impl Sample {
    fn is_recent(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) <= MAX_AGE
    }
}

/// The sample that has half of the weight on either side. Sorts them.
fn weighted_median(samples: &mut [Sample]) -> f64 {
    samples.sort_unstable_by(|a, b| a.peers.total_cmp(&b.peers));
    let half = samples.iter().map(|sample| sample.weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let middle = samples.iter().find(|sample| {
        below += sample.weight;
        below >= half
    });
    middle.or(samples.last()).map_or(0.0, |sample| sample.peers)
}
