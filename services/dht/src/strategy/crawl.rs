//! A crawl of the whole network, as a pure machine: it fills the [`FullTable`](super::FullTable).
//!
//! Starting at the seeds, every peer that anybody names is visited once, many at a time. To visit a peer means to ask it
//! for the closest peers of the [`prefix_targets`](super::prefix_targets) of its key, which is to read its routing table.

use std::collections::{HashSet, VecDeque};

use crate::strategy::key::Contact;

/// The bounds of a crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrawlConfig {
    /// How many peers are visited at a time.
    pub parallelism: usize,
    /// How many peers are taken note of at most; further ones are counted and left out.
    pub max_peers: usize,
}

impl Default for CrawlConfig {
    /// Parallelism as in go-libp2p-kad-dht (`fullrt/dht.go`). The public network has some ten thousand servers; a crawl
    /// that sees twenty times as many is being fed invented ones.
    fn default() -> Self {
        Self { parallelism: 200, max_peers: 200_000 }
    }
}

/// What came of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visited<P> {
    /// The peer answered.
    Answered {
        /// Who was visited.
        peer: P,
        /// Whom it named, in whatever order, as often as it did.
        named: Vec<P>,
    },
    /// The peer could not be dialled, or did not answer every question.
    Failed {
        /// Who was visited.
        peer: P,
    },
}

/// What a crawl wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrawlStep<P> {
    /// Visit this peer.
    Visit(P),
    /// Nothing until the next visit has ended.
    Wait,
    /// Everybody has been visited. Given once.
    Done(CrawlOutcome<P>),
}

/// The network as a crawl found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrawlOutcome<P> {
    /// Peers that answered.
    pub reachable: Vec<P>,
    /// Peers that were named but did not answer.
    pub unreachable: Vec<P>,
    /// How often a peer was named that had no place within [`CrawlConfig::max_peers`].
    pub left_out: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Crawl<P> {
    config: CrawlConfig,
    seen: HashSet<P>,
    queue: VecDeque<P>,
    under_way: HashSet<P>,
    /// Seeds that nobody has named.
    strangers: HashSet<P>,
    outcome: CrawlOutcome<P>,
}

impl<P: Contact> Crawl<P> {
    /// A crawl that starts at `seeds`. It never visits `local`, ourselves.
    pub fn new(local: P, seeds: Vec<P>, config: CrawlConfig) -> Self {
        let mut crawl = Self {
            config,
            seen: HashSet::new(),
            queue: VecDeque::new(),
            under_way: HashSet::new(),
            strangers: seeds.iter().cloned().collect(),
            outcome: CrawlOutcome { reachable: Vec::new(), unreachable: Vec::new(), left_out: 0 },
        };
        // We take no place among the peers.
        crawl.config.max_peers = config.max_peers.saturating_add(1);
        crawl.seen.insert(local);
        crawl.hear(seeds);
        crawl
    }

    fn hear(&mut self, peers: Vec<P>) {
        for peer in peers {
            if self.seen.contains(&peer) {
                continue;
            }
            if self.seen.len() >= self.config.max_peers {
                self.outcome.left_out += 1;
                continue;
            }
            self.seen.insert(peer.clone());
            self.queue.push_back(peer);
        }
    }

    fn take_in(&mut self, visited: Visited<P>) {
        match visited {
            Visited::Answered { peer, named } if self.under_way.remove(&peer) => {
                for known in &named {
                    self.strangers.remove(known);
                }
                self.hear(named);
                self.outcome.reachable.push(peer);
            }
            Visited::Failed { peer } if self.under_way.remove(&peer) => self.outcome.unreachable.push(peer),
            // Nobody asked for it.
            Visited::Answered { .. } | Visited::Failed { .. } => {}
        }
    }

    /// Takes in what came of a visit, if one has ended, and says what to do next. Called again and again without one,
    /// it hands out visits until [`CrawlConfig::parallelism`] are under way.
    pub fn advance(&mut self, visited: Option<Visited<P>>) -> CrawlStep<P> {
        if let Some(visited) = visited {
            self.take_in(visited);
        }
        if self.under_way.len() < self.config.parallelism.max(1)
            && let Some(peer) = self.queue.pop_front()
        {
            self.under_way.insert(peer.clone());
            return CrawlStep::Visit(peer);
        }
        if !self.under_way.is_empty() {
            return CrawlStep::Wait;
        }
        let nothing = CrawlOutcome { reachable: Vec::new(), unreachable: Vec::new(), left_out: 0 };
        CrawlStep::Done(std::mem::replace(&mut self.outcome, nothing))
    }

    /// Whether all that is waited for are seeds whom nobody has named: of the network as its peers know it, everybody has
    /// been visited.
    pub fn is_held_up(&self) -> bool {
        self.queue.is_empty()
            && !self.under_way.is_empty()
            && self.under_way.iter().all(|peer| self.strangers.contains(peer))
    }

    /// What has been found so far.
    pub fn so_far(&self) -> &CrawlOutcome<P> {
        &self.outcome
    }

    /// The same, for a crawl that has to end before it is done.
    pub fn into_outcome(self) -> CrawlOutcome<P> {
        self.outcome
    }
}
