//! Duty: answers those who look at what was measured.
//!
//! It asks the store, which only reads, and `Telemetry` for the state of the process. Its handlers only pass on: reading and counting run in tasks of their own on
//! the threads of the runtime, at most [`MAX_UNDER_WAY`] at once, each within [`QUESTION_LIMIT`]; attempts
//! are counted for one of them after the other, so that no more than the attempts of one are in memory. A reader waits for [`PATIENCE`] at
//! most and is then given an older answer, or told to come back. Answers are kept for a while. As long as somebody listens, it looks
//! every [`LOOK_EVERY`] for what is new.
//!
//! A database that is away is no reason to crash: readers are told, and the next question tries again. Stops with its parent; a
//! crash loses the answers that were kept, and listeners come back by themselves.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use chrono::Utc;
use parsec_store::Glance;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use super::feed::{Feed, Listening};
use super::question::{Answer, Question, Seen, Unanswered};
use super::reading;
use super::shelf::Shelf;
use crate::supervision::ask::Ask;
use crate::supervision::progress::Progress;
use crate::telemetry::GetStatus;

/// How many questions are answered at once. Each takes a session of the database, and a thread while it is counted.
pub const MAX_UNDER_WAY: usize = 3;

/// How long answering a question may take: a million attempts and many traces can be read in that time.
pub const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// How long a reader waits: then a page that says what it waits for is better than none.
pub const PATIENCE: Duration = Duration::from_millis(800);

/// How often it is looked for what is new while somebody listens.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Look this up.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Seen, Unanswered>")]
pub struct Look(pub Question);

/// Listen to what is new, from behind the event with this number on. `None` if there is no room for another listener.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<Listening>")]
pub struct Listen {
    /// What was heard last.
    pub after: Option<u64>,
}

/// What those who wait for an answer are told.
type Told = watch::Receiver<Option<Result<Arc<Answer>, Unanswered>>>;

/// See the module's documentation.
pub struct Archive {
    store: Arc<dyn Glance>,
    /// Asked how the process is in which it runs.
    status: Option<Ask<GetStatus>>,
    /// Taken by the one question whose attempts are all in memory.
    room: Arc<Semaphore>,
    shelf: Shelf,
    under_way: HashMap<Question, Told>,
    feed: Feed,
    /// Whether the next look for what is new has been planned.
    looking: bool,
    /// Whether the database answered last.
    is_there: bool,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("under_way", &self.under_way.len()).finish_non_exhaustive()
    }
}

impl Archive {
    /// Answers out of this database.
    pub fn new(store: Arc<dyn Glance>) -> Self {
        // Numbers that no earlier process has given: those who listened to it are told to look again.
        let first = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default() << 16;
        let (shelf, under_way, feed) = (Shelf::default(), HashMap::new(), Feed::new(first));
        let room = Arc::new(Semaphore::new(1));
        Self { store, status: None, room, shelf, under_way, feed, looking: false, is_there: true }
    }

    /// The same, which also says how the process is in which it runs.
    #[must_use]
    pub fn in_process(mut self, status: Ask<GetStatus>) -> Self {
        self.status = Some(status);
        self
    }

    /// Has the question answered, unless that is under way.
    fn find(&mut self, question: &Question, context: &mut Context<Self>) -> Result<Told, Unanswered> {
        if let Some(told) = self.under_way.get(question) {
            return Ok(told.clone());
        }
        if self.under_way.len() >= MAX_UNDER_WAY {
            return Err(Unanswered::Busy);
        }
        let (tell, told) = watch::channel(None);
        self.under_way.insert(question.clone(), told.clone());
        let desk =
            reading::Desk { store: Arc::clone(&self.store), status: self.status.clone(), room: Arc::clone(&self.room) };
        let asked = question.clone();
        let finding = async move {
            // With the actor, the task ends.
            let mut tasks = JoinSet::new();
            tasks.spawn(timeout(QUESTION_LIMIT, reading::answer(desk, asked)));
            match tasks.join_next().await {
                Some(Ok(Ok(found))) => found.map(Arc::new),
                Some(Ok(Err(_))) => Err(Unanswered::TooLong(QUESTION_LIMIT)),
                Some(Err(error)) => Err(Unanswered::Failed(error.to_string())),
                None => Err(Unanswered::Failed("nobody looked".to_owned())),
            }
        };
        let question = question.clone();
        context.spawn(finding.into_actor(self).map(move |found, actor, _| {
            actor.under_way.remove(&question);
            actor.note(&question, &found);
            // Nobody may be waiting any more.
            tell.send_replace(Some(found));
        }));
        Ok(told)
    }

    fn note(&mut self, question: &Question, found: &Result<Arc<Answer>, Unanswered>) {
        let is_there = !matches!(found, Err(Unanswered::Away(_) | Unanswered::Failed(_)));
        if is_there != self.is_there {
            match found {
                Err(error) => warn!(%error, "what was measured cannot be shown"),
                Ok(_) => info!("what was measured can be shown again"),
            }
            self.is_there = is_there;
        }
        if let Ok(answer) = found {
            debug!(?question, seconds = answer.took.as_secs_f64(), "answered");
            self.shelf.put(question.clone(), Arc::clone(answer), Instant::now());
        }
        if *question == Question::Overview {
            let glimpse = found.as_ref().map(|answer| answer.glimpse.as_ref());
            match glimpse {
                Ok(Some(glimpse)) => self.feed.looked(Ok(glimpse)),
                Ok(None) => {}
                Err(error) => self.feed.looked(Err(error)),
            }
        }
    }

    fn look_for_news(&mut self, context: &mut Context<Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        context.run_later(LOOK_EVERY, |actor, context| {
            actor.looking = false;
            if actor.feed.has_listeners() {
                // If too many others ask, the next look is soon enough.
                drop(actor.find(&Question::Overview, context));
                actor.look_for_news(context);
            }
        });
    }
}

impl Actor for Archive {
    type Context = Context<Self>;
}

impl Progress for Archive {}

impl Supervised for Archive {
    fn restarting(&mut self, _: &mut Self::Context) {
        let (feed, status) = (self.feed.renewed(), self.status.take());
        *self = Self { feed, status, ..Self::new(Arc::clone(&self.store)) };
    }
}

impl Handler<Look> for Archive {
    type Result = ResponseFuture<Result<Seen, Unanswered>>;

    fn handle(&mut self, Look(question): Look, context: &mut Self::Context) -> Self::Result {
        let kept = self.shelf.get(&question, Instant::now());
        let older = match kept {
            Some((answer, true)) => return Box::pin(async { Ok(Seen { answer, because: None }) }),
            kept => kept.map(|(answer, _)| answer),
        };
        let told = self.find(&question, context);
        Box::pin(async move {
            let found = match told {
                Ok(told) => newest(told).await,
                Err(busy) => Err(busy),
            };
            match (found, older) {
                (Ok(answer), _) => Ok(Seen { answer, because: None }),
                // What is gone is not shown, and what cannot be answered has no older answer that counts.
                (Err(because @ (Unanswered::NotFound(_) | Unanswered::Unanswerable(_))), _) => Err(because),
                (Err(because), Some(answer)) => Ok(Seen { answer, because: Some(because) }),
                (Err(because), None) => Err(because),
            }
        })
    }
}

/// What is told, if that is soon.
async fn newest(mut told: Told) -> Result<Arc<Answer>, Unanswered> {
    match timeout(PATIENCE, told.wait_for(Option::is_some)).await {
        Ok(Ok(found)) => found.clone().unwrap_or(Err(Unanswered::Counting)),
        // The actor has crashed meanwhile.
        Ok(Err(_)) => Err(Unanswered::Failed("it was interrupted; ask again".to_owned())),
        Err(_) => Err(Unanswered::Counting),
    }
}

impl Handler<Listen> for Archive {
    type Result = MessageResult<Listen>;

    fn handle(&mut self, Listen { after }: Listen, context: &mut Self::Context) -> Self::Result {
        let listening = self.feed.listen(after);
        self.look_for_news(context);
        MessageResult(listening)
    }
}
