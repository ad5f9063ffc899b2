//! `parsec demo`: a local DHT of real peers, three fleets of real servers, their schedulers and a database, in one process.
//!
//! The only difference to a deployment is that everything runs in one process: each server has its own libp2p peer, its
//! own HTTP API on its own port and its own row in the database, and the scheduler finds and calls it as it would over
//! the internet.

mod board;
mod directory;
mod rounds;
mod simulated;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use anyhow::Context as _;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parsec_actors::recording::recorder::Backlog;
use parsec_actors::scheduling::fleet::RoundFinished;
use parsec_actors::supervision::stop::StopTimes;
use parsec_actors::supervision::supervise::Child;
use parsec_actors::telemetry::Telemetry;
use parsec_actors::telemetry::metrics::Role;
use parsec_api::client::{HttpClient, Timeouts};
use parsec_api::token::CurrentToken;
use parsec_host::memory;
use parsec_lab::world::{OPERATION_TIMEOUT, World, WorldPlan};
use parsec_lab::{LocalConfig, Region};
use parsec_measure::{Fleet, FleetGroup, Share};
use parsec_output as output;
use parsec_results::run::{REAL, Run};
use parsec_store::{SpoolLimits, Store, StoreConfig};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use self::board::{Board, Live};
use self::directory::{DATABASE, open_store};
use self::rounds::{ROUND_LIMIT, TRACE_SAMPLE, Watcher, wait_until_offered};
use crate::exit::Failure;
use crate::page::{PageBeside, PageSetup};
use crate::place::Place;
use crate::process::{self, Process};
use crate::provenance;
use crate::scheduler::{self, SchedulerSetup};
use crate::server::{self, RunningServer, ServerSetup};
use crate::spool;
use parsec_answers::kept::Place as KeptPlace;
use parsec_api::place::HostPort;
use parsec_settings::{DemoConfig, DemoFleet};
use parsec_show::words;

/// What rows that wait may take: they lie beside the database of the demo.
const SPOOL_LIMITS: SpoolLimits = SpoolLimits { bytes: 256 << 20, age: Duration::from_secs(24 * 3_600) };

/// Records are not checked later.
const VERIFY_NONE: Share = Share::new(0.0).expect("nothing is a share");

/// Runs the demonstration to its end: the number of rounds asked for, or a signal.
pub(crate) async fn run(config: DemoConfig) -> anyhow::Result<()> {
    if let Some(rounds) = config.simulated.clone() {
        return simulated::run(config, rounds).await;
    }
    process::raise_file_limit();
    plan(&config, 0).size().fitting(1, memory::available(), "--peers").map_err(Failure::from)?;
    let process = Process::start(Role::Both)?;
    let place = config.save.as_deref().map(|path| KeptPlace::at(path, "--save")).transpose()?;
    let seed = config.seed.unwrap_or_else(|| u64::from(rand::rng().random::<u32>()));
    let mut board = Board::new(config.format, Live::here(), place.is_some(), REAL.to_owned());
    board.announce(&format!("seed {seed}: --seed {seed} makes the same choices again"));
    let telemetry = process::bind("telemetry", &HostPort { host: "127.0.0.1".to_owned(), port: 0 })?;
    let address = telemetry.local_addr().context("the telemetry socket has no address")?;
    board.announce(&format!("how it is doing: http://{address}/status and http://{address}/metrics"));
    let telemetry = process.serve_telemetry(telemetry);
    let mut running = Running::default();
    let ended = tokio::select! {
        // Whoever sets no end means the signal to be one.
        ended = process.wait_for_end() => ended.map(|()| config.rounds.is_none()),
        ended = play((&process, &telemetry.0), &config, seed, &mut board, &mut running) => ended.map(|()| true),
    };
    let database = running.database.take();
    let stopped = running.stop(process.stop_times).await;
    // First, because nobody may read the summary any more; and the summary all the same, because the disk may be full.
    let saved = place.map_or(Ok(()), |place| {
        let (operations, all) = board.take_kept();
        let complete = all && ended.as_ref().is_ok_and(|complete| *complete);
        let mut run = Run::new("demo", (provenance::VERSION, provenance::COMMIT), seed, settings(&config));
        (run.complete, run.operations) = (complete, operations);
        place.write(&run.text())
    });
    board.conclude(seed, database.as_deref())?;
    if let Some(database) = database {
        output::note(&format!("what was measured stays in {database}: parsec results --database-url {database}"));
    }
    ended.map(drop).and(stopped).and(saved)
}

/// The settings that are kept with a run.
fn settings(config: &DemoConfig) -> BTreeMap<String, String> {
    let fleets: Vec<_> = config.fleets.iter().map(ToString::to_string).collect();
    let settings = [
        ("peers", config.peers.to_string()),
        ("servers", config.servers.to_string()),
        ("interval", parsec_measure::written_duration(config.interval)),
        ("latency", config.latency.to_string()),
        ("undialable", config.undialable.get().to_string()),
        ("silent", config.silent.get().to_string()),
        ("fleets", fleets.join(",")),
    ];
    let rounds = config.rounds.map(|rounds| ("rounds", rounds.to_string()));
    settings.into_iter().chain(rounds).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What has been started so far, to be stopped whatever happens.
#[derive(Default)]
struct Running {
    world: Option<World>,
    /// The URL of the database.
    database: Option<String>,
    servers: Vec<RunningServer>,
    /// By the name of their fleet.
    schedulers: BTreeMap<String, scheduler::RunningScheduler>,
    page: Option<PageBeside>,
}

impl Running {
    async fn stop(self, times: StopTimes) -> anyhow::Result<()> {
        let schedulers = self.schedulers.values().map(|scheduler| scheduler.stop(times));
        let schedulers: anyhow::Result<Vec<()>> = futures::future::join_all(schedulers).await.into_iter().collect();
        let servers = self.servers.iter().map(|server| server.stop(times));
        let servers: anyhow::Result<Vec<()>> = futures::future::join_all(servers).await.into_iter().collect();
        PageBeside::stop_any(self.page).await;
        drop(self.world);
        schedulers.and(servers).map(|_| ())
    }
}

async fn play(
    (process, telemetry): (&Process, &Child<Telemetry>),
    config: &DemoConfig,
    seed: u64,
    board: &mut Board,
    running: &mut Running,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut rng = StdRng::seed_from_u64(seed);
    let (store, directory, _in_use) = open_store(config.data_dir.as_deref()).await?;
    forget_servers(store.as_ref(), config).await?;
    running.database = Some(format!("sqlite:{}", directory.join(DATABASE).display()));
    board.announce(&format!("measurements go to {}", directory.join(DATABASE).display()));
    let page = running.page.insert(page(process, telemetry, &directory.join(DATABASE))?).url();
    board.announce(&format!("look at them: {page}"));
    if config.open
        && let Err(error) = open::that_detached(&page)
    {
        warn!(%error, "cannot open a browser: open the page yourself");
    }

    let world = running.world.insert(World::start(plan(config, rng.random())).await?);
    let (seconds, live) = (started.elapsed().as_secs_f64(), world.live_peers());
    board.say(format!("local DHT of {} peers, {live} of them live, is up after {seconds:.1} s", world.peers()));
    for fleet in &config.fleets {
        for region in World::places(config.servers as usize) {
            let setup = server_setup(world, fleet, region, Arc::clone(&store), &mut rng)?;
            running.servers.push(server::start(process, setup).await?);
        }
    }
    let servers = words::count(running.servers.len(), "server", "servers");
    board.say(format!("{servers} of {} join it", words::count(config.fleets.len(), "fleet", "fleets")));

    let (watcher, rounds) = Watcher::new();
    // Fleets are ready in an order that depends on the machine; what they draw does not.
    let seeds = config.fleets.iter().map(|fleet| (fleet.to_string(), rng.random())).collect();
    let schedulers =
        Schedulers { process, config, store, directory, seeds, watcher: watcher.start().recipient(), started };
    schedulers.run(board, running, rounds).await
}

/// Starts the scheduler of each fleet as soon as its servers can measure, and shows the rounds.
struct Schedulers<'a> {
    process: &'a Process,
    config: &'a DemoConfig,
    store: Arc<dyn Store>,
    /// The directory of its data.
    directory: PathBuf,
    /// What each fleet draws from, by its name.
    seeds: BTreeMap<String, u64>,
    watcher: Recipient<RoundFinished>,
    started: Instant,
}

impl Schedulers<'_> {
    async fn run(
        &self,
        board: &mut Board,
        running: &mut Running,
        mut rounds: mpsc::Receiver<RoundFinished>,
    ) -> anyhow::Result<()> {
        let servers = self.config.servers as usize;
        let fleets = self.config.fleets.iter().map(|DemoFleet { fleet, .. }| fleet);
        let mut joining: FuturesUnordered<_> =
            fleets.map(|fleet| wait_until_offered(self.store.as_ref(), fleet, servers)).collect();
        let mut left: BTreeMap<String, Option<u32>> =
            self.config.fleets.iter().map(|fleet| (fleet.to_string(), self.config.rounds)).collect();
        while left.values().any(|rounds| *rounds != Some(0)) {
            tokio::select! {
                Some(ready) = joining.next() => {
                    let fleet = ready?;
                    let seconds = self.started.elapsed().as_secs_f64();
                    board.say(format!("fleet {fleet} is ready after {seconds:.1} s, its first round begins"));
                    let setup = self.setup(fleet).await?;
                    running.schedulers.insert(fleet.to_string(), scheduler::start(self.process, setup));
                }
                finished = rounds.recv() => {
                    let finished = finished.context("the rounds ended by themselves")?;
                    let fleet = finished.group.to_string();
                    // One that began before its scheduler was stopped is one more than were asked for.
                    if left.get(&fleet) == Some(&Some(0)) {
                        continue;
                    }
                    board.show(&finished)?;
                    if let Some(Some(rounds)) = left.get_mut(&fleet) {
                        *rounds = rounds.saturating_sub(1);
                        if *rounds == 0 && let Some(scheduler) = running.schedulers.remove(&fleet) {
                            scheduler.stop(self.process.stop_times).await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn setup(&self, fleet: &Fleet) -> anyhow::Result<SchedulerSetup> {
        let timeouts = Timeouts { operation: OPERATION_TIMEOUT + Duration::from_secs(10), ..Timeouts::default() };
        let database = StoreConfig::Sqlite { path: self.directory.join(DATABASE) };
        Ok(SchedulerSetup {
            store: Arc::clone(&self.store),
            servers: Arc::new(HttpClient::new(timeouts).context("cannot set up the HTTP client")?),
            groups: vec![fleet.as_str().parse::<FleetGroup>().context("a demo's fleet has a valid name")?],
            interval: self.config.interval,
            jitter: Duration::ZERO,
            probes: 1,
            round_limit: ROUND_LIMIT,
            backlog: spool::backlog(Some(&self.directory.join("spool")), SPOOL_LIMITS, true, &database).await,
            trace_sample: TRACE_SAMPLE,
            seed: self.seeds.get(fleet.as_str()).copied(),
            watcher: Some(self.watcher.clone()),
        })
    }
}

/// The page that shows what is measured, for this machine alone.
fn page(process: &Process, telemetry: &Child<Telemetry>, database: &Path) -> anyhow::Result<PageBeside> {
    let setup = PageSetup {
        listener: process::bind("page", &HostPort { host: "127.0.0.1".to_owned(), port: 0 })?,
        database: StoreConfig::Sqlite { path: database.to_owned() },
        token: CurrentToken::default(),
        status: telemetry.ask(process::SCRAPE_DEADLINE),
    };
    PageBeside::start(&process.metrics, setup)
}

fn plan(config: &DemoConfig, seed: u64) -> WorldPlan {
    let network = LocalConfig {
        peers: config.peers as usize,
        seed,
        latency: config.latency,
        undialable: config.undialable.get(),
        silent: config.silent.get(),
        ..LocalConfig::default()
    };
    WorldPlan { network, servers: u64::from(config.servers) * config.fleets.len() as u64 }
}

fn server_setup(
    world: &World,
    DemoFleet { fleet, strategy }: &DemoFleet,
    region: Region,
    store: Arc<dyn Store>,
    rng: &mut StdRng,
) -> anyhow::Result<ServerSetup> {
    let http = process::bind("HTTP API", &HostPort { host: "127.0.0.1".to_owned(), port: 0 })?;
    let localhost = http.local_addr().context("the HTTP socket has no address")?.ip();
    Ok(ServerSetup {
        dht: world.server(region, *strategy, rng),
        http,
        store,
        database_wait: Duration::ZERO,
        // What it learns about its publications later is only a handful of rows, and the database is on the same disk.
        backlog: Backlog::default(),
        fleet: fleet.clone(),
        place: Place { region: region.to_string(), ip: localhost, ..Place::here() },
        startup_delay: Duration::ZERO,
        token: CurrentToken::default(),
        tls: None,
        cmd: "parsec demo".to_owned(),
        // A demonstration is over before a record is an hour old, and checks would disturb its few peers.
        verify_records: VERIFY_NONE,
    })
}

/// Servers of an earlier demonstration in the same directory are gone, even if they could not say so: nobody else uses it.
async fn forget_servers(store: &dyn Store, config: &DemoConfig) -> anyhow::Result<()> {
    let fleets: Vec<_> = config.fleets.iter().map(|DemoFleet { fleet, .. }| fleet.clone()).collect();
    for heard in store.roster(&fleets).await?.nodes {
        store.mark_offline(heard.node.id).await?;
    }
    Ok(())
}
