//! Visits every peer of the network, once an hour and on demand: the source of a full routing table.
//!
//! Each peer is asked for the peers closest to 16 targets, which share 0 to 15 leading bits with its own key: the
//! answers together contain its whole routing table. Every peer that answers is in the census, which is replaced as a
//! whole when the crawl has ended. Numbers and order are those of go-libp2p-kad-dht (`crawler`, `fullrt`).
//!
//! It takes seconds to find out that a bootstrap peer is dead. While there is no census, a preliminary one is made as
//! soon as the only peers not visited yet are bootstrap peers that no other peer has named: all peers known to the
//! network have been met by then. If one of them answers after all and names others, that census is withdrawn until
//! they have been visited.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::operation::book::AddressBook;
use crate::operation::census::Census;
use crate::operation::drive::Tools;
use crate::strategy::key::Contact;
use crate::strategy::{Crawl, CrawlConfig, CrawlOutcome, CrawlStep, Visited, prefix_targets};
use crate::swarm::bootstrap::Bootstrap;
use crate::swarm::room::Room;
use crate::swarm::rpc::{RpcError, Stopwatch};
use crate::table::refresh::OTHERS;
use crate::wire::messages::{self, NamedPeer};

/// From the start of one crawl to the start of the next (Go: `fullrt` `crawlerInterval`).
const INTERVAL: Duration = Duration::from_secs(3_600);

/// How long connecting, one answer, and a whole visit may take (Go: `defaultRTConnectTimeout`, `defaultMsgTimeout`,
/// `peerTimeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const VISIT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a crawl may take in all: what [`VALID`](crate::operation::census::VALID) leaves room for. The public network takes minutes; one that takes longer
/// is fed invented peers.
const CRAWL_LIMIT: Duration = Duration::from_secs(900);

/// The shortest and the longest pause while no peer can be reached; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A request for a crawl now; answered with the number of peers met.
pub(crate) type CrawlNow = oneshot::Sender<usize>;

/// What a crawler needs.
#[derive(Debug)]
pub(crate) struct Crawler {
    pub(crate) tools: Tools,
    pub(crate) local: PeerId,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) census: Census,
    pub(crate) wishes: mpsc::Receiver<CrawlNow>,
}

impl Crawler {
    /// Crawls for ever; `filled` turns true after the first crawl that met enough peers.
    pub(crate) async fn run(mut self, filled: watch::Sender<bool>) {
        let mut pause = RETRY.0;
        let mut asked: Option<CrawlNow> = None;
        loop {
            let started = Instant::now();
            let met = self.crawl(&filled).await;
            if let Some(asked) = asked.take() {
                let _ = asked.send(met.unwrap_or(0));
            }
            let next = if met.is_some() {
                pause = RETRY.0;
                started + INTERVAL
            } else {
                warn!(
                    retry_seconds = pause.as_secs_f64(),
                    needed = self.needed(),
                    reason = self.bootstrap.complaint(),
                    "the crawl met too few peers: the one before it still counts"
                );
                let next = Instant::now() + pause;
                pause = (pause * 2).min(RETRY.1);
                next
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(next) => {}
                wish = self.wishes.recv() => match wish {
                    Some(wish) => asked = Some(wish),
                    None => sleep(next.saturating_duration_since(Instant::now())).await,
                },
            }
        }
    }

    /// How many peers a crawl must have met to count: half of those of the last one that still counts, or half of the
    /// bootstrap peers. Fewer mean that this node was cut off, not that the network has gone. (Go accepts any crawl,
    /// and is ready with more peers than its bootstrap peers plus one; but a network may be smaller than that.)
    fn needed(&self) -> usize {
        self.census.valid().unwrap_or(self.bootstrap.peers().len()).div_ceil(2).max(1)
    }

    /// One crawl: the number of peers that answered, if it counts.
    async fn crawl(&self, filled: &watch::Sender<bool>) -> Option<usize> {
        let started = Instant::now();
        let most = CrawlConfig::default();
        let bounds = CrawlConfig { parallelism: most.parallelism.min(Room::of_process().dials as usize), ..most };
        let mut book = AddressBook::new(bounds.max_peers, self.tools.reach.clone());
        let known = self.bootstrap.peers().iter().cloned().chain(self.census.everybody());
        let seeds = dialable(&mut book, known);
        let mut crawl = Crawl::new(self.local, seeds, bounds);
        let mut visits = FuturesUnordered::new();
        let mut visited = None;
        let mut is_provisional = false;
        let outcome = loop {
            match crawl.advance(visited.take()) {
                CrawlStep::Visit(peer) => {
                    if std::mem::take(&mut is_provisional) {
                        self.census.take_back();
                    }
                    visits.push(self.visit(book.named(peer)));
                }
                CrawlStep::Wait => {
                    let limit = started + CRAWL_LIMIT;
                    let may_be_all = crawl.is_held_up() && self.census.valid().is_none();
                    let patience = if may_be_all { limit.min(Instant::now() + OTHERS) } else { limit };
                    let ended = match timeout_at(patience, visits.next()).await {
                        Err(_) if patience < limit => {
                            is_provisional = self.takes(crawl.so_far().clone(), &book, filled);
                            // Too few so far: wait for the bootstrap peers that nobody has named.
                            if is_provisional { continue } else { timeout_at(limit, visits.next()).await }
                        }
                        ended => ended,
                    };
                    let Ok(Some((peer, answer))) = ended else {
                        warn!(
                            seconds = CRAWL_LIMIT.as_secs(),
                            "the crawl takes too long: using the peers that it has met so far"
                        );
                        break crawl.into_outcome();
                    };
                    visited = Some(match answer {
                        Some(named) => Visited::Answered { peer, named: dialable(&mut book, named) },
                        None => {
                            book.remove(&peer);
                            Visited::Failed { peer }
                        }
                    });
                }
                CrawlStep::Done(outcome) => break outcome,
            }
        };
        let (met, unreachable, left_out) = (outcome.reachable.len(), outcome.unreachable.len(), outcome.left_out);
        let duration_seconds = started.elapsed().as_secs_f64();
        info!(peers = met, unreachable, left_out, duration_seconds, "network crawled");
        self.takes(outcome, &book, filled).then_some(met)
    }

    /// Makes the peers that a crawl has met the census, if there are enough.
    fn takes(&self, outcome: CrawlOutcome<PeerId>, book: &AddressBook, filled: &watch::Sender<bool>) -> bool {
        let met = outcome.reachable.len();
        if met < self.needed() {
            return false;
        }
        let addresses = outcome.reachable.iter().map(|peer| (*peer, book.named(*peer).addresses)).collect();
        self.tools.size.counted(met);
        self.census.replace(outcome, addresses);
        filled.send_replace(true);
        true
    }

    /// Asks one peer for its whole routing table, and closes the connection if there was none before.
    async fn visit(&self, visited: NamedPeer) -> (PeerId, Option<Vec<NamedPeer>>) {
        let NamedPeer { id: peer, addresses } = visited.clone();
        let mut named = Vec::new();
        let mut dialled = false;
        self.bootstrap.asking(&peer);
        let asking = async {
            for (index, key) in prefix_targets(&peer.key()).into_iter().enumerate() {
                let (request, stopwatch) = (messages::Request::FindNode { key }, Stopwatch::start());
                let limit = if index == 0 { CONNECT_TIMEOUT + ANSWER_TIMEOUT } else { ANSWER_TIMEOUT };
                let answer = self.tools.rpc.ask(peer, addresses.clone(), &request, &stopwatch, Some(limit)).await;
                dialled |= stopwatch.read().dialled.is_some();
                match answer {
                    Ok(answer) => named.extend(answer.closer),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        let complete = timeout(VISIT_TIMEOUT, asking).await.unwrap_or(Err(RpcError::Timeout(VISIT_TIMEOUT)));
        self.bootstrap.answered(&peer, complete.as_ref().copied());
        if let Err(error) = &complete {
            debug!(%peer, %error, "left out of the census");
        }
        // A peer that does not speak our protocol may be about to say which ones it speaks.
        if dialled && !matches!(complete, Err(RpcError::Unsupported)) {
            self.tools.rpc.release(&peer);
            self.tools.driver.disconnect(peer).await;
        }
        if complete.is_ok() {
            self.tools.driver.answered(visited);
        }
        (peer, complete.ok().map(|()| named))
    }
}

/// Notes where these peers can be dialled, and separates them from those that cannot.
fn dialable(book: &mut AddressBook, peers: impl IntoIterator<Item = NamedPeer>) -> Vec<PeerId> {
    peers.into_iter().filter_map(|peer| Some(peer.id).filter(|_| book.note(peer).worth_asking)).collect()
}
