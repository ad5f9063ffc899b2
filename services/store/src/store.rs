//! What can be asked of the database, in the terms of the domain.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{Attempt, Fleet, FleetGroup, FollowUp, NodeId, PlannedCheck, RecordCheck, Round, SchedulerId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::closed::ClosedTable;
use crate::{Migrated, OtherScheduler, Roster, ServerPort, StoreError};

/// A server that announces itself: one row of `nodes_ecs`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNode {
    /// Cores that the server may use.
    pub cpu: i32,
    /// Memory that it may use, in MB.
    pub memory: i32,
    /// Its libp2p peer id as text.
    pub peer_id: String,
    /// The region it runs in.
    pub region: String,
    /// Its command line, secrets blanked.
    pub cmd: String,
    /// Its fleet.
    pub fleet: Fleet,
    /// What it was built from: package, version, commit, crates.
    pub dependencies: serde_json::Value,
    /// The address under which schedulers reach its HTTP API.
    pub ip_address: IpAddr,
    /// The port of its HTTP API.
    pub server_port: ServerPort,
    /// The port of its libp2p host.
    pub peer_port: ServerPort,
    /// When it started.
    pub created_at: DateTime<Utc>,
}

/// A row of measured data. Writing one twice leaves one.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A round began, or ended. They may come in any order; the first end that arrives stays.
    Round(Round),
    /// An attempt ended.
    ///
    /// Its trace is written if it says why it is kept.
    Attempt(Attempt),
    /// A publication has come to its end.
    FollowUp(NodeFollowUp),
    /// A look at where a record is was planned, or made. They may come in any order; the first one made stays.
    Check(RecordCheck),
}

impl Row {
    /// Whether it has a trace.
    pub fn has_trace(&self) -> bool {
        matches!(self, Self::Attempt(attempt) if attempt.result.trace.is_some())
    }

    /// The row without its trace.
    pub fn without_trace(mut self) -> Self {
        if let Self::Attempt(attempt) = &mut self {
            attempt.result.trace = None;
            attempt.why_kept = None;
        }
        self
    }
}

/// A follow-up, and whose. It is written into files as it stands here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFollowUp {
    /// Its identity, made before it is first offered.
    pub id: Uuid,
    /// The node that published.
    pub node: NodeId,
    /// When the last put had ended.
    pub ended: DateTime<Utc>,
    /// What became of the puts.
    #[serde(flatten)]
    pub follow_up: FollowUp,
}

/// Who claims looks at where records are, and which of those that nobody has made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimChecks {
    /// The node that will make them.
    pub by: NodeId,
    /// Its fleet, which publishes to the same network,
    pub fleet: Fleet,
    /// and its region, which sees that network from the same side.
    pub region: String,
    /// What is due by now, if `by` itself has published.
    pub now: DateTime<Utc>,
    /// What was due by then, whoever has published.
    pub of_others_due_by: DateTime<Utc>,
    /// What was due before that is past being looked at.
    pub oldest_due: DateTime<Utc>,
    /// From when on others may claim them again.
    pub until: DateTime<Utc>,
    /// How many at most.
    pub limit: u32,
}

/// How many rows of schedulers are looked at: each start of a scheduler makes one for each of its loops.
pub const MAX_RECENT_SCHEDULERS: usize = 256;

/// The database behind everything that is recorded.
///
/// Times are kept to the microsecond, which is what PostgreSQL has. Each call is safe to drop: the query it started
/// goes on in a task of its own. Each call ends within a minute, except [`migrate`](Store::migrate), which may have to
/// wait for another program and then rewrite a large table.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Brings the schema up to date; safe while other programs, Go's among them, do the same.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the tables are not ours to change (an interrupted migration, somebody else's tables,
    /// no right to create any), with a sentence that says what to do.
    async fn migrate(&self) -> Result<Migrated, StoreError>;
    /// Asks the database whether it is there and would take rows.
    ///
    /// # Errors
    /// If it is away, read-only, or not the one that was opened.
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// The tables that rows cannot be written to: by us, or, with `by_others`, by any role that writes to some of them.
    async fn closed_tables(&self, by_others: bool) -> Result<Vec<ClosedTable>, StoreError> {
        let _ = by_others;
        Ok(Vec::new())
    }
    /// How often the file of the database has been deleted or replaced while it was in use. A server on the network has none.
    fn file_moves(&self) -> usize {
        0
    }
    /// Nobody here writes any more: what SQLite keeps in a log beside its file goes into the file, so that whoever copies that has everything. Waits for
    /// nobody who uses the file meanwhile.
    async fn rest(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Writes a server's row, without a heartbeat. Older rows at its address and port are offline from then on: whoever wrote
    /// them is not there any more.
    async fn register_node(&self, node: NewNode) -> Result<NodeId, StoreError>;
    /// Notes that the node is alive now, by the clock of the database, and no longer offline. Returns by how much that clock
    /// is ahead of ours.
    ///
    /// # Errors
    /// [`StoreError::NoSuchNode`] if its row is gone.
    async fn heartbeat(&self, node: NodeId) -> Result<TimeDelta, StoreError>;
    /// Notes that the node is offline from now on; one that is offline already keeps its time.
    ///
    /// # Errors
    /// [`StoreError::NoSuchNode`] if its row is gone.
    async fn mark_offline(&self, node: NodeId) -> Result<(), StoreError>;
    /// The same, if its last heartbeat is older than [`ACTIVE_WITHIN`](parsec_measure::ACTIVE_WITHIN) by the clock of the
    /// database. Returns whether it is offline now.
    async fn mark_offline_if_silent(&self, node: NodeId) -> Result<bool, StoreError>;
    /// The nodes of these fleets that are not offline and have been heard of, at most [`MAX_ROSTER`](crate::MAX_ROSTER) of
    /// them: lately, or within the [last hour](crate::HEARD_WITHIN) before anybody was heard of for the last time. A row that
    /// cannot be used is named and left out.
    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError>;
    /// The round loops, other than `but`, that have recorded publications since then which one of these fleets took part in:
    /// ours or the original's.
    async fn other_schedulers(
        &self,
        fleets: &[Fleet],
        but: SchedulerId,
        since: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError>;
    /// Writes the row of a round loop.
    async fn register_scheduler(
        &self,
        fleets: &FleetGroup,
        dependencies: serde_json::Value,
        at: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError>;
    /// The names under which the schedulers of the newest rows call servers, each once: their fleets, joined by commas. At
    /// most [`MAX_RECENT_SCHEDULERS`] rows are looked at.
    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError>;
    /// Writes all rows in one transaction, each once however often it is offered.
    ///
    /// A measured attempt also gets its rows in the original's tables: a publication one per step, a lookup one. An
    /// attempt that was written without its trace gets the trace if it is offered with one.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if one of them is refused, e.g. because its node's row is gone, or because we have no right
    /// to write to its table: then none is written. [`write`](crate::write) finds out which.
    async fn record(&self, rows: &[Row]) -> Result<(), StoreError>;
    /// Claims planned looks at where records are; nobody else is given the same before `until`. The order is any.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if one of them was written by somebody else and cannot be used.
    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError>;
}
