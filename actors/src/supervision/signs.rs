//! The state of one supervised actor as seen from outside: written by the task that watches it, read by those who send
//! it questions and by `/status`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

/// Whether an actor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorState {
    /// It answers.
    Running,
    /// It crashed, and is started again after its pause.
    Restarting,
    /// It crashed too often, and stays away.
    Down,
    /// It stopped in order.
    Stopped,
}

impl ActorState {
    /// The state as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Down => "down",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it will not run again.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Down | Self::Stopped)
    }
}

/// The history of an actor so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Whether it runs.
    pub state: ActorState,
    /// How often it was started again.
    pub restarts: u64,
    /// Why it crashed last, and when.
    pub last_crash: Option<(String, DateTime<Utc>)>,
    /// How many pulses in a row it has not answered the health check.
    pub missed_pulses: u32,
}

impl Default for Fate {
    /// An actor that has just been started.
    fn default() -> Self {
        Self { state: ActorState::Running, restarts: 0, last_crash: None, missed_pulses: 0 }
    }
}

/// See the module's documentation. Clones are of the same actor.
#[derive(Clone)]
pub struct Signs(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    fate: Mutex<Fate>,
    waiting: AtomicUsize,
}

impl Signs {
    /// The state of an actor that has just been started.
    pub(crate) fn of(name: Arc<str>) -> Self {
        Self(Arc::new(Inner { name, fate: Mutex::default(), waiting: AtomicUsize::new(0) }))
    }

    /// The actor's name.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Its history.
    pub fn fate(&self) -> Fate {
        self.0.fate.lock().clone()
    }

    /// Questions that were asked through an [`Ask`](crate::supervision::ask::Ask) and have neither been answered nor
    /// timed out.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.fate.lock().state == ActorState::Running
    }

    pub(crate) fn is(&self, state: ActorState) {
        self.0.fate.lock().state = state;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.fate.lock().state.has_ended()
    }

    pub(crate) fn crashed(&self, reason: &str, state: ActorState) {
        let mut fate = self.0.fate.lock();
        fate.state = state;
        fate.last_crash = Some((reason.to_owned(), Utc::now()));
        fate.missed_pulses = 0;
        fate.restarts += u64::from(state == ActorState::Restarting);
    }

    pub(crate) fn missed_pulses(&self, missed: u32) {
        self.0.fate.lock().missed_pulses = missed;
    }

    /// Takes over the history of a predecessor of the same name.
    pub(crate) fn succeed(&self, predecessor: &Self) {
        let Fate { restarts, last_crash, .. } = predecessor.fate();
        let mut fate = self.0.fate.lock();
        fate.restarts += restarts;
        fate.last_crash = fate.last_crash.take().or(last_crash);
    }

    /// One more question waits, until the answer is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.0.waiting)
    }
}

impl fmt::Debug for Signs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signs({})", self.0.name)
    }
}

/// A question that waits for its answer.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
