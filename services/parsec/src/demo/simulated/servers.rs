//! The servers of a simulated network: a DHT node and a heartbeat each, and one recorder for what they learn later.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt;
use futures::future::join_all;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle, WatchedStore};
use parsec_actors::serving::dht_node::{DhtHandle, DhtNode, StartDht};
use parsec_actors::serving::follow_ups::Reports;
use parsec_actors::serving::heartbeat::{Heartbeat, HeartbeatConfig};
use parsec_actors::serving::same_process::SameProcess;
use parsec_actors::supervision::stop::{StopStep, StopTimes, stop_in_order};
use parsec_actors::supervision::supervise::Child;
use parsec_dht::Dht;
use parsec_lab::field::{Happening, OPERATION_LIMIT, SimulatedNetwork, SimulatedNode, World};
use parsec_measure::{Endpoint, clock, written_duration};
use parsec_results::run::{digest, simulated};
use parsec_settings::DemoFleet;
use parsec_store::{NewNode, ServerPort, Store};
use tokio::time::Instant;

use crate::place::Place;
use crate::process::{self, Process};
use crate::provenance;

/// Where the rows have the servers: an address for documentation (RFC 5737), at which nobody can be called by mistake.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Which servers stand in which network.
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    pub(super) happens: Option<&'a Happening>,
    pub(super) seed: u64,
    pub(super) fleets: &'a [DemoFleet],
    /// How many each fleet has.
    pub(super) servers: usize,
}

/// Running servers. Dropping them stops their actors without an orderly stop.
pub(super) struct Servers {
    all: Vec<(Child<Heartbeat>, Child<DhtNode>)>,
    recorder: Child<Recorder>,
    backlog: Arc<Backlog>,
}

/// What all servers share.
struct Shared<'a> {
    process: &'a Process,
    store: Arc<dyn Store>,
    recorder: RecorderHandle,
}

impl Stage<'_> {
    /// Starts the servers. Returns them, and how schedulers ask them.
    pub(super) async fn start(
        &self,
        process: &Process,
        store: &Arc<dyn Store>,
    ) -> anyhow::Result<(Servers, SameProcess)> {
        let (metrics, backlog) = (Arc::clone(&process.metrics), Arc::new(Backlog::default()));
        let store: Arc<dyn Store> = Arc::new(WatchedStore::new(Arc::clone(store), Arc::clone(&metrics)));
        let recording =
            RecorderConfig { store: Arc::clone(&store), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
        let recorder = process.supervise("recorder", Recorder::new(recording));
        let shared = Shared { process, store, recorder: RecorderHandle::of(&recorder, Arc::clone(&backlog), metrics) };

        // Fleet by fleet in turn, so that all of them stand in the same regions.
        let of_fleets: Vec<_> = self.fleets.iter().flat_map(|fleet| vec![fleet; self.servers]).collect();
        let strategies: Vec<_> = of_fleets.iter().map(|fleet| fleet.strategy).collect();
        let nodes = SimulatedNetwork::start(self.world, self.seed, &strategies, self.happens)
            .context("cannot draw the network")?;
        let (mut all, mut asked) = (Vec::new(), SameProcess::default());
        for ((port, fleet), node) in (1..).zip(of_fleets).zip(nodes) {
            all.push(self.server(&shared, fleet, Arc::new(node), port, &mut asked).await?);
        }
        Ok((Servers { all, recorder, backlog }, asked))
    }

    async fn server(
        &self,
        Shared { process, store, recorder }: &Shared<'_>,
        DemoFleet { fleet, strategy }: &DemoFleet,
        node: Arc<SimulatedNode>,
        port: u16,
        asked: &mut SameProcess,
    ) -> anyhow::Result<(Child<Heartbeat>, Child<DhtNode>)> {
        let (Place { cpu, memory_mb, .. }, peer_id) = (Place::here(), node.peer_id());
        let (network, world) = (simulated(&self.world.name), digest(&self.world.text()));
        let (seed, alpha, limit) =
            (self.seed.to_string(), self.world.alpha().to_string(), written_duration(OPERATION_LIMIT));
        let mut says = vec![
            ("strategy", strategy.as_str()),
            ("network", network.as_str()),
            ("world", world.as_str()),
            ("seed", seed.as_str()),
            ("alpha", alpha.as_str()),
            ("operation_timeout", limit.as_str()),
        ];
        says.extend(self.happens.map(|happens| ("scenario", happens.scenario.name.as_str())));
        let row = NewNode {
            cpu,
            memory: memory_mb,
            peer_id: peer_id.clone(),
            region: node.region().to_string(),
            cmd: format!("parsec demo --world {}", self.world.name),
            fleet: fleet.clone(),
            dependencies: provenance::dependencies(&says),
            ip_address: NOWHERE,
            server_port: ServerPort::try_from(port)?,
            peer_port: ServerPort::try_from(port)?,
            created_at: clock::now(),
        };
        let id = store.register_node(row).await.context("cannot register in the database")?;
        let metrics = Arc::clone(&process.metrics);
        let reports = Reports {
            node: id,
            fleet: fleet.to_string(),
            recorder: recorder.clone(),
            metrics: Arc::clone(&metrics),
            verify: None,
        };
        let engine: Arc<dyn Dht> = node;
        let again = Arc::clone(&engine);
        let restart: StartDht = Arc::new(move || {
            let engine = Arc::clone(&again);
            async move { Ok(engine) }.boxed()
        });
        let dht = process.supervise("DHT node", DhtNode::new(engine, restart).reporting(reports));
        let handle = DhtHandle::of(&dht, OPERATION_LIMIT);
        asked.add(Endpoint::new(NOWHERE, port), handle.clone(), peer_id);
        let heartbeat = HeartbeatConfig {
            store: Arc::clone(store),
            node: id,
            startup_delay: Duration::ZERO,
            readiness: handle.readiness,
            metrics,
        };
        Ok((process.supervise("heartbeat", Heartbeat::new(heartbeat)), dht))
    }
}

impl Servers {
    /// Stops them in order: the nodes go offline, then their last reports are written.
    pub(super) async fn stop(&self, times: StopTimes) -> anyhow::Result<()> {
        let began = Instant::now();
        let steps = self.all.iter().map(|(heartbeat, dht)| {
            stop_in_order(vec![
                StopStep { name: "heartbeat", ask: heartbeat.ask(times.heartbeat()) },
                StopStep { name: "DHT node", ask: dht.ask(times.dht()) },
            ])
        });
        let undone = join_all(steps).await.concat();
        let recorder = StopStep { name: "recorder", ask: self.recorder.ask(times.recorder(began.elapsed())) };
        let recorder = stop_in_order(vec![recorder]).await;
        process::finished(undone, recorder, &self.backlog)
    }
}
