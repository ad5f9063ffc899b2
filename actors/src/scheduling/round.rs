//! One round: who publishes, who looks it up, and how each attempt ended. (`muster` finds out who is there.)
//!
//! Plain functions that the actor [`Fleet`](crate::scheduling::fleet::Fleet) runs as futures. They measure nothing
//! themselves: the servers do. Here every attempt gets a row, however it ends: the whole round is noted before it
//! begins (`OpenRound`), and each attempt is recorded when it has ended, while the round goes on (`Books`).

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures::future::join_all;
use parsec_api::client::{Answered, CallError, Caller};
use parsec_measure::{
    Attempt, AttemptId, Cid, Content, FleetGroup, Measured, Node, OperationKind, OutcomeClass, ReadyNode, Round,
    RoundOutcome, RoundPlan, clock,
};
use parsec_store::Row;
use tracing::{Instrument, Span, info_span, warn};

use super::books::{Books, Pen};
use super::calls::{Called, call};
use super::muster::{LeftOut, stopped, unanswered};
use super::open_round::{Abandoned, OpenRound};
use crate::supervision::stop::Stopping;

pub use super::tools::RoundTools;

/// A round has ended: an event for anybody interested.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RoundFinished {
    /// The fleets.
    pub group: FleetGroup,
    /// The round, marked as ended.
    pub round: Round,
    /// Its attempts, each with the node that was asked.
    pub attempts: Vec<(Node, Attempt)>,
}

/// What a round needs.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Who does what.
    pub(crate) plan: RoundPlan,
    /// Who cannot take part.
    pub(crate) left_out: Vec<LeftOut>,
    /// Who is silent and could not be reached.
    pub(crate) gone: Vec<Node>,
    /// What is published.
    pub(crate) content: Content,
}

/// Runs a planned round to its end.
pub(crate) async fn play(
    tools: &RoundTools,
    open: &OpenRound,
    round: Round,
    parts: Parts,
    stopping: Stopping,
) -> RoundFinished {
    let span = info_span!("round", fleet = %round.fleets, round = %round.id.0);
    let scheduler_id = Arc::from(round.fleets.scheduler_id());
    let (pen, books) = Books::open();
    let keeping = books.keep(&tools.recorder, &tools.store, open, &stopping);
    let playing = Play { tools, open, round: &round, scheduler_id, stopping: &stopping, pen };
    let both = async { futures::join!(playing.run(parts), keeping) };
    let ((outcome, attempts), ()) = both.instrument(span).await;
    end(tools, open, round, outcome, attempts).await
}

/// Records a round that cannot take place because there are too few nodes.
pub(crate) async fn leave_out(
    tools: &RoundTools,
    open: &OpenRound,
    round: Round,
    gone: Vec<Node>,
    stopping: Stopping,
) -> RoundFinished {
    let (pen, books) = Books::open();
    gone.into_iter().for_each(|gone| pen.gone(gone));
    drop(pen);
    books.keep(&tools.recorder, &tools.store, open, &stopping).await;
    // While the process stops, no node counts as ready: that says nothing about the nodes.
    let outcome = if *stopping.borrow() { RoundOutcome::Interrupted } else { RoundOutcome::TooFewNodes };
    end(tools, open, round, outcome, vec![]).await
}

/// Records the end of a round.
async fn end(
    tools: &RoundTools,
    open: &OpenRound,
    mut round: Round,
    outcome: RoundOutcome,
    attempts: Vec<(Node, Attempt)>,
) -> RoundFinished {
    round.ended = Some((clock::now(), outcome));
    tools.metrics.round_ended(&round.fleets.to_string(), outcome);
    tools.metrics.vitals().round_ended(&round, attempts.len());
    tools.recorder.record(vec![Row::Round(round.clone())]);
    open.close();
    RoundFinished { group: round.fleets.clone(), round, attempts }
}

/// Records what a crash of the fleet's actor left behind.
pub(crate) async fn end_abandoned(tools: &RoundTools, abandoned: Abandoned) {
    let Abandoned { round, lost, unrecorded } = &abandoned;
    let attempts = lost.len() + unrecorded.len();
    warn!(fleet = %round.fleets, round = %round.id.0, attempts, "a round was cut off by a crash");
    tools.metrics.round_ended(&round.fleets.to_string(), RoundOutcome::Interrupted);
    tools.metrics.vitals().round_ended(round, attempts);
    for (node, attempt) in lost {
        tools.metrics.attempted(attempt.kind, node, &attempt.result);
    }
    tools.recorder.record(abandoned.rows());
}

struct Play<'a> {
    tools: &'a RoundTools,
    open: &'a OpenRound,
    round: &'a Round,
    scheduler_id: Arc<str>,
    stopping: &'a Stopping,
    pen: Pen,
}

impl Play<'_> {
    async fn run(self, parts: Parts) -> (RoundOutcome, Vec<(Node, Attempt)>) {
        let Parts { plan, left_out, gone, content } = parts;
        gone.into_iter().for_each(|gone| self.pen.gone(gone));

        let (provider, key) = (plan.provider.node().clone(), content.cid());
        let cid = key.to_string();
        let publication = self.planned(&provider, OperationKind::Provide, 0, &cid);
        let lookups = self.planned_lookups(&plan.retrievers, &cid);
        let (now, then) = (vec![(provider.clone(), publication.clone())], lookups.concat());
        self.open.announce(self.round, &self.tools.recorder, now, then).await;
        // After the note, which the disk takes first even if it is slow: a process that is killed in between must not leave
        // the row of a round that nobody will end.
        self.pen.round(self.round);

        let (servers, at, by) = (Arc::clone(&self.tools.servers), provider.endpoint, Arc::clone(&self.scheduler_id));
        let attempt = publication.id;
        let publishing = async move {
            let caller = Caller { scheduler_id: &by, attempt };
            servers.provide(&at, caller, &content).await
        };
        let published = self.attempt(&provider, publication, &key, publishing).await;
        let outcome = match published.result.class {
            OutcomeClass::Ok => RoundOutcome::Complete,
            OutcomeClass::Cancelled => RoundOutcome::Interrupted,
            _ => RoundOutcome::ProvideFailed,
        };
        let publisher = provider.peer_id.clone();
        let mut attempts = vec![(provider, published.clone())];
        // Lookups begin once there is something to look up. From then on, nodes that cannot take part get rows for
        // them, too.
        if outcome == RoundOutcome::Complete {
            let absent = async { self.record_left_out(left_out, &published.cid) };
            let (looked_up, absent) = futures::join!(self.look_up(lookups, &key, &publisher, &published), absent);
            attempts.extend(absent);
            attempts.extend(looked_up);
        }
        let cut_off = attempts.iter().any(|(_, attempt)| attempt.result.class == OutcomeClass::Cancelled);
        (if cut_off { RoundOutcome::Interrupted } else { outcome }, attempts)
    }

    /// The lookups of each node, one after the other.
    fn planned_lookups(&self, retrievers: &[ReadyNode], cid: &str) -> Vec<Vec<(Node, Attempt)>> {
        let probes = |node: &Node| {
            let planned = |probe| (node.clone(), self.planned(node, OperationKind::Retrieve, probe, cid));
            (0..self.tools.probes).map(planned).collect()
        };
        retrievers.iter().map(|ready| probes(ready.node())).collect()
    }

    /// Has all of them look the key up at the same time, each as often as configured. Begins as soon as the publication
    /// has been answered, without waiting for anything else.
    ///
    /// The provider that a lookup found is compared with the node that published.
    async fn look_up(
        &self,
        lookups: Vec<Vec<(Node, Attempt)>>,
        key: &Cid,
        publisher: &str,
        published: &Attempt,
    ) -> Vec<(Node, Attempt)> {
        // The provider may write the same key in another form; the others look up the form that it returned.
        let begun = |attempt: Attempt| Attempt { cid: published.cid.clone(), due: published.ended, ..attempt };
        let begin = |probes: Vec<(Node, Attempt)>| {
            probes.into_iter().map(|(node, attempt)| (node, begun(attempt))).collect::<Vec<_>>()
        };
        let lookups: Vec<_> = lookups.into_iter().map(begin).collect();
        let begun: Vec<_> = lookups.iter().flatten().map(|(_, attempt)| attempt.clone()).collect();
        self.open.begun(&begun);
        self.pen.begun(self.round, begun);
        let (cid, publisher): (Arc<str>, Arc<str>) = (published.cid.as_str().into(), publisher.into());
        let searches = lookups.into_iter().map(|probes| {
            let (cid, publisher) = (&cid, &publisher);
            async move {
                let mut attempts = Vec::new();
                for (node, probe) in probes {
                    let searching = self.search(&node, probe.id, Arc::clone(cid), Arc::clone(publisher));
                    let attempt = self.attempt(&node, probe, key, searching).await;
                    attempts.push((node, attempt));
                }
                attempts
            }
        });
        join_all(searches).await.into_iter().flatten().collect()
    }

    fn search(
        &self,
        node: &Node,
        attempt: AttemptId,
        cid: Arc<str>,
        publisher: Arc<str>,
    ) -> impl Future<Output = Result<Answered, CallError>> + Send + use<> {
        let (servers, at, by) = (Arc::clone(&self.tools.servers), node.endpoint, Arc::clone(&self.scheduler_id));
        async move {
            let found = servers.retrieve(&at, Caller { scheduler_id: &by, attempt }, &cid).await;
            Ok(found?.compared_with(&publisher))
        }
    }

    /// An attempt before it has begun.
    fn planned(&self, node: &Node, kind: OperationKind, probe: u32, cid: &str) -> Attempt {
        let now = clock::now();
        Attempt {
            id: AttemptId::fresh(),
            round: self.round.id,
            scheduler: self.round.scheduler,
            node: node.id,
            kind,
            probe,
            cid: cid.to_owned(),
            due: self.round.due,
            started: now,
            ended: now,
            result: Measured::record_lost(),
            why_kept: None,
        }
    }

    /// Makes one call about `key`, and notes how it ended.
    async fn attempt(
        &self,
        node: &Node,
        planned: Attempt,
        key: &Cid,
        answering: impl Future<Output = Result<Answered, CallError>> + Send + 'static,
    ) -> Attempt {
        let kind = planned.kind;
        let span = info_span!("operation", kind = kind.as_str(), node = %node.id, region = node.region);
        let Called { started, ended, took, answer } = call(self.stopping.clone(), span.clone(), answering).await;
        let (spelled, mut result) = match answer {
            Some(Ok(answered)) => credit(answered, node, key, took),
            Some(Err(error)) => (None, unanswered(&error, took)),
            None => (None, stopped(took)),
        };
        let why_kept = self.tools.traces.sift(&node.fleet, kind, &mut result);
        let cid = spelled.unwrap_or_else(|| planned.cid.clone());
        let attempt = Attempt { cid, started, ended, result, why_kept, ..planned };
        self.tools.metrics.issued(attempt.kind, node, &attempt.result);
        self.open.ended(node, &attempt);
        self.pen.ended(&attempt, span);
        attempt
    }

    /// A node that cannot take part has failed its part of the round: looking the content up.
    fn record_left_out(&self, left_out: Vec<LeftOut>, cid: &str) -> Vec<(Node, Attempt)> {
        let record = |LeftOut { node, asked, answered, result, .. }| {
            let planned = self.planned(&node, OperationKind::Retrieve, 0, cid);
            let attempt = Attempt { started: asked, ended: answered, result, ..planned };
            self.tools.metrics.attempted(attempt.kind, &node, &attempt.result);
            self.open.ended(&node, &attempt);
            self.pen.ended(&attempt, Span::current());
            (node, attempt)
        };
        left_out.into_iter().map(record).collect()
    }
}

/// Accepts an answer only if it is of the node that was asked and for what was asked: the same multihash, in whichever form
/// the server spells it. That form is kept. This is where a CID of a server comes in, and is parsed.
fn credit(answered: Answered, node: &Node, key: &Cid, took: Duration) -> (Option<String>, Measured) {
    if let Err(other) = node.is_answered_by(answered.peer.as_deref()) {
        return (None, Measured::unmeasured(OutcomeClass::WrongNode, took, other));
    }
    let theirs = answered.cid.parse::<Cid>();
    if theirs.is_ok_and(|theirs| theirs.multihash() == key.multihash()) {
        return (Some(answered.cid), answered.measured);
    }
    let error = format!("the server answered for `{}`, which is not what it was asked for", answered.cid);
    (None, Measured::unmeasured(OutcomeClass::ServerError, took, error))
}
