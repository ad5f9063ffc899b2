//! Fills the routing table at start and keeps it fresh: asks the bootstrap peers, then looks up ourselves and a random
//! key in every bucket, every ten minutes, as go-libp2p-kad-dht does.

use std::time::Duration;

use libp2p::PeerId;
use rand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::driver::Gone;
use crate::key::{Contact, Key};
use crate::operation::{Operation, Tools};
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

/// Whom to refresh for.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) tools: Tools,
    pub(crate) local: PeerId,
    pub(crate) bootstrap: Vec<NamedPeer>,
    pub(crate) config: LookupConfig,
}

impl Refresh {
    /// Refreshes for ever; `filled` turns true after the first refresh that met anybody, or after [`FILL_PATIENCE`].
    pub(crate) async fn run(self, filled: watch::Sender<bool>) {
        let begun = Instant::now();
        let mut pause = RETRY.0;
        loop {
            let started = Instant::now();
            match self.once(&filled, begun).await {
                Err(Gone) => return,
                Ok(0) => {
                    warn!(retry_seconds = pause.as_secs_f64(), "routing table is empty: no bootstrap peer answered");
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY.1);
                }
                Ok(peers) => {
                    filled.send_replace(true);
                    info!(peers, duration_seconds = started.elapsed().as_secs_f64(), "routing table refreshed");
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
    async fn once(&self, filled: &watch::Sender<bool>, begun: Instant) -> Result<usize, Gone> {
        if self.tools.driver.status().await?.table_size < BOOTSTRAP_BELOW {
            self.ask_bootstrap_peers().await;
        }
        self.look_up(self.local.to_bytes()).await?;
        for bucket in 0..=MAX_BUCKET {
            let status = self.tools.driver.status().await?;
            if bucket > status.deepest_bucket {
                break;
            }
            if status.table_size > 0 && begun.elapsed() > FILL_PATIENCE {
                filled.send_replace(true);
            }
            let key = random_key_in_bucket(&self.local.key(), bucket, &mut rand::rng());
            self.look_up(key).await?;
        }
        Ok(self.tools.driver.status().await?.table_size)
    }

    async fn ask_bootstrap_peers(&self) {
        let request = wire::Request::FindNode { key: self.local.to_bytes() };
        let asked = self.bootstrap.iter().map(|peer| async {
            let stopwatch = Stopwatch::start();
            match self.tools.rpc.ask(peer.id, peer.addresses.clone(), &request, &stopwatch).await {
                Ok(_) => self.tools.driver.answered(peer.clone()),
                Err(error) => debug!(peer = %peer.id, %error, "bootstrap peer did not answer"),
            }
        });
        futures::future::join_all(asked).await;
    }

    async fn look_up(&self, key: Vec<u8>) -> Result<(), Gone> {
        let start = self.tools.driver.start(key.clone(), self.config.k).await?;
        let seeds = start.seeds.iter().map(|seed| seed.id).collect();
        let lookup = Lookup::new(Key::of(&key), self.local, seeds, Request::FindNode, self.config);
        let started = Instant::now();
        let operation = Operation { key, local: start.local, started, deadline: started + LOOKUP_TIMEOUT };
        operation.drive(&self.tools, lookup, start.seeds).await;
        Ok(())
    }
}

/// Bytes whose point in the keyspace shares exactly `bucket` leading bits with `local`.
fn random_key_in_bucket(local: &Key, bucket: u32, rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    loop {
        rng.fill_bytes(&mut bytes);
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
