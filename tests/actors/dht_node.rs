//! The DHT node as the gateway and the heartbeat meet it, and the engine behind it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use parking_lot::Mutex;
use parsec_actors::serving::dht_node::{
    DhtHandle, DhtNode, GetReadiness, OperationError, ProvideMany, Retrieve, StartDht,
};
use parsec_actors::supervision::ask::AskError;
use parsec_actors::supervision::stop::{DHT_STOP, Stop};
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_dht::{Dht, DhtError, Readiness};
use parsec_measure::{Manner, OutcomeClass};
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{FakeDht, How, POLICY, Witness, cid, measured, millis, publication, secs};

/// How many operations may run at once.
const MAX_OPERATIONS: usize = 64;

const OPERATION_TIMEOUT: Duration = Duration::from_secs(180);

const READY: Readiness = Readiness::Ready { routing_table_size: 202, network_size: Some(7_000) };

/// What the start function gives out, one after the other.
type Spares = Arc<Mutex<Vec<Result<Arc<FakeDht>, String>>>>;

struct Host {
    engine: Arc<FakeDht>,
    node: Child<DhtNode>,
    dht: DhtHandle,
    parent: Witness,
}

impl Host {
    fn open(spares: Vec<Result<Arc<FakeDht>, String>>) -> Self {
        pause();
        let spares: Spares = Arc::new(Mutex::new(spares));
        let start: StartDht = Arc::new(move || {
            let mut spares = spares.lock();
            let spare = if spares.is_empty() { Err("no engine is left".to_owned()) } else { spares.remove(0) };
            // Starting takes a while.
            async {
                sleep(secs(1)).await;
                spare.map(|engine| engine as Arc<dyn Dht>)
            }
            .boxed()
        });
        let engine = FakeDht::new();
        let (parent, hears) = Witness::start_new();
        let node = supervise("DHT node", POLICY, hears, DhtNode::new(engine.clone(), start));
        Self { engine, dht: DhtHandle::of(&node, OPERATION_TIMEOUT), node, parent }
    }

    async fn is_ready(&self) -> bool {
        matches!(self.dht.readiness.ask(GetReadiness).await, Ok(Ok(Readiness::Ready { .. })))
    }
}

#[actix::test]
async fn it_passes_on_what_the_engine_measured() {
    let host = Host::open(vec![]);
    let ok = measured(OutcomeClass::Ok, millis(7));
    assert_eq!(host.dht.provide.ask(publication(1)).await, Ok(Ok(ok)));
    host.engine.is(How::Measures(OutcomeClass::NotFound));
    let not_found = measured(OutcomeClass::NotFound, millis(7));
    assert_eq!(host.dht.retrieve.ask(Retrieve(cid(1))).await, Ok(Ok(not_found)));
    host.engine.is(How::Unreachable);
    let stopped = OperationError::Dht(DhtError::Stopped);
    assert_eq!(host.dht.retrieve.ask(Retrieve(cid(1))).await, Ok(Err(stopped)));
}

#[actix::test]
async fn it_says_whether_the_engine_is_ready() {
    let host = Host::open(vec![]);
    assert_eq!(host.dht.readiness.ask(GetReadiness).await, Ok(Ok(READY)));
    host.engine.is(How::NotReady);
    assert!(!host.is_ready().await);
}

#[actix::test]
async fn it_takes_on_so_many_operations_and_not_one_more() {
    let host = Host::open(vec![]);
    host.engine.is(How::Hangs);
    let dht = host.dht.clone();
    let many = actix::spawn(async move {
        join_all((0..MAX_OPERATIONS as u64).map(|number| dht.retrieve.ask(Retrieve(cid(number))))).await
    });
    host.engine.until("all of them have begun", |engine| engine.begun == MAX_OPERATIONS).await;
    let busy = host.dht.provide.ask(publication(99)).await;
    assert_eq!(busy, Ok(Err(OperationError::Busy(MAX_OPERATIONS))));
    host.engine.is(How::Works);
    assert!(many.await.unwrap().into_iter().all(|answer| answer.unwrap().is_ok()));
    assert!(host.dht.provide.ask(publication(99)).await.unwrap().is_ok());
}

#[actix::test]
async fn it_publishes_many_keys_for_one_caller_at_a_time_beside_other_operations() {
    let host = Host::open(vec![]);
    let many = || ProvideMany { cids: vec![cid(1), cid(2)], manner: Manner::Sweep };
    host.engine.is(How::Hangs);
    let dht = host.dht.clone();
    let first = actix::spawn(async move { dht.provide_many.ask(many()).await });
    host.engine.until("it has begun", |engine| engine.begun == 1).await;
    assert_eq!(host.dht.provide_many.ask(many()).await, Ok(Err(OperationError::BusyWithMany)));
    host.engine.is(How::Works);
    let all = first.await.unwrap().unwrap().unwrap();
    assert_eq!((all.manner, all.keys.len(), all.lost()), (Manner::Sweep, 2, 0));
    assert!(host.dht.provide_many.ask(many()).await.unwrap().is_ok(), "the place is free again");
}

#[actix::test]
async fn who_waits_for_many_keys_is_answered_when_the_engine_breaks_or_dies_and_the_place_is_free_again() {
    let host = Host::open(vec![Ok(FakeDht::new())]);
    let many = || ProvideMany { cids: vec![cid(1)], manner: Manner::Each };
    host.engine.is(How::Unreachable);
    let stopped = OperationError::Dht(DhtError::Stopped);
    assert_eq!(host.dht.provide_many.ask(many()).await, Ok(Err(stopped.clone())));
    host.engine.is(How::Hangs);
    let dht = host.dht.clone();
    let waiting = actix::spawn(async move { dht.provide_many.ask(many()).await });
    host.engine.until("it has begun", |engine| engine.begun == 2).await;
    host.engine.dies("the swarm's task died");
    host.parent.until_heard(1).await;
    assert!(!matches!(waiting.await.unwrap(), Ok(Ok(_))), "nothing was published");
    sleep(2 * POLICY.backoff_min + secs(1)).await;
    assert!(host.dht.provide_many.ask(many()).await.unwrap().is_ok());
}

#[actix::test]
async fn an_engine_that_died_is_replaced() {
    let spare = FakeDht::new();
    let host = Host::open(vec![Ok(spare.clone())]);
    assert!(host.is_ready().await);
    host.engine.dies("the swarm's task died");
    host.parent.until_heard(1).await;
    assert_eq!(host.parent.restarts()[0].0, "the DHT engine died: the swarm's task died");
    let down = host.dht.provide.ask(publication(1)).await;
    assert_eq!(down, Err(AskError::Unavailable("DHT node".into())));
    sleep(2 * POLICY.backoff_min).await;
    let (operation, readiness) = (host.dht.provide.ask(publication(1)), host.dht.readiness.ask(GetReadiness));
    assert_eq!(operation.await, Ok(Err(OperationError::Starting)));
    assert_eq!(readiness.await, Ok(Err(OperationError::Starting)));
    sleep(secs(1)).await;
    assert!(host.dht.provide.ask(publication(1)).await.unwrap().is_ok());
    assert_eq!(spare.read(|engine| engine.begun), 1);
}

#[actix::test]
async fn an_engine_that_does_not_start_is_tried_again() {
    let host = Host::open(vec![Err("port 4001 is taken".to_owned()), Ok(FakeDht::new())]);
    host.engine.dies("the swarm's task died");
    host.parent.until_heard(2).await;
    assert_eq!(host.parent.restarts()[1].0, "the DHT engine does not start: port 4001 is taken");
    sleep(secs(2)).await;
    assert!(host.is_ready().await);
}

#[actix::test]
async fn the_replacement_is_watched_as_well() {
    let first = FakeDht::new();
    let host = Host::open(vec![Ok(first.clone()), Ok(FakeDht::new())]);
    host.engine.dies("first");
    sleep(secs(5)).await;
    first.dies("second");
    sleep(secs(5)).await;
    assert!(host.is_ready().await);
    let reasons: Vec<_> = host.parent.restarts().into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons, ["the DHT engine died: first", "the DHT engine died: second"]);
}

#[actix::test]
async fn an_engine_that_gives_no_sign_of_life_is_replaced_within_a_minute() {
    let spare = FakeDht::new();
    let host = Host::open(vec![Ok(spare.clone())]);
    sleep(secs(600)).await;
    assert_eq!(host.parent.heard(), []);
    host.engine.is(How::Stuck);
    sleep(secs(60)).await;
    assert_eq!(host.parent.restarts()[0].0, "the DHT node gave no sign of life within 10 s");
    assert!(host.is_ready().await && spare.read(|engine| engine.begun) > 0);
    sleep(secs(600)).await;
    assert_eq!(host.parent.heard().len(), 1);
}

#[actix::test]
async fn one_that_answers_nothing_at_all_is_replaced_and_nobody_waits_for_it_any_more() {
    let host = Host::open(vec![Ok(FakeDht::new())]);
    host.engine.is(How::Hangs);
    let (dht, began) = (host.dht.clone(), Instant::now());
    let many = actix::spawn(async move {
        join_all((0..MAX_OPERATIONS as u64).map(|number| dht.retrieve.ask(Retrieve(cid(number))))).await
    });
    host.parent.until_heard(1).await;
    let restarts = host.parent.restarts();
    assert!(
        restarts[0].0.starts_with("the question whether the DHT engine is ready has been under way"),
        "{restarts:?}"
    );
    let answers = many.await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Ok(Err(OperationError::Dht(DhtError::Stopped)))), "{answers:?}");
    assert!(began.elapsed() <= secs(90), "{:?}", began.elapsed());
    sleep(secs(5)).await;
    assert!(host.dht.provide.ask(publication(1)).await.unwrap().is_ok(), "their places are free again");
}

#[actix::test]
async fn an_engine_that_is_not_ready_is_alive() {
    let host = Host::open(vec![]);
    host.engine.is(How::NotReady);
    sleep(secs(600)).await;
    assert_eq!(host.parent.heard(), []);
}

#[actix::test]
async fn an_operation_that_panics_fails_alone() {
    let host = Host::open(vec![]);
    host.engine.is(How::Panics);
    let crashed = host.dht.provide.ask(publication(1)).await;
    assert_eq!(crashed, Err(AskError::Crashed("DHT node".into())));
    host.engine.is(How::Works);
    assert!(host.dht.provide.ask(publication(1)).await.unwrap().is_ok());
    assert_eq!(host.parent.heard(), []);
}

#[actix::test]
async fn a_panicking_operation_gives_its_place_back() {
    let host = Host::open(vec![]);
    host.engine.is(How::Panics);
    for number in 0..=MAX_OPERATIONS as u64 {
        host.dht.provide.ask(publication(number)).await.unwrap_err();
    }
    host.engine.is(How::Works);
    assert!(host.dht.provide.ask(publication(1)).await.unwrap().is_ok());
}

#[actix::test]
async fn an_operation_that_never_ends_is_given_up_on() {
    let host = Host::open(vec![]);
    host.engine.is(How::Slow(secs(3600)));
    let began = Instant::now();
    let answer = host.dht.provide.ask(publication(1)).await;
    assert!(matches!(answer, Err(AskError::TimedOut(..))), "{answer:?}");
    assert!(began.elapsed() > OPERATION_TIMEOUT && began.elapsed() < OPERATION_TIMEOUT + secs(10));
}

#[actix::test]
async fn told_to_stop_it_stops_the_engine_and_starts_no_other() {
    let host = Host::open(vec![Ok(FakeDht::new())]);
    assert_eq!(host.node.ask(DHT_STOP).ask(Stop).await, Ok(()));
    assert!(host.engine.read(|engine| engine.stopped));
    sleep(secs(60)).await;
    assert_eq!(host.parent.restarts(), []);
    assert!(!host.node.addr().connected());
}
