//! A comparison of strategies in a world: every operation by itself, so that any number of threads gives the same figures.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use parsec_dht::key::Key;
use parsec_dht::strategy::{
    FindFull, FindProviders, Found, LookupConfig, ProvideClassic, ProvideFull, ProvideOptimistic, Provided, Unfinished,
};
use parsec_measure::{OperationKind, OutcomeClass, RequestKind, StrategyKind};
use parsec_results::bench::{BenchGroup, BenchOperation};
use thiserror::Error;

use super::drive::{Driven, Limits, drive};
use super::lasting::{Began, Lasting, go_on};
use super::liars::Kind;
use super::log::Log;
use super::measurer::Vantage;
use super::population::{Peer, Population};
use super::scenario::Scenario;
use super::tables::BUCKET;
use super::vantage::{Field, Scene};
use super::world::World;
use crate::threads::{self, Panicked};

/// How long an operation may take: as long as a server allows by default.
pub const OPERATION_LIMIT: Duration = Duration::from_secs(180);

/// How long puts and questions may take, by strategy (`parsec_dht::operation::report`).
pub(super) const CLASSIC: Limits = Limits { ask: None, put: Some(Duration::from_secs(30)), operation: OPERATION_LIMIT };
pub(super) const OPTIMISTIC: Limits =
    Limits { ask: None, put: Some(Duration::from_secs(60)), operation: OPERATION_LIMIT };
pub(super) const FULL: Limits =
    Limits { ask: Some(Duration::from_secs(5)), put: Some(Duration::from_secs(5)), operation: OPERATION_LIMIT };

/// How long after the return of a publication the lookup begins: longer than a record is under way to any peer.
const PAUSE: Duration = Duration::from_millis(250);

/// How many operations a thread takes at a time.
const CHUNK: usize = 16;

/// A trial that did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TrialError {
    /// A thread panicked.
    #[error("the simulation crashed")]
    Crashed,
}

impl From<Panicked> for TrialError {
    fn from(Panicked: Panicked) -> Self {
        Self::Crashed
    }
}

/// What is compared, and in which world.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The network.
    pub world: World,
    /// What everything is drawn from.
    pub seed: u64,
    /// How many publications and how many lookups to make with each strategy.
    pub operations: u32,
    /// What to compare, each once.
    pub strategies: Vec<StrategyKind>,
}

/// One publication and one lookup of the same key.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) operations: [BenchOperation; 2],
    /// When each began, on the clock of the network.
    pub(super) began: [Duration; 2],
}

impl Trial {
    /// How many pairs of a publication and a lookup it comes to.
    pub fn pairs(&self) -> u64 {
        u64::from(self.operations) * self.strategies.len() as u64
    }

    /// Plays it on so many threads. `done` hears of each pair. Once `stop` is set, no other one begins, and what there is by then is
    /// returned.
    ///
    /// # Errors
    /// [`TrialError`] if it crashes.
    pub fn run(
        &self,
        threads: usize,
        stop: &AtomicBool,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<BenchGroup>, TrialError> {
        let scenario = Scenario::of(&self.world);
        let population = Population::over(&self.world, self.seed, &scenario);
        let field = Field::over(&self.world, &population, self.seed, self.crawls(), &scenario);
        self.play(&field, threads, stop, done).map(|played| self.groups(played))
    }

    /// Whether one of the strategies needs a crawl.
    pub(super) fn crawls(&self) -> bool {
        self.strategies.contains(&StrategyKind::Fullrt)
    }

    /// Plays all pairs on a network of its world, and says of each its place: all strategies of a key one after the other, so that who stops
    /// early has as much of every strategy.
    pub(super) fn play(
        &self,
        field: &Field<'_>,
        threads: usize,
        stop: &AtomicBool,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<(usize, Pair)>, TrialError> {
        if self.world.goes_on() {
            return self.play_in_order(field, threads, stop, done);
        }
        threads::each(self.operations as usize * self.strategies.len(), (threads, CHUNK), stop, |place| {
            let strategy = self.strategies[place % self.strategies.len()];
            let number = u32::try_from(place / self.strategies.len()).unwrap_or(u32::MAX);
            let began = field.begins(number, self.operations);
            let pair = Play { field, seed: self.seed, number, strategy, began }.pair(&mut field.lasting());
            done();
            Ok(pair)
        })
    }

    /// The same where nodes go on from one operation to the next: pairs of a strategy are played in their order, different strategies at the
    /// same time, by nodes of their own.
    fn play_in_order(
        &self,
        field: &Field<'_>,
        threads: usize,
        stop: &AtomicBool,
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<(usize, Pair)>, TrialError> {
        let strategies = self.strategies.iter().map(|strategy| Mutex::new(InOrder::new(self, field, *strategy)));
        let (rows, mut played): (Vec<_>, _) = (strategies.collect(), Vec::new());
        for first in (0..self.operations).step_by(CHUNK) {
            let numbers = first..self.operations.min(first.saturating_add(CHUNK as u32));
            let some = threads::each(rows.len(), (threads, 1), stop, |place| {
                let mut row = rows[place].lock();
                let going = numbers.clone().take_while(|_| !stop.load(Ordering::Relaxed));
                let pairs = going.map(|number| {
                    let pair = row.next(number);
                    done();
                    (number as usize * rows.len() + place, pair)
                });
                Ok::<Vec<_>, TrialError>(pairs.collect())
            })?;
            let played_by_all = some.iter().map(|(_, pairs)| pairs.len()).min().filter(|_| some.len() == rows.len());
            let Some(most) = played_by_all.filter(|most| *most > 0) else { break };
            played.extend(some.into_iter().flat_map(|(_, pairs)| pairs.into_iter().take(most)));
        }
        played.sort_unstable_by_key(|(place, _)| *place);
        Ok(played)
    }

    fn groups(&self, played: Vec<(usize, Pair)>) -> Vec<BenchGroup> {
        let empty = |strategy: &StrategyKind| {
            OperationKind::ALL.map(|kind| BenchGroup { strategy: *strategy, kind, operations: Vec::new() })
        };
        let mut groups: Vec<BenchGroup> = self.strategies.iter().flat_map(empty).collect();
        for (place, Pair { operations: [provided, found], .. }) in played {
            let at = place % self.strategies.len() * 2;
            groups[at].operations.push(provided);
            groups[at + 1].operations.push(found);
        }
        groups.retain(|group| !group.operations.is_empty());
        groups
    }
}

/// The pairs of a strategy, one after the other.
struct InOrder<'a> {
    trial: &'a Trial,
    field: &'a Field<'a>,
    strategy: StrategyKind,
    nodes: Vec<Option<Lasting>>,
    /// When the last pair had ended.
    clock: Duration,
}

impl<'a> InOrder<'a> {
    fn new(trial: &'a Trial, field: &'a Field<'a>, strategy: StrategyKind) -> Self {
        Self { trial, field, strategy, nodes: field.lasting(), clock: Duration::ZERO }
    }

    /// Where nothing changes, a pair begins when the one before has ended; where something does, at its moment of the scenario.
    fn next(&mut self, number: u32) -> Pair {
        let Self { trial, field, strategy, .. } = *self;
        let is_still = field.directory.population.is_still();
        let began = if is_still { self.clock } else { field.begins(number, trial.operations) };
        let pair = Play { field, seed: trial.seed, number, strategy, began }.pair(&mut self.nodes);
        self.clock = pair.began[1] + pair.operations[1].duration + PAUSE;
        pair
    }
}

/// One key, published and looked up with one strategy.
struct Play<'a> {
    field: &'a Field<'a>,
    seed: u64,
    number: u32,
    strategy: StrategyKind,
    /// When the publication begins, on the clock of the network.
    began: Duration,
}

impl Play<'_> {
    /// `nodes` are those that measure, as the operations before have left them.
    fn pair(&self, nodes: &mut [Option<Lasting>]) -> Pair {
        let (field, target) = (self.field, self.field.target(self.number));
        let count = field.vantages.len();
        let publisher = self.number as usize % count;
        // Every node looks up what each other has published; alone, its own.
        let step = 1 + self.number as usize / count % count.saturating_sub(1).max(1);
        let finder = (self.number as usize + step) % count;
        let (publisher_node, provider) = (&field.vantages[publisher], field.vantages[publisher].peer);
        let nobody = HashMap::new();
        let driven = go_on(&mut nodes[publisher], &field.directory, both(self.began), |node| {
            publish(&self.scene(publisher_node, (0, self.began), &nobody, provider, node), self.strategy, target)
        });
        let population = self.field.directory.population;
        let (returned, whole) = (driven.returned.puts(), driven.whole.puts());
        let closest = population.closest_live(&target, BUCKET, self.began + driven.took);
        let holders = |by: &dyn Fn(u32) -> bool| {
            u32::try_from(closest.iter().filter(|peer| by(peer.index)).count()).unwrap_or(u32::MAX)
        };
        let written = |put: Option<&Option<Duration>>| put.copied().flatten();
        let provided = BenchOperation {
            holders_at_return: Some(holders(&|peer| written(returned.get(&peer)).is_some())),
            holders_final: Some(holders(&|peer| written(whole.get(&peer)).is_some())),
            closest_found: Some(found_all(&closest, |peer| whole.contains_key(&peer))),
            ..self.operation(
                publisher_node,
                &driven,
                driven.returned.effort_of_publication(),
                provided(&driven),
                self.began,
            )
        };
        // On the clock of the lookup.
        let until = driven.took + self.field.lookup_after().max(PAUSE);
        let held = |(peer, written): (u32, Option<Duration>)| Some((peer, written?.saturating_sub(until)));
        let records: HashMap<u32, Duration> = whole.into_iter().filter_map(held).collect();
        let began = self.began + until;
        let answers = |peer: &&u32| Kind::of(**peer) == Kind::Honest && population.fate(**peer, began).answers();
        let holding = u32::try_from(records.keys().filter(answers).count()).unwrap_or(u32::MAX);
        let finder_node = &field.vantages[finder];
        let driven = go_on(&mut nodes[finder], &field.directory, both(began), |node| {
            find(&self.scene(finder_node, (1, began), &records, provider, node), self.strategy, target)
        });
        let looked_up = BenchOperation {
            // Where nobody leaves, those who hold it hold it.
            holders_left: (!population.is_still()).then_some(holding),
            ..self.operation(finder_node, &driven, driven.returned.effort(), found(&driven), began)
        };
        Pair { operations: [provided, looked_up], began: [self.began, began] }
    }

    fn operation<O>(
        &self,
        vantage: &Vantage,
        driven: &Driven<O>,
        effort: parsec_measure::Effort,
        class: OutcomeClass,
        began: Duration,
    ) -> BenchOperation {
        BenchOperation {
            network: self.seed,
            number: self.number,
            region: Some(vantage.region.name()),
            class,
            duration: driven.took,
            effort,
            network_size: self.field.reckoned(vantage, self.strategy, began).size,
            holders_at_return: None,
            holders_final: None,
            holders_left: None,
            closest_found: None,
        }
    }

    fn scene<'a>(
        &'a self,
        vantage: &'a Vantage,
        (half, began): (u64, Duration),
        records: &'a HashMap<u32, Duration>,
        provider: Peer,
        lasting: Option<&'a Lasting>,
    ) -> Scene<'a> {
        let dice = self.field.dice_of(self.number, half);
        Scene { field: self.field, vantage, dice, began, records, provider, lasting }
    }
}

/// The nodes of a trial have the clock of the network.
fn both(began: Duration) -> Began {
    Began { network: began, node: began }
}

fn config(world: &World) -> LookupConfig {
    LookupConfig { alpha: world.alpha, ..LookupConfig::default() }
}

/// Publishes with a strategy; where an optimistic one has no estimate of the network's size, the classic way.
pub(super) fn publish(scene: &Scene<'_>, strategy: StrategyKind, target: Key) -> Driven<Provided<Peer>> {
    let Scene { field, vantage, began, .. } = scene;
    let (local, config) = (vantage.peer, config(field.world));
    let seeds = || scene.seeds(&target);
    match (strategy, vantage.size(*began)) {
        (StrategyKind::Fullrt, _) => {
            let closest = field.crawled(&target, *began);
            drive(scene, ProvideFull::new(closest), target, FULL)
        }
        (StrategyKind::Optprov, Some(size)) => {
            drive(scene, ProvideOptimistic::new(target, local, seeds(), config, size), target, OPTIMISTIC)
        }
        _ => drive(scene, ProvideClassic::new(target, local, seeds(), config), target, CLASSIC),
    }
}

/// Looks up with a strategy.
pub(super) fn find(scene: &Scene<'_>, strategy: StrategyKind, target: Key) -> Driven<Found<Peer>> {
    let Scene { field, vantage, began, .. } = scene;
    if strategy == StrategyKind::Fullrt {
        return drive(scene, FindFull::new(field.crawled(&target, *began)), target, FULL);
    }
    let seeds = scene.seeds(&target);
    let limits = Limits { put: None, ..CLASSIC };
    drive(scene, FindProviders::new(target, vantage.peer, seeds, config(field.world)), target, limits)
}

/// 1 if the lookup passed over no live peer that is closer to the key than the farthest live one that it chose; else 0.
fn found_all(closest: &[Peer], is_chosen: impl Fn(u32) -> bool) -> f64 {
    let chosen: Vec<bool> = closest.iter().map(|peer| is_chosen(peer.index)).collect();
    let live = chosen.iter().filter(|chosen| **chosen).count();
    let all = live > 0 && chosen.iter().take(live).all(|chosen| *chosen);
    if all { 1.0 } else { 0.0 }
}

/// What became of a publication, in the classes of `parsec_dht::operation::report`.
pub(super) fn provided(driven: &Driven<Provided<Peer>>) -> OutcomeClass {
    match driven.outcome {
        _ if driven.whole.0.is_empty() => OutcomeClass::NoPeers,
        Err(reason) => unfinished(reason),
        Ok(_) if driven.returned.effort_of_publication().holders_stored == Some(0) => nobody_answered(&driven.returned),
        Ok(_) => OutcomeClass::Ok,
    }
}

/// The same of a lookup.
pub(super) fn found(driven: &Driven<Found<Peer>>) -> OutcomeClass {
    match &driven.outcome {
        _ if driven.whole.0.is_empty() => OutcomeClass::NoPeers,
        Err(reason) => unfinished(*reason),
        Ok(Found::Providers { .. }) => OutcomeClass::Ok,
        Ok(Found::Nobody { .. }) if !driven.whole.has_answer(RequestKind::GetProviders) => {
            nobody_answered(&driven.whole)
        }
        Ok(Found::Nobody { .. }) => OutcomeClass::NotFound,
    }
}

fn unfinished(reason: Unfinished) -> OutcomeClass {
    match reason {
        Unfinished::OutOfTime => OutcomeClass::Timeout,
        Unfinished::TooManyRequests => OutcomeClass::Protocol,
    }
}

fn nobody_answered(log: &Log) -> OutcomeClass {
    if log.has_reached() { OutcomeClass::Protocol } else { OutcomeClass::DialFailed }
}
