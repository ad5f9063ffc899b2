//! A scheduler with its fleets and a recorder, between a fake database and fake servers.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::scheduling::fleet::{FleetConfig, FleetMemory, RoundFinished};
use parsec_actors::scheduling::round::RoundTools;
use parsec_actors::scheduling::scheduler::{Scheduler, SchedulerConfig};
use parsec_actors::scheduling::traces::Traces;
use parsec_actors::supervision::stop::{RECORDER_STOP, SCHEDULER_STOP, Stop, StopStep};
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_api::client::ServerApi;
use parsec_measure::{Attempt, FleetGroup, OperationKind, OutcomeClass, Round, RoundOutcome, Share};
use tokio::sync::watch;
use tokio::time::{Instant, pause};

use crate::beside::HangingRecorder;
use crate::fakes::{Call, FakeServers, FakeStore, POLICY, Witness, metrics, node, secs, until};

/// How often a round is due.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);

/// What a scheduler is going to find.
pub(crate) struct Setup {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) servers: Arc<FakeServers>,
    /// Whom the scheduler calls, if not `servers`.
    pub(crate) api: Option<Arc<dyn ServerApi>>,
    /// As on the command line.
    pub(crate) fleets: &'static str,
    pub(crate) probes: u32,
    pub(crate) trace_sample: f64,
    pub(crate) seed: Option<u64>,
    pub(crate) jitter: Duration,
    pub(crate) round_limit: Duration,
    /// Whether the fleets reach the recorder through somebody who can be made to hang.
    pub(crate) recorder_can_hang: bool,
}

impl Setup {
    /// Nodes 1 to `nodes` in fleet `default`, on a clock that stands still.
    pub(crate) fn of(nodes: u8) -> Self {
        Self::with((1..=nodes).map(|id| (id, "default")))
    }

    /// These nodes in these fleets; `default` is played.
    pub(crate) fn with(nodes: impl IntoIterator<Item = (u8, &'static str)>) -> Self {
        pause();
        let nodes = nodes.into_iter().map(|(id, fleet)| node(id, fleet)).collect();
        let (store, servers) = (FakeStore::with(nodes), FakeServers::new());
        Self {
            store,
            servers,
            api: None,
            fleets: "default",
            probes: 1,
            trace_sample: 0.0,
            seed: None,
            jitter: Duration::ZERO,
            round_limit: secs(24 * 3600),
            recorder_can_hang: false,
        }
    }

    /// Begins with the rounds.
    pub(crate) fn play(self) -> Rig {
        self.play_on(Backlog::default())
    }

    /// Begins with the rounds; what they measure waits here to be written.
    pub(crate) fn play_on(self, backlog: Backlog) -> Rig {
        let (metrics, backlog) = (metrics(), Arc::new(backlog));
        let (parent, hears) = Witness::start_new();
        let recording =
            RecorderConfig { store: self.store.clone(), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
        let recorder = supervise("recorder", POLICY, hears.clone(), Recorder::new(recording));
        let hanging = self.recorder_can_hang.then(|| HangingRecorder::before(&recorder).start());
        let handle = match &hanging {
            Some(hanging) => RecorderHandle::new(hanging, backlog, Arc::clone(&metrics)),
            None => RecorderHandle::of(&recorder, backlog, Arc::clone(&metrics)),
        };
        let tools = RoundTools {
            servers: self.api.unwrap_or_else(|| self.servers.clone()),
            store: self.store.clone(),
            recorder: handle,
            metrics: Arc::clone(&metrics),
            probes: self.probes,
            traces: Arc::new(Traces::new(Share::new(self.trace_sample).unwrap(), self.seed)),
        };
        let finished = Arc::new(watch::channel(Vec::new()).0);
        let watcher = Watcher(Arc::clone(&finished)).start().recipient();
        let fleet = |group| FleetConfig {
            group,
            interval: INTERVAL,
            jitter: self.jitter,
            round_limit: self.round_limit,
            dependencies: serde_json::Value::Null,
            seed: self.seed,
            tools: tools.clone(),
            memory: FleetMemory::default(),
            watcher: Some(watcher.clone()),
        };
        let fleets = FleetGroup::parse_list(self.fleets).unwrap().into_iter().map(fleet).collect();
        let config = SchedulerConfig { fleets, restart: POLICY, metrics: Arc::clone(&metrics) };
        let scheduler = supervise("scheduler", POLICY, hears, Scheduler::new(config));
        let (store, servers, began) = (self.store, self.servers, Instant::now());
        Rig { store, servers, metrics, parent, recorder, hanging, scheduler, finished, began }
    }
}

/// A scheduler at work.
pub(crate) struct Rig {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) servers: Arc<FakeServers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) parent: Witness,
    pub(crate) recorder: Child<Recorder>,
    pub(crate) hanging: Option<Addr<HangingRecorder>>,
    pub(crate) scheduler: Child<Scheduler>,
    /// What a watcher of the fleets has heard.
    pub(crate) finished: Arc<watch::Sender<Vec<RoundFinished>>>,
    pub(crate) began: Instant,
}

/// A round as the database has it.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) round: Round,
    pub(crate) attempts: Vec<Attempt>,
}

impl Played {
    pub(crate) fn outcome(&self) -> RoundOutcome {
        self.round.ended.expect("only rounds that have ended are listed").1
    }

    /// The node that published.
    pub(crate) fn provider(&self) -> Option<i32> {
        self.round.provider.map(|node| node.0)
    }

    /// Node and outcome of each attempt of this kind, by node and probe.
    pub(crate) fn results(&self, kind: OperationKind) -> Vec<(i32, OutcomeClass)> {
        let mut attempts: Vec<_> = self.attempts.iter().filter(|attempt| attempt.kind == kind).collect();
        attempts.sort_by_key(|attempt| (attempt.node, attempt.probe));
        attempts.into_iter().map(|attempt| (attempt.node.0, attempt.result.class)).collect()
    }

    /// Node and outcome of each lookup, by node.
    pub(crate) fn lookups(&self) -> Vec<(i32, OutcomeClass)> {
        self.results(OperationKind::Retrieve)
    }

    /// Why the attempts of this node failed.
    pub(crate) fn errors(&self, node: i32) -> Vec<String> {
        let of_node = self.attempts.iter().filter(|attempt| attempt.node.0 == node);
        of_node.filter_map(|attempt| attempt.result.error.clone()).collect()
    }
}

impl Rig {
    /// Waits until so many rounds have ended; returns all that have, in the order in which they did.
    pub(crate) async fn rounds(&self, count: usize) -> Vec<Played> {
        self.store.until(&format!("{count} rounds end"), |store| store.ended().len() >= count).await;
        self.played()
    }

    /// The rounds that have ended.
    pub(crate) fn played(&self) -> Vec<Played> {
        self.store.read(|store| {
            let of = |round: &Round| store.attempts().into_iter().filter(|attempt| attempt.round == round.id).collect();
            store.ended().into_iter().map(|round| Played { attempts: of(&round), round }).collect()
        })
    }

    /// When the fleets asked who is there, in seconds since the beginning: once for each round.
    pub(crate) fn musters(&self) -> Vec<u64> {
        let asked = self.store.read(|store| store.asked(Call::Roster));
        asked.into_iter().map(|at| (at - self.began).as_secs()).collect()
    }

    /// What a process that ends asks of its actors.
    pub(crate) fn stop_steps(&self) -> Vec<StopStep> {
        vec![
            StopStep { name: "scheduler", ask: self.scheduler.ask::<Stop>(SCHEDULER_STOP) },
            StopStep { name: "recorder", ask: self.recorder.ask::<Stop>(RECORDER_STOP) },
        ]
    }

    /// Waits until a watcher has heard of so many rounds.
    pub(crate) async fn until_heard(&self, rounds: usize) {
        until(&self.finished, &format!("{rounds} rounds are heard of"), |heard| heard.len() >= rounds).await;
    }
}

struct Watcher(Arc<watch::Sender<Vec<RoundFinished>>>);

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<RoundFinished> for Watcher {
    type Result = ();

    fn handle(&mut self, round: RoundFinished, _: &mut Self::Context) {
        self.0.send_modify(|heard| heard.push(round));
    }
}
