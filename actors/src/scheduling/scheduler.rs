//! Duty: keeps one [`Fleet`] actor alive for each fleet group.
//!
//! A fleet that crashes is restarted. One that crashes too often takes the scheduler down, and the scheduler takes the
//! process down: a fresh process is the better cure, and a process that goes on with fewer fleets would be hard to
//! notice. When told to stop ([`Stop`]), it stops every fleet first.

use std::sync::Arc;

use actix::prelude::*;
use futures::future::join_all;

use super::fleet::{Fleet, FleetConfig};
use crate::supervision::progress::Progress;
use crate::supervision::stop::{SCHEDULER_STOP, Stop};
use crate::supervision::supervise::{Child, ChildEvent, ChildState, RestartPolicy, give_up_over, supervise};
use crate::telemetry::metrics::Metrics;

/// How many reports of fleets may wait: enough for all of them to crash several times in quick succession.
const MAILBOX: usize = 256;

/// What a scheduler needs.
#[derive(Clone)]
pub struct SchedulerConfig {
    /// One configuration for each fleet group.
    pub fleets: Vec<FleetConfig>,
    /// How fleets are restarted.
    pub restart: RestartPolicy,
    /// Counts the fleets' crashes.
    pub metrics: Arc<Metrics>,
}

/// See the module's documentation.
pub struct Scheduler {
    config: SchedulerConfig,
    fleets: Vec<Child<Fleet>>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").field("fleets", &self.fleets.len()).finish()
    }
}

impl Scheduler {
    /// A scheduler for these fleets.
    pub fn new(config: SchedulerConfig) -> Self {
        Self { config, fleets: Vec::new() }
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Each fleet may have several events to report.
        context.set_mailbox_capacity(MAILBOX);
        let parent = context.address().recipient();
        for fleet in &self.config.fleets {
            let name = format!("fleet {}", fleet.group);
            let fleet = Fleet::new(fleet.clone());
            let fleet = supervise(&name, self.config.restart, parent.clone(), fleet);
            self.config.metrics.supervised(fleet.signs());
            self.fleets.push(fleet);
        }
    }
}

impl Progress for Scheduler {}

impl Supervised for Scheduler {
    fn restarting(&mut self, _: &mut Self::Context) {
        *self = Self::new(self.config.clone());
    }
}

impl Handler<ChildEvent> for Scheduler {
    type Result = ();

    fn handle(&mut self, event: ChildEvent, _: &mut Self::Context) {
        event.note(&*self.config.metrics);
        // An event of a fleet from before our own restart: that fleet is gone, and has a successor.
        if !self.fleets.iter().any(|fleet| fleet.incarnation() == event.incarnation) {
            return;
        }
        if let ChildState::Down(fleet) = event.state {
            give_up_over(fleet);
        }
    }
}

impl Handler<Stop> for Scheduler {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let fleets: Vec<_> = self.fleets.iter().map(|fleet| fleet.ask(SCHEDULER_STOP)).collect();
        let stopping = async move {
            // If a fleet does not answer, waiting longer would not help.
            join_all(fleets.iter().map(|fleet| fleet.ask(Stop))).await;
        };
        Box::pin(stopping.into_actor(self).map(|(), _, context| context.stop()))
    }
}
