//! Actors that hang: they are found, and brought back like those that crash. And what becomes of whoever waits for them.

use std::time::Duration;

use actix::prelude::*;
use parsec_actors::supervision::ask::{Ask, AskError};
use parsec_actors::supervision::progress::PULSE;
use parsec_actors::supervision::supervise::{ChildState, CrashKind};
use tokio::time::{Instant, sleep};

use crate::fakes::{POLICY, millis, secs};
use crate::kid::{Crash, Delegate, Despair, GetStuck, Hang, Kid, Leave, Monopolise, Nursery, Ponder, Touch};

/// How long an actor may be silent before it counts as hung: three pulses, and what was left of the one before. Each
/// pulse has a timer's millisecond more.
const FOUND_WITHIN: Duration = Duration::from_millis(40_010);

#[actix::test]
async fn an_actor_that_reads_no_mail_is_found_and_brought_back() {
    let nursery = Nursery::open();
    sleep(secs(3)).await;
    nursery.kid.addr().send(Hang).await.unwrap();
    let hung = Instant::now();
    nursery.parent.until_heard(1).await;
    assert!(hung.elapsed() <= FOUND_WITHIN && hung.elapsed() >= secs(30), "{:?}", hung.elapsed());
    let [ChildState::Restarting { reason, kind, after }] = &nursery.parent.heard()[..] else {
        panic!("{:?}", nursery.parent.heard())
    };
    assert_eq!((reason.as_str(), *kind), ("gave no sign of life for 30 s", CrashKind::Hung));
    assert!(*after <= POLICY.backoff_min, "{after:?}");
    sleep(*after + millis(1)).await;
    assert_eq!(nursery.touch().ask(Touch).await, Ok(1));
}

#[actix::test]
async fn an_actor_whose_work_does_not_move_says_so_itself() {
    let nursery = Nursery::open();
    nursery.kid.addr().send(GetStuck).await.unwrap();
    let stuck = Instant::now();
    nursery.parent.until_heard(1).await;
    assert!(stuck.elapsed() <= PULSE + millis(1), "{:?}", stuck.elapsed());
    assert_eq!(nursery.parent.restarts()[0].0, "stuck to order");
    sleep(POLICY.backoff_min).await;
    assert_eq!(nursery.touch().ask(Touch).await, Ok(1));
    sleep(secs(600)).await;
    assert_eq!(nursery.parent.heard().len(), 1, "it moves again");
}

#[actix::test]
async fn an_actor_that_is_idle_or_busy_for_hours_is_left_alone() {
    let nursery = Nursery::open();
    sleep(secs(3 * 3600)).await;
    assert_eq!(nursery.parent.heard(), []);
    let ponder: Ask<Ponder> = nursery.kid.ask(secs(10_000));
    assert_eq!(ponder.ask(Ponder(secs(3600))).await, Ok(()));
    assert_eq!(nursery.touch().ask(Touch).await, Ok(1));
    assert_eq!(nursery.parent.heard(), []);
}

#[actix::test]
async fn one_that_answers_late_has_its_silence_forgotten() {
    let nursery = Nursery::open();
    let monopolise: Ask<Monopolise> = nursery.kid.ask(secs(60));
    for _ in 0..20 {
        assert_eq!(monopolise.ask(Monopolise(secs(25))).await, Ok(()));
        sleep(PULSE).await;
    }
    assert_eq!(nursery.parent.heard(), []);
}

#[actix::test]
async fn one_that_hangs_again_and_again_is_given_up_on_only_if_it_does_so_too_often() {
    let nursery = Nursery::open();
    for hung in 1..=10 {
        nursery.kid.addr().send(Hang).await.unwrap();
        nursery.parent.until_heard(hung).await;
        sleep(POLICY.backoff_max).await;
    }
    assert_eq!(nursery.parent.restarts().len(), 10, "each takes longer to be found than the window of the policy");
}

#[actix::test]
async fn one_that_hangs_ends_with_its_parent_all_the_same() {
    let nursery = Nursery::open();
    let address = nursery.kid.addr().clone();
    address.send(Hang).await.unwrap();
    drop(nursery.kid);
    nursery.parent.until_heard(1).await;
    assert_eq!(nursery.parent.heard(), [ChildState::Stopped]);
    assert!(!address.connected());
}

#[actix::test]
async fn one_that_knows_that_nothing_helps_is_not_brought_back() {
    let nursery = Nursery::open();
    nursery.kid.addr().send(Despair).await.unwrap_err();
    nursery.parent.until_heard(1).await;
    let [ChildState::Down(given_up)] = &nursery.parent.heard()[..] else { panic!("{:?}", nursery.parent.heard()) };
    assert_eq!(given_up.to_string(), "kid: nothing helps");
    assert_eq!(nursery.touch().ask(Touch).await, Err(AskError::Unavailable("kid".into())));
}

/// Asks, lets `fell` it a second later, and returns the answer and after how long it came.
async fn asked_while<M, F>(nursery: &Nursery, message: M, fell: F) -> (Result<(), AskError>, Duration)
where
    M: Message<Result = ()> + Send + 'static,
    F: Message<Result = ()> + Send + 'static,
    Kid: Handler<M> + Handler<F>,
{
    let (ask, felling): (Ask<M>, Ask<F>) = (nursery.kid.ask(secs(60)), nursery.kid.ask(secs(60)));
    let asked = Instant::now();
    let felled = async {
        sleep(secs(1)).await;
        let _ = felling.ask(fell).await;
    };
    let (answer, ()) = futures::join!(async { (ask.ask(message).await, asked.elapsed()) }, felled);
    answer
}

const CRASHED: fn() -> Result<(), AskError> = || Err(AskError::Crashed("kid".into()));

#[actix::test]
async fn when_it_crashes_whoever_is_being_answered_in_its_context_hears_so_at_once_and_not_after_the_pause() {
    let nursery = Nursery::open();
    let crash: Ask<Crash> = nursery.kid.ask(secs(60));
    assert_eq!(crash.ask(Crash).await, CRASHED(), "whoever is answered by the handler itself");
    sleep(POLICY.backoff_max).await;
    let (answer, after) = asked_while(&nursery, Ponder(secs(50)), Crash).await;
    assert_eq!(answer, CRASHED(), "whoever is answered by a future of its context");
    assert!(after < secs(1) + POLICY.backoff_min / 2, "{after:?}");
    sleep(POLICY.backoff_max).await;
    let (answer, after) = asked_while(&nursery, Ponder(secs(50)), Despair).await;
    assert_eq!((answer, after.as_secs()), (Err(AskError::Unavailable("kid".into())), 1));
}

#[actix::test]
async fn what_a_task_beside_it_answers_is_answered_though_it_crashes() {
    let (answer, after) = asked_while(&Nursery::open(), Delegate(secs(50)), Crash).await;
    assert_eq!((answer, after.as_secs()), (Ok(()), 50));
}

#[actix::test]
async fn when_it_hangs_whoever_is_being_answered_in_its_context_hears_so_as_soon_as_it_is_found() {
    let (answer, after) = asked_while(&Nursery::open(), Ponder(secs(50)), Hang).await;
    assert_eq!(answer, CRASHED());
    assert!(after <= FOUND_WITHIN, "{after:?}");
}

#[actix::test]
async fn whoever_waits_for_the_very_answer_that_it_hangs_in_hears_so_as_soon_as_it_is_found() {
    let nursery = Nursery::open();
    let (ask, asked): (Ask<Monopolise>, _) = (nursery.kid.ask(secs(60)), Instant::now());
    assert_eq!(ask.ask(Monopolise(secs(3600))).await, CRASHED());
    assert!(asked.elapsed() <= FOUND_WITHIN);
}

#[actix::test]
async fn what_a_task_beside_it_answers_is_answered_though_it_hangs() {
    let (answer, after) = asked_while(&Nursery::open(), Delegate(secs(50)), Hang).await;
    assert_eq!((answer, after.as_secs()), (Ok(()), 50));
}

#[actix::test]
async fn whoever_asks_one_that_hangs_is_answered_by_its_successor_or_told_at_their_deadline() {
    let nursery = Nursery::open();
    nursery.kid.addr().send(Hang).await.unwrap();
    let (short, long): (Ask<Touch>, Ask<Touch>) = (nursery.kid.ask(secs(5)), nursery.kid.ask(secs(60)));
    assert_eq!(short.ask(Touch).await, Err(AskError::TimedOut("kid".into(), secs(5))));
    // Its question still waits in the mailbox, where actix leaves out what nobody waits for.
    assert_eq!(long.ask(Touch).await, Ok(1));
    let left: Ask<Leave> = nursery.kid.ask(secs(60));
    assert_eq!(left.ask(Leave).await, Ok(()));
}
