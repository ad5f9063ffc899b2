//! Supervision that survives panics.
//!
//! actix's own `Supervisor` restarts an actor that stops, but a panic ends it for good. Here the
//! actor's context is polled inside `catch_unwind`: after a panic the actor is given back-off time,
//! put back to a fresh state by its [`Supervised::restarting`], and started again. Its address and
//! the mail in its mailbox survive. The parent hears of every crash; after too many of them within a
//! short time the child stays down, and the parent decides.
//!
//! What a supervised actor must keep to:
//! - `restarting` rebuilds it from its dependencies, as if it had just been made;
//! - no `ctx.cancel_future` (clippy forbids it): handle numbers start again at 0 after a restart;
//! - the process must unwind (`panic = "unwind"`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use actix::dev::{AsyncContextParts, ContextFut, ToEnvelope};
use actix::prelude::*;
use futures::FutureExt;
use parsec_measure::{RestartDecision, RestartHistory, RestartPolicy};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};
use tracing::{error, info};

use crate::ask::{Ask, Liveness};
use crate::metrics::Metrics;

/// Numbers the children of this process.
static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

/// What a parent hears of a child.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChildEvent {
    /// The child's name.
    pub child: Arc<str>,
    /// Which child of that name: a parent that was restarted has children of the same names as before.
    pub incarnation: u64,
    /// What happened to it.
    pub state: ChildState,
}

/// What can happen to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildState {
    /// It panicked and will be started again.
    Restarting {
        /// The panic's text.
        reason: String,
        /// After how long.
        after: Duration,
    },
    /// It panicked too often and stays down.
    Down {
        /// The last panic's text.
        reason: String,
        /// Crashes within the policy's window.
        crashes: usize,
    },
    /// It stopped in good order, by itself or with its parent.
    Stopped,
}

impl ChildEvent {
    /// Logs and counts what happened: every parent does this much.
    pub(crate) fn note(&self, metrics: &Metrics) {
        let actor = &*self.child;
        match &self.state {
            ChildState::Restarting { reason, after } => {
                metrics.restarted(actor);
                error!(actor, reason, restart_seconds = after.as_secs_f64(), "crashed, and comes back");
            }
            ChildState::Down { reason, crashes } => error!(actor, reason, crashes, "crashed too often, and stays down"),
            ChildState::Stopped => info!(actor, "ended"),
        }
    }
}

/// A supervised actor, as its parent holds it. Dropping this stops the actor.
pub struct Child<A: Actor> {
    name: Arc<str>,
    incarnation: u64,
    addr: Addr<A>,
    liveness: Liveness,
    _link: oneshot::Sender<()>,
}

impl<A: Actor> Child<A> {
    /// A way for others to ask this child.
    pub fn ask<M>(&self, deadline: Duration) -> Ask<M>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        Ask::supervised(self.name.clone(), self.addr.clone().recipient(), deadline, self.liveness.clone())
    }

    /// Tells this child from others of its name, in [`ChildEvent::incarnation`].
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The child's address, which survives restarts.
    pub fn addr(&self) -> &Addr<A> {
        &self.addr
    }
}

/// Starts `actor` on the current arbiter and keeps it alive.
///
/// `name` stands in log lines, metrics and error messages. `parent` is told of every crash.
pub fn supervise<A>(name: &str, policy: RestartPolicy, parent: Recipient<ChildEvent>, actor: A) -> Child<A>
where
    A: Supervised + Actor<Context = Context<A>>,
{
    let (link, parent_gone) = oneshot::channel();
    let context = Context::new();
    let addr = context.address();
    let (liveness, name): (_, Arc<str>) = (Liveness::up(), name.into());
    let incarnation = INCARNATIONS.fetch_add(1, Ordering::Relaxed);
    actix::spawn(Watch {
        name: name.clone(),
        incarnation,
        actor: Box::pin(context.into_future(actor)),
        parent,
        parent_gone: Some(parent_gone),
        history: RestartHistory::new(policy),
        epoch: Instant::now(),
        pause: None,
        liveness: liveness.clone(),
    });
    Child { name, incarnation, addr, liveness, _link: link }
}

/// The task that a supervised actor runs in.
struct Watch<A: Supervised + Actor<Context = Context<A>>> {
    name: Arc<str>,
    incarnation: u64,
    actor: Pin<Box<ContextFut<A, Context<A>>>>,
    parent: Recipient<ChildEvent>,
    /// Resolves when the parent has dropped the child; `None` once it has.
    parent_gone: Option<oneshot::Receiver<()>>,
    history: RestartHistory,
    epoch: Instant,
    /// The actor is down, and comes back when this has elapsed.
    pause: Option<Pin<Box<Sleep>>>,
    liveness: Liveness,
}

/// How the actor's future ended.
enum End {
    Stopped,
    Panicked(String),
}

impl<A: Supervised + Actor<Context = Context<A>>> Watch<A> {
    fn tell(&self, state: ChildState) {
        let event = ChildEvent { child: self.name.clone(), incarnation: self.incarnation, state };
        if let Err(error) = self.parent.try_send(event.clone()) {
            error!(actor = %self.name, ?event, %error, "the parent does not hear of its child");
        }
    }

    /// Passes the parent's end on; true if the child need not come back.
    fn follow_parent(&mut self, task: &mut TaskContext<'_>) -> bool {
        let gone = self.parent_gone.as_mut().is_some_and(|gone| gone.poll_unpin(task).is_ready());
        if gone {
            self.parent_gone = None;
            if self.pause.is_some() {
                return true;
            }
            self.actor.as_mut().get_mut().ctx().parts().stop();
        }
        false
    }

    fn restart(&mut self) -> Option<End> {
        match catch_unwind(AssertUnwindSafe(|| self.actor.as_mut().get_mut().restart())) {
            Ok(true) => {
                self.liveness.set(true);
                None
            }
            // Nobody holds an address any more.
            Ok(false) => Some(End::Stopped),
            Err(panic) => {
                // Half rebuilt, it must not be started again, not even while it is dropped.
                self.actor.as_mut().get_mut().ctx().parts().terminate();
                Some(End::Panicked(text(panic.as_ref())))
            }
        }
    }

    fn run(&mut self, task: &mut TaskContext<'_>) -> Poll<End> {
        match catch_unwind(AssertUnwindSafe(|| self.actor.as_mut().poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(End::Stopped),
            Err(panic) => Poll::Ready(End::Panicked(text(panic.as_ref()))),
        }
    }

    /// Decides after a crash; true if the actor stays down.
    fn crashed(&mut self, reason: String) -> bool {
        self.liveness.set(false);
        if self.parent_gone.is_none() {
            return true;
        }
        match self.history.crashed(self.epoch.elapsed(), rand::random()) {
            RestartDecision::After(after) => {
                self.pause = Some(Box::pin(tokio::time::sleep(after)));
                self.tell(ChildState::Restarting { reason, after });
                false
            }
            RestartDecision::GiveUp { crashes } => {
                self.tell(ChildState::Down { reason, crashes });
                true
            }
        }
    }
}

impl<A: Supervised + Actor<Context = Context<A>>> Future for Watch<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let watch = self.get_mut();
        loop {
            if watch.follow_parent(task) {
                return Poll::Ready(());
            }
            let mut end = None;
            if let Some(pause) = watch.pause.as_mut() {
                ready!(pause.as_mut().poll(task));
                watch.pause = None;
                end = watch.restart();
            }
            let end = match end {
                Some(end) => end,
                None => ready!(watch.run(task)),
            };
            // Returning drops the actor, outside of any unwinding.
            match end {
                End::Stopped => {
                    watch.liveness.set(false);
                    watch.tell(ChildState::Stopped);
                    return Poll::Ready(());
                }
                End::Panicked(reason) => {
                    if watch.crashed(reason) {
                        return Poll::Ready(());
                    }
                }
            }
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a text".to_owned())
}
