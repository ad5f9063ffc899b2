//! Duty: keeps the node's row in the database alive.
//!
//! With each heartbeat it learns which schedulers the database knows, for the metrics.
//!
//! After the start-up delay it asks the DHT node whether it is ready. Once the node has said yes, it writes a heartbeat
//! every minute, by the clock of the database: the clocks of two hosts may differ. When told to stop ([`Stop`]), it marks
//! the node offline. A database or DHT node that does not answer is no reason to crash: the next beat tries again. If somebody has deleted the row, it gives up and the process ends,
//! because nothing in this process writes another row; the next process registers a new one.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_dht::Readiness;
use parsec_measure::{HEARTBEAT_INTERVAL, NodeId};
use parsec_store::{Store, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use crate::serving::dht_node::GetReadiness;
use crate::supervision::ask::Ask;
use crate::supervision::progress::{Progress, Stuck, UnderWay};
use crate::supervision::stop::Stop;
use crate::supervision::supervise::give_up;
use crate::telemetry::metrics::Metrics;

/// How often the row is refreshed (every minute, as in the original). Schedulers tolerate one missed beat.
pub const BEAT: Duration = HEARTBEAT_INTERVAL;

/// How often a node that is still getting ready is asked: answering costs the node nothing.
const READINESS_POLL: Duration = Duration::from_millis(250);

/// How soon another try is made after the database failed.
const RETRY: Duration = Duration::from_secs(2);

/// How long the database may take to say which schedulers there are: those known from the last beat do meanwhile.
const SCHEDULERS_LIMIT: Duration = Duration::from_secs(5);

/// How long a beat may take: the DHT node has 12 s to answer, the store's own limit for a call is 60 s, and the schedulers have
/// theirs. A beat that takes longer will never return.
const BEAT_LIMIT: Duration = Duration::from_secs(90);

/// What the heartbeat needs.
#[derive(Clone)]
pub struct HeartbeatConfig {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The row to keep alive.
    pub node: NodeId,
    /// When the node may be offered to schedulers, at the earliest.
    pub startup_delay: Duration,
    /// Asks the DHT node whether it can measure.
    pub readiness: Ask<GetReadiness>,
    /// Are told which schedulers there are, and how far the clock of the database is from ours.
    pub metrics: Arc<Metrics>,
}

/// Why there was no beat.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Missed {
    NotReady(String),
    Failed(String),
    /// Somebody deleted the row.
    RowGone(String),
}

/// See the module's documentation.
pub struct Heartbeat {
    config: HeartbeatConfig,
    first_beat_at: Instant,
    has_beaten: bool,
    /// Why the last try failed: logged once, and again when the reason changes.
    trouble: Option<Missed>,
    /// Whether the node has been marked offline for good. Whoever writes the row holds this lock, so that a late beat
    /// cannot offer a node that has already said goodbye.
    farewell: Arc<Mutex<bool>>,
    beating: UnderWay,
}

impl std::fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heartbeat").field("node", &self.config.node).field("trouble", &self.trouble).finish()
    }
}

impl Heartbeat {
    /// A heartbeat for one row.
    pub fn new(config: HeartbeatConfig) -> Self {
        let first_beat_at = Instant::now() + config.startup_delay;
        let beating = UnderWay::new("a heartbeat", BEAT_LIMIT);
        Self { config, first_beat_at, has_beaten: false, trouble: None, farewell: Arc::default(), beating }
    }

    fn beat_in(&self, pause: Duration, context: &mut Context<Self>) {
        context.run_later(pause, |actor, context| {
            let beat = beat(actor.config.clone(), actor.has_beaten, Arc::clone(&actor.farewell));
            actor.beating.begins();
            context.spawn(beat.into_actor(actor).map(Self::after_beat));
        });
    }

    fn after_beat(result: Result<(), Missed>, actor: &mut Self, context: &mut Context<Self>) {
        actor.beating.ends();
        let node = actor.config.node;
        let (trouble, pause) = match result {
            Ok(()) => (None, BEAT),
            Err(missed @ Missed::NotReady(_)) => (Some(missed), READINESS_POLL),
            Err(missed @ Missed::Failed(_)) => (Some(missed), RETRY),
            Err(Missed::RowGone(reason)) => give_up(reason),
        };
        if trouble != actor.trouble || !actor.has_beaten && trouble.is_none() {
            match &trouble {
                None => info!(%node, "offered to schedulers"),
                Some(Missed::NotReady(reason)) => info!(%node, reason, "not offered to schedulers yet"),
                Some(Missed::Failed(reason) | Missed::RowGone(reason)) => warn!(%node, reason, "no heartbeat"),
            }
        }
        actor.has_beaten |= trouble.is_none();
        actor.trouble = trouble;
        actor.beat_in(pause, context);
    }
}

/// One beat. Readiness is only required for the first one: later, schedulers ask for it themselves before each round.
async fn beat(config: HeartbeatConfig, has_beaten: bool, farewell: Arc<Mutex<bool>>) -> Result<(), Missed> {
    if !has_beaten {
        match config.readiness.ask(GetReadiness).await {
            Ok(Ok(Readiness::Ready { .. })) => {}
            Ok(Ok(Readiness::NotReady(reason))) => return Err(Missed::NotReady(reason)),
            Ok(Err(error)) => return Err(Missed::Failed(error.to_string())),
            Err(error) => return Err(Missed::Failed(error.to_string())),
        }
    }
    let skew = {
        let farewell = farewell.lock().await;
        if *farewell {
            return Ok(());
        }
        config.store.heartbeat(config.node).await.map_err(|error| match error {
            StoreError::NoSuchNode(_) => Missed::RowGone(error.to_string()),
            error => Missed::Failed(error.to_string()),
        })?
    };
    config.metrics.clock_skew(skew);
    match timeout(SCHEDULERS_LIMIT, config.store.recent_schedulers()).await {
        Ok(Ok(names)) => config.metrics.known_schedulers(names),
        Ok(Err(error)) => debug!(%error, "it is not known which schedulers there are"),
        Err(_) => debug!(limit = ?SCHEDULERS_LIMIT, "the database does not say which schedulers there are"),
    }
    Ok(())
}

impl Actor for Heartbeat {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let pause = self.first_beat_at.saturating_duration_since(Instant::now());
        if !pause.is_zero() {
            let seconds = pause.as_secs();
            info!(node = %self.config.node, seconds, "not offered to schedulers before --startup-delay is over");
        }
        self.beat_in(pause, context);
    }
}

impl Progress for Heartbeat {
    fn progress(&mut self) -> Result<(), Stuck> {
        self.beating.progress()
    }
}

impl Supervised for Heartbeat {
    fn restarting(&mut self, _: &mut Self::Context) {
        // The start-up delay counts from the start of the process, not of this actor.
        let (first_beat_at, farewell) = (self.first_beat_at, Arc::clone(&self.farewell));
        *self = Self { first_beat_at, farewell, ..Self::new(self.config.clone()) };
    }
}

impl Handler<Stop> for Heartbeat {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let HeartbeatConfig { store, node, .. } = self.config.clone();
        let farewell = Arc::clone(&self.farewell);
        let marking = async move {
            let mut farewell = farewell.lock().await;
            *farewell = true;
            if let Err(error) = store.mark_offline(node).await {
                warn!(%node, %error, "node not marked offline; its heartbeat will run out");
            }
        };
        Box::pin(marking.into_actor(self).map(|(), _, context| context.stop()))
    }
}
