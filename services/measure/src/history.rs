//! What happened in a stretch of time, as the tables tell it: what is read to find incidents in it.

use chrono::{DateTime, Utc};

use crate::{ArchivedOperation, NodeId, Round};

/// What the tables have of a stretch of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Rounds, in the order of their identities.
    pub rounds: Vec<Round>,
    /// Attempts, in the order of theirs.
    pub attempts: Vec<NotedAttempt>,
    /// Servers that were there at some time.
    pub servers: Vec<ServerLife>,
    /// How many rounds have rows that this version cannot read.
    pub unread_rounds: usize,
    /// How many attempts have such rows.
    pub unread_attempts: usize,
}

/// An attempt, and when its row was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NotedAttempt {
    /// The attempt.
    pub operation: ArchivedOperation,
    /// When the scheduler had the answer, or gave up.
    pub ended: DateTime<Utc>,
    /// When its row was written.
    pub written: DateTime<Utc>,
}

/// A server, from its start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLife {
    /// Its row.
    pub id: NodeId,
    /// Its fleet.
    pub fleet: String,
    /// The region it runs in.
    pub region: String,
    /// Its libp2p peer id.
    pub peer_id: String,
    /// When it started.
    pub created: DateTime<Utc>,
    /// When it last said that it is alive; `None` if it never did.
    pub last_heartbeat: Option<DateTime<Utc>>,
    /// Since when it is offline; `None` if it is not.
    pub offline_since: Option<DateTime<Utc>>,
}

/// A server as people want to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenServer {
    /// Since when it is there, and when it was heard of.
    pub life: ServerLife,
    /// How it publishes and finds, if it says so.
    pub strategy: Option<String>,
    /// The network that it measures: the protocol of its DHT, if it says so.
    pub network: Option<String>,
    /// The version of its program, likewise.
    pub version: Option<String>,
}
