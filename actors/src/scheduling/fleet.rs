//! Duty: runs the rounds of one fleet group, on time, one after the other.
//!
//! Before each round it asks the store which nodes are alive, and asks each of their servers whether it is ready. Then
//! one server publishes and the others look the content up (module [`round`](super::round)). Every attempt
//! is sent to the recorder as soon as it has ended. When told to stop ([`Stop`]), it interrupts the current round and
//! records it as interrupted; after a crash it does the same with the round that it crashed in. While the database is
//! away it goes on measuring with the nodes it knows. A row that cannot be turned into a node is logged and left out. A
//! server that fails repeatedly is left out for a while ([`Faults`](parsec_measure::Faults)). A node whose server cannot be
//! reached is marked offline once it is silent as well: others may reach it. What has to survive a crash is kept in its
//! [`FleetMemory`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{Attempt, Content, Due, FleetGroup, Node, NodeId, Round, RoundId, TooFewNodes, clock};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::books::in_time;
use super::memory::{Course, Registered};
use super::muster::{LeftOut, Mustered, muster};
use super::notices::Notices;
use super::round::{self, Parts};
use super::tools::RoundTools;
use crate::supervision::progress::{Progress, Stuck, UnderWay};
use crate::supervision::stop::Stop;

pub use super::memory::FleetMemory;
pub use super::round::RoundFinished;

/// The shortest and the longest pause between tries to register while the database is away; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How often it looks who else publishes with servers of the same fleets: a person reads about it, so soon enough.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(60);

/// What a fleet needs. Its memory is shared, so that a restarted actor continues where it was.
#[derive(Clone)]
pub struct FleetConfig {
    /// The fleets that publish in turn.
    pub group: FleetGroup,
    /// How often a round is due.
    pub interval: Duration,
    /// The first round is due at a random time before this has passed, so that the fleets of many schedulers that were started
    /// together do not measure each other.
    pub jitter: Duration,
    /// Longer than a round can take: a round that exceeds this counts as hung, and the actor as crashed.
    pub round_limit: Duration,
    /// The commit that it was built from, for its row in the database.
    pub dependencies: serde_json::Value,
    /// Makes the content reproducible.
    pub seed: Option<u64>,
    /// What rounds need.
    pub tools: RoundTools,
    /// What must survive a crash of the actor.
    pub memory: FleetMemory,
    /// Is told of every round that has ended.
    pub watcher: Option<Recipient<RoundFinished>>,
}

impl FleetConfig {
    fn course(&self) -> Course {
        Course::begin(self.seed, self.interval, self.jitter)
    }
}

/// See the module's documentation.
pub struct Fleet {
    config: FleetConfig,
    notices: Notices,
    looked_for_others: Option<Instant>,
    round: UnderWay,
    playing: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet")
            .field("group", &self.config.group)
            .field("known", &self.config.memory.kept().known.len())
            .finish()
    }
}

impl Fleet {
    /// A fleet whose first round is due within the jitter.
    pub fn new(config: FleetConfig) -> Self {
        config.memory.kept().course(|| config.course());
        Self {
            notices: Notices::default(),
            looked_for_others: None,
            round: UnderWay::new("a round", config.round_limit),
            playing: watch::channel(false).0,
            stopping: watch::channel(false).0,
            config,
        }
    }

    /// Runs `work` on its course, while holding the lock.
    fn on_course<T>(&self, work: impl FnOnce(&mut Course) -> T) -> T {
        work(self.config.memory.kept().course(|| self.config.course()))
    }

    /// Registers with the database, which gives it a number, and then begins with the rounds.
    fn register(&self, pause: Duration, context: &mut Context<Self>) {
        let registered = self.config.memory.kept().scheduler;
        if let Some(scheduler) = registered {
            return self.wait_for_round(scheduler, context);
        }
        let FleetConfig { group, dependencies, tools, .. } = self.config.clone();
        let registering = async move { tools.store.register_scheduler(&group, dependencies, clock::now()).await };
        context.spawn(registering.into_actor(self).map(move |result, actor, context| match result {
            Ok(id) => {
                info!(fleet = %actor.config.group, scheduler = id.0, "round loop registered");
                let scheduler = Registered { id, at: clock::now() };
                actor.config.memory.kept().scheduler = Some(scheduler);
                actor.wait_for_round(scheduler, context);
            }
            Err(error) => {
                if pause == RETRY.0 {
                    warn!(fleet = %actor.config.group, %error, "round loop not registered yet");
                }
                let next = (pause * 2).min(RETRY.1);
                context.run_later(pause, move |actor, context| actor.register(next, context));
            }
        }));
    }

    fn wait_for_round(&self, scheduler: Registered, context: &mut Context<Self>) {
        let wait = self.on_course(|course| course.schedule.peek().saturating_sub(course.epoch.elapsed()));
        context.run_later(wait, move |actor, context| actor.muster(scheduler, context));
    }

    fn muster(&mut self, scheduler: Registered, context: &mut Context<Self>) {
        if *self.stopping.borrow() {
            return;
        }
        let (due, late) = self.on_course(|Course { epoch, schedule, .. }| {
            let now = epoch.elapsed();
            let due = schedule.next(now);
            (due, now.saturating_sub(due.at))
        });
        if due.skipped > 0 {
            warn!(fleet = %self.config.group, skipped = due.skipped, "rounds left out: the one before took too long");
        }
        self.config.tools.metrics.round_began(&self.config.group.to_string(), late, due.skipped);
        let due_at = clock::now() - TimeDelta::from_std(late).unwrap_or_default();
        self.playing.send_replace(true);
        self.round.begins();
        self.config.memory.kept().faults.next_round();
        let clock = self.on_course(|course| course.epoch.elapsed());
        let FleetConfig { tools, group, memory, .. } = self.config.clone();
        let stopping = self.stopping.subscribe();
        let mustering = async move { muster(&tools, &group, &memory, clock, stopping).await };
        context.spawn(mustering.into_actor(self).map(move |mustered, actor, context| {
            actor.play(scheduler, due, due_at, mustered, context);
        }));
    }

    fn play(
        &mut self,
        scheduler: Registered,
        due: Due,
        due_at: DateTime<Utc>,
        mustered: Mustered,
        context: &mut Context<Self>,
    ) {
        let metrics = Arc::clone(&self.config.tools.metrics);
        mustered.skew.into_iter().for_each(|skew| metrics.clock_skew(skew));
        self.notices.of(&self.config.group, &mustered, &metrics);
        self.look_for_others(scheduler, context);
        let ready = mustered.ready.len();
        self.config.tools.metrics.active_nodes(&self.config.group.to_string(), ready);
        let plan = {
            let mut kept = self.config.memory.kept();
            let asked = mustered.left_out.iter().filter(|left_out| left_out.absence.is_none());
            for LeftOut { node, result, .. } in asked.chain(&mustered.doubtful) {
                kept.asked(node.id, result.class, result.error.as_deref());
            }
            kept.known = mustered.known();
            kept.rotation.plan(mustered.ready.clone())
        };
        self.notices.too_few(&self.config.group, plan.as_ref().err().copied(), &mustered);
        let round = Round {
            id: RoundId::fresh(),
            scheduler: scheduler.id,
            fleets: self.config.group.clone(),
            provider: plan.as_ref().ok().map(|plan| plan.provider.id()),
            nodes_listed: count(mustered.listed.len()),
            nodes_ready: count(ready),
            nodes_without_heartbeat: count(mustered.without_heartbeat()),
            skipped_before: due.skipped,
            due: due_at,
            started: mustered.started,
            ended: None,
        };
        let content = self.on_course(|course| Content::random(&mut course.rng));
        let (tools, open) = (self.config.tools.clone(), self.config.memory.open.clone());
        let stopping = self.stopping.subscribe();
        let left_out: BTreeSet<_> = mustered.left_out.iter().map(|left_out| left_out.node.id).collect();
        let playing = async move {
            match plan {
                Ok(plan) => {
                    let Mustered { left_out, gone, .. } = mustered;
                    round::play(&tools, &open, round, Parts { plan, left_out, gone, content }, stopping).await
                }
                Err(TooFewNodes { .. }) => round::leave_out(&tools, &open, round, mustered.gone, stopping).await,
            }
        };
        context.spawn(playing.into_actor(self).map(move |finished, actor, context| {
            actor.playing.send_replace(false);
            actor.round.ends();
            actor.note_attempts(&finished.attempts, &left_out);
            if let Some(watcher) = &actor.config.watcher
                && let Err(error) = watcher.try_send(finished)
            {
                warn!(%error, "rounds end faster than they can be shown");
            }
            actor.wait_for_round(scheduler, context);
        }));
    }

    /// Notes how each server did in this round. Of those that were left out it was noted before the round, if they were asked.
    fn note_attempts(&self, attempts: &[(Node, Attempt)], left_out: &BTreeSet<NodeId>) {
        let mut kept = self.config.memory.kept();
        for (node, Attempt { result, .. }) in attempts.iter().filter(|(node, _)| !left_out.contains(&node.id)) {
            kept.asked(node.id, result.class, result.error.as_deref());
        }
    }

    /// Looks who else publishes with servers of these fleets, beside the rounds.
    fn look_for_others(&mut self, scheduler: Registered, context: &mut Context<Self>) {
        let within = LOOK_FOR_OTHERS.max(self.config.interval);
        if self.looked_for_others.is_some_and(|at| at.elapsed() < within) {
            return;
        }
        self.looked_for_others = Some(Instant::now());
        let FleetConfig { group, tools, .. } = self.config.clone();
        // What a predecessor of this process has measured is older than its row.
        let since = scheduler.at.max(clock::now() - 2 * within);
        let looking = async move { in_time(tools.store.other_schedulers(group.fleets(), scheduler.id, since)).await };
        context.spawn(looking.into_actor(self).map(move |others, actor, _| {
            // If the database is away, that has been said.
            if let Ok(others) = others {
                actor.notices.others(&actor.config.group, &others, 2 * within, &actor.config.tools.metrics);
            }
        }));
    }
}

fn count(nodes: usize) -> u32 {
    u32::try_from(nodes).unwrap_or(u32::MAX)
}

impl Actor for Fleet {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.config.tools.metrics.playing(&self.config.group.to_string());
        let Some(abandoned) = self.config.memory.open.take() else { return self.register(RETRY.0, context) };
        self.playing.send_replace(true);
        let tools = self.config.tools.clone();
        let ending = async move { round::end_abandoned(&tools, abandoned).await };
        context.spawn(ending.into_actor(self).map(|(), actor, context| {
            actor.playing.send_replace(false);
            actor.register(RETRY.0, context);
        }));
    }
}

impl Progress for Fleet {
    fn progress(&mut self) -> Result<(), Stuck> {
        self.round.progress()
    }
}

impl Supervised for Fleet {
    fn restarting(&mut self, _: &mut Self::Context) {
        *self = Self::new(self.config.clone());
    }
}

impl Handler<Stop> for Fleet {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stopping.send_replace(true);
        let mut playing = self.playing.subscribe();
        let over = async move {
            let _ = playing.wait_for(|playing| !playing).await;
        };
        Box::pin(over.into_actor(self).map(|(), _, context| context.stop()))
    }
}
