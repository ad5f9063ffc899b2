//! What a DHT node reports beside its answers: how publications ended, whether it can measure, and how large it
//! estimates the network to be. The reports are counted. Follow-ups are also recorded, and a share of them is given
//! times at which to check whether the record is still where it was put.

use std::sync::Arc;

use actix::prelude::*;
use chrono::{DateTime, Utc};
use parsec_dht::{Dht, Readiness};
use parsec_measure::{Fleet, FollowUp, NodeId, PlannedCheck, RecordCheck, Share, clock};
use parsec_store::{NodeFollowUp, Row};
use tokio::select;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::recording::recorder::RecorderHandle;
use crate::supervision::progress::Progress;
use crate::supervision::stop::Stop;
use crate::supervision::supervise::{Child, ChildEvent, ChildState, RestartPolicy, give_up_over, supervise};
use crate::telemetry::metrics::Metrics;

/// Where a node's reports go.
#[derive(Debug, Clone)]
pub struct Reports {
    /// Its row in the database.
    pub node: NodeId,
    /// Its fleet, for metrics.
    pub fleet: String,
    /// Keeps follow-ups.
    pub recorder: RecorderHandle,
    /// Counts reports.
    pub metrics: Arc<Metrics>,
    /// Which records are checked later; `None` checks none.
    pub verify: Option<Verify>,
}

/// Which publications are verified, and what must be known to do so after this process has ended.
#[derive(Debug, Clone)]
pub struct Verify {
    /// The share of publications that is verified.
    pub share: Share,
    /// The node's fleet.
    pub fleet: Fleet,
    /// Where it runs.
    pub region: String,
    /// The peer id that its records name.
    pub provider: String,
}

impl Reports {
    /// Starts a listener for an engine. `parent` is told of its crashes.
    pub(crate) fn listen(&self, engine: &Arc<dyn Dht>, parent: Recipient<ChildEvent>) -> Child<Listener> {
        let listener = Listener::new(Arc::clone(engine), self.clone());
        let listener = supervise("follow-ups", RestartPolicy::default(), parent, listener);
        self.metrics.supervised(listener.signs());
        listener
    }

    /// What the parent does when it hears of a listener.
    pub(crate) fn heard(&self, event: ChildEvent, listener: Option<&Child<Listener>>) {
        event.note(&*self.metrics);
        // An event of the listener to an earlier engine: it is gone, and has a successor.
        if listener.is_none_or(|listener| listener.incarnation() != event.incarnation) {
            return;
        }
        if let ChildState::Down(listener) = event.state {
            give_up_over(listener);
        }
    }

    pub(crate) fn readiness(&self, readiness: Option<&Readiness>) {
        self.metrics.readiness(&self.fleet, readiness);
    }

    async fn take(&self, follow_up: FollowUp) {
        let FollowUp { attempt, cid, stored, confirmed, failed, pending, duration, .. } = &follow_up;
        let attempt = attempt.map(|attempt| tracing::field::display(attempt.0));
        let (confirmed, pending) = (confirmed.unwrap_or(0), pending.unwrap_or(0));
        if follow_up.is_unconfirmed() {
            warn!(attempt, cid, stored, failed, pending, "no peer confirmed a record that was written to it");
        } else {
            let duration_seconds = duration.as_secs_f64();
            info!(attempt, cid, stored, confirmed, failed, pending, duration_seconds, "a publication has ended");
        }
        self.metrics.followed_up(&self.fleet, &follow_up);
        // The engine waits for confirmations after the last put, so the last put ended that much earlier.
        let ended = clock::now() - follow_up.confirming;
        let checks = self.verify.iter().filter(|verify| rand::random::<f64>() < verify.share.get());
        let mut rows: Vec<_> =
            checks.flat_map(|verify| verify.plan(&follow_up, self.node, ended)).map(Row::Check).collect();
        rows.push(Row::FollowUp(NodeFollowUp { id: clock::fresh_id(), node: self.node, ended, follow_up }));
        self.recorder.record(rows);
    }
}

impl Verify {
    fn plan(
        &self,
        follow_up: &FollowUp,
        node: NodeId,
        ended: DateTime<Utc>,
    ) -> impl Iterator<Item = RecordCheck> + use<> {
        let whose = (&self.fleet, self.region.as_str(), self.provider.as_str());
        let plans = PlannedCheck::of_publication(follow_up, node, whose, ended);
        plans.into_iter().map(|plan| RecordCheck { plan, done: None })
    }
}

/// Receives an engine's follow-ups, one after the other, until the engine has died. Like the engine, it survives a
/// crash of its parent, so no follow-up is lost in between. When told to stop ([`Stop`]), it waits until the engine has
/// died and all its reports have been passed on. After a crash of its own it goes on listening.
pub(crate) struct Listener {
    engine: Arc<dyn Dht>,
    reports: Reports,
    /// True once the engine has died and the recorder has been given everything that it reported.
    over: watch::Sender<bool>,
}

impl Listener {
    pub(crate) fn new(engine: Arc<dyn Dht>, reports: Reports) -> Self {
        Self { engine, reports, over: watch::channel(false).0 }
    }
}

async fn listen(engine: Arc<dyn Dht>, reports: Reports) {
    loop {
        select! {
            // Reports from before the engine died still count.
            biased;
            follow_up = engine.next_follow_up() => reports.take(follow_up).await,
            _ = engine.died() => return,
        }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let listening = listen(Arc::clone(&self.engine), self.reports.clone());
        context.spawn(listening.into_actor(self).map(|(), actor, _| {
            actor.over.send_replace(true);
        }));
    }
}

impl Progress for Listener {}

impl Supervised for Listener {
    fn restarting(&mut self, _: &mut Self::Context) {
        *self = Self::new(Arc::clone(&self.engine), self.reports.clone());
    }
}

impl Handler<Stop> for Listener {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let mut over = self.over.subscribe();
        let waiting = async move {
            let _ = over.wait_for(|over| *over).await;
        };
        Box::pin(waiting.into_actor(self).map(|(), _, context| context.stop()))
    }
}
