//! By a sweep: the driver of [`Sweep`] over the network.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use parsec_measure::StrategyKind;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::books::Books;
use super::sending::{Demand, Sender};
use crate::operation::drive::{Limits, Operation};
use crate::operation::error::DhtError;
use crate::operation::log::Snapshot;
use crate::operation::report::Context;
use crate::strategy::key::{Contact, Key};
use crate::strategy::{Lookup, Request, SIZING_LOOKUPS, Sweep, SweepConfig, SweepEvent, SweepStep, target_near};
use crate::wire::messages::NamedPeer;

/// How many zones are under way at a time: Kubo has 16 workers, and keeps two of them for what is published again
/// (`Provide.DHT.MaxWorkers`, `DedicatedPeriodicWorkers`).
const WORKERS: usize = 14;

/// To how many peers each of them sends at a time (Kubo: `Provide.DHT.MaxProvideConnsPerWorker`).
const CONNECTIONS: usize = 20;

/// How long a record may take, dial included (Go: `DefaultSendProviderRecordTimeout` in `provider/options.go`).
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// A peer, and where it can be dialled. Wherever that is, it is the same peer.
#[derive(Debug, Clone)]
struct Found {
    id: PeerId,
    addresses: Vec<Multiaddr>,
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Found {}

impl Hash for Found {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl Contact for Found {
    fn key(&self) -> Key {
        self.id.key()
    }
}

/// Every record is wanted.
struct All;

impl Demand for All {
    fn limit(&self, _: usize, _: bool) -> Option<Duration> {
        Some(SEND_LIMIT)
    }

    fn written(&self, _: usize) {}
}

/// The end of a step.
enum Ended {
    Looked { job: usize, target: Key, closest: Vec<Found>, log: Snapshot },
    Sent { job: usize, sent: Vec<(usize, Snapshot)> },
}

/// Publishes all keys. Once the time is over, what is left ends at once, in vain.
pub(super) async fn publish(
    context: &Context,
    local: &NamedPeer,
    keys: &[Vec<u8>],
    deadline: Instant,
    books: &mut Books,
) -> Result<(), DhtError> {
    let sender = Sender::of(keys, context.tools.clone(), local.clone(), deadline).await;
    let points: Vec<Key> = keys.iter().map(|key| Key::of(key)).collect();
    let numbers: HashMap<Key, usize> = points.iter().enumerate().map(|(number, point)| (*point, number)).collect();
    let config = SweepConfig { replication: context.config.k, workers: WORKERS, connections: CONNECTIONS };
    let drawn = drawn(context.local, &keys[0]);
    let mut sweep: Sweep<Found> = Sweep::new(points, context.local.key(), drawn, config);
    let (mut under_way, mut event) = (JoinSet::new(), None);
    loop {
        match sweep.advance(event.take()) {
            SweepStep::Look { job, target } => {
                books.looks_up();
                let key = numbers.get(&target).map_or_else(|| target_near(&target), |number| keys[*number].clone());
                under_way.spawn(look(context.clone(), job, key, deadline));
            }
            SweepStep::Send { job, peer, keys: numbers } => {
                let records = numbers.into_iter().map(|number| (number, keys[number].clone())).collect();
                let (sender, peer) = (sender.clone(), NamedPeer { id: peer.id, addresses: peer.addresses });
                under_way.spawn(async move { Ended::Sent { job, sent: sender.send(&peer, records, &All).await } });
            }
            SweepStep::Wait => {
                let Some(ended) = under_way.join_next().await else { return Ok(()) };
                event = Some(note(books, ended.map_err(|error| DhtError::Crashed(error.to_string()))?));
            }
            SweepStep::Done(_) => return Ok(()),
        }
    }
}

/// Points for a first look at the network: others for each node and each publication, and the same when it is repeated.
fn drawn(local: PeerId, key: &[u8]) -> [Key; SIZING_LOOKUPS] {
    std::array::from_fn(|number| Key::of(&[local.to_bytes().as_slice(), key, &[number as u8]].concat()))
}

fn note(books: &mut Books, ended: Ended) -> SweepEvent<Found> {
    match ended {
        Ended::Looked { job, target, closest, log } => {
            books.take_in(&log);
            SweepEvent::Looked { job, target, closest }
        }
        Ended::Sent { job, sent } => {
            let stored = books.take_in_sent(&sent);
            SweepEvent::Sent { job, stored }
        }
    }
}

/// Looks up the peers closest to the point of these bytes.
async fn look(context: Context, job: usize, key: Vec<u8>, deadline: Instant) -> Ended {
    let (target, started) = (Key::of(&key), Instant::now());
    let in_vain = Ended::Looked { job, target, closest: Vec::new(), log: Snapshot::default() };
    if started >= deadline {
        return in_vain;
    }
    let Ok(mut start) = context.tools.driver.start(key.clone(), context.config.k).await else { return in_vain };
    if context.strategy == StrategyKind::Fullrt {
        (start.seeds, _) = context.census.closest(&target, context.config.k);
    }
    let seeds = start.seeds.iter().map(|seed| seed.id).collect();
    let lookup = Lookup::new(target, context.local, seeds, Request::FindNode, context.config);
    let deadline = deadline.min(started + context.timeout);
    let operation = Operation { key, local: start.local, started, deadline, limits: Limits::default() };
    let (closest, log) = operation.look_up(&context.tools, lookup, start.seeds).await;
    let closest = closest.into_iter().map(|NamedPeer { id, addresses }| Found { id, addresses }).collect();
    Ended::Looked { job, target, closest, log }
}
