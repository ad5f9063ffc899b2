//! Runs one publication or search, and reports its result in the types of `parsec_measure`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::PeerId;
use parsec_measure::{
    AttemptId, Cid, Effort, FoundProvider, MAX_FOUND_PROVIDERS, Measured, Measurement, OperationKind, OutcomeClass,
    StrategyKind,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::operation::aftermath::{Aftermath, Publication};
use crate::operation::census::Census;
use crate::operation::drive::{Driven, Limits, Operation, Tools};
use crate::operation::error::DhtError;
use crate::operation::failures;
use crate::operation::incognito::Incognito;
use crate::operation::log::{Log, Snapshot};
use crate::strategy::key::Key;
use crate::strategy::{
    FindFull, FindProviders, Found, LookupConfig, ProvideClassic, ProvideFull, ProvideOptimistic, Provided, Request,
    Strategy, Unfinished,
};
use crate::swarm::driver::{Gone, Start};
use crate::swarm::rpc::RpcError;
use crate::swarm::tap::Walked;
use crate::wire::messages::NamedPeer;

/// How long one ADD_PROVIDER may take, dial included (Go's classic provide allows each put 30 s).
const CLASSIC_PUT: Limits = Limits { ask: None, put: Some(Duration::from_secs(30)) };

/// The same for an optimistic publication (Go: `optimisticProvide` gives each put a minute).
const OPTIMISTIC_PUT: Limits = Limits { ask: None, put: Some(Duration::from_secs(60)) };

/// How long any request of a full routing table's operations may take (Go: `fullrt` `timeoutPerOp`).
const FULL_ASK: Limits = Limits { ask: Some(Duration::from_secs(5)), put: Some(Duration::from_secs(5)) };

/// What every operation of a node needs.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) tools: Tools,
    pub(crate) local: PeerId,
    pub(crate) strategy: StrategyKind,
    pub(crate) config: LookupConfig,
    pub(crate) cold: bool,
    pub(crate) timeout: Duration,
    /// What the crawls found; filled for a full routing table only.
    pub(crate) census: Census,
    /// Only one of libp2p-kad's own walks runs at a time, because events seen from outside do not say to which walk
    /// they belong.
    pub(crate) walking: Arc<Mutex<()>>,
    /// Follows publications after they have been answered.
    pub(crate) aftermath: Aftermath,
    /// Checks where records are.
    pub(crate) incognito: Incognito,
}

/// Why an operation failed: the class, and a sentence.
type Failure = (OutcomeClass, String);

/// A publication that has been answered.
pub(crate) struct Published {
    /// Without a trace.
    pub(crate) measured: Measured,
    /// What was done by then.
    pub(crate) log: Snapshot,
    /// Drives what goes on in the background to its end, and returns all that was done.
    pub(crate) background: Option<BoxFuture<'static, Snapshot>>,
    begun: Begun,
}

/// An operation that has begun, and its starting point.
struct Begun {
    operation: Operation,
    target: Key,
    start: Start,
    /// The estimate of the network's size when it began.
    network_size: Option<u32>,
}

/// What a publication knows before its puts begin.
#[derive(Default)]
struct Preparation {
    /// Why it is made the classic way although another was configured.
    fallback: Option<String>,
    /// Peers to begin with, if they do not come from the routing table.
    seeds: Option<Vec<NamedPeer>>,
    /// What was done before.
    log: Log,
}

impl From<Gone> for DhtError {
    fn from(Gone: Gone) -> Self {
        Self::Stopped
    }
}

impl Context {
    /// Publishes a provider record, and follows it to its end.
    pub(crate) async fn provide(self, cid: Cid, attempt: Option<AttemptId>) -> Result<Measured, DhtError> {
        let Published { measured, log, background, begun } = self.publication(&cid).await?;
        let took = measured.duration;
        let publication = Publication { cid, attempt, began: begun.operation.started, took };
        self.aftermath.see_to(publication, background, &log, self.tools.driver.clone());
        Ok(self.traced(measured, &begun, took, &log).await)
    }

    /// Publishes a provider record.
    pub(crate) async fn publication(&self, cid: &Cid) -> Result<Published, DhtError> {
        let limits = match self.strategy {
            StrategyKind::Optprov => OPTIMISTIC_PUT,
            StrategyKind::Fullrt => FULL_ASK,
            StrategyKind::Classic | StrategyKind::Libp2p => CLASSIC_PUT,
        };
        let _alone = self.alone().await;
        let begun = self.begin(cid.multihash(), limits).await?;
        self.tools.driver.add_local_record(cid.multihash()).await;
        let (target, local, config, seeds) = (begun.target, self.local, self.config, begun.seeds());
        let plain = Preparation::default();
        let classic = |seeds| ProvideClassic::new(target, local, seeds, config);
        Ok(match self.strategy {
            StrategyKind::Classic => self.publish(begun, classic(seeds), plain).await,
            StrategyKind::Fullrt => self.publish(begun, ProvideFull::new(seeds), plain).await,
            StrategyKind::Libp2p => self.publish_by_libp2p(begun).await?,
            StrategyKind::Optprov => match self.tools.size.estimate() {
                Ok(size) => {
                    let strategy = ProvideOptimistic::new(target, local, seeds, config, size);
                    self.publish(begun, strategy, plain).await
                }
                Err(reason) => {
                    let preparation = Preparation { fallback: Some(reason.to_string()), ..plain };
                    self.publish(begun, classic(seeds), preparation).await
                }
            },
        })
    }

    /// Looks for a provider.
    pub(crate) async fn retrieve(self, cid: Cid) -> Result<Measured, DhtError> {
        let limits = if self.strategy == StrategyKind::Fullrt { FULL_ASK } else { Limits::default() };
        let _alone = self.alone().await;
        let begun = self.begin(cid.multihash(), limits).await?;
        if !begun.start.local_providers.is_empty() {
            let took = begun.operation.started.elapsed();
            // No peer had to be asked. The counts are zeros, to tell this from a server that does not count.
            let effort = Snapshot::default().effort();
            let providers = unaddressed(&begun.start.local_providers);
            let measured = self.measured(&begun, took, Ok(()), effort);
            let result = Measured { from_own_records: true, providers, ..measured };
            return Ok(self.traced(result, &begun, took, &Snapshot::default()).await);
        }
        let (target, local, config, seeds) = (begun.target, self.local, self.config, begun.seeds());
        match self.strategy {
            StrategyKind::Fullrt => Ok(self.search(begun, FindFull::new(seeds)).await),
            StrategyKind::Libp2p => self.search_by_libp2p(begun).await,
            StrategyKind::Classic | StrategyKind::Optprov => {
                Ok(self.search(begun, FindProviders::new(target, local, seeds, config)).await)
            }
        }
    }

    /// Waits for other walks of libp2p-kad's own to end, if this is going to be one.
    async fn alone(&self) -> Option<OwnedMutexGuard<()>> {
        if self.strategy == StrategyKind::Libp2p { Some(Arc::clone(&self.walking).lock_owned().await) } else { None }
    }

    /// The clock starts here, after everything that is not part of the operation. The time in which the routing table
    /// answers is part of it, as in Go.
    async fn begin(&self, key: Vec<u8>, limits: Limits) -> Result<Begun, DhtError> {
        if self.cold {
            self.tools.driver.hang_up().await?;
        }
        let network_size = self.tools.size.known();
        let started = Instant::now();
        let mut start = self.tools.driver.start(key.clone(), self.config.k).await?;
        let target = Key::of(&key);
        if self.strategy == StrategyKind::Fullrt {
            (start.seeds, start.table_size) = self.census.closest(&target, self.config.k);
        }
        let local = start.local.clone();
        let operation = Operation { key, local, started, deadline: started + self.timeout, limits };
        Ok(Begun { operation, target, start, network_size })
    }

    async fn publish<S>(&self, begun: Begun, strategy: S, preparation: Preparation) -> Published
    where
        S: Strategy<PeerId, Outcome = Provided<PeerId>> + Send + 'static,
    {
        let Preparation { fallback, seeds, log } = preparation;
        // A lookup by libp2p-kad returns only peers that answered, and says nothing about dead ones.
        let ours = seeds.is_none();
        let seeds = seeds.unwrap_or_else(|| begun.start.seeds.clone());
        let Driven { outcome, took, log, background } =
            begun.operation.clone().drive(&self.tools, strategy, seeds, log).await;
        if let Some(walked) = outcome.as_ref().ok().filter(|_| ours).and_then(|provided| provided.lookup.walked()) {
            self.tools.size.track(&begun.target, walked, begun.start.in_bucket);
        }
        let effort = log.effort_of_publication();
        let stored = effort.holders_stored.unwrap_or(0);
        let result = if begun.start.seeds.is_empty() {
            Err(nobody_to_ask())
        } else if let Err(reason) = outcome {
            Err(self.unfinished(reason, &failures::stored_by_then(stored)))
        } else if stored == 0 {
            Err(nobody_answered(&log, failures::STORED_NOWHERE))
        } else {
            Ok(())
        };
        let measured = Measured { fallback, ..self.measured(&begun, took, result, effort) };
        Published { measured, log, background: background.map(|background| background.finish().boxed()), begun }
    }

    async fn search<S>(self, begun: Begun, strategy: S) -> Measured
    where
        S: Strategy<PeerId, Outcome = Found<PeerId>>,
    {
        let (seeds, log) = (begun.start.seeds.clone(), Log::default());
        let Driven { outcome, took, log, .. } = begun.operation.clone().drive(&self.tools, strategy, seeds, log).await;
        let mut found = Vec::new();
        let result = match outcome {
            _ if begun.start.seeds.is_empty() => Err(nobody_to_ask()),
            Err(reason) => Err(self.unfinished(reason, failures::NOBODY_NAMED)),
            Ok(Found::Providers { by, providers }) => {
                found = log.named_by(by);
                self.leave(providers).await;
                Ok(())
            }
            Ok(Found::Nobody { walked }) => {
                if let Some(walked) = walked {
                    self.tools.size.track(&begun.target, &walked, begun.start.in_bucket);
                }
                Err(found_nobody(&log))
            }
        };
        let measured = Measured { providers: found, ..self.measured(&begun, took, result, log.effort()) };
        self.traced(measured, &begun, took, &log).await
    }

    /// libp2p-kad finds the closest peers, and we send them the records.
    async fn publish_by_libp2p(&self, begun: Begun) -> Result<Published, DhtError> {
        let Operation { key, deadline, started, .. } = begun.operation.clone();
        let walked = self.tools.driver.walk(key, Request::FindNode, deadline).await?;
        if let Some(reason) = walked.unfinished {
            let (took, log) = (walked.at - started, Log::overheard(Request::FindNode, walked.overheard).snapshot());
            let seconds = took.as_secs_f64();
            let failure = match reason {
                Unfinished::OutOfTime => {
                    let words = "context deadline exceeded: libp2p-kad's lookup ended after";
                    (OutcomeClass::Timeout, format!("{words} {seconds} s, nothing stored"))
                }
                Unfinished::TooManyRequests => too_many_requests("nothing stored"),
            };
            let measured = self.measured(&begun, took, Err(failure), log.effort_of_publication());
            return Ok(Published { measured, log, background: None, begun });
        }
        let closest = walked.closest.iter().map(|peer| peer.id).collect();
        let strategy = ProvideClassic::to(begun.target, self.local, closest, self.config);
        let preparation = Preparation {
            seeds: Some(walked.closest),
            log: Log::overheard(Request::FindNode, walked.overheard),
            fallback: None,
        };
        Ok(self.publish(begun, strategy, preparation).await)
    }

    async fn search_by_libp2p(self, begun: Begun) -> Result<Measured, DhtError> {
        let Operation { key, deadline, started, .. } = begun.operation.clone();
        let Walked { at, unfinished, overheard, providers, .. } =
            self.tools.driver.walk(key, Request::GetProviders, deadline).await?;
        let (took, log) = (at - started, Log::overheard(Request::GetProviders, overheard).snapshot());
        // libp2p-kad returns the peers that it found, but not their addresses, nor who named them.
        let found = unaddressed(&providers);
        let result = if begun.start.table_size == 0 {
            Err(nobody_to_ask())
        } else if !providers.is_empty() {
            self.leave(providers).await;
            Ok(())
        } else if let Some(reason) = unfinished {
            Err(self.unfinished(reason, failures::NOBODY_NAMED))
        } else {
            Err(found_nobody(&log))
        };
        let measured = Measured { providers: found, ..self.measured(&begun, took, result, log.effort()) };
        Ok(self.traced(measured, &begun, took, &log).await)
    }

    /// The provider answers from its own store: if it stayed connected, the next search would be too easy.
    async fn leave(&self, providers: Vec<PeerId>) {
        // As many as a peer names when asked for the closest to a key: an answer that names more would clear our table.
        for provider in providers.into_iter().take(self.config.k) {
            self.tools.driver.forget(provider).await;
        }
    }

    fn measured(&self, begun: &Begun, duration: Duration, result: Result<(), Failure>, effort: Effort) -> Measured {
        let kind = if effort.holders_stored.is_some() { OperationKind::Provide } else { OperationKind::Retrieve };
        let (class, error) = match result {
            Ok(()) => (OutcomeClass::Ok, None),
            Err((class, error)) => (class, Some(error)),
        };
        let step = Measurement { step: kind.wire_step().to_owned(), duration, error: error.clone() };
        Measured {
            error,
            routing_table_size: u32::try_from(begun.start.table_size).unwrap_or(u32::MAX),
            steps: vec![step],
            effort,
            network_size: begun.network_size,
            ..Measured::unmeasured(class, duration, "")
        }
    }

    /// Adds the trace. The operation is over, so asking who the peers are does not affect its time.
    async fn traced(&self, measured: Measured, begun: &Begun, took: Duration, log: &Snapshot) -> Measured {
        let agents = self.tools.driver.agents(log.peers()).await.unwrap_or_default();
        let trace = log.trace(self.strategy, &begun.target, begun.operation.started, took, &agents);
        Measured { trace: Some(Arc::new(trace)), ..measured }
    }

    fn unfinished(&self, reason: Unfinished, detail: &str) -> Failure {
        match reason {
            Unfinished::OutOfTime => (OutcomeClass::Timeout, failures::out_of_time(self.timeout, detail)),
            Unfinished::TooManyRequests => too_many_requests(detail),
        }
    }
}

impl Begun {
    fn seeds(&self) -> Vec<PeerId> {
        self.start.seeds.iter().map(|NamedPeer { id, .. }| *id).collect()
    }
}

/// Providers of which only the peer id is known.
fn unaddressed(providers: &[PeerId]) -> Vec<FoundProvider> {
    let provider = |id: &PeerId| FoundProvider { peer: id.to_string(), addresses: Vec::new(), named_by: None };
    providers.iter().take(MAX_FOUND_PROVIDERS).map(provider).collect()
}

fn too_many_requests(detail: &str) -> Failure {
    (OutcomeClass::Protocol, failures::too_many_requests(detail))
}

fn nobody_to_ask() -> Failure {
    (OutcomeClass::NoPeers, failures::NOBODY_TO_ASK.to_owned())
}

/// All peers were asked, and none named a provider.
fn found_nobody(log: &Snapshot) -> Failure {
    if log.answered(Request::GetProviders) == 0 {
        return nobody_answered(log, failures::NO_ANSWER);
    }
    (OutcomeClass::NotFound, failures::NOT_FOUND.to_owned())
}

fn nobody_answered(log: &Snapshot, what: &str) -> Failure {
    let failed: Vec<_> = log.failures().collect();
    let ours = failed.iter().find(|error| matches!(error, RpcError::LocalLimit(_)));
    let reached = failed.iter().find(|error| !error.is_dial() && !error.is_ours());
    let no_transport = |error: &&RpcError| matches!(error, RpcError::NoTransport(_));
    let class = match (ours, reached) {
        (_, Some(_)) => OutcomeClass::Protocol,
        (Some(_), None) => OutcomeClass::LocalLimit,
        (None, None) if !failed.is_empty() && failed.iter().all(no_transport) => OutcomeClass::NoTransport,
        (None, None) => OutcomeClass::DialFailed,
    };
    let example = reached.or(ours).or(failed.last()).map(|error| error.in_words());
    (class, failures::requests_failed(what, failed.len(), example.as_deref()))
}
