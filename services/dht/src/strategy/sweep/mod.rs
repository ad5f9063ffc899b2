//! Publishing many keys at once by sweeping over the keyspace, as Kubo has done by default since 0.39, as a pure state machine.
//!
//! One lookup for each of 100,000 keys finds the same peers over and over. A sweep groups the keys by where they lie, finds all
//! peers of such a zone with a few lookups, and sends each peer all keys that it has to hold over one connection. It is a machine over whole
//! lookups and connections: each lookup is a [`Lookup`](super::Lookup) of its own.
//!
//! Semantics: `provider/provider.go` of go-libp2p-kad-dht v0.39 (`SweepingProvider`), for keys that are published once. It is one
//! pass: Go tries again after five minutes what has failed, and repeats everything each 22 hours.

mod exploration;
mod prefix;
mod regions;

use std::collections::{BTreeMap, VecDeque};

use self::exploration::Exploration;
pub use self::prefix::Prefix;
use self::regions::{Allotment, allot, regions};
use crate::strategy::key::{Contact, Key};

/// How many points are looked up to learn how long the prefixes of regions are (Go: `approxPrefixLenGCPCount`).
pub const SIZING_LOOKUPS: usize = 4;

/// The longest prefix that keys are grouped by (Go: `maxPrefixSize`).
const MAX_PREFIX: usize = 24;

/// So few keys of a zone are published one by one: exploring would cost more (Go: `individualProvideThreshold`).
const FEW_KEYS: usize = 2;

/// How much a sweep does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepConfig {
    /// How many peers hold a record.
    pub replication: usize,
    /// How many zones are under way at a time.
    pub workers: usize,
    /// To how many peers each of them sends at a time.
    pub connections: usize,
}

impl Default for SweepConfig {
    /// Of go-libp2p-kad-dht (`provider/options.go`): four workers, two of which are kept for what is published again.
    fn default() -> Self {
        Self { replication: 20, workers: 2, connections: 20 }
    }
}

/// What a sweep wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepStep<P> {
    /// Look up the peers closest to this point.
    Look {
        /// What it is for; to be given back.
        job: usize,
        /// The point, or at least its first bits: who cannot ask for any point takes one near it.
        target: Key,
    },
    /// Send this peer a record of each of these keys, one after the other.
    Send {
        /// What it is for; to be given back.
        job: usize,
        /// To whom.
        peer: P,
        /// The numbers of the keys.
        keys: Vec<usize>,
    },
    /// Wait for the next of these to end.
    Wait,
    /// Everything has ended.
    Done(Swept),
}

/// The end of what a step asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepEvent<P> {
    /// A lookup has ended.
    Looked {
        /// Of its step.
        job: usize,
        /// The point that was looked up.
        target: Key,
        /// The closest peers; none if it failed.
        closest: Vec<P>,
    },
    /// A peer has been sent what could be sent.
    Sent {
        /// Of its step.
        job: usize,
        /// To which of the keys a record was written: none if the peer could not be reached.
        stored: Vec<usize>,
    },
}

/// What a sweep came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// How many peers each key was written to.
    pub holders: Vec<u32>,
    /// The bits of the prefixes by which the keys were grouped.
    pub prefix_length: usize,
    /// How many lookups it took, those for [`Swept::prefix_length`] included.
    pub lookups: usize,
    /// The regions that records were sent to, and the neighbourhoods of keys that were published one by one.
    pub regions: Vec<SweptRegion>,
}

/// What came of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptRegion {
    /// Where it lies; `None` for the neighbourhood of a key by itself.
    pub zone: Option<Prefix>,
    /// How many keys were for it.
    pub keys: usize,
    /// To how many peers records were to be sent.
    pub peers: usize,
    /// How many of them took at least one.
    pub reached: usize,
}

/// What a worker does.
#[derive(Debug)]
enum Job<P> {
    Sizing,
    Exploring { keys: Vec<usize>, exploration: Exploration<P> },
    Alone { key: usize },
    Sending(Sending<P>),
}

/// One region after the other.
#[derive(Debug)]
struct Sending<P> {
    later: VecDeque<Allotment<P>>,
    to_send: Vec<(P, Vec<usize>)>,
    under_way: usize,
    region: SweptRegion,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Sweep<P> {
    config: SweepConfig,
    keys: Vec<Key>,
    /// This node's point: zones are explored from the point closest to it.
    local: Key,
    jobs: BTreeMap<usize, Job<P>>,
    begun: usize,
    /// Keys that nobody has taken on, by zone.
    queue: VecDeque<(Prefix, Vec<usize>)>,
    /// Prefixes shared by all peers that a lookup found.
    sizes: Vec<usize>,
    steps: VecDeque<SweepStep<P>>,
    swept: Swept,
}

impl<P: Contact> Sweep<P> {
    /// A sweep that publishes `keys` from a node at `local`. `points` are drawn at random: how close their closest peers are
    /// says how large the network is.
    pub fn new(keys: Vec<Key>, local: Key, points: [Key; SIZING_LOOKUPS], config: SweepConfig) -> Self {
        let swept = Swept { holders: vec![0; keys.len()], ..Swept::default() };
        let mut sweep = Self {
            config,
            keys,
            local,
            jobs: BTreeMap::new(),
            begun: 0,
            queue: VecDeque::new(),
            sizes: Vec::new(),
            steps: VecDeque::new(),
            swept,
        };
        if !sweep.keys.is_empty() {
            points.into_iter().for_each(|point| sweep.look(Job::Sizing, point));
        }
        sweep
    }

    /// Takes the end of a lookup or connection, if there is one, and returns the next step. When called repeatedly without one, it
    /// comes to [`SweepStep::Wait`] or [`SweepStep::Done`].
    pub fn advance(&mut self, event: Option<SweepEvent<P>>) -> SweepStep<P> {
        match event {
            Some(SweepEvent::Looked { job, target, closest }) => self.take_lookup(job, target, closest),
            Some(SweepEvent::Sent { job, stored }) => self.take_sent(job, &stored),
            None => {}
        }
        while !self.is_sizing()
            && self.jobs.len() < self.config.workers.max(1)
            && let Some((zone, keys)) = self.queue.pop_front()
        {
            self.take_on(zone, keys);
        }
        match self.steps.pop_front() {
            Some(step) => step,
            None if self.jobs.is_empty() => SweepStep::Done(std::mem::take(&mut self.swept)),
            None => SweepStep::Wait,
        }
    }

    fn is_sizing(&self) -> bool {
        self.jobs.values().any(|job| matches!(job, Job::Sizing))
    }

    /// Begins a job with a lookup.
    fn look(&mut self, job: Job<P>, target: Key) {
        self.jobs.insert(self.begun, job);
        self.steps.push_back(SweepStep::Look { job: self.begun, target });
        self.begun += 1;
    }

    fn take_on(&mut self, zone: Prefix, keys: Vec<usize>) {
        if let [key] = keys[..] {
            return self.look(Job::Alone { key }, self.keys[key]);
        }
        let exploration = Exploration::new(zone, self.local, self.config.replication);
        self.look(Job::Exploring { keys, exploration }, zone.point_closest_to(&self.local));
    }

    fn take_lookup(&mut self, job: usize, target: Key, closest: Vec<P>) {
        let Some(begun) = self.jobs.remove(&job) else { return };
        match begun {
            Job::Sizing => self.take_size(&closest),
            Job::Alone { key } => {
                self.swept.lookups += 1;
                let sends = closest.into_iter().map(|peer| (peer, vec![key])).collect();
                let allotment = Allotment { zone: None, keys: vec![key], sends };
                self.send(job, VecDeque::from([allotment]));
            }
            Job::Exploring { keys, exploration } if closest.is_empty() => {
                // As in Go the whole zone has failed.
                self.swept.lookups += exploration.lookups() + 1;
                self.fail(keys.len());
            }
            Job::Exploring { keys, mut exploration } => match exploration.take_in(target, closest) {
                Some(next) => {
                    self.steps.push_back(SweepStep::Look { job, target: next });
                    self.jobs.insert(job, Job::Exploring { keys, exploration });
                }
                None => self.allot(job, keys, exploration),
            },
            sending @ Job::Sending(_) => {
                // A result of a lookup that was not asked for.
                self.jobs.insert(job, sending);
            }
        }
    }

    /// When all are there, groups the keys.
    fn take_size(&mut self, closest: &[P]) {
        self.swept.lookups += 1;
        if let [first, others @ ..] = closest
            && !others.is_empty()
        {
            let shared = others.iter().map(|peer| peer.key().distance(&first.key()).common_prefix() as usize);
            self.sizes.extend(shared.min());
        }
        if !self.is_sizing() {
            let length = self.sizes.iter().sum::<usize>().checked_div(self.sizes.len()).unwrap_or(0);
            self.swept.prefix_length = length.min(MAX_PREFIX);
            self.group();
        }
    }

    /// Puts the keys into the queue, by zone; few of a zone each by itself.
    fn group(&mut self) {
        let mut by_zone: BTreeMap<Prefix, Vec<usize>> = BTreeMap::new();
        for (number, key) in self.keys.iter().enumerate() {
            by_zone.entry(Prefix::of(key, self.swept.prefix_length)).or_default().push(number);
        }
        for (zone, keys) in by_zone {
            if keys.len() <= FEW_KEYS {
                self.queue.extend(keys.into_iter().map(|key| (zone, vec![key])));
            } else {
                self.queue.push_back((zone, keys));
            }
        }
    }

    /// Divides what was explored, and takes all keys from the queue that lie there.
    fn allot(&mut self, job: usize, mut keys: Vec<usize>, exploration: Exploration<P>) {
        self.swept.lookups += exploration.lookups();
        let explored = exploration.explored();
        let covered = explored.zone;
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(|(zone, _)| covered.covers(zone));
        self.queue = left;
        keys.extend(taken.into_iter().flat_map(|(_, keys)| keys));
        let placed: Vec<(usize, Key)> = keys.iter().map(|key| (*key, self.keys[*key])).collect();
        let replication = self.config.replication;
        self.send(job, allot(regions(explored, replication), &placed, replication).into());
    }

    /// Notes that these could be sent to nobody.
    fn fail(&mut self, keys: usize) {
        self.swept.regions.push(SweptRegion { zone: None, keys, peers: 0, reached: 0 });
    }

    fn send(&mut self, job: usize, mut later: VecDeque<Allotment<P>>) {
        let Some(first) = later.pop_front() else { return };
        let region = SweptRegion { zone: first.zone, keys: first.keys.len(), peers: first.sends.len(), reached: 0 };
        let sending = Sending { later, to_send: first.sends, under_way: 0, region };
        self.fill(job, sending);
    }

    /// Sends to as many peers as may be sent to at a time; goes on to the next region when all have been sent to.
    fn fill(&mut self, job: usize, mut sending: Sending<P>) {
        while sending.under_way < self.config.connections.max(1)
            && let Some((peer, keys)) = sending.to_send.pop()
        {
            sending.under_way += 1;
            self.steps.push_back(SweepStep::Send { job, peer, keys });
        }
        if sending.under_way > 0 {
            self.jobs.insert(job, Job::Sending(sending));
        } else {
            self.swept.regions.push(sending.region);
            self.send(job, sending.later);
        }
    }

    fn take_sent(&mut self, job: usize, stored: &[usize]) {
        match self.jobs.remove(&job) {
            Some(Job::Sending(mut sending)) => {
                sending.under_way -= 1;
                sending.region.reached += usize::from(!stored.is_empty());
                for key in stored {
                    self.swept.holders[*key] += 1;
                }
                self.fill(job, sending);
            }
            Some(other) => {
                self.jobs.insert(job, other);
            }
            None => {}
        }
    }
}
