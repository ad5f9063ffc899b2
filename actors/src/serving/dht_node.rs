//! Duty: publishes and finds through one DHT node, and keeps that node running.
//!
//! It holds the engine, whose tasks run elsewhere: a handler only passes the request on and returns a future, so no
//! measurement waits for this actor's thread. What the engine reports after its answer, about a publication that went
//! on in the background, is received by a child actor ([`follow_ups`](crate::serving::follow_ups)) and recorded. Stops
//! when told to ([`Stop`]). Crashes when the engine dies; its supervisor restarts it, and it then starts a new engine.
//! If the actor crashes while the engine lives, the engine and the operations on it are kept. An engine that does not
//! answer its health check counts as dead; operations on it are answered with an error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::prelude::*;
use futures::FutureExt;
use futures::future::BoxFuture;
use parsec_dht::{Dht, DhtError, MANY_LIMIT, Readiness};
use parsec_measure::{AttemptId, Cid, HolderCheck, Manner, Measured, ProvidedMany};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::serving::follow_ups::{Listener, Reports};
use crate::supervision::ask::Ask;
use crate::supervision::progress::{Progress, Stuck, UnderWay};
use crate::supervision::stop::Stop;
use crate::supervision::supervise::{Child, ChildEvent};

/// How often the engine is checked for signs of life.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// How many operations may run at once on one node. A scheduler has one under way; with more than this they would
/// measure each other's load.
const MAX_OPERATIONS: usize = 64;

/// How many publications of many keys may run at once on one node. Each takes as many lookups and connections as the node can
/// afford; two would measure each other.
const MAX_OF_MANY: usize = 1;

/// How much longer than its own limit a publication of many keys may take: the last puts in the background (90 s), and the
/// confirmations of peers (12 s).
const MANY_SLACK: Duration = Duration::from_secs(120);

/// How long readiness may take to answer: longer than the engine's own limit for a sign of life.
const READINESS_DEADLINE: Duration = Duration::from_secs(12);

/// How long the engine's answer may take until it counts as stuck, whatever it says of its own limits.
const SIGN_LIMIT: Duration = Duration::from_secs(30);

/// How much longer than its own time limit an operation may take before the caller gives up.
const OPERATION_SLACK: Duration = Duration::from_secs(5);

/// How long a stop waits for the engine's last reports to be passed on.
const LAST_REPORTS: Duration = Duration::from_secs(1);

/// Publish a provider record.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Measured, OperationError>")]
pub struct Provide {
    /// The key.
    pub cid: Cid,
    /// The attempt under which the scheduler records it, if the scheduler named one.
    pub attempt: Option<AttemptId>,
}

/// Publish provider records of all of these keys.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<ProvidedMany, OperationError>")]
pub struct ProvideMany {
    /// The keys, each once.
    pub cids: Vec<Cid>,
    /// How.
    pub manner: Manner,
}

/// Look for the first provider of this key.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Measured, OperationError>")]
pub struct Retrieve(pub Cid);

/// Look which of the closest peers of this key hold a record that names this provider.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<HolderCheck>, OperationError>")]
pub struct CheckRecord {
    /// The key.
    pub cid: Cid,
    /// The peer id of the provider.
    pub provider: String,
}

/// Can this node measure?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Readiness, OperationError>")]
pub struct GetReadiness;

/// An operation that did not take place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperationError {
    /// The engine is being started again.
    #[error("the DHT node is being started")]
    Starting,
    /// As many operations as allowed are under way.
    #[error("{0} operations are under way, no more are taken on")]
    Busy(usize),
    /// Many keys are being published.
    #[error("many keys are being published at once already, which one request at a time may ask for")]
    BusyWithMany,
    /// The engine failed.
    #[error(transparent)]
    Dht(#[from] DhtError),
}

/// How others publish and find: through the real node or through a fake.
#[derive(Debug, Clone)]
pub struct DhtHandle {
    /// Publishes.
    pub provide: Ask<Provide>,
    /// Publishes many keys at once.
    pub provide_many: Ask<ProvideMany>,
    /// Finds.
    pub retrieve: Ask<Retrieve>,
    /// Says whether it can.
    pub readiness: Ask<GetReadiness>,
}

impl DhtHandle {
    /// A handle on any actor that answers these messages.
    pub fn new<A>(actor: &Addr<A>, operation_timeout: Duration) -> Self
    where
        A: Actor<Context = Context<A>>
            + Handler<Provide>
            + Handler<ProvideMany>
            + Handler<Retrieve>
            + Handler<GetReadiness>,
    {
        let name = "DHT node";
        let deadline = operation_timeout + OPERATION_SLACK;
        Self {
            provide: Ask::new(name, actor.clone(), deadline),
            provide_many: Ask::new(name, actor.clone(), MANY_LIMIT + MANY_SLACK),
            retrieve: Ask::new(name, actor.clone(), deadline),
            readiness: Ask::new(name, actor.clone(), READINESS_DEADLINE),
        }
    }

    /// A handle on a supervised node.
    pub fn of<A>(child: &Child<A>, operation_timeout: Duration) -> Self
    where
        A: Actor<Context = Context<A>>
            + Handler<Provide>
            + Handler<ProvideMany>
            + Handler<Retrieve>
            + Handler<GetReadiness>,
    {
        let deadline = operation_timeout + OPERATION_SLACK;
        Self {
            provide: child.ask(deadline),
            provide_many: child.ask(MANY_LIMIT + MANY_SLACK),
            retrieve: child.ask(deadline),
            readiness: child.ask(READINESS_DEADLINE),
        }
    }
}

/// Starts a new engine in place of one that died.
pub type StartDht = Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Dht>, String>> + Send + Sync>;

/// See the module's documentation.
pub struct DhtNode {
    start: StartDht,
    engine: Option<Arc<dyn Dht>>,
    /// Lives as long as the engine is ours.
    listener: Option<Child<Listener>>,
    /// Dropped with an engine that is given up: operations on it have nothing to wait for any more.
    lease: watch::Sender<()>,
    running: Arc<AtomicUsize>,
    /// Publications of many keys, which count as operations too.
    of_many: Arc<AtomicUsize>,
    reports: Option<Reports>,
    /// The pending check for a sign of life.
    asking: UnderWay,
}

fn lease() -> watch::Sender<()> {
    watch::channel(()).0
}

fn asking() -> UnderWay {
    UnderWay::new("the question whether the DHT engine is ready", SIGN_LIMIT)
}

impl fmt::Debug for DhtNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DhtNode").field("engine", &self.engine.is_some()).field("running", &self.running).finish()
    }
}

impl DhtNode {
    /// Works with `engine`, and starts another one with `start` if it dies.
    pub fn new(engine: Arc<dyn Dht>, start: StartDht) -> Self {
        let (lease, asking) = (lease(), asking());
        let (running, of_many) = Default::default();
        Self { start, engine: Some(engine), listener: None, lease, running, of_many, reports: None, asking }
    }

    /// Passes on what the engine reports beside its answers.
    #[must_use]
    pub fn reporting(self, reports: Reports) -> Self {
        Self { reports: Some(reports), ..self }
    }

    fn watch(&mut self, engine: Arc<dyn Dht>, context: &mut Context<Self>) {
        if self.listener.is_none() {
            let parent = context.address().recipient();
            self.listener = self.reports.as_ref().map(|reports| reports.listen(&engine, parent));
        }
        let watching = async move { engine.died().await };
        context.spawn(watching.into_actor(self).map(|reason, actor, _| {
            // Without an engine, it was stopped on purpose, and its end is no crash.
            assert!(actor.engine.is_none(), "the DHT engine died: {reason}");
        }));
    }

    /// Checks the engine for signs of life at regular intervals.
    fn watch_progress(&self, context: &mut Context<Self>) {
        context.run_interval(PROGRESS_INTERVAL, |actor, context| {
            let Some(engine) = actor.engine.clone().filter(|_| !actor.asking.is_under_way()) else { return };
            actor.asking.begins();
            let asking = async move { engine.readiness().await };
            context.spawn(asking.into_actor(actor).map(|sign, actor, _| {
                actor.asking.ends();
                if let Some(reports) = &actor.reports {
                    reports.readiness(sign.as_ref().ok());
                }
                if let Err(error @ DhtError::Stuck(_)) = sign {
                    // Not to be kept over the restart.
                    actor.engine = None;
                    Stuck::new(error.to_string()).crash();
                }
            }));
        });
    }

    fn operate<T: 'static, F>(
        &self,
        operation: impl FnOnce(Arc<dyn Dht>) -> F + 'static,
    ) -> ResponseFuture<Result<T, OperationError>>
    where
        F: Future<Output = Result<T, DhtError>> + 'static,
    {
        let Some(place) = Place::take(&self.running, MAX_OPERATIONS) else {
            return Box::pin(async { Err(OperationError::Busy(MAX_OPERATIONS)) });
        };
        let asking = self.engine_asked(operation);
        Box::pin(async move {
            let result = asking.await;
            drop(place);
            result
        })
    }

    /// Asks the engine for something, as long as there is one.
    fn engine_asked<T: 'static, F>(
        &self,
        question: impl FnOnce(Arc<dyn Dht>) -> F + 'static,
    ) -> ResponseFuture<Result<T, OperationError>>
    where
        F: Future<Output = Result<T, DhtError>> + 'static,
    {
        let Some(engine) = self.engine.clone() else { return Box::pin(async { Err(OperationError::Starting) }) };
        let mut lease = self.lease.subscribe();
        Box::pin(async move {
            let result = tokio::select! {
                result = question(engine) => result,
                _ = lease.changed() => Err(DhtError::Stopped),
            };
            Ok(result?)
        })
    }
}

impl Actor for DhtNode {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.watch_progress(context);
        if let Some(engine) = self.engine.clone() {
            return self.watch(engine, context);
        }
        let starting = (self.start)();
        context.spawn(starting.into_actor(self).map(|started, actor, context| match started {
            Ok(engine) => {
                info!("DHT engine started again");
                actor.engine = Some(Arc::clone(&engine));
                actor.watch(engine, context);
            }
            Err(reason) => panic!("the DHT engine does not start: {reason}"),
        }));
    }
}

impl Progress for DhtNode {
    fn progress(&mut self) -> Result<(), Stuck> {
        // Not to be kept over the restart.
        self.asking.progress().inspect_err(|_| self.engine = None)
    }
}

impl Supervised for DhtNode {
    fn restarting(&mut self, _: &mut Self::Context) {
        let alive = |engine: &Arc<dyn Dht>| engine.died().now_or_never().is_none();
        let engine = self.engine.take().filter(alive);
        let listener = self.listener.take().filter(|_| engine.is_some());
        if engine.is_none() {
            self.lease = lease();
        }
        // Operations survive a crash, as their engine does, and still count.
        let (start, lease, reports) = (Arc::clone(&self.start), self.lease.clone(), self.reports.clone());
        let (running, of_many) = (Arc::clone(&self.running), Arc::clone(&self.of_many));
        *self = Self { start, engine, listener, lease, running, of_many, reports, asking: asking() };
    }
}

impl Handler<Provide> for DhtNode {
    type Result = ResponseFuture<Result<Measured, OperationError>>;

    fn handle(&mut self, Provide { cid, attempt }: Provide, _: &mut Self::Context) -> Self::Result {
        self.operate(move |engine| async move { engine.provide(cid, attempt).await })
    }
}

impl Handler<ProvideMany> for DhtNode {
    type Result = ResponseFuture<Result<ProvidedMany, OperationError>>;

    fn handle(&mut self, ProvideMany { cids, manner }: ProvideMany, _: &mut Self::Context) -> Self::Result {
        let Some(place) = Place::take(&self.of_many, MAX_OF_MANY) else {
            return Box::pin(async { Err(OperationError::BusyWithMany) });
        };
        let publishing = self.operate(move |engine| async move { engine.provide_many(cids, manner).await });
        Box::pin(async move {
            let result = publishing.await;
            drop(place);
            result
        })
    }
}

impl Handler<Retrieve> for DhtNode {
    type Result = ResponseFuture<Result<Measured, OperationError>>;

    fn handle(&mut self, Retrieve(cid): Retrieve, _: &mut Self::Context) -> Self::Result {
        self.operate(|engine| async move { engine.retrieve(cid).await })
    }
}

impl Handler<CheckRecord> for DhtNode {
    type Result = ResponseFuture<Result<Vec<HolderCheck>, OperationError>>;

    /// Readiness is no operation and needs no place; the caller makes sure that only a few such requests run at a time.
    fn handle(&mut self, CheckRecord { cid, provider }: CheckRecord, _: &mut Self::Context) -> Self::Result {
        self.engine_asked(|engine| async move { engine.check_record(cid, provider).await })
    }
}

impl Handler<GetReadiness> for DhtNode {
    type Result = ResponseFuture<Result<Readiness, OperationError>>;

    fn handle(&mut self, _: GetReadiness, _: &mut Self::Context) -> Self::Result {
        let Some(engine) = self.engine.clone() else { return Box::pin(async { Err(OperationError::Starting) }) };
        Box::pin(async move { Ok(engine.readiness().await?) })
    }
}

impl Handler<ChildEvent> for DhtNode {
    type Result = ();

    fn handle(&mut self, event: ChildEvent, _: &mut Self::Context) {
        if let Some(reports) = &self.reports {
            reports.heard(event, self.listener.as_ref());
        }
    }
}

impl Handler<Stop> for DhtNode {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let (engine, listener) = (self.engine.take(), self.listener.take());
        let running = self.running.load(Ordering::Relaxed);
        if running > 0 {
            warn!(running, "stopping while operations are under way");
        }
        let stopping = async move {
            if let Some(engine) = engine {
                engine.stop().await;
            }
            if let Some(listener) = listener
                && let Err(error) = listener.ask(LAST_REPORTS).ask(Stop).await
            {
                warn!(%error, "the ends of the last publications could not be recorded in time");
            }
        };
        Box::pin(stopping.into_actor(self).map(|(), _, context| context.stop()))
    }
}

/// One of the places for operations, released when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let below_limit = |count: usize| (count < limit).then_some(count + 1);
        running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below_limit).ok()?;
        Some(Self(Arc::clone(running)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
