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

use super::happening::{Happening, NetworkClock};
use super::log::Log;
use super::population::{Peer, Population};
use super::scenario::STILL;
use super::tables::BUCKET;
use super::told::{Names, Told, follow_up};
use super::trial::{find, publish};
use super::vantage::{Field, Reckoned, Scene, Vantage};
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
        let shapes = network.compute(move |field| {
            let shape = |(vantage, strategy): (&Vantage, StrategyKind)| {
                let reckoned = field.reckoned(vantage, strategy, Duration::ZERO);
                Shape { strategy, region: vantage.region, peer: vantage.peer, reckoned }
            };
            field.vantages.iter().zip(strategies).map(shape).collect::<Vec<_>>()
        });
        let shapes = shapes.map_err(io::Error::other)?;
        Ok(shapes.into_iter().enumerate().map(|(place, shape)| SimulatedNode::new(&network, place, shape)).collect())
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
    made: AtomicU32,
    reports: mpsc::Sender<FollowUp>,
    follow_ups: tokio::sync::Mutex<mpsc::Receiver<FollowUp>>,
    stopped: watch::Sender<bool>,
}

impl SimulatedNode {
    fn new(network: &Arc<SimulatedNetwork>, place: usize, shape: Shape) -> Self {
        let (reports, follow_ups) = mpsc::channel(FOLLOW_UPS);
        Self {
            network: Arc::clone(network),
            place,
            shape,
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
        let (names, began) = (network.names, network.clock.now());
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
    /// On the clock of the network.
    began: Duration,
}

impl Operation {
    fn on<T>(
        self,
        field: &Field<'_>,
        records: &HashMap<u32, Duration>,
        made: impl FnOnce(&Scene<'_>, Told<'_>) -> T,
    ) -> T {
        let Self { place, strategy, number, target, names, provider, began } = self;
        let dice = field.dice_of(number, SERVERS + place as u64);
        let scene = Scene { field, vantage: &field.vantages[place], dice, began, records, provider };
        made(&scene, Told { scene: &scene, strategy, names, target })
    }
}

#[async_trait]
impl Dht for SimulatedNode {
    async fn provide(&self, cid: Cid, attempt: Option<AttemptId>) -> Result<Measured, DhtError> {
        let (began, operation, key) = (Instant::now(), self.operation(&cid), cid.multihash());
        let (measured, follow_up, written) = self.network.compute(move |field| {
            operation.on(field, &HashMap::new(), |scene, told| {
                let driven = publish(scene, operation.strategy, operation.target);
                let follow_up = follow_up(&driven.whole, driven.took, &cid, attempt);
                (told.publication(&driven), follow_up, driven.whole.puts())
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
        let measured = self.network.compute(move |field| {
            operation.on(field, &records, |scene, told| told.lookup(&find(scene, operation.strategy, operation.target)))
        })?;
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
mod tests {
    use parsec_measure::{Content, Effort, RequestEnd, RequestKind, TracedRequest};
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::testing::world;
    use super::*;

    const STRATEGIES: [StrategyKind; 3] = [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt];

    /// Two nodes of each strategy.
    fn nodes(seed: u64) -> Vec<SimulatedNode> {
        let two_of_each: Vec<_> = STRATEGIES.iter().flat_map(|strategy| [*strategy; 2]).collect();
        SimulatedNetwork::start(&world(400), seed, &two_of_each, None).unwrap()
    }

    fn key(number: u64) -> Cid {
        Content::random(&mut StdRng::seed_from_u64(number)).cid()
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_node_publishes_a_node_in_another_region_finds_and_both_take_their_time() {
        for pair in nodes(1).chunks(2) {
            let [publisher, finder] = pair else { panic!("two of each") };
            let began = Instant::now();
            let published = publisher.provide(key(1), None).await.unwrap();
            assert_eq!((published.class, published.error.clone()), (OutcomeClass::Ok, None));
            let passed = began.elapsed();
            assert!(passed.abs_diff(published.duration) <= Duration::from_millis(1), "{passed:?}");
            let found = finder.retrieve(key(1)).await.unwrap();
            assert_eq!(found.class, OutcomeClass::Ok);
            let provider = &found.providers[0];
            assert_eq!(provider.peer, publisher.peer_id());
            let trace = found.trace.unwrap();
            let named_by: Vec<_> = trace.named().into_iter().map(|named| named.named_by).collect();
            assert!(named_by.contains(&provider.named_by));
            assert_ne!(publisher.region(), finder.region());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trace_can_be_true_and_says_what_the_result_counts() {
        for node in nodes(2) {
            for number in 0..20 {
                let provided = node.provide(key(number), None).await.unwrap();
                let looked_up = node.retrieve(key(1_000 + number)).await.unwrap();
                for measured in [provided, looked_up] {
                    let trace = measured.trace.unwrap();
                    assert_eq!(trace.disorder(), None);
                    assert_eq!(trace.returned, measured.duration);
                    let count = |wanted: &dyn Fn(&TracedRequest) -> bool| {
                        u32::try_from(trace.requests.iter().filter(|request| wanted(request)).count()).unwrap()
                    };
                    let failed = count(&|request| request.written.is_some() && request.end.is_failure());
                    assert_eq!(measured.effort.rpcs, Some(count(&|request| request.written.is_some())));
                    assert_eq!(measured.effort.rpcs_failed, Some(failed));
                    let stored = count(&|request| {
                        request.kind == RequestKind::AddProvider && request.end == RequestEnd::Answered
                    });
                    assert_eq!(measured.effort.holders_stored.unwrap_or(0), stored);
                    let confirmed = count(&|request| request.confirmed.is_some());
                    assert_eq!(measured.effort.holders_confirmed.unwrap_or(0), confirmed);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_published_is_not_found_and_what_a_node_published_itself_it_knows_at_once() {
        let nodes = nodes(3);
        let missed = nodes[0].retrieve(key(1)).await.unwrap();
        assert_eq!((missed.class, missed.error.as_deref()), (OutcomeClass::NotFound, Some("not found")));
        nodes[0].provide(key(1), None).await.unwrap();
        let own = nodes[0].retrieve(key(1)).await.unwrap();
        assert!(own.from_own_records && own.duration.is_zero());
        assert_eq!((own.effort.rpcs, own.effort.dials, own.effort.holders_stored), (Some(0), Some(0), None));
        assert_eq!(own.trace.as_ref().map(|trace| trace.requests.len()), Some(0));
        let peer = nodes[0].peer_id();
        let checked = nodes[1].check_record(key(1), peer.clone()).await.unwrap();
        assert_eq!(checked.iter().map(|check| check.rank).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
        assert!(checked.iter().filter(|check| check.has_record).count() > 10, "{checked:?}");
        assert!(nodes[1].check_record(key(2), peer).await.unwrap().iter().all(|check| !check.has_record));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_publication_is_reported_when_it_has_come_with_all_holders_and_who_confirmed() {
        let mut unconfirmed = 0;
        for (node, number) in nodes(4).iter().flat_map(|node| (0..10).map(move |number| (node, number))) {
            let (attempt, began) = (Some(AttemptId::fresh()), Instant::now());
            let measured = node.provide(key(number), attempt).await.unwrap();
            let follow_up = node.next_follow_up().await;
            let passed = began.elapsed();
            let over = follow_up.duration + follow_up.confirming;
            assert!(passed.abs_diff(over) <= Duration::from_millis(1), "{passed:?}, {follow_up:?}");
            assert!(follow_up.confirming <= Duration::from_secs(10), "{follow_up:?}");
            let (by_then, confirmed) = (measured.effort.holders_confirmed.unwrap(), follow_up.confirmed.unwrap());
            assert!(by_then <= confirmed && confirmed > 10 && confirmed <= follow_up.stored, "{follow_up:?}");
            unconfirmed += follow_up.stored - confirmed;
            // The last to be given up is what was waited for.
            assert!(confirmed == follow_up.stored || follow_up.confirming > Duration::ZERO, "{follow_up:?}");
            assert_eq!((follow_up.attempt, follow_up.pending), (attempt, Some(0)));
            let Effort { holders_stored, holders_failed, holders_pending, .. } = measured.effort;
            let chosen = holders_stored.unwrap() + holders_failed.unwrap() + holders_pending.unwrap();
            assert_eq!(follow_up.stored + follow_up.failed, chosen);
            assert!(follow_up.stored >= holders_stored.unwrap());
        }
        assert!(unconfirmed > 0, "silent peers are written to, and confirm nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_of_a_node_is_the_same_whatever_others_do_meanwhile() {
        let [alone, among_others] = [nodes(5), nodes(5)];
        let first = alone[2].provide(key(1), None).await.unwrap();
        let (same, _, _) = tokio::join!(
            among_others[2].provide(key(1), None),
            among_others[3].provide(key(2), None),
            among_others[4].retrieve(key(1))
        );
        assert_eq!(same.unwrap(), first);
        let again = alone[2].provide(key(1), None).await.unwrap();
        assert_ne!(again.duration, first.duration, "the next operation meets other moods");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_node_is_over_and_reports_nothing_more() {
        let node = &nodes(6)[0];
        node.provide(key(1), None).await.unwrap();
        node.stop().await;
        assert_eq!(node.died().await, "the node was stopped");
    }

    #[test]
    fn only_the_newest_keys_are_remembered() {
        let mut records = Records::default();
        for number in 0..KEYS as u64 + 10 {
            let by = Peer::new(0, Key::of(b"node"));
            records.keep(number.to_be_bytes().to_vec(), Held { by, holders: HashMap::new() });
        }
        assert_eq!((records.held.len(), records.order.len()), (KEYS, KEYS));
        assert!(!records.held.contains_key(9_u64.to_be_bytes().as_slice()));
        assert!(records.held.contains_key(10_u64.to_be_bytes().as_slice()));
    }
}
