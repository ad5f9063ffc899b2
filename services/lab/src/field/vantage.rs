//! Where a simulated network is measured from: nodes with a place, a routing table, connections, and an idea of the network's size.

use std::collections::HashMap;
use std::time::Duration;

use parsec_dht::key::{Contact, Key};
use parsec_dht::strategy::{
    Crawl, CrawlConfig, CrawlStep, FullTable, Lookup, LookupConfig, PREFIX_TARGETS, Request, SizeEstimator, Visited,
};
use parsec_measure::{StrategyKind, TICK};

use super::draw::Dice;
use super::drive::{BACKGROUND_PUTS, Ground, Limits, drive};
use super::lasting::Lasting;
use super::liars::{self, Kind};
use super::measurer::{Reckoned, Vantage};
use super::moment::Fate;
use super::population::{Peer, Population};
use super::scenario::{STILL, Scenario, Transports};
use super::tables::{BUCKET, Directory, Owner, keep_closest};
use super::world::{Connections, World};

/// On how many lookups a node's first estimate of the network's size rests (`parsec_dht::table::refresh`).
const SIZE_LOOKUPS: u64 = 16;

/// How long each of them may take (the same).
const REFRESH: Limits = Limits { ask: None, put: None, operation: Duration::from_secs(30) };

/// How often a full routing table is crawled anew (`parsec_dht::table::crawler`).
const CRAWLED: Duration = Duration::from_secs(60 * 60);

/// How long after one address of a peer the next one is dialled, if that has not failed before: as in go-libp2p (`PublicTCPDelay` and
/// `PublicQUICDelay` of its `DefaultDialRanker`), and by parsec's nodes. So much longer a dial takes whose QUIC packets are dropped.
const HEAD_START: Duration = Duration::from_millis(250);

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
    Transport,
    Liars,
    Known,
    Poisoned,
    Address,
}

/// A network, and the nodes that measure it.
pub(super) struct Field<'a> {
    pub(super) world: &'a World,
    pub(super) directory: Directory<'a>,
    dice: Dice,
    pub(super) vantages: Vec<Vantage>,
    scenario: &'a Scenario,
    /// Around the keys of operations, not around those of refreshes.
    sybils: u32,
    /// What crawls met, and since when it has been known.
    censuses: Vec<(Duration, FullTable<Peer>)>,
}

impl<'a> Field<'a> {
    /// Draws the nodes and lets them get to know the network; crawls it only if that is needed.
    pub(super) fn new(world: &'a World, population: &'a Population, seed: u64, crawls: bool) -> Self {
        Self::over(world, population, seed, crawls, &STILL)
    }

    /// The same while a scenario lasts, of which the population was drawn, too.
    pub(super) fn over(
        world: &'a World,
        population: &'a Population,
        seed: u64,
        crawls: bool,
        scenario: &'a Scenario,
    ) -> Self {
        // Nodes must not draw the numbers of peers.
        let dice = Dice::new(!seed);
        let (dice_of_tables, refresh) = (dice.of(Purpose::Tables as u64), scenario.refresh);
        let tables = world.tables_as_filled(refresh);
        let directory = Directory { population, tables, dice: dice_of_tables, refresh };
        let mut field = Self {
            world,
            directory,
            dice,
            vantages: Vec::new(),
            scenario,
            sybils: 0,
            censuses: vec![(Duration::ZERO, FullTable::default())],
        };
        field.vantages = (0..world.node.regions.len()).map(|index| field.vantage(index)).collect();
        let sizes: Vec<_> = field.vantages.iter().map(|vantage| field.estimates(vantage)).collect();
        field.vantages.iter_mut().zip(sizes).for_each(|(vantage, sizes)| vantage.sizes = sizes);
        field.sybils = world.liars.sybils;
        if crawls {
            field.censuses = field.repeated(CRAWLED).map(|at| (at, field.crawl(at))).collect();
        }
        field
    }

    /// When something is done that is done again and again: once, if nothing changes.
    fn repeated(&self, every: Duration) -> impl Iterator<Item = Duration> {
        let until = if self.directory.population.is_still() { Duration::ZERO } else { self.scenario.ends() };
        (0..)
            .map(move |number| every * number)
            .take_while(move |at| *at <= until)
            .filter(|at| self.scenario.matters(*at))
    }

    /// What the last crawl before then met.
    pub(super) fn census(&self, at: Duration) -> &FullTable<Peer> {
        let place = self.censuses.partition_point(|(since, _)| *since <= at);
        &self.censuses[place.saturating_sub(1)].1
    }

    /// What a node with this strategy says of the network by then: with a full routing table it has counted everybody.
    pub(super) fn reckoned(&self, vantage: &Vantage, strategy: StrategyKind, at: Duration) -> Reckoned {
        let whole = |peers: usize| u32::try_from(peers).unwrap_or(u32::MAX);
        if strategy == StrategyKind::Fullrt {
            let counted = whole(self.census(at).len());
            return Reckoned { known: counted, size: Some(counted) };
        }
        let size = vantage.size(at).map(|peers| peers.round().clamp(0.0, f64::from(u32::MAX)) as u32);
        Reckoned { known: whole(vantage.known()), size }
    }

    fn vantage(&self, index: usize) -> Vantage {
        // Numbers from the top, which no peer has.
        let number = u32::MAX - u32::try_from(index).expect("there are few regions");
        let key = Key::of(&self.dice.of(Purpose::Node as u64).of(u64::from(number)).bytes());
        let staleness = self.world.node.staleness;
        let owner = Owner { key, number: u64::from(number), staleness, home: 0, since: Duration::ZERO };
        Vantage::new(Peer::new(number, key), self.world.node.regions[index], owner, &self.directory)
    }

    /// Looks up random keys, as each refresh does, and estimates the size of the network.
    fn estimates(&self, vantage: &Vantage) -> Vec<(Duration, Option<f64>)> {
        let mut estimator = SizeEstimator::new(vantage.owner.key, BUCKET);
        let refreshes = (0..).zip(self.repeated(self.scenario.refresh));
        let estimates = refreshes.map(|(refresh, at): (u64, Duration)| {
            for number in 0..SIZE_LOOKUPS {
                self.sample(&mut estimator, vantage, refresh * SIZE_LOOKUPS + number, at);
            }
            (at, estimator.estimate(at).ok().map(|estimate| estimate.peers))
        });
        estimates.collect()
    }

    fn sample(&self, estimator: &mut SizeEstimator, vantage: &Vantage, number: u64, at: Duration) {
        let config = LookupConfig { alpha: self.world.alpha, ..LookupConfig::default() };
        let dice = self.dice.of(Purpose::Refresh as u64).of(vantage.owner.number).of(number);
        let target = Key::of(&dice.of(0).bytes());
        let seeds = self.directory.closest(&vantage.owner, &target, BUCKET, at);
        let lookup = Lookup::new(target, vantage.peer, seeds, Request::FindNode, config);
        let (records, provider) = (&HashMap::new(), vantage.peer);
        let scene = Scene { field: self, vantage, dice: dice.of(1), began: at, records, provider, lasting: None };
        if let Ok(walked) = drive(&scene, lookup, target, REFRESH).outcome {
            let named: Vec<Key> = walked.named.iter().map(Contact::key).collect();
            let in_bucket = self.directory.in_bucket_of(&vantage.owner, &target, at);
            estimator.track(&target, &named, in_bucket, at);
        }
    }

    /// What a crawl of the whole network meets, and the share of it that has gone since. A crawl that is larger than a real one may be
    /// is not played, or it would be that bound which is measured: it meets everybody who answers.
    fn crawl(&self, at: Duration) -> FullTable<Peer> {
        let population = self.directory.population;
        let moment = population.at(at);
        if self.world.peers as usize > CrawlConfig::default().max_peers {
            let peers = |of: &[u32]| of.iter().map(|index| population.peer(*index)).collect::<Vec<_>>();
            let mut there = peers(&moment.members().dialable);
            there.retain(|peer| moment.fate(peer.index).answers());
            return self.met(there, peers(&moment.members().dead));
        }
        let Some(first) = self.vantages.first() else { return FullTable::default() };
        let seeds = first.table(at).iter().copied().collect::<std::collections::BTreeSet<_>>();
        let seeds = seeds.into_iter().map(|index| population.peer(index)).collect();
        let mut crawl = Crawl::new(first.peer, seeds, CrawlConfig::default());
        let mut visited = None;
        let met = loop {
            match crawl.advance(visited.take()) {
                CrawlStep::Visit(peer) if moment.fate(peer.index).answers() => {
                    let entries = self.directory.entries(&self.directory.owner(peer), PREFIX_TARGETS, at);
                    let named = entries.into_iter().map(|index| population.peer(index)).collect();
                    visited = Some(Visited::Answered { peer, named });
                }
                CrawlStep::Visit(peer) => visited = Some(Visited::Failed { peer }),
                CrawlStep::Wait => {}
                CrawlStep::Done(outcome) => break outcome,
            }
        };
        let dead = met.unreachable.into_iter().filter(|peer| !moment.fate(peer.index).is_dialable());
        self.met(met.reachable, dead.collect())
    }

    /// Those who are there, and as many of the dead as make up the share that has gone since; where peers come and go, those go who do.
    fn met(&self, there: Vec<Peer>, dead: Vec<Peer>) -> FullTable<Peer> {
        let gone = if self.scenario.churn.is_some() { 0.0 } else { self.world.crawl_gone };
        let population = self.directory.population;
        let wanted = there.len() as f64 * gone / (1.0 - gone).max(f64::EPSILON) / dead.len().max(1) as f64;
        let dice = self.dice.of(Purpose::Crawl as u64);
        let chosen = |peer: &Peer| dice.of(population.number(peer.index)).share() < wanted;
        FullTable::new(there.into_iter().chain(dead.into_iter().filter(chosen)))
    }

    /// The nodes, each in its place, as they are before their first operation; nothing where every operation stands for itself.
    pub(super) fn lasting(&self) -> Vec<Option<Lasting>> {
        let node = |vantage: &Vantage| match self.world.node.connections {
            Connections::Shares { .. } => None,
            Connections::Kept(warmth) => {
                let dice = self.dice.of(Purpose::Connected as u64).of(vantage.owner.number);
                Some(Lasting::new(&self.directory, vantage.owner, warmth, dice))
            }
        };
        self.vantages.iter().map(node).collect()
    }

    /// The key of an operation.
    pub(super) fn target(&self, number: u32) -> Key {
        Key::of(&self.dice.of(Purpose::Key as u64).of(u64::from(number)).bytes())
    }

    /// Whom a table then names as closest to a key.
    pub(super) fn named(&self, owner: &Owner, target: &Key, at: Duration) -> Vec<Peer> {
        self.with_sybils(owner, target, at, self.directory.closest(owner, target, BUCKET, at))
    }

    /// The same of a table that has these. A bucket has as large a share of the sybils as it has of all who belong there (assumed).
    fn with_sybils(&self, owner: &Owner, target: &Key, at: Duration, mut named: Vec<Peer>) -> Vec<Peer> {
        if self.sybils > 0 {
            let bits = owner.key.distance(target).common_prefix() + 1;
            let there = &self.directory.population.at(at).members().dialable;
            let others = self.directory.population.sharing(there, 0..there.len(), target, bits).len();
            let share = (BUCKET as f64 / (others as f64 + f64::from(self.sybils))).min(1.0 - self.world.tables.missing);
            let dice = self.dice.of(Purpose::Known as u64).of(owner.number);
            let knows = |sybil: &Peer| dice.of(u64::from(sybil.index)).share() < share;
            named.extend(self.sybils_of(target).into_iter().filter(knows));
            keep_closest(&mut named, target, BUCKET);
        }
        named
    }

    /// Whom the last crawl before then has as closest to a key: it has met all sybils.
    pub(super) fn crawled(&self, target: &Key, at: Duration) -> Vec<Peer> {
        let mut crawled = self.census(at).closest(target, BUCKET);
        if self.sybils > 0 {
            crawled.extend(self.sybils_of(target));
            keep_closest(&mut crawled, target, BUCKET);
        }
        crawled
    }

    fn sybils_of(&self, target: &Key) -> Vec<Peer> {
        liars::sybils(self.dice.of(Purpose::Liars as u64), target, self.sybils, self.world.peers)
    }

    /// Whether a peer with this number names nobody who exists.
    fn is_poisoned(&self, number: u64) -> bool {
        let share = self.world.liars.poisoned;
        share > 0.0 && self.dice.of(Purpose::Poisoned as u64).of(number).share() < share
    }

    /// When a publication begins, of so many.
    pub(super) fn begins(&self, number: u32, all: u32) -> Duration {
        self.scenario.begins(number, all)
    }

    /// How long after the return of a publication its lookup begins.
    pub(super) fn lookup_after(&self) -> Duration {
        self.scenario.lookup_after
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
    /// When the operation began, on the clock of the network.
    pub(super) began: Duration,
    /// Who holds the record, and from when on since the operation began.
    pub(super) records: &'a HashMap<u32, Duration>,
    /// Whom it names.
    pub(super) provider: Peer,
    /// What the node has of the operations before, if it goes on from one to the next.
    pub(super) lasting: Option<&'a Lasting>,
}

impl Scene<'_> {
    /// Whom the node knows as closest to a key when the operation begins.
    pub(super) fn seeds(&self, target: &Key) -> Vec<Peer> {
        let Self { field, vantage: Vantage { owner, .. }, began, .. } = self;
        match self.lasting {
            None => field.named(owner, target, *began),
            Some(node) => field.with_sybils(owner, target, *began, node.closest(&field.directory, target, *began)),
        }
    }

    /// What a peer does so long after the operation began.
    fn fate(&self, peer: &Peer, at: Duration) -> Fate {
        match Kind::of(peer.index) {
            Kind::Honest => self.field.directory.population.fate(peer.index, self.began + at),
            Kind::Sybil => Fate::Live,
            Kind::Nobody => Fate::BlackHole,
        }
    }

    /// A number of its own.
    fn number(&self, peer: &Peer) -> u64 {
        match Kind::of(peer.index) {
            Kind::Honest => self.field.directory.population.number(peer.index),
            Kind::Sybil | Kind::Nobody => u64::from(peer.index),
        }
    }

    /// Whether a peer can be reached over UDP alone, or over TCP alone, as long as we can use TCP alone.
    fn only(&self, peer: &Peer, at: Duration) -> Option<Only> {
        let Transports { quic_only, tcp_only } = self.field.scenario.udp_blocked(self.began + at)?;
        let number = self.number(peer);
        let share = self.field.dice.of(Purpose::Transport as u64).of(number).share();
        Some(if share < quic_only {
            Only::Quic
        } else if share < quic_only + tcp_only {
            Only::Tcp
        } else {
            Only::Neither
        })
    }

    /// Whether there is a connection to an honest peer from the beginning, as often as the world says.
    fn was_connected(&self, peer: &Peer) -> bool {
        let table = self.vantage.table(self.began);
        let (in_table, elsewhere) = self.field.world.node.connections.shares(table.len());
        let share = if table.contains(&peer.index) { in_table } else { elsewhere };
        let dice = || self.dice.of(self.number(peer)).of(u64::MAX - Purpose::Connected as u64);
        share > 0.0 && dice().share() < share
    }

    fn round_trip(&self, peer: &Peer) -> Duration {
        // Liars are run from one place (assumed).
        let of_liars = self.field.world.regions.first().map_or(self.vantage.region, |(region, _)| *region);
        self.vantage.region.round_trip(match Kind::of(peer.index) {
            Kind::Honest => self.field.directory.population.region(peer.index),
            Kind::Sybil | Kind::Nobody => of_liars,
        })
    }

    /// How much later the address is dialled that works, because whoever named the peer has named another one that does not: until that has failed,
    /// or its head start is over. Of wrong addresses as many refuse as of the dead.
    fn detour(&self, peer: &Peer, nth: u32) -> Duration {
        let (times, fates) = (&self.field.world.times, self.field.world.fates);
        let mut dice = self.dice.of(self.number(peer)).of(u64::MAX - Purpose::Address as u64).of(u64::from(nth));
        let [wrong, refuses, how] = [(); 3].map(|()| dice.share());
        if wrong >= times.wrong_addresses {
            return Duration::ZERO;
        }
        let is_refused = refuses < fates.refuse();
        let refused = || self.round_trip(peer) + times.dial_refusing.at(how);
        if is_refused { refused().min(HEAD_START) } else { HEAD_START }
    }

    /// Where in a distribution a request falls: where the peer's usually do, or anywhere.
    fn quantile(&self, peer: &Peer, purpose: u64) -> f64 {
        let number = self.number(peer);
        let mut dice = self.dice.of(number).of(purpose);
        let (steady, anew) = (dice.share(), dice.share());
        if steady < self.field.world.times.steady {
            self.field.dice.of(Purpose::Pace as u64).of(number).share()
        } else {
            anew
        }
    }
}

/// Which transport is the only one that a peer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Quic,
    Tcp,
    Neither,
}

impl Ground for Scene<'_> {
    fn is_connected(&self, peer: &Peer, at: Duration) -> bool {
        let stands = || match self.lasting {
            Some(node) => node.is_connected(peer, at),
            None => Kind::of(peer.index) == Kind::Honest && self.was_connected(peer),
        };
        // Who has QUIC is connected over it.
        stands() && self.fate(peer, at).is_dialable() && self.only(peer, at).is_none_or(|only| only == Only::Tcp)
    }

    fn is_left_alone(&self, peer: &Peer, at: Duration) -> bool {
        self.lasting.is_some_and(|node| node.is_left_alone(peer, at))
    }

    fn room(&self, at: Duration) -> usize {
        self.lasting.map_or(BACKGROUND_PUTS, |node| node.room(at))
    }

    fn dial(&self, peer: &Peer, nth: u32, at: Duration) -> (Duration, bool) {
        let times = &self.field.world.times;
        let quantile = self.quantile(peer, u64::from(nth) * 8);
        let trips = self.round_trip(peer).mul_f64(times.dial_round_trips);
        let only = self.only(peer, at);
        let (took, connects) = match self.fate(peer, at) {
            _ if only == Some(Only::Quic) => (times.dial_black_hole.at(quantile), false),
            Fate::Live | Fate::Silent => (trips + times.dial_live.at(quantile), true),
            Fate::Slow => (trips + times.dial_slow.at(quantile), true),
            Fate::Refusing => (self.round_trip(peer) + times.dial_refusing.at(quantile), false),
            Fate::BlackHole => (times.dial_black_hole.at(quantile), false),
        };
        let blocked = if connects && only == Some(Only::Neither) { HEAD_START } else { Duration::ZERO };
        let detour = if connects { self.detour(peer, nth) } else { Duration::ZERO };
        ((took + blocked + detour).max(TICK), connects)
    }

    fn answer(&self, peer: &Peer, request: Request, nth: u32, at: Duration) -> Option<Duration> {
        let times = &self.field.world.times;
        let quantile = self.quantile(peer, u64::from(nth) * 8 + 1 + request as u64);
        let trips = self.round_trip(peer).mul_f64(times.answer_round_trips);
        let took = match self.fate(peer, at) {
            Fate::Slow => trips + times.answer_slow.at(quantile),
            Fate::Live => trips + times.answer_live.at(quantile),
            Fate::Silent | Fate::Refusing | Fate::BlackHole => return None,
        };
        let took = took.max(TICK);
        // Who has left or gone silent before the answer is there does not finish it.
        self.fate(peer, at + took).answers().then_some(took)
    }

    fn closer(&self, peer: &Peer, target: &Key, at: Duration) -> Vec<Peer> {
        let (field, number) = (self.field, self.number(peer));
        match Kind::of(peer.index) {
            // Their best answer is each other.
            Kind::Sybil => field.sybils_of(target).into_iter().take(BUCKET).collect(),
            Kind::Honest if field.is_poisoned(number) => {
                liars::nobodies(field.dice.of(Purpose::Liars as u64), target, number, BUCKET)
            }
            _ => field.named(&field.directory.owner(*peer), target, self.began + at),
        }
    }

    fn providers(&self, peer: &Peer, at: Duration) -> Vec<Peer> {
        let is_honest = Kind::of(peer.index) == Kind::Honest;
        let held = is_honest && self.records.get(&peer.index).is_some_and(|from| *from <= at);
        if held { vec![self.provider] } else { Vec::new() }
    }
}
