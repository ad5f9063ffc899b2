//! Drives a strategy over the network: performs its steps, feeds back the answers, and keeps a log.
//!
//! An operation ends when its strategy is done. A strategy that returns earlier leaves its puts to the background,
//! where [`Background::finish`] drives them to their end.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::operation::book::AddressBook;
use crate::operation::log::{Confirmation, End, Log, Origin, Snapshot};
use crate::operation::size::NetworkSize;
use crate::strategy::{Answer, Lookup, MAX_HEARD, MAX_REQUESTS, Reply, Request, Step, Strategy, Unfinished};
use crate::swarm::driver::DriverHandle;
use crate::swarm::rpc::client::RpcClient;
use crate::swarm::rpc::{RpcError, Stopwatch, Tries, Way};
use crate::wire::addresses::is_dialable;
use crate::wire::messages::{self, NamedPeer, Response};
use crate::wire::reach::Reach;

/// How many puts of a node may be left to the background at once (Go: `defaultOptimisticProvideJobsPoolSize`).
/// A publication that finds no room there waits for its own puts until there is.
const BACKGROUND_PUTS: usize = 60;

/// How long the puts in the background may take: longer than any single put.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(90);

/// For how many peers addresses and origins are noted: twice as many as a lookup considers, because providers are named
/// as well.
const MAX_BOOK: usize = 2 * MAX_HEARD;

/// What an operation needs.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) rpc: RpcClient,
    pub(crate) driver: DriverHandle,
    pub(crate) size: NetworkSize,
    pub(crate) reach: Reach,
    room: Arc<Semaphore>,
}

impl Tools {
    pub(crate) fn new(rpc: RpcClient, driver: DriverHandle, size: NetworkSize, reach: Reach) -> Self {
        Self { rpc, driver, size, reach, room: Arc::new(Semaphore::new(BACKGROUND_PUTS)) }
    }
}

/// How long one request of an operation may take, dial included. `None`: each phase has its own limit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) ask: Option<Duration>,
    pub(crate) put: Option<Duration>,
}

/// What does not change during an operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// The key as sent to peers.
    pub(crate) key: Vec<u8>,
    /// This node, as named in ADD_PROVIDER.
    pub(crate) local: NamedPeer,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    pub(crate) limits: Limits,
}

/// How a strategy was driven to its outcome.
pub(crate) struct Driven<S: Strategy<PeerId>> {
    /// The outcome of the strategy, or why it has none.
    pub(crate) outcome: Result<S::Outcome, Unfinished>,
    /// When it ended, before any clean-up.
    pub(crate) took: Duration,
    pub(crate) log: Snapshot,
    /// What goes on in the background.
    pub(crate) background: Option<Background<S>>,
}

impl Operation {
    /// Drives `strategy` until it has its outcome or the deadline has come. `seeds` are the peers whose addresses are
    /// known at first, and `log` is what was done before.
    pub(crate) async fn drive<S: Strategy<PeerId>>(
        self,
        tools: &Tools,
        strategy: S,
        seeds: Vec<NamedPeer>,
        log: Log,
    ) -> Driven<S> {
        let (started, deadline) = (self.started, self.deadline);
        let mut running = Running::new(self, tools.clone(), strategy, seeds, log);
        let event = running.advance(deadline).await;
        let (outcome, room) = match event {
            Event::Returned(outcome) => (Ok(outcome), running.find_room(deadline).await),
            Event::Done(outcome) => (Ok(outcome), None),
            Event::Unfinished(reason) => (Err(reason), None),
        };
        let took = started.elapsed();
        if room.is_none() {
            running.cancel_all();
        }
        let log = running.log.snapshot();
        Driven { outcome, took, log, background: room.map(|room| Background { running, _room: room }) }
    }

    /// Drives a lookup until it has ended or the deadline has come. Returns the peers closest to its key with the addresses at
    /// which they were named, none if it did not end, and what it did.
    pub(crate) async fn look_up(
        self,
        tools: &Tools,
        lookup: Lookup<PeerId>,
        seeds: Vec<NamedPeer>,
    ) -> (Vec<NamedPeer>, Snapshot) {
        let deadline = self.deadline;
        let mut running = Running::new(self, tools.clone(), lookup, seeds, Log::default());
        let closest = match running.advance(deadline).await {
            Event::Returned(walked) | Event::Done(walked) => walked.closest,
            Event::Unfinished(_) => Vec::new(),
        };
        running.cancel_all();
        let named = closest.into_iter().map(|nearest| running.book.named(nearest.peer)).collect();
        (named, running.log.snapshot())
    }
}

/// What an operation left to the background when it returned.
pub(crate) struct Background<S: Strategy<PeerId>> {
    running: Running<S>,
    _room: OwnedSemaphorePermit,
}

impl<S: Strategy<PeerId>> Background<S> {
    /// Drives it to its end; returns the log of the whole operation.
    pub(crate) async fn finish(mut self) -> Snapshot {
        let deadline = Instant::now() + BACKGROUND_LIMIT;
        while let Event::Returned(_) = self.running.advance(deadline).await {}
        self.running.cancel_all();
        self.running.log.snapshot()
    }
}

/// The state of a strategy.
enum Event<O> {
    Returned(O),
    Done(O),
    Unfinished(Unfinished),
}

struct Ended {
    peer: PeerId,
    request: Request,
    result: Result<Response, RpcError>,
}

struct UnderWay {
    place: usize,
    stopwatch: Stopwatch,
    abort: AbortHandle,
    trying: Trying,
}

/// A request with all its tries. Each try has its own entry in the log, with its own phases.
#[derive(Debug, Clone, Default)]
struct Trying {
    way: Way,
    left: Tries,
    /// The deadline for all of them.
    deadline: Option<Instant>,
    /// The peer's known addresses when the last try began.
    addresses: Vec<Multiaddr>,
    /// Whether it was dialled again because other addresses for it became known meanwhile.
    redialled: bool,
}

/// A peer that could not be dialled, which is asked once more if another address for it becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Open,
    Given,
}

/// A strategy, and everything that changes while it is driven.
struct Running<S> {
    operation: Operation,
    tools: Tools,
    strategy: S,
    book: AddressBook,
    /// Who named a peer first.
    origins: HashMap<PeerId, Origin>,
    requests: FuturesUnordered<Abortable<BoxFuture<'static, Ended>>>,
    under_way: HashMap<(PeerId, Request), UnderWay>,
    /// Peers that could not be dialled, and whether they have been given a second chance.
    unreached: HashMap<PeerId, Second>,
    /// Answers that have not been given to the strategy yet.
    answers: VecDeque<Answer<PeerId>>,
    log: Log,
    /// How many tries have begun: questions, and puts.
    begun: [usize; 2],
}

impl<S: Strategy<PeerId>> Running<S> {
    fn new(operation: Operation, tools: Tools, strategy: S, seeds: Vec<NamedPeer>, log: Log) -> Self {
        let mut book = AddressBook::new(MAX_BOOK, tools.reach.clone());
        let origins = seeds.iter().map(|seed| (seed.id, Origin::default())).collect();
        for seed in seeds {
            book.note(seed);
        }
        Self {
            operation,
            tools,
            strategy,
            book,
            origins,
            requests: FuturesUnordered::new(),
            under_way: HashMap::new(),
            unreached: HashMap::new(),
            answers: VecDeque::new(),
            log,
            begun: [0; 2],
        }
    }

    /// Performs steps until the strategy returns or is done, or the time is over.
    async fn advance(&mut self, deadline: Instant) -> Event<S::Outcome> {
        loop {
            match self.strategy.advance(self.answers.pop_front(), self.operation.started.elapsed()) {
                Step::Ask { request, .. } if self.is_spent(request) => {
                    return Event::Unfinished(Unfinished::TooManyRequests);
                }
                Step::Ask { peer, request } => self.ask(peer, request),
                Step::CancelDials => self.cancel_dials(),
                Step::Wait(_) if !self.answers.is_empty() => {}
                Step::Wait(until) => {
                    let until = until.map_or(deadline, |until| deadline.min(self.operation.started + until));
                    if !self.wait(until).await && until == deadline {
                        return Event::Unfinished(Unfinished::OutOfTime);
                    }
                }
                Step::Return(outcome) => return Event::Returned(outcome),
                Step::Done(outcome) => return Event::Done(outcome),
            }
        }
    }

    /// Waits for an answer; false if none came by `until`.
    async fn wait(&mut self, until: Instant) -> bool {
        tokio::select! {
            // If an answer is there, it counts, even if the time is over in the same moment.
            biased;
            Some(ended) = self.requests.next() => {
                // A request that was aborted got its answer when it was cancelled.
                if let Ok(ended) = ended {
                    self.take_in(ended);
                }
                true
            }
            () = sleep_until(until) => false,
        }
    }

    /// The number of puts in the background is limited: the caller gets its outcome once the remaining puts have found
    /// room there, or have ended. `None` if that was not the case by `deadline`.
    async fn find_room(&mut self, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        // Lookup requests that are still under way cannot change the outcome any more.
        self.cancel(|request, _| request != Request::AddProvider);
        loop {
            let left = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
            if let Ok(room) = Arc::clone(&self.tools.room).try_acquire_many_owned(left) {
                return Some(room);
            }
            if !self.wait(deadline).await {
                return None;
            }
        }
    }

    fn ask(&mut self, peer: PeerId, request: Request) {
        let Limits { ask, put } = self.operation.limits;
        let limit = if request == Request::AddProvider { put } else { ask };
        let deadline = limit.map(|limit| Instant::now() + limit);
        self.begin_try(peer, request, Trying { deadline, ..Trying::default() });
    }

    /// Whether this operation has made all requests of this kind that it may.
    fn is_spent(&self, request: Request) -> bool {
        self.begun[usize::from(request == Request::AddProvider)] >= MAX_REQUESTS
    }

    fn begin_try(&mut self, peer: PeerId, request: Request, mut trying: Trying) {
        self.begun[usize::from(request == Request::AddProvider)] += 1;
        trying.addresses = self.book.named(peer).addresses;
        let stopwatch = Stopwatch::start();
        let origin = self.origins.get(&peer).copied().unwrap_or_default();
        let place = self.log.begin(peer, request, origin, stopwatch.clone());
        let (abort, registration) = AbortHandle::new_pair();
        let asking = self.asking(peer, request, &trying, stopwatch.clone(), self.log.confirmation(place));
        self.requests.push(Abortable::new(asking, registration));
        self.under_way.insert((peer, request), UnderWay { place, stopwatch, abort, trying });
    }

    fn asking(
        &self,
        peer: PeerId,
        request: Request,
        trying: &Trying,
        stopwatch: Stopwatch,
        confirmation: Confirmation,
    ) -> BoxFuture<'static, Ended> {
        let Operation { key, local, .. } = &self.operation;
        let key = key.clone();
        let message = match request {
            Request::FindNode => messages::Request::FindNode { key },
            Request::GetProviders => messages::Request::GetProviders { key },
            Request::AddProvider => messages::Request::AddProvider { key, provider: local.clone() },
        };
        let (rpc, addresses, way) = (self.tools.rpc.clone(), trying.addresses.clone(), trying.way);
        let limit = trying.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Box::pin(async move {
            let result = rpc.attempt(peer, addresses, &message, way, &stopwatch, &confirmation, limit).await;
            Ended { peer, request, result }
        })
    }

    fn take_in(&mut self, Ended { peer, request, result }: Ended) {
        let Some(UnderWay { place, trying, .. }) = self.under_way.remove(&(peer, request)) else { return };
        let (reply, end) = match result {
            Ok(_) if request == Request::AddProvider => {
                (Reply::Stored, End::Answered { closer: 0, providers: Vec::new() })
            }
            Ok(response) => {
                self.tools.driver.answered(self.book.named(peer));
                // Providers that are named without being asked for are ignored.
                let asked_for = request == Request::GetProviders;
                let providers = if asked_for { self.dialable(&response.providers) } else { Vec::new() };
                let end = End::Answered { closer: response.closer.len(), providers };
                (self.hear(place, response), end)
            }
            Err(error) => {
                if let Some(again) = self.again(peer, request, &error, trying) {
                    self.log.end(place, End::Failed(error));
                    return self.begin_try(peer, request, again);
                }
                // As in Go, a failed put does not remove the peer from the routing table.
                if request != Request::AddProvider && !error.is_ours() {
                    self.tools.driver.unresponsive(peer);
                }
                if error.is_dial() {
                    self.unreached.entry(peer).or_insert(Second::Open);
                }
                (Reply::Failed, End::Failed(error))
            }
        };
        self.log.end(place, end);
        self.answers.push_back(Answer { peer, request, reply });
    }

    /// These peers with those of their addresses that may be dialled from here, for the log.
    fn dialable(&self, peers: &[NamedPeer]) -> Vec<NamedPeer> {
        let dialable = |address: &&Multiaddr| is_dialable(address) && self.tools.reach.permits(address);
        let named = |peer: &NamedPeer| NamedPeer {
            id: peer.id,
            addresses: peer.addresses.iter().filter(dialable).cloned().collect(),
        };
        peers.iter().map(named).collect()
    }

    /// How to try again after a failure, if at all.
    fn again(&self, peer: PeerId, request: Request, error: &RpcError, mut trying: Trying) -> Option<Trying> {
        if trying.deadline.is_some_and(|deadline| deadline <= Instant::now()) || self.is_spent(request) {
            return None;
        }
        if error.is_dial() {
            let is_new = |address: &Multiaddr| is_dialable(address) && !trying.addresses.contains(address);
            let named_elsewhere = self.book.named(peer).addresses.iter().any(is_new);
            return (named_elsewhere && !trying.redialled).then_some(Trying { redialled: true, ..trying });
        }
        trying.way = trying.left.after(error)?;
        Some(trying)
    }

    /// Notes the addresses and origins of the peers named in an answer, and leaves the names for the strategy.
    fn hear(&mut self, place: usize, response: Response) -> Reply<PeerId> {
        let origin = Origin { named_by: Some(place), hop: self.log.origin(place).hop + 1 };
        let mut note = |peer: NamedPeer| {
            let id = peer.id;
            if self.origins.len() < MAX_BOOK {
                self.origins.entry(id).or_insert(origin);
            }
            let noted = self.book.note(peer);
            // The peer may be reachable there after all. It is tried only once, so that invented addresses cannot keep
            // us dialling.
            if noted.news && self.unreached.get(&id) == Some(&Second::Open) {
                self.unreached.insert(id, Second::Given);
                self.strategy.reconsider(&id);
            }
            (id, noted.worth_asking)
        };
        let closer = response.closer.into_iter().map(&mut note).filter_map(|(id, worth)| worth.then_some(id)).collect();
        Reply::Answered { closer, providers: response.providers.into_iter().map(note).map(|(id, _)| id).collect() }
    }

    fn cancel_dials(&mut self) {
        self.cancel(|request, underway| {
            request != Request::AddProvider && underway.stopwatch.read().connected.is_none()
        });
    }

    fn cancel_all(&mut self) {
        self.cancel(|_, _| true);
    }

    fn cancel(&mut self, wanted: impl Fn(Request, &UnderWay) -> bool) {
        let mut cancelled: Vec<_> =
            self.under_way.extract_if(|(_, request), under_way| wanted(*request, under_way)).collect();
        cancelled.sort_unstable_by_key(|(_, under_way)| under_way.place);
        for ((peer, request), UnderWay { place, stopwatch, abort, .. }) in cancelled {
            abort.abort();
            stopwatch.ended();
            self.log.end(place, End::Cancelled);
            self.answers.push_back(Answer { peer, request, reply: Reply::Cancelled });
        }
    }
}
