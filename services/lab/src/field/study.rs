//! A trial on several networks of one world, and whether there is room for it.

use std::sync::atomic::{AtomicBool, Ordering};

use parsec_results::bench::BenchGroup;
use thiserror::Error;

use super::scenario::Scenario;
use super::{Trial, TrialError};
use crate::memory::{Needs, TooLarge};

/// What the record of an operation takes, and what it takes once more when it is written to a file: its figures by name, and its
/// text.
const RECORD_BYTES: u64 = 250;
const FILE_BYTES: u64 = 3_000;

/// What a refusal calls the number of peers where some come.
const WITH_NEWCOMERS: &str = "with those who come as others leave, peers =";

/// Each pair has a publication and a lookup.
const OPERATIONS_OF_A_PAIR: u64 = 2;

/// A trial on networks that are drawn from one seed after the other.
#[derive(Debug, Clone)]
pub struct Study {
    /// What is done on each network; its seed is that of the first.
    pub trial: Trial,
    /// How many networks there are.
    pub networks: u32,
}

/// More operations than there is memory to keep them in.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "{pairs} publications and as many lookups: keeping what each of them came to takes about {:.1} GB of memory, and {:.1} GB are \
     available; expected at most {most}: fewer --operations, --networks or --strategies",
    *needed as f64 / 1e9,
    *available as f64 / 1e9
)]
pub struct TooMany {
    pairs: u64,
    needed: u64,
    available: u64,
    most: u64,
}

/// Why there is no room for a study.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoRoom {
    /// The network is too large.
    #[error(transparent)]
    Network(#[from] TooLarge),
    /// Its operations are too many.
    #[error(transparent)]
    Operations(#[from] TooMany),
}

impl Study {
    /// How many pairs of a publication and a lookup it comes to.
    pub fn pairs(&self) -> u64 {
        self.trial.pairs() * u64::from(self.networks)
    }

    /// Whether there is room for it: for one network at a time, and for all operations. `available` is in bytes; `is_kept` if a file
    /// is written.
    ///
    /// # Errors
    /// [`NoRoom`] says how much it takes, and what there is room for.
    pub fn fits(&self, available: Option<u64>, is_kept: bool) -> Result<(), NoRoom> {
        self.fits_times(1, available, is_kept)
    }

    /// The same of so many studies like this one, one after the other, whose operations are all kept.
    ///
    /// # Errors
    /// The same.
    pub fn fits_times(&self, studies: usize, available: Option<u64>, is_kept: bool) -> Result<(), NoRoom> {
        let world = &self.trial.world;
        let needs = Scenario::of(world).needs(world);
        let Needs { peers, each, besides } = needs;
        let a_pair = OPERATIONS_OF_A_PAIR * (RECORD_BYTES + if is_kept { FILE_BYTES } else { 0 });
        needs.fit(available, if world.churn().is_some() { WITH_NEWCOMERS } else { "peers =" })?;
        let (Some(available), pairs) = (available, self.pairs().saturating_mul(studies as u64)) else { return Ok(()) };
        let (network, records) = (peers * each + besides, pairs.saturating_mul(a_pair));
        if network.saturating_add(records) <= available {
            return Ok(());
        }
        let most = available.saturating_sub(network) / a_pair;
        Err(TooMany { pairs, needed: network.saturating_add(records), available, most }.into())
    }

    /// What is done on each network, one after the other, until `stop` is set.
    pub(super) fn trials(&self, stop: &AtomicBool) -> impl Iterator<Item = Trial> {
        let seeds = (0..u64::from(self.networks)).map(|number| self.trial.seed.wrapping_add(number));
        let trials = seeds.map(|seed| Trial { seed, ..self.trial.clone() });
        trials.take_while(|_| !stop.load(Ordering::Relaxed))
    }

    /// Plays it on so many threads, network by network. `done` hears of each pair. Once `stop` is set, no other one begins, and what
    /// there is by then is returned.
    ///
    /// # Errors
    /// [`TrialError`] if it crashes.
    pub fn run(
        &self,
        threads: usize,
        stop: &AtomicBool,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<BenchGroup>, TrialError> {
        let mut all: Vec<BenchGroup> = Vec::new();
        for trial in self.trials(stop) {
            for group in trial.run(threads, stop, done)? {
                let like = |other: &&mut BenchGroup| other.strategy == group.strategy && other.kind == group.kind;
                match all.iter_mut().find(like) {
                    Some(known) => known.operations.extend(group.operations),
                    None => all.push(group),
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use parsec_measure::StrategyKind;

    use super::super::testing::world;
    use super::*;

    fn study(networks: u32, operations: u32) -> Study {
        let strategies = vec![StrategyKind::Classic, StrategyKind::Fullrt];
        Study { trial: Trial { world: world(300), seed: 5, operations, strategies }, networks }
    }

    fn run(study: &Study) -> Vec<BenchGroup> {
        study.run(2, &AtomicBool::new(false), &|| {}).unwrap()
    }

    #[test]
    fn the_network_of_a_seed_is_the_same_alone_and_among_others() {
        let (all, mut alone) = (run(&study(3, 4)), study(1, 4));
        assert_eq!((study(3, 4).pairs(), all.len()), (24, 4));
        alone.trial.seed = 6;
        for (group, alone) in all.iter().zip(run(&alone)) {
            assert_eq!((group.strategy, group.kind, group.operations.len()), (alone.strategy, alone.kind, 12));
            assert_eq!(group.operations[4..8], alone.operations);
        }
    }

    #[test]
    fn one_that_is_stopped_has_as_much_of_every_strategy() {
        let (stop, many) = (AtomicBool::new(false), study(50, 4));
        let groups = many.run(1, &stop, &|| stop.store(true, Ordering::Relaxed)).unwrap();
        assert_eq!(groups.len(), 2, "one pair was played: {groups:?}");
    }

    #[test]
    fn what_does_not_fit_into_memory_is_said_before_it_begins() {
        const GB: u64 = 1_000_000_000;
        assert_eq!(study(1, 10_000).fits(Some(GB), true), Ok(()));
        assert_eq!(study(1_000, 100_000).fits(None, true), Ok(()));
        let message = study(1_000, 100_000).fits(Some(4 * GB), true).unwrap_err().to_string();
        assert!(
            message.starts_with("200000000 publications and as many lookups: keeping what each of them came to takes about 1300.3 GB of memory, and 4.0 GB are available; expected at most "),
            "{message}"
        );
        let mut large = study(1, 1);
        large.trial.world = large.trial.world.with("peers", 1e8).unwrap();
        assert!(
            large
                .fits(Some(4 * GB), false)
                .unwrap_err()
                .to_string()
                .starts_with("peers = 100000000: so many peers need")
        );
    }
}
