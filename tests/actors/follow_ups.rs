//! What an engine reports of publications in the end reaches the database, each once, with what shall be looked at later.

use std::sync::Arc;

use futures::FutureExt;
use parsec_actors::recording::recorder::{Backlog, Recorder, RecorderConfig, RecorderHandle};
use parsec_actors::serving::dht_node::{DhtHandle, DhtNode, Provide, StartDht};
use parsec_actors::serving::follow_ups::{Reports, Verify};
use parsec_actors::supervision::stop::{DHT_STOP, RECORDER_STOP, Stop};
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_dht::Dht;
use parsec_measure::{AttemptId, CHECK_AGES, FollowUp, NodeId, Share};
use parsec_store::NodeFollowUp;
use tokio::time::{pause, sleep};

use crate::fakes::{Call, FakeDht, FakeStore, How, Mood, POLICY, Witness, cid, counted, metrics, secs};

/// A server without its gateway.
struct Server {
    engine: Arc<FakeDht>,
    spare: Arc<FakeDht>,
    store: Arc<FakeStore>,
    metrics: Arc<Metrics>,
    node: Child<DhtNode>,
    recorder: Child<Recorder>,
    parent: Witness,
}

impl Server {
    fn start() -> Self {
        Self::verifying(0.0)
    }

    /// One that has this share of its publications looked at.
    fn verifying(share: f64) -> Self {
        pause();
        let (engine, spare, store, metrics) = (FakeDht::new(), FakeDht::new(), FakeStore::with(vec![]), metrics());
        let (parent, hears) = Witness::start_new();
        let backlog = Arc::<Backlog>::default();
        let recording =
            RecorderConfig { store: store.clone(), backlog: Arc::clone(&backlog), metrics: Arc::clone(&metrics) };
        let recorder = supervise("recorder", POLICY, hears.clone(), Recorder::new(recording));
        let records = RecorderHandle::of(&recorder, backlog, Arc::clone(&metrics));
        let fleet = "optprov".to_owned();
        let verify = Some(Verify {
            share: Share::new(share).unwrap(),
            fleet: fleet.parse().unwrap(),
            region: "eu-test-1".to_owned(),
            provider: "12D3KooWus".to_owned(),
        });
        let reports = Reports { node: NodeId(7), fleet, recorder: records, metrics: Arc::clone(&metrics), verify };
        let next = Arc::clone(&spare);
        let start: StartDht = Arc::new(move || {
            let next: Arc<dyn Dht> = next.clone();
            async { Ok(next) }.boxed()
        });
        let node = DhtNode::new(engine.clone(), start).reporting(reports);
        let node = supervise("DHT node", POLICY, hears, node);
        Self { engine, spare, store, metrics, node, recorder, parent }
    }

    async fn recorded(&self, count: usize) -> Vec<NodeFollowUp> {
        self.store.until("they are recorded", |store| store.follow_ups().len() >= count).await;
        self.store.read(|store| store.follow_ups())
    }
}

fn follow_up(number: u64) -> FollowUp {
    let attempt = Some(AttemptId::fresh());
    FollowUp {
        attempt,
        cid: cid(number).to_string(),
        stored: 18,
        confirmed: Some(17),
        failed: 2,
        pending: Some(0),
        duration: secs(9),
        confirming: secs(1),
    }
}

#[actix::test]
async fn a_publication_carries_its_attempt_to_the_engine() {
    let server = Server::start();
    let dht = DhtHandle::of(&server.node, secs(180));
    let attempts = [Some(AttemptId::fresh()), None];
    for attempt in attempts {
        dht.provide.ask(Provide { cid: cid(1), attempt }).await.unwrap().unwrap();
    }
    assert_eq!(server.engine.read(|engine| engine.attempts.clone()), attempts);
}

#[actix::test]
async fn a_follow_up_reaches_the_database_with_the_node_that_it_is_of() {
    let server = Server::start();
    let said = [follow_up(1), FollowUp { attempt: None, ..follow_up(2) }];
    said.iter().for_each(|follow_up| server.engine.follows_up(follow_up.clone()));
    let recorded = server.recorded(2).await;
    assert_eq!(recorded.iter().map(|row| row.follow_up.clone()).collect::<Vec<_>>(), said);
    assert!(recorded.iter().all(|row| row.node == NodeId(7)) && recorded[0].id != recorded[1].id);
    for (series, value) in [("stored", 36.0), ("failed", 4.0)] {
        let series = format!("parsec_background_puts_total{{outcome=\"{series}\",fleet=\"optprov\"}}");
        assert!((counted(&server.metrics, &series) - value).abs() < f64::EPSILON, "{series}");
    }
}

#[actix::test]
async fn a_share_of_the_publications_is_to_be_looked_at_later_under_the_name_that_its_record_has() {
    let server = Server::verifying(1.0);
    server.engine.follows_up(follow_up(1));
    server.engine.follows_up(FollowUp { stored: 0, failed: 20, ..follow_up(2) });
    let recorded = server.recorded(2).await;
    let planned = server.store.read(|store| store.planned());
    assert_eq!(planned.iter().map(|plan| plan.after).collect::<Vec<_>>(), CHECK_AGES, "of what was stored");
    for plan in planned {
        assert_eq!((plan.cid, plan.attempt), (cid(1).to_string(), recorded[0].follow_up.attempt));
        assert_eq!((plan.node, plan.published), (NodeId(7), recorded[0].ended));
        assert_eq!((plan.provider.as_str(), plan.region.as_str()), ("12D3KooWus", "eu-test-1"));
    }
}

#[actix::test]
async fn about_as_many_are_looked_at_as_were_asked_for() {
    let server = Server::verifying(0.25);
    for number in 0..400 {
        server.engine.follows_up(follow_up(number));
    }
    server.recorded(400).await;
    let planned = server.store.read(|store| store.planned().len()) / CHECK_AGES.len();
    // A fair draw misses this once in a billion runs.
    assert!((50..160).contains(&planned), "{planned} of 400");
}

#[actix::test]
async fn a_publication_that_no_peer_confirmed_is_counted() {
    let server = Server::start();
    server.engine.follows_up(FollowUp { confirmed: Some(0), ..follow_up(1) });
    server.engine.follows_up(follow_up(2));
    server.recorded(2).await;
    let unconfirmed = counted(&server.metrics, "parsec_unconfirmed_publications_total{fleet=\"optprov\"}");
    assert!((unconfirmed - 1.0).abs() < f64::EPSILON, "{unconfirmed}");
    assert_eq!(server.store.read(|store| store.planned()), [], "with a share of 0 nothing is looked at");
}

#[actix::test]
async fn a_database_that_is_away_gets_them_later() {
    let server = Server::start();
    server.store.is(Mood::Away);
    for number in 0..3 {
        server.engine.follows_up(follow_up(number));
        sleep(secs(40)).await;
    }
    server.store.is(Mood::Works);
    assert_eq!(server.recorded(3).await.len(), 3);
}

#[actix::test]
async fn they_outlive_a_crash_of_the_recorder() {
    let server = Server::start();
    server.store.takes(Call::Record, [Mood::Panics], Mood::Works);
    server.engine.follows_up(follow_up(1));
    server.parent.until_heard(1).await;
    server.engine.follows_up(follow_up(2));
    assert_eq!(server.recorded(2).await.len(), 2);
}

#[actix::test]
async fn the_next_engine_is_listened_to_as_well_and_the_one_before_no_more() {
    let server = Server::start();
    server.engine.dies("as ordered");
    sleep(secs(5)).await;
    server.engine.follows_up(follow_up(1));
    server.spare.follows_up(follow_up(2));
    assert_eq!(server.recorded(1).await[0].follow_up.cid, cid(2).to_string());
    sleep(secs(60)).await;
    assert_eq!(server.recorded(1).await.len(), 1);
}

#[actix::test]
async fn an_engine_that_gives_no_sign_of_life_is_let_go_of() {
    let server = Server::start();
    server.engine.is(How::Stuck);
    sleep(secs(60)).await;
    assert_eq!(server.parent.restarts().len(), 1);
    // This test's own, and nobody else's.
    assert_eq!(Arc::strong_count(&server.engine), 1);
}

#[actix::test]
async fn told_to_stop_it_passes_on_what_the_engine_said_last() {
    let server = Server::start();
    for number in 0..20 {
        server.engine.follows_up(follow_up(number));
    }
    assert_eq!(server.node.ask(DHT_STOP).ask(Stop).await, Ok(()));
    assert_eq!(server.recorder.ask(RECORDER_STOP).ask(Stop).await, Ok(()));
    assert_eq!(server.recorded(20).await.len(), 20);
    assert_eq!(Arc::strong_count(&server.engine), 1);
}

#[actix::test]
async fn the_size_of_the_network_is_told_with_every_sign_of_life() {
    let server = Server::start();
    let size = || counted(&server.metrics, "parsec_network_size_peers{fleet=\"optprov\"}");
    assert!(size() < 1.0);
    sleep(secs(60)).await;
    assert!((size() - 7_000.0).abs() < f64::EPSILON);
}

#[actix::test]
async fn whoever_listens_to_the_engine_comes_back_from_a_crash() {
    let server = Server::start();
    server.engine.breaks_who_listens();
    sleep(secs(5)).await;
    let restarts = "parsec_actor_restarts_total{actor=\"follow-ups\",reason=\"panic\"}";
    assert!((counted(&server.metrics, restarts) - 1.0).abs() < f64::EPSILON, "{}", server.metrics.encode().unwrap());
    server.engine.follows_up(follow_up(1));
    assert_eq!(server.recorded(1).await[0].follow_up.cid, cid(1).to_string());
    assert_eq!(server.parent.heard(), [], "the node itself has not crashed");
}
