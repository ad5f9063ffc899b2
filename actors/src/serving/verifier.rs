//! Duty: looks whether records are where they were put, by asking the true closest peers of their keys.
//!
//! What is to be looked at is planned when a publication has come to its end (see [`follow_ups`](crate::serving::follow_ups)) and stands
//! in the database, so that it outlives this process: every few seconds it claims there what is due, has the DHT node look, and
//! asks the recorder to keep what was seen. It claims what its own node has published, and what other servers of its fleet
//! and region have left undone, for instance the one before a restart. What it claimed and could not do is free again after
//! a while, for anybody. At most [`AT_ONCE`] looks are under way: they are never to be felt by what is measured.
//! Stops when told to ([`Stop`]); what is under way is left undone. A database or DHT node that does not answer is no reason to
//! crash. Its supervisor brings it back with nothing in mind.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use chrono::Utc;
use futures::future::join_all;
use parsec_dht::Readiness;
use parsec_measure::{CheckDone, Cid, Fleet, NodeId, PlannedCheck, RecordCheck};
use parsec_store::{ClaimChecks, Row, Store};
use tracing::{info, warn};

use crate::recording::recorder::RecorderHandle;
use crate::serving::dht_node::{CheckRecord, GetReadiness};
use crate::supervision::ask::Ask;
use crate::supervision::progress::{Progress, Stuck, UnderWay};
use crate::supervision::stop::Stop;
use crate::telemetry::metrics::Metrics;

/// How often it is looked what is due: a record's first look comes no later than this after its last put.
pub const POLL: Duration = Duration::from_secs(5);

/// How many looks are under way at once. Each costs what a publication costs.
pub const AT_ONCE: u32 = 2;

/// How overdue a look must be before another server than the one that published takes it over: that one is not busy, it is gone.
pub const TAKE_OVER: Duration = Duration::from_secs(5 * 60);

/// How long a claim holds: longer than a look and its way into the database can take.
pub const CLAIM: Duration = Duration::from_secs(10 * 60);

/// What is more overdue than this is not looked at any more: it would say nothing of the age that it was meant for, and holders
/// drop records after 48 h.
pub const TOO_LATE: Duration = Duration::from_secs(24 * 3_600);

/// How long one look may take: longer than the engine's own limit for it, of two minutes.
pub const LOOK_DEADLINE: Duration = Duration::from_secs(150);

/// How long claiming, looking and handing over may take: the DHT node has 12 s to say that it is ready, and the store 60 s for
/// a call. Beyond that something never returns.
const TURN_LIMIT: Duration = Duration::from_secs(300);

/// What the verifier needs.
#[derive(Clone)]
pub struct VerifierConfig {
    /// Where it stands what is due.
    pub store: Arc<dyn Store>,
    /// The node's row.
    pub node: NodeId,
    /// The node's fleet.
    pub fleet: Fleet,
    /// Where it runs.
    pub region: String,
    /// Asks the DHT node whether it can ask others.
    pub readiness: Ask<GetReadiness>,
    /// Has the DHT node look.
    pub look: Ask<CheckRecord>,
    /// Keeps what was seen.
    pub recorder: RecorderHandle,
    /// Counts it.
    pub metrics: Arc<Metrics>,
}

/// See the module's documentation.
pub struct Verifier {
    config: VerifierConfig,
    /// Why nothing could be claimed last time: said once, and again when it changes.
    trouble: Option<String>,
    turn: UnderWay,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("node", &self.config.node).field("trouble", &self.trouble).finish()
    }
}

impl Verifier {
    /// A verifier for one node.
    pub fn new(config: VerifierConfig) -> Self {
        Self { config, trouble: None, turn: UnderWay::new("looking where records are", TURN_LIMIT) }
    }

    fn next_turn(&mut self, context: &mut Context<Self>) {
        context.run_later(POLL, |actor, context| {
            actor.turn.begins();
            let turn = turn(actor.config.clone());
            context.spawn(turn.into_actor(actor).map(Self::after_turn));
        });
    }

    fn after_turn(result: Result<(), String>, actor: &mut Self, context: &mut Context<Self>) {
        actor.turn.ends();
        let trouble = result.err();
        if trouble != actor.trouble
            && let Some(reason) = &trouble
        {
            warn!(reason, "records are not checked");
        }
        actor.trouble = trouble;
        actor.next_turn(context);
    }
}

/// Claims what is due, and looks.
async fn turn(config: VerifierConfig) -> Result<(), String> {
    // A node that cannot ask anybody leaves what is due to others.
    if !matches!(config.readiness.ask(GetReadiness).await, Ok(Ok(Readiness::Ready { .. }))) {
        return Ok(());
    }
    let now = Utc::now();
    let claim = ClaimChecks {
        by: config.node,
        fleet: config.fleet.clone(),
        region: config.region.clone(),
        now,
        of_others_due_by: now - TAKE_OVER,
        oldest_due: now - TOO_LATE,
        until: now + CLAIM,
        limit: AT_ONCE,
    };
    let claimed = config.store.claim_checks(claim).await.map_err(|error| error.to_string())?;
    let looks = join_all(claimed.into_iter().map(|plan| look(&config, plan))).await;
    let made: Vec<_> = looks.into_iter().flatten().map(Row::Check).collect();
    if !made.is_empty() {
        config.recorder.record(made).await;
    }
    Ok(())
}

/// One look; `None` if it came to nothing, and is to be made again.
async fn look(config: &VerifierConfig, plan: PlannedCheck) -> Option<RecordCheck> {
    let cid: Cid = match plan.cid.parse() {
        Ok(cid) => cid,
        Err(error) => {
            warn!(cid = plan.cid, %error, "cannot check a record");
            return None;
        }
    };
    let asked = config.look.ask(CheckRecord { cid, provider: plan.provider.clone() }).await;
    let holders = match asked {
        Ok(Ok(holders)) if !holders.is_empty() => holders,
        Ok(Ok(_)) => {
            warn!(cid = plan.cid, "no peer could be asked for the record; trying again");
            return None;
        }
        Ok(Err(error)) => {
            warn!(cid = plan.cid, %error, "cannot check a record; trying again");
            return None;
        }
        Err(error) => {
            warn!(cid = plan.cid, %error, "cannot check a record; trying again");
            return None;
        }
    };
    let done = CheckDone { at: Utc::now(), by: config.node, holders };
    let having = done.holders.iter().filter(|holder| holder.has_record).count();
    let after_seconds = plan.after.as_secs();
    info!(cid = plan.cid, after_seconds, holders = done.holders.len(), having, "checked a record");
    config.metrics.checked(config.fleet.as_str(), plan.after, &done.holders);
    Some(RecordCheck { plan, done: Some(done) })
}

impl Actor for Verifier {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.next_turn(context);
    }
}

impl Progress for Verifier {
    fn progress(&mut self) -> Result<(), Stuck> {
        self.turn.progress()
    }
}

impl Supervised for Verifier {
    fn restarting(&mut self, _: &mut Self::Context) {
        *self = Self::new(self.config.clone());
    }
}

impl Handler<Stop> for Verifier {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}
