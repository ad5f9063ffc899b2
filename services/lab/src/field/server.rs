//! Nodes for servers: a simulated network behind the interface through which actors publish and find.
//!
//! An operation is computed at once, and its result is given when it would have been there: by tokio's clock, which is meant to be paused,
//! so that it jumps. Who holds a record since when is known to all nodes of a network.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use parsec_dht::key::Key;
use parsec_dht::{Dht, DhtError, Readiness};
use parsec_measure::{
    AttemptId, Cid, FollowUp, FoundProvider, HolderCheck, Measured, Measurement, OperationKind, OutcomeClass,
    StrategyKind, Trace,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::drive::Driven;
use super::happening::{Happening, NetworkClock};
use super::lasting::{Began, Lasting, go_on};
use super::log::Log;
use super::measurer::{Reckoned, Vantage};
use super::population::{Peer, Population};
use super::scenario::STILL;
use super::tables::BUCKET;
use super::told::{Names, Told, follow_up};
use super::trial::{find, publish};
use super::vantage::{Field, Scene};
use super::world::World;
use crate::Region;

/// How many keys the network remembers: far more than are published and looked up at the same time, one by each fleet.
const KEYS: usize = 1_024;

/// How many follow-ups may wait to be read: far more than publications can be under way on one node.
const FOLLOW_UPS: usize = 256;

/// From where on the numbers of operations' halves are those of servers: a trial has two.
const SERVERS: u64 = 2;

/// Something that is computed on the network.
type Work = Box<dyn FnOnce(&Field<'_>) + Send>;

/// Who holds a record, and since when.
struct Held {
    /// Who has published it.
    by: Peer,
    holders: HashMap<u32, Instant>,
}

/// The newest records by their keys, and the keys in their order.
#[derive(Default)]
struct Records {
    held: HashMap<Vec<u8>, Held>,
    order: VecDeque<Vec<u8>>,
}

impl Records {
    fn keep(&mut self, key: Vec<u8>, held: Held) {
        if self.held.insert(key.clone(), held).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > KEYS {
            let oldest = self.order.pop_front();
            oldest.and_then(|key| self.held.remove(&key));
        }
    }
}

/// A simulated network that servers take part in. It lives as long as any of its nodes.
pub struct SimulatedNetwork {
    /// Whoever computes owns the network.
    work: SyncSender<Work>,
    records: Mutex<Records>,
    names: Names,
    clock: NetworkClock,
}

impl fmt::Debug for SimulatedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedNetwork").field("keys", &self.records.lock().held.len()).finish()
    }
}

impl SimulatedNetwork {
    /// Draws the network of a world, and the nodes of servers: each stands in the next of the regions of the world's nodes, with a key,
    /// a routing table and connections of its own. Nobody comes or goes but in what happens to it, also where they do otherwise. Returns a node for
    /// each of these strategies.
    ///
    /// # Errors
    /// If there is no thread to compute on, or the simulation crashes.
    pub fn start(
        world: &World,
        seed: u64,
        strategies: &[StrategyKind],
        happens: Option<&Happening>,
    ) -> Result<Vec<SimulatedNode>, io::Error> {
        let mut world = world.still();
        let regions = world.node.regions.clone();
        world.node.regions = regions.into_iter().cycle().take(strategies.len()).collect();
        let crawls = strategies.contains(&StrategyKind::Fullrt);
        let scenario = happens.map_or_else(|| STILL.clone(), |happens| happens.scenario.clone());
        let (work, orders) = sync_channel::<Work>(1);
        thread::Builder::new().name("simulated network".to_owned()).spawn(move || {
            let population = Population::over(&world, seed, &scenario);
            let field = Field::over(&world, &population, seed, crawls, &scenario);
            orders.into_iter().for_each(|work| work(&field));
        })?;
        let clock = NetworkClock::start(happens);
        let network = Arc::new(Self { work, records: Mutex::default(), names: Names(seed), clock });
        let strategies = strategies.to_vec();
        let drawn = network.compute(move |field| {
            let shape = |(vantage, strategy): (&Vantage, StrategyKind)| {
                let reckoned = field.reckoned(vantage, strategy, Duration::ZERO);
                Shape { strategy, region: vantage.region, peer: vantage.peer, reckoned }
            };
            let shapes = field.vantages.iter().zip(strategies).map(shape);
            shapes.zip(field.lasting()).collect::<Vec<_>>()
        });
        let nodes = drawn.map_err(io::Error::other)?.into_iter().enumerate();
        Ok(nodes.map(|(place, (shape, lasting))| SimulatedNode::new(&network, place, shape, lasting)).collect())
    }

    /// Computes something. The caller's thread waits for it, for a millisecond or so: a clock that jumps whenever all others wait must
    /// not jump meanwhile.
    fn compute<T: Send + 'static>(&self, work: impl FnOnce(&Field<'_>) -> T + Send + 'static) -> Result<T, DhtError> {
        let crashed = || DhtError::Crashed("the simulation is not there any more".to_owned());
        let (answer, answered) = sync_channel(1);
        let work = move |field: &Field<'_>| {
            // Whoever asked may have gone.
            let _ = answer.send(work(field));
        };
        self.work.send(Box::new(work)).map_err(|_| crashed())?;
        answered.recv().map_err(|_| crashed())
    }

    /// Who has published a key, and who holds it from when on, counted from `now`.
    fn holders(&self, key: &[u8], now: Instant) -> Option<(Peer, HashMap<u32, Duration>)> {
        let records = self.records.lock();
        let held = records.held.get(key)?;
        let since = held.holders.iter().map(|(peer, since)| (*peer, since.saturating_duration_since(now)));
        Some((held.by, since.collect()))
    }
}

/// What is known of a node from its beginning.
#[derive(Debug, Clone, Copy)]
struct Shape {
    strategy: StrategyKind,
    region: Region,
    peer: Peer,
    reckoned: Reckoned,
}

/// A node of a [`SimulatedNetwork`], which publishes and finds with one strategy. Its operations are drawn from the network's seed, its
/// place, and how many it has made.
#[derive(Debug)]
pub struct SimulatedNode {
    network: Arc<SimulatedNetwork>,
    place: usize,
    shape: Shape,
    lasting: Arc<Mutex<Option<Lasting>>>,
    made: AtomicU32,
    reports: mpsc::Sender<FollowUp>,
    follow_ups: tokio::sync::Mutex<mpsc::Receiver<FollowUp>>,
    stopped: watch::Sender<bool>,
}

impl SimulatedNode {
    fn new(network: &Arc<SimulatedNetwork>, place: usize, shape: Shape, lasting: Option<Lasting>) -> Self {
        let (reports, follow_ups) = mpsc::channel(FOLLOW_UPS);
        Self {
            network: Arc::clone(network),
            place,
            shape,
            lasting: Arc::new(Mutex::new(lasting)),
            made: AtomicU32::new(0),
            reports,
            follow_ups: tokio::sync::Mutex::new(follow_ups),
            stopped: watch::Sender::new(false),
        }
    }

    /// Its peer id.
    pub fn peer_id(&self) -> String {
        self.network.names.node(u64::from(self.shape.peer.index))
    }

    /// Where it stands.
    pub fn region(&self) -> Region {
        self.shape.region
    }

    /// The next operation on a key: what to call to have it done.
    fn operation(&self, cid: &Cid) -> Operation {
        let Shape { strategy, peer, .. } = self.shape;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let target = Key::of(&cid.multihash());
        let Self { place, network, .. } = self;
        let names = network.names;
        let began = Began { network: network.clock.now(), node: network.clock.age() };
        Operation { place: *place, strategy, number, target, names, provider: peer, began }
    }

    /// What it finds in its own records, without asking anybody.
    fn own(&self) -> Measured {
        let provider = FoundProvider { peer: self.peer_id(), addresses: Vec::new(), named_by: None };
        let Reckoned { known, size } = self.shape.reckoned;
        let step = OperationKind::Retrieve.wire_step().to_owned();
        let step = Measurement { step, duration: Duration::ZERO, error: None };
        let trace =
            Trace { strategy: self.shape.strategy, returned: Duration::ZERO, requests: Vec::new(), left_out: 0 };
        Measured {
            error: None,
            routing_table_size: known,
            network_size: size,
            steps: vec![step],
            // Zeros, to tell this from a server that does not count.
            effort: Log::default().effort(),
            trace: Some(Arc::new(trace)),
            from_own_records: true,
            providers: vec![provider],
            ..Measured::unmeasured(OutcomeClass::Ok, Duration::ZERO, "")
        }
    }

    /// Reports how a publication ended, when it has.
    fn report_at(&self, at: Instant, follow_up: FollowUp) {
        let (reports, mut stopped) = (self.reports.clone(), self.stopped.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = sleep_until(at) => {}
                // It is cut off, and nobody hears of it.
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            // Whoever does not read them for so long does not want them.
            let _ = reports.try_send(follow_up);
        });
    }
}

/// What an operation is drawn from.
#[derive(Debug, Clone, Copy)]
struct Operation {
    place: usize,
    strategy: StrategyKind,
    number: u32,
    target: Key,
    names: Names,
    provider: Peer,
    began: Began,
}

impl Operation {
    /// Performs it, and tells it. The node goes on from it, if it is one that does.
    fn on<O, T>(
        self,
        field: &Field<'_>,
        node: &Mutex<Option<Lasting>>,
        records: &HashMap<u32, Duration>,
        perform: impl FnOnce(&Scene<'_>) -> Driven<O>,
        tell: impl FnOnce(Told<'_>, &Driven<O>) -> T,
    ) -> T {
        let Self { place, strategy, number, target, names, provider, began } = self;
        let dice = field.dice_of(number, SERVERS + place as u64);
        let vantage = &field.vantages[place];
        let scene = Scene { field, vantage, dice, began: began.network, records, provider, lasting: None };
        let perform = |lasting: Option<&Lasting>| perform(&Scene { lasting, ..scene });
        let driven = go_on(&mut node.lock(), &field.directory, began, perform);
        tell(Told { scene: &scene, strategy, names, target }, &driven)
    }
}

#[async_trait]
impl Dht for SimulatedNode {
    async fn provide(&self, cid: Cid, attempt: Option<AttemptId>) -> Result<Measured, DhtError> {
        let (began, operation, key) = (Instant::now(), self.operation(&cid), cid.multihash());
        let (node, nobody) = (Arc::clone(&self.lasting), HashMap::new());
        let perform = move |scene: &Scene<'_>| publish(scene, operation.strategy, operation.target);
        let (measured, follow_up, written) = self.network.compute(move |field| {
            operation.on(field, &node, &nobody, perform, |told, driven| {
                let follow_up = follow_up(&driven.whole, driven.took, &cid, attempt);
                (told.publication(driven), follow_up, driven.whole.puts())
            })
        })?;
        let held = |(peer, written): (u32, Option<Duration>)| Some((peer, began + written?));
        let holders = written.into_iter().filter_map(held).collect();
        self.network.records.lock().keep(key, Held { by: self.shape.peer, holders });
        if let Some(follow_up) = follow_up {
            self.report_at(began + follow_up.duration + follow_up.confirming, follow_up);
        }
        sleep_until(began + measured.duration).await;
        Ok(measured)
    }

    async fn retrieve(&self, cid: Cid) -> Result<Measured, DhtError> {
        let began = Instant::now();
        let held = self.network.holders(&cid.multihash(), began);
        let (provider, records) = held.unwrap_or((self.shape.peer, HashMap::new()));
        if provider == self.shape.peer && !records.is_empty() {
            return Ok(self.own());
        }
        let operation = Operation { provider, ..self.operation(&cid) };
        let node = Arc::clone(&self.lasting);
        let perform = move |scene: &Scene<'_>| find(scene, operation.strategy, operation.target);
        let measured = self
            .network
            .compute(move |field| operation.on(field, &node, &records, perform, |told, driven| told.lookup(driven)))?;
        sleep_until(began + measured.duration).await;
        Ok(measured)
    }

    async fn readiness(&self) -> Result<Readiness, DhtError> {
        let Reckoned { known, size } = self.shape.reckoned;
        Ok(Readiness::Ready { routing_table_size: known, network_size: size })
    }

    /// It knows who is closest, and who holds what.
    async fn check_record(&self, cid: Cid, provider: String) -> Result<Vec<HolderCheck>, DhtError> {
        let held = self.network.holders(&cid.multihash(), Instant::now());
        let names = self.network.names;
        let held = held.filter(|(by, _)| names.node(u64::from(by.index)) == provider);
        let since = held.map(|(_, since)| since).unwrap_or_default();
        let (target, now) = (Key::of(&cid.multihash()), self.network.clock.now());
        self.network.compute(move |field| {
            let population = field.directory.population;
            let check = |(rank, peer): (u32, Peer)| HolderCheck {
                holder: names.peer(population, peer.index),
                rank,
                answered: true,
                has_record: since.get(&peer.index).is_some_and(Duration::is_zero),
            };
            (1..).zip(population.closest_live(&target, BUCKET, now)).map(check).collect()
        })
    }

    async fn next_follow_up(&self) -> FollowUp {
        match self.follow_ups.lock().await.recv().await {
            Some(follow_up) => follow_up,
            None => std::future::pending().await,
        }
    }

    async fn died(&self) -> String {
        let mut stopped = self.stopped.subscribe();
        let _ = stopped.wait_for(|stopped| *stopped).await;
        "the node was stopped".to_owned()
    }

    async fn stop(&self) {
        self.stopped.send_replace(true);
    }
}

#[cfg(test)]
mod happenings;

#[cfg(test)]
mod tests;
