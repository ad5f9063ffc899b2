//! A store whose calls take no time on the caller's clock.
//!
//! On a clock that jumps as soon as everybody waits (tokio's, when it is paused), whoever waits for a database lets the clock jump: over its own
//! deadline, and over everybody else's. So each call is made on another runtime, whose clock goes on, while the caller's thread waits for it.
//!
//! The database is the caller's alone. A heartbeat that nobody can have seen, because the next one came before anybody asked for anything, is
//! not written: a simulated week has hundreds of thousands of them. And a database that is away for a while lets no simulated time pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::executor::block_on;
use parking_lot::Mutex;
use parsec_measure::{Fleet, FleetGroup, NodeId, PlannedCheck, SchedulerId, clock};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::closed::ClosedTable;
use crate::detached::{Beats, result_of};
use crate::{ClaimChecks, Migrated, NewNode, OtherScheduler, Roster, Row, Store, StoreError};

/// How long a database may be away, by the clock of the host: as long as a server waits for it at its start.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon it is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// A store of another runtime. It blocks its callers' thread: meant for programs that play on a simulated clock.
pub struct StillStore {
    store: Arc<dyn Beats>,
    runtime: Handle,
    /// Heartbeats that are not written yet: the last one of each node.
    beats: Mutex<BTreeMap<NodeId, DateTime<Utc>>>,
    /// What [`Store::recent_schedulers`] says, until another one registers.
    schedulers: Mutex<Option<Vec<String>>>,
    /// Why the database was given up.
    lost: watch::Sender<Option<StoreError>>,
}

impl StillStore {
    /// Makes each call of `store` on this runtime, which must have threads of its own.
    pub(crate) fn new(store: Arc<dyn Beats>, runtime: Handle) -> Self {
        let (beats, schedulers, lost) = (Mutex::default(), Mutex::default(), watch::Sender::new(None));
        Self { store, runtime, beats, schedulers, lost }
    }

    /// How many servers have rows.
    ///
    /// # Errors
    /// As for all calls of a store.
    pub fn registered(&self) -> Result<usize, StoreError> {
        self.call(|store| async move { Ok(store.nodes().await?.len()) })
    }

    /// Waits until the database is given up, because it was away for longer than a minute: every call fails from then on. Returns why.
    pub async fn lost(&self) -> StoreError {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_else(gone),
            Err(_) => gone(),
        }
    }

    /// Makes a call, after the heartbeats from before it.
    fn call<T, F>(&self, call: impl Fn(Arc<dyn Beats>) -> F + Send + Sync + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let beats: Vec<_> = std::mem::take(&mut *self.beats.lock()).into_iter().collect();
        if !beats.is_empty() {
            self.asked(move |store| {
                let beats = beats.clone();
                async move { store.beat(beats).await }
            })?;
        }
        self.asked(call)
    }

    fn asked<T, F>(&self, call: impl Fn(Arc<dyn Beats>) -> F + Send + Sync + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        if let Some(error) = &*self.lost.borrow() {
            return Err(error.clone());
        }
        let store = Arc::clone(&self.store);
        let asking = async move { patiently(PATIENCE, || call(Arc::clone(&store))).await };
        let answer = result_of(block_on(self.runtime.spawn(asking)));
        if let Err(error @ StoreError::Unavailable(_)) = &answer {
            self.lost.send_replace(Some(error.clone()));
        }
        answer
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("it was given up".to_owned())
}

/// Makes a call again until the database is there or patience is at its end.
async fn patiently<T, F>(patience: Duration, call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let (began, mut is_told) = (Instant::now(), false);
    loop {
        match call().await {
            Err(StoreError::Unavailable(reason)) if began.elapsed() < patience => {
                if !is_told {
                    warn!(reason, "the database is away; the simulated clock stands still meanwhile");
                }
                is_told = true;
                sleep(RETRY).await;
            }
            answer => return answer,
        }
    }
}

#[async_trait]
impl Store for StillStore {
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        self.call(|store| async move { store.migrate().await })
    }

    /// Every write says how the database is: on a clock that jumps, asking every few seconds would be most of the work.
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn closed_tables(&self, by_others: bool) -> Result<Vec<ClosedTable>, StoreError> {
        self.call(move |store| async move { store.closed_tables(by_others).await })
    }

    fn file_moves(&self) -> usize {
        self.store.file_moves()
    }

    async fn rest(&self) -> Result<(), StoreError> {
        self.call(|store| async move { store.rest().await })
    }

    async fn register_node(&self, node: NewNode) -> Result<NodeId, StoreError> {
        self.call(move |store| {
            let node = node.clone();
            async move { store.register_node(node).await }
        })
    }

    /// It is written before anybody reads it. Its row must be there.
    async fn heartbeat(&self, node: NodeId) -> Result<TimeDelta, StoreError> {
        self.beats.lock().insert(node, clock::now());
        Ok(TimeDelta::zero())
    }

    async fn mark_offline(&self, node: NodeId) -> Result<(), StoreError> {
        self.call(move |store| async move { store.mark_offline(node).await })
    }

    async fn mark_offline_if_silent(&self, node: NodeId) -> Result<bool, StoreError> {
        self.call(move |store| async move { store.mark_offline_if_silent(node).await })
    }

    async fn roster(&self, fleets: &[Fleet]) -> Result<Roster, StoreError> {
        let fleets = fleets.to_vec();
        self.call(move |store| {
            let fleets = fleets.clone();
            async move { store.roster(&fleets).await }
        })
    }

    async fn other_schedulers(
        &self,
        fleets: &[Fleet],
        but: SchedulerId,
        since: DateTime<Utc>,
    ) -> Result<Vec<OtherScheduler>, StoreError> {
        let fleets = fleets.to_vec();
        self.call(move |store| {
            let fleets = fleets.clone();
            async move { store.other_schedulers(&fleets, but, since).await }
        })
    }

    async fn register_scheduler(
        &self,
        fleets: &FleetGroup,
        dependencies: serde_json::Value,
        at: DateTime<Utc>,
    ) -> Result<SchedulerId, StoreError> {
        let fleets = fleets.clone();
        let registered = self.call(move |store| {
            let (fleets, dependencies) = (fleets.clone(), dependencies.clone());
            async move { store.register_scheduler(&fleets, dependencies, at).await }
        });
        *self.schedulers.lock() = None;
        registered
    }

    async fn recent_schedulers(&self) -> Result<Vec<String>, StoreError> {
        if let Some(known) = self.schedulers.lock().clone() {
            return Ok(known);
        }
        let known = self.call(|store| async move { store.recent_schedulers().await })?;
        *self.schedulers.lock() = Some(known.clone());
        Ok(known)
    }

    async fn record(&self, rows: &[Row]) -> Result<(), StoreError> {
        let rows: Arc<[Row]> = rows.into();
        self.call(move |store| {
            let rows = Arc::clone(&rows);
            async move { store.record(&rows).await }
        })
    }

    async fn claim_checks(&self, claim: ClaimChecks) -> Result<Vec<PlannedCheck>, StoreError> {
        self.call(move |store| {
            let claim = claim.clone();
            async move { store.claim_checks(claim).await }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::runtime::{Builder, Runtime};
    use tokio::time::timeout;

    use super::*;
    use crate::{ServerPort, StoreConfig, connect_still};

    /// A database of threads of their own, and a clock that jumps.
    struct Both {
        still: StillStore,
        paused: Runtime,
        _real: Runtime,
        _directory: tempfile::TempDir,
    }

    impl Both {
        fn start() -> Self {
            let real = Builder::new_multi_thread().enable_all().build().unwrap();
            let directory = tempfile::tempdir().unwrap();
            let config = StoreConfig::Sqlite { path: directory.path().join("still.db") };
            let still = real.block_on(connect_still(&config)).unwrap();
            let paused = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            paused.block_on(still.migrate()).unwrap();
            Self { still, paused, _real: real, _directory: directory }
        }
    }

    #[test]
    fn a_database_is_asked_while_a_clock_that_jumps_stands_still() {
        let Both { still, paused, .. } = &Both::start();
        paused.block_on(async {
            // What is due soon is what the clock would jump to.
            tokio::spawn(sleep(Duration::from_millis(10)));
            let began = Instant::now();
            let asked = timeout(Duration::from_millis(1), still.recent_schedulers()).await;
            assert_eq!(asked.expect("no time passes"), Ok(vec![]));
            assert_eq!(began.elapsed(), Duration::ZERO);
        });
    }

    #[test]
    fn a_heartbeat_is_written_before_anybody_can_miss_it() {
        let Both { still, paused, .. } = &Both::start();
        let port = ServerPort::try_from(7).unwrap();
        let node = NewNode {
            cpu: 1,
            memory: 1,
            peer_id: "12D3KooW".to_owned(),
            region: "eu-central-1".to_owned(),
            cmd: "parsec demo".to_owned(),
            fleet: "default".parse().unwrap(),
            dependencies: serde_json::Value::Null,
            ip_address: [192, 0, 2, 7].into(),
            server_port: port,
            peer_port: port,
            created_at: Utc::now(),
        };
        paused.block_on(async {
            let id = still.register_node(node.clone()).await.unwrap();
            let listed = async || still.roster(std::slice::from_ref(&node.fleet)).await.unwrap().nodes.len();
            assert_eq!(listed().await, 0);
            assert_eq!(still.registered(), Ok(1));
            still.heartbeat(id).await.unwrap();
            assert_eq!(still.beats.lock().len(), 1);
            assert_eq!(listed().await, 1);
            assert_eq!(still.beats.lock().len(), 0);
            // One that was kept back does not bring back who has left since.
            still.heartbeat(id).await.unwrap();
            still.mark_offline(id).await.unwrap();
            assert_eq!(listed().await, 0);
        });
    }

    #[test]
    fn a_scheduler_that_registers_is_among_the_recent_ones() {
        let Both { still, paused, .. } = &Both::start();
        paused.block_on(async {
            assert_eq!(still.recent_schedulers().await, Ok(vec![]));
            let fleets = "default".parse().unwrap();
            still.register_scheduler(&fleets, serde_json::Value::Null, Utc::now()).await.unwrap();
            assert_eq!(still.recent_schedulers().await, Ok(vec!["default".to_owned()]));
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_asked_again_for_a_minute() {
        let away = |times: u32| {
            let asked = Cell::new(0);
            async move {
                let call = || {
                    asked.set(asked.get() + 1);
                    let is_away = asked.get() <= times;
                    async move { if is_away { Err(StoreError::Unavailable("restarting".to_owned())) } else { Ok(7) } }
                };
                patiently(PATIENCE, call).await
            }
        };
        assert_eq!(away(0).await, Ok(7));
        assert_eq!(away(100).await, Ok(7));
        let began = Instant::now();
        assert_eq!(away(u32::MAX).await, Err(StoreError::Unavailable("restarting".to_owned())));
        assert!(began.elapsed() >= PATIENCE && began.elapsed() < PATIENCE + 2 * RETRY, "{:?}", began.elapsed());
        let refused = patiently(PATIENCE, || async { Err::<(), _>(StoreError::Refused("no".to_owned())) }).await;
        assert_eq!(refused, Err(StoreError::Refused("no".to_owned())));
    }
}
