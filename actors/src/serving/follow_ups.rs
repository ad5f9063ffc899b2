//! What a DHT node has to say beside its answers: what became of publications in the end, whether it can measure, and how
//! large it believes the network to be. It is counted, and follow-ups are recorded, a share of them with the times at which
//! it shall be looked whether the record is still where it was put.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use parsec_dht::{Dht, Readiness};
use parsec_measure::{Fleet, FollowUp, NodeId, PlannedCheck, RecordCheck, Share};
use parsec_store::{NodeFollowUp, Row};
use tokio::select;
use tokio::task::JoinHandle;
use tracing::{info, warn};
use uuid::Uuid;

use crate::recording::recorder::RecorderHandle;
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
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Which records are looked for later; `None` looks for none.
    pub verify: Option<Verify>,
}

/// Which publications are verified, and what must be known for that once this process is gone.
#[derive(Debug, Clone)]
pub struct Verify {
    /// Of how many publications.
    pub share: Share,
    /// The node's fleet.
    pub fleet: Fleet,
    /// Where it runs.
    pub region: String,
    /// The peer id that its records name.
    pub provider: String,
}

impl Reports {
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
        // The last put had ended before it was waited for confirmations.
        let ended = Utc::now() - follow_up.confirming;
        let checks = self.verify.iter().filter(|verify| rand::random::<f64>() < verify.share.get());
        let mut rows: Vec<_> =
            checks.flat_map(|verify| verify.plan(&follow_up, self.node, ended)).map(Row::Check).collect();
        rows.push(Row::FollowUp(NodeFollowUp { id: Uuid::now_v7(), node: self.node, ended, follow_up }));
        self.recorder.record(rows).await;
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

/// A task that takes an engine's follow-ups, one after the other, until the engine has died. It outlives a crash of
/// the actor as the engine does: none is lost in between. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Listener(JoinHandle<()>);

impl Listener {
    pub(crate) fn new(engine: Arc<dyn Dht>, reports: Reports) -> Self {
        Self(actix::spawn(async move {
            loop {
                select! {
                    // What the engine said before it died counts.
                    biased;
                    follow_up = engine.next_follow_up() => reports.take(follow_up).await,
                    _ = engine.died() => return,
                }
            }
        }))
    }

    /// Waits until an engine that has died has nothing more to say.
    pub(crate) async fn ended(mut self) {
        // That it panicked has been said where it did.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}
