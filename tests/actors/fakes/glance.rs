//! A database that is only looked at: it can be slow, away, or break.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use parsec_measure::{
    ArchivedCheck, ArchivedNode, ArchivedOperation, ArchivedPublication, ArchivedRounds, AttemptId, CheckId, History,
    IdPart, NodeId, NotedAttempt, OperationKind, OutcomeClass, Round, RoundId, SampledOperation, SeenServer,
    ServerLife, StoredOperation, Trace,
};
use parsec_store::{
    Archive, Chronicle, CountedPage, Dataset, DatasetPage, Glance, Glanced, Listing, PageEnd, Selection, StoreError,
    Stretch, Traces,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Mood, until};

/// What it was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How many calls there were.
    pub(crate) calls: usize,
    /// How many have not been answered.
    pub(crate) waiting: usize,
    /// How many waited at once, at most.
    pub(crate) most: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct FakeGlance {
    mood: watch::Sender<Mood>,
    asked: watch::Sender<Asked>,
    attempts: Mutex<Vec<NotedAttempt>>,
}

/// A call that has not been answered.
struct Waiting<'a>(&'a watch::Sender<Asked>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|asked| asked.waiting -= 1);
    }
}

impl FakeGlance {
    pub(crate) fn new() -> Arc<Self> {
        let (mood, asked) = (watch::channel(Mood::Works).0, watch::channel(Asked::default()).0);
        Arc::new(Self { mood, asked, attempts: Mutex::default() })
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    pub(crate) fn asked(&self) -> Asked {
        *self.asked.borrow()
    }

    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Asked) -> bool) {
        until(&self.asked, what, |asked| condition(asked)).await;
    }

    /// One more lookup of server 1 is recorded, under a number that grows.
    pub(crate) fn records(&self, number: u128) {
        let at = Utc::now();
        let operation = ArchivedOperation {
            id: AttemptId(Uuid::from_u128(number)),
            round: RoundId(Uuid::nil()),
            node: NodeId(1),
            kind: OperationKind::Retrieve,
            probe: 0,
            class: OutcomeClass::Ok,
            started: at,
            duration: Duration::from_millis(250),
            from_own_records: false,
        };
        self.attempts.lock().push(NotedAttempt { operation, ended: at, written: at });
    }

    async fn called(&self) -> Result<(), StoreError> {
        self.asked.send_modify(|asked| {
            asked.calls += 1;
            asked.waiting += 1;
            asked.most = asked.most.max(asked.waiting);
        });
        let _waiting = Waiting(&self.asked);
        let mut moods = self.mood.subscribe();
        let mood = *moods.wait_for(|mood| *mood != Mood::Hangs).await.unwrap();
        match mood {
            Mood::Away => Err(StoreError::Unavailable("connection refused".to_owned())),
            Mood::Panics => panic!("this call was ordered to panic"),
            _ => Ok(()),
        }
    }
}

fn nothing<T>() -> Glanced<T> {
    Glanced { rows: vec![], unread: 0, last: None }
}

#[async_trait]
impl Glance for FakeGlance {
    async fn servers(&self, _: Option<DateTime<Utc>>) -> Result<Vec<SeenServer>, StoreError> {
        self.called().await?;
        let life = ServerLife {
            id: NodeId(1),
            fleet: "default".to_owned(),
            region: "eu-test-1".to_owned(),
            peer_id: "12D3KooWtest".to_owned(),
            created: Utc::now() - TimeDelta::hours(1),
            last_heartbeat: Some(Utc::now()),
            offline_since: None,
        };
        Ok(vec![SeenServer { life, strategy: None, network: None, version: None }])
    }

    async fn newest_rounds(&self, _: u32) -> Result<Glanced<Round>, StoreError> {
        self.called().await?;
        Ok(nothing())
    }

    async fn newest_attempts(
        &self,
        _: &Selection,
        _: Option<AttemptId>,
        limit: u32,
    ) -> Result<Glanced<NotedAttempt>, StoreError> {
        self.called().await?;
        let rows: Vec<_> = self.attempts.lock().iter().rev().take(limit as usize).copied().collect();
        let last = rows.last().map(|noted| noted.operation.id.0);
        Ok(Glanced { rows, unread: 0, last })
    }
}

#[async_trait]
impl Chronicle for FakeGlance {
    async fn history(&self, _: &Selection, _: usize) -> Result<History, StoreError> {
        self.called().await?;
        Ok(History::default())
    }
}

#[async_trait]
impl Traces for FakeGlance {
    async fn sampled(&self, _: &Selection, _: Option<AttemptId>) -> Result<Glanced<SampledOperation>, StoreError> {
        self.called().await.map(|()| nothing())
    }

    async fn traces(&self, _: &[AttemptId]) -> Result<Vec<(AttemptId, Option<Trace>)>, StoreError> {
        self.called().await.map(|()| vec![])
    }

    async fn list(&self, _: &Listing) -> Result<Glanced<StoredOperation>, StoreError> {
        self.called().await.map(|()| nothing())
    }

    async fn meant(&self, _: &IdPart) -> Result<Vec<AttemptId>, StoreError> {
        self.called().await.map(|()| vec![])
    }

    async fn whole(&self, _: AttemptId) -> Result<Option<StoredOperation>, StoreError> {
        self.called().await.map(|()| None)
    }
}

#[async_trait]
impl Archive for FakeGlance {
    async fn nodes(&self) -> Result<BTreeMap<NodeId, ArchivedNode>, StoreError> {
        self.called().await.map(|()| BTreeMap::new())
    }

    async fn counted(&self, _: &Selection, _: Stretch) -> Result<CountedPage, StoreError> {
        self.called().await.map(|()| CountedPage::default())
    }

    async fn rounds(&self, _: &Selection) -> Result<ArchivedRounds, StoreError> {
        self.called().await.map(|()| ArchivedRounds::default())
    }

    async fn publications(&self, _: &Selection, _: Option<AttemptId>) -> Result<Vec<ArchivedPublication>, StoreError> {
        self.called().await.map(|()| vec![])
    }

    async fn checks(&self, _: &Selection, _: Option<CheckId>) -> Result<Vec<ArchivedCheck>, StoreError> {
        self.called().await.map(|()| vec![])
    }

    async fn dataset(&self, _: Dataset, _: &Selection, _: Option<PageEnd>) -> Result<DatasetPage, StoreError> {
        Err(StoreError::Refused("nothing is exported here".to_owned()))
    }

    async fn schema_version(&self) -> Result<Option<String>, StoreError> {
        self.called().await.map(|()| None)
    }
}
