//! `parsec demo --world`: days of rounds of fleets that measure a model, as fast as the machine can.
//!
//! The network is simulated, and so is the time. The actors are those of a deployment: DHT nodes, heartbeats, schedulers with their fleets,
//! recorders; and so is the database. They run on a thread of their own, whose clock jumps as soon as all of them wait; the database, which
//! knows no such clock, runs on the threads of the process, and the clock stands still while it is asked. Servers are asked without HTTP,
//! because nobody can tell a clock to wait for a socket.

mod database;
mod servers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix::prelude::*;
use anyhow::{Context as _, anyhow};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use parsec_actors::recording::recorder::Backlog;
use parsec_actors::telemetry::metrics::Role;
use parsec_answers::kept::Place as KeptPlace;
use parsec_host::memory;
use parsec_lab::field::{Happening, World};
use parsec_measure::{FleetGroup, Share, clock, written_duration};
use parsec_output as output;
use parsec_results::run::{Run, digest, simulated};
use parsec_settings::{DemoConfig, DemoFleet, SimulatedRounds};
use parsec_show::words;
use parsec_store::Store;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use self::database::Database;
use self::servers::{Servers, Stage};
use super::board::{Board, Live};
use super::rounds::{ROUND_LIMIT, TRACE_SAMPLE, Watcher, wait_until_offered};
use crate::exit::Failure;
use crate::process::{self, Process};
use crate::provenance;
use crate::scheduler::{self, RunningScheduler, SchedulerSetup};

/// Over which fraction of the interval the first rounds of the fleets are spread, as in a deployment.
const JITTER: u32 = 10;

/// How long servers may take until schedulers find them, by the simulated clock.
const START: Duration = Duration::from_secs(60);

/// How long the last publications are followed: longer than a put in the background may take.
const LAST_PUTS: Duration = Duration::from_secs(2 * 60);

/// With so many operations or fewer, every trace is kept; of more as many as a scheduler keeps unless told otherwise, besides those of
/// failures and of what took long. A trace takes some ten kilobytes.
const ALL_TRACED: u64 = 2_000;
const TRACED: Share = Share::new(0.01).expect("a hundredth is a share");

/// What is played, where, and what comes of it.
struct Play {
    config: DemoConfig,
    rounds: SimulatedRounds,
    world: World,
    happens: Option<Happening>,
    seed: u64,
    database: Database,
    place: Option<KeptPlace>,
}

/// Plays the rounds, up to their end or to a signal.
pub(super) async fn run(config: DemoConfig, rounds: SimulatedRounds) -> anyhow::Result<()> {
    let world = parsec_bench::world_named(&rounds.world)?;
    let scenario = rounds.scenario.as_ref().map(parsec_bench::scenario_named).transpose()?;
    let room = memory::available();
    let fits = scenario.as_ref().map_or_else(|| world.fits(room), |scenario| scenario.fits(&world, room));
    fits.map_err(Failure::from)?;
    let happens = scenario.map(|scenario| Happening { scenario, after: rounds.interval * rounds.rounds / 2 });
    let place = config.save.as_deref().map(|path| KeptPlace::at(path, "--save")).transpose()?;
    let seed = config.seed.unwrap_or_else(|| u64::from(rand::rng().random::<u32>()));
    let database = Database::open(rounds.database.as_ref(), config.data_dir.as_deref()).await?;
    let play = Play { config, rounds, world, happens, seed, database, place };
    let (tells, ended) = oneshot::channel();
    let playing = move || {
        // Whoever waits for the end waits as long as there is this thread.
        let _ = tells.send(process::run_on_jumping_clock(play.run()).and_then(|result| result));
    };
    thread::Builder::new().name("simulated clock".to_owned()).spawn(playing).context("cannot start a thread")?;
    ended.await.map_err(|_| anyhow!("the simulation crashed"))?
}

impl Play {
    async fn run(mut self) -> anyhow::Result<()> {
        let place = self.place.take();
        let process = Process::start(Role::Both)?;
        let network = simulated(&self.world.name);
        let mut board = Board::new(self.config.format, Live::here(), place.is_some(), network.clone());
        let database = self.database.target.to_string();
        board.announce(&format!("seed {seed}: --seed {seed} makes the same choices again", seed = self.seed));
        board.announce(&format!("measurements of {network}, a model, go to {database}"));
        let began = begins(self.length());
        set_clock(began)?;
        board.announce(&self.told(began));
        if let Some(Happening { scenario, after }) = &self.happens {
            let (name, about, at) = (&scenario.name, &scenario.about, (began + *after).format("%Y-%m-%d %H:%M UTC"));
            board.announce(&format!("{name} begins at {at}: {about}"));
        }
        let mut running = Running::default();
        let ended = tokio::select! {
            // Whoever sets no end means the signal to be one; here there is always an end.
            ended = process.wait_for_end() => ended.map(|()| false),
            ended = self.play(&process, &mut board, &mut running) => ended.map(|()| true),
            error = self.database.store.lost() => Err(error).with_context(|| format!("database {database}")),
        };
        let stopped = running.stop(&process).await;
        let saved =
            place.map_or(Ok(()), |place| self.save(place, &mut board, ended.as_ref().is_ok_and(|complete| *complete)));
        board.conclude(self.seed, Some(&database))?;
        if !matches!(ended, Ok(true)) {
            output::note(
                "it ended early: the rounds that were under way are cut off, and the database takes no others",
            );
        }
        output::note(&format!("what was simulated stays in {database}: parsec results --database-url {database}"));
        ended.map(drop).and(stopped).and(saved)
    }

    /// How long all rounds take by the simulated clock.
    fn length(&self) -> Duration {
        self.rounds.interval * self.rounds.rounds
    }

    /// How many rounds there are of all fleets together.
    fn all(&self) -> u64 {
        u64::from(self.rounds.rounds) * self.config.fleets.len() as u64
    }

    /// What is played, in words.
    fn told(&self, began: DateTime<Utc>) -> String {
        let SimulatedRounds { servers, interval, .. } = self.rounds;
        format!(
            "{} of each of {} of {}, one every {}, from {} on",
            words::count(self.rounds.rounds as usize, "round", "rounds"),
            words::count(self.config.fleets.len(), "fleet", "fleets"),
            words::count(servers as usize, "server", "servers"),
            written_duration(interval),
            began.format("%Y-%m-%d %H:%M UTC"),
        )
    }

    async fn play(&self, process: &Process, board: &mut Board, running: &mut Running) -> anyhow::Result<()> {
        let Self { config, rounds, world, happens, seed, database, .. } = self;
        let store: &Arc<dyn Store> = &(Arc::clone(&database.store) as _);
        let fleets: Vec<_> = config.fleets.iter().map(|DemoFleet { fleet, .. }| fleet.clone()).collect();
        board.say(format!("drawing a network of {} peers", world.peers));
        let (happens, servers) = (happens.as_ref(), rounds.servers as usize);
        let stage = Stage { world, happens, seed: *seed, fleets: &config.fleets, servers };
        let (servers, asked) = stage.start(process, store).await?;
        running.servers = Some(servers);
        database.alone(fleets.len() * rounds.servers as usize)?;
        for fleet in &fleets {
            wait_until_offered(store.as_ref(), fleet, rounds.servers as usize).await?;
        }
        let (watcher, mut finished) = Watcher::new();
        let operations = self.all() * u64::from(rounds.servers);
        let setup = SchedulerSetup {
            store: Arc::clone(store),
            servers: Arc::new(asked),
            groups: fleets.iter().map(|fleet| fleet.as_str().parse::<FleetGroup>()).collect::<Result<_, _>>()?,
            interval: rounds.interval,
            jitter: rounds.interval / JITTER,
            probes: 1,
            round_limit: ROUND_LIMIT,
            backlog: Backlog::default(),
            trace_sample: if operations <= ALL_TRACED { TRACE_SAMPLE } else { TRACED },
            // Fleets have seeds one after the other: those of neighbouring runs must not be the same.
            seed: Some(StdRng::seed_from_u64(*seed).random()),
            watcher: Some(watcher.start().recipient()),
        };
        // The first rounds are due within the jitter, and so is each last one within that of the end.
        let over = sleep_until(Instant::now() + self.length());
        running.scheduler = Some(scheduler::start(process, setup));
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                Some(finished) = finished.recv() => board.collect(&finished, self.all())?,
                () = &mut over => break,
            }
        }
        if let Some(scheduler) = running.scheduler.take() {
            scheduler.stop(process.stop_times).await?;
        }
        while let Ok(finished) = finished.try_recv() {
            board.collect(&finished, self.all())?;
        }
        sleep(LAST_PUTS).await;
        Ok(())
    }

    fn save(&self, place: KeptPlace, board: &mut Board, complete: bool) -> anyhow::Result<()> {
        let (operations, all) = board.take_kept();
        let mut run = Run::new("demo", (provenance::VERSION, provenance::COMMIT), self.seed, self.settings());
        (run.complete, run.operations) = (complete && all, operations);
        place.write(&run.text())
    }

    /// The settings that are kept with a run.
    fn settings(&self) -> BTreeMap<String, String> {
        let SimulatedRounds { servers, interval, rounds, .. } = &self.rounds;
        let fleets: Vec<_> = self.config.fleets.iter().map(ToString::to_string).collect();
        let settings = [
            ("network", simulated(&self.world.name)),
            ("world", digest(&self.world.text())),
            ("peers", self.world.peers.to_string()),
            ("servers", servers.to_string()),
            ("interval", written_duration(*interval)),
            ("rounds", rounds.to_string()),
            ("fleets", fleets.join(",")),
        ];
        let happens = self.happens.iter().map(|happens| ("scenario", happens.scenario.name.clone()));
        settings.into_iter().chain(happens).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// When rounds of this length begin that are over by now.
fn begins(length: Duration) -> DateTime<Utc> {
    let length = TimeDelta::from_std(length + START + LAST_PUTS).unwrap_or_default();
    (Utc::now() - length).trunc_subsecs(0)
}

/// From now on, it is as much later than `began` as has passed on the clock of this thread's runtime.
fn set_clock(began: DateTime<Utc>) -> anyhow::Result<()> {
    let (runtime, start) = (Handle::current(), Instant::now());
    clock::simulate(move || {
        // The threads of the database have another clock.
        let _here = runtime.enter();
        began + start.elapsed()
    })?;
    Ok(())
}

/// What has been started so far, to be stopped whatever happens.
#[derive(Default)]
struct Running {
    servers: Option<Servers>,
    scheduler: Option<RunningScheduler>,
}

impl Running {
    async fn stop(self, process: &Process) -> anyhow::Result<()> {
        let scheduler = match &self.scheduler {
            Some(scheduler) => scheduler.stop(process.stop_times).await,
            None => Ok(()),
        };
        let servers = match &self.servers {
            Some(servers) => servers.stop(process.stop_times).await,
            None => Ok(()),
        };
        scheduler.and(servers)
    }
}
