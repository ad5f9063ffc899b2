//! What a simulated operation is reported as: the same result, with the same trace, as `parsec_dht` makes of one on a wire.

use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use parsec_dht::failures;
use parsec_dht::key::{Contact, Key};
use parsec_dht::strategy::{Found, Provided, Unfinished};
use parsec_measure::{
    AttemptId, Cid, Effort, FollowUp, FoundProvider, MAX_TRACED_REQUESTS, Measured, Measurement, OperationKind,
    OutcomeClass, RequestEnd, RequestKind, StrategyKind, Trace, TracedRequest,
};

use super::draw::Dice;
use super::drive::{ANSWER_TIMEOUT, Driven};
use super::log::{Entry, Log};
use super::measurer::Reckoned;
use super::population::{Peer, Population, id, multihash};
use super::trial::{OPERATION_LIMIT, found, provided};
use super::vantage::{Purpose, Scene};

/// As `parsec_dht` has it of a peer that says nothing for [`ANSWER_TIMEOUT`].
const UNCONFIRMED: &str = "the peer did not end the stream within 10 s";

/// Why a publication is made the classic way that should be optimistic.
const NO_ESTIMATE: &str = "no estimate of the network's size: too few lookups of the node came to their end";

/// The peer ids of a network that was drawn from a seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names(pub(super) u64);

impl Names {
    /// That of a peer; it hashes to its place in the keyspace.
    pub(super) fn peer(self, population: &Population, index: u32) -> String {
        let number = u32::try_from(population.number(index)).unwrap_or(u32::MAX);
        name(&id(Dice::new(self.0), number))
    }

    /// That of a measuring node.
    pub(super) fn node(self, number: u64) -> String {
        let mut dice = Dice::new(!self.0).of(Purpose::Node as u64).of(number);
        name(&multihash(dice.bytes()))
    }
}

fn name(bytes: &[u8]) -> String {
    PeerId::from_bytes(bytes).expect("a sha2-256 multihash is a peer id").to_string()
}

/// An operation, where it was made, and how it is told.
pub(super) struct Told<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) strategy: StrategyKind,
    pub(super) names: Names,
    pub(super) target: Key,
}

impl Told<'_> {
    /// The result of a publication.
    pub(super) fn publication(&self, driven: &Driven<Provided<Peer>>) -> Measured {
        let effort = driven.returned.effort_of_publication();
        let by_then = failures::stored_by_then(effort.holders_stored.unwrap_or(0));
        let (class, unfinished) = (provided(driven), driven.outcome.as_ref().err().copied());
        let why = reason(class, unfinished, &by_then, failures::STORED_NOWHERE, &driven.returned);
        let is_fallback = self.strategy == StrategyKind::Optprov && self.scene.vantage.size(self.scene.began).is_none();
        let measured = self.measured(OperationKind::Provide, driven, class, why, effort);
        Measured { fallback: is_fallback.then(|| NO_ESTIMATE.to_owned()), ..measured }
    }

    /// The result of a lookup.
    pub(super) fn lookup(&self, driven: &Driven<Found<Peer>>) -> Measured {
        let class = found(driven);
        let unfinished = driven.outcome.as_ref().err().copied();
        let why = reason(class, unfinished, failures::NOBODY_NAMED, failures::NO_ANSWER, &driven.returned);
        let providers = match &driven.outcome {
            Ok(Found::Providers { by, providers }) => {
                let by = self.names.peer(self.scene.field.directory.population, by.index);
                providers.iter().map(|_| FoundProvider { named_by: Some(by.clone()), ..self.provider() }).collect()
            }
            _ => Vec::new(),
        };
        Measured { providers, ..self.measured(OperationKind::Retrieve, driven, class, why, driven.returned.effort()) }
    }

    fn measured<O>(
        &self,
        kind: OperationKind,
        driven: &Driven<O>,
        class: OutcomeClass,
        error: Option<String>,
        effort: Effort,
    ) -> Measured {
        let Scene { field, vantage, began, .. } = self.scene;
        let Reckoned { known, size } = field.reckoned(vantage, self.strategy, *began);
        Measured {
            error: error.clone(),
            routing_table_size: known,
            steps: vec![Measurement { step: kind.wire_step().to_owned(), duration: driven.took, error }],
            effort,
            network_size: size,
            trace: Some(Arc::new(self.trace(&driven.returned, driven.took))),
            ..Measured::unmeasured(class, driven.took, "")
        }
    }

    fn trace(&self, log: &Log, returned: Duration) -> Trace {
        let requests: Vec<_> =
            log.0.iter().take(MAX_TRACED_REQUESTS).map(|entry| self.request(entry, returned)).collect();
        let left_out = number(log.0.len() - requests.len());
        Trace { strategy: self.strategy, returned, requests, left_out }
    }

    fn request(&self, entry: &Entry, returned: Duration) -> TracedRequest {
        TracedRequest {
            peer: self.names.peer(self.scene.field.directory.population, entry.peer.index),
            agent: None,
            kind: entry.kind,
            named_by: entry.origin.named_by.filter(|place| (*place as usize) < MAX_TRACED_REQUESTS),
            hop: entry.origin.hop,
            common_prefix: entry.peer.key().distance(&self.target).common_prefix(),
            asked: entry.asked,
            dialled: entry.dialled,
            connected: entry.connected,
            // What a stream is for is proposed together with the request.
            opened: entry.written,
            written: entry.written,
            ended: entry.ended,
            end: entry.end,
            error: words(entry.end).map(str::to_owned),
            closer: entry.closer,
            providers: entry.providers,
            named: (0..entry.providers).map(|_| self.provider()).collect(),
            confirmed: entry.confirmed,
            unconfirmed: given_up(entry).filter(|at| *at <= returned).map(|_| UNCONFIRMED.to_owned()),
        }
    }

    /// Whom records name: there is one for each key.
    fn provider(&self) -> FoundProvider {
        let peer = self.names.node(u64::from(self.scene.provider.index));
        FoundProvider { peer, addresses: Vec::new(), named_by: None }
    }
}

/// When it is given up that the peer of a put confirms it, if it does not.
fn given_up(put: &Entry) -> Option<Duration> {
    let is_written = put.kind == RequestKind::AddProvider && put.end == RequestEnd::Answered;
    put.written.filter(|_| is_written && put.confirmed.is_none()).map(|written| written + ANSWER_TIMEOUT)
}

/// What became of a publication when its last put had ended and peers had confirmed the record or run out of time, if it was sent to anybody.
pub(super) fn follow_up(whole: &Log, took: Duration, cid: &Cid, attempt: Option<AttemptId>) -> Option<FollowUp> {
    let puts = || whole.0.iter().filter(|entry| entry.kind == RequestKind::AddProvider);
    let duration = puts().filter_map(|entry| entry.ended).max()?.max(took);
    let known = puts().filter_map(|entry| entry.confirmed.or_else(|| given_up(entry))).max();
    let Effort { holders_stored, holders_confirmed, holders_failed, holders_pending, .. } =
        whole.effort_of_publication();
    Some(FollowUp {
        attempt,
        cid: cid.to_string(),
        stored: holders_stored.unwrap_or(0),
        confirmed: holders_confirmed,
        failed: holders_failed.unwrap_or(0),
        pending: holders_pending,
        duration,
        confirming: known.map_or(Duration::ZERO, |known| known.saturating_sub(duration)),
    })
}

/// Why an operation failed.
fn reason(
    class: OutcomeClass,
    unfinished: Option<Unfinished>,
    by_then: &str,
    nobody: &str,
    log: &Log,
) -> Option<String> {
    if class == OutcomeClass::Ok {
        return None;
    }
    let failed = log.0.iter().filter(|entry| entry.end.is_failure()).count();
    let example = log.0.iter().rev().find_map(|entry| words(entry.end));
    Some(match (class, unfinished) {
        (OutcomeClass::NoPeers, _) => failures::NOBODY_TO_ASK.to_owned(),
        (_, Some(Unfinished::OutOfTime)) => failures::out_of_time(OPERATION_LIMIT, by_then),
        (_, Some(Unfinished::TooManyRequests)) => failures::too_many_requests(by_then),
        (OutcomeClass::NotFound, None) => failures::NOT_FOUND.to_owned(),
        (_, None) => failures::requests_failed(nobody, failed, example),
    })
}

fn words(end: RequestEnd) -> Option<&'static str> {
    match end {
        RequestEnd::DialFailed => Some("the peer refused to be dialled"),
        RequestEnd::DialTimeout => Some("the dial was not answered"),
        RequestEnd::BackOff => Some("not dialled: an earlier dial had failed shortly before"),
        RequestEnd::Timeout => Some("the peer did not answer"),
        _ => None,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
