//! Who is who among rounds and attempts.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;

/// The identity of an attempt, made before it starts, so that a replayed row is recognised as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptId(pub Uuid);

/// The identity of a round, made before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoundId(pub Uuid);

impl AttemptId {
    /// A new identity, ordered by time (UUIDv7), so that the newest rows stand together in an index.
    pub fn fresh() -> Self {
        Self(clock::fresh_id())
    }
}

impl RoundId {
    /// A new identity, ordered by time (UUIDv7).
    pub fn fresh() -> Self {
        Self(clock::fresh_id())
    }
}

/// The database's number of one round loop: `schedulers_ecs.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchedulerId(pub i32);
