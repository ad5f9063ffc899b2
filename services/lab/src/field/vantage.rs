//! Where a simulated network is measured from: nodes with a place, a routing table, connections, and an idea of the network's size.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use parsec_dht::key::{Contact, Key};
use parsec_dht::strategy::{
    Crawl, CrawlConfig, CrawlStep, FullTable, Lookup, LookupConfig, PREFIX_TARGETS, Request, SizeEstimator, Visited,
};
use parsec_measure::TICK;

use super::draw::Dice;
use super::drive::{Ground, Limits, drive};
use super::population::{Fate, Peer, Population};
use super::tables::{BUCKET, Directory, Owner};
use super::world::World;
use crate::Region;

/// On how many lookups a node's first estimate of the network's size rests (`parsec_dht::table::refresh`).
const SIZE_LOOKUPS: u64 = 16;

/// How long each of them may take (the same).
const REFRESH: Limits = Limits { ask: None, put: None, operation: Duration::from_secs(30) };

/// What a number is drawn for. Those of [`super::population`] have the seed itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Tables,
    Node,
    Key,
    Pace,
    Operation,
    Crawl,
    Connected,
    Refresh,
}

/// A node that measures.
#[derive(Debug)]
pub(super) struct Vantage {
    pub(super) peer: Peer,
    pub(super) region: Region,
    pub(super) owner: Owner,
    /// The peers in its table that can be dialled.
    table: HashSet<u32>,
    /// How many peers it believes the network to have.
    pub(super) size: Option<f64>,
}

/// A network, and the nodes that measure it.
pub(super) struct Field<'a> {
    pub(super) world: &'a World,
    pub(super) directory: Directory<'a>,
    dice: Dice,
    pub(super) vantages: Vec<Vantage>,
    /// What the last crawl met.
    pub(super) census: FullTable<Peer>,
}

impl<'a> Field<'a> {
    /// Draws the nodes and lets them get to know the network; crawls it only if that is needed.
    pub(super) fn new(world: &'a World, population: &'a Population, seed: u64, crawls: bool) -> Self {
        // Nodes must not draw the numbers of peers.
        let dice = Dice::new(!seed);
        let directory = Directory { population, tables: &world.tables, dice: dice.of(Purpose::Tables as u64) };
        let mut field = Self { world, directory, dice, vantages: Vec::new(), census: FullTable::default() };
        field.vantages = (0..world.node.regions.len()).map(|index| field.vantage(index)).collect();
        let sizes: Vec<_> = field.vantages.iter().map(|vantage| field.estimate(vantage)).collect();
        field.vantages.iter_mut().zip(sizes).for_each(|(vantage, size)| vantage.size = size);
        if crawls {
            field.census = field.crawl();
        }
        field
    }

    fn vantage(&self, index: usize) -> Vantage {
        // Numbers from the top, which no peer has.
        let number = u32::MAX - u32::try_from(index).expect("there are few regions");
        let key = Key::of(&self.dice.of(Purpose::Node as u64).of(u64::from(number)).bytes());
        let owner = Owner { key, number: u64::from(number), staleness: self.world.node.staleness };
        let entries = self.directory.entries(&owner, 256);
        let dialable = |index: &u32| self.directory.population.fate(*index).is_dialable();
        let table = entries.into_iter().filter(dialable).collect();
        let region = self.world.node.regions[index];
        Vantage { peer: Peer::new(number, key), region, owner, table, size: None }
    }

    /// Looks up random keys, as a refresh does, and estimates the size of the network.
    fn estimate(&self, vantage: &Vantage) -> Option<f64> {
        let mut estimator = SizeEstimator::new(vantage.owner.key, BUCKET);
        let config = LookupConfig { alpha: self.world.alpha, ..LookupConfig::default() };
        for number in 0..SIZE_LOOKUPS {
            let dice = self.dice.of(Purpose::Refresh as u64).of(vantage.owner.number).of(number);
            let target = Key::of(&dice.of(0).bytes());
            let seeds = self.directory.closest(&vantage.owner, &target, BUCKET);
            let lookup = Lookup::new(target, vantage.peer, seeds, Request::FindNode, config);
            let scene =
                Scene { field: self, vantage, dice: dice.of(1), records: &HashMap::new(), provider: vantage.peer };
            if let Ok(walked) = drive(&scene, lookup, target, REFRESH).outcome {
                let named: Vec<Key> = walked.named.iter().map(Contact::key).collect();
                let in_bucket = self.directory.in_bucket_of(&vantage.owner, &target);
                estimator.track(&target, &named, in_bucket, Duration::ZERO);
            }
        }
        estimator.estimate(Duration::ZERO).ok().map(|estimate| estimate.peers)
    }

    /// What a crawl of the whole network meets, and the share of it that has gone since. A crawl that is larger than a real one may be
    /// is not played, or it would be that bound which is measured: it meets everybody who answers.
    fn crawl(&self) -> FullTable<Peer> {
        let population = self.directory.population;
        if self.world.peers as usize > CrawlConfig::default().max_peers {
            let peers = |of: &[u32]| of.iter().map(|index| population.peer(*index)).collect::<Vec<_>>();
            let mut there = peers(&population.dialable);
            there.retain(|peer| population.fate(peer.index).answers());
            return self.census(there, peers(&population.dead));
        }
        let Some(first) = self.vantages.first() else { return FullTable::default() };
        let seeds = first.table.iter().copied().collect::<std::collections::BTreeSet<_>>();
        let seeds = seeds.into_iter().map(|index| population.peer(index)).collect();
        let mut crawl = Crawl::new(first.peer, seeds, CrawlConfig::default());
        let mut visited = None;
        let met = loop {
            match crawl.advance(visited.take()) {
                CrawlStep::Visit(peer) if population.fate(peer.index).answers() => {
                    let entries = self.directory.entries(&self.directory.owner(peer), PREFIX_TARGETS);
                    let named = entries.into_iter().map(|index| population.peer(index)).collect();
                    visited = Some(Visited::Answered { peer, named });
                }
                CrawlStep::Visit(peer) => visited = Some(Visited::Failed { peer }),
                CrawlStep::Wait => {}
                CrawlStep::Done(outcome) => break outcome,
            }
        };
        let dead = met.unreachable.into_iter().filter(|peer| !population.fate(peer.index).is_dialable());
        self.census(met.reachable, dead.collect())
    }

    /// Those who are there, and as many of the dead as make up the share that has gone since.
    fn census(&self, there: Vec<Peer>, dead: Vec<Peer>) -> FullTable<Peer> {
        let (population, gone) = (self.directory.population, self.world.crawl_gone);
        let wanted = there.len() as f64 * gone / (1.0 - gone).max(f64::EPSILON) / dead.len().max(1) as f64;
        let dice = self.dice.of(Purpose::Crawl as u64);
        let chosen = |peer: &Peer| dice.of(population.number(peer.index)).share() < wanted;
        FullTable::new(there.into_iter().chain(dead.into_iter().filter(chosen)))
    }

    /// The key of an operation.
    pub(super) fn target(&self, number: u32) -> Key {
        Key::of(&self.dice.of(Purpose::Key as u64).of(u64::from(number)).bytes())
    }

    /// The dice of one half of an operation: the same for all strategies.
    pub(super) fn dice_of(&self, number: u32, half: u64) -> Dice {
        self.dice.of(Purpose::Operation as u64).of(u64::from(number)).of(half)
    }
}

/// One operation's view of the network.
pub(super) struct Scene<'a> {
    pub(super) field: &'a Field<'a>,
    pub(super) vantage: &'a Vantage,
    pub(super) dice: Dice,
    /// Who holds the record, and from when on.
    pub(super) records: &'a HashMap<u32, Duration>,
    /// Whom it names.
    pub(super) provider: Peer,
}

impl Scene<'_> {
    fn fate(&self, peer: &Peer) -> Fate {
        self.field.directory.population.fate(peer.index)
    }

    fn round_trip(&self, peer: &Peer) -> Duration {
        self.vantage.region.round_trip(self.field.directory.population.region(peer.index))
    }

    /// Where in a distribution a request falls: where the peer's usually do, or anywhere.
    fn quantile(&self, peer: &Peer, purpose: u64) -> f64 {
        let number = self.field.directory.population.number(peer.index);
        let mut dice = self.dice.of(number).of(purpose);
        let (steady, anew) = (dice.share(), dice.share());
        if steady < self.field.world.times.steady {
            self.field.dice.of(Purpose::Pace as u64).of(number).share()
        } else {
            anew
        }
    }
}

impl Ground for Scene<'_> {
    fn is_connected(&self, peer: &Peer) -> bool {
        let node = &self.field.world.node;
        let share = if self.vantage.table.contains(&peer.index) { node.connected } else { node.connected_elsewhere };
        let number = self.field.directory.population.number(peer.index);
        share > 0.0
            && self.fate(peer).is_dialable()
            && self.dice.of(number).of(u64::MAX - Purpose::Connected as u64).share() < share
    }

    fn dial(&self, peer: &Peer, nth: u32) -> (Duration, bool) {
        let times = &self.field.world.times;
        let at = self.quantile(peer, u64::from(nth) * 8);
        let trips = self.round_trip(peer).mul_f64(times.dial_round_trips);
        let (took, connects) = match self.fate(peer) {
            Fate::Live | Fate::Silent => (trips + times.dial_live.at(at), true),
            Fate::Slow => (trips + times.dial_slow.at(at), true),
            Fate::Refusing => (self.round_trip(peer) + times.dial_refusing.at(at), false),
            Fate::BlackHole => (times.dial_black_hole.at(at), false),
        };
        (took.max(TICK), connects)
    }

    fn answer(&self, peer: &Peer, request: Request, nth: u32) -> Option<Duration> {
        let times = &self.field.world.times;
        let at = self.quantile(peer, u64::from(nth) * 8 + 1 + request as u64);
        let trips = self.round_trip(peer).mul_f64(times.answer_round_trips);
        let took = match self.fate(peer) {
            Fate::Slow => trips + times.answer_slow.at(at),
            Fate::Live => trips + times.answer_live.at(at),
            Fate::Silent | Fate::Refusing | Fate::BlackHole => return None,
        };
        Some(took.max(TICK))
    }

    fn closer(&self, peer: &Peer, target: &Key) -> Vec<Peer> {
        self.field.directory.closest(&self.field.directory.owner(*peer), target, BUCKET)
    }

    fn providers(&self, peer: &Peer, at: Duration) -> Vec<Peer> {
        let held = self.records.get(&peer.index).is_some_and(|from| *from <= at);
        if held { vec![self.provider] } else { Vec::new() }
    }
}
