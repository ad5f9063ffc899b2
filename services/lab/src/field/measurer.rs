//! A node that measures: where it stands, and what it knows of the network by then.

use std::collections::HashSet;
use std::time::Duration;

use super::population::Peer;
use super::tables::{Directory, Owner};
use crate::Region;

/// In how many steps a table is followed from a change of the network on until all of its buckets have been refreshed.
const STEPS: u32 = 10;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Vantage {
    pub(super) peer: Peer,
    pub(super) region: Region,
    pub(super) owner: Owner,
    /// The peers in its table that can be dialled, and since when.
    tables: Vec<(Duration, HashSet<u32>)>,
    /// How many peers it believes the network to have, and since when.
    pub(super) sizes: Vec<(Duration, Option<f64>)>,
}

impl Vantage {
    pub(super) fn new(peer: Peer, region: Region, owner: Owner, directory: &Directory<'_>) -> Self {
        let population = directory.population;
        let table = |at: Duration| {
            let entries = directory.entries(&owner, 256, at).into_iter();
            (at, entries.filter(|index| population.fate(*index, at).is_dialable()).collect())
        };
        let tables = changes(directory).into_iter().map(table).collect();
        Self { peer, region, owner, tables, sizes: Vec::new() }
    }

    /// The peers in its table that can be dialled by then.
    pub(super) fn table(&self, at: Duration) -> &HashSet<u32> {
        let place = self.tables.partition_point(|(since, _)| *since <= at);
        &self.tables[place.saturating_sub(1)].1
    }

    /// How many peers it believes the network to have by then.
    pub(super) fn size(&self, at: Duration) -> Option<f64> {
        self.sizes.iter().rev().find(|(since, _)| *since <= at).and_then(|(_, size)| *size)
    }

    /// How many peers its routing table has at first that can be dialled.
    pub(super) fn known(&self) -> usize {
        self.table(Duration::ZERO).len()
    }
}

/// When a table changes: with the network, and until each of its buckets has been refreshed since.
fn changes(directory: &Directory<'_>) -> Vec<Duration> {
    let (population, refresh) = (directory.population, directory.refresh);
    if population.is_still() {
        return vec![Duration::ZERO];
    }
    let (mut all, moments) = (Vec::new(), &population.moments);
    for (place, moment) in moments.iter().enumerate() {
        let next = moments.get(place + 1).map(|next| next.from);
        let steps = (0..=STEPS).map(|step| moment.from + refresh * step / STEPS);
        all.extend(steps.take_while(|at| next.is_none_or(|next| *at < next)));
    }
    all
}

/// What a node says of the network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reckoned {
    /// How many peers it knows.
    pub(super) known: u32,
    /// How many it believes there to be.
    pub(super) size: Option<u32>,
}
