//! The events that a parent receives about its children, and what every parent does with them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tracing::{error, info};

/// Counts crashes, for metrics.
pub trait CrashCounter: fmt::Debug + Send + Sync + 'static {
    /// The actor of this name crashed in this way and will be restarted.
    fn restarted(&self, actor: &str, kind: CrashKind);
}

/// An event about a child.
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
    /// It crashed and will be started again.
    Restarting {
        /// The panic message, or what hangs.
        reason: String,
        /// How it crashed.
        kind: CrashKind,
        /// The pause before the restart.
        after: Duration,
    },
    /// It stays down.
    Down(GivenUp),
    /// It stopped in order, by itself or with its parent.
    Stopped,
}

/// How an actor crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashKind {
    /// It panicked.
    Panic,
    /// It, or its work, stopped making progress.
    Hung,
}

impl CrashKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Panic, Self::Hung];

    /// The kind as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hung => "hung",
        }
    }
}

/// The actor that is not restarted, and why. [`fmt::Display`] gives a sentence for the last line of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The actor's name; if a child took it down, that child's name.
    pub actor: Arc<str>,
    /// How often it crashed within the policy's window; 0 if it gave up by itself.
    pub crashes: usize,
    /// The policy's window.
    pub within: Duration,
    /// The last crash's reason.
    pub reason: String,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, crashes, within, reason } = self;
        match crashes {
            0 => write!(f, "{actor}: {reason}"),
            _ => write!(f, "{actor} crashed {crashes} times within {} s, last: {reason}", within.as_secs()),
        }
    }
}

impl ChildEvent {
    /// Logs and counts the event: every parent does at least this.
    pub(crate) fn note(&self, crashes: &dyn CrashCounter) {
        let actor = &*self.child;
        match &self.state {
            ChildState::Restarting { reason, kind, after } => {
                crashes.restarted(actor, *kind);
                let (kind, restart_seconds) = (kind.as_str(), after.as_secs_f64());
                error!(actor, reason, kind, restart_seconds, "crashed, and is started again");
            }
            ChildState::Down(given_up) => error!(actor, reason = %given_up, "stays down"),
            ChildState::Stopped => info!(actor, "ended"),
        }
    }
}
