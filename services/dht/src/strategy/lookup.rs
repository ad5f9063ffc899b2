//! The iterative lookup of go-libp2p-kad-dht, used by classic and optimistic publication and by searches.
//!
//! It walks towards the key with at most alpha requests under way, until the beta closest peers that it knows, without
//! unreachable ones, have all answered, or no peer is left to ask. Then dials under way are cancelled, requests under
//! way are awaited, and those of the k closest that have not been asked yet are asked at once (the follow-up). Answers
//! that come after the end of the walk do not change which peers are closest. Semantics: `query.go` and `lookup.go` of
//! go-libp2p-kad-dht v0.39, with one difference: Go forgets that it has asked peers whose answers came late, and asks
//! them again in the follow-up. Here no peer is asked twice.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Answer, Reply, Request, Step, Strategy};
use crate::strategy::key::{Contact, Distance, Key};

/// How many peers one lookup considers, including those that it starts from. In practice there are a few hundred.
/// Without a limit, peers that keep naming invented peers, each closer than the one before, could make it run and grow
/// without end.
pub(crate) const MAX_HEARD: usize = 4_096;

/// How wide a lookup searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupConfig {
    /// How many requests may be under way while walking.
    pub alpha: usize,
    /// How many of the closest peers must have answered.
    pub beta: usize,
    /// How many closest peers to find; also the size of a bucket and the number of holders of a record.
    pub k: usize,
}

impl Default for LookupConfig {
    /// The values of go-libp2p-kad-dht (`amino/defaults.go`), which most peers of the public network use.
    fn default() -> Self {
        Self { alpha: 10, beta: 3, k: 20 }
    }
}

/// The state of a peer in a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Named by another peer, not asked yet.
    Heard,
    /// Asked, no answer yet.
    Waiting,
    /// Has answered.
    Answered,
    /// Could not be dialled, or gave no valid answer, during the walk: does not count among the closest any more.
    Unreachable,
    /// The same after the walk, when the closest peers are fixed already.
    Silent,
}

/// One of the closest peers at the end of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest<P> {
    /// The peer.
    pub peer: P,
    /// Whether it answered, in the walk or in the follow-up. As in Go, one that did not is still among the closest.
    pub answered: bool,
}

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked<P> {
    /// The closest peers that are not known to be unreachable, at most k, closest first.
    pub closest: Vec<Nearest<P>>,
    /// The closest of all peers that were named, unreachable ones included, at most k, closest first: those in the
    /// routing tables of the network, alive or not. As in Go, the network's size is estimated from these.
    pub named: Vec<P>,
}

#[derive(Debug)]
struct Entry<P> {
    peer: P,
    standing: Standing,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Walking,
    /// Dials have been cancelled; requests under way are awaited.
    Draining,
    /// The k closest, fixed when the walk ended; those among them that were not asked are being asked.
    FollowUp(Vec<Distance>),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Lookup<P> {
    target: Key,
    local: P,
    config: LookupConfig,
    request: Request,
    peers: BTreeMap<Distance, Entry<P>>,
    places: HashMap<P, Distance>,
    waiting: usize,
    phase: Phase,
}

impl<P: Contact> Lookup<P> {
    /// A lookup of `target` that starts at `seeds` and sends each peer `request`. It never asks `local`, this node.
    pub fn new(target: Key, local: P, seeds: Vec<P>, request: Request, config: LookupConfig) -> Self {
        let mut lookup = Self {
            target,
            local,
            config,
            request,
            peers: BTreeMap::new(),
            places: HashMap::new(),
            waiting: 0,
            phase: Phase::Walking,
        };
        lookup.hear(seeds);
        lookup
    }

    fn hear(&mut self, peers: Vec<P>) {
        for peer in peers {
            if self.places.len() == MAX_HEARD {
                return;
            }
            if peer == self.local || self.places.contains_key(&peer) {
                continue;
            }
            let distance = peer.key().distance(&self.target);
            self.places.insert(peer.clone(), distance);
            self.peers.insert(distance, Entry { peer, standing: Standing::Heard });
        }
    }

    /// Notes an answer, without taking the next step yet.
    pub(super) fn take_in(&mut self, answer: Answer<P>) {
        if answer.request != self.request {
            return;
        }
        let Some(entry) = self.places.get(&answer.peer).and_then(|place| self.peers.get_mut(place)) else { return };
        if entry.standing != Standing::Waiting {
            return;
        }
        self.waiting -= 1;
        match answer.reply {
            Reply::Answered { closer, .. } => {
                entry.standing = Standing::Answered;
                if self.phase == Phase::Walking {
                    self.hear(closer);
                }
            }
            Reply::Stored => entry.standing = Standing::Answered,
            Reply::Failed if self.phase == Phase::Walking => entry.standing = Standing::Unreachable,
            Reply::Failed => entry.standing = Standing::Silent,
            Reply::Cancelled => entry.standing = Standing::Heard,
        }
    }

    /// Another address is known for a peer that could not be reached: it may be asked once more.
    pub(super) fn reconsider(&mut self, peer: &P) {
        let entry = self.places.get(peer).and_then(|place| self.peers.get_mut(place));
        if let Some(entry) =
            entry.filter(|entry| entry.standing == Standing::Unreachable && self.phase == Phase::Walking)
        {
            entry.standing = Standing::Heard;
        }
    }

    fn reachable(&self) -> impl Iterator<Item = (&Distance, &Entry<P>)> {
        self.peers.iter().filter(|(_, entry)| entry.standing != Standing::Unreachable)
    }

    /// The closest peers that are not known to be unreachable, asked or not, at most k, closest first.
    pub(super) fn nearest(&self) -> impl Iterator<Item = (&P, &Distance)> {
        self.reachable().take(self.config.k).map(|(place, entry)| (&entry.peer, place))
    }

    /// How many requests are under way.
    pub(super) fn under_way(&self) -> usize {
        self.waiting
    }

    /// What to do next, once all answers have been noted.
    pub(super) fn go_on(&mut self) -> Step<P, Walked<P>> {
        match self.phase {
            Phase::Walking => self.walk(),
            Phase::Draining => self.drain(),
            Phase::FollowUp(_) => self.follow_up(),
        }
    }

    /// Ends the walk: the beta closest have answered, or no peer is left to ask.
    fn has_arrived(&self) -> bool {
        let closest_answered =
            self.reachable().take(self.config.beta).all(|(_, entry)| entry.standing == Standing::Answered);
        let heard = |entry: &Entry<P>| entry.standing == Standing::Heard;
        let starved = self.waiting == 0 && !self.peers.values().any(heard);
        closest_answered || starved
    }

    fn ask(&mut self, place: Distance) -> Step<P, Walked<P>> {
        let entry = self.peers.get_mut(&place).expect("places are never removed");
        entry.standing = Standing::Waiting;
        self.waiting += 1;
        Step::Ask { peer: entry.peer.clone(), request: self.request }
    }

    fn walk(&mut self) -> Step<P, Walked<P>> {
        if self.has_arrived() {
            self.phase = Phase::Draining;
            return if self.waiting > 0 { Step::CancelDials } else { self.drain() };
        }
        let next = self.peers.iter().find(|(_, entry)| entry.standing == Standing::Heard).map(|(place, _)| *place);
        match next {
            Some(place) if self.waiting < self.config.alpha => self.ask(place),
            _ => Step::Wait(None),
        }
    }

    fn drain(&mut self) -> Step<P, Walked<P>> {
        if self.waiting > 0 {
            return Step::Wait(None);
        }
        let closest = self.reachable().take(self.config.k).map(|(place, _)| *place).collect();
        self.phase = Phase::FollowUp(closest);
        self.follow_up()
    }

    fn follow_up(&mut self) -> Step<P, Walked<P>> {
        let Phase::FollowUp(closest) = &self.phase else { unreachable!("called in the follow-up only") };
        let unasked = closest.iter().find(|place| self.peers[place].standing == Standing::Heard).copied();
        if let Some(place) = unasked {
            return self.ask(place);
        }
        if self.waiting > 0 {
            return Step::Wait(None);
        }
        let closest = closest
            .iter()
            .map(|place| &self.peers[place])
            .map(|entry| Nearest { peer: entry.peer.clone(), answered: entry.standing == Standing::Answered });
        let named = self.peers.values().take(self.config.k).map(|entry| entry.peer.clone());
        Step::Done(Walked { closest: closest.collect(), named: named.collect() })
    }
}

impl<P: Contact> Strategy<P> for Lookup<P> {
    type Outcome = Walked<P>;

    fn advance(&mut self, answer: Option<Answer<P>>, _now: Duration) -> Step<P, Walked<P>> {
        if let Some(answer) = answer {
            self.take_in(answer);
        }
        self.go_on()
    }

    fn reconsider(&mut self, peer: &P) {
        Lookup::reconsider(self, peer);
    }
}
