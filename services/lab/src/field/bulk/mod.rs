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

use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use thiserror::Error;

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

/// How to publish many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkStrategy {
    /// Each key by itself, as `classic` does.
    Classic,
    /// Each key by itself, as `optprov` does.
    Optprov,
    /// To the closest peers of a full routing table, all keys of a peer over one connection (`FullRT.ProvideMany` of go-libp2p-kad-dht).
    Fullrt,
    /// As Kubo does by default since 0.39: [`parsec_dht::strategy::Sweep`].
    Sweep,
}

impl BulkStrategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Classic, Self::Optprov, Self::Fullrt, Self::Sweep];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Optprov => "optprov",
            Self::Fullrt => "fullrt",
            Self::Sweep => "sweep",
        }
    }
}

/// No way to publish many keys has this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a way to publish many keys: expected classic, optprov, fullrt or sweep")]
pub struct UnknownBulkStrategy(String);

impl FromStr for BulkStrategy {
    type Err = UnknownBulkStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownBulkStrategy> {
        let named = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        named.ok_or_else(|| UnknownBulkStrategy(name.to_owned()))
    }
}

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

/// What came of it with one strategy. Times are since it began.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRun {
    /// How.
    pub strategy: BulkStrategy,
    /// When everything had ended.
    pub took: Duration,
    /// How many lookups it took.
    pub lookups: u64,
    /// How many questions peers were sent.
    pub questions: u64,
    /// How many records were sent.
    pub records: u64,
    /// How many peers were dialled, each time that they were.
    pub dials: u64,
    /// Of each key, how many peers keep its record and give it to those who ask.
    pub holders: Vec<u32>,
    /// Of the 20 such peers that are closest to each key, which share holds it, over all keys.
    pub closest_held: f64,
    /// To how many peers, each counted for every zone or key, records were to be sent, and how many took one.
    pub reached: (u64, u64),
    /// How many questions and records were sent in the busiest second.
    pub busiest_second: u64,
    /// When each key that can be found could be, in that order.
    pub findable: Vec<Duration>,
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
        took.map(|took| node.run(strategy, took))
    }
}
