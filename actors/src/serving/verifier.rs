//! Duty: checks whether records are still where they were put, by asking the peers that are really closest to their
//! keys.
//!
//! Checks are planned when a publication has ended (see [`follow_ups`](crate::serving::follow_ups)) and stored in the
//! database, so that the plan outlives this process. Every few seconds the verifier claims the checks that are due, has
//! the DHT node make them, and asks the recorder to record the results. It claims the checks of its own node's
//! publications, and those that other servers of its fleet and region have left undone, for instance this server before
//! a restart. A claim on a check that could not be made expires after a while, and any server may then claim it. At
//! most [`AT_ONCE`] checks run at the same time, so that they do not disturb measurements. Stops when told to
//! ([`Stop`]); running checks are abandoned. A database or DHT node that does not answer is no reason to crash. After a
//! restart it begins without any state.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures::future::join_all;
use parsec_dht::Readiness;
use parsec_measure::{CheckDone, Cid, Fleet, NodeId, PlannedCheck, RecordCheck, clock};
use parsec_store::{ClaimChecks, Row, Store};
use tracing::{info, warn};

use crate::recording::recorder::RecorderHandle;
use crate::serving::dht_node::{CheckRecord, GetReadiness};
use crate::supervision::ask::Ask;
use crate::supervision::progress::{Progress, Stuck, UnderWay};
use crate::supervision::stop::Stop;
use crate::telemetry::metrics::Metrics;

/// How often it looks for due checks: a record is first checked at most this long after its last put.
pub const POLL: Duration = Duration::from_secs(5);

/// How many checks run at once. Each costs as much as a publication.
pub const AT_ONCE: u32 = 2;

/// How overdue a check must be before another server takes it over: by then the server that published is not just busy,
/// it is gone.
pub const TAKE_OVER: Duration = Duration::from_secs(5 * 60);

/// How long a claim holds: longer than a check and recording its result can take.
pub const CLAIM: Duration = Duration::from_secs(10 * 60);

/// A check that is more overdue than this is not made any more: it would say nothing about the age that it was meant
/// for, and peers drop records after 48 h.
pub const TOO_LATE: Duration = Duration::from_secs(24 * 3_600);

/// How long one check may take: longer than the engine's own limit for it, which is two minutes.
pub const LOOK_DEADLINE: Duration = Duration::from_secs(150);

/// How long claiming, checking and handing over may take together: the DHT node has 12 s to say that it is ready, and
/// the store 60 s for a call. A turn that takes longer will never return.
const TURN_LIMIT: Duration = Duration::from_secs(300);

/// What the verifier needs.
#[derive(Clone)]
pub struct VerifierConfig {
    /// The database with the planned checks.
    pub store: Arc<dyn Store>,
    /// The node's row.
    pub node: NodeId,
    /// The node's fleet.
    pub fleet: Fleet,
    /// Where it runs.
    pub region: String,
    /// Asks the DHT node whether it can send requests.
    pub readiness: Ask<GetReadiness>,
    /// Has the DHT node make a check.
    pub look: Ask<CheckRecord>,
    /// Records the results.
    pub recorder: RecorderHandle,
    /// Counts the results.
    pub metrics: Arc<Metrics>,
}

/// See the module's documentation.
pub struct Verifier {
    config: VerifierConfig,
    /// Why the last claim failed: logged once, and again when the reason changes.
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

/// Claims what is due, and makes the checks.
async fn turn(config: VerifierConfig) -> Result<(), String> {
    // A node that cannot send requests leaves due checks to others.
    if !matches!(config.readiness.ask(GetReadiness).await, Ok(Ok(Readiness::Ready { .. }))) {
        return Ok(());
    }
    let now = clock::now();
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
        config.recorder.record(made);
    }
    Ok(())
}

/// One check; `None` if it failed and is to be made again.
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
    let done = CheckDone { at: clock::now(), by: config.node, holders };
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
