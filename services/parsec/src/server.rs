//! A measuring server: a DHT node, its HTTP API, its row in the database and its heartbeat, and the recorder of what it
//! learns about its publications later.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use futures::FutureExt;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle, WatchedStore};
use parsec_actors::serving::dht_node::{DhtHandle, DhtNode, StartDht};
use parsec_actors::serving::follow_ups::{Reports, Verify};
use parsec_actors::serving::gateway::{Gateway, Measuring, Routes};
use parsec_actors::serving::heartbeat::{Heartbeat, HeartbeatConfig};
use parsec_actors::serving::verifier::{LOOK_DEADLINE, Verifier, VerifierConfig};
use parsec_actors::supervision::stop::{StopStep, StopTimes, stop_in_order};
use parsec_actors::supervision::supervise::Child;
use parsec_api::token::CurrentToken;
use parsec_dht::{Dht, Node, NodeConfig};
use parsec_measure::{Fleet, Share, written_duration};
use parsec_store::{NewNode, ServerPort, Store};
use rustls::ServerConfig;
use tokio::time::Instant;
use tracing::info;

use crate::database;
use crate::place::Place;
use crate::process::{self, Process};
use crate::provenance;

/// What a server needs, resolved and bound.
pub(crate) struct ServerSetup {
    pub(crate) dht: NodeConfig,
    pub(crate) http: TcpListener,
    pub(crate) store: Arc<dyn Store>,
    /// How long to retry if the database does not accept the server's row.
    pub(crate) database_wait: Duration,
    /// Where rows wait to be written.
    pub(crate) backlog: Backlog,
    pub(crate) fleet: Fleet,
    pub(crate) place: Place,
    pub(crate) startup_delay: Duration,
    /// The token that schedulers have to present.
    pub(crate) token: CurrentToken,
    /// The TLS certificate of the HTTP API; `None` is plain HTTP.
    pub(crate) tls: Option<ServerConfig>,
    /// The command line as recorded in the database, with secrets blanked.
    pub(crate) cmd: String,
    /// The share of publications whose records are checked later; with 0 it checks none, not even those of other
    /// servers.
    pub(crate) verify_records: Share,
}

/// A running server. Dropping it stops its actors without an orderly stop.
pub(crate) struct RunningServer {
    dht: Child<DhtNode>,
    gateway: Child<Gateway>,
    heartbeat: Child<Heartbeat>,
    recorder: Child<Recorder>,
    backlog: Arc<Backlog>,
    verifier: Option<Child<Verifier>>,
}

/// Starts a server: first the DHT node, then its row in the database, then the actors around it.
pub(crate) async fn start(process: &Process, setup: ServerSetup) -> anyhow::Result<RunningServer> {
    let ServerSetup { dht: config, http, store, database_wait, backlog, fleet, place, startup_delay, .. } = setup;
    let ServerSetup { token, tls, cmd, verify_records, .. } = setup;
    let Place { cpu, memory_mb, ip, region } = place;
    let http_port = http.local_addr().context("the HTTP socket has no address")?.port();
    let operation_timeout = config.operation_timeout;
    let node = Node::start(config.clone()).await.context("cannot start the DHT node")?;
    let (peer_id, peer_port) = (node.peer_id(), node.port());
    let row = NewNode {
        cpu,
        memory: memory_mb,
        peer_id: peer_id.clone(),
        region: region.clone(),
        cmd,
        fleet: fleet.clone(),
        dependencies: provenance::dependencies(&[
            ("strategy", config.strategy.as_str()),
            // How many connections a node keeps open affects what it measures, so that is recorded, too.
            ("connections", &config.warmth.to_string()),
            ("network", &config.protocols.join(" ")),
            ("alpha", &config.alpha.to_string()),
            ("operation_timeout", &written_duration(config.operation_timeout)),
        ]),
        ip_address: ip,
        server_port: ServerPort::try_from(http_port).context("HTTP port")?,
        peer_port: ServerPort::try_from(peer_port).context("libp2p port")?,
        created_at: Utc::now(),
    };
    let metrics = Arc::clone(&process.metrics);
    let store: Arc<dyn Store> = Arc::new(WatchedStore::new(store, Arc::clone(&metrics)));
    let id = database::register(store.as_ref(), row, database_wait).await.context("cannot register in the database")?;
    info!(node = %id, peer_id, %fleet, region, %ip, http_port, peer_port, "server started");

    // After a crash the new engine listens on the same port, because that port is in the database.
    let restart: StartDht = Arc::new(move || start_again(NodeConfig { listen_port: peer_port, ..config.clone() }));
    metrics.serving(fleet.as_str());
    let backlog = Arc::new(backlog);
    let recording =
        RecorderConfig { store: Arc::clone(&store), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
    let recorder = process.supervise("recorder", Recorder::new(recording));
    let records = RecorderHandle::of(&recorder, Arc::clone(&backlog), Arc::clone(&metrics));
    let verify = (verify_records.get() > 0.0).then(|| Verify {
        share: verify_records,
        fleet: fleet.clone(),
        region: region.clone(),
        provider: peer_id.clone(),
    });
    let reports = Reports {
        node: id,
        fleet: fleet.to_string(),
        recorder: records.clone(),
        metrics: Arc::clone(&metrics),
        verify: verify.clone(),
    };
    let dht = process.supervise("DHT node", DhtNode::new(Arc::new(node), restart).reporting(reports));
    let handle = DhtHandle::of(&dht, operation_timeout);
    let verifier = verify.map(|Verify { fleet, region, .. }| {
        let (readiness, look) = (handle.readiness.clone(), dht.ask(LOOK_DEADLINE));
        let (store, metrics) = (Arc::clone(&store), Arc::clone(&metrics));
        let config = VerifierConfig { store, node: id, fleet, region, readiness, look, recorder: records, metrics };
        process.supervise("verifier", Verifier::new(config))
    });
    let measuring =
        Measuring { dht: handle.clone(), metrics: Arc::clone(&metrics), fleet: fleet.to_string(), peer_id, token };
    let gateway = Gateway::new(Arc::new(http), Routes::measuring(measuring)).with_tls(tls);
    let gateway = process.supervise("gateway", gateway.stopping_within(process.stop_times.requests()));
    let heartbeat = HeartbeatConfig { store, node: id, startup_delay, readiness: handle.readiness, metrics };
    let heartbeat = process.supervise("heartbeat", Heartbeat::new(heartbeat));
    Ok(RunningServer { dht, gateway, heartbeat, recorder, backlog, verifier })
}

fn start_again(config: NodeConfig) -> futures::future::BoxFuture<'static, Result<Arc<dyn Dht>, String>> {
    async move {
        let node = Node::start(config).await.map_err(|error| error.to_string())?;
        Ok(Arc::new(node) as Arc<dyn Dht>)
    }
    .boxed()
}

impl RunningServer {
    /// Stops it in order. The gateway accepts no new connections; while it finishes the current requests, the heartbeat
    /// marks the node offline and the verifier stops. Then the DHT node stops, and its last reports are written.
    pub(crate) async fn stop(&self, times: StopTimes) -> anyhow::Result<()> {
        let began = Instant::now();
        let gateway = StopStep { name: "gateway", ask: self.gateway.ask(times.gateway()) };
        let heartbeat = StopStep { name: "heartbeat", ask: self.heartbeat.ask(times.heartbeat()) };
        let verifier = self.verifier.iter();
        let verifier = verifier.map(|verifier| StopStep { name: "verifier", ask: verifier.ask(times.heartbeat()) });
        let aside = verifier.chain([heartbeat]).collect();
        let dht = StopStep { name: "DHT node", ask: self.dht.ask(times.dht()) };
        let (gateway, aside) = futures::join!(stop_in_order(vec![gateway]), stop_in_order(aside));
        let dht = stop_in_order(vec![dht]).await;
        let recorder = StopStep { name: "recorder", ask: self.recorder.ask(times.recorder(began.elapsed())) };
        let recorder = stop_in_order(vec![recorder]).await;
        process::finished([gateway, aside, dht].concat(), recorder, &self.backlog)
    }
}
