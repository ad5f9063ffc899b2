//! One round: who publishes, who looks it up, and what became of each attempt. (Who is there: [`muster`](crate::muster).)
//!
//! Plain functions that the actor [`Fleet`](crate::fleet::Fleet) runs as futures. They measure nothing
//! themselves: the servers do. Here every attempt gets a row, whatever became of it: it is noted before it begins
//! ([`OpenRound`]), and recorded when it has ended.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use parsec_api::client::{Answered, CallError, Caller, ServerApi};
use parsec_measure::{
    Attempt, AttemptId, Cid, Content, Measured, Node, OperationKind, OutcomeClass, Round, RoundOutcome, RoundPlan,
    WhyKept,
};
use parsec_store::{Row, Store};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{Instrument, Span, info, info_span, warn};

use crate::fleet::RoundFinished;
use crate::metrics::Metrics;
use crate::muster::{LeftOut, mark_offline_if_gone, unanswered};
use crate::open_round::{Abandoned, OpenRound};
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

/// True once the process is stopping.
pub(crate) type Stopping = watch::Receiver<bool>;

/// Waits for `work`, unless the process stops first.
pub(crate) async fn unless_stopping<T>(mut stopping: Stopping, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // Work that is done counts, even if the stop came in the same moment.
        biased;
        result = work => Some(result),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}

/// What is recorded of a call that was cut off.
pub(crate) fn stopped(took: Duration) -> Measured {
    Measured::unmeasured(OutcomeClass::Cancelled, took, "the scheduler was stopping")
}

/// Plays a planned round to its end.
pub(crate) async fn play(
    tools: &RoundTools,
    open: &OpenRound,
    round: Round,
    plan: RoundPlan,
    left_out: Vec<LeftOut>,
    content: Content,
    stopping: Stopping,
) -> RoundFinished {
    let span = info_span!("round", fleet = %round.fleets, round = %round.id.0);
    let scheduler_id = round.fleets.scheduler_id();
    let playing = Play { tools, open, round, scheduler_id, stopping };
    playing.run(plan, left_out, content).instrument(span).await
}

/// Notes the end of a round.
pub(crate) async fn end(
    tools: &RoundTools,
    open: &OpenRound,
    mut round: Round,
    outcome: RoundOutcome,
    attempts: Vec<(Node, Attempt)>,
) -> RoundFinished {
    round.ended = Some((Utc::now(), outcome));
    tools.metrics.round_ended(&round.fleets.to_string(), outcome);
    tools.metrics.vitals().round_ended(&round, attempts.len());
    tools.recorder.record(vec![Row::Round(round.clone())]).await;
    open.close();
    RoundFinished { group: round.fleets.clone(), round, attempts }
}

/// Records what a crash of the fleet's actor left behind.
pub(crate) async fn end_abandoned(tools: &RoundTools, abandoned: Abandoned) {
    let Abandoned { round, attempts } = &abandoned;
    warn!(fleet = %round.fleets, round = %round.id.0, attempts = attempts.len(), "a round was cut off by a crash");
    tools.metrics.round_ended(&round.fleets.to_string(), RoundOutcome::Interrupted);
    tools.metrics.vitals().round_ended(round, attempts.len());
    for (node, attempt) in attempts {
        tools.metrics.attempted(attempt.kind, node, &attempt.result);
    }
    tools.recorder.record(abandoned.rows()).await;
}

struct Play<'a> {
    tools: &'a RoundTools,
    open: &'a OpenRound,
    round: Round,
    scheduler_id: String,
    stopping: Stopping,
}

impl Play<'_> {
    async fn run(self, plan: RoundPlan, left_out: Vec<LeftOut>, content: Content) -> RoundFinished {
        self.open.begin(&self.round);
        self.tools.recorder.record(vec![Row::Round(self.round.clone())]).await;

        let provider = plan.provider.node().clone();
        let planned = self.planned(&provider, OperationKind::Provide, 0, &content.cid().to_string(), self.round.due);
        self.open.announce(&self.tools.recorder, &[(&provider, &planned)]).await;
        let publishing = self.tools.servers.provide(&provider.endpoint, self.caller(planned.id), &content);
        let published = self.attempt(&provider, planned, publishing).await;
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
            attempts.extend(self.look_up(&plan, &cid).await);
        }
        let cut_off = attempts.iter().any(|(_, attempt)| attempt.result.class == OutcomeClass::Cancelled);
        let outcome = if cut_off { RoundOutcome::Interrupted } else { outcome };
        end(self.tools, self.open, self.round, outcome, attempts).await
    }

    /// Has all of them look the key up at the same time, each as often as configured.
    /// Whom a search found is compared with who published.
    async fn look_up(&self, plan: &RoundPlan, cid: &str) -> Vec<(Node, Attempt)> {
        let due = Utc::now();
        let probes = |node| move |probe| self.planned(node, OperationKind::Retrieve, probe, cid, due);
        let publisher = plan.provider.node().peer_id.as_str();
        let planned: Vec<(&Node, Vec<Attempt>)> = plan
            .retrievers
            .iter()
            .map(|ready| (ready.node(), (0..self.tools.probes).map(probes(ready.node())).collect()))
            .collect();
        let announced: Vec<_> =
            planned.iter().flat_map(|(node, probes)| probes.iter().map(|probe| (*node, probe))).collect();
        self.open.announce(&self.tools.recorder, &announced).await;
        let searches = planned.into_iter().map(|(node, probes)| async move {
            let mut attempts = Vec::new();
            for probe in probes {
                let searching = self.tools.servers.retrieve(&node.endpoint, self.caller(probe.id), cid);
                let searching = async { Ok(searching.await?.compared_with(publisher)) };
                attempts.push((node.clone(), self.attempt(node, probe, searching).await));
            }
            attempts
        });
        join_all(searches).await.into_iter().flatten().collect()
    }

    /// An attempt before it has begun.
    fn planned(&self, node: &Node, kind: OperationKind, probe: u32, cid: &str, due: DateTime<Utc>) -> Attempt {
        let now = Utc::now();
        Attempt {
            id: AttemptId::fresh(),
            round: self.round.id,
            scheduler: self.round.scheduler,
            node: node.id,
            kind,
            probe,
            cid: cid.to_owned(),
            due,
            started: now,
            ended: now,
            result: Measured::record_lost(),
            why_kept: None,
        }
    }

    fn caller(&self, attempt: AttemptId) -> Caller<'_> {
        Caller { scheduler_id: &self.scheduler_id, attempt }
    }

    /// Makes one call, and records what became of it.
    async fn attempt(
        &self,
        node: &Node,
        planned: Attempt,
        call: impl Future<Output = Result<Answered, CallError>>,
    ) -> Attempt {
        let Attempt { kind, cid, .. } = &planned;
        let span = info_span!("operation", kind = kind.as_str(), node = %node.id, region = node.region);
        let (started, clock) = (Utc::now(), Instant::now());
        let answer = unless_stopping(self.stopping.clone(), call).instrument(span.clone()).await;
        let (ended, took) = (Utc::now(), clock.elapsed());
        let (cid, mut result) = match answer {
            Some(Ok(answered)) => credit(answered, cid, took),
            Some(Err(error)) => {
                mark_offline_if_gone(self.tools, node, &error, self.stopping.clone()).await;
                (cid.clone(), unanswered(&error, took))
            }
            None => (cid.clone(), stopped(took)),
        };
        let why_kept = self.tools.traces.sift(&node.fleet, *kind, &mut result);
        let attempt = Attempt { cid, started, ended, result, why_kept, ..planned };
        self.tools.metrics.issued(attempt.kind, node, &attempt.result);
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
        self.open.recorded(*id);
    }

    /// A node that could not take part has failed its part of the round: looking the content up.
    async fn record_left_out(&self, left_out: Vec<LeftOut>, cid: &str) -> Vec<(Node, Attempt)> {
        let mut attempts = Vec::new();
        for LeftOut { node, asked, answered, result, .. } in left_out {
            let planned = self.planned(&node, OperationKind::Retrieve, 0, cid, self.round.due);
            let attempt = Attempt { started: asked, ended: answered, result, ..planned };
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
