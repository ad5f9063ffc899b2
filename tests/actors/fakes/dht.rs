//! DHT nodes without a network: an engine for the real actor, and an actor in its place.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use parking_lot::Mutex;
use parsec_actors::serving::dht_node::{CheckRecord, GetReadiness, OperationError, Provide, Retrieve};
use parsec_dht::{Dht, DhtError, Readiness};
use parsec_measure::{AttemptId, Cid, FollowUp, HolderCheck, Measured, OutcomeClass};
use tokio::sync::watch;
use tokio::time::sleep;

use super::servers::found;
use super::{How, endpoint, measured, until};

/// What a node says that can measure.
const READY: Readiness = Readiness::Ready { routing_table_size: 202, network_size: Some(7_000) };

/// What an engine does, and what was done with it.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) how: How,
    pub(crate) died: Option<String>,
    pub(crate) stopped: bool,
    /// Operations that have begun.
    pub(crate) begun: usize,
    /// Under which attempt each publication was asked for.
    pub(crate) attempts: Vec<Option<AttemptId>>,
    /// Which records it was asked to look for: key and provider.
    pub(crate) looked: Vec<(String, String)>,
    /// What it finds when it looks for a record.
    pub(crate) holders: Vec<HolderCheck>,
    /// What it has to say of publications, the oldest first.
    follow_ups: VecDeque<FollowUp>,
    /// The next one who asks what it has to say crashes.
    breaks_who_listens: bool,
}

/// An engine for the real [`DhtNode`](parsec_actors::serving::dht_node::DhtNode). Its operations take no time.
#[derive(Debug)]
pub(crate) struct FakeDht {
    engine: watch::Sender<Engine>,
}

impl FakeDht {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { engine: watch::channel(Engine::default()).0 })
    }

    pub(crate) fn is(&self, how: How) {
        self.change(|engine| engine.how = how);
    }

    pub(crate) fn dies(&self, reason: &str) {
        self.change(|engine| engine.died = Some(reason.to_owned()));
    }

    /// The puts of a publication have ended.
    pub(crate) fn follows_up(&self, follow_up: FollowUp) {
        self.change(|engine| engine.follow_ups.push_back(follow_up));
    }

    /// Whoever listens to it crashes, once.
    pub(crate) fn breaks_who_listens(&self) {
        self.change(|engine| engine.breaks_who_listens = true);
    }

    /// From now on, so many peers are the closest to every key, and the first ones of them have the record.
    pub(crate) fn holds(&self, having: u32, of: u32) {
        let says =
            |rank| HolderCheck { holder: format!("peer-{rank}"), rank, answered: true, has_record: rank <= having };
        self.change(|engine| engine.holders = (1..=of).map(says).collect());
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Engine) -> T) -> T {
        read(&self.engine.borrow())
    }

    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&Engine) -> bool) {
        until(&self.engine, what, condition).await;
    }

    fn change(&self, change: impl FnOnce(&mut Engine)) {
        self.engine.send_modify(change);
    }

    /// Takes a call as ordered. What takes its time are operations.
    async fn take(&self, operation: bool) -> How {
        self.change(|engine| engine.begun += 1);
        let how = {
            let mut engine = self.engine.subscribe();
            let awake = engine.wait_for(|engine| engine.how != How::Hangs).await;
            awake.expect("the sender is a part of self").how
        };
        match how {
            How::Slow(duration) if operation => sleep(duration).await,
            How::Panics => panic!("the engine broke"),
            _ => {}
        }
        how
    }

    async fn operate(&self) -> Result<Measured, DhtError> {
        match self.take(true).await {
            How::Measures(class) => Ok(measured(class, Duration::from_millis(7))),
            How::Says(finds) => {
                let providers = found(finds, &endpoint(1));
                Ok(Measured { providers, ..measured(OutcomeClass::Ok, Duration::from_millis(7)) })
            }
            How::Unreachable => Err(DhtError::Stopped),
            _ => Ok(measured(OutcomeClass::Ok, Duration::from_millis(7))),
        }
    }
}

#[async_trait]
impl Dht for FakeDht {
    async fn provide(&self, _: Cid, attempt: Option<AttemptId>) -> Result<Measured, DhtError> {
        self.change(|engine| engine.attempts.push(attempt));
        self.operate().await
    }

    async fn provide_many(
        &self,
        cids: Vec<Cid>,
        manner: parsec_measure::Manner,
    ) -> Result<parsec_measure::ProvidedMany, DhtError> {
        Ok(super::provided(cids, manner, &self.operate().await?))
    }

    async fn retrieve(&self, _: Cid) -> Result<Measured, DhtError> {
        self.operate().await
    }

    async fn check_record(&self, cid: Cid, provider: String) -> Result<Vec<HolderCheck>, DhtError> {
        self.change(|engine| engine.looked.push((cid.to_string(), provider)));
        match self.take(true).await {
            How::Unreachable => Err(DhtError::Stopped),
            _ => Ok(self.read(|engine| engine.holders.clone())),
        }
    }

    async fn readiness(&self) -> Result<Readiness, DhtError> {
        match self.take(false).await {
            How::NotReady => Ok(Readiness::NotReady("the routing table is empty, as ordered".to_owned())),
            How::Unreachable => Err(DhtError::Stopped),
            How::Stuck => Err(DhtError::Stuck(Duration::from_secs(10))),
            _ => Ok(READY),
        }
    }

    async fn next_follow_up(&self) -> FollowUp {
        let mut next = None;
        while next.is_none() {
            let mut engine = self.engine.subscribe();
            let said =
                engine.wait_for(|engine| engine.breaks_who_listens || !engine.follow_ups.is_empty()).await.is_ok();
            assert!(said, "the sender is a part of self");
            let mut breaks = false;
            self.change(|engine| breaks = std::mem::take(&mut engine.breaks_who_listens));
            assert!(!breaks, "the engine broke who listens");
            self.change(|engine| next = engine.follow_ups.pop_front());
        }
        next.expect("the loop ends with one")
    }

    async fn died(&self) -> String {
        let mut engine = self.engine.subscribe();
        let dead = engine.wait_for(|engine| engine.died.is_some()).await;
        dead.ok().and_then(|engine| engine.died.clone()).unwrap_or_default()
    }

    async fn stop(&self) {
        self.change(|engine| {
            engine.stopped = true;
            engine.died = Some("it was stopped".to_owned());
        });
    }
}

/// The provider records of a network: multihashes.
pub(crate) type Records = Arc<Mutex<BTreeSet<Vec<u8>>>>;

/// An actor that answers like a DHT node: what one has published, another one of the same records finds.
#[derive(Debug)]
pub(crate) struct MockDht {
    pub(super) records: Records,
    pub(super) takes: Duration,
    ready: bool,
}

impl MockDht {
    /// A node that is ready, and takes this long for an operation.
    pub(crate) fn new(records: &Records, takes: Duration) -> Self {
        Self { records: Arc::clone(records), takes, ready: true }
    }

    fn operation(&self, class: OutcomeClass) -> ResponseFuture<Result<Measured, OperationError>> {
        let takes = self.takes;
        Box::pin(async move {
            sleep(takes).await;
            Ok(measured(class, takes))
        })
    }
}

impl Actor for MockDht {
    type Context = Context<Self>;
}

impl Handler<Provide> for MockDht {
    type Result = ResponseFuture<Result<Measured, OperationError>>;

    fn handle(&mut self, Provide { cid, .. }: Provide, _: &mut Self::Context) -> Self::Result {
        self.records.lock().insert(cid.multihash());
        self.operation(OutcomeClass::Ok)
    }
}

impl Handler<Retrieve> for MockDht {
    type Result = ResponseFuture<Result<Measured, OperationError>>;

    fn handle(&mut self, Retrieve(cid): Retrieve, _: &mut Self::Context) -> Self::Result {
        let found = self.records.lock().contains(&cid.multihash());
        self.operation(if found { OutcomeClass::Ok } else { OutcomeClass::NotFound })
    }
}

impl Handler<CheckRecord> for MockDht {
    type Result = Result<Vec<HolderCheck>, OperationError>;

    /// Whatever was published, one peer holds.
    fn handle(&mut self, CheckRecord { cid, .. }: CheckRecord, _: &mut Self::Context) -> Self::Result {
        let has_record = self.records.lock().contains(&cid.multihash());
        Ok(vec![HolderCheck { holder: "peer-1".to_owned(), rank: 1, answered: true, has_record }])
    }
}

impl Handler<GetReadiness> for MockDht {
    type Result = Result<Readiness, OperationError>;

    fn handle(&mut self, _: GetReadiness, _: &mut Self::Context) -> Self::Result {
        let not_ready = || Readiness::NotReady("the routing table is empty".to_owned());
        Ok(if self.ready { READY } else { not_ready() })
    }
}

/// From now on, say that you are ready, or that you are not.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BeReady(pub(crate) bool);

impl Handler<BeReady> for MockDht {
    type Result = ();

    fn handle(&mut self, BeReady(ready): BeReady, _: &mut Self::Context) {
        self.ready = ready;
    }
}
