//! Rounds and the attempts in them, as they are recorded.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    AttemptId, FleetGroup, FollowUp, Measured, NodeId, OperationKind, RoundId, SchedulerId, UnknownName, WhyKept,
};

/// One attempt to publish or to find, whatever became of it.
///
/// The three times are wall-clock, to be joined with other data; `result.duration` is the measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its identity.
    pub id: AttemptId,
    /// The round it belongs to.
    pub round: RoundId,
    /// The loop that asked for it.
    pub scheduler: SchedulerId,
    /// The node that was asked.
    pub node: NodeId,
    /// Publishing or finding.
    pub kind: OperationKind,
    /// Which look of this node at the same key, from 0: the first is cold, later ones find warm connections.
    pub probe: u32,
    /// The key, as the server that was asked spelled it. Whoever makes an attempt has parsed it where it came in; that it
    /// stays a text here has a reason: one [`Cid`](crate::Cid) can be spelled in twenty multibases and does not remember in
    /// which, while rows have to say what was said, lookups ask for the very form that the publication was answered with, and
    /// a row of another program, however it spells its key, has to be read back as it is.
    pub cid: String,
    /// When it should have started.
    pub due: DateTime<Utc>,
    /// When it started.
    pub started: DateTime<Utc>,
    /// When the scheduler had its answer, or gave up.
    pub ended: DateTime<Utc>,
    /// What became of it.
    pub result: Measured,
    /// Why the trace in `result` is kept; `None` if it is not.
    pub why_kept: Option<WhyKept>,
}

impl Attempt {
    /// As it is recorded once nobody is left to say what became of it: it had begun, and a crash of its actor or process
    /// has taken the result.
    #[must_use]
    pub fn lost(self, now: DateTime<Utc>) -> Self {
        Self { ended: now.max(self.started), result: Measured::record_lost(), why_kept: None, ..self }
    }
}

impl Round {
    /// As it is recorded once nobody is left to play it: cut off by now, unless its end is known.
    #[must_use]
    pub fn cut_off(mut self, now: DateTime<Utc>) -> Self {
        self.ended.get_or_insert((now.max(self.started), RoundOutcome::Interrupted));
        self
    }
}

/// An operation as the database has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOperation {
    /// The attempt. Its steps stand in the original's tables alone, and are not read back.
    pub attempt: Attempt,
    /// The peer id of the node that was asked.
    pub peer_id: String,
    /// The region of that node.
    pub region: String,
    /// Its fleet, as its row has it: others write such rows, too.
    pub fleet: String,
    /// What became of a publication in the end, if that is known yet.
    pub follow_up: Option<FollowUp>,
}

/// What became of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoundOutcome {
    /// Everything planned was attempted (attempts may have failed).
    Complete,
    /// The publication failed, so there was nothing to look up.
    ProvideFailed,
    /// Fewer than two nodes were ready.
    TooFewNodes,
    /// The process stopped in the middle.
    Interrupted,
}

impl RoundOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Complete, Self::ProvideFailed, Self::TooFewNodes, Self::Interrupted];

    /// The name in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ProvideFailed => "provide_failed",
            Self::TooFewNodes => "too_few_nodes",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for RoundOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RoundOutcome {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|outcome| outcome.as_str() == name);
        known.ok_or_else(|| UnknownName { what: "round outcome", name: name.to_owned() })
    }
}

crate::name::as_text! { RoundOutcome }

/// One round. Recorded when it begins, with neither `ended` nor `outcome`, and again when it ends:
/// a round that was cut off stays visibly unfinished. It is written into files as it stands here: what earlier versions did
/// not write has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Its identity.
    pub id: RoundId,
    /// The loop that it belongs to.
    pub scheduler: SchedulerId,
    /// The fleets that took part.
    pub fleets: FleetGroup,
    /// Who published; `None` if nobody could be chosen.
    pub provider: Option<NodeId>,
    /// How many nodes the database listed as alive.
    pub nodes_listed: u32,
    /// How many said that they can measure: of those listed, and of those without a heartbeat all.
    pub nodes_ready: u32,
    /// How many took part although their last heartbeat was too old, because nearly all had grown old at once: they are
    /// not among those listed.
    #[serde(default)]
    pub nodes_without_heartbeat: u32,
    /// How many rounds before this one were left out because an earlier one took too long.
    pub skipped_before: u32,
    /// When it should have started.
    pub due: DateTime<Utc>,
    /// When it started.
    pub started: DateTime<Utc>,
    /// When and how it ended; `None` while it runs.
    pub ended: Option<(DateTime<Utc>, RoundOutcome)>,
}
