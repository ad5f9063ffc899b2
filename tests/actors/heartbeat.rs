//! When the node's row is refreshed, and when it is not.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use chrono::TimeDelta;
use parsec_actors::serving::heartbeat::{BEAT, Heartbeat, HeartbeatConfig};
use parsec_actors::supervision::ask::{Ask, AskError};
use parsec_actors::supervision::stop::{HEARTBEAT_STOP, Stop};
use parsec_actors::supervision::supervise::{Child, ChildState, supervise};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_measure::{FleetGroup, NodeId};
use parsec_store::Store;
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{BeReady, Call, FakeStore, MockDht, Mood, POLICY, Records, Witness, counted, metrics, millis, secs};

const NODE: NodeId = NodeId(7);

/// The tests' start-up delay, no multiple of anything else.
const STARTUP_DELAY: Duration = Duration::from_secs(47);

/// The longest pause between two tries.
const RETRY: Duration = Duration::from_secs(2);

struct Ward {
    store: Arc<FakeStore>,
    dht: Addr<MockDht>,
    heartbeat: Child<Heartbeat>,
    parent: Witness,
    began: Instant,
    metrics: Arc<Metrics>,
}

impl Ward {
    fn open() -> Self {
        pause();
        let store = FakeStore::with(vec![]);
        let dht = MockDht::new(&Records::default(), Duration::ZERO).start();
        let readiness = Ask::new("DHT node", dht.clone(), secs(12));
        let metrics = metrics();
        let config = HeartbeatConfig {
            store: store.clone(),
            node: NODE,
            startup_delay: STARTUP_DELAY,
            readiness,
            metrics: Arc::clone(&metrics),
        };
        let (parent, hears) = Witness::start_new();
        let heartbeat = supervise("heartbeat", POLICY, hears, Heartbeat::new(config));
        Self { store, dht, heartbeat, parent, began: Instant::now(), metrics }
    }

    async fn beats(&self, count: usize) -> Vec<Instant> {
        self.store.until("the node's heart beats", |store| store.done(Call::Heartbeat).len() >= count).await;
        self.store.read(|store| store.done(Call::Heartbeat))
    }

    fn stop(&self) -> Ask<Stop> {
        self.heartbeat.ask(HEARTBEAT_STOP)
    }
}

/// Whether a timer that was set to `nominal` may have fired after `time`: timers have milliseconds.
fn is_about(time: Duration, nominal: Duration) -> bool {
    (nominal..nominal + millis(50)).contains(&time)
}

#[actix::test]
async fn there_is_no_beat_before_the_start_up_delay_is_over() {
    let ward = Ward::open();
    let first = ward.beats(1).await[0];
    assert!(is_about(first - ward.began, STARTUP_DELAY), "{:?}", first - ward.began);
}

#[actix::test]
async fn with_a_beat_it_is_learnt_which_schedulers_there_are() {
    let ward = Ward::open();
    let groups = ["default", "a+b"].map(|group| group.parse::<FleetGroup>().unwrap());
    for group in &groups {
        ward.store.register_scheduler(group, serde_json::Value::Null, chrono::Utc::now()).await.unwrap();
    }
    ward.beats(1).await;
    sleep(millis(1)).await;
    assert!(groups.iter().all(|group| ward.metrics.knows_scheduler(&group.scheduler_id())));
}

#[actix::test]
async fn there_is_no_beat_before_the_node_is_ready() {
    let ward = Ward::open();
    ward.dht.send(BeReady(false)).await.unwrap();
    sleep(secs(600)).await;
    assert_eq!(ward.store.read(|store| store.asked(Call::Heartbeat)), []);
    ward.dht.send(BeReady(true)).await.unwrap();
    let ready = Instant::now();
    assert!(ward.beats(1).await[0] - ready <= RETRY);
}

#[actix::test]
async fn from_then_on_it_beats_every_minute() {
    let ward = Ward::open();
    let beats = ward.beats(5).await;
    assert!(beats.windows(2).all(|two| is_about(two[1] - two[0], BEAT)), "{beats:?}");
}

#[actix::test]
async fn a_node_that_is_not_ready_any_more_is_still_alive() {
    let ward = Ward::open();
    ward.beats(1).await;
    ward.dht.send(BeReady(false)).await.unwrap();
    let beats = ward.beats(3).await;
    assert!(is_about(beats[2] - beats[1], BEAT));
}

#[actix::test]
async fn a_database_that_is_away_is_tried_again_soon_and_does_not_stop_the_beats() {
    let ward = Ward::open();
    ward.beats(1).await;
    ward.store.takes(Call::Heartbeat, [Mood::Away; 10], Mood::Works);
    let beats = ward.beats(3).await;
    assert!(is_about(beats[1] - beats[0], BEAT + 10 * RETRY), "{beats:?}");
    assert!(is_about(beats[2] - beats[1], BEAT), "{beats:?}");
    assert_eq!(ward.parent.heard(), []);
}

#[actix::test]
async fn told_to_stop_it_marks_the_node_offline_and_beats_no_more() {
    let ward = Ward::open();
    ward.beats(2).await;
    assert_eq!(ward.stop().ask(Stop).await, Ok(()));
    assert_eq!(ward.store.read(|store| store.offline.clone()), [NODE]);
    sleep(10 * BEAT).await;
    assert_eq!(ward.beats(2).await.len(), 2);
    assert!(!ward.heartbeat.addr().connected());
}

#[actix::test]
async fn it_stops_before_the_first_beat_as_well() {
    let ward = Ward::open();
    assert_eq!(ward.stop().ask(Stop).await, Ok(()));
    sleep(10 * BEAT).await;
    ward.store.read(|store| {
        assert_eq!((store.offline.clone(), store.done(Call::Heartbeat)), (vec![NODE], vec![]));
    });
}

#[actix::test]
async fn a_beat_that_is_under_way_does_not_undo_the_farewell() {
    let ward = Ward::open();
    ward.store.takes(Call::Heartbeat, [], Mood::Hangs);
    ward.store.until("a beat is under way", |store| store.asked(Call::Heartbeat).len() == 1).await;
    let stop = ward.stop();
    let (stopped, ()) = futures::join!(stop.ask(Stop), async {
        sleep(millis(100)).await;
        ward.store.takes(Call::Heartbeat, [], Mood::Works);
    });
    assert_eq!(stopped, Ok(()));
    let order: Vec<_> = ward.store.read(|store| store.done.iter().map(|(call, _)| *call).collect());
    assert_eq!(order, [Call::Heartbeat, Call::MarkOffline]);
    assert_eq!(ward.store.read(|store| store.offline.clone()), [NODE]);
}

#[actix::test]
async fn a_database_that_does_not_say_which_schedulers_there_are_holds_up_neither_the_farewell_nor_the_beats() {
    let ward = Ward::open();
    ward.store.takes(Call::Schedulers, [], Mood::Hangs);
    let beats = ward.beats(3).await;
    assert!(beats.windows(2).all(|two| two[1] - two[0] <= BEAT + secs(6)), "{beats:?}");
    let asked = Instant::now();
    assert_eq!(ward.stop().ask(Stop).await, Ok(()));
    assert_eq!((asked.elapsed(), ward.store.read(|store| store.offline.clone())), (Duration::ZERO, vec![NODE]));
}

#[actix::test]
async fn it_stops_also_when_the_database_is_away() {
    let ward = Ward::open();
    ward.beats(1).await;
    ward.store.is(Mood::Away);
    assert_eq!(ward.stop().ask(Stop).await, Ok(()));
    assert!(!ward.heartbeat.addr().connected());
}

#[actix::test]
async fn after_a_crash_it_beats_again_without_a_second_start_up_delay() {
    let ward = Ward::open();
    ward.store.takes(Call::Heartbeat, [Mood::Works, Mood::Panics], Mood::Works);
    let beats = ward.beats(3).await;
    assert_eq!(ward.parent.restarts().len(), 1);
    assert!(beats[1] - beats[0] <= BEAT + POLICY.backoff_min + millis(50), "{beats:?}");
    assert!(is_about(beats[2] - beats[1], BEAT), "{beats:?}");
}

#[actix::test]
async fn a_row_that_was_deleted_ends_the_process_at_once_so_that_the_next_one_registers() {
    let ward = Ward::open();
    ward.beats(1).await;
    ward.store.takes(Call::Heartbeat, [], Mood::RowGone);
    ward.parent.until_heard(1).await;
    let [ChildState::Down(given_up)] = &ward.parent.heard()[..] else { panic!("{:?}", ward.parent.heard()) };
    assert_eq!(given_up.to_string(), "heartbeat: node 7 has no row in nodes_ecs; it must register again");
    assert!(!ward.heartbeat.addr().connected());
}

#[actix::test]
async fn a_crash_in_the_middle_of_the_farewell_offers_the_node_no_more() {
    let ward = Ward::open();
    ward.beats(1).await;
    ward.store.takes(Call::MarkOffline, [], Mood::Panics);
    assert_eq!(ward.stop().ask(Stop).await, Err(AskError::Crashed("heartbeat".into())));
    sleep(10 * BEAT).await;
    assert_eq!((ward.beats(1).await.len(), ward.parent.restarts().len()), (1, 1));
}

#[actix::test]
async fn a_beat_that_never_returns_is_given_up_after_a_while_and_another_one_takes_its_place() {
    let ward = Ward::open();
    ward.beats(1).await;
    ward.store.takes(Call::Heartbeat, [], Mood::Hangs);
    ward.parent.until_heard(1).await;
    ward.store.takes(Call::Heartbeat, [], Mood::Works);
    let hung = "a heartbeat has been under way for 100 s and does not end";
    assert_eq!(ward.parent.restarts().remove(0).0, hung);
    let beats = ward.beats(3).await;
    let without = beats[1] - beats[0];
    assert!(without <= BEAT + secs(110) + POLICY.backoff_max, "{without:?}");
    assert!(is_about(beats[2] - beats[1], BEAT));
    assert_eq!(ward.parent.heard().len(), 1);
}

#[actix::test]
async fn a_database_that_takes_its_time_for_a_beat_is_put_up_with() {
    let ward = Ward::open();
    ward.store.takes(Call::Heartbeat, [], Mood::Hangs);
    ward.store.until("a beat is under way", |store| store.asked(Call::Heartbeat).len() == 1).await;
    sleep(secs(60)).await;
    ward.store.takes(Call::Heartbeat, [], Mood::Works);
    ward.beats(2).await;
    assert_eq!(ward.parent.heard(), []);
}

#[actix::test]
async fn each_beat_tells_how_far_the_clock_of_the_database_is_from_ours() {
    let ward = Ward::open();
    for skew in [-133, 0] {
        let before = ward.store.read(|store| store.done(Call::Heartbeat).len());
        ward.store.change(|store| store.clock_skew = TimeDelta::seconds(skew));
        ward.beats(before + 2).await;
        let told = counted(&ward.metrics, "parsec_clock_skew_seconds");
        assert!((told - f64::from(i32::try_from(skew).unwrap())).abs() < f64::EPSILON, "{told}");
        assert_eq!(ward.metrics.vitals().status().clock_skew_seconds, Some(told));
    }
}
