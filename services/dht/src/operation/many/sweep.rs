//! By a sweep: the driver of [`Sweep`] over the network.

use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use parsec_measure::StrategyKind;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::books::Books;
use crate::operation::drive::{Limits, Operation, Tools};
use crate::operation::error::DhtError;
use crate::operation::log::{Confirmation, End, Log, Origin, Snapshot};
use crate::operation::report::Context;
use crate::strategy::key::{Contact, Key};
use crate::strategy::{Lookup, Request, SIZING_LOOKUPS, Sweep, SweepConfig, SweepEvent, SweepStep, target_near};
use crate::swarm::rpc::{ANSWER_TIMEOUT, RpcError, Stopwatch, Tries, Way};
use crate::wire::messages::{self, NamedPeer};

/// How many zones are under way at a time: Kubo has 16 workers, and keeps two of them for what is published again
/// (`Provide.DHT.MaxWorkers`, `DedicatedPeriodicWorkers`).
const WORKERS: usize = 14;

/// To how many peers each of them sends at a time (Kubo: `Provide.DHT.MaxProvideConnsPerWorker`).
const CONNECTIONS: usize = 20;

/// How long a record may take, dial included (Go: `DefaultSendProviderRecordTimeout` in `provider/options.go`).
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// How many records to one peer may be unconfirmed. Each has a stream of its own, and a server of rust-libp2p drops those
/// beyond 32 on one connection (`MAX_NUM_STREAMS` in `kad/src/handler.rs`). Half of them leaves room for questions.
const UNCONFIRMED: usize = 16;

/// After so many records in a row that could not be written, a peer is sent no more (Go:
/// `maxConsecutiveProvideFailuresAllowed`).
const IN_VAIN: usize = 2;

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
    for key in keys {
        context.tools.driver.add_local_record(key.clone()).await;
    }
    let points: Vec<Key> = keys.iter().map(|key| Key::of(key)).collect();
    let numbers: HashMap<Key, usize> = points.iter().enumerate().map(|(number, point)| (*point, number)).collect();
    let config = SweepConfig { replication: context.config.k, workers: WORKERS, connections: CONNECTIONS };
    let mut sweep = Sweep::new(points, context.local.key(), drawn(context.local, &keys[0]), config);
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
                under_way.spawn(send(context.tools.clone(), local.clone(), job, peer, records, deadline));
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
            sent.iter().for_each(|(number, log)| books.take_in_puts(*number, log));
            let is_stored = |(_, log): &&(usize, Snapshot)| log.answered(Request::AddProvider) > 0;
            let stored: Vec<usize> = sent.iter().filter(is_stored).map(|(number, _)| *number).collect();
            books.chose(!stored.is_empty());
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

/// Sends a peer all of these records, over one connection.
async fn send(
    tools: Tools,
    local: NamedPeer,
    job: usize,
    peer: Found,
    records: Vec<(usize, Vec<u8>)>,
    deadline: Instant,
) -> Ended {
    let (mut sent, mut unconfirmed) = (Vec::with_capacity(records.len()), VecDeque::new());
    let (mut in_vain, mut given_up): (usize, Option<RpcError>) = (0, None);
    for (number, key) in records {
        if Instant::now() >= deadline {
            break;
        }
        if unconfirmed.len() >= UNCONFIRMED
            && let Some(oldest) = unconfirmed.pop_front()
            && let Err(silent) = taken(&oldest).await
        {
            given_up.get_or_insert(silent);
        }
        let (log, error) = match &given_up {
            Some(reason) => (unsent(peer.id, reason.clone()), None),
            None => put(&tools, &local, &peer, key).await,
        };
        match error {
            None => {
                in_vain = 0;
                unconfirmed.extend(log.written().map(|(_, confirmation)| confirmation.clone()));
            }
            Some(error) => {
                in_vain += 1;
                if error.is_dial() || error.is_ours() || in_vain >= IN_VAIN {
                    given_up = Some(error);
                }
            }
        }
        sent.push((number, log));
    }
    Ended::Sent { job, sent }
}

/// Waits until it is known whether a record was taken in.
async fn taken(record: &Confirmation) -> Result<(), RpcError> {
    record.known().await;
    match record.read() {
        Some(Ok(_)) => Ok(()),
        Some(Err(reason)) => Err(RpcError::Stream(reason)),
        None => Err(RpcError::Timeout(ANSWER_TIMEOUT)),
    }
}

/// Writes one record, with as many tries as a request has.
async fn put(tools: &Tools, local: &NamedPeer, peer: &Found, key: Vec<u8>) -> (Snapshot, Option<RpcError>) {
    let (mut log, mut tries, mut way) = (Log::default(), Tries::default(), Way::Any);
    let message = messages::Request::AddProvider { key, provider: local.clone() };
    let deadline = Instant::now() + SEND_LIMIT;
    loop {
        let (stopwatch, addresses) = (Stopwatch::start(), peer.addresses.clone());
        let place = log.begin(peer.id, Request::AddProvider, Origin::default(), stopwatch.clone());
        let (confirmation, left) = (log.confirmation(place), deadline.saturating_duration_since(Instant::now()));
        let writing = tools.rpc.attempt(peer.id, addresses, &message, way, &stopwatch, &confirmation, Some(left));
        let Err(error) = writing.await else {
            log.end(place, End::Answered { closer: 0, providers: Vec::new() });
            return (log.snapshot(), None);
        };
        let again = tries.after(&error).filter(|_| Instant::now() < deadline);
        log.end(place, End::Failed(error.clone()));
        match again {
            Some(again) => way = again,
            None => return (log.snapshot(), Some(error)),
        }
    }
}

/// A record that was not even tried.
fn unsent(peer: PeerId, reason: RpcError) -> Snapshot {
    let mut log = Log::default();
    let stopwatch = Stopwatch::start();
    let place = log.begin(peer, Request::AddProvider, Origin::default(), stopwatch.clone());
    stopwatch.ended();
    log.end(place, End::Failed(reason));
    log.snapshot()
}
