//! Many measurements as statistics need them: less of each than was recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{AttemptId, CheckId, NodeId, OperationKind, OutcomeClass, RoundId, RoundOutcome};

/// A server as its measurements name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchivedNode {
    /// Its fleet.
    pub fleet: String,
    /// The region it ran in.
    pub region: String,
    /// Its libp2p peer id.
    pub peer_id: String,
    /// How it publishes and finds, if it says so. The name may be one that only a newer version knows.
    pub strategy: Option<String>,
    /// The software that it is, if it says so: package and version, as other peers are told, such as `parsec/0.1.0`.
    pub agent: Option<String>,
    /// The network that it measures, if it says so: the protocols by which its peers know each other, or `simulated:` and the name of a model.
    pub network: Option<String>,
}

/// An operation, as far as statistics are concerned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArchivedOperation {
    /// Its identity.
    pub id: AttemptId,
    /// Its round.
    pub round: RoundId,
    /// The node that was asked.
    pub node: NodeId,
    /// Publishing or finding.
    pub kind: OperationKind,
    /// Which look of the node at the key, from 0.
    pub probe: u32,
    /// What became of it.
    pub class: OutcomeClass,
    /// When it started.
    pub started: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// Whether the server answered from its own records, so that no DHT was measured.
    pub from_own_records: bool,
}

/// What became of rounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchivedRounds {
    /// How many there are by outcome; those without an end have none.
    pub played: BTreeMap<Option<RoundOutcome>, u64>,
    /// How many were left out, because an earlier one took too long.
    pub skipped: u64,
    /// How many more have rows that this version cannot read.
    pub unread: u64,
}

/// How many peers were given a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// Those that it was written to, if that is known.
    pub stored: Option<u32>,
    /// Those of them that confirmed that they took it in, if that is known.
    pub confirmed: Option<u32>,
}

/// A publication, as far as its records are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivedPublication {
    /// Its identity.
    pub id: AttemptId,
    /// The node that published.
    pub node: NodeId,
    /// When it started.
    pub started: DateTime<Utc>,
    /// Who had been given the record when the publication returned.
    pub at_return: Given,
    /// The same when its last put had ended.
    pub finally: Given,
}

/// A check that was made: who of the closest peers has a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivedCheck {
    /// Its identity.
    pub id: CheckId,
    /// The node that had published.
    pub node: NodeId,
    /// When the last put of the publication had ended.
    pub published: DateTime<Utc>,
    /// The planned age of the record.
    pub after: Duration,
    /// How many of the closest peers were asked.
    pub asked: u32,
    /// How many of them have the record.
    pub have: u32,
}
