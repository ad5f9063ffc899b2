//! Supervision that survives panics and detects actors that hang.
//!
//! actix's own `Supervisor` restarts an actor that stops, but a panic ends the actor for good. Here the actor's context
//! is polled inside `catch_unwind` (module `watch`): after a panic the actor's [`Supervised::restarting`] resets it to
//! a fresh state, and after a pause it is started again. An actor that does not answer its health checks ([`Progress`])
//! is treated in the same way. Its address and the messages in its mailbox survive. Callers whose request was being
//! answered through its context get an error at once. The parent is told of every crash; after too many crashes within
//! a short time the child stays down, and the parent decides.
//!
//! Rules for a supervised actor:
//! - `restarting` rebuilds it from its dependencies, as if it had just been made;
//! - no `ctx.cancel_future` (clippy forbids it): handle numbers start again at 0 after a restart;
//! - the process must unwind (`panic = "unwind"`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use tokio::sync::oneshot;

use super::ask::Ask;
use super::progress::{Progress, Stuck};
use super::signs::Signs;
use super::watch::{Crash, Tells, Watch};

pub use super::events::{ChildEvent, ChildState, CrashCounter, CrashKind, GivenUp};
pub use super::restart::RestartPolicy;
pub use super::watch::whose_turn;

/// Numbers the children of this process.
static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

/// A supervised actor, as its parent holds it. Dropping this stops the actor.
pub struct Child<A: Actor> {
    signs: Signs,
    incarnation: u64,
    addr: Addr<A>,
    _link: oneshot::Sender<()>,
}

impl<A: Actor> Child<A> {
    /// A way for others to send this child questions.
    pub fn ask<M>(&self, deadline: Duration) -> Ask<M>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        Ask::supervised(self.signs.clone(), self.addr.clone().recipient(), deadline)
    }

    /// Distinguishes this child from others of the same name, in [`ChildEvent::incarnation`].
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Its state.
    pub fn signs(&self) -> &Signs {
        &self.signs
    }

    /// The child's address, which survives restarts.
    pub fn addr(&self) -> &Addr<A> {
        &self.addr
    }
}

/// Starts `actor` on the current arbiter and keeps it alive.
///
/// `name` appears in log lines, metrics and error messages. `parent` is told of every crash.
pub fn supervise<A>(name: &str, policy: RestartPolicy, parent: Recipient<ChildEvent>, actor: A) -> Child<A>
where
    A: Supervised + Progress + Actor<Context = Context<A>>,
{
    let (link, parent_gone) = oneshot::channel();
    let context = Context::new();
    let addr = context.address();
    let signs = Signs::of(name.into());
    let incarnation = INCARNATIONS.fetch_add(1, Ordering::Relaxed);
    let tells = Tells { signs: signs.clone(), incarnation, parent };
    actix::spawn(Watch::new(context.into_future(actor), tells, parent_gone, policy));
    Child { signs, incarnation, addr, _link: link }
}

/// Ends the supervised actor that calls this, for good, because a restart would not help.
pub fn give_up(reason: impl Into<String>) -> ! {
    Crash::Hopeless(reason.into()).unwind()
}

/// Ends the supervised actor that calls this, for good, because it cannot work without this child.
pub(crate) fn give_up_over(child: GivenUp) -> ! {
    Crash::Below(child).unwind()
}

impl Stuck {
    /// Crashes the supervised actor that calls this, without waiting for the next health check.
    pub(crate) fn crash(self) -> ! {
        Crash::Hung(self.to_string()).unwind()
    }
}
