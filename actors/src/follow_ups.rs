//! What a DHT node has to say beside its answers: what became of publications that went on in the background, whether it
//! can measure, and how large it believes the network to be. It is counted, and follow-ups are recorded.

use std::sync::Arc;

use chrono::Utc;
use parsec_dht::{Dht, Readiness};
use parsec_measure::{FollowUp, NodeId};
use parsec_store::{NodeFollowUp, Row};
use tokio::select;
use tokio::task::JoinHandle;
use tracing::info;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::recorder::RecorderHandle;

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
}

impl Reports {
    pub(crate) fn readiness(&self, readiness: Option<&Readiness>) {
        self.metrics.readiness(&self.fleet, readiness);
    }

    async fn take(&self, follow_up: FollowUp) {
        let FollowUp { attempt, cid, stored, failed, duration } = &follow_up;
        let attempt = attempt.map(|attempt| tracing::field::display(attempt.0));
        info!(
            attempt,
            cid,
            stored,
            failed,
            duration_seconds = duration.as_secs_f64(),
            "last put of a publication ended"
        );
        self.metrics.followed_up(&self.fleet, &follow_up);
        let row = NodeFollowUp { id: Uuid::now_v7(), node: self.node, ended: Utc::now(), follow_up };
        self.recorder.record(vec![Row::FollowUp(row)]).await;
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
