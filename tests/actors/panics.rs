//! Panics in every place of every actor, and every actor hanging: the process lives, the actor answers again at the
//! same address within its back-off, and nobody beside it notices.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures::FutureExt;
use parsec_api::token::CurrentToken;
use parsec_dht::Readiness;
use parsec_measure::{NodeId, OutcomeClass, RoundId, RoundOutcome, SchedulerId, Share};
use parsec_store::Row;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{
    Bystander, Bystanding, Call, FakeDht, FakeGlance, FakeServers, FakeStore, How, MockDht, Mood, POLICY, Question,
    Records, Run, Witness, cid, metrics, millis, node, peer_id, publication, secs,
};
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::scheduling::fleet::{Fleet, FleetConfig, FleetMemory};
use parsec_actors::scheduling::round::RoundTools;
use parsec_actors::scheduling::scheduler::{Scheduler, SchedulerConfig};
use parsec_actors::scheduling::traces::Traces;
use parsec_actors::serving::dht_node::{DhtHandle, DhtNode, GetReadiness, OperationError, Retrieve, StartDht};
use parsec_actors::serving::gateway::{Gateway, Measuring, Routes};
use parsec_actors::serving::heartbeat::{Heartbeat, HeartbeatConfig};
use parsec_actors::serving::verifier::{Verifier, VerifierConfig};
use parsec_actors::supervision::ask::{Ask, AskError};
use parsec_actors::supervision::progress::Progress;
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_actors::telemetry::{Scrape, Telemetry};
use parsec_actors::viewing::archive::{Archive, Look};
use parsec_actors::viewing::question::Question as Asked;

/// How many calls a gateway may leave without an answer when it crashes: far more than it does.
const CALLS: usize = 1_000;

/// An actor and the world around it, made anew for each test.
struct Case<A: Actor> {
    actor: A,
    /// Returns once the actor has done its duty, with whatever the next look shall be compared with.
    does_its_duty: Box<dyn AsyncDuty<A>>,
}

/// `async Fn(&Child<A>)`, boxed.
trait AsyncDuty<A: Actor> {
    fn done<'a>(&'a self, child: &'a Child<A>) -> futures::future::LocalBoxFuture<'a, ()>;
}

impl<A: Actor, F: AsyncFn(&Child<A>)> AsyncDuty<A> for F {
    fn done<'a>(&'a self, child: &'a Child<A>) -> futures::future::LocalBoxFuture<'a, ()> {
        self(child).boxed_local()
    }
}

impl<A: Actor> Case<A> {
    fn new(actor: A, duty: impl AsyncFn(&Child<A>) + 'static) -> Self {
        Self { actor, does_its_duty: Box::new(duty) }
    }
}

/// Has the actor panic, and looks at it, its parent and its neighbour before and after.
async fn survives<A>(case: Case<A>, panicking: Run<A>, reason: &str)
where
    A: Supervised + Progress + Actor<Context = Context<A>> + Handler<Run<A>>,
{
    let (parent, hears) = Witness::start_new();
    let (bystander, began) = (Bystander::default().start(), Instant::now());
    let child = supervise("victim", POLICY, hears, case.actor);
    case.does_its_duty.done(&child).await;

    let address = child.addr().clone();
    let sent = address.send(panicking).await;
    assert_eq!(sent.is_err(), reason == "in a handler", "a caller hears of a crash of what it asked for: {sent:?}");
    parent.until_heard(1).await;
    let restarts = parent.restarts();
    let (heard, after) = &restarts[0];
    assert!(heard == reason && *after <= POLICY.backoff_min, "{restarts:?}");

    let asked = Instant::now();
    let at_once = child.ask(secs(60)).ask(Run::nothing()).await;
    assert_eq!((at_once, asked.elapsed()), (Err(AskError::Unavailable("victim".into())), Duration::ZERO));
    address.send(Run::nothing()).await.expect("mail that waits is answered");
    assert!(asked.elapsed() <= *after + millis(2), "back after {:?} instead of {after:?}", asked.elapsed());

    case.does_its_duty.done(&child).await;
    assert_eq!(parent.heard().len(), 1, "one crash is all");
    let (elapsed, (ticks, starts)) = (began.elapsed(), bystander.send(Bystanding).await.unwrap());
    assert_eq!(starts, 1);
    assert!(ticks.abs_diff(Bystander::ticks_within(elapsed)) <= 1, "{ticks} ticks in {elapsed:?}");
}

macro_rules! survives {
    ($($actor:ident: $case:expr;)*) => {$(
        mod $actor {
            use super::*;

            #[actix::test]
            async fn survives_a_panic_in_a_handler() {
                pause();
                survives($case, Run::panicking(), "in a handler").await;
            }

            #[actix::test]
            async fn survives_a_panic_in_a_timer() {
                pause();
                survives($case, Run::panicking_in_a_timer(), "in a timer").await;
            }

            #[actix::test]
            async fn survives_a_panic_in_a_future() {
                pause();
                survives($case, Run::panicking_in_a_future(), "in a future").await;
            }

            #[actix::test]
            async fn is_brought_back_when_it_hangs() {
                pause();
                survives($case, Run::hanging(), "gave no sign of life for 30 s").await;
            }
        }
    )*};
}

survives! {
    dht_node: dht_node_case();
    heartbeat: heartbeat_case();
    verifier: verifier_case();
    gateway: gateway_case();
    recorder: recorder_case();
    telemetry: Case::new(Telemetry::new(metrics()), async |child: &Child<Telemetry>| {
        assert!(child.ask(secs(5)).ask(Scrape).await.unwrap().is_ok());
    });
    scheduler: scheduler_case();
    fleet: fleet_case();
    archive: Case::new(Archive::new(FakeGlance::new()), async |child: &Child<Archive>| {
        assert!(child.ask(secs(5)).ask(Look(Asked::Overview)).await.unwrap().is_ok());
    });
}

/// No engine but the first.
fn no_other_engine() -> StartDht {
    Arc::new(|| async { Err("there is no other engine".to_owned()) }.boxed())
}

fn dht_node_case() -> Case<DhtNode> {
    Case::new(DhtNode::new(FakeDht::new(), no_other_engine()), async |child: &Child<DhtNode>| {
        let dht = DhtHandle::of(child, secs(180));
        assert!(matches!(dht.readiness.ask(GetReadiness).await, Ok(Ok(Readiness::Ready { .. }))));
        assert!(dht.provide.ask(publication(1)).await.unwrap().is_ok());
    })
}

fn mock_dht() -> Addr<MockDht> {
    MockDht::new(&Records::default(), Duration::ZERO).start()
}

fn heartbeat_on(store: &Arc<FakeStore>, startup_delay: Duration) -> Heartbeat {
    let readiness = Ask::new("DHT node", mock_dht(), secs(12));
    Heartbeat::new(HeartbeatConfig {
        store: store.clone(),
        node: NodeId(7),
        startup_delay,
        readiness,
        metrics: metrics(),
    })
}

fn heartbeat_case() -> Case<Heartbeat> {
    let store = FakeStore::with(vec![]);
    Case::new(heartbeat_on(&store, Duration::ZERO), async move |_: &Child<Heartbeat>| {
        let beats = store.read(|store| store.done(Call::Heartbeat).len());
        store.until("one more beat", |store| store.done(Call::Heartbeat).len() > beats).await;
    })
}

fn verifier_case() -> Case<Verifier> {
    let (store, dht, metrics) = (FakeStore::with(vec![]), mock_dht(), metrics());
    let config = VerifierConfig {
        store: store.clone(),
        node: NodeId(7),
        fleet: "default".parse().unwrap(),
        region: "eu-test-1".to_owned(),
        readiness: Ask::new("DHT node", dht.clone(), secs(12)),
        look: Ask::new("DHT node", dht, secs(150)),
        recorder: recording_on(&store, &metrics),
        metrics,
    };
    Case::new(Verifier::new(config), async move |_: &Child<Verifier>| {
        let claims = store.read(|store| store.done(Call::ClaimChecks).len());
        store.until("it looks what is due", |store| store.done(Call::ClaimChecks).len() > claims).await;
    })
}

fn gateway_case() -> Case<Gateway> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dht = DhtHandle::new(&mock_dht(), secs(180));
    let routes = Routes::measuring(Measuring {
        dht,
        metrics: metrics(),
        fleet: "default".to_owned(),
        peer_id: peer_id(1),
        token: CurrentToken::default(),
    });
    Case::new(Gateway::new(Arc::new(listener), routes), async move |_: &Child<Gateway>| {
        let ready = async || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET /readiness HTTP/1.1\r\nhost: parsec\r\nconnection: close\r\n\r\n").await?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await?;
            Ok(reply.starts_with("HTTP/1.1 200"))
        };
        // What the server of the crashed actor had taken may get no answer; its successor's are answered.
        for _ in 0..CALLS {
            if ready().await.is_ok_and(|ready| ready) {
                return;
            }
        }
        panic!("the gateway does not serve");
    })
}

fn round_row() -> Row {
    Row::Round(parsec_measure::Round {
        id: RoundId::fresh(),
        scheduler: SchedulerId(1),
        fleets: "default".parse().unwrap(),
        provider: None,
        nodes_listed: 0,
        nodes_ready: 0,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: chrono::Utc::now(),
        started: chrono::Utc::now(),
        ended: None,
    })
}

fn recorder_on(store: &Arc<FakeStore>, backlog: &Arc<Backlog>) -> Recorder {
    Recorder::new(RecorderConfig { store: store.clone(), backlog: Arc::clone(backlog), metrics: metrics() })
}

/// A recorder of its own, as others see it.
fn recording_on(store: &Arc<FakeStore>, metrics: &Arc<Metrics>) -> RecorderHandle {
    let backlog = Arc::<Backlog>::default();
    RecorderHandle::new(&recorder_on(store, &backlog).start(), backlog, Arc::clone(metrics))
}

fn recorder_case() -> Case<Recorder> {
    let store = FakeStore::with(vec![]);
    let backlog = Arc::<Backlog>::default();
    Case::new(recorder_on(&store, &backlog), async move |child: &Child<Recorder>| {
        let rows = store.read(|store| store.rows.len());
        RecorderHandle::of(child, Arc::clone(&backlog), metrics()).record(vec![round_row()]);
        store.until("one more row", |store| store.rows.len() > rows).await;
    })
}

fn fleet_on(store: &Arc<FakeStore>, servers: &Arc<FakeServers>) -> FleetConfig {
    let metrics = metrics();
    let recorder = recording_on(store, &metrics);
    let tools = RoundTools {
        servers: servers.clone(),
        store: store.clone(),
        recorder,
        metrics,
        probes: 1,
        traces: Arc::new(Traces::new(Share::new(0.0).unwrap(), None)),
    };
    FleetConfig {
        group: "default".parse().unwrap(),
        interval: secs(60),
        jitter: Duration::ZERO,
        round_limit: secs(24 * 3600),
        dependencies: serde_json::Value::Null,
        seed: None,
        tools,
        memory: FleetMemory::default(),
        watcher: None,
    }
}

fn three_nodes() -> Arc<FakeStore> {
    FakeStore::with((1..=3).map(|id| node(id, "default")).collect())
}

async fn one_more_round(store: &FakeStore) {
    let rounds = store.read(|store| store.ended().len());
    store.until("one more round", |store| store.ended().len() > rounds).await;
    let numbers = store.read(|store| store.ended().iter().map(|round| round.scheduler.0).collect::<Vec<_>>());
    assert!(numbers.iter().all(|number| *number == 1), "always under the same number: {numbers:?}");
}

fn scheduler_case() -> Case<Scheduler> {
    let store = three_nodes();
    let fleets = vec![fleet_on(&store, &FakeServers::new())];
    let config = SchedulerConfig { fleets, restart: POLICY, metrics: metrics() };
    Case::new(Scheduler::new(config), async move |_: &Child<Scheduler>| one_more_round(&store).await)
}

fn fleet_case() -> Case<Fleet> {
    let store = three_nodes();
    let fleet = Fleet::new(fleet_on(&store, &FakeServers::new()));
    Case::new(fleet, async move |_: &Child<Fleet>| one_more_round(&store).await)
}

#[actix::test]
async fn an_engine_outlives_a_crash_of_its_actor_and_so_do_operations_and_their_number() {
    pause();
    let engine = FakeDht::new();
    let (_parent, hears) = Witness::start_new();
    let child = supervise("DHT node", POLICY, hears, DhtNode::new(engine.clone(), no_other_engine()));
    let dht = DhtHandle::of(&child, secs(180));
    engine.is(How::Hangs);
    let many = {
        let dht = dht.clone();
        let many = async move { futures::future::join_all((0..64).map(|n| dht.retrieve.ask(Retrieve(cid(n))))).await };
        actix::spawn(many)
    };
    engine.until("all of them have begun", |engine| engine.begun == 64).await;
    child.addr().send(Run::panicking()).await.unwrap_err();
    child.addr().send(Run::nothing()).await.unwrap();
    assert_eq!(dht.provide.ask(publication(99)).await, Ok(Err(OperationError::Busy(64))));
    engine.is(How::Works);
    assert!(many.await.unwrap().into_iter().all(|answer| answer.unwrap().is_ok()));
    assert!(dht.provide.ask(publication(99)).await.unwrap().is_ok());
    assert!(!engine.read(|engine| engine.stopped));
}

#[actix::test]
async fn a_heartbeat_that_crashes_during_the_start_up_delay_keeps_the_rest_of_it() {
    pause();
    let (store, began) = (FakeStore::with(vec![]), Instant::now());
    let (_parent, hears) = Witness::start_new();
    let child = supervise("heartbeat", POLICY, hears, heartbeat_on(&store, secs(60)));
    sleep(secs(20)).await;
    child.addr().send(Run::panicking()).await.unwrap_err();
    store.until("the first beat", |store| !store.done(Call::Heartbeat).is_empty()).await;
    assert!((secs(60)..secs(60) + millis(50)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[actix::test]
async fn rows_that_wait_for_company_outlive_a_crash_of_the_recorder() {
    pause();
    let store = FakeStore::with(vec![]);
    let (_parent, hears) = Witness::start_new();
    let backlog = Arc::<Backlog>::default();
    let child = supervise("recorder", POLICY, hears, recorder_on(&store, &backlog));
    let rows = vec![round_row(), round_row()];
    RecorderHandle::of(&child, backlog, metrics()).record(rows.clone());
    child.addr().send(Run::panicking()).await.unwrap_err();
    store.until("the rows are written", |store| store.rows == rows).await;
}

#[actix::test]
async fn a_round_that_a_fleet_crashed_in_is_ended_as_interrupted_and_what_was_under_way_has_rows() {
    pause();
    let (store, servers) = (three_nodes(), FakeServers::new());
    servers.takes(2, Question::Retrieve, How::Hangs);
    let (_parent, hears) = Witness::start_new();
    let child = supervise("fleet", POLICY, hears, Fleet::new(fleet_on(&store, &servers)));
    store.until("two attempts are recorded", |store| store.attempts().len() == 2).await;
    child.addr().send(Run::panicking()).await.unwrap_err();
    servers.takes(2, Question::Retrieve, How::Works);
    store.until("the next round ends too", |store| store.ended().len() == 2).await;
    store.read(|store| {
        let (begun, ended) = (store.begun(), store.ended());
        let outcomes: Vec<_> = ended.iter().map(|round| (round.id, round.ended.unwrap().1)).collect();
        let (cut_off, whole) = (RoundOutcome::Interrupted, RoundOutcome::Complete);
        assert_eq!(outcomes, [(begun[0].id, cut_off), (begun[1].id, whole)]);
        let attempts = store.attempts();
        let of_first = attempts.iter().filter(|attempt| attempt.round == begun[0].id);
        let mut classes: Vec<_> = of_first.map(|attempt| (attempt.node.0, attempt.result.class)).collect();
        classes.sort_unstable();
        assert_eq!(classes, [(1, OutcomeClass::Ok), (2, OutcomeClass::RecordLost), (3, OutcomeClass::Ok)]);
    });
}

#[actix::test]
async fn a_fleet_that_crashes_while_the_database_is_away_still_knows_its_nodes_and_who_publishes_next() {
    pause();
    let (store, servers) = (three_nodes(), FakeServers::new());
    let (_parent, hears) = Witness::start_new();
    let child = supervise("fleet", POLICY, hears, Fleet::new(fleet_on(&store, &servers)));
    store.until("a round ends", |store| store.ended().len() == 1).await;
    store.takes(Call::Roster, [], Mood::Away);
    child.addr().send(Run::panicking()).await.unwrap_err();
    store.until("two more rounds end", |store| store.ended().len() == 3).await;
    let rounds = store.read(|store| store.ended());
    let played: Vec<_> = rounds.iter().map(|round| (round.nodes_listed, round.ended.unwrap().1)).collect();
    assert_eq!(played, [(3, RoundOutcome::Complete); 3]);
    let publishers: BTreeSet<_> = rounds.iter().map(|round| round.provider).collect();
    assert_eq!(publishers.len(), 3, "each publishes in turn");
}

#[actix::test]
async fn a_scheduler_that_crashes_remembers_the_nodes_of_its_fleets() {
    pause();
    let store = three_nodes();
    let (_parent, hears) = Witness::start_new();
    let fleets = vec![fleet_on(&store, &FakeServers::new())];
    let scheduler = Scheduler::new(SchedulerConfig { fleets, restart: POLICY, metrics: metrics() });
    let child = supervise("scheduler", POLICY, hears, scheduler);
    store.until("a round ends", |store| store.ended().len() == 1).await;
    store.takes(Call::Roster, [], Mood::Away);
    child.addr().send(Run::panicking()).await.unwrap_err();
    store.until("one more round ends", |store| store.ended().len() == 2).await;
    assert_eq!(store.read(|store| store.ended()[1].nodes_listed), 3);
}
