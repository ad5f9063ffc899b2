//! A study while a scenario lasts: what each strategy does as time goes on.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parsec_measure::OperationKind;
use parsec_results::timeline::{Timed, TimedGroup};

use super::population::Population;
use super::scenario::Scenario;
use super::study::NoRoom;
use super::trial::Pair;
use super::vantage::Field;
use super::{Study, TrialError};

/// What is played, and what happens meanwhile.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What is played. Its publications begin at even distances while the scenario lasts.
    pub study: Study,
    /// What happens meanwhile.
    pub scenario: Scenario,
}

impl Timeline {
    /// Whether there is room for it; `available` is in bytes.
    ///
    /// # Errors
    /// [`NoRoom`] says how much it takes, and what there is room for.
    pub fn fits(&self, available: Option<u64>) -> Result<(), NoRoom> {
        let world = &self.study.trial.world;
        self.scenario.on(world).fits(world, available)?;
        self.study.fits(available, false)
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
    ) -> Result<Vec<TimedGroup>, TrialError> {
        let mut groups: Vec<TimedGroup> = Vec::new();
        for trial in self.study.trials(stop) {
            let scenario = self.scenario.on(&trial.world);
            let population = Population::over(&trial.world, trial.seed, &scenario);
            let field = Field::over(&trial.world, &population, trial.seed, trial.crawls(), &scenario);
            for (place, pair) in trial.play(&field, threads, stop, done)? {
                let strategy = trial.strategies[place % trial.strategies.len()];
                for (kind, operation) in timed(pair, scenario.starts) {
                    let like = |group: &&mut TimedGroup| group.strategy == strategy && group.kind == kind;
                    match groups.iter_mut().find(like) {
                        Some(group) => group.operations.push(operation),
                        None => groups.push(TimedGroup { strategy, kind, operations: vec![operation] }),
                    }
                }
            }
        }
        Ok(groups)
    }
}

/// Since the scenario began.
fn timed(Pair { operations, began }: Pair, starts: Duration) -> [(OperationKind, Timed); 2] {
    let [provided, found] = operations;
    let [first, second] = began.map(|began| began.saturating_sub(starts));
    [
        (OperationKind::Provide, Timed { began: first, holders: provided.holders_final, operation: provided }),
        (OperationKind::Retrieve, Timed { began: second, holders: found.holders_left, operation: found }),
    ]
}

#[cfg(test)]
mod tests;
