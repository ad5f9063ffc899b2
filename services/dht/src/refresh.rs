//! Fills the routing table at start and keeps it fresh: asks the bootstrap peers, then looks up ourselves and a random
//! key in every bucket, every ten minutes, as go-libp2p-kad-dht does.

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
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::driver::Gone;
use crate::key::{Contact, Key};
use crate::log::Log;
use crate::operation::{Limits, Operation, Tools};
use crate::rpc::Stopwatch;
use crate::strategy::{Lookup, LookupConfig, Request};
use crate::wire::{self, NamedPeer};

/// How often the table is refreshed (Go: `amino.DefaultRoutingTableRefreshPeriod`).
const INTERVAL: Duration = Duration::from_secs(600);

/// A node measures once its table has been filled, lest it competes with itself; but no longer than this is waited for the
/// slowest buckets. As long as the original waits before its first heartbeat.
const FILL_PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether the table has lost half of its peers, as it does when the network goes away for a
/// moment (Go: `periodicBootstrapInterval`, two minutes).
const LOSS_CHECK: Duration = Duration::from_secs(30);

/// How long one lookup of a refresh may take (Go: `amino.DefaultRoutingTableRefreshQueryTimeout`).
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Below this many peers the bootstrap peers are asked again (Go: `minRTRefreshThreshold`).
const BOOTSTRAP_BELOW: usize = 10;

/// The deepest bucket that is refreshed on purpose (Go: `maxCplForRefresh`): a random key in bucket c takes 2^c hashes to find.
const MAX_BUCKET: u32 = 15;

/// The pauses while nobody could be reached: doubling between these.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long the first lookup of ourselves runs before the others join it. By then it has met those closest to us; what it
/// still waits for are dead peers. Later refreshes make one lookup after the other, to disturb measurements less.
const HEAD_START: Duration = Duration::from_secs(2);

/// How many lookups an optimistic publisher's first estimate of the network's size rests on. The 20 distances of one lookup
/// have it right to about 1 in √20; 16 lookups bring that to 6 %.
const SIZE_LOOKUPS: usize = 16;

/// Whom to refresh for.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) tools: Tools,
    pub(crate) local: PeerId,
    pub(crate) bootstrap: Vec<NamedPeer>,
    pub(crate) config: LookupConfig,
    /// Whether publications depend on an estimate of the network's size.
    pub(crate) needs_size: bool,
    /// Whether the first fill is all there is.
    pub(crate) once: bool,
    /// Which keys are looked up: seeded with our own place in the keyspace, so that a node of the same identity does the same.
    pub(crate) rng: Arc<Mutex<StdRng>>,
}

impl Refresh {
    /// Refreshes for ever; `filled` turns true after the first refresh that met anybody, or after [`FILL_PATIENCE`].
    pub(crate) async fn run(self, filled: watch::Sender<bool>) {
        let patience = async {
            sleep(FILL_PATIENCE).await;
            while !self.tools.driver.status().await.is_ok_and(|status| status.table_size > 0) {
                sleep(RETRY.0).await;
            }
            filled.send_replace(true);
            futures::future::pending().await
        };
        tokio::select! {
            biased;
            () = self.refresh(&filled) => {}
            () = patience => {}
        }
    }

    async fn refresh(&self, filled: &watch::Sender<bool>) {
        let mut pause = RETRY.0;
        loop {
            let started = Instant::now();
            let first = !*filled.borrow();
            match self.once(first).await {
                Err(Gone) => return,
                Ok(0) => {
                    warn!(retry_seconds = pause.as_secs_f64(), "routing table is empty: no bootstrap peer answered");
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY.1);
                }
                Ok(peers) => {
                    filled.send_replace(true);
                    info!(peers, duration_seconds = started.elapsed().as_secs_f64(), "routing table refreshed");
                    if self.once {
                        return futures::future::pending().await;
                    }
                    pause = RETRY.0;
                    self.wait_for_next(peers).await;
                }
            }
        }
    }

    /// Waits until a refresh is due: in good time, or because half of the table has gone.
    async fn wait_for_next(&self, peers: usize) {
        let due = Instant::now() + INTERVAL;
        while Instant::now() < due {
            sleep(LOSS_CHECK).await;
            match self.tools.driver.status().await {
                Ok(status) if status.table_size * 2 >= peers => {}
                _ => return,
            }
        }
    }

    /// One refresh; the number of peers in the table after it.
    async fn once(&self, first: bool) -> Result<usize, Gone> {
        if self.tools.driver.status().await?.table_size < BOOTSTRAP_BELOW {
            self.ask_bootstrap_peers().await;
        }
        // Ourselves first: those closest to us tell which buckets there are.
        let mut ourselves = pin!(self.look_up(self.local.to_bytes()).fuse());
        if first {
            let _ = timeout(HEAD_START, &mut ourselves).await;
            let ourselves = async { if ourselves.is_terminated() { Ok(()) } else { ourselves.await } };
            futures::future::try_join(ourselves, self.fill()).await?;
        } else {
            ourselves.await?;
            self.look_up_all(self.keys_in_buckets().await?, 1).await?;
        }
        Ok(self.tools.driver.status().await?.table_size)
    }

    /// The buckets of a table that is just being filled, all at once.
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

    async fn ask_bootstrap_peers(&self) {
        let request = wire::Request::FindNode { key: self.local.to_bytes() };
        let asked = self.bootstrap.iter().map(|peer| async {
            let stopwatch = Stopwatch::start();
            match self.tools.rpc.ask(peer.id, peer.addresses.clone(), &request, &stopwatch, None).await {
                Ok(_) => self.tools.driver.answered(peer.clone()),
                Err(error) => debug!(peer = %peer.id, %error, "bootstrap peer did not answer"),
            }
        });
        futures::future::join_all(asked).await;
    }

    async fn look_up(&self, key: Vec<u8>) -> Result<(), Gone> {
        let start = self.tools.driver.start(key.clone(), self.config.k).await?;
        let seeds = start.seeds.iter().map(|seed| seed.id).collect();
        let target = Key::of(&key);
        let lookup = Lookup::new(target, self.local, seeds, Request::FindNode, self.config);
        let started = Instant::now();
        let (deadline, limits) = (started + LOOKUP_TIMEOUT, Limits::default());
        let operation = Operation { key, local: start.local, started, deadline, limits };
        if let Some(walked) = operation.drive(&self.tools, lookup, start.seeds, Log::default()).await.outcome {
            self.tools.size.track(&target, &walked, start.in_bucket);
        }
        Ok(())
    }
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
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_random_key_falls_into_the_bucket_asked_for() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let local = Key::of(b"me");
        for bucket in 0..=10 {
            let key = random_key_in_bucket(&local, bucket, &mut rng);
            assert_eq!(Key::of(&key).distance(&local).common_prefix(), bucket);
        }
    }
}
