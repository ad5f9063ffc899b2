//! Each key by itself, some at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parsec_dht::strategy::{ProvideClassic, ProvideOptimistic};

use super::node::{Node, WORKERS};
use crate::field::drive::Driven;
use crate::field::trial::{CLASSIC, OPTIMISTIC};

/// Publishes all keys: when the last was published, or nothing if it was stopped.
pub(super) fn publish(node: &mut Node<'_>, is_optimistic: bool, stop: &AtomicBool) -> Option<Duration> {
    let mut free = BinaryHeap::from([Reverse(Duration::ZERO); WORKERS]);
    let mut last = Duration::ZERO;
    for key in 0..node.keys.len() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let Reverse(at) = free.pop().unwrap_or(Reverse(last));
        let ended = at + one(node, is_optimistic, key, at);
        free.push(Reverse(ended));
        last = last.max(ended);
    }
    Some(last)
}

/// Publishes one: how long it took.
fn one(node: &mut Node<'_>, is_optimistic: bool, key: usize, at: Duration) -> Duration {
    let target = node.keys[key];
    let (local, seeds, config) = (node.vantage.peer, node.seeds(&target), node.config());
    node.lookups += 1;
    match node.vantage.size(Duration::ZERO).filter(|_| is_optimistic) {
        Some(size) => {
            let strategy = ProvideOptimistic::new(target, local, seeds, config, size);
            let driven = node.drive(strategy, target, OPTIMISTIC, at);
            note(node, key, at, &driven)
        }
        None => {
            let driven = node.drive(ProvideClassic::new(target, local, seeds, config), target, CLASSIC, at);
            note(node, key, at, &driven)
        }
    }
}

fn note<O>(node: &mut Node<'_>, key: usize, at: Duration, driven: &Driven<O>) -> Duration {
    for (peer, written) in driven.whole.puts() {
        node.count(written.is_some());
        if let Some(written) = written {
            node.keep(key, peer, at + written);
        }
    }
    driven.took
}
