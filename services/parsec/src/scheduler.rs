//! A scheduler: a round loop for each fleet group, and the recorder of the results.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle, WatchedStore};
use parsec_actors::scheduling::fleet::{FleetConfig, FleetMemory, RoundFinished};
use parsec_actors::scheduling::round::RoundTools;
use parsec_actors::scheduling::scheduler::{Scheduler, SchedulerConfig};
use parsec_actors::scheduling::traces::Traces;
use parsec_actors::supervision::stop::{StopStep, StopTimes, stop_in_order};
use parsec_actors::supervision::supervise::{Child, RestartPolicy};
use parsec_api::client::ServerApi;
use parsec_measure::{FleetGroup, Share, written_duration};
use parsec_store::Store;
use tokio::time::Instant;

use crate::process::{self, Process};
use crate::provenance;

/// What a scheduler needs.
pub(crate) struct SchedulerSetup {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) servers: Arc<dyn ServerApi>,
    pub(crate) groups: Vec<FleetGroup>,
    pub(crate) interval: Duration,
    /// Each loop's first round is due at a random time within this.
    pub(crate) jitter: Duration,
    pub(crate) probes: u32,
    /// Longer than a round can take.
    pub(crate) round_limit: Duration,
    /// Where rows wait to be written.
    pub(crate) backlog: Backlog,
    /// The share of ordinary operations whose trace is kept.
    pub(crate) trace_sample: Share,
    pub(crate) seed: Option<u64>,
    /// Is told of every round that has ended.
    pub(crate) watcher: Option<Recipient<RoundFinished>>,
}

/// A running scheduler. Dropping it stops its actors without an orderly stop.
pub(crate) struct RunningScheduler {
    scheduler: Child<Scheduler>,
    recorder: Child<Recorder>,
    backlog: Arc<Backlog>,
}

/// Starts the recorder, and then the round loops.
pub(crate) fn start(process: &Process, setup: SchedulerSetup) -> RunningScheduler {
    let SchedulerSetup {
        store,
        servers,
        groups,
        interval,
        jitter,
        probes,
        round_limit,
        backlog,
        trace_sample,
        seed,
        watcher,
    } = setup;
    let metrics = Arc::clone(&process.metrics);
    let store: Arc<dyn Store> = Arc::new(WatchedStore::new(store, Arc::clone(&metrics)));
    let backlog = Arc::new(backlog);
    let recording =
        RecorderConfig { store: Arc::clone(&store), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
    let recorder = process.supervise("recorder", Recorder::new(recording));
    let tools = RoundTools {
        servers,
        store,
        recorder: RecorderHandle::of(&recorder, Arc::clone(&backlog), Arc::clone(&metrics)),
        metrics: Arc::clone(&metrics),
        probes,
        traces: Arc::new(Traces::new(trace_sample, seed)),
    };
    // What decides what is asked for, so that a report can say it, and when it changed.
    let dependencies = provenance::dependencies(&[
        ("interval", &written_duration(interval)),
        ("probes", &probes.to_string()),
        ("trace_sample", &trace_sample.get().to_string()),
    ]);
    let fleet = |(index, group)| FleetConfig {
        group,
        interval,
        jitter,
        round_limit,
        dependencies: dependencies.clone(),
        // Two loops must not publish the same content.
        seed: seed.map(|seed| seed.wrapping_add(index)),
        tools: tools.clone(),
        memory: FleetMemory::default(),
        watcher: watcher.clone(),
    };
    let fleets = (0..).zip(groups).map(fleet).collect();
    let config = SchedulerConfig { fleets, restart: RestartPolicy::default(), metrics };
    RunningScheduler { scheduler: process.supervise("scheduler", Scheduler::new(config)), recorder, backlog }
}

impl RunningScheduler {
    /// Stops it in order: first no new rounds begin, then everything measured is written.
    pub(crate) async fn stop(&self, times: StopTimes) -> anyhow::Result<()> {
        let began = Instant::now();
        let scheduler = StopStep { name: "scheduler", ask: self.scheduler.ask(times.scheduler()) };
        let undone = stop_in_order(vec![scheduler]).await;
        let recorder = StopStep { name: "recorder", ask: self.recorder.ask(times.recorder(began.elapsed())) };
        let recorder = stop_in_order(vec![recorder]).await;
        process::finished(undone, recorder, &self.backlog)
    }
}
