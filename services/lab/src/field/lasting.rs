//! A node as it goes on from one operation to the next: the connections that it keeps, whom it leaves alone, what has become of its routing table, and
//! what it still does in the background.
//!
//! All of it follows the rules of a real node (`parsec_dht`), which are Go's: its [`Warmth`] says whose connections are closed. Nobody else
//! opens connections to it, and of refreshes of its table only what they find is played, not what they ask.

use std::collections::HashSet;
use std::time::Duration;

use parsec_dht::key::{Contact, Key};
use parsec_dht::{Connected, Warmth};
use parsec_measure::{RequestEnd, RequestKind};

use super::draw::Dice;
use super::drive::{BACKGROUND_PUTS, Driven};
use super::liars::Kind;
use super::links::Links;
use super::population::{Peer, Population};
use super::tables::{BUCKET, Directory, Owner, keep_closest};

/// When an operation begins: on the clock of the network, which may stand still, and on that of its node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    pub(super) network: Duration,
    pub(super) node: Duration,
}

/// See the module's documentation. What it remembers is dated by its own clock.
#[derive(Debug, Clone)]
pub(super) struct Lasting {
    /// When the operation under way began, or the last one.
    began: Duration,
    links: Links,
    warmth: Warmth,
    table: Table,
    /// Breaks ties.
    dice: Dice,
    /// When puts end that were left to the background.
    background: Vec<Duration>,
}

impl Lasting {
    /// A node that has been there for a while: it is connected to the peers in its table that can be dialled, and to as many others as it takes until
    /// it has as many connections as it keeps.
    pub(super) fn new(directory: &Directory<'_>, owner: Owner, warmth: Warmth, dice: Dice) -> Self {
        let table = Table::new(directory, owner);
        let moment = &directory.population.moments[0];
        let there = &moment.members().dialable;
        let mut connected: HashSet<u32> =
            table.first.iter().copied().filter(|index| moment.fate(*index).is_dialable()).collect();
        let mut others = dice;
        while connected.len() < there.len().min(warmth.low as usize) {
            connected.insert(there[others.below(there.len())]);
        }
        let mut links = Links::default();
        connected.into_iter().for_each(|index| links.open(index, Duration::ZERO));
        Self { began: Duration::ZERO, links, warmth, table, dice, background: Vec::new() }
    }

    /// Closes the connections that are not kept, before an operation begins then.
    fn settle(&mut self, directory: &Directory<'_>, began: Began) {
        let (population, at) = (directory.population, began.node);
        self.began = at;
        self.refresh(directory, began);
        let is_there =
            |index: u32| Kind::of(index) != Kind::Honest || population.fate(index, began.network).is_dialable();
        let (there, gone): (Vec<_>, Vec<_>) = self.links.standing(at).partition(|(index, _)| is_there(*index));
        gone.into_iter().for_each(|(index, _)| self.links.close(index));
        let connected = there.into_iter().map(|(index, since)| Connected {
            peer: (self.dice.of(u64::from(index)).number(), index),
            age: at - since,
            bucket: self.table.bucket_of(population, index),
            in_use: false,
        });
        let connected: Vec<_> = connected.collect();
        self.warmth.surplus(&connected).into_iter().for_each(|(_, index)| self.links.close(index));
        self.background.retain(|ends| *ends > at);
    }

    /// Where peers come and go, refreshes of its table have put others there, each of whom has answered: to these it has a connection.
    fn refresh(&mut self, directory: &Directory<'_>, began: Began) {
        if directory.population.is_still() {
            return;
        }
        for index in self.table.refresh(directory, began.network) {
            let is_there = directory.population.fate(index, began.network).is_dialable();
            if is_there && self.links.since(index, began.node).is_none() {
                self.links.open(index, began.node);
            }
        }
    }

    /// Whether a peer is connected so long after the operation began.
    pub(super) fn is_connected(&self, peer: &Peer, at: Duration) -> bool {
        self.links.since(peer.index, self.began + at).is_some()
    }

    /// Whether it is too soon then to dial a peer again.
    pub(super) fn is_left_alone(&self, peer: &Peer, at: Duration) -> bool {
        self.links.is_left_alone(peer.index, self.began + at)
    }

    /// How many puts there is room for in the background then.
    pub(super) fn room(&self, at: Duration) -> usize {
        let ends_later = |ends: &&Duration| **ends > self.began + at;
        BACKGROUND_PUTS.saturating_sub(self.background.iter().filter(ends_later).count())
    }

    /// Whom its table has as closest to a key then, on the clock of the network.
    pub(super) fn closest(&self, directory: &Directory<'_>, target: &Key, at: Duration) -> Vec<Peer> {
        self.table.closest(directory, target, at)
    }

    /// What the operation has left behind.
    fn take_in<O>(&mut self, driven: &Driven<O>) {
        let began = self.began;
        self.links.take_in(&driven.whole, began);
        for entry in &driven.whole.0 {
            match (entry.kind, entry.end) {
                (RequestKind::AddProvider, _) => {
                    let left = entry.ended.filter(|ended| *ended > driven.took);
                    self.background.extend(left.map(|ended| began + ended));
                }
                (_, RequestEnd::Answered) => self.table.answered(entry.peer),
                (_, RequestEnd::Timeout | RequestEnd::DialFailed | RequestEnd::DialTimeout) => {
                    self.table.did_not_answer(entry.peer);
                }
                _ => {}
            }
        }
    }
}

/// Does an operation that begins then on a node, which goes on from what it was before, if it is one that does.
pub(super) fn go_on<O>(
    node: &mut Option<Lasting>,
    directory: &Directory<'_>,
    began: Began,
    operation: impl FnOnce(Option<&Lasting>) -> Driven<O>,
) -> Driven<O> {
    if let Some(node) = node {
        node.settle(directory, began);
    }
    let driven = operation(node.as_ref());
    if let Some(node) = node {
        node.take_in(&driven);
    }
    driven
}

/// A routing table while it is used: who does not answer a question goes, and who answers one comes, if there is room; as in
/// go-libp2p-kad-dht (`peerStoppedDHT`, `validPeerFound`).
#[derive(Debug, Clone)]
struct Table {
    owner: Owner,
    /// Whom it had when it was refreshed.
    first: HashSet<u32>,
    /// Those of them who have gone since.
    gone: HashSet<u32>,
    added: Vec<Peer>,
    /// How many there are in each bucket.
    sizes: Vec<usize>,
}

impl Table {
    fn new(directory: &Directory<'_>, owner: Owner) -> Self {
        let (first, gone) = Default::default();
        let mut table = Self { owner, first, gone, added: Vec::new(), sizes: vec![0; BUCKETS] };
        table.refresh(directory, Duration::ZERO);
        table
    }

    /// Has the entries that a table has then: those who are new in it.
    fn refresh(&mut self, directory: &Directory<'_>, at: Duration) -> Vec<u32> {
        let entries: HashSet<u32> = directory.entries(&self.owner, 256, at).into_iter().collect();
        let before = std::mem::replace(&mut self.first, entries);
        self.gone.retain(|index| self.first.contains(index));
        self.sizes.fill(0);
        for index in self.first.difference(&self.gone) {
            self.sizes[bucket(&self.owner, directory.population.peer(*index))] += 1;
        }
        for peer in std::mem::take(&mut self.added) {
            self.answered(peer);
        }
        let mut new: Vec<u32> = self.first.difference(&before).copied().collect();
        new.sort_unstable();
        new
    }

    /// In which bucket a peer stands, if it does.
    fn bucket_of(&self, population: &Population, index: u32) -> Option<u32> {
        let is_first = self.first.contains(&index) && !self.gone.contains(&index);
        let added = || self.added.iter().copied().find(|peer| peer.index == index);
        let peer = if is_first { Some(population.peer(index)) } else { added() };
        peer.map(|peer| self.owner.key.distance(&peer.key()).common_prefix())
    }

    fn has(&self, peer: Peer) -> bool {
        let is_first = self.first.contains(&peer.index) && !self.gone.contains(&peer.index);
        is_first || self.added.contains(&peer)
    }

    fn answered(&mut self, peer: Peer) {
        let size = bucket(&self.owner, peer);
        if self.sizes[size] >= BUCKET || self.has(peer) {
            return;
        }
        self.sizes[size] += 1;
        if !self.gone.remove(&peer.index) {
            self.added.push(peer);
        }
    }

    fn did_not_answer(&mut self, peer: Peer) {
        if !self.has(peer) {
            return;
        }
        self.sizes[bucket(&self.owner, peer)] -= 1;
        if self.first.contains(&peer.index) {
            self.gone.insert(peer.index);
        } else {
            self.added.retain(|other| *other != peer);
        }
    }

    fn closest(&self, directory: &Directory<'_>, target: &Key, at: Duration) -> Vec<Peer> {
        let mut closest = directory.closest(&self.owner, target, BUCKET + self.gone.len(), at);
        closest.retain(|peer| !self.gone.contains(&peer.index));
        let added: Vec<Peer> = self.added.iter().copied().filter(|peer| !closest.contains(peer)).collect();
        closest.extend(added);
        keep_closest(&mut closest, target, BUCKET);
        closest
    }
}

/// As many as a key has bits, and one for the own key.
const BUCKETS: usize = 257;

fn bucket(owner: &Owner, peer: Peer) -> usize {
    owner.key.distance(&peer.key()).common_prefix() as usize
}

#[cfg(test)]
mod tests;
