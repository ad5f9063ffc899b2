//! The task in which a supervised actor runs.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use actix::dev::{AsyncContextParts, ContextFut};
use actix::fut::wrap_future;
use actix::prelude::*;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};
use tracing::error;

use super::events::{ChildEvent, ChildState, CrashKind, GivenUp};
use super::progress::{MISSED_PULSES, PULSE, Progress, Stuck};
use super::restart::{RestartDecision, RestartHistory, RestartPolicy};
use super::signs::{ActorState, Signs};

/// Which actor is running on the thread that the actors share.
static TURN: Mutex<Option<Arc<str>>> = Mutex::new(None);

/// The actor that is running at this moment, to name it if the actors' thread is blocked. Meant for processes that run
/// all their actors on one thread.
pub fn whose_turn() -> Option<Arc<str>> {
    TURN.lock().clone()
}

/// Marks an actor as running, until this is dropped.
struct Turn;

impl Turn {
    fn of(name: &Arc<str>) -> Self {
        *TURN.lock() = Some(name.clone());
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURN.lock() = None;
    }
}

/// Why an actor ended that did not stop in order. Travels as the payload of an unwinding that is not a panic.
#[derive(Debug)]
pub(super) enum Crash {
    Panic(String),
    Hung(String),
    /// It knows that a restart would not help.
    Hopeless(String),
    /// It cannot work without this child.
    Below(GivenUp),
}

impl Crash {
    /// Unwinds out of the actor, like a panic, but without a panic's message on stderr.
    pub(super) fn unwind(self) -> ! {
        resume_unwind(Box::new(self))
    }

    fn from_panic(panic: Box<dyn Any + Send>) -> Self {
        let panic = match panic.downcast::<Self>() {
            Ok(crash) => return *crash,
            Err(panic) => panic,
        };
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panic(text.unwrap_or_else(|| "panic without a text".to_owned()))
    }
}

/// Where the events of a child go.
pub(super) struct Tells {
    pub(super) signs: Signs,
    pub(super) incarnation: u64,
    pub(super) parent: Recipient<ChildEvent>,
}

impl Tells {
    fn tell(&self, state: ChildState) {
        let event = ChildEvent { child: self.signs.name().clone(), incarnation: self.incarnation, state };
        match self.parent.try_send(event) {
            Ok(()) => {}
            // The queue is full because many children crash at once. `send` always finds room, and a parent must never
            // miss that a child is down.
            Err(SendError::Full(event)) => {
                let (parent, actor) = (self.parent.clone(), event.child.clone());
                actix::spawn(async move {
                    if let Err(error) = parent.send(event).await {
                        error!(%actor, %error, "cannot tell the parent actor about its child");
                    }
                });
            }
            Err(error @ SendError::Closed(_)) => {
                error!(actor = %self.signs.name(), %error, "cannot tell the parent actor about its child");
            }
        }
    }
}

/// See the module's documentation.
pub(super) struct Watch<A: Supervised + Progress + Actor<Context = Context<A>>> {
    tells: Tells,
    actor: Pin<Box<ContextFut<A, Context<A>>>>,
    /// Resolves when the parent has dropped the child; `None` once it has.
    parent_gone: Option<oneshot::Receiver<()>>,
    policy: RestartPolicy,
    history: RestartHistory,
    epoch: Instant,
    /// The actor is down, and is restarted when this has elapsed.
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether the actor has been reset to a fresh state since it crashed.
    rebuilt: bool,
    pulse: Pulse,
}

/// How the actor's future ended.
enum End {
    Stopped,
    Crashed(Crash),
}

/// Whether the watch continues.
enum Next {
    GoesOn,
    Over,
}

impl<A: Supervised + Progress + Actor<Context = Context<A>>> Watch<A> {
    pub(super) fn new(
        actor: ContextFut<A, Context<A>>,
        tells: Tells,
        parent_gone: oneshot::Receiver<()>,
        policy: RestartPolicy,
    ) -> Self {
        Self {
            tells,
            actor: Box::pin(actor),
            parent_gone: Some(parent_gone),
            policy,
            history: RestartHistory::new(policy),
            epoch: Instant::now(),
            pause: None,
            rebuilt: true,
            pulse: Pulse::new(),
        }
    }

    fn context(&mut self) -> &mut Context<A> {
        self.actor.as_mut().get_mut().ctx()
    }

    /// Passes on that the parent is gone; true if the child need not be restarted.
    fn follow_parent(&mut self, task: &mut TaskContext<'_>) -> bool {
        let gone = self.parent_gone.as_mut().is_some_and(|gone| gone.poll_unpin(task).is_ready());
        if gone {
            self.parent_gone = None;
            if self.pause.is_some() {
                self.tells.signs.is(ActorState::Stopped);
                return true;
            }
            self.context().parts().stop();
        }
        false
    }

    /// Resets the actor to a fresh state. Everything in its context is dropped, and callers that waited for it get an
    /// error.
    fn rebuild(&mut self) -> Result<(), End> {
        let _turn = Turn::of(self.tells.signs.name());
        match catch_unwind(AssertUnwindSafe(|| self.actor.as_mut().get_mut().restart())) {
            Ok(true) => {
                self.rebuilt = true;
                self.pulse = Pulse::new();
                Ok(())
            }
            // The last address has been dropped.
            Ok(false) => Err(End::Stopped),
            Err(panic) => {
                // The actor is only half reset and must not be started, not even while it is dropped.
                self.context().parts().terminate();
                Err(End::Crashed(Crash::from_panic(panic)))
            }
        }
    }

    fn run(&mut self, task: &mut TaskContext<'_>) -> Poll<End> {
        let _turn = Turn::of(self.tells.signs.name());
        match catch_unwind(AssertUnwindSafe(|| self.actor.as_mut().poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(End::Stopped),
            Err(panic) => Poll::Ready(End::Crashed(Crash::from_panic(panic))),
        }
    }

    /// Performs the health check. Pending as long as there is nothing to do; ready without an end if the actor has to
    /// be polled, so that it can answer.
    fn feel_pulse(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<End>> {
        let answered = self.pulse.answered();
        if answered.is_some() && self.pulse.missed > 0 {
            self.tells.signs.missed_pulses(0);
        }
        if let Some(Err(stuck)) = answered {
            return Poll::Ready(Some(End::Crashed(Crash::Hung(stuck.to_string()))));
        }
        if answered.is_some() {
            self.pulse.missed = 0;
        }
        ready!(self.pulse.timer.as_mut().poll(task));
        self.pulse.timer.as_mut().reset(Instant::now() + PULSE);
        if !self.pulse.asked {
            let question = self.pulse.question();
            self.context().parts().spawn(question);
            return Poll::Ready(None);
        }
        self.pulse.missed += 1;
        self.tells.signs.missed_pulses(self.pulse.missed);
        if self.pulse.missed < MISSED_PULSES {
            return Poll::Ready(None);
        }
        let reason = format!("gave no sign of life for {} s", (PULSE * MISSED_PULSES).as_secs());
        Poll::Ready(Some(End::Crashed(Crash::Hung(reason))))
    }

    /// Decides what to do after a crash.
    fn crashed(&mut self, crash: Crash) -> Next {
        let (kind, reason) = match crash {
            Crash::Panic(reason) => (CrashKind::Panic, reason),
            Crash::Hung(reason) => (CrashKind::Hung, reason),
            Crash::Hopeless(reason) => return self.give_up(0, reason),
            Crash::Below(child) => return self.give_up_over(child),
        };
        if self.parent_gone.is_none() {
            self.tells.signs.crashed(&reason, ActorState::Stopped);
            return Next::Over;
        }
        match self.history.crashed(self.epoch.elapsed(), rand::random()) {
            RestartDecision::After(after) => {
                self.tells.signs.crashed(&reason, ActorState::Restarting);
                self.pause = Some(Box::pin(sleep(after)));
                self.tells.tell(ChildState::Restarting { reason, kind, after });
                Next::GoesOn
            }
            RestartDecision::GiveUp { crashes } => self.give_up(crashes, reason),
        }
    }

    fn give_up(&self, crashes: usize, reason: String) -> Next {
        let (actor, within) = (self.tells.signs.name().clone(), self.policy.window);
        self.give_up_over(GivenUp { actor, crashes, within, reason })
    }

    fn give_up_over(&self, given_up: GivenUp) -> Next {
        self.tells.signs.crashed(&given_up.reason, ActorState::Down);
        self.tells.tell(ChildState::Down(given_up));
        Next::Over
    }

    /// Handles the end of the actor's future, whatever its cause.
    fn ended(&mut self, end: End) -> Next {
        match end {
            End::Stopped => {
                self.tells.signs.is(ActorState::Stopped);
                self.tells.tell(ChildState::Stopped);
                Next::Over
            }
            End::Crashed(crash) => {
                // Resetting failed: wait for the pause before trying again.
                let at_once = self.rebuilt;
                self.rebuilt = false;
                match self.crashed(crash) {
                    Next::Over => Next::Over,
                    Next::GoesOn if at_once => self.rebuild().map_or_else(|end| self.ended(end), |()| Next::GoesOn),
                    Next::GoesOn => Next::GoesOn,
                }
            }
        }
    }

    /// Waits for the end of the pause, if there is one, and then for the actor.
    fn follow(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<End>> {
        if let Some(pause) = self.pause.as_mut() {
            ready!(pause.as_mut().poll(task));
            self.pause = None;
            if !self.rebuilt
                && let Err(end) = self.rebuild()
            {
                return Poll::Ready(Some(end));
            }
            self.tells.signs.is(ActorState::Running);
        }
        match self.run(task) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending => self.feel_pulse(task),
        }
    }
}

impl<A: Supervised + Progress + Actor<Context = Context<A>>> Drop for Watch<A> {
    /// Otherwise an actor in its pause would be started once more only to be dropped, possibly without a runtime while
    /// the process ends.
    fn drop(&mut self) {
        if self.pause.is_some() {
            self.context().parts().terminate();
        }
    }
}

impl<A: Supervised + Progress + Actor<Context = Context<A>>> Future for Watch<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let watch = self.get_mut();
        loop {
            if watch.follow_parent(task) {
                return Poll::Ready(());
            }
            // Returning drops the actor, outside of any unwinding.
            if let Some(end) = ready!(watch.follow(task))
                && let Next::Over = watch.ended(end)
            {
                return Poll::Ready(());
            }
        }
    }
}

/// The state of the health check.
struct Pulse {
    timer: Pin<Box<Sleep>>,
    /// Sent, and not answered yet.
    asked: bool,
    answer: Rc<Cell<Option<Result<(), Stuck>>>>,
    missed: u32,
}

impl Pulse {
    fn new() -> Self {
        Self { timer: Box::pin(sleep(PULSE)), asked: false, answer: Rc::default(), missed: 0 }
    }

    /// Spawned into the actor's context, which runs it once it has read its mailbox.
    fn question<A: Progress + Actor>(&mut self) -> impl ActorFuture<A, Output = ()> + use<A> {
        self.asked = true;
        let answer = Rc::clone(&self.answer);
        wrap_future::<_, A>(async {}).map(move |(), actor, _| answer.set(Some(actor.progress())))
    }

    fn answered(&mut self) -> Option<Result<(), Stuck>> {
        let answer = self.answer.take();
        self.asked &= answer.is_none();
        answer
    }
}
