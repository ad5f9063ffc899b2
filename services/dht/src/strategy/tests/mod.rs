//! The strategies on networks of one-byte peers, small enough to hold in the head, on virtual time.

mod classic;
mod crawl;
mod full_table;
mod fullrt;
mod holders;
mod lookup;
mod optprov;
mod size;
mod sweep;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use proptest::prelude::{any, prop_compose};

use super::*;
use crate::strategy::key::{Contact, Key};

impl Contact for u8 {
    fn key(&self) -> Key {
        Key::from_byte(*self)
    }
}

/// A peer anywhere in the keyspace, for networks of more than 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Far(u64);

impl Contact for Far {
    fn key(&self) -> Key {
        Key::of(&self.0.to_be_bytes())
    }
}

/// Ourselves, outside every test network.
const ME: u8 = 0xff;
const SMALL: LookupConfig = LookupConfig { alpha: 3, beta: 2, k: 4 };

/// A generator that gives the same numbers for the same seed, everywhere.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Who knows whom, who is dead, and who holds provider records.
#[derive(Debug, Default, Clone)]
struct World {
    tables: HashMap<u8, Vec<u8>>,
    dead: HashSet<u8>,
    holders: HashSet<u8>,
    /// Decides, as a seed, how long each request takes and so in which order they are answered.
    order: u64,
}

/// What a run looked like from outside.
#[derive(Debug)]
struct Run<O> {
    outcome: O,
    /// What the caller was let go with, if that was before the end.
    returned: Option<O>,
    asked: Vec<(u8, Request)>,
    /// Whose dials were given up.
    cancelled: Vec<u8>,
    most_under_way_while_walking: usize,
}

impl<O> Run<O> {
    fn asked(&self, request: Request) -> Vec<u8> {
        self.asked.iter().filter(|(_, kind)| *kind == request).map(|(peer, _)| *peer).collect()
    }

    /// Who was asked the same twice, other than after their dial had been given up.
    fn pestered(&self) -> Vec<u8> {
        let count = |peer: u8, list: &mut dyn Iterator<Item = u8>| list.filter(|other| *other == peer).count();
        let twice = |(peer, request): &(u8, Request)| {
            let cancelled = if *request == Request::AddProvider { &[] } else { self.cancelled.as_slice() };
            let times = count(*peer, &mut self.asked(*request).into_iter());
            times > 1 + count(*peer, &mut cancelled.iter().copied())
        };
        self.asked.iter().filter(|asked| twice(asked)).map(|(peer, _)| *peer).collect()
    }
}

/// A request under way.
struct UnderWay {
    peer: u8,
    request: Request,
    connected: Duration,
    ends: Duration,
}

/// A run in progress.
struct Driving<'a, S: Strategy<u8>> {
    world: &'a World,
    target: Key,
    strategy: S,
    now: Duration,
    dice: Seeded,
    under_way: Vec<UnderWay>,
    answers: VecDeque<Answer<u8>>,
    asked: Vec<(u8, Request)>,
    cancelled: Vec<u8>,
    walking: bool,
    most_under_way_while_walking: usize,
}

impl<S: Strategy<u8>> Driving<'_, S> {
    fn run(mut self) -> Run<S::Outcome> {
        let mut returned = None;
        for _ in 0..10_000 {
            let answer = self.answers.pop_front();
            match self.strategy.advance(answer, self.now) {
                Step::Ask { peer, request } => self.ask(peer, request),
                Step::CancelDials => self.cancel_dials(),
                Step::Wait(_) if !self.answers.is_empty() => {}
                Step::Wait(until) => self.wait(until),
                Step::Return(outcome) => assert!(returned.replace(outcome).is_none(), "returns twice"),
                Step::Done(outcome) => {
                    let Self { asked, cancelled, most_under_way_while_walking, .. } = self;
                    return Run { outcome, returned, asked, cancelled, most_under_way_while_walking };
                }
            }
        }
        panic!("no end after 10,000 steps");
    }

    fn ask(&mut self, peer: u8, request: Request) {
        let same = |other: &UnderWay| (other.peer, other.request) == (peer, request);
        assert!(!self.under_way.iter().any(same), "{peer} is asked {request:?} while it is being asked that");
        let connected = self.now + Duration::from_millis(self.dice.below(500));
        let ends = connected + Duration::from_millis(1 + self.dice.below(500));
        self.under_way.push(UnderWay { peer, request, connected, ends });
        self.asked.push((peer, request));
        let lookups = self.under_way.iter().filter(|request| request.request != Request::AddProvider).count();
        if self.walking && request != Request::AddProvider {
            self.most_under_way_while_walking = self.most_under_way_while_walking.max(lookups);
        }
    }

    fn cancel_dials(&mut self) {
        assert!(self.walking, "dials are given up twice");
        self.walking = false;
        let now = self.now;
        let goes = |request: &mut UnderWay| request.request != Request::AddProvider && request.connected > now;
        for UnderWay { peer, request, .. } in self.under_way.extract_if(.., goes) {
            self.cancelled.push(peer);
            self.answers.push_back(Answer { peer, request, reply: Reply::Cancelled });
        }
    }

    fn wait(&mut self, until: Option<Duration>) {
        let next = (0..self.under_way.len()).min_by_key(|index| self.under_way[*index].ends);
        match (next, until) {
            (Some(index), until) if until.is_none_or(|until| self.under_way[index].ends <= until) => {
                let UnderWay { peer, request, ends, .. } = self.under_way.swap_remove(index);
                self.now = ends;
                self.answers.push_back(Answer { peer, request, reply: self.world.reply(self.target, peer, request) });
            }
            (_, Some(until)) => {
                assert!(until > self.now, "waits for what has been");
                self.now = until;
            }
            (_, None) => panic!("waits although nothing is under way"),
        }
    }
}

impl World {
    /// Everybody knows everybody.
    fn full_mesh(peers: impl IntoIterator<Item = u8>) -> Self {
        let all: Vec<u8> = peers.into_iter().collect();
        Self { tables: all.iter().map(|peer| (*peer, all.clone())).collect(), ..Self::default() }
    }

    fn nearest(&self, target: Key, peers: impl IntoIterator<Item = u8>, n: usize) -> Vec<u8> {
        let mut sorted: Vec<u8> = peers.into_iter().collect();
        sorted.sort_by_key(|peer| peer.key().distance(&target));
        sorted.truncate(n);
        sorted
    }

    fn reply(&self, target: Key, peer: u8, request: Request) -> Reply<u8> {
        if self.dead.contains(&peer) {
            return Reply::Failed;
        }
        let known = self.tables.get(&peer).cloned().unwrap_or_default();
        let closer = self.nearest(target, known, SMALL.k);
        match request {
            Request::FindNode => Reply::Answered { closer, providers: vec![] },
            Request::GetProviders => {
                let providers = if self.holders.contains(&peer) { vec![0xee] } else { vec![] };
                Reply::Answered { closer, providers }
            }
            Request::AddProvider => Reply::Stored,
        }
    }

    /// Drives a strategy to its end.
    fn run<S: Strategy<u8>>(&self, target: Key, strategy: S) -> Run<S::Outcome> {
        let driving = Driving {
            world: self,
            target,
            strategy,
            now: Duration::ZERO,
            dice: Seeded(self.order),
            under_way: Vec::new(),
            answers: VecDeque::new(),
            asked: Vec::new(),
            cancelled: Vec::new(),
            walking: true,
            most_under_way_while_walking: 0,
        };
        driving.run()
    }

    fn lookup(&self, target: Key, seeds: Vec<u8>) -> Run<Walked<u8>> {
        self.run(target, Lookup::new(target, ME, seeds, Request::FindNode, SMALL))
    }
}

fn peers(walked: &Walked<u8>) -> Vec<u8> {
    walked.closest.iter().map(|nearest| nearest.peer).collect()
}

fn set(peers: impl IntoIterator<Item = u8>) -> BTreeSet<u8> {
    peers.into_iter().collect()
}

fn answer<P>(peer: P, request: Request, reply: Reply<P>) -> Option<Answer<P>> {
    Some(Answer { peer, request, reply })
}

fn naming<P>(closer: Vec<P>) -> Reply<P> {
    Reply::Answered { closer, providers: vec![] }
}

prop_compose! {
    /// A network in which everybody knows a random part of the others, some are dead, some hold the record.
    fn worlds()(
        size in 1..40u8,
        seed in any::<u64>(),
        dead in proptest::collection::hash_set(0..40u8, 0..15),
        holders in proptest::collection::hash_set(0..40u8, 0..4),
        order in any::<u64>(),
    ) -> World {
        let mut dice = Seeded(seed);
        let mut knows = |peer: u8| (0..size).filter(|other| *other != peer && dice.below(3) == 0).collect();
        let tables = (0..size).map(|peer| (peer, knows(peer))).collect();
        World { tables, dead, holders, order }
    }
}
