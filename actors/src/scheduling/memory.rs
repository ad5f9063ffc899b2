//! The state of a fleet that must survive a crash of its actor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, MutexGuard};
use parsec_measure::{Faults, Liveness, Node, NodeId, OutcomeClass, Rotation, Schedule, SchedulerId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::open_round::OpenRound;

/// What a fleet remembers. Clones share the same state. It is created outside the actor, so it outlives the actor and
/// its parent.
#[derive(Debug, Clone, Default)]
pub struct FleetMemory {
    kept: Arc<Mutex<Kept>>,
    /// The round that it plays, if it plays one.
    pub(super) open: OpenRound,
}

/// The row of a round loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registered {
    pub(super) id: SchedulerId,
    /// Since when there is one.
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Its row in the database, once it has one.
    pub(super) scheduler: Option<Registered>,
    /// The nodes that the database listed last.
    pub(super) known: Vec<Node>,
    /// Which servers fail repeatedly.
    pub(super) faults: Faults,
    /// Which nodes are alive.
    pub(super) liveness: Liveness,
    /// Whose server could not be reached when it was called last. The others may reach it: it is marked offline once it is
    /// silent as well.
    pub(super) unreachable: BTreeSet<NodeId>,
    /// Who publishes next.
    pub(super) rotation: Rotation,
    course: Option<Course>,
}

impl Kept {
    /// Notes what became of something that a node was asked.
    pub(super) fn asked(&mut self, node: NodeId, class: OutcomeClass, reason: Option<&str>) {
        self.faults.note(node, class, reason);
        match class {
            OutcomeClass::ServerUnreachable => self.unreachable.insert(node),
            // It was not waited for.
            OutcomeClass::Cancelled | OutcomeClass::RecordLost => false,
            _ => self.unreachable.remove(&node),
        };
    }

    /// Its course. The first call begins it.
    pub(super) fn course(&mut self, begin: impl FnOnce() -> Course) -> &mut Course {
        self.course.get_or_insert_with(begin)
    }
}

/// When its rounds are due, and what they publish.
#[derive(Debug)]
pub(super) struct Course {
    /// The moment from which the schedule counts.
    pub(super) epoch: Instant,
    /// The grid of due times: after a crash the next round is due at the time at which it would have been due anyway.
    pub(super) schedule: Schedule,
    /// Generates the content. It is kept, because a generator begun anew with the same seed would publish the same
    /// content again.
    pub(super) rng: StdRng,
}

impl Course {
    /// A course whose first round is due within the jitter.
    pub(super) fn begin(seed: Option<u64>, interval: Duration, jitter: Duration) -> Self {
        let mut rng = seed.map_or_else(|| StdRng::from_rng(&mut rand::rng()), StdRng::seed_from_u64);
        let schedule = Schedule::new(jitter.mul_f64(rng.random()), interval);
        Self { epoch: Instant::now(), schedule, rng }
    }
}

impl FleetMemory {
    /// Hold the guard only for a moment.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }
}
