//! `parsec demo`: a local DHT of real peers, real servers, a scheduler and a database, in one process.
//!
//! Only the processes are saved: each server has its own libp2p peer, its own HTTP API on its own port
//! and its own row in the database, and the scheduler finds and calls them as it would across the world.

mod board;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use anyhow::{Context as _, bail};
use parsec_actors::fleet::RoundFinished;
use parsec_api::client::{HttpClient, Timeouts};
use parsec_dht::{Identity, LOCAL_PROTOCOL, LocalConfig, LocalNetwork, LocalTransport, NodeConfig};
use parsec_measure::{ACTIVE_WITHIN, Fleet, FleetGroup, Share};
use parsec_store::{Store, StoreConfig};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::warn;

use self::board::Board;
use crate::config::{DemoConfig, HostPort};
use crate::database;
use crate::process::{self, Process};
use crate::scheduler::{self, SchedulerSetup};
use crate::server::{self, RunningServer, ServerSetup};

/// The fleet that the servers are in.
const FLEET: &str = "default";

/// Where ProbeLab's servers stand; the demonstration borrows the names.
const REGIONS: [&str; 7] =
    ["eu-central-1", "us-east-2", "ap-southeast-2", "sa-east-1", "af-south-1", "us-west-1", "me-south-1"];

/// How long the servers may take until all of them can measure.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// How often it is looked whether they can.
const READY_POLL: Duration = Duration::from_millis(50);

/// How long one publication or search may take: on one machine, nothing takes a tenth of it.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Of how many ordinary operations the trace is kept: as many as a scheduler does by itself.
const TRACE_SAMPLE: Share = Share::new(0.01).expect("a hundredth is a share");

/// How many rounds may wait to be shown.
const ROUNDS_WAITING: usize = 64;

/// Runs the demonstration to its end: the number of rounds asked for, or a signal.
pub(crate) async fn run(config: DemoConfig) -> anyhow::Result<()> {
    raise_file_limit();
    let process = Process::start()?;
    let mut board = Board::new(config.format, Board::can_be_live());
    let mut running = Running::default();
    let ended = tokio::select! {
        ended = process.wait_for_end() => ended,
        ended = play(&process, &config, &mut board, &mut running) => ended,
    };
    let stopped = running.stop().await;
    board.conclude()?;
    ended.and(stopped)
}

/// What has been started so far, to be stopped whatever happens.
#[derive(Default)]
struct Running {
    network: Option<LocalNetwork>,
    servers: Vec<RunningServer>,
    scheduler: Option<scheduler::RunningScheduler>,
}

impl Running {
    async fn stop(self) -> anyhow::Result<()> {
        let scheduler = match &self.scheduler {
            Some(scheduler) => scheduler.stop().await,
            None => Ok(()),
        };
        let servers = self.servers.iter().map(RunningServer::stop);
        let servers: anyhow::Result<Vec<()>> = futures::future::join_all(servers).await.into_iter().collect();
        drop(self.network);
        scheduler.and(servers.map(|_| ()))
    }
}

async fn play(process: &Process, config: &DemoConfig, board: &mut Board, running: &mut Running) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut rng = config.seed.map_or_else(|| StdRng::from_rng(&mut rand::rng()), StdRng::seed_from_u64);
    let (store, file) = open_store(config.data_dir.as_deref()).await?;
    board.announce(&format!("measurements go to {}", file.display()))?;

    let local = LocalConfig { peers: config.peers as usize, seed: rng.random(), transport: LocalTransport::Tcp };
    let network = running.network.insert(LocalNetwork::start(local).await?);
    let seconds = started.elapsed().as_secs_f64();
    board.say(format!("local DHT of {} peers is up after {seconds:.1} s", network.len()))?;

    let fleet: Fleet = FLEET.parse().expect("the demo's fleet has a valid name");
    for index in 0..config.servers as usize {
        let setup = server_setup(index, network, &fleet, Arc::clone(&store), &mut rng)?;
        running.servers.push(server::start(process, setup).await?);
    }
    board.say(format!("{} servers fill their routing tables", config.servers))?;
    wait_until_offered(store.as_ref(), &fleet, config.servers as usize).await?;
    let seconds = started.elapsed().as_secs_f64();
    board.say(format!("{} servers are ready after {seconds:.1} s, the first round begins", config.servers))?;

    let (watcher, mut rounds) = Watcher::new();
    let timeouts = Timeouts { operation: OPERATION_TIMEOUT + Duration::from_secs(10), ..Timeouts::default() };
    running.scheduler = Some(scheduler::start(
        process,
        SchedulerSetup {
            store,
            servers: Arc::new(HttpClient::new(timeouts).context("cannot set up the HTTP client")?),
            groups: vec![FLEET.parse::<FleetGroup>().expect("the demo's fleet has a valid name")],
            interval: config.interval,
            probes: 1,
            trace_sample: TRACE_SAMPLE,
            seed: Some(rng.random()),
            watcher: Some(watcher.start().recipient()),
        },
    ));
    let mut shown = 0;
    while config.rounds.is_none_or(|rounds| shown < rounds) {
        let finished = rounds.recv().await.context("the rounds ended by themselves")?;
        board.show(&finished)?;
        shown += 1;
    }
    Ok(())
}

fn server_setup(
    index: usize,
    network: &LocalNetwork,
    fleet: &Fleet,
    store: Arc<dyn Store>,
    rng: &mut StdRng,
) -> anyhow::Result<ServerSetup> {
    let http = process::bind("HTTP API", &HostPort { host: "127.0.0.1".to_owned(), port: 0 })?;
    let (localhost, mut secret) = (http.local_addr().context("the HTTP socket has no address")?.ip(), [0; 32]);
    rng.fill_bytes(&mut secret);
    Ok(ServerSetup {
        dht: NodeConfig {
            identity: Identity::from_seed(secret),
            listen_ip: localhost,
            listen_port: 0,
            external_addresses: Vec::new(),
            protocol: LOCAL_PROTOCOL.to_owned(),
            bootstrap: network.bootstrap(),
            server_mode: false,
            alpha: 10,
            operation_timeout: OPERATION_TIMEOUT,
        },
        http,
        store,
        fleet: fleet.clone(),
        region: REGIONS[index % REGIONS.len()].to_owned(),
        advertised_ip: localhost,
        startup_delay: Duration::ZERO,
        cmd: "parsec demo".to_owned(),
    })
}

async fn open_store(data_dir: Option<&Path>) -> anyhow::Result<(Arc<dyn Store>, PathBuf)> {
    let fresh = || std::env::temp_dir().join(format!("parsec-demo-{}", std::process::id()));
    let directory = data_dir.map_or_else(fresh, Path::to_path_buf);
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let path = directory.join("parsec.db");
    let store = database::open(&StoreConfig::Sqlite { path: path.clone() }, Duration::ZERO).await?;
    Ok((store, path))
}

/// Waits until schedulers would find all servers in the database.
async fn wait_until_offered(store: &dyn Store, fleet: &Fleet, servers: usize) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let offered = store.active_nodes(std::slice::from_ref(fleet), chrono::Utc::now() - ACTIVE_WITHIN).await?.len();
        if offered >= servers {
            return Ok(());
        }
        if started.elapsed() > READY_TIMEOUT {
            bail!("{offered} of {servers} servers are ready after {} s", READY_TIMEOUT.as_secs());
        }
        sleep(READY_POLL).await;
    }
}

/// Each peer and each connection is an open file of this one process: take as many as the system grants.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        warn!(%error, "the limit of open files stays as it is");
    }
}

/// Passes rounds from the scheduler on to the board.
struct Watcher {
    rounds: mpsc::Sender<RoundFinished>,
}

impl Watcher {
    fn new() -> (Self, mpsc::Receiver<RoundFinished>) {
        let (rounds, receiver) = mpsc::channel(ROUNDS_WAITING);
        (Self { rounds }, receiver)
    }
}

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<RoundFinished> for Watcher {
    type Result = ();

    fn handle(&mut self, finished: RoundFinished, _: &mut Self::Context) {
        if let Err(error) = self.rounds.try_send(finished) {
            warn!(%error, "a round is not shown");
        }
    }
}
