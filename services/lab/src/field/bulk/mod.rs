//! Publishing many keys at once in a simulated network, as a node does that announces all that it holds: key by key, by the full routing table, or
//! by a sweep over the keyspace.
//!
//! Unlike a [`Trial`](super::Trial), whose operations stand each for itself, this is one long piece of work of one node: it remembers
//! connections and dials in vain, and only so much is under way at a time.

mod full;
mod node;
mod one_by_one;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use parsec_results::bulk::{BulkRun, BulkStrategy};

use self::node::Node;
use super::population::{Peer, Population};
use super::tables::BUCKET;
use super::trial::TrialError;
use super::vantage::Field;
use super::world::World;

/// How many keys may be published at most: what is remembered of each takes some hundred bytes.
pub const MAX_BULK_KEYS: u32 = 1_000_000;

/// How many keys, or zones of a sweep, are under way at a time: Kubo's `Provide.DHT.MaxWorkers`.
const WORKERS: usize = 16;

/// What to publish, how, and in which world.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// The network.
    pub world: World,
    /// What everything is drawn from.
    pub seed: u64,
    /// How many keys, at most [`MAX_BULK_KEYS`].
    pub keys: u32,
    /// What to compare, each once.
    pub strategies: Vec<BulkStrategy>,
}

impl Bulk {
    /// Does it, each strategy on a thread of its own. A strategy that has not ended when `stop` is set is left out.
    ///
    /// # Errors
    /// [`TrialError`] if it crashes.
    pub fn run(&self, stop: &AtomicBool) -> Result<Vec<BulkRun>, TrialError> {
        let population = Population::draw(&self.world, self.seed);
        let crawls = self.strategies.contains(&BulkStrategy::Fullrt);
        let field = Field::new(&self.world, &population, self.seed, crawls);
        let field = &field;
        thread::scope(|scope| {
            let play = |strategy: BulkStrategy| move || self.play(field, strategy, stop);
            let threads: Vec<_> = self.strategies.iter().map(|strategy| scope.spawn(play(*strategy))).collect();
            let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| TrialError::Crashed));
            ended.collect::<Result<Vec<_>, _>>().map(|runs| runs.into_iter().flatten().collect())
        })
    }

    fn play(&self, field: &Field<'_>, strategy: BulkStrategy, stop: &AtomicBool) -> Option<BulkRun> {
        let mut node = Node::new(field, self.keys.min(MAX_BULK_KEYS));
        let took = match strategy {
            BulkStrategy::Classic => one_by_one::publish(&mut node, false, stop),
            BulkStrategy::Optprov => one_by_one::publish(&mut node, true, stop),
            BulkStrategy::Fullrt => full::publish(&mut node, stop),
            BulkStrategy::Sweep => sweep::publish(&mut node, stop),
        };
        took.map(|took| node.run(self.seed, strategy, took))
    }
}
