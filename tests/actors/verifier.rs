//! When records are looked for, by whom, and what becomes of what was seen.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::serving::dht_node::{CheckRecord, DhtHandle, DhtNode, StartDht};
use parsec_actors::serving::verifier::{
    AT_ONCE, CLAIM, LOOK_DEADLINE, POLL, TAKE_OVER, TOO_LATE, Verifier, VerifierConfig,
};
use parsec_actors::supervision::stop::Stop;
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_measure::{CheckId, NodeId, PlannedCheck, RecordCheck};
use parsec_store::{Row, Store};
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{Call, FakeDht, FakeStore, How, Mood, POLICY, Witness, cid, counted, metrics, secs};

const NODE: NodeId = NodeId(7);
const OTHER: NodeId = NodeId(8);

/// A server without all that publishes.
struct Watch {
    engine: Arc<FakeDht>,
    store: Arc<FakeStore>,
    metrics: Arc<Metrics>,
    parent: Witness,
    verifier: Child<Verifier>,
    _node: Child<DhtNode>,
    _recorder: Child<Recorder>,
    began: Instant,
}

impl Watch {
    /// It finds the record at 17 of 20.
    fn begin() -> Self {
        pause();
        let (engine, store, metrics) = (FakeDht::new(), FakeStore::with(vec![]), metrics());
        engine.holds(17, 20);
        let (parent, hears) = Witness::start_new();
        let backlog = Arc::<Backlog>::default();
        let recording =
            RecorderConfig { store: store.clone(), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
        let recorder = supervise("recorder", POLICY, hears.clone(), Recorder::new(recording));
        let start: StartDht = Arc::new(|| async { Err("one is enough".to_owned()) }.boxed());
        let node = supervise("DHT node", POLICY, hears.clone(), DhtNode::new(engine.clone(), start));
        let config = VerifierConfig {
            store: store.clone(),
            node: NODE,
            fleet: "default".parse().unwrap(),
            region: "eu-test-1".to_owned(),
            readiness: DhtHandle::of(&node, secs(180)).readiness,
            look: node.ask::<CheckRecord>(LOOK_DEADLINE),
            recorder: RecorderHandle::of(&recorder, backlog, Arc::clone(&metrics)),
            metrics: Arc::clone(&metrics),
        };
        let verifier = supervise("verifier", POLICY, hears, Verifier::new(config));
        Self { engine, store, metrics, parent, verifier, _node: node, _recorder: recorder, began: Instant::now() }
    }

    /// A look at the record of this key is due so long from now.
    async fn plans(&self, number: u64, node: NodeId, after: Duration) {
        let plan = PlannedCheck {
            id: CheckId::fresh(),
            attempt: None,
            node,
            fleet: "default".parse().unwrap(),
            region: "eu-test-1".to_owned(),
            cid: cid(number).to_string(),
            provider: format!("12D3KooW{node}"),
            published: Utc::now() + self.began.elapsed(),
            after,
        };
        self.store.record(&[Row::Check(RecordCheck { plan, done: None })]).await.unwrap();
    }

    async fn made(&self, count: usize) -> Vec<RecordCheck> {
        self.store.until("a record is looked for", |store| store.made().len() >= count).await;
        self.store.read(|store| store.made())
    }

    fn looked(&self) -> usize {
        self.engine.read(|engine| engine.looked.len())
    }
}

#[actix::test]
async fn a_record_is_looked_for_when_that_is_due_and_what_was_seen_is_kept() {
    let watch = Watch::begin();
    watch.plans(1, NODE, secs(3_600)).await;
    sleep(secs(3_599)).await;
    assert_eq!(watch.looked(), 0);
    let made = watch.made(1).await.remove(0);
    assert!(watch.began.elapsed() <= secs(3_600) + 2 * POLL, "{:?}", watch.began.elapsed());
    assert_eq!(watch.engine.read(|engine| engine.looked.clone()), [(cid(1).to_string(), "12D3KooW7".to_owned())]);
    let done = made.done.unwrap();
    assert_eq!((done.by, done.holders.len()), (NODE, 20));
    assert_eq!(done.holders.iter().filter(|holder| holder.has_record).count(), 17);
    let held = "parsec_checked_holders_total{age=\"1h\",outcome=\"held\",fleet=\"default\"}";
    assert!((counted(&watch.metrics, held) - 17.0).abs() < f64::EPSILON);
    sleep(secs(24 * 3_600)).await;
    assert_eq!(watch.looked(), 1, "once");
}

#[actix::test]
async fn right_after_a_publication_it_is_a_matter_of_seconds() {
    let watch = Watch::begin();
    sleep(secs(100)).await;
    watch.plans(1, NODE, secs(0)).await;
    watch.made(1).await;
    assert!(watch.began.elapsed() <= secs(100) + 2 * POLL, "{:?}", watch.began.elapsed());
}

#[actix::test]
async fn what_the_server_before_a_restart_has_left_is_taken_over_under_the_name_of_its_records() {
    let watch = Watch::begin();
    watch.plans(1, OTHER, secs(60)).await;
    sleep(secs(60) + TAKE_OVER - secs(1)).await;
    assert_eq!(watch.looked(), 0, "it may only be slow");
    let made = watch.made(1).await.remove(0);
    assert_eq!((made.plan.node, made.plan.provider.as_str(), made.done.unwrap().by), (OTHER, "12D3KooW8", NODE));
}

#[actix::test]
async fn few_looks_are_under_way_at_once() {
    let watch = Watch::begin();
    watch.engine.is(How::Slow(secs(30)));
    for number in 0..6 {
        watch.plans(number, NODE, secs(0)).await;
    }
    sleep(2 * POLL).await;
    assert_eq!(watch.looked(), AT_ONCE as usize);
    watch.made(6).await;
    assert!(watch.began.elapsed() >= secs(90), "three times two, 30 s each");
}

#[actix::test]
async fn a_node_that_is_not_ready_claims_nothing() {
    let watch = Watch::begin();
    watch.engine.is(How::NotReady);
    watch.plans(1, NODE, secs(0)).await;
    sleep(secs(600)).await;
    assert_eq!(watch.store.read(|store| store.asked(Call::ClaimChecks)), []);
    watch.engine.is(How::default());
    watch.made(1).await;
}

#[actix::test]
async fn a_look_that_came_to_nothing_is_made_again_when_its_claim_has_run_out() {
    let watch = Watch::begin();
    watch.engine.holds(0, 0);
    watch.plans(1, NODE, secs(0)).await;
    sleep(CLAIM - secs(1)).await;
    assert_eq!((watch.looked(), watch.store.read(|store| store.made().len())), (1, 0));
    watch.engine.holds(3, 20);
    let made = watch.made(1).await.remove(0);
    assert_eq!(made.done.unwrap().holders.iter().filter(|holder| holder.has_record).count(), 3);
}

#[actix::test]
async fn what_nobody_could_look_at_for_a_day_stays_open() {
    let watch = Watch::begin();
    watch.store.takes(Call::ClaimChecks, [], Mood::Away);
    watch.plans(1, NODE, secs(0)).await;
    sleep(TOO_LATE + secs(60)).await;
    watch.store.takes(Call::ClaimChecks, [], Mood::Works);
    watch.plans(2, NODE, secs(0)).await;
    let made = watch.made(1).await;
    sleep(secs(3_600)).await;
    assert_eq!((made[0].plan.cid.clone(), watch.looked()), (cid(2).to_string(), 1));
    assert_eq!(watch.parent.heard(), [], "a database that is away is no reason to crash");
}

#[actix::test]
async fn it_survives_a_crash_and_loses_nothing() {
    let watch = Watch::begin();
    watch.store.takes(Call::ClaimChecks, [Mood::Panics], Mood::Works);
    watch.plans(1, NODE, secs(60)).await;
    watch.made(1).await;
    assert_eq!(watch.parent.restarts().len(), 1);
}

#[actix::test]
async fn a_database_that_never_answers_is_given_up_after_a_while() {
    let watch = Watch::begin();
    watch.store.takes(Call::ClaimChecks, [], Mood::Hangs);
    watch.parent.until_heard(1).await;
    watch.store.takes(Call::ClaimChecks, [], Mood::Works);
    assert!(watch.parent.restarts().remove(0).0.starts_with("looking where records are has been under way for"));
    watch.plans(1, NODE, secs(0)).await;
    watch.made(1).await;
}

#[actix::test]
async fn told_to_stop_it_looks_no_more() {
    let watch = Watch::begin();
    watch.engine.is(How::Slow(secs(30)));
    watch.plans(1, NODE, secs(0)).await;
    sleep(2 * POLL).await;
    assert_eq!(watch.verifier.ask(secs(1)).ask(Stop).await, Ok(()));
    sleep(secs(3_600)).await;
    assert_eq!((watch.looked(), watch.store.read(|store| store.made().len())), (1, 0));
    assert!(!watch.verifier.addr().connected());
}
