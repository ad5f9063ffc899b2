//! All peers of the network, as found by a crawl.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::strategy::key::Key;
use crate::strategy::{CrawlOutcome, FullTable};
use crate::wire::messages::NamedPeer;

/// How long a census is valid: until the next crawl should have ended. Go uses exactly one hour, and therefore reports
/// "not ready" if the next crawl takes a little longer than the one before.
pub(crate) const VALID: Duration = Duration::from_secs(3_600 + 900);

/// All peers that the last crawl met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census(Arc<RwLock<Option<Met>>>);

#[derive(Debug)]
struct Met {
    peers: FullTable<PeerId>,
    addresses: BTreeMap<PeerId, Vec<Multiaddr>>,
    ended: Instant,
}

impl Census {
    /// The `count` peers closest to a point, closest first, and how many there are in all.
    pub(crate) fn closest(&self, target: &Key, count: usize) -> (Vec<NamedPeer>, usize) {
        let met = self.0.read();
        let Some(met) = &*met else { return (Vec::new(), 0) };
        let named = |id: PeerId| NamedPeer { id, addresses: met.addresses.get(&id).cloned().unwrap_or_default() };
        (met.peers.closest(target, count).into_iter().map(named).collect(), met.peers.len())
    }

    /// How many peers the last crawl met.
    pub(crate) fn size(&self) -> usize {
        self.0.read().as_ref().map_or(0, |met| met.peers.len())
    }

    /// How many peers there are, if a crawl has ended recently enough.
    pub(crate) fn valid(&self) -> Option<usize> {
        let met = self.0.read();
        met.as_ref().filter(|met| met.ended.elapsed() < VALID).map(|met| met.peers.len())
    }

    /// A crawl has ended.
    pub(crate) fn replace(&self, outcome: CrawlOutcome<PeerId>, addresses: BTreeMap<PeerId, Vec<Multiaddr>>) {
        *self.0.write() = Some(Met { peers: FullTable::new(outcome.reachable), addresses, ended: Instant::now() });
    }

    /// The last crawl turned out to be incomplete.
    pub(crate) fn take_back(&self) {
        *self.0.write() = None;
    }

    /// All peers, at the addresses that were named for them.
    pub(crate) fn everybody(&self) -> Vec<NamedPeer> {
        let met = self.0.read();
        let named = |(id, addresses): (&PeerId, &Vec<Multiaddr>)| NamedPeer { id: *id, addresses: addresses.clone() };
        met.as_ref().map(|met| met.addresses.iter().map(named).collect()).unwrap_or_default()
    }
}
