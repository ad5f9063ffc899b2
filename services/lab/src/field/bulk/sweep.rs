//! By a sweep: the driver of [`parsec_dht::strategy::Sweep`] over a model.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parsec_dht::key::{Contact, Key};
use parsec_dht::strategy::{Lookup, Request, SIZING_LOOKUPS, Sweep, SweepConfig, SweepEvent, SweepStep};

use super::node::{Node, WORKERS};
use crate::field::population::Peer;
use crate::field::tables::BUCKET;
use crate::field::trial::CLASSIC;

/// Kubo keeps two of its workers for what is published again (`Provide.DHT.DedicatedPeriodicWorkers`), and lets each send to 20 peers at a
/// time (`Provide.DHT.MaxProvideConnsPerWorker`).
const CONFIG: SweepConfig = SweepConfig { replication: BUCKET, workers: WORKERS - 2, connections: 20 };

/// How long a record may take, dial included (`DefaultSendProviderRecordTimeout` in `provider/options.go` of go-libp2p-kad-dht).
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// Publishes all keys: when everything had ended, or nothing if it was stopped.
pub(super) fn publish(node: &mut Node<'_>, stop: &AtomicBool) -> Option<Duration> {
    let points: [Key; SIZING_LOOKUPS] = std::array::from_fn(|number| {
        // Numbers from the top, which no key has.
        node.field.target(u32::MAX - u32::try_from(number).unwrap_or(0))
    });
    let mut sweep = Sweep::new(node.keys.clone(), node.vantage.peer.key(), points, CONFIG);
    let mut ends: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut under_way: HashMap<usize, SweepEvent<Peer>> = HashMap::new();
    let (mut now, mut begun, mut event) = (Duration::ZERO, 0, None);
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let (ended, comes) = match sweep.advance(event.take()) {
            SweepStep::Look { job, target } => look(node, job, target, now),
            SweepStep::Send { job, peer, keys } => send(node, job, peer, keys, now),
            SweepStep::Wait => {
                let Reverse((ended, number)) = ends.pop()?;
                now = ended;
                event = under_way.remove(&number);
                continue;
            }
            SweepStep::Done(_) => return Some(now),
        };
        ends.push(Reverse((ended, begun)));
        under_way.insert(begun, comes);
        begun += 1;
    }
}

/// A lookup that begins now: when it ends, and with whom.
fn look(node: &mut Node<'_>, job: usize, target: Key, now: Duration) -> (Duration, SweepEvent<Peer>) {
    let (local, seeds, config) = (node.vantage.peer, node.seeds(&target), node.config());
    node.lookups += 1;
    let lookup = Lookup::new(target, local, seeds, Request::FindNode, config);
    let driven = node.drive(lookup, target, CLASSIC, now);
    let walked = driven.outcome.ok().map(|walked| walked.closest).unwrap_or_default();
    let closest = walked.into_iter().map(|nearest| nearest.peer).collect();
    (now + driven.took, SweepEvent::Looked { job, target, closest })
}

/// A connection to a peer, and all its keys over it.
fn send(node: &mut Node<'_>, job: usize, peer: Peer, keys: Vec<usize>, now: Duration) -> (Duration, SweepEvent<Peer>) {
    let (ended, connects) = node.connect(peer, now, SEND_LIMIT);
    node.count(connects);
    if connects {
        node.send(peer, &keys, ended);
    }
    (ended, SweepEvent::Sent { job, stored: if connects { keys } else { Vec::new() } })
}
