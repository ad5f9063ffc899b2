//! All reachable peers of the network, as found by a crawl, and which of them are closest to a key.

use crate::strategy::key::{Contact, Key};

/// All peers of the network, sorted by their keys. A run of sorted keys that share a prefix is a subtree of the binary
/// trie, so the trie needs no nodes of its own.
#[derive(Debug, Clone)]
pub struct FullTable<P> {
    peers: Vec<(Key, P)>,
}

impl<P> Default for FullTable<P> {
    fn default() -> Self {
        Self { peers: Vec::new() }
    }
}

impl<P: Contact> FullTable<P> {
    /// A table of these peers; duplicates are dropped.
    pub fn new(peers: impl IntoIterator<Item = P>) -> Self {
        let mut peers: Vec<(Key, P)> = peers.into_iter().map(|peer| (peer.key(), peer)).collect();
        peers.sort_unstable_by_key(|(key, _)| *key);
        peers.dedup_by_key(|(key, _)| *key);
        Self { peers }
    }

    /// The same of peers that are sorted by their keys, no two of which have the same.
    pub(super) fn of_sorted(peers: Vec<(Key, P)>) -> Self {
        Self { peers }
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// All peers, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &P> {
        self.peers.iter().map(|(_, peer)| peer)
    }

    /// The `n` peers that are closest to `target`, closest first; fewer if there are no more.
    pub fn closest(&self, target: &Key, n: usize) -> Vec<P> {
        let mut found = Vec::new();
        // Subtrees with their depths, the closest last: a peer that shares one bit more is closer than all that do not.
        let mut ahead = vec![(self.peers.as_slice(), 0)];
        while found.len() < n
            && let Some((subtree, depth)) = ahead.pop()
        {
            match subtree {
                [] => {}
                [(_, peer)] => found.push(peer.clone()),
                _ => {
                    let (zeros, ones) = subtree.split_at(subtree.partition_point(|(key, _)| !key.bit(depth)));
                    let (near, far) = if target.bit(depth) { (ones, zeros) } else { (zeros, ones) };
                    ahead.extend([(far, depth + 1), (near, depth + 1)]);
                }
            }
        }
        found
    }
}
