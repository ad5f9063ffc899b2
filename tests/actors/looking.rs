//! Looking at what was measured: how long readers wait, what they see while the database is slow or away, and how few questions reach it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parsec_actors::supervision::supervise::{Child, supervise};
use parsec_actors::viewing::archive::{Archive, LOOK_EVERY, Listen, Look, MAX_UNDER_WAY, PATIENCE, QUESTION_LIMIT};
use parsec_actors::viewing::feed::{Listening, MAX_LISTENERS};
use parsec_actors::viewing::question::{Filter, Question, Seen, Unanswered};
use tokio::time::{Instant, pause, sleep, timeout};

use crate::fakes::{FakeGlance, Mood, POLICY, Run, Witness, millis, secs};

/// Longer than an answer that was found at once is fresh.
const STALE: Duration = Duration::from_secs(3);

struct Desk {
    store: Arc<FakeGlance>,
    parent: Witness,
    archive: Child<Archive>,
}

impl Desk {
    fn open() -> Self {
        pause();
        let store = FakeGlance::new();
        let (parent, hears) = Witness::start_new();
        let archive = supervise("archive", POLICY, hears, Archive::new(Arc::clone(&store) as _));
        Self { store, parent, archive }
    }

    async fn look(&self, question: Question) -> Result<Seen, Unanswered> {
        self.archive.ask(secs(5)).ask(Look(question)).await.unwrap()
    }

    async fn listen(&self, after: Option<u64>) -> Option<Listening> {
        self.archive.ask(secs(5)).ask(Listen { after }).await.unwrap()
    }
}

fn of_fleet(number: usize) -> Question {
    Question::Measurements(Filter { fleets: vec![number.to_string()], ..Filter::default() })
}

/// What is heard next, and its number.
async fn heard(listening: &mut Listening) -> (u64, &'static str, serde_json::Value) {
    let event = timeout(secs(60), listening.0.recv()).await.expect("something is heard").expect("it goes on");
    (event.id, event.name, serde_json::from_str(&event.data).unwrap())
}

#[actix::test]
async fn while_the_database_is_slow_readers_get_the_older_answer_and_are_told_so() {
    let desk = Desk::open();
    let first = desk.look(Question::Overview).await.unwrap();
    assert_eq!(first.because, None);
    sleep(STALE).await;
    desk.store.is(Mood::Hangs);
    let asked = Instant::now();
    let older = desk.look(Question::Overview).await.unwrap();
    assert!(asked.elapsed() <= PATIENCE + millis(10), "nobody waits for longer: {:?}", asked.elapsed());
    assert_eq!((older.answer.at, older.because), (first.answer.at, Some(Unanswered::Counting)));
    assert_eq!(desk.look(of_fleet(1)).await, Err(Unanswered::Counting), "there is no older answer");
    // One that is never answered is given up, and leaves its place to others.
    sleep(QUESTION_LIMIT - STALE).await;
    desk.store.until("nobody waits for the database any more", |asked| asked.waiting == 0).await;
    desk.store.is(Mood::Works);
    let newer = desk.look(Question::Overview).await.unwrap();
    assert!(newer.because.is_none() && newer.answer.at >= first.answer.at, "{newer:?}");
    assert!(desk.look(of_fleet(1)).await.is_ok());
}

#[actix::test]
async fn a_question_that_takes_too_long_says_so_to_whoever_waits_then() {
    let desk = Desk::open();
    desk.store.is(Mood::Hangs);
    assert_eq!(desk.look(of_fleet(1)).await, Err(Unanswered::Counting));
    sleep(QUESTION_LIMIT - PATIENCE - millis(400)).await;
    assert_eq!(desk.look(of_fleet(1)).await, Err(Unanswered::TooLong(QUESTION_LIMIT)));
}

#[actix::test]
async fn a_database_that_goes_away_is_said_to_readers_and_to_listeners_and_so_is_its_return() {
    let desk = Desk::open();
    let first = desk.look(Question::Overview).await.unwrap();
    let mut listening = desk.listen(None).await.unwrap();
    assert_eq!(heard(&mut listening).await.2["database"], "up");
    desk.store.is(Mood::Away);
    sleep(STALE).await;
    let older = desk.look(Question::Overview).await.unwrap();
    let because = older.because.unwrap();
    assert_eq!((older.answer.at, &because), (first.answer.at, &Unanswered::Away("connection refused".to_owned())));
    assert_eq!(desk.look(of_fleet(1)).await, Err(because));
    let (_, name, news) = heard(&mut listening).await;
    assert_eq!((name, &news["database"]), ("state", &"down".into()));
    assert!(news["sentence"].as_str().unwrap().contains("connection refused"), "{news}");
    desk.store.is(Mood::Works);
    assert_eq!(heard(&mut listening).await.2["database"], "up");
    assert_eq!(desk.look(Question::Overview).await.unwrap().because, None);
}

#[actix::test]
async fn few_questions_reach_the_database_at_once_however_many_readers_ask() {
    let desk = Desk::open();
    desk.store.is(Mood::Hangs);
    let answers = join_all((0..20).map(|number| desk.look(of_fleet(number)))).await;
    let busy = answers.iter().filter(|answer| **answer == Err(Unanswered::Busy)).count();
    assert_eq!((busy, desk.store.asked().most), (20 - MAX_UNDER_WAY, MAX_UNDER_WAY));
    // Those who ask the same wait for the same answer.
    let (calls, same) = (desk.store.asked().calls, join_all((0..50).map(|_| desk.look(of_fleet(0)))));
    assert!(same.await.iter().all(|answer| *answer == Err(Unanswered::Counting)));
    assert_eq!(desk.store.asked().calls, calls);
    desk.store.is(Mood::Works);
    assert!(join_all((0..MAX_UNDER_WAY).map(|number| desk.look(of_fleet(number)))).await.iter().all(Result::is_ok));
    assert!(desk.look(of_fleet(19)).await.is_ok(), "who was turned away gets a place");
}

#[actix::test]
async fn many_readers_of_a_page_cost_what_one_does_and_without_a_reader_nothing_is_asked() {
    let desk = Desk::open();
    desk.look(Question::Overview).await.unwrap();
    let calls = desk.store.asked().calls;
    assert!(join_all((0..100).map(|_| desk.look(Question::Overview))).await.iter().all(Result::is_ok));
    sleep(secs(3_600)).await;
    assert_eq!(desk.store.asked().calls, calls);
    // As long as somebody listens, it is looked for what is new.
    let listening = desk.listen(None).await.unwrap();
    sleep(LOOK_EVERY * 10).await;
    let while_listened_to = desk.store.asked().calls;
    assert!(while_listened_to > calls, "{while_listened_to}");
    drop(listening);
    sleep(LOOK_EVERY * 2).await;
    let calls = desk.store.asked().calls;
    sleep(secs(3_600)).await;
    assert_eq!(desk.store.asked().calls, calls);
}

#[actix::test]
async fn one_who_comes_back_hears_what_was_missed_and_nothing_twice() {
    let desk = Desk::open();
    desk.store.records(1);
    let mut all_the_time = desk.listen(None).await.unwrap();
    let mut at_times = desk.listen(None).await.unwrap();
    assert_eq!(heard(&mut all_the_time).await.1, "state");
    sleep(LOOK_EVERY * 2).await;
    desk.store.records(2);
    let (last, name, news) = heard(&mut all_the_time).await;
    assert_eq!((name, &news["name"]), ("attempt", &"00000002".into()), "what the page shows already is no news");
    let first: Vec<_> = [heard(&mut at_times).await, heard(&mut at_times).await].map(|(_, name, _)| name).into();
    assert_eq!(first, ["state", "attempt"]);
    drop(at_times);
    for number in 3..=5 {
        desk.store.records(number);
        assert_eq!(heard(&mut all_the_time).await.1, "attempt");
    }
    let mut back = desk.listen(Some(last)).await.unwrap();
    assert_eq!(heard(&mut back).await.1, "state");
    for number in 3..=5 {
        let (id, name, news) = heard(&mut back).await;
        assert_eq!((name, &news["name"]), ("attempt", &format!("0000000{number}").into()));
        assert!(id > last);
    }
    let mut long_ago = desk.listen(Some(1)).await.unwrap();
    assert_eq!(heard(&mut long_ago).await.1, "state");
    assert_eq!(heard(&mut long_ago).await.1, "reset", "the page is read anew");
}

#[actix::test]
async fn there_is_room_for_so_many_listeners() {
    let desk = Desk::open();
    let mut listening = join_all((0..MAX_LISTENERS).map(|_| desk.listen(None))).await;
    assert!(listening.iter().all(Option::is_some) && desk.listen(None).await.is_none());
    listening.pop();
    assert!(desk.listen(None).await.is_some(), "who goes leaves room");
}

#[actix::test]
async fn a_crash_ends_the_streams_and_who_comes_back_is_told_to_look_again() {
    let desk = Desk::open();
    let mut listening = desk.listen(None).await.unwrap();
    let (last, ..) = heard(&mut listening).await;
    desk.archive.addr().send(Run::panicking()).await.unwrap_err();
    desk.parent.until_heard(1).await;
    assert_eq!(listening.0.recv().await.map(|event| event.name), None);
    desk.archive.addr().send(Run::nothing()).await.unwrap();
    let mut back = desk.listen(Some(last)).await.unwrap();
    assert_eq!([heard(&mut back).await.1, heard(&mut back).await.1], ["state", "reset"]);
    assert!(desk.look(Question::Overview).await.is_ok());
}

#[actix::test]
async fn a_panic_in_a_question_is_the_questions_alone() {
    let desk = Desk::open();
    desk.store.is(Mood::Panics);
    let answer = desk.look(of_fleet(1)).await;
    assert!(matches!(&answer, Err(Unanswered::Failed(reason)) if reason.contains("panic")), "{answer:?}");
    desk.store.is(Mood::Works);
    assert!(desk.look(of_fleet(1)).await.is_ok());
    assert_eq!(desk.parent.heard(), []);
}
