//! Runs each call as a task of its own.
//!
//! A caller may be an actor that dies, or may stop waiting. Dropping a running SQLite query panics on single-threaded
//! runtimes and blocks on others, and a PostgreSQL connection dropped in the middle is lost to the pool: so what a
//! caller drops is only the wish to hear of the result.

mod archive;
mod diagnosis;
mod glance;
mod history;
mod prune;
mod setups;
mod traced;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use parsec_measure::{ACTIVE_WITHIN, Fleet, FleetGroup, NodeId, PlannedCheck, SchedulerId, clock};
use tokio::runtime::Handle;
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::archive::ArchiveQueries;
use crate::batch::Batch;
use crate::checks::{CheckQueries, ClaimRow, StoredPlan};
use crate::closed::ClosedTable;
use crate::columns::{Address, Names, micros, text};
use crate::counted::CountedQueries;
use crate::datasets::DatasetQueries;
use crate::diagnosis::DiagnosisQueries;
use crate::glance::GlanceQueries;
use crate::history::HistoryQueries;
use crate::operations::OperationQueries;
use crate::presence::{NodeQueries, NodeRow};
use crate::prune::PruneQueries;
use crate::queries::Queries;
use crate::reason::Reasons;
use crate::records::RecordQueries;
use crate::setups::SetupQueries;
use crate::traced::TraceQueries;
use crate::{Archive, ClaimChecks, Migrated, NewNode, OtherScheduler, Roster, Row, Store, StoreError};

/// How long a caller waits: longer than a connection and a statement may take (each back end says how long), so that
/// they report their own reasons, and short enough to notice a machine that vanished.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(60);

/// How long a caller waits for the schema: longer than the back ends' own limits for it.
const MIGRATION_LIMIT: Duration = Duration::from_secs(15 * 60);

/// One kind of database: how a query is run, and how to bring the schema up to date.
pub(crate) trait Backend: Send + Sync + 'static {
    type Connection: Queries
        + NodeQueries
        + OperationQueries
        + CheckQueries
        + ArchiveQueries
        + DatasetQueries
        + RecordQueries
        + PruneQueries
        + TraceQueries
        + HistoryQueries
        + GlanceQueries
        + CountedQueries
        + SetupQueries
        + DiagnosisQueries
        + Reasons;

    /// For how long a call that was answered stands for a check.
    const TRUSTED: Duration;

    /// Runs one query on a connection that works, again if it collides with somebody else's.
    fn run<T, Q>(&self, access: Access, query: Q) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send,
        Q: for<'c> Fn(&'c mut Self::Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync;
    fn migrate(&self) -> impl Future<Output = Result<Migrated, StoreError>> + Send;
    /// Whether the database would take rows now.
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// The tables that rows cannot be written to.
    fn closed_tables(&self, by_others: bool) -> impl Future<Output = Result<Vec<ClosedTable>, StoreError>> + Send;
    /// How often its file was deleted or replaced.
    fn file_moves(&self) -> usize {
        0
    }
    /// What is done when nobody here writes any more.
    fn rest(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }
}

/// What a query does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It changes nothing: its answer need not wait for anything after it.
    Read,
    Write,
}

/// A store whose work is done in tasks on one runtime.
pub(crate) struct Detached<B> {
    backend: Arc<B>,
    runtime: Handle,
    /// When the last call was answered; `None` if it was not.
    answered: Mutex<Option<Instant>>,
}

impl<B: Backend> Detached<B> {
    /// Takes the runtime it is called on, and makes sure that the database answers.
    pub(crate) async fn open(backend: B) -> Result<Self, StoreError> {
        let this = Self { backend: Arc::new(backend), runtime: Handle::current(), answered: Mutex::default() };
        this.read(|conn| conn.ping().boxed()).await?;
        Ok(this)
    }

    /// Runs a query that writes, perhaps several times.
    async fn write<T, Q>(&self, query: Q) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Q: for<'c> Fn(&'c mut B::Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static,
    {
        self.query(Access::Write, query).await
    }

    /// Runs a query that only reads, perhaps several times.
    async fn read<T, Q>(&self, query: Q) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Q: for<'c> Fn(&'c mut B::Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static,
    {
        self.query(Access::Read, query).await
    }

    async fn query<T, Q>(&self, access: Access, query: Q) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Q: for<'c> Fn(&'c mut B::Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static,
    {
        let backend = Arc::clone(&self.backend);
        let answer = self.detach(CALL_LIMIT, async move { backend.run(access, query).await }.boxed()).await;
        let answered =
            !matches!(answer, Err(StoreError::Unavailable(_) | StoreError::Refused(_) | StoreError::Query(_)));
        *self.answered.lock() = answered.then(Instant::now);
        answer
    }

    /// The call is boxed: its type, which has those of everything it awaits in it, would be too deep for callers elsewhere.
    async fn detach<T: Send + 'static>(
        &self,
        limit: Duration,
        call: BoxFuture<'static, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match timeout(limit, self.runtime.spawn(call)).await {
            Ok(joined) => result_of(joined),
            Err(_) => Err(StoreError::Unavailable(format!("no answer within {} s", limit.as_secs()))),
        }
    }
}

/// By how much a clock that was read in between is ahead of ours, at least: it may have been read at any time in between.
fn skew(before: DateTime<Utc>, read: DateTime<Utc>, after: DateTime<Utc>) -> TimeDelta {
    if read < before { read - before } else { (read - after).max(TimeDelta::zero()) }
}

/// The result of a task. Its panic goes on in the caller: it is a bug, and belongs before whoever supervises.
pub(crate) fn result_of<T>(joined: Result<Result<T, StoreError>, JoinError>) -> Result<T, StoreError> {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_cancelled)) => Err(StoreError::Unavailable("the runtime of its connections has ended".to_owned())),
    }
}

/// A store that also takes heartbeats from earlier, and can be read.
#[async_trait]
pub(crate) trait Beats: Store + Archive {
    /// Notes when nodes were alive, all at once.
    async fn beat(&self, beats: Vec<(NodeId, DateTime<Utc>)>) -> Result<(), StoreError>;
}

#[async_trait]
impl<B: Backend> Beats for Detached<B> {
    async fn beat(&self, beats: Vec<(NodeId, DateTime<Utc>)>) -> Result<(), StoreError> {
        let beats: Arc<[_]> = beats.into();
        self.write(move |conn| {
            let beats = Arc::clone(&beats);
            async move {
                for (node, at) in &*beats {
                    conn.heartbeat(node.0, micros(*at)).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }
}

#[async_trait]
impl<B: Backend> Store for Detached<B> {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        let backend = Arc::clone(&self.backend);
        self.detach(MIGRATION_LIMIT, async move { backend.migrate().await }.boxed()).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        if self.answered.lock().is_some_and(|answered| answered.elapsed() < B::TRUSTED) {
            return Ok(());
        }
        let backend = Arc::clone(&self.backend);
        self.detach(CALL_LIMIT, async move { backend.check().await }.boxed()).await
    }

    async fn closed_tables(&self, by_others: bool) -> Result<Vec<ClosedTable>, StoreError> {
        let backend = Arc::clone(&self.backend);
        self.detach(CALL_LIMIT, async move { backend.closed_tables(by_others).await }.boxed()).await
    }

    fn file_moves(&self) -> usize {
        self.backend.file_moves()
    }

    async fn rest(&self) -> Result<(), StoreError> {
        let backend = Arc::clone(&self.backend);
        self.detach(CALL_LIMIT, async move { backend.rest().await }.boxed()).await
    }

    async fn register_node(&self, node: NewNode) -> Result<NodeId, StoreError> {
        let row = NodeRow {
            cpu: node.cpu,
            memory: node.memory,
            peer_id: text(&node.peer_id),
            region: text(&node.region),
            cmd: text(&node.cmd),
            fleet: node.fleet.as_str().to_owned(),
            dependencies: node.dependencies,
            address: Address(node.ip_address.into()),
            server_port: node.server_port.column(),
            peer_port: node.peer_port.column(),
            created: micros(node.created_at),
        };
        self.write(move |conn| conn.insert_node(row.clone()).boxed()).await.map(NodeId)
    }

    async fn heartbeat(&self, node: NodeId) -> Result<TimeDelta, StoreError> {
        let before = clock::now();
        let noted = self.write(move |conn| {
            async move {
                let at = conn.now().await?;
                Ok(conn.heartbeat(node.0, at).await?.then_some(at))
            }
            .boxed()
        });
        noted.await?.map(|at| skew(before, at, clock::now())).ok_or(StoreError::NoSuchNode(node))
    }

    async fn mark_offline(&self, node: NodeId) -> Result<(), StoreError> {
        let marking = self.write(move |conn| {
            async move {
                let at = conn.now().await?;
                conn.mark_offline(node.0, at).await
            }
            .boxed()
        });
        if marking.await? { Ok(()) } else { Err(StoreError::NoSuchNode(node)) }
    }

    async fn mark_offline_if_silent(&self, node: NodeId) -> Result<bool, StoreError> {
        self.write(move |conn| {
            async move {
                let at = conn.now().await?;
                conn.mark_offline_if_silent(node.0, at - ACTIVE_WITHIN, at).await
            }
            .boxed()
        })
        .await
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        let names: Vec<_> = fleets.iter().map(|fleet| fleet.as_str().to_owned()).collect();
        let before = clock::now();
        let listed = self.read(move |conn| {
            let names = names.clone();
            async move {
                let now = conn.now().await?;
                Ok((conn.roster(names, now).await?, now))
            }
            .boxed()
        });
        let (rows, now) = listed.await?;
        Ok(Roster { skew: skew(before, now, clock::now()), ..Roster::read(rows, now) })
    }

    async fn other_schedulers(
        &self,
        fleets: &[Fleet],
        but: SchedulerId,
        since: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        let publishing = self.read(move |conn| conn.publishing_schedulers(micros(since)).boxed()).await?;
        let others = publishing.into_iter().filter(|(id, _)| *id != but.0);
        let others = others.map(|(id, Names(fleets))| OtherScheduler { id: SchedulerId(id), fleets });
        let shares =
            |other: &OtherScheduler| fleets.iter().any(|fleet| other.fleets.iter().any(|name| name == fleet.as_str()));
        Ok(others.filter(shares).collect())
    }

    async fn register_scheduler(
        &self,
        fleets: &FleetGroup,
        dependencies: serde_json::Value,
        at: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        let names = Names(fleets.fleets().iter().map(|fleet| fleet.as_str().to_owned()).collect());
        let id = self
            .write(move |conn| conn.insert_scheduler(names.clone(), dependencies.clone(), micros(at)).boxed())
            .await?;
        Ok(SchedulerId(id))
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.read(|conn| conn.recent_schedulers().boxed()).await?;
        let mut names = Vec::new();
        for Names(fleets) in rows {
            let name = fleets.join(",");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        let batch = Arc::new(Batch::new(rows, clock::now()));
        if batch.is_empty() {
            return Ok(());
        }
        self.write(move |conn| {
            let batch = Arc::clone(&batch);
            async move { conn.record(&batch).await }.boxed()
        })
        .await
    }

    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        let claim = ClaimRow::from(&claim);
        let claimed = self.write(move |conn| conn.claim_checks(claim.clone()).boxed()).await?;
        claimed.into_iter().map(StoredPlan::read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_by_what_the_wait_for_its_answer_does_not_explain() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        for (read, ahead) in [(5, 0), (10, 0), (20, 0), (21, 1), (-3, -8)] {
            assert_eq!(skew(at(5), at(read), at(20)), TimeDelta::seconds(ahead), "read at {read}");
        }
    }
}
