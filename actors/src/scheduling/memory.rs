//! What a fleet must not forget when its actor crashes.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use parsec_measure::{Faults, Node, Rotation, Schedule, SchedulerId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::open_round::OpenRound;

/// What a fleet remembers. Clones are of the same fleet: made outside of its actor, it outlives the actor and its parent.
#[derive(Debug, Clone, Default)]
pub struct FleetMemory {
    kept: Arc<Mutex<Kept>>,
    /// The round that it plays, if it plays one.
    pub(super) open: OpenRound,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Its row in the database, once it has one.
    pub(super) scheduler: Option<SchedulerId>,
    /// The nodes that the database listed last.
    pub(super) known: Vec<Node>,
    /// Which servers fail again and again.
    pub(super) faults: Faults,
    /// Who publishes next.
    pub(super) rotation: Rotation,
    course: Option<Course>,
}

impl Kept {
    /// Its course, which begins now if it has not yet.
    pub(super) fn course(&mut self, begin: impl FnOnce() -> Course) -> &mut Course {
        self.course.get_or_insert_with(begin)
    }
}

/// When its rounds are due, and what they publish.
#[derive(Debug)]
pub(super) struct Course {
    /// The moment from which the schedule counts.
    pub(super) epoch: Instant,
    /// The grid of due times: after a crash the next round is due when it would have been.
    pub(super) schedule: Schedule,
    /// Makes the content: begun anew, it would publish the same content again.
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
    /// To be held for a moment only.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }
}
