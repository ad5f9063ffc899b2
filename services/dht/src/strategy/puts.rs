//! The puts of a publication: which peers get the record, and the outcome of each put.

use std::collections::{HashSet, VecDeque};

use super::{Answer, Reply, Walked};
use crate::strategy::key::Contact;

/// The outcome of a publication, final or so far: the same for every way to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided<P> {
    /// Peers that the record was written to, in the order of the writes.
    pub stored: Vec<P>,
    /// Peers that it could not be written to, in the order of the failures.
    pub failed: Vec<P>,
    /// Peers whose puts are under way. Empty when everything has ended.
    pub pending: Vec<P>,
    /// How the lookup before it ended.
    pub lookup: LookupEnd<P>,
}

/// How the lookup of a publication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupEnd<P> {
    /// It ran to its natural end.
    Completed(Walked<P>),
    /// It was stopped because k peers, each very probably among the k closest, had been sent the record by then.
    EnoughServed,
    /// It was stopped because the k closest peers that it knew were so close, taken together, that it would hardly
    /// have found closer ones.
    CloseEnough,
    /// There was no lookup: the closest peers were known beforehand.
    NotNeeded,
}

impl<P> LookupEnd<P> {
    /// The lookup's result if it ran to its natural end: only then can the network's size be estimated from it.
    pub fn walked(&self) -> Option<&Walked<P>> {
        match self {
            Self::Completed(walked) => Some(walked),
            Self::EnoughServed | Self::CloseEnough | Self::NotNeeded => None,
        }
    }
}

/// Keeps track of the puts: no peer is sent the record twice.
#[derive(Debug)]
pub(super) struct Puts<P> {
    chosen: HashSet<P>,
    queue: VecDeque<P>,
    under_way: Vec<P>,
    stored: Vec<P>,
    failed: Vec<P>,
}

impl<P: Contact> Puts<P> {
    pub(super) fn new() -> Self {
        let (chosen, queue) = (HashSet::new(), VecDeque::new());
        Self { chosen, queue, under_way: Vec::new(), stored: Vec::new(), failed: Vec::new() }
    }

    /// Chooses this peer for a put, unless it has been chosen before.
    pub(super) fn choose(&mut self, peer: P) {
        if self.chosen.insert(peer.clone()) {
            self.queue.push_back(peer);
        }
    }

    /// The peer to send the record to next; its put counts as under way from now on.
    pub(super) fn next(&mut self) -> Option<P> {
        let peer = self.queue.pop_front()?;
        self.under_way.push(peer.clone());
        Some(peer)
    }

    pub(super) fn take_in(&mut self, Answer { peer, reply, .. }: Answer<P>) {
        let Some(place) = self.under_way.iter().position(|other| *other == peer) else { return };
        self.under_way.swap_remove(place);
        match reply {
            // One of the specifications has peers echo the record: an answer proves as much as a written request.
            Reply::Stored | Reply::Answered { .. } => self.stored.push(peer),
            Reply::Failed | Reply::Cancelled => self.failed.push(peer),
        }
    }

    /// How many peers have been chosen, whatever the outcome.
    pub(super) fn chosen(&self) -> usize {
        self.chosen.len()
    }

    /// How many peers have been chosen, without those that failed.
    pub(super) fn promising(&self) -> usize {
        self.chosen.len() - self.failed.len()
    }

    pub(super) fn stored(&self) -> usize {
        self.stored.len()
    }

    /// How many puts have ended, successfully or not.
    pub(super) fn ended(&self) -> usize {
        self.stored.len() + self.failed.len()
    }

    pub(super) fn have_all_ended(&self) -> bool {
        self.ended() == self.chosen()
    }

    pub(super) fn provided(&self, lookup: LookupEnd<P>) -> Provided<P> {
        let pending = self.under_way.iter().chain(&self.queue).cloned().collect();
        Provided { stored: self.stored.clone(), failed: self.failed.clone(), pending, lookup }
    }
}
