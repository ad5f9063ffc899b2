//! A crawl of the whole network, as a pure state machine: it fills the [`FullTable`](super::FullTable).
//!
//! Starting at the seeds, it visits every peer that any peer names, once, many at a time. To visit a peer means to ask
//! it for the peers closest to each of its [`prefix_targets`](super::prefix_targets), which shows its routing table.

use std::collections::{HashSet, VecDeque};

use crate::strategy::key::Contact;

/// The limits of a crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrawlConfig {
    /// How many peers are visited at a time.
    pub parallelism: usize,
    /// How many peers are recorded at most; further ones are counted and left out.
    pub max_peers: usize,
}

impl Default for CrawlConfig {
    /// Parallelism as in go-libp2p-kad-dht (`fullrt/dht.go`). The public network has some ten thousand servers; a crawl
    /// that sees twenty times as many is being fed invented ones.
    fn default() -> Self {
        Self { parallelism: 200, max_peers: 200_000 }
    }
}

/// The result of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visited<P> {
    /// The peer answered.
    Answered {
        /// The visited peer.
        peer: P,
        /// The peers that it named, in any order, possibly more than once.
        named: Vec<P>,
    },
    /// The peer could not be dialled, or did not answer every question.
    Failed {
        /// The visited peer.
        peer: P,
    },
}

/// What a crawl wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrawlStep<P> {
    /// Visit this peer.
    Visit(P),
    /// Wait until the next visit has ended.
    Wait,
    /// All peers have been visited. Returned once.
    Done(CrawlOutcome<P>),
}

/// The network as a crawl found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrawlOutcome<P> {
    /// Peers that answered.
    pub reachable: Vec<P>,
    /// Peers that were named but did not answer.
    pub unreachable: Vec<P>,
    /// How many times a peer was named for which there was no room within [`CrawlConfig::max_peers`].
    pub left_out: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Crawl<P> {
    config: CrawlConfig,
    seen: HashSet<P>,
    queue: VecDeque<P>,
    under_way: HashSet<P>,
    /// Seeds that no peer has named.
    strangers: HashSet<P>,
    outcome: CrawlOutcome<P>,
}

impl<P: Contact> Crawl<P> {
    /// A crawl that starts at `seeds`. It never visits `local`, this node.
    pub fn new(local: P, seeds: Vec<P>, config: CrawlConfig) -> Self {
        let mut crawl = Self {
            config,
            seen: HashSet::new(),
            queue: VecDeque::new(),
            under_way: HashSet::new(),
            strangers: seeds.iter().cloned().collect(),
            outcome: CrawlOutcome { reachable: Vec::new(), unreachable: Vec::new(), left_out: 0 },
        };
        // This node does not count as one of the peers.
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
            // A result of a visit that was not requested.
            Visited::Answered { .. } | Visited::Failed { .. } => {}
        }
    }

    /// Takes the result of a visit, if one has ended, and returns the next step. When called repeatedly without a
    /// result, it returns visits until [`CrawlConfig::parallelism`] are under way.
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

    /// Whether only seeds that no peer has named are still being visited: all peers known to the network have been
    /// visited then.
    pub fn is_held_up(&self) -> bool {
        self.queue.is_empty()
            && !self.under_way.is_empty()
            && self.under_way.iter().all(|peer| self.strangers.contains(peer))
    }

    /// What has been found so far.
    pub fn so_far(&self) -> &CrawlOutcome<P> {
        &self.outcome
    }

    /// The same, for a crawl that has to end early.
    pub fn into_outcome(self) -> CrawlOutcome<P> {
        self.outcome
    }
}
