//! Actors that watch others: a parent that remembers what it hears, and a bystander whom no crash may touch.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parsec_actors::supervision::supervise::{ChildEvent, ChildState};
use tokio::sync::watch;

use super::until;

/// How often a [`Bystander`] ticks.
const TICK: Duration = Duration::from_millis(10);

/// A parent that remembers what became of its children.
#[derive(Debug, Clone)]
pub(crate) struct Witness(Arc<watch::Sender<Vec<ChildEvent>>>);

impl Witness {
    /// A witness, and where it hears.
    pub(crate) fn start_new() -> (Self, Recipient<ChildEvent>) {
        let witness = Self(Arc::new(watch::channel(Vec::new()).0));
        let hears = witness.clone().start().recipient();
        (witness, hears)
    }

    /// What it has heard.
    pub(crate) fn heard(&self) -> Vec<ChildState> {
        self.0.borrow().iter().map(|event| event.state.clone()).collect()
    }

    /// The reasons that a restart followed, with the pauses.
    pub(crate) fn restarts(&self) -> Vec<(String, Duration)> {
        let restart = |state| match state {
            ChildState::Restarting { reason, after, .. } => Some((reason, after)),
            _ => None,
        };
        self.heard().into_iter().filter_map(restart).collect()
    }

    /// Waits until it has heard so much.
    pub(crate) async fn until_heard(&self, events: usize) {
        until(&self.0, &format!("the parent hears {events} events"), |heard| heard.len() >= events).await;
    }
}

impl Actor for Witness {
    type Context = Context<Self>;
}

impl Handler<ChildEvent> for Witness {
    type Result = ();

    fn handle(&mut self, event: ChildEvent, _: &mut Self::Context) {
        self.0.send_modify(|heard| heard.push(event));
    }
}

/// An actor beside one that crashes: ticks, and counts its ticks.
#[derive(Debug, Default)]
pub(crate) struct Bystander {
    ticks: u32,
    starts: u32,
}

/// How has it been? The ticks so far, and how often it was started.
#[derive(Debug, Message)]
#[rtype(result = "(u32, u32)")]
pub(crate) struct Bystanding;

impl Bystander {
    /// How many ticks it has after so long.
    pub(crate) fn ticks_within(time: Duration) -> u32 {
        u32::try_from(time.as_millis() / TICK.as_millis()).expect("tests do not take years")
    }
}

impl Actor for Bystander {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.starts += 1;
        context.run_interval(TICK, |bystander, _| bystander.ticks += 1);
    }
}

impl Handler<Bystanding> for Bystander {
    type Result = MessageResult<Bystanding>;

    fn handle(&mut self, _: Bystanding, _: &mut Self::Context) -> Self::Result {
        MessageResult((self.ticks, self.starts))
    }
}
