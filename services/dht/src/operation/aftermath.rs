//! What happens after a publication has been answered: the last puts end, and peers confirm the records that were
//! written to them. None of this belongs to the measured time.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use parsec_measure::{AttemptId, Cid, FollowUp};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::operation::log::Snapshot;
use crate::swarm::driver::DriverHandle;

/// How many publications may be followed up at a time, and how many reports may wait to be read; further ones are
/// dropped with a warning.
pub(crate) const FOLLOW_UPS: usize = 256;

/// How long peers may take to confirm a record, from the end of the last put: a little longer than the time limit for
/// reading a stream to its end.
pub(crate) const CONFIRMING: Duration = Duration::from_secs(12);

/// How many of the peers that did not confirm a record are named in a log line.
const MAX_NAMED: usize = 5;

/// Where later results are reported.
#[derive(Debug, Clone)]
pub(crate) struct Aftermath {
    reports: mpsc::Sender<FollowUp>,
    /// A slot for each publication that is being followed up.
    places: Arc<Semaphore>,
}

/// The publication, and when it began.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) cid: Cid,
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) began: Instant,
    /// How long it took to answer its caller.
    pub(crate) took: Duration,
}

impl Aftermath {
    pub(crate) fn new() -> (Self, mpsc::Receiver<FollowUp>) {
        let (reports, taken) = mpsc::channel(FOLLOW_UPS);
        (Self { reports, places: Arc::new(Semaphore::new(FOLLOW_UPS)) }, taken)
    }

    /// If the publication sent its record to any peer, follows it to its end in a separate task: first the puts that go
    /// on in the `background`, then the confirmations. `log` is what it had done when it was answered.
    pub(crate) fn see_to(
        &self,
        publication: Publication,
        background: Option<BoxFuture<'static, Snapshot>>,
        log: &Snapshot,
        driver: DriverHandle,
    ) {
        if log.puts().chosen() == 0 {
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            warn!(cid = %publication.cid, "too many publications in the background: the end of this one is not recorded");
            return;
        };
        let (reports, log) = (self.reports.clone(), log.clone());
        tokio::spawn(async move {
            let follow_up = follow(publication, background, log, &driver).await;
            debug!(?follow_up, "publication ended");
            if reports.try_send(follow_up).is_err() {
                warn!("the end of a publication is not recorded: the recorder cannot take it");
            }
            drop(place);
        });
    }

    /// Waits until all publications have been followed to their end, at most for this long.
    pub(crate) async fn settled(&self, limit: Duration) {
        // It fails only if it takes longer, or if the semaphore is closed, which never happens.
        let _ = timeout(limit, self.places.acquire_many(FOLLOW_UPS as u32)).await;
    }
}

async fn follow(
    Publication { cid, attempt, began, took }: Publication,
    background: Option<BoxFuture<'static, Snapshot>>,
    log: Snapshot,
    driver: &DriverHandle,
) -> FollowUp {
    let (log, duration) = match background {
        Some(background) => (background.await, began.elapsed()),
        None => (log, took),
    };
    let confirming = Instant::now();
    tokio::select! {
        _ = timeout(CONFIRMING, join_all(log.written().map(|(_, confirmation)| confirmation.known()))) => {}
        // Without the swarm no stream is read any more.
        () = driver.gone() => {}
    }
    let puts = log.puts();
    if puts.confirmed < puts.stored {
        debug!(%cid, stored = puts.stored, confirmed = puts.confirmed, peers = unconfirmed(&log), "records not confirmed");
    }
    FollowUp {
        attempt,
        cid: cid.to_string(),
        stored: puts.stored,
        confirmed: Some(puts.confirmed),
        failed: puts.failed,
        pending: Some(puts.pending),
        duration,
        confirming: confirming.elapsed(),
    }
}

/// The peers that did not confirm the record, and why, as far as there is room.
fn unconfirmed(log: &Snapshot) -> String {
    let mut text = String::new();
    let silent = log.written().filter_map(|(peer, confirmation)| match confirmation.read() {
        Some(Ok(_)) => None,
        Some(Err(reason)) => Some((peer, reason)),
        None => Some((peer, "no word".to_owned())),
    });
    for (peer, reason) in silent.take(MAX_NAMED) {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{peer} ({reason})");
    }
    text
}
