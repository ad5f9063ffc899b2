//! What supervision promises, shown on an actor that crashes to order. The real ones crash in `panics.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use futures::future::join_all;
use parsec_actors::supervision::ask::{Ask, AskError};
use parsec_actors::supervision::root::Root;
use parsec_actors::supervision::supervise::{ChildState, GivenUp, supervise};
use tokio::time::{Instant, pause, sleep};

use crate::fakes::{POLICY, counted, metrics, millis, secs};
use crate::kid::{Crash, Kid, Leave, Life, Nursery, Ponder, Touch};

/// How many questions of one kind may wait for one actor.
const MAX_WAITING: usize = 512;

/// After one crash more than the policy puts up with.
fn given_up(reason: &str) -> GivenUp {
    GivenUp { actor: "kid".into(), crashes: 4, within: POLICY.window, reason: reason.to_owned() }
}

/// Whether `pause` is the nominal one less at most half of it.
fn is_jittered(pause: Duration, nominal: Duration) -> bool {
    (nominal / 2..=nominal).contains(&pause)
}

#[actix::test]
async fn an_actor_that_panics_comes_back_fresh_at_the_same_address() {
    let nursery = Nursery::open();
    let address = nursery.kid.addr().clone();
    assert_eq!((address.send(Touch).await, address.send(Touch).await), (Ok(1), Ok(2)));
    nursery.crash().await;
    assert_eq!(address.send(Touch).await, Ok(1));
    let restarts = nursery.parent.restarts();
    assert_eq!(restarts.len(), 1);
    assert_eq!(restarts[0].0, "crashed to order");
    assert!(is_jittered(restarts[0].1, POLICY.backoff_min), "{restarts:?}");
}

#[actix::test]
async fn the_pauses_double_up_to_the_cap_and_then_it_stays_down() {
    let nursery = Nursery::open();
    for _ in 0..4 {
        nursery.crash().await;
    }
    let pauses: Vec<_> = nursery.parent.restarts().into_iter().map(|(_, pause)| pause).collect();
    assert_eq!(pauses.len(), 3);
    for (pause, nominal) in pauses.iter().zip([250, 500, 1000].map(millis)) {
        assert!(is_jittered(*pause, nominal), "{pauses:?}");
    }
    let down = ChildState::Down(given_up("crashed to order"));
    assert_eq!(nursery.parent.heard().last(), Some(&down));
    assert!(!nursery.kid.addr().connected());
    assert_eq!(nursery.touch().ask(Touch).await, Err(AskError::Unavailable("kid".into())));
    assert_eq!(nursery.life.ends.load(Ordering::Relaxed), 1);
}

#[actix::test]
async fn crashes_far_apart_are_put_up_with() {
    let nursery = Nursery::open();
    for _ in 0..10 {
        nursery.crash().await;
        sleep(POLICY.window).await;
    }
    let restarts = nursery.parent.restarts();
    assert_eq!(restarts.len(), 10);
    assert!(restarts.iter().all(|(_, pause)| is_jittered(*pause, POLICY.backoff_min)), "{restarts:?}");
    assert_eq!(nursery.touch().ask(Touch).await, Ok(1));
}

#[actix::test]
async fn mail_that_waited_during_a_crash_is_answered_after_it() {
    let nursery = Nursery::open();
    let address = nursery.kid.addr();
    let (crashed, touched) = futures::join!(address.send(Crash), address.send(Touch));
    assert!(crashed.is_err());
    assert_eq!(touched, Ok(1));
    assert_eq!(nursery.parent.restarts().len(), 1);
}

#[actix::test]
async fn while_it_is_down_asking_fails_at_once() {
    let nursery = Nursery::open();
    nursery.kid.addr().send(Crash).await.unwrap_err();
    let asked = Instant::now();
    let error = nursery.touch().ask(Touch).await.unwrap_err();
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert_eq!(error, AskError::Unavailable("kid".into()));
    assert_eq!(error.to_string(), "kid is not running at the moment");
    sleep(2 * POLICY.backoff_min).await;
    assert_eq!(nursery.touch().ask(Touch).await, Ok(1));
}

#[actix::test]
async fn whoever_was_being_answered_hears_of_the_crash() {
    let nursery = Nursery::open();
    let crash: Ask<Crash> = nursery.kid.ask(secs(60));
    assert_eq!(crash.ask(Crash).await, Err(AskError::Crashed("kid".into())));
    sleep(2 * POLICY.backoff_min).await;
    let ponder: Ask<Ponder> = nursery.kid.ask(secs(60));
    let (pondered, crashed) = futures::join!(ponder.ask(Ponder(secs(30))), crash.ask(Crash));
    assert_eq!((pondered, crashed), (Err(AskError::Crashed("kid".into())), Err(AskError::Crashed("kid".into()))));
}

#[actix::test]
async fn asking_has_a_deadline() {
    let nursery = Nursery::open();
    let ask: Ask<Ponder> = nursery.kid.ask(secs(5));
    assert_eq!(ask.ask(Ponder(secs(4))).await, Ok(()));
    let asked = Instant::now();
    let error = ask.ask(Ponder(secs(6))).await.unwrap_err();
    assert_eq!(error, AskError::TimedOut("kid".into(), secs(5)));
    assert_eq!(error.to_string(), "kid gave no answer within 5s");
    assert!(asked.elapsed() < secs(6));
}

#[actix::test]
async fn so_many_questions_may_wait_and_not_one_more() {
    let nursery = Nursery::open();
    let ask: Ask<Ponder> = nursery.kid.ask(secs(60));
    let waiting = ask.clone();
    let many = actix::spawn(async move { join_all((0..MAX_WAITING).map(|_| waiting.ask(Ponder(secs(30))))).await });
    sleep(secs(1)).await;
    let asked = Instant::now();
    let error = ask.ask(Ponder(Duration::ZERO)).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), asked.elapsed()),
        ("kid is busy: 512 questions wait for it", Duration::ZERO)
    );
    assert!(many.await.unwrap().iter().all(Result::is_ok));
    assert_eq!(ask.ask(Ponder(Duration::ZERO)).await, Ok(()));
}

#[actix::test]
async fn whoever_gives_up_waiting_gives_the_place_back() {
    let nursery = Nursery::open();
    let ask: Ask<Ponder> = nursery.kid.ask(secs(60));
    let many = join_all((0..MAX_WAITING).map(|_| ask.ask(Ponder(secs(30)))));
    assert!(tokio::time::timeout(secs(1), many).await.is_err());
    assert_eq!(ask.ask(Ponder(Duration::ZERO)).await, Ok(()));
}

#[actix::test]
async fn a_panic_in_started_is_a_crash_like_any_other() {
    let nursery = Nursery::with(Life { panics_in_started: 2.into(), ..Life::default() });
    nursery.parent.until_heard(2).await;
    assert_eq!(nursery.kid.addr().send(Touch).await, Ok(1));
    assert_eq!(nursery.life.starts.load(Ordering::Relaxed), 3);
    let reasons: Vec<_> = nursery.parent.restarts().into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons, ["panic in started"; 2]);
}

#[actix::test]
async fn a_panic_while_it_is_rebuilt_is_a_crash_too() {
    let nursery = Nursery::with(Life { panics_in_restarting: 1.into(), ..Life::default() });
    nursery.crash().await;
    nursery.parent.until_heard(2).await;
    assert_eq!(nursery.kid.addr().send(Touch).await, Ok(1));
    assert_eq!(nursery.parent.restarts()[1].0, "panic in restarting");
}

#[actix::test]
async fn what_cannot_be_rebuilt_is_given_up_on_and_never_started_half_built() {
    let nursery = Nursery::with(Life { panics_in_restarting: usize::MAX.into(), ..Life::default() });
    nursery.kid.addr().send(Crash).await.unwrap_err();
    nursery.parent.until_heard(4).await;
    let down = ChildState::Down(given_up("panic in restarting"));
    assert_eq!(nursery.parent.heard().last(), Some(&down));
    assert!(!nursery.kid.addr().connected());
    assert_eq!(nursery.life.starts.load(Ordering::Relaxed), 1);
}

#[actix::test]
async fn dropping_the_child_stops_the_actor() {
    let nursery = Nursery::open();
    let address = nursery.kid.addr().clone();
    assert_eq!(address.send(Touch).await, Ok(1));
    drop(nursery.kid);
    nursery.parent.until_heard(1).await;
    assert_eq!(nursery.parent.heard(), [ChildState::Stopped]);
    assert!(!address.connected());
    assert_eq!(nursery.life.ends.load(Ordering::Relaxed), 1);
}

#[actix::test]
async fn dropping_the_child_stops_an_actor_that_is_down_just_then() {
    let nursery = Nursery::open();
    let address = nursery.kid.addr().clone();
    address.send(Crash).await.unwrap_err();
    drop(nursery.kid);
    sleep(secs(60)).await;
    assert!(!address.connected());
    assert_eq!(nursery.life.starts.load(Ordering::Relaxed), 1);
}

#[test]
fn a_process_that_ends_while_an_actor_is_down_does_not_start_it_again() {
    let life = System::new().block_on(async {
        let nursery = Nursery::open();
        nursery.kid.addr().send(Crash).await.unwrap_err();
        nursery.life
    });
    assert_eq!(life.starts.load(Ordering::Relaxed), 1);
}

#[actix::test]
async fn an_actor_that_ends_by_itself_is_not_brought_back() {
    let nursery = Nursery::open();
    assert_eq!(nursery.kid.addr().send(Leave).await, Ok(()));
    nursery.parent.until_heard(1).await;
    sleep(secs(60)).await;
    assert_eq!(nursery.parent.heard(), [ChildState::Stopped]);
    assert_eq!(nursery.touch().ask(Touch).await, Err(AskError::Unavailable("kid".into())));
}

#[actix::test]
async fn the_root_counts_restarts_and_says_whom_it_lost() {
    pause();
    let metrics = metrics();
    let (root, mut fatal) = Root::new(Arc::clone(&metrics));
    let kid = supervise("kid", POLICY, root.start().recipient(), Kid::default());
    for _ in 0..3 {
        kid.addr().send(Crash).await.unwrap_err();
        sleep(2 * POLICY.backoff_max).await;
        assert_eq!(*fatal.borrow(), None);
    }
    kid.addr().send(Crash).await.unwrap_err();
    let sentence = fatal.wait_for(Option::is_some).await.unwrap().clone().unwrap().to_string();
    assert_eq!(sentence, "kid crashed 4 times within 10 s, last: crashed to order");
    assert!(
        (counted(&metrics, "parsec_actor_restarts_total{actor=\"kid\",reason=\"panic\"}") - 3.0).abs() < f64::EPSILON
    );
}
