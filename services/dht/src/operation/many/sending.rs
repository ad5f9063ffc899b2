//! Sends a peer all of its records, over one connection.

use std::collections::VecDeque;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use crate::operation::drive::Tools;
use crate::operation::log::{Confirmation, End, Log, Origin, Snapshot};
use crate::strategy::Request;
use crate::swarm::rpc::{ANSWER_TIMEOUT, RpcError, Stopwatch, Tries, Way};
use crate::wire::messages::{self, NamedPeer};

/// How many records to one peer may be unconfirmed. Each has a stream of its own, and a server of rust-libp2p drops those
/// beyond 32 on one connection (`MAX_NUM_STREAMS` in `kad/src/handler.rs`). Half of them leaves room for questions.
const UNCONFIRMED: usize = 16;

/// After so many records in a row that could not be written, a peer is sent no more (Go:
/// `maxConsecutiveProvideFailuresAllowed` in `provider/provider.go`).
const IN_VAIN: usize = 2;

/// What is known of the records while they are sent.
pub(super) trait Demand: Sync {
    /// How long a record of this key may take, for the first one to a peer (`dials`) the dial included; `None` if it is not
    /// wanted any more.
    fn limit(&self, key: usize, dials: bool) -> Option<Duration>;

    /// A record of this key has been written.
    fn written(&self, key: usize);
}

/// Sends records that name this node.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    tools: Tools,
    local: NamedPeer,
    deadline: Instant,
}

impl Sender {
    /// For these keys, of which this node is a provider from now on.
    pub(super) async fn of(keys: &[Vec<u8>], tools: Tools, local: NamedPeer, deadline: Instant) -> Self {
        for key in keys {
            tools.driver.add_local_record(key.clone()).await;
        }
        Self { tools, local, deadline }
    }

    /// Sends a peer these records, one after the other. Returns what became of each, those left out that were not wanted or
    /// for which there was no time.
    pub(super) async fn send(
        &self,
        peer: &NamedPeer,
        records: Vec<(usize, Vec<u8>)>,
        demand: &impl Demand,
    ) -> Vec<(usize, Snapshot)> {
        let (mut sent, mut unconfirmed) = (Vec::with_capacity(records.len()), VecDeque::new());
        let (mut in_vain, mut given_up): (usize, Option<RpcError>) = (0, None);
        for (number, key) in records {
            if Instant::now() >= self.deadline {
                break;
            }
            if unconfirmed.len() >= UNCONFIRMED
                && let Some(oldest) = unconfirmed.pop_front()
                && let Err(silent) = taken(&oldest).await
            {
                given_up.get_or_insert(silent);
            }
            let (log, error) = match (&given_up, demand.limit(number, sent.is_empty())) {
                (Some(reason), _) => (unsent(peer.id, reason.clone()), None),
                (None, None) => continue,
                (None, Some(limit)) => self.put(peer, key, limit).await,
            };
            match error {
                None => {
                    in_vain = 0;
                    if log.answered(Request::AddProvider) > 0 {
                        demand.written(number);
                    }
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
        sent
    }

    /// Writes one record, with as many tries as a request has.
    async fn put(&self, peer: &NamedPeer, key: Vec<u8>, limit: Duration) -> (Snapshot, Option<RpcError>) {
        let (mut log, mut tries, mut way) = (Log::default(), Tries::default(), Way::Any);
        let message = messages::Request::AddProvider { key, provider: self.local.clone() };
        let deadline = Instant::now() + limit;
        loop {
            let (stopwatch, addresses) = (Stopwatch::start(), peer.addresses.clone());
            let place = log.begin(peer.id, Request::AddProvider, Origin::default(), stopwatch.clone());
            let (confirmation, left) = (log.confirmation(place), deadline.saturating_duration_since(Instant::now()));
            let writing =
                self.tools.rpc.attempt(peer.id, addresses, &message, way, &stopwatch, &confirmation, Some(left));
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

/// A record that was not even tried.
fn unsent(peer: PeerId, reason: RpcError) -> Snapshot {
    let mut log = Log::default();
    let stopwatch = Stopwatch::start();
    let place = log.begin(peer, Request::AddProvider, Origin::default(), stopwatch.clone());
    stopwatch.ended();
    log.end(place, End::Failed(reason));
    log.snapshot()
}
