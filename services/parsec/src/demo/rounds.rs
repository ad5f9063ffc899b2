//! What demonstrations have in common: their rounds, from the first that can be played to those that are shown.

use std::time::Duration;

use actix::prelude::*;
use anyhow::bail;
use parsec_actors::scheduling::fleet::RoundFinished;
use parsec_measure::{Fleet, Share};
use parsec_store::Store;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// How long it may take until all servers of a fleet can measure.
const READY_TIMEOUT: Duration = Duration::from_secs(180);

/// How often to check whether they can.
const READY_POLL: Duration = Duration::from_millis(50);

/// The trace of every operation is kept: there are few, and people look at them after a demonstration.
pub(super) const TRACE_SAMPLE: Share = Share::new(1.0).expect("the whole is a share");

/// A round has a publication and a search, and the waiting before and after each.
pub(super) const ROUND_LIMIT: Duration = Duration::from_secs(10 * 60);

/// How many rounds may wait to be shown.
const ROUNDS_WAITING: usize = 64;

/// Waits until schedulers would find all servers of a fleet in the database.
pub(super) async fn wait_until_offered<'a>(
    store: &dyn Store,
    fleet: &'a Fleet,
    servers: usize,
) -> anyhow::Result<&'a Fleet> {
    let started = Instant::now();
    loop {
        let roster = store.roster(std::slice::from_ref(fleet)).await?;
        let offered = roster.nodes.iter().filter(|heard| heard.is_fresh()).count();
        if offered >= servers {
            return Ok(fleet);
        }
        if started.elapsed() > READY_TIMEOUT {
            bail!("{offered} of {servers} servers of fleet {fleet} are ready after {} s", READY_TIMEOUT.as_secs());
        }
        sleep(READY_POLL).await;
    }
}

/// Passes rounds from the scheduler on to the board.
pub(super) struct Watcher {
    rounds: mpsc::Sender<RoundFinished>,
}

impl Watcher {
    pub(super) fn new() -> (Self, mpsc::Receiver<RoundFinished>) {
        let (rounds, receiver) = mpsc::channel(ROUNDS_WAITING);
        (Self { rounds }, receiver)
    }
}

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<RoundFinished> for Watcher {
    type Result = ();

    fn handle(&mut self, finished: RoundFinished, _: &mut Self::Context) {
        if let Err(error) = self.rounds.try_send(finished) {
            warn!(%error, "a round is not shown");
        }
    }
}
