//! Regions: zones with enough peers to hold the records of all keys in them, and who of them holds which.

use std::collections::HashMap;

use super::exploration::Explored;
use super::prefix::Prefix;
use crate::strategy::FullTable;
use crate::strategy::key::{Contact, Key};

/// A zone of at least as many peers as hold a record, neither of whose halves can be a region beside the other.
#[derive(Debug)]
pub(super) struct Region<P> {
    pub(super) zone: Prefix,
    pub(super) peers: Vec<(Key, P)>,
}

/// Divides a zone into regions (Go: `RegionsFromPeers`), in the order of their points.
pub(super) fn regions<P: Contact>(explored: Explored<P>, replication: usize) -> Vec<Region<P>> {
    let peers: Vec<(Key, P)> = explored.peers.into_iter().collect();
    let mut found = Vec::new();
    divide(explored.zone, &peers, replication.max(1), &mut found);
    found
}

fn divide<P: Contact>(zone: Prefix, peers: &[(Key, P)], replication: usize, found: &mut Vec<Region<P>>) {
    if peers.is_empty() {
        return;
    }
    let halves = peers.split_at(peers.partition_point(|(key, _)| zone.len() < Key::BITS && !key.bit(zone.len())));
    if halves.0.len() < replication || halves.1.len() < replication {
        return found.push(Region { zone, peers: peers.to_vec() });
    }
    for half in [halves.0, halves.1] {
        divide(Prefix::of(&half[0].0, zone.len() + 1), half, replication, found);
    }
}

/// What is to be sent for one region.
#[derive(Debug)]
pub(super) struct Allotment<P> {
    /// The region; `None` for the neighbourhood of a key by itself.
    pub(super) zone: Option<Prefix>,
    /// Which keys.
    pub(super) keys: Vec<usize>,
    /// To whom, and which of the keys: each to the closest peers of the region.
    pub(super) sends: Vec<(P, Vec<usize>)>,
}

/// Gives each key to the region that it lies in, and there to the `replication` closest peers (Go: `AssignKeysToRegions`,
/// `AllocateToKClosest`). A key in no region goes to the one that shares most bits with it. Regions without a key are left out.
pub(super) fn allot<P: Contact>(
    regions: Vec<Region<P>>,
    keys: &[(usize, Key)],
    replication: usize,
) -> Vec<Allotment<P>> {
    let mut by_region: Vec<Vec<(usize, Key)>> = vec![Vec::new(); regions.len()];
    for (number, key) in keys {
        // The first of those that share most, as in Go: `max_by_key` takes the last.
        let nearest = (0..regions.len()).rev().max_by_key(|region| {
            let zone = &regions[*region].zone;
            (zone.contains(key), zone.shared_with(key))
        });
        if let Some(nearest) = nearest {
            by_region[nearest].push((*number, *key));
        }
    }
    let filled = regions.into_iter().zip(by_region).filter(|(_, keys)| !keys.is_empty());
    filled.map(|(region, keys)| allot_one(region, &keys, replication)).collect()
}

fn allot_one<P: Contact>(region: Region<P>, keys: &[(usize, Key)], replication: usize) -> Allotment<P> {
    let table = FullTable::of_sorted(region.peers);
    let mut places = HashMap::new();
    let mut sends: Vec<(P, Vec<usize>)> = Vec::new();
    for (number, key) in keys {
        for peer in table.closest(key, replication) {
            let place = *places.entry(peer.clone()).or_insert_with(|| {
                sends.push((peer, Vec::new()));
                sends.len() - 1
            });
            sends[place].1.push(*number);
        }
    }
    Allotment { zone: Some(region.zone), keys: keys.iter().map(|(number, _)| *number).collect(), sends }
}
