//! An actor that crashes and hangs to order, and its supervisor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::prelude::*;
use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::progress::{Progress, Stuck};
use parsec_actors::supervision::supervise::{Child, ChildState, give_up, supervise};
use tokio::time::{pause, sleep};

use crate::fakes::{POLICY, Witness, millis, secs};

/// Its life, seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) starts: AtomicUsize,
    pub(crate) ends: AtomicUsize,
    /// How many times still `started` shall panic, and `restarting`.
    pub(crate) panics_in_started: AtomicUsize,
    pub(crate) panics_in_restarting: AtomicUsize,
}

pub(crate) fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// An actor that crashes to order.
#[derive(Debug, Default)]
pub(crate) struct Kid {
    pub(crate) life: Arc<Life>,
    pub(crate) touched: u32,
    pub(crate) stuck: bool,
}

/// Counts itself: the answer tells a fresh state from an old one.
#[derive(Debug, Message)]
#[rtype(result = "u32")]
pub(crate) struct Touch;

/// Panics.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Crash;

/// Is answered after so long.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ponder(pub(crate) Duration);

/// Ends by itself.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

impl Actor for Kid {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.life.starts.fetch_add(1, Ordering::Relaxed);
        assert!(!take(&self.life.panics_in_started), "panic in started");
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.life.ends.fetch_add(1, Ordering::Relaxed);
    }
}

impl Progress for Kid {
    fn progress(&mut self) -> Result<(), Stuck> {
        if self.stuck { Err(Stuck::new("stuck to order")) } else { Ok(()) }
    }
}

impl Supervised for Kid {
    fn restarting(&mut self, _: &mut Self::Context) {
        assert!(!take(&self.life.panics_in_restarting), "panic in restarting");
        (self.touched, self.stuck) = (0, false);
    }
}

impl Handler<Touch> for Kid {
    type Result = u32;

    fn handle(&mut self, _: Touch, _: &mut Self::Context) -> u32 {
        self.touched += 1;
        self.touched
    }
}

impl Handler<Crash> for Kid {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("crashed to order");
    }
}

impl Handler<Ponder> for Kid {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, Ponder(time): Ponder, _: &mut Self::Context) -> Self::Result {
        Box::pin(sleep(time).into_actor(self))
    }
}

impl Handler<Leave> for Kid {
    type Result = ();

    fn handle(&mut self, _: Leave, context: &mut Self::Context) {
        context.stop();
    }
}

pub(crate) struct Nursery {
    pub(crate) kid: Child<Kid>,
    pub(crate) life: Arc<Life>,
    pub(crate) parent: Witness,
}

impl Nursery {
    /// A supervised kid, with the clock stopped.
    pub(crate) fn open() -> Self {
        Self::with(Life::default())
    }

    pub(crate) fn with(life: Life) -> Self {
        pause();
        Self::beside(life)
    }

    /// Another one, on the same clock.
    pub(crate) fn another() -> Self {
        Self::beside(Life::default())
    }

    fn beside(life: Life) -> Self {
        let life = Arc::new(life);
        let (parent, hears) = Witness::start_new();
        let kid = supervise("kid", POLICY, hears, Kid { life: Arc::clone(&life), touched: 0, stuck: false });
        Self { kid, life, parent }
    }

    pub(crate) fn touch(&self) -> Ask<Touch> {
        self.kid.ask(secs(60))
    }

    /// Has it crash, and waits until it is back or given up on.
    pub(crate) async fn crash(&self) {
        let before = self.parent.heard().len();
        self.kid.addr().send(Crash).await.unwrap_err();
        self.parent.until_heard(before + 1).await;
        if let Some(ChildState::Restarting { after, .. }) = self.parent.heard().last() {
            sleep(*after + millis(1)).await;
        }
    }
}

/// Is answered by a task beside the actor after so long.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Delegate(pub(crate) Duration);

impl Handler<Delegate> for Kid {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Delegate(time): Delegate, _: &mut Self::Context) -> Self::Result {
        Box::pin(sleep(time))
    }
}

/// Is answered after so long, and until then nobody else is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Monopolise(pub(crate) Duration);

impl Handler<Monopolise> for Kid {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, Monopolise(time): Monopolise, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(sleep(time).into_actor(self)))
    }
}

/// Reads no more mail.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Hang;

impl Handler<Hang> for Kid {
    type Result = ();

    fn handle(&mut self, _: Hang, context: &mut Self::Context) {
        context.wait(std::future::pending().into_actor(self));
    }
}

/// From now on, say that your work does not move.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct GetStuck;

impl Handler<GetStuck> for Kid {
    type Result = ();

    fn handle(&mut self, _: GetStuck, _: &mut Self::Context) {
        self.stuck = true;
    }
}

/// Gives up.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Despair;

impl Handler<Despair> for Kid {
    type Result = ();

    fn handle(&mut self, _: Despair, _: &mut Self::Context) {
        give_up("nothing helps");
    }
}
