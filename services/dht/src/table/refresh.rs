//! Fills the routing table at start and keeps it fresh: asks the bootstrap peers, then looks up ourselves and a random
//! key in every bucket, every ten minutes, as go-libp2p-kad-dht does.
//!
//! One bootstrap peer is enough to begin with: the others are asked while the lookups run, and dead ones delay nothing.
//! If one answers only after the buckets have been filled, another refresh follows.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::FusedFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use libp2p::PeerId;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::operation::drive::{Limits, Operation, Tools};
use crate::operation::log::Log;
use crate::strategy::key::{Contact, Key};
use crate::strategy::{Lookup, LookupConfig, Request};
use crate::swarm::bootstrap::Bootstrap;
use crate::swarm::driver::Gone;
use crate::swarm::rpc::Stopwatch;
use crate::wire::messages::{self, NamedPeer};

/// How often the table is refreshed (Go: `amino.DefaultRoutingTableRefreshPeriod`).
const INTERVAL: Duration = Duration::from_secs(600);

/// How long the other bootstrap peers may take once one has answered. On the public network they answer within a few
/// hundred milliseconds of each other; the more of them the first lookup starts from, the less it depends on a single
/// one.
pub(crate) const OTHERS: Duration = Duration::from_millis(250);

/// After how long the node reports that no bootstrap peer answers, while some are still being asked: as long as
/// dialling a dead address takes. Those that have refused can then be asked again.
const KNOCK_PATIENCE: Duration = Duration::from_secs(5);

/// A node measures only once its table has been filled, so that it does not compete with itself; but it waits no longer
/// than this for the buckets. After that, only a few lookups go on, which wait for dead peers.
const FILL_LIMIT: Duration = Duration::from_secs(10);

/// How often to check whether the table has lost half of its peers, as happens when the network goes away for a moment
/// (Go: `periodicBootstrapInterval`, two minutes).
const LOSS_CHECK: Duration = Duration::from_secs(30);

/// How long one lookup of a refresh may take. Go gives it 10 s (`amino.DefaultRoutingTableRefreshQueryTimeout`), which two
/// dead dials of 5 s each use up: one on the way, one among the closest. A lookup that was cut off is no sample of the
/// network's size, there as here, and where every seventh peer is dead that is most of them. Three times as long lets those
/// come to their end that meet a silent peer besides (10 s, and one retry), and the 16 lookups of a refresh, one after the
/// other, still fit in between two of them.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(30);

/// Below this many peers the bootstrap peers are asked again (Go: `minRTRefreshThreshold`).
const BOOTSTRAP_BELOW: usize = 10;

/// The deepest bucket that is refreshed on purpose (Go: `maxCplForRefresh`): a random key in bucket c takes 2^c hashes to find.
const MAX_BUCKET: u32 = 15;

/// The shortest and the longest pause while no peer can be reached; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long the first lookup of ourselves runs before the others join it. By then it has met those closest to us; what it
/// still waits for are dead peers. Later refreshes make one lookup after the other, to disturb measurements less.
const HEAD_START: Duration = Duration::from_secs(2);

/// How many lookups an optimistic publisher's first estimate of the network's size rests on. The 20 distances of one lookup
/// have it right to about 1 in √20; 16 lookups bring that to 6 %.
const SIZE_LOOKUPS: usize = 16;

/// What a refresh needs.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) tools: Tools,
    pub(crate) local: PeerId,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) config: LookupConfig,
    /// Whether publications depend on an estimate of the network's size.
    pub(crate) needs_size: bool,
    /// Whether the table is filled only once.
    pub(crate) once: bool,
    /// Which keys are looked up: seeded with our own key, so that a node with the same identity looks up the same keys.
    pub(crate) rng: Arc<Mutex<StdRng>>,
}

impl Refresh {
    /// Refreshes for ever; `filled` turns true after the first refresh that met any peer, or after [`FILL_LIMIT`].
    pub(crate) async fn run(self, filled: watch::Sender<bool>) {
        let mut pause = RETRY.0;
        let mut asked = Asked::new();
        loop {
            let started = Instant::now();
            match self.once(&filled, &mut asked).await {
                Err(Gone) => return,
                Ok(0) => {
                    let reason = self.bootstrap.complaint().unwrap_or_else(|| "no bootstrap peer is known".to_owned());
                    warn!(retry_seconds = pause.as_secs_f64(), reason, "routing table is empty");
                    let _ = timeout(pause, somebody_lets_us_in(&mut asked)).await;
                    pause = (pause * 2).min(RETRY.1);
                }
                Ok(peers) => {
                    filled.send_replace(true);
                    info!(peers, duration_seconds = started.elapsed().as_secs_f64(), "routing table refreshed");
                    pause = RETRY.0;
                    if self.once {
                        somebody_lets_us_in(&mut asked).await;
                    } else {
                        self.wait_for_next(peers, &mut asked).await;
                    }
                }
            }
        }
    }

    /// Waits until a refresh is due: because the time has come, because half of the table has gone, or because a
    /// bootstrap peer has answered late, which may know peers that the others do not.
    async fn wait_for_next(&self, peers: usize, asked: &mut Asked) {
        let due = Instant::now() + INTERVAL;
        while Instant::now() < due {
            if timeout(LOSS_CHECK, somebody_lets_us_in(asked)).await.is_ok() {
                return;
            }
            match self.tools.driver.status().await {
                Ok(status) if status.table_size * 2 >= peers => {}
                _ => return,
            }
        }
    }

    /// One refresh; returns the number of peers in the table after it.
    async fn once(&self, filled: &watch::Sender<bool>, asked: &mut Asked) -> Result<usize, Gone> {
        if self.table_size().await? < BOOTSTRAP_BELOW {
            self.ask_bootstrap_peers(asked).await;
            if self.table_size().await? == 0 {
                return Ok(0);
            }
        }
        // Ourselves first: the peers closest to us show which buckets there are.
        let mut ourselves = pin!(self.look_up(self.local.to_bytes()).fuse());
        if *filled.borrow() {
            ourselves.await?;
            // A peer that has answered by now is not late.
            while asked.try_join_next().is_some() {}
            self.look_up_all(self.keys_in_buckets().await?, 1).await?;
            return self.table_size().await;
        }
        let _ = timeout(HEAD_START, &mut ourselves).await;
        while asked.try_join_next().is_some() {}
        let ourselves = async { if ourselves.is_terminated() { Ok(()) } else { ourselves.await } };
        tokio::select! {
            biased;
            end = futures::future::try_join(ourselves, self.fill()) => end.map(drop)?,
            () = self.lose_patience(filled) => {}
        }
        self.table_size().await
    }

    /// Turns `filled` true if the buckets take too long; never returns. An optimistic publisher also waits for its
    /// first estimate of the network's size, or for the end of all lookups: without an estimate it would publish the
    /// classic way.
    async fn lose_patience(&self, filled: &watch::Sender<bool>) {
        sleep(FILL_LIMIT).await;
        while self.needs_size && self.tools.size.estimate().is_err() || self.table_size().await == Ok(0) {
            sleep(RETRY.0).await;
        }
        filled.send_replace(true);
        futures::future::pending().await
    }

    async fn table_size(&self) -> Result<usize, Gone> {
        Ok(self.tools.driver.status().await?.table_size)
    }

    /// Looks up the buckets of a new table, all at once.
    async fn fill(&self) -> Result<(), Gone> {
        let mut keys = self.keys_in_buckets().await?;
        if self.needs_size {
            let mut rng = self.rng.lock();
            keys.resize_with(SIZE_LOOKUPS.max(keys.len()), || random_key(&mut *rng));
        }
        let parallelism = keys.len();
        self.look_up_all(keys, parallelism).await
    }

    /// A random key in each bucket that has peers, and in those before it.
    async fn keys_in_buckets(&self) -> Result<Vec<Vec<u8>>, Gone> {
        let deepest = self.tools.driver.status().await?.deepest_bucket.min(MAX_BUCKET);
        let (local, mut rng) = (self.local.key(), self.rng.lock());
        Ok((0..=deepest).map(|bucket| random_key_in_bucket(&local, bucket, &mut *rng)).collect())
    }

    async fn look_up_all(&self, keys: Vec<Vec<u8>>, parallelism: usize) -> Result<(), Gone> {
        stream::iter(keys).map(Ok).try_for_each_concurrent(parallelism, |key| self.look_up(key)).await
    }

    /// Asks all bootstrap peers at once. Returns when one has answered and the others have had [`OTHERS`] to do so,
    /// too; when all have ended; or after [`KNOCK_PATIENCE`]. Requests that have not ended by then stay in `asked`.
    async fn ask_bootstrap_peers(&self, asked: &mut Asked) {
        let request = messages::Request::FindNode { key: self.local.to_bytes() };
        for peer in self.bootstrap.knock() {
            asked.spawn(ask(self.tools.clone(), self.bootstrap.clone(), peer, request.clone()));
        }
        let _ = timeout(KNOCK_PATIENCE, async {
            while let Some(ended) = asked.join_next().await {
                if matches!(ended, Ok(true)) {
                    let _ = timeout(OTHERS, async { while asked.join_next().await.is_some() {} }).await;
                    return;
                }
            }
        })
        .await;
    }

    async fn look_up(&self, key: Vec<u8>) -> Result<(), Gone> {
        let start = self.tools.driver.start(key.clone(), self.config.k).await?;
        let seeds = start.seeds.iter().map(|seed| seed.id).collect();
        let target = Key::of(&key);
        let lookup = Lookup::new(target, self.local, seeds, Request::FindNode, self.config);
        let started = Instant::now();
        let (deadline, limits) = (started + LOOKUP_TIMEOUT, Limits::default());
        let operation = Operation { key, local: start.local, started, deadline, limits };
        if let Ok(walked) = operation.drive(&self.tools, lookup, start.seeds, Log::default()).await.outcome {
            self.tools.size.track(&target, &walked, start.in_bucket);
        }
        Ok(())
    }
}

/// Bootstrap peers that are being asked; each request ends with whether the peer answered. Dropping it cancels them.
type Asked = JoinSet<bool>;

/// Asks one bootstrap peer.
async fn ask(tools: Tools, bootstrap: Bootstrap, peer: NamedPeer, request: messages::Request) -> bool {
    let stopwatch = Stopwatch::start();
    let answer = tools.rpc.ask(peer.id, peer.addresses.clone(), &request, &stopwatch, None).await;
    bootstrap.answered(&peer.id, answer.as_ref().map(|_| ()));
    match answer {
        Ok(_) => {
            tools.driver.answered(peer);
            true
        }
        Err(error) => {
            debug!(peer = %peer.id, %error, "bootstrap peer does not let us in");
            false
        }
    }
}

/// Waits for the next bootstrap peer that answers; for ever, if none does.
async fn somebody_lets_us_in(asked: &mut Asked) {
    while let Some(ended) = asked.join_next().await {
        if matches!(ended, Ok(true)) {
            return;
        }
    }
    futures::future::pending().await
}

fn random_key(rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Bytes whose point in the keyspace shares exactly `bucket` leading bits with `local`.
fn random_key_in_bucket(local: &Key, bucket: u32, rng: &mut impl Rng) -> Vec<u8> {
    loop {
        let bytes = random_key(rng);
        if Key::of(&bytes).distance(local).common_prefix() == bucket {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests;
