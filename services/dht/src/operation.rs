//! Drives a strategy over the network: performs its steps, feeds back the answers, and keeps a log.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{AbortHandle, Abortable};
use futures::stream::FuturesUnordered;
use libp2p::{Multiaddr, PeerId};
use parsec_measure::Effort;
use tokio::time::{Instant, sleep_until};
use tracing::trace;

use crate::driver::DriverHandle;
use crate::rpc::client::RpcClient;
use crate::rpc::{Phases, RpcError, Stopwatch};
use crate::strategy::{Answer, Reply, Request, Step, Strategy};
use crate::wire::{self, NamedPeer, Response};

/// What an operation works with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) rpc: RpcClient,
    pub(crate) driver: DriverHandle,
}

/// The fixed side of one operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The key as it stands on the wire.
    pub(crate) key: Vec<u8>,
    /// Ourselves, as ADD_PROVIDER names us.
    pub(crate) local: NamedPeer,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
}

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Failed(RpcError),
    Cancelled,
}

impl End {
    fn is_failed_dial(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_dial())
    }
}

/// One request of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) request: Request,
    pub(crate) phases: Phases,
    pub(crate) end: End,
}

impl Entry {
    /// Where the time of one request went, for `--log-level 6`. A phase that was not needed or not reached is missing.
    fn trace(&self, peer: PeerId) {
        let Phases { asked, dialled, connected, opened, written, ended } = self.phases;
        let since_asked = |phase: Option<Instant>| Some((phase? - asked?).as_secs_f64());
        trace!(
            %peer,
            request = ?self.request,
            end = ?self.end,
            dialled_seconds = since_asked(dialled),
            connected_seconds = since_asked(connected),
            opened_seconds = since_asked(opened),
            written_seconds = since_asked(written),
            ended_seconds = since_asked(ended),
            "request ended"
        );
    }
}

/// Every request of an operation, in the order in which they ended.
#[derive(Debug, Default)]
pub(crate) struct Log(pub(crate) Vec<Entry>);

impl Log {
    /// The counts that are reported with a measurement.
    pub(crate) fn effort(&self) -> Effort {
        let count = |wanted: fn(&Entry) -> bool| {
            Some(u32::try_from(self.0.iter().filter(|entry| wanted(entry)).count()).unwrap_or(u32::MAX))
        };
        Effort {
            rpcs: count(|entry| entry.phases.written.is_some()),
            rpcs_failed: count(|entry| entry.phases.written.is_some() && matches!(entry.end, End::Failed(_))),
            dials: count(|entry| entry.phases.dialled.is_some()),
            dials_failed: count(|entry| entry.phases.dialled.is_some() && entry.end.is_failed_dial()),
            holders_stored: None,
            holders_failed: None,
            holders_pending: None,
        }
    }

    /// How many requests of this kind were answered; for ADD_PROVIDER, written.
    pub(crate) fn answered(&self, request: Request) -> usize {
        self.0.iter().filter(|entry| entry.request == request && entry.end == End::Answered).count()
    }

    /// The failures, in the order in which they happened.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &RpcError> {
        self.0.iter().filter_map(|entry| match &entry.end {
            End::Failed(error) => Some(error),
            _ => None,
        })
    }
}

/// How a strategy was driven to its end.
#[derive(Debug)]
pub(crate) struct Driven<O> {
    /// What the strategy ended with; `None` if the deadline came first.
    pub(crate) outcome: Option<O>,
    /// When it ended, before any clean-up.
    pub(crate) took: Duration,
    pub(crate) log: Log,
}

struct Ended {
    peer: PeerId,
    result: Result<Response, RpcError>,
}

struct UnderWay {
    request: Request,
    stopwatch: Stopwatch,
    abort: AbortHandle,
}

impl UnderWay {
    fn into_entry(self, end: End) -> Entry {
        Entry { request: self.request, phases: self.stopwatch.read(), end }
    }
}

/// What changes while an operation runs.
#[derive(Default)]
struct Progress {
    /// Addresses heard of, for dialling.
    book: HashMap<PeerId, Vec<Multiaddr>>,
    under_way: HashMap<PeerId, UnderWay>,
    /// Answers that the strategy has not taken in yet.
    answers: VecDeque<Answer<PeerId>>,
    log: Log,
}

impl Operation {
    /// Drives `strategy` until it is done or the deadline has come. `seeds` are the peers whose addresses are known at first.
    pub(crate) async fn drive<S: Strategy<PeerId>>(
        &self,
        tools: &Tools,
        mut strategy: S,
        seeds: Vec<NamedPeer>,
    ) -> Driven<S::Outcome> {
        let book = seeds.into_iter().map(|seed| (seed.id, seed.addresses)).collect();
        let mut progress = Progress { book, ..Progress::default() };
        let mut requests = FuturesUnordered::new();
        let outcome = loop {
            match strategy.advance(progress.answers.pop_front(), self.started.elapsed()) {
                Step::Ask { peer, request } => {
                    let addresses = progress.book.get(&peer).cloned().unwrap_or_default();
                    let stopwatch = Stopwatch::start();
                    let (abort, registration) = AbortHandle::new_pair();
                    let asking = self.ask(tools, peer, addresses, request, stopwatch.clone());
                    requests.push(Abortable::new(asking, registration));
                    progress.under_way.insert(peer, UnderWay { request, stopwatch, abort });
                }
                Step::CancelDials => progress.cancel_dials(),
                Step::Wait(_) if !progress.answers.is_empty() => {}
                Step::Wait(until) => {
                    let until = until.map_or(self.deadline, |until| self.deadline.min(self.started + until));
                    tokio::select! {
                        // One that was aborted was answered for when it was cancelled.
                        Some(ended) = requests.next() => if let Ok(ended) = ended { progress.take_in(tools, ended) },
                        () = sleep_until(until) => if until == self.deadline { break None },
                    }
                }
                Step::Return(outcome) | Step::Done(outcome) => break Some(outcome),
            }
        };
        let took = self.started.elapsed();
        let Progress { under_way, mut log, .. } = progress;
        log.0.extend(under_way.into_values().map(|request| request.into_entry(End::Cancelled)));
        Driven { outcome, took, log }
    }

    async fn ask(
        &self,
        tools: &Tools,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: Request,
        stopwatch: Stopwatch,
    ) -> Ended {
        let key = self.key.clone();
        let request = match request {
            Request::FindNode => wire::Request::FindNode { key },
            Request::GetProviders => wire::Request::GetProviders { key },
            Request::AddProvider => wire::Request::AddProvider { key, provider: self.local.clone() },
        };
        Ended { peer, result: tools.rpc.ask(peer, addresses, &request, &stopwatch).await }
    }
}

impl Progress {
    fn take_in(&mut self, tools: &Tools, Ended { peer, result }: Ended) {
        let Some(request) = self.under_way.remove(&peer) else { return };
        let kind = request.request;
        let (reply, end) = match result {
            Ok(response) if kind == Request::AddProvider => {
                debug_assert_eq!(response, Response::default());
                (Reply::Stored, End::Answered)
            }
            Ok(response) => {
                let addresses = self.book.get(&peer).cloned().unwrap_or_default();
                tools.driver.answered(NamedPeer { id: peer, addresses });
                (self.hear(response), End::Answered)
            }
            Err(error) => {
                // As in Go, a put that fails is no verdict on the peer's place in the routing table.
                if kind != Request::AddProvider {
                    tools.driver.unresponsive(peer);
                }
                (Reply::Failed, End::Failed(error))
            }
        };
        let entry = request.into_entry(end);
        entry.trace(peer);
        self.log.0.push(entry);
        self.answers.push_back(Answer { peer, request: kind, reply });
    }

    /// Notes the addresses in an answer, and leaves the strategy with the names.
    fn hear(&mut self, response: Response) -> Reply<PeerId> {
        let mut names = |peers: Vec<NamedPeer>| -> Vec<PeerId> {
            let note = |peer: NamedPeer| {
                let known = self.book.entry(peer.id).or_default();
                if known.is_empty() {
                    *known = peer.addresses;
                }
                peer.id
            };
            peers.into_iter().map(note).collect()
        };
        Reply::Answered { closer: names(response.closer), providers: names(response.providers) }
    }

    fn cancel_dials(&mut self) {
        let not_connected = |request: &UnderWay| request.stopwatch.read().connected.is_none();
        let cancelled: Vec<_> = self.under_way.extract_if(|_, request| not_connected(request)).collect();
        for (peer, request) in cancelled {
            request.abort.abort();
            request.stopwatch.ended();
            self.answers.push_back(Answer { peer, request: request.request, reply: Reply::Cancelled });
            self.log.0.push(request.into_entry(End::Cancelled));
        }
    }
}
