//! What an operation did, request by request: the counts and the trace of its report are computed from this.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use parsec_measure::{
    Effort, FoundProvider, MAX_FOUND_PROVIDERS, MAX_TRACED_REQUESTS, RequestEnd, StrategyKind, Trace, TracedRequest,
};
use tokio::time::Instant;
use tracing::trace;

use crate::operation::accounts::{Fate, Puts};
use crate::strategy::Request;
use crate::strategy::key::{Contact, Key};
pub(crate) use crate::swarm::confirmation::Confirmation;
use crate::swarm::rpc::{Phases, RpcError, Stopwatch};
use crate::swarm::tap::{Heard, Overheard};
use crate::wire::messages::NamedPeer;

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Answered, naming this many closer peers and these providers; for ADD_PROVIDER: written.
    Answered {
        closer: usize,
        providers: Vec<NamedPeer>,
    },
    Failed(RpcError),
    Cancelled,
}

/// How an operation learnt of a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The entry of the log whose answer named it first; `None` if it was known from the start.
    pub(crate) named_by: Option<usize>,
    /// How many answers led to it, one after the other.
    pub(crate) hop: u32,
}

/// One request of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) peer: PeerId,
    pub(crate) request: Request,
    pub(crate) origin: Origin,
    pub(crate) stopwatch: Stopwatch,
    /// `None` while it is under way.
    pub(crate) end: Option<End>,
    /// For a put: whether the peer has accepted the record.
    pub(crate) confirmation: Confirmation,
}

/// Every request of an operation, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Log(Vec<Entry>);

impl Log {
    /// Notes that a request begins; returns its place in the log.
    pub(crate) fn begin(&mut self, peer: PeerId, request: Request, origin: Origin, stopwatch: Stopwatch) -> usize {
        self.0.push(Entry { peer, request, origin, stopwatch, end: None, confirmation: Confirmation::default() });
        self.0.len() - 1
    }

    /// The log of one of libp2p-kad's own walks, which sent every peer `request`. Who named whom, and how many peers an
    /// answer named, cannot be seen from outside.
    pub(crate) fn overheard(request: Request, requests: Vec<Overheard>) -> Self {
        let mut log = Self::default();
        for Overheard { peer, stopwatch, end } in requests {
            let place = log.begin(peer, request, Origin::default(), stopwatch);
            let end = match end {
                Heard::Answered => End::Answered { closer: 0, providers: Vec::new() },
                Heard::Failed(error) => End::Failed(error),
                Heard::Cancelled => End::Cancelled,
            };
            log.end(place, end);
        }
        log
    }

    /// Notes how the request at `place` ended, and logs it at `--log-level 6`.
    pub(crate) fn end(&mut self, place: usize, end: End) {
        let Some(entry) = self.0.get_mut(place) else { return };
        let Phases { asked, dialled, connected, opened, written, ended, .. } = entry.stopwatch.read();
        let since_asked = |phase: Option<Instant>| Some((phase? - asked?).as_secs_f64());
        trace!(
            peer = %entry.peer,
            request = ?entry.request,
            ?end,
            dialled_seconds = since_asked(dialled),
            connected_seconds = since_asked(connected),
            opened_seconds = since_asked(opened),
            written_seconds = since_asked(written),
            ended_seconds = since_asked(ended),
            "request ended"
        );
        entry.end = Some(end);
    }

    /// How the operation learnt of the peer of the request at `place`.
    pub(crate) fn origin(&self, place: usize) -> Origin {
        self.0.get(place).map(|entry| entry.origin).unwrap_or_default()
    }

    /// Where to note how the stream of the put at `place` ended.
    pub(crate) fn confirmation(&self, place: usize) -> Confirmation {
        self.0.get(place).map(|entry| entry.confirmation.clone()).unwrap_or_default()
    }

    /// A snapshot of the log, which later events do not change, except for confirmations.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.iter().map(|entry| (entry.clone(), entry.stopwatch.read())).collect())
    }
}

/// A snapshot of the log.
#[derive(Debug, Default, Clone)]
pub(crate) struct Snapshot(Vec<(Entry, Phases)>);

impl Snapshot {
    fn count(&self, wanted: impl Fn(&Entry, &Phases) -> bool) -> u32 {
        let count = self.0.iter().filter(|(entry, phases)| wanted(entry, phases)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The counts that are reported with a measurement; those of puts only with a publication.
    pub(crate) fn effort(&self) -> Effort {
        let failed = |entry: &Entry| matches!(entry.end, Some(End::Failed(_)));
        let failed_dial = |entry: &Entry| matches!(&entry.end, Some(End::Failed(error)) if error.is_dial());
        Effort {
            rpcs: Some(self.count(|_, phases| phases.written.is_some())),
            rpcs_failed: Some(self.count(|entry, phases| phases.written.is_some() && failed(entry))),
            dials: Some(self.count(|_, phases| phases.is_dialler())),
            dials_failed: Some(self.count(|entry, phases| phases.is_dialler() && failed_dial(entry))),
            ..Effort::default()
        }
    }

    /// The same for a publication, including the outcomes of its puts.
    pub(crate) fn effort_of_publication(&self) -> Effort {
        let Puts { stored, confirmed, failed, pending } = self.puts();
        Effort {
            holders_stored: Some(stored),
            holders_confirmed: Some(confirmed),
            holders_failed: Some(failed),
            holders_pending: Some(pending),
            ..self.effort()
        }
    }

    /// The outcomes of the peers that the record was sent to.
    pub(crate) fn puts(&self) -> Puts {
        Puts::of(self.0.iter().filter_map(|(entry, _)| Some((entry.peer, entry.fate()?))))
    }

    /// The puts that were written, and whether each is confirmed.
    pub(crate) fn written(&self) -> impl Iterator<Item = (PeerId, &Confirmation)> {
        let written = |entry: &&Entry| entry.fate() >= Some(Fate::Written);
        self.0.iter().map(|(entry, _)| entry).filter(written).map(|entry| (entry.peer, &entry.confirmation))
    }

    /// How many requests of this kind were answered; for ADD_PROVIDER, written.
    pub(crate) fn answered(&self, request: Request) -> u32 {
        self.count(|entry, _| entry.request == request && matches!(entry.end, Some(End::Answered { .. })))
    }

    /// The failures, in the order in which the requests were made.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &RpcError> {
        self.0.iter().filter_map(|(entry, _)| match &entry.end {
            Some(End::Failed(error)) => Some(error),
            _ => None,
        })
    }

    /// The providers that a peer named in its answer, each once, with the addresses at which they can be dialled.
    pub(crate) fn named_by(&self, peer: PeerId) -> Vec<FoundProvider> {
        let answers = self.0.iter().rev().filter(|(entry, _)| entry.peer == peer);
        let named = answers.map(|(entry, _)| entry.named()).find(|named| !named.is_empty()).unwrap_or_default();
        let mut found: Vec<FoundProvider> = Vec::new();
        for provider in named.iter().map(found_provider) {
            if found.len() < MAX_FOUND_PROVIDERS && found.iter().all(|known| known.peer != provider.peer) {
                found.push(FoundProvider { named_by: Some(peer.to_string()), ..provider });
            }
        }
        found
    }

    /// Every request, in the order in which they were made, with its times.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Entry, &Phases)> {
        self.0.iter().map(|(entry, phases)| (entry, phases))
    }

    /// The peers that the operation asked.
    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.0.iter().map(|(entry, _)| entry.peer).collect()
    }

    /// The document to store: `began` is the start of the operation, `returned` how long it took.
    pub(crate) fn trace(
        &self,
        strategy: StrategyKind,
        target: &Key,
        began: Instant,
        returned: Duration,
        agents: &HashMap<PeerId, Arc<str>>,
    ) -> Trace {
        let kept = self.0.iter().take(MAX_TRACED_REQUESTS);
        let mut requests: Vec<_> = kept.map(|(entry, phases)| entry.traced(phases, target, began, agents)).collect();
        let mut room = MAX_FOUND_PROVIDERS;
        for request in &mut requests {
            request.named.truncate(room);
            room -= request.named.len();
        }
        let left_out = u32::try_from(self.0.len() - requests.len()).unwrap_or(u32::MAX);
        Trace { strategy, returned, requests, left_out }
    }
}

/// A provider as results and traces have it.
fn found_provider(provider: &NamedPeer) -> FoundProvider {
    let addresses = provider.addresses.iter().map(ToString::to_string).collect();
    FoundProvider { peer: provider.id.to_string(), addresses, named_by: None }.bounded()
}

impl Entry {
    /// The providers that its answer named.
    fn named(&self) -> &[NamedPeer] {
        match &self.end {
            Some(End::Answered { providers, .. }) => providers,
            _ => &[],
        }
    }

    /// The known state of a put; `None` if this is not a put.
    fn fate(&self) -> Option<Fate> {
        (self.request == Request::AddProvider).then(|| match &self.end {
            // That this node stops says nothing about the put.
            None | Some(End::Failed(RpcError::Stopping)) => Fate::Pending,
            // A put that was given up at the deadline has failed, too.
            Some(End::Failed(_) | End::Cancelled) => Fate::Failed,
            Some(End::Answered { .. }) => match self.confirmation.read() {
                Some(Ok(_)) => Fate::Confirmed,
                Some(Err(_)) | None => Fate::Written,
            },
        })
    }

    fn traced(
        &self,
        phases: &Phases,
        target: &Key,
        began: Instant,
        agents: &HashMap<PeerId, Arc<str>>,
    ) -> TracedRequest {
        let offset = |phase: Option<Instant>| Some(phase?.saturating_duration_since(began));
        let closer = match self.end {
            Some(End::Answered { closer, .. }) => closer,
            _ => 0,
        };
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let confirmation = self.confirmation.read();
        let named_by = self.origin.named_by.filter(|place| *place < MAX_TRACED_REQUESTS).map(number);
        TracedRequest {
            peer: self.peer.to_string(),
            agent: agents.get(&self.peer).map(|agent| agent.to_string()),
            kind: self.request,
            named_by,
            hop: self.origin.hop,
            common_prefix: self.peer.key().distance(target).common_prefix(),
            asked: offset(phases.asked).unwrap_or_default(),
            dialled: offset(phases.dialled),
            connected: offset(phases.connected),
            opened: offset(phases.opened),
            written: offset(phases.written),
            ended: offset(phases.ended),
            end: self.end.as_ref().map_or(RequestEnd::Pending, End::class),
            error: match &self.end {
                Some(End::Failed(error)) => Some(error.in_words()),
                _ => None,
            },
            closer: number(closer),
            providers: number(self.named().len()),
            named: self.named().iter().map(found_provider).collect(),
            confirmed: offset(confirmation.as_ref().and_then(|word| word.as_ref().ok().copied())),
            unconfirmed: confirmation.and_then(Result::err),
        }
    }
}

impl End {
    fn class(&self) -> RequestEnd {
        match self {
            Self::Answered { .. } => RequestEnd::Answered,
            Self::Cancelled => RequestEnd::Cancelled,
            Self::Failed(error) => match error {
                RpcError::Dial(_) => RequestEnd::DialFailed,
                RpcError::DialUnanswered(_) | RpcError::DialTimeout(_) => RequestEnd::DialTimeout,
                RpcError::BackOff => RequestEnd::BackOff,
                RpcError::NoTransport(_) => RequestEnd::NoTransport,
                RpcError::LocalLimit(_) => RequestEnd::LocalLimit,
                RpcError::Timeout(_) => RequestEnd::Timeout,
                RpcError::Unsupported
                | RpcError::Stream(_)
                | RpcError::Unopened(_)
                | RpcError::Malformed(_)
                | RpcError::Stopping => RequestEnd::Protocol,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(answers: &[(PeerId, Vec<NamedPeer>)]) -> Snapshot {
        let mut log = Log::default();
        for (peer, providers) in answers {
            let place = log.begin(*peer, Request::GetProviders, Origin::default(), Stopwatch::start());
            log.end(place, End::Answered { closer: 0, providers: providers.clone() });
        }
        log.snapshot()
    }

    fn strangers(count: usize) -> Vec<NamedPeer> {
        let address = "/ip4/1.2.3.4/tcp/4001".parse::<libp2p::Multiaddr>().unwrap();
        (0..count).map(|_| NamedPeer { id: PeerId::random(), addresses: vec![address.clone()] }).collect()
    }

    fn traced(log: &Snapshot) -> Trace {
        let key = Key::of(b"key");
        log.trace(StrategyKind::Classic, &key, Instant::now(), Duration::ZERO, &HashMap::new())
    }

    #[test]
    fn who_named_whom_is_told_and_each_provider_once() {
        let (one, other, named) = (PeerId::random(), PeerId::random(), strangers(2));
        let log = log(&[(one, vec![]), (other, [named.clone(), named.clone()].concat())]);
        let told: Vec<_> = log.named_by(other).into_iter().map(|found| (found.peer, found.named_by.unwrap())).collect();
        assert_eq!(told, named.iter().map(|named| (named.id.to_string(), other.to_string())).collect::<Vec<_>>());
        assert_eq!(log.named_by(one), []);
        let counts: Vec<_> = traced(&log).requests.iter().map(|request| request.providers).collect();
        assert_eq!(counts, [0, 4]);
    }

    #[test]
    fn however_many_are_named_a_result_and_a_trace_tell_the_first() {
        let (one, other) = (PeerId::random(), PeerId::random());
        let log = log(&[(one, strangers(60)), (other, strangers(100))]);
        assert_eq!(log.named_by(other).len(), MAX_FOUND_PROVIDERS);
        let trace = traced(&log);
        let told: Vec<_> = trace.requests.iter().map(|request| (request.providers, request.named.len())).collect();
        assert_eq!((told, trace.named().len()), (vec![(60, 60), (100, 4)], MAX_FOUND_PROVIDERS));
    }

    const WRITTEN: End = End::Answered { closer: 0, providers: Vec::new() };

    /// A put to a peer that ends like this (`None`: still under way), and where its confirmation is noted.
    fn put(log: &mut Log, peer: PeerId, end: Option<End>) -> Confirmation {
        let place = log.begin(peer, Request::AddProvider, Origin::default(), Stopwatch::start());
        if let Some(end) = end {
            log.end(place, end);
        }
        log.confirmation(place)
    }

    #[test]
    fn each_peer_is_accounted_for_once_also_when_the_node_stops_or_a_second_try_was_needed() {
        let (mut log, peers) = (Log::default(), [(); 6].map(|()| PeerId::random()));
        put(&mut log, peers[0], Some(WRITTEN));
        put(&mut log, peers[1], Some(End::Failed(RpcError::Stream("reset".to_owned()))));
        put(&mut log, peers[1], Some(WRITTEN)).confirmed(Instant::now());
        put(&mut log, peers[2], Some(End::Failed(RpcError::BackOff)));
        put(&mut log, peers[3], Some(End::Failed(RpcError::Stopping)));
        put(&mut log, peers[4], Some(End::Cancelled));
        put(&mut log, peers[5], None);
        log.begin(peers[0], Request::FindNode, Origin::default(), Stopwatch::start());
        let effort = log.snapshot().effort_of_publication();
        let holders = [effort.holders_stored, effort.holders_confirmed, effort.holders_failed, effort.holders_pending];
        assert_eq!(holders, [Some(2), Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn what_a_peer_made_of_a_record_is_told_in_the_trace_even_after_the_return() {
        let (mut log, began) = (Log::default(), Instant::now());
        let [confirmed, refused, _unknown] = [(); 3].map(|()| put(&mut log, PeerId::random(), Some(WRITTEN)));
        let returned = log.snapshot();
        confirmed.confirmed(began + Duration::from_millis(300));
        refused.refused("reset");
        let key = Key::of(b"any");
        let trace = returned.trace(StrategyKind::Classic, &key, began, Duration::from_millis(200), &HashMap::new());
        let told: Vec<_> = trace.requests.iter().map(|put| (put.confirmed, put.unconfirmed.as_deref())).collect();
        assert_eq!(told, [(Some(Duration::from_millis(300)), None), (None, Some("reset")), (None, None)]);
    }
}
