//! By the full routing table, as `bulkMessageSend` in `fullrt/dht.go` of go-libp2p-kad-dht does. The crawl that fills the table is not counted: it runs once
//! an hour, whatever is published.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::node::Node;
use crate::field::population::Peer;
use crate::field::tables::BUCKET;

/// To how many peers it sends at a time (`bulkSendParallelism`).
const PARALLEL: usize = 20;

/// How long a dial may take (`timeoutPerOp`).
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// A key that so many peers have taken is sent to no other one after a pause: 20 · 0.3 · 1.2 (`numSuccessfulToWaitFor`).
const ENOUGH: usize = 7;

/// The pause.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    stored: usize,
    /// When the last of enough peers took it.
    last: Duration,
}

/// Publishes all keys: when the last was sent, or nothing if it was stopped.
pub(super) fn publish(node: &mut Node<'_>, stop: &AtomicBool) -> Option<Duration> {
    let mut messages = messages(node);
    let mut progress = vec![Progress::default(); node.keys.len()];
    // The ends of dials, in the order in which they come.
    let mut dials: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut dialled: HashMap<usize, (Peer, Vec<usize>, bool)> = HashMap::new();
    let (mut now, mut begun) = (Duration::ZERO, 0);
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        while dials.len() < PARALLEL
            && let Some((peer, keys)) = messages.pop_front()
        {
            let (ends, connects) = node.connect(peer, now, DIAL_LIMIT);
            dials.push(Reverse((ends, begun)));
            dialled.insert(begun, (peer, keys, connects));
            begun += 1;
        }
        let Some(Reverse((ended, message))) = dials.pop() else { return Some(now) };
        now = ended;
        let Some((peer, keys, connects)) = dialled.remove(&message) else { continue };
        node.count(connects);
        if connects {
            let wanted: Vec<usize> = keys.into_iter().filter(|key| progress[*key].is_wanted(now)).collect();
            wanted.iter().for_each(|key| progress[*key].store(now));
            node.send(peer, &wanted, now);
        }
    }
}

impl Progress {
    fn is_wanted(&self, now: Duration) -> bool {
        self.stored < ENOUGH || now <= self.last + PAUSE
    }

    fn store(&mut self, now: Duration) {
        self.stored += 1;
        if self.stored >= ENOUGH {
            self.last = now;
        }
    }
}

/// Who is to be sent which keys, in this order: group by group of keys that lie side by side.
fn messages(node: &Node<'_>) -> VecDeque<(Peer, Vec<usize>)> {
    let mut sorted: Vec<usize> = (0..node.keys.len()).collect();
    sorted.sort_unstable_by_key(|key| node.keys[*key]);
    let group = sorted.len() * BUCKET * 2 / node.field.census(Duration::ZERO).len().max(1);
    let mut messages = VecDeque::new();
    for group in sorted.chunks(group.max(1)) {
        let mut places: HashMap<u32, usize> = HashMap::new();
        let mut of_group: Vec<(Peer, Vec<usize>)> = Vec::new();
        for key in group {
            for peer in node.field.census(Duration::ZERO).closest(&node.keys[*key], BUCKET) {
                let place = *places.entry(peer.index).or_insert_with(|| {
                    of_group.push((peer, Vec::new()));
                    of_group.len() - 1
                });
                of_group[place].1.push(*key);
            }
        }
        messages.extend(of_group);
    }
    messages
}
