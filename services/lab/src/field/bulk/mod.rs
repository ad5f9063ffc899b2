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

use std::sync::atomic::{AtomicBool, Ordering};

use parsec_results::bulk::{BulkRun, BulkStrategy};
use thiserror::Error;

use self::node::Node;
use super::population::Population;
use super::trial::TrialError;
use super::vantage::Field;
use super::world::World;
use crate::memory::{Needs, TooLarge};
use crate::threads;

/// What a key takes with one strategy: its point, its holders, and what is still to be sent. 310 bytes were measured for each of 100,000.
const KEY_BYTES: u64 = 500;

/// What to publish, how, and in which world.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// The network. Nobody comes or goes, also where they do otherwise: for how long would not be known before.
    pub world: World,
    /// What everything is drawn from.
    pub seed: u64,
    /// How many keys.
    pub keys: u32,
    /// What to compare, each once.
    pub strategies: Vec<BulkStrategy>,
}

/// More keys than there is memory to keep what became of them.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "keys = {keys}: so many need about {:.1} GB of memory, and {:.1} GB are available; expected at most {most}, or fewer --strategies",
    *needed as f64 / 1e9,
    *available as f64 / 1e9
)]
pub struct TooManyKeys {
    keys: u32,
    needed: u64,
    available: u64,
    most: u64,
}

/// Why there is no room.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoRoomForKeys {
    /// The network is too large.
    #[error(transparent)]
    Network(#[from] TooLarge),
    /// The keys are too many.
    #[error(transparent)]
    Keys(#[from] TooManyKeys),
}

impl Bulk {
    /// Whether there is room for it; `available` is in bytes.
    ///
    /// # Errors
    /// [`NoRoomForKeys`] says how much it takes, and what there is room for.
    pub fn fits(&self, available: Option<u64>) -> Result<(), NoRoomForKeys> {
        self.world.fits(available)?;
        let Needs { peers, each, besides } = self.world.needs();
        let (Some(available), strategies) = (available, self.strategies.len() as u64) else { return Ok(()) };
        let (network, a_key) = (peers * each + besides, strategies.max(1) * KEY_BYTES);
        let needed = u64::from(self.keys) * a_key;
        if network.saturating_add(needed) <= available {
            return Ok(());
        }
        let most = available.saturating_sub(network) / a_key;
        Err(TooManyKeys { keys: self.keys, needed: network.saturating_add(needed), available, most }.into())
    }

    /// Does it on networks that are drawn from one seed after the other. `done` hears of each strategy on each network.
    ///
    /// # Errors
    /// As for [`Bulk::run`].
    pub fn run_on(
        &self,
        networks: u32,
        stop: &AtomicBool,
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<BulkRun>, TrialError> {
        let seeds = (0..u64::from(networks)).map(|network| self.seed.wrapping_add(network));
        let runs = seeds.map(|seed| Self { seed, ..self.clone() }.run(stop, done));
        runs.collect::<Result<Vec<_>, _>>().map(|runs| runs.concat())
    }

    /// Does it, each strategy on a thread of its own. A strategy that has not ended when `stop` is set is left out.
    ///
    /// # Errors
    /// [`TrialError`] if it crashes.
    pub fn run(&self, stop: &AtomicBool, done: &(dyn Fn() + Sync)) -> Result<Vec<BulkRun>, TrialError> {
        if stop.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let world = self.world.still();
        let population = Population::draw(&world, self.seed);
        let crawls = self.strategies.contains(&BulkStrategy::Fullrt);
        let field = Field::new(&world, &population, self.seed, crawls);
        let count = self.strategies.len();
        let runs = threads::each(count, (count, 1), stop, |place| {
            Ok::<_, TrialError>(self.play(&field, self.strategies[place], stop).inspect(|_| done()))
        })?;
        Ok(runs.into_iter().filter_map(|(_, run)| run).collect())
    }

    fn play(&self, field: &Field<'_>, strategy: BulkStrategy, stop: &AtomicBool) -> Option<BulkRun> {
        let mut node = Node::new(field, self.keys);
        let took = match strategy {
            BulkStrategy::Classic => one_by_one::publish(&mut node, false, stop),
            BulkStrategy::Optprov => one_by_one::publish(&mut node, true, stop),
            BulkStrategy::Fullrt => full::publish(&mut node, stop),
            BulkStrategy::Sweep => sweep::publish(&mut node, stop),
        };
        took.map(|took| node.run(self.seed, strategy, took))
    }
}
