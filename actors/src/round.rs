//! One round: who is there, who publishes, who looks it up, and what became of each attempt.
//!
//! Plain functions that the actor [`Fleet`](crate::fleet::Fleet) runs as futures. They measure nothing
//! themselves: the servers do. Here every attempt gets a row, whatever became of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use parsec_api::client::{Answered, CallError, Caller, ServerApi};
use parsec_measure::{
    ACTIVE_WITHIN, Attempt, AttemptId, Cid, Content, FleetGroup, Measured, Node, OperationKind, OutcomeClass,
    ReadyNode, Round, RoundOutcome, RoundPlan, WhyKept,
};
use parsec_store::{NodeList, Row, Store, StoreError, UnusableNode};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{Instrument, Span, info, info_span, warn};

use crate::fleet::RoundFinished;
use crate::metrics::Metrics;
use crate::recorder::RecorderHandle;
use crate::traces::Traces;

/// What rounds are played with.
#[derive(Clone)]
pub struct RoundTools {
    /// Calls the servers.
    pub servers: Arc<dyn ServerApi>,
    /// Lists the nodes, and notes who is offline.
    pub store: Arc<dyn Store>,
    /// Takes what was measured.
    pub recorder: RecorderHandle,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// How often each node looks the content up.
    pub probes: u32,
    /// Decides which traces are kept.
    pub traces: Arc<Traces>,
}

/// Who turned up for a round.
#[derive(Debug)]
pub(crate) struct Mustered {
    pub(crate) started: DateTime<Utc>,
    pub(crate) listed: Vec<Node>,
    pub(crate) ready: Vec<ReadyNode>,
    pub(crate) left_out: Vec<LeftOut>,
    /// Rows that no node could be made of.
    pub(crate) unusable: Vec<UnusableNode>,
    /// Whether the database has more nodes than it lists.
    pub(crate) more: bool,
    /// Whether the list is the database's, or what was known before.
    pub(crate) database: Result<(), StoreError>,
}

/// A node that is listed and cannot take part.
#[derive(Debug)]
pub(crate) struct LeftOut {
    node: Node,
    asked: DateTime<Utc>,
    answered: DateTime<Utc>,
    result: Measured,
}

/// True once the process is stopping.
type Stopping = watch::Receiver<bool>;

/// Waits for `work`, unless the process stops first.
async fn unless_stopping<T>(mut stopping: Stopping, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // Work that is done counts, even if the stop came in the same moment.
        biased;
        result = work => Some(result),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}

/// Lists the nodes of the group and asks each whether it is ready. Without the database, `known` are asked.
pub(crate) async fn muster(tools: &RoundTools, group: &FleetGroup, known: Vec<Node>, stopping: Stopping) -> Mustered {
    let started = Utc::now();
    let listing = tools.store.active_nodes(group.fleets(), started - ACTIVE_WITHIN);
    let (list, database) = match unless_stopping(stopping.clone(), listing).await {
        Some(Ok(list)) => (list, Ok(())),
        Some(Err(error)) => (NodeList { nodes: known, ..NodeList::default() }, Err(error)),
        None => (NodeList::default(), Ok(())),
    };
    let NodeList { nodes: listed, unusable, more } = list;
    let asked = listed.iter().map(|node| async {
        let (asked, clock) = (Utc::now(), Instant::now());
        let readiness = unless_stopping(stopping.clone(), tools.servers.readiness(&node.endpoint)).await;
        let (answered, took) = (Utc::now(), clock.elapsed());
        let result = match readiness {
            Some(Ok(())) => return Ok(node.clone().ready()),
            Some(Err(error)) => {
                mark_offline_if_gone(tools, node, &error, stopping.clone()).await;
                unanswered(&error, took)
            }
            None => stopped(took),
        };
        Err(LeftOut { node: node.clone(), asked, answered, result })
    });
    let (ready, left_out) = (Vec::new(), Vec::new());
    let mut mustered = Mustered { started, ready, left_out, unusable, more, database, listed: Vec::new() };
    for answer in join_all(asked).await {
        match answer {
            Ok(ready) => mustered.ready.push(ready),
            Err(left_out) => mustered.left_out.push(left_out),
        }
    }
    mustered.listed = listed;
    mustered
}

fn stopped(took: Duration) -> Measured {
    Measured::unmeasured(OutcomeClass::Cancelled, took, "the scheduler was stopping")
}

fn unanswered(error: &CallError, took: Duration) -> Measured {
    Measured::unmeasured(error.class(), took, error.to_string())
}

/// A server that cannot be reached is offline until its next heartbeat.
async fn mark_offline_if_gone(tools: &RoundTools, node: &Node, error: &CallError, stopping: Stopping) {
    if error.class() != OutcomeClass::ServerUnreachable {
        return;
    }
    warn!(node = %node.id, region = node.region, endpoint = %node.endpoint, %error, "server unreachable, marked offline");
    if let Some(Err(error)) = unless_stopping(stopping, tools.store.mark_offline(node.id, Utc::now())).await {
        warn!(node = %node.id, %error, "not marked offline");
    }
}

/// Plays a planned round to its end.
pub(crate) async fn play(
    tools: &RoundTools,
    round: Round,
    plan: RoundPlan,
    left_out: Vec<LeftOut>,
    content: Content,
    stopping: Stopping,
) -> RoundFinished {
    let span = info_span!("round", fleet = %round.fleets, round = %round.id.0);
    let playing = Play { tools, round, scheduler_id: String::new(), stopping };
    playing.run(plan, left_out, content).instrument(span).await
}

/// Notes the end of a round.
pub(crate) async fn end(
    tools: &RoundTools,
    mut round: Round,
    outcome: RoundOutcome,
    attempts: Vec<(Node, Attempt)>,
) -> RoundFinished {
    round.ended = Some((Utc::now(), outcome));
    tools.metrics.round_ended(&round.fleets.to_string(), outcome);
    tools.metrics.vitals().round_ended(&round, attempts.len());
    tools.recorder.record(vec![Row::Round(round.clone())]).await;
    RoundFinished { group: round.fleets.clone(), round, attempts }
}

/// One look at one node, or one publication by it, before it has begun.
struct Planned<'a> {
    id: AttemptId,
    node: &'a Node,
    kind: OperationKind,
    probe: u32,
    due: DateTime<Utc>,
    cid: &'a str,
}

struct Play<'a> {
    tools: &'a RoundTools,
    round: Round,
    scheduler_id: String,
    stopping: Stopping,
}

impl Play<'_> {
    async fn run(mut self, plan: RoundPlan, left_out: Vec<LeftOut>, content: Content) -> RoundFinished {
        self.scheduler_id = self.round.fleets.scheduler_id();
        self.tools.recorder.record(vec![Row::Round(self.round.clone())]).await;

        let provider = plan.provider.node().clone();
        let cid = content.cid().to_string();
        let (id, due) = (AttemptId::fresh(), self.round.due);
        let planned = Planned { id, node: &provider, kind: OperationKind::Provide, probe: 0, due, cid: &cid };
        let publishing = self.tools.servers.provide(&provider.endpoint, self.caller(id), &content);
        let published = self.attempt(planned, publishing).await;
        let outcome = match published.result.class {
            OutcomeClass::Ok => RoundOutcome::Complete,
            OutcomeClass::Cancelled => RoundOutcome::Interrupted,
            _ => RoundOutcome::ProvideFailed,
        };
        // The provider may write the same key in another way; the others look up what it says.
        let cid = published.cid.clone();
        let mut attempts = vec![(provider, published)];
        // Lookups are due once there is something to look up; then also for those who cannot take part.
        if outcome == RoundOutcome::Complete {
            attempts.extend(self.record_left_out(left_out, &cid).await);
            let due = Utc::now();
            let searches = plan.retrievers.iter().map(|node| self.look_up(node.node(), &cid, due));
            attempts.extend(join_all(searches).await.into_iter().flatten());
        }
        let cut_off = attempts.iter().any(|(_, attempt)| attempt.result.class == OutcomeClass::Cancelled);
        let outcome = if cut_off { RoundOutcome::Interrupted } else { outcome };
        end(self.tools, self.round, outcome, attempts).await
    }

    async fn look_up(&self, node: &Node, cid: &str, due: DateTime<Utc>) -> Vec<(Node, Attempt)> {
        let mut attempts = Vec::new();
        for probe in 0..self.tools.probes {
            let id = AttemptId::fresh();
            let searching = self.tools.servers.retrieve(&node.endpoint, self.caller(id), cid);
            let planned = Planned { id, node, kind: OperationKind::Retrieve, probe, due, cid };
            attempts.push((node.clone(), self.attempt(planned, searching).await));
        }
        attempts
    }

    fn caller(&self, attempt: AttemptId) -> Caller<'_> {
        Caller { scheduler_id: &self.scheduler_id, attempt }
    }

    /// Makes one call, and records what became of it.
    async fn attempt(&self, planned: Planned<'_>, call: impl Future<Output = Result<Answered, CallError>>) -> Attempt {
        let Planned { id, node, kind, probe, due, cid } = planned;
        let span = info_span!("operation", kind = kind.as_str(), node = %node.id, region = node.region);
        let (started, clock) = (Utc::now(), Instant::now());
        let answer = unless_stopping(self.stopping.clone(), call).instrument(span.clone()).await;
        let (ended, took) = (Utc::now(), clock.elapsed());
        let (cid, mut result) = match answer {
            Some(Ok(answered)) => credit(answered, cid, took),
            Some(Err(error)) => {
                mark_offline_if_gone(self.tools, node, &error, self.stopping.clone()).await;
                (cid.to_owned(), unanswered(&error, took))
            }
            None => (cid.to_owned(), stopped(took)),
        };
        let why_kept = self.tools.traces.sift(&node.fleet, kind, &mut result);
        let attempt = Attempt {
            id,
            round: self.round.id,
            scheduler: self.round.scheduler,
            node: node.id,
            kind,
            probe,
            cid,
            due,
            started,
            ended,
            result,
            why_kept,
        };
        self.tools.metrics.issued(kind, node, &attempt.result);
        self.record(&attempt, &span).await;
        attempt
    }

    async fn record(&self, attempt: &Attempt, span: &Span) {
        let Attempt { id, cid, result, why_kept, .. } = attempt;
        span.in_scope(|| {
            info!(
                attempt = %id.0,
                cid,
                outcome = result.class.as_str(),
                duration_seconds = result.duration.as_secs_f64(),
                error = result.error,
                trace = why_kept.map(WhyKept::as_str),
                "attempt ended"
            );
        });
        self.tools.recorder.record(vec![Row::Attempt(attempt.clone())]).await;
    }

    /// A node that could not take part has failed its part of the round: looking the content up.
    async fn record_left_out(&self, left_out: Vec<LeftOut>, cid: &str) -> Vec<(Node, Attempt)> {
        let mut attempts = Vec::new();
        for LeftOut { node, asked, answered, result } in left_out {
            let attempt = Attempt {
                id: AttemptId::fresh(),
                round: self.round.id,
                scheduler: self.round.scheduler,
                node: node.id,
                kind: OperationKind::Retrieve,
                probe: 0,
                cid: cid.to_owned(),
                due: self.round.due,
                started: asked,
                ended: answered,
                result,
                why_kept: None,
            };
            self.tools.metrics.attempted(attempt.kind, &node, &attempt.result);
            self.record(&attempt, &Span::current()).await;
            attempts.push((node, attempt));
        }
        attempts
    }
}

/// Takes an answer for what was asked, and only for that: the same multihash, in whichever form the server writes it.
fn credit(answered: Answered, cid: &str, took: Duration) -> (String, Measured) {
    let multihash = |text: &str| text.parse::<Cid>().ok().map(|cid| cid.multihash());
    if multihash(&answered.cid).is_some_and(|theirs| Some(theirs) == multihash(cid)) {
        return (answered.cid, answered.measured);
    }
    let error = format!("the server answered for `{}`, which is not what it was asked for", answered.cid);
    (cid.to_owned(), Measured::unmeasured(OutcomeClass::ServerError, took, error))
}
