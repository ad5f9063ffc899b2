//! What publishing many keys at once takes on a local network of real peers, strategy by strategy.

use std::sync::atomic::{AtomicBool, Ordering};

use parsec_dht::Dht;
use parsec_measure::{Cid, Content, Manner, ProvidedMany, StrategyKind};
use parsec_results::bulk::{BulkRun, BulkStrategy};
use tokio::time::sleep;

use super::plan::{BenchError, BenchPlan};
use super::runner::{Bench, HOLDERS, READY_POLL, on_its_clock};
use crate::memory::TooLarge;
use crate::threads;

/// Many keys, and the networks on which they are published.
#[derive(Debug, Clone)]
pub struct ManyPlan {
    /// The networks. Its operations and strategies mean nothing here.
    pub networks: BenchPlan,
    /// How many keys.
    pub keys: u32,
    /// What to compare, each once.
    pub strategies: Vec<BulkStrategy>,
}

impl ManyPlan {
    /// As [`BenchPlan::at_once`].
    ///
    /// # Errors
    /// [`TooLarge`] if there is no room for one.
    pub fn at_once(&self, available: Option<u64>, setting: &'static str) -> Result<usize, TooLarge> {
        let strategies = self.strategies.iter().copied().map(kind).collect();
        BenchPlan { strategies, ..self.networks.clone() }.at_once(available, setting)
    }

    /// Publishes all keys with each strategy on a network of its own, as many of them at once as [`BenchPlan::at_once`] says.
    /// `done` hears of each. What has not ended when `stop` is set is left out.
    ///
    /// # Errors
    /// What kept a strategy from coming to its end.
    pub fn run(
        &self,
        at_once: usize,
        stop: &AtomicBool,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<BulkRun>, BenchError> {
        let seeds = self.networks.seeds();
        let all: Vec<_> =
            seeds.flat_map(|seed| self.strategies.iter().map(move |strategy| (seed, *strategy))).collect();
        let runs = threads::each(all.len(), (at_once, 1), stop, |place| {
            let (seed, strategy) = all[place];
            let failed = |error| BenchError::Strategy(kind(strategy), Box::new(error));
            let run = self.one(seed, strategy, stop).map_err(failed)?;
            run.iter().for_each(|_| done());
            Ok::<_, BenchError>(run)
        })?;
        Ok(runs.into_iter().filter_map(|(_, run)| run).collect())
    }

    fn one(&self, seed: u64, strategy: BulkStrategy, stop: &AtomicBool) -> Result<Option<BulkRun>, BenchError> {
        on_its_clock(self.networks.transport, async |turns| {
            let Some(mut bench) = Bench::start(&self.networks, seed, kind(strategy), turns, stop).await? else {
                return Ok(None);
            };
            let cids: Vec<Cid> = (0..self.keys).map(|_| Content::random(&mut bench.rng).cid()).collect();
            let manner = if strategy == BulkStrategy::Sweep { Manner::Sweep } else { Manner::Each };
            let provided = tokio::select! {
                biased;
                provided = bench.publisher.provide_many(cids, manner) => provided?,
                () = stopped(stop) => return Ok(None),
            };
            // What was written last has still to arrive.
            sleep(bench.round_trip.max(READY_POLL)).await;
            let Some(closest_held) = closest_held(&bench, &provided, stop).await else { return Ok(None) };
            Ok(Some(run(seed, strategy, provided, closest_held)))
        })
    }
}

/// The strategy of the node that does it. Who sweeps publishes single keys as `classic` does, as Kubo.
fn kind(strategy: BulkStrategy) -> StrategyKind {
    match strategy {
        BulkStrategy::Classic | BulkStrategy::Sweep => StrategyKind::Classic,
        BulkStrategy::Optprov => StrategyKind::Optprov,
        BulkStrategy::Fullrt => StrategyKind::Fullrt,
    }
}

async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        sleep(READY_POLL).await;
    }
}

/// Of the live peers that are closest to each key, which share holds it, over all keys; nothing if it is told to stop.
async fn closest_held(bench: &Bench, provided: &ProvidedMany, stop: &AtomicBool) -> Option<Option<f64>> {
    let (mut there, mut held) = (0, 0_u64);
    for key in &provided.keys {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let closest = bench.network.closest_live(&key.cid.multihash(), HOLDERS);
        there += closest.len() as u64;
        held += u64::from(bench.holders(&key.cid, &closest).await);
    }
    Some((there > 0).then(|| held as f64 / there as f64))
}

fn run(network: u64, strategy: BulkStrategy, provided: ProvidedMany, closest_held: Option<f64>) -> BulkRun {
    let mut findable: Vec<_> = provided.keys.iter().filter_map(|key| key.first).collect();
    findable.sort_unstable();
    BulkRun {
        network,
        strategy,
        took: provided.duration,
        lookups: provided.lookups,
        questions: provided.questions,
        records: provided.records,
        dials: provided.dials,
        holders: provided.keys.iter().map(|key| key.confirmed).collect(),
        closest_held,
        reached: (provided.chosen, provided.reached),
        busiest_second: provided.busiest_second,
        findable,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;
    use crate::LocalTransport;

    fn plan(peers: usize, keys: u32) -> ManyPlan {
        let networks = BenchPlan {
            peers,
            rtt: Duration::from_millis(100),
            undialable: 0.1,
            silent: 0.0,
            transport: LocalTransport::Memory,
            networks: 1,
            operations: 0,
            strategies: vec![],
            alpha: 10,
            warm: false,
            seed: 3,
        };
        ManyPlan { networks, keys, strategies: BulkStrategy::ALL.to_vec() }
    }

    #[test]
    fn every_strategy_publishes_the_keys_and_a_seed_gives_the_same_figures_on_any_number_of_threads() {
        let (plan, done) = (plan(60, 40), AtomicUsize::new(0));
        let count = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        let runs = plan.run(2, &AtomicBool::new(false), &count).unwrap();
        assert_eq!(runs.iter().map(|run| run.strategy).collect::<Vec<_>>(), BulkStrategy::ALL);
        assert_eq!(done.into_inner(), 4);
        for run in &runs {
            let name = run.strategy.as_str();
            assert_eq!((run.holders.len(), run.findable.len()), (40, 40), "{name}");
            assert!(run.findable.is_sorted() && run.findable[39] <= run.took, "{name}");
            assert!(run.closest_held.is_some_and(|share| share > 0.7), "{name}: {:?}", run.closest_held);
        }
        let [classic, _, fullrt, sweep] = &runs[..] else { panic!("{} runs", runs.len()) };
        assert_eq!((classic.lookups, fullrt.lookups), (40, 0));
        // Forty keys are two groups for so many peers, each of which is sent all of a group together.
        assert!(fullrt.reached.0 <= 2 * 60 && classic.reached.0 > 10 * 40, "{:?}", fullrt.reached);
        assert!(sweep.lookups < 20, "{}", sweep.lookups);
        assert_eq!(plan.run(1, &AtomicBool::new(false), &|| {}).unwrap(), runs);
    }

    #[test]
    fn of_what_is_stopped_there_is_nothing() {
        assert_eq!(plan(30, 10).run(2, &AtomicBool::new(true), &|| {}).unwrap(), []);
    }
}
