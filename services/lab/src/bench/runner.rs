//! Runs the operations of one strategy on a local network of its own, and notes what came of each.
//!
//! In memory, everything runs on one thread whose clock stands still while there is work to do and jumps to the next
//! event when there is none: a delay costs no time, and what is measured does not depend on the machine. What arrives in
//! the same moment is taken in turns, so that a seed gives the same figures in every run. A few limits within libp2p stay on
//! the real clock (10 s to negotiate a stream, and for a peer to answer libp2p's own lookups): only a process that is stopped
//! for as long feels them. Over TCP and QUIC, the clock is the real one.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parsec_dht::{Dht, Identity, Node, NodeConfig, Readiness};
use parsec_measure::{Cid, Content, Effort, Latency, Measured, RequestKind, StrategyKind};
use parsec_results::bench::BenchOperation;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::plan::{BenchError, BenchPlan};
use crate::{LocalConfig, LocalNetwork, LocalPeer, LocalTransport, Observer, Region, Turns};

/// How many peers shall hold a record (k of the specification).
pub(super) const HOLDERS: usize = 20;

/// How long a node may take until it can measure, on the clock of the run.
const READY_TIMEOUT: Duration = Duration::from_secs(300);

/// How often it is looked whether it can.
pub(super) const READY_POLL: Duration = Duration::from_millis(50);

/// How long a peer takes to put away a record that has come in, generously: on a virtual clock, none at all.
const ARRIVAL: Duration = Duration::from_millis(1);

/// How long the background of a publication may take to end: longer than its own limit.
const FOLLOW_UP_TIMEOUT: Duration = Duration::from_secs(120);

/// What one strategy did on one network: its publications and its searches.
pub(super) type Operations = (Vec<BenchOperation>, Vec<BenchOperation>);

/// Runs all operations of one strategy on the network of `seed` to their end, or until `stop` is set. `done` hears of each pair of
/// publication and search.
pub(super) fn run(
    plan: &BenchPlan,
    seed: u64,
    strategy: StrategyKind,
    stop: &AtomicBool,
    done: &impl Fn(),
) -> Result<Operations, BenchError> {
    on_its_clock(plan.transport, async |turns| match Bench::start(plan, seed, strategy, turns, stop).await? {
        Some(mut bench) => bench.run(plan.operations, stop, done).await,
        None => Ok(Operations::default()),
    })
}

/// Does this work on a runtime of its own, whose clock is virtual if the peers are connected in memory.
pub(super) fn on_its_clock<T>(
    transport: LocalTransport,
    work: impl AsyncFnOnce(Turns) -> Result<T, BenchError>,
) -> Result<T, BenchError> {
    let mut builder = match transport {
        LocalTransport::Memory => tokio::runtime::Builder::new_current_thread(),
        LocalTransport::Tcp | LocalTransport::Quic => tokio::runtime::Builder::new_multi_thread(),
    };
    let (builder, turns) = (builder.enable_all(), Turns::default());
    if transport == LocalTransport::Memory {
        let idle = turns.clone();
        builder.start_paused(true).on_thread_park(move || idle.next());
    }
    let runtime = builder.build().map_err(BenchError::Runtime)?;
    let done = runtime.block_on(work(turns));
    // Peers that are being dropped have nothing to say that would be worth waiting for.
    runtime.shutdown_background();
    done
}

/// A network, and the nodes that measure on it.
pub(super) struct Bench {
    seed: u64,
    pub(super) network: LocalNetwork,
    observer: Observer,
    pub(super) publisher: Node,
    finder: Node,
    pub(super) round_trip: Duration,
    pub(super) rng: StdRng,
}

impl Bench {
    /// Starts the network and the nodes that measure; `None` if it is told to stop meanwhile.
    pub(super) async fn start(
        plan: &BenchPlan,
        seed: u64,
        strategy: StrategyKind,
        turns: Turns,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, BenchError> {
        // Peers and nodes must not draw the same numbers: they would have the same keys.
        let mut rng = StdRng::seed_from_u64(seed);
        let network_seed = rng.random();
        let shape = LocalConfig {
            peers: plan.peers,
            seed: network_seed,
            transport: plan.transport,
            latency: Latency::Fixed(plan.rtt),
            undialable: plan.undialable,
            silent: plan.silent,
            ..LocalConfig::default()
        };
        let network = match plan.transport {
            LocalTransport::Memory => LocalNetwork::start_in_turns(shape, turns).await?,
            LocalTransport::Tcp | LocalTransport::Quic => LocalNetwork::start(shape).await?,
        };
        let observer = network.observer()?;
        let [publisher, finder] = [node(plan, strategy, &network, &mut rng), node(plan, strategy, &network, &mut rng)];
        // One after the other: on a real clock they would slow each other down.
        let Some(publisher) = ready(publisher, stop).await? else { return Ok(None) };
        let Some(finder) = ready(finder, stop).await? else { return Ok(None) };
        let round_trip = plan.rtt;
        Ok(Some(Self { seed, network, observer, publisher, finder, round_trip, rng }))
    }

    async fn run(&mut self, operations: u32, stop: &AtomicBool, done: &impl Fn()) -> Result<Operations, BenchError> {
        let mut all = Operations::default();
        for number in 0..operations {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let [provided, found] = self.once(number).await?;
            all.0.push(provided);
            all.1.push(found);
            done();
        }
        Ok(all)
    }

    /// One publication and the search for it.
    async fn once(&mut self, number: u32) -> Result<[BenchOperation; 2], BenchError> {
        let cid = Content::random(&mut self.rng).cid();
        let provided = self.publisher.provide(cid.clone(), None).await?;
        let closest = self.network.closest_live(&cid.multihash(), HOLDERS);
        // What was written when the publication returned is on its way; what is written from now on arrives later.
        sleep(self.round_trip / 2 + ARRIVAL).await;
        let at_return = self.holders(&cid, &closest).await;
        let found = self.finder.retrieve(cid.clone()).await?;
        let in_the_end = self.holders_in_the_end(&cid, &closest, &provided).await?;
        let closest_found = found_all(&provided, &closest);
        Ok([
            BenchOperation {
                holders_at_return: Some(at_return),
                holders_final: Some(in_the_end),
                closest_found,
                ..self.operation(number, &provided)
            },
            self.operation(number, &found),
        ])
    }

    fn operation(&self, number: u32, measured: &Measured) -> BenchOperation {
        BenchOperation {
            network: self.seed,
            number,
            region: None,
            class: measured.class,
            duration: measured.duration,
            effort: measured.effort,
            network_size: measured.network_size,
            holders_at_return: None,
            holders_final: None,
            holders_left: None,
            closest_found: None,
        }
    }

    /// How many of these peers hold the record of this key.
    pub(super) async fn holders(&self, cid: &Cid, closest: &[LocalPeer]) -> u32 {
        let holders = self.observer.holders(&cid.multihash(), &self.publisher.peer_id(), closest).await;
        u32::try_from(holders).unwrap_or(u32::MAX)
    }

    /// Once nothing of the publication is under way any more, on a wire or in the background.
    async fn holders_in_the_end(
        &self,
        cid: &Cid,
        closest: &[LocalPeer],
        provided: &Measured,
    ) -> Result<u32, BenchError> {
        // Every publication that sent its record to anybody is reported in the end.
        let Effort { holders_stored, holders_failed, holders_pending, .. } = provided.effort;
        if [holders_stored, holders_failed, holders_pending].into_iter().flatten().sum::<u32>() > 0 {
            let waiting = tokio::time::timeout(FOLLOW_UP_TIMEOUT, self.publisher.next_follow_up()).await;
            let follow_up = waiting.map_err(|_| BenchError::NoFollowUp)?;
            if follow_up.cid != cid.to_string() {
                return Err(BenchError::FollowUpOfAnother { reported: follow_up.cid, expected: cid.to_string() });
            }
        }
        // A record that was written has still to arrive: half a round trip, and room for a slow machine.
        sleep(self.round_trip.max(READY_POLL)).await;
        Ok(self.holders(cid, closest).await)
    }
}

/// 1 if the lookup passed over no live peer that is closer to the key than the farthest live one that it chose for a
/// record; else 0. Dead peers take places among those chosen, so that fewer than 20 of the live ones are.
fn found_all(provided: &Measured, closest: &[LocalPeer]) -> Option<f64> {
    let trace = provided.trace.as_ref()?;
    let puts = trace.requests.iter().filter(|request| request.kind == RequestKind::AddProvider);
    let chosen: HashSet<&str> = puts.map(|request| request.peer.as_str()).collect();
    let is_chosen: Vec<bool> = closest.iter().map(|peer| chosen.contains(peer.peer_id().as_str())).collect();
    let live = is_chosen.iter().filter(|chosen| **chosen).count();
    let all = live > 0 && is_chosen.iter().take(live).all(|chosen| *chosen);
    Some(if all { 1.0 } else { 0.0 })
}

fn node(plan: &BenchPlan, strategy: StrategyKind, network: &LocalNetwork, rng: &mut StdRng) -> NodeConfig {
    let mut secret = [0; 32];
    rng.fill_bytes(&mut secret);
    NodeConfig {
        identity: Identity::from_seed(secret),
        strategy,
        alpha: plan.alpha,
        cold: !plan.warm,
        ..network.newcomer(Region::ALL[0])
    }
}

/// A node that can measure; `None` if it is told to stop before.
async fn ready(config: NodeConfig, stop: &AtomicBool) -> Result<Option<Node>, BenchError> {
    let node = Node::start(config).await?;
    let started = Instant::now();
    while let Readiness::NotReady(reason) = node.readiness().await? {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if started.elapsed() >= READY_TIMEOUT {
            return Err(BenchError::NotReady { limit: READY_TIMEOUT, reason });
        }
        sleep(READY_POLL).await;
    }
    Ok(Some(node))
}
