//! Finding all peers of a zone of the keyspace by lookups of points in it.
//!
//! A lookup that ends with the k peers closest to a point has found all peers of the largest zone around the point that does not
//! hold the farthest of them. The next point is taken from what is not covered yet. Semantics: `closestPeersToPrefix` in
//! `provider/provider.go` of go-libp2p-kad-dht, and `ShortestCoveredPrefix` in its `internal/keyspace`.

use std::collections::BTreeMap;

use super::prefix::{Coverage, Prefix};
use crate::strategy::key::{Contact, Key};

/// How many lookups explore one zone at most (Go: `maxExplorationPrefixSearches`).
pub(super) const MAX_LOOKUPS: usize = 64;

/// After so many lookups in a row that find nobody new, all are taken to be found (Go: `maxConsecutiveNoFreshPeers`).
const MAX_IN_VAIN: usize = 2;

/// A zone, and all peers in it.
#[derive(Debug)]
pub(super) struct Explored<P> {
    /// The zone that was asked for, or a larger one, if that has too few peers to hold a record.
    pub(super) zone: Prefix,
    /// By their points; at least as many as hold a record, if there are so many in the network.
    pub(super) peers: BTreeMap<Key, P>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Exploration<P> {
    zone: Prefix,
    /// Where in each zone the lookup begins, so that several nodes do not all ask the same peers.
    order: Key,
    replication: usize,
    covered: Coverage,
    peers: BTreeMap<Key, P>,
    lookups: usize,
    in_vain: usize,
}

impl<P: Contact> Exploration<P> {
    pub(super) fn new(zone: Prefix, order: Key, replication: usize) -> Self {
        Self { zone, order, replication, covered: Coverage::default(), peers: BTreeMap::new(), lookups: 0, in_vain: 0 }
    }

    /// Takes in the peers closest to `target`, which was looked up, and returns the point to look up next; `None` at the end.
    pub(super) fn take_in(&mut self, target: Key, closest: Vec<P>) -> Option<Key> {
        self.lookups += 1;
        let (covered, within) = self.covered_by(target, closest);
        let known = self.peers.len();
        self.peers.extend(within);
        self.in_vain = if self.peers.len() > known { 0 } else { self.in_vain + 1 };
        if self.lookups >= MAX_LOOKUPS || self.in_vain >= MAX_IN_VAIN {
            return None;
        }
        self.covered.add(covered);
        let next = loop {
            match self.covered.gap(self.zone, &self.order) {
                Some(gap) => break gap,
                None => self.zone = self.zone.parent().filter(|_| self.has_too_few())?,
            }
        };
        Some(next.point_closest_to(&self.order))
    }

    /// The zone that a lookup covers, and the peers that it found there.
    fn covered_by(&mut self, target: Key, closest: Vec<P>) -> (Prefix, BTreeMap<Key, P>) {
        let found: BTreeMap<Key, P> = closest.into_iter().map(|peer| (peer.key(), peer)).collect();
        let mut target = target;
        // The only peer of a network says nothing of the zone around it.
        if let [only] = found.keys().collect::<Vec<_>>()[..] {
            return (Prefix::of(only, Key::BITS), found);
        }
        loop {
            let shared = |key: &Key| key.distance(&target).common_prefix() as usize;
            let Some(least) = found.keys().map(shared).min() else { return (Prefix::of(&target, Key::BITS), found) };
            let covered = Prefix::of(&target, least + 1);
            let mut within = found.clone();
            within.retain(|key, _| covered.contains(key));
            let Some(sibling) = covered.sibling().filter(|_| within.is_empty()) else { return (covered, within) };
            // Nobody is where the target is: all found are in the zone beside it.
            self.covered.add(covered);
            target = sibling.point_closest_to(&target);
        }
    }

    fn has_too_few(&self) -> bool {
        self.peers.keys().filter(|key| self.zone.contains(key)).take(self.replication).count() < self.replication
    }

    /// How many lookups it has taken so far.
    pub(super) fn lookups(&self) -> usize {
        self.lookups
    }

    /// What has been found, in a zone with enough peers if there are enough.
    pub(super) fn explored(mut self) -> Explored<P> {
        while let Some(parent) = self.zone.parent().filter(|_| self.has_too_few()) {
            self.zone = parent;
        }
        let zone = self.zone;
        self.peers.retain(|key, _| zone.contains(key));
        Explored { zone, peers: self.peers }
    }
}
