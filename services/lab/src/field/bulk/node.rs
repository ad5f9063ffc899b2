//! The node that publishes: what it is connected to, whom it has dialled in vain, what it has sent to whom.

use std::collections::HashMap;
use std::time::Duration;

use parsec_dht::key::Key;
use parsec_dht::strategy::{LookupConfig, Request, Strategy};
use parsec_results::bulk::{BulkRun, BulkStrategy};

use super::super::drive::{Driven, Ground, Limits, drive};
use super::super::links::Links;
use super::super::measurer::Vantage;
use super::super::population::{Peer, Population};
use super::super::tables::BUCKET;
use super::super::vantage::{Field, Scene};

/// How long a connection is kept. Kubo closes all but some dozens when it has more than 96 (`Swarm.ConnMgr.HighWater`), after they have
/// lasted for this long (`Swarm.ConnMgr.GracePeriod`); who publishes in bulk always has more.
const KEPT: Duration = Duration::from_secs(20);

/// How many keys, or zones of a sweep, are under way at a time: Kubo's `Provide.DHT.MaxWorkers`.
pub(super) const WORKERS: usize = 16;

/// Its dice are those of the third half of an operation: the other two are a publication and a lookup.
const HALF: u64 = 2;

/// See the module's documentation.
pub(super) struct Node<'a> {
    pub(super) field: &'a Field<'a>,
    pub(super) vantage: &'a Vantage,
    pub(super) keys: Vec<Key>,
    links: Links,
    /// How many lookups and connections there have been: what each draws from.
    begun: u32,
    /// Who holds the record of each key.
    held: Vec<Vec<u32>>,
    /// From when on.
    findable: Vec<Option<Duration>>,
    /// What was sent in each second.
    seconds: Vec<u64>,
    pub(super) lookups: u64,
    questions: u64,
    records: u64,
    dials: u64,
    reached: (u64, u64),
}

/// The network as one lookup of the node meets it.
struct View<'a> {
    scene: Scene<'a>,
    links: &'a Links,
    began: Duration,
}

impl Ground for View<'_> {
    fn is_connected(&self, peer: &Peer, at: Duration) -> bool {
        is_open(self.links, peer, self.began + at) || self.scene.is_connected(peer, at)
    }

    fn is_left_alone(&self, peer: &Peer, at: Duration) -> bool {
        self.links.is_left_alone(peer.index, self.began + at)
    }

    fn dial(&self, peer: &Peer, nth: u32, at: Duration) -> (Duration, bool) {
        self.scene.dial(peer, nth, at)
    }

    fn answer(&self, peer: &Peer, request: Request, nth: u32, at: Duration) -> Option<Duration> {
        self.scene.answer(peer, request, nth, at)
    }

    fn closer(&self, peer: &Peer, target: &Key, at: Duration) -> Vec<Peer> {
        self.scene.closer(peer, target, at)
    }

    fn providers(&self, peer: &Peer, at: Duration) -> Vec<Peer> {
        self.scene.providers(peer, at)
    }
}

/// Whether a connection stands that the node has opened.
fn is_open(links: &Links, peer: &Peer, at: Duration) -> bool {
    links.since(peer.index, at).is_some_and(|opened| at < opened + KEPT)
}

impl<'a> Node<'a> {
    /// The first of the world's nodes.
    pub(super) fn new(field: &'a Field<'a>, keys: u32) -> Self {
        let count = keys as usize;
        Self {
            field,
            vantage: &field.vantages[0],
            keys: (0..keys).map(|number| field.target(number)).collect(),
            links: Links::default(),
            begun: 0,
            held: vec![Vec::new(); count],
            findable: vec![None; count],
            seconds: Vec::new(),
            lookups: 0,
            questions: 0,
            records: 0,
            dials: 0,
            reached: (0, 0),
        }
    }

    fn population(&self) -> &'a Population {
        self.field.directory.population
    }

    pub(super) fn config(&self) -> LookupConfig {
        LookupConfig { alpha: self.field.world.alpha, ..LookupConfig::default() }
    }

    /// The peers in its table that are closest to a point.
    pub(super) fn seeds(&self, target: &Key) -> Vec<Peer> {
        self.field.directory.closest(&self.vantage.owner, target, BUCKET, Duration::ZERO)
    }

    fn scene(&mut self, nobody: &'a HashMap<u32, Duration>) -> Scene<'a> {
        self.begun += 1;
        let dice = self.field.dice_of(self.begun, HALF);
        Scene {
            field: self.field,
            vantage: self.vantage,
            dice,
            began: Duration::ZERO,
            records: nobody,
            provider: self.vantage.peer,
            lasting: None,
        }
    }

    /// Drives a strategy that begins then, and notes what it did.
    pub(super) fn drive<S: Strategy<Peer>>(
        &mut self,
        strategy: S,
        target: Key,
        limits: Limits,
        at: Duration,
    ) -> Driven<S::Outcome> {
        let scene = self.scene(no_records());
        let driven = drive(&View { scene, links: &self.links, began: at }, strategy, target, limits);
        for entry in &driven.whole.0 {
            if let Some(written) = entry.written {
                self.tell(at + written, 1);
                let count = if entry.kind == Request::AddProvider { &mut self.records } else { &mut self.questions };
                *count += 1;
            }
        }
        self.dials += self.links.take_in(&driven.whole, at);
        driven
    }

    /// Connects to a peer, if there is no connection: when this has ended, and whether it succeeded.
    pub(super) fn connect(&mut self, peer: Peer, at: Duration, limit: Duration) -> (Duration, bool) {
        if is_open(&self.links, &peer, at) {
            return (at, true);
        }
        if self.links.is_left_alone(peer.index, at) {
            return (at, false);
        }
        let (took, connects) = self.scene(no_records()).dial(&peer, 0, Duration::ZERO);
        let (ended, connects) = (at + took.min(limit), connects && took <= limit);
        self.dials += 1;
        if connects {
            self.links.open(peer.index, ended)
        } else {
            self.links.fail(peer.index, ended)
        }
        (ended, connects)
    }

    /// Sends a peer, to which there is a connection, a record of each of these keys.
    pub(super) fn send(&mut self, peer: Peer, keys: &[usize], at: Duration) {
        self.records += keys.len() as u64;
        self.tell(at, keys.len() as u64);
        keys.iter().for_each(|key| self.keep(*key, peer.index, at));
    }

    /// Notes that a record was written. Who does not answer gives it to nobody.
    pub(super) fn keep(&mut self, key: usize, peer: u32, at: Duration) {
        if self.population().fate(peer, Duration::ZERO).answers() {
            self.held[key].push(peer);
            let first = self.findable[key].get_or_insert(at);
            *first = at.min(*first);
        }
    }

    /// Counts a peer that was to be sent records.
    pub(super) fn count(&mut self, is_reached: bool) {
        self.reached.0 += 1;
        self.reached.1 += u64::from(is_reached);
    }

    fn tell(&mut self, at: Duration, sent: u64) {
        let second = at.as_secs() as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, 0);
        }
        self.seconds[second] += sent;
    }

    /// What came of it.
    pub(super) fn run(self, network: u64, strategy: BulkStrategy, took: Duration) -> BulkRun {
        let population = self.population();
        let (mut there, mut held) = (0_u64, 0_u64);
        for (key, holders) in self.keys.iter().zip(&self.held) {
            let closest = population.closest_live(key, BUCKET, Duration::ZERO);
            there += closest.len() as u64;
            held += closest.iter().filter(|peer| holders.contains(&peer.index)).count() as u64;
        }
        let mut findable: Vec<Duration> = self.findable.into_iter().flatten().collect();
        findable.sort_unstable();
        BulkRun {
            network,
            strategy,
            took,
            lookups: self.lookups,
            questions: self.questions,
            records: self.records,
            dials: self.dials,
            holders: self.held.iter().map(|holders| u32::try_from(holders.len()).unwrap_or(u32::MAX)).collect(),
            closest_held: (there > 0).then(|| held as f64 / there as f64),
            reached: self.reached,
            busiest_second: self.seconds.into_iter().max().unwrap_or(0),
            findable,
        }
    }
}

/// Nobody holds a record of a point that is only looked up to find peers.
fn no_records() -> &'static HashMap<u32, Duration> {
    static NOBODY: std::sync::OnceLock<HashMap<u32, Duration>> = std::sync::OnceLock::new();
    NOBODY.get_or_init(HashMap::new)
}
