//! Those who want to hear what is new, and what they are told. Whoever was away for a moment is told what was missed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use parsec_measure::AttemptId;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::question::{Glimpse, Unanswered};

/// How many may listen at once: each costs a connection and a little memory.
pub const MAX_LISTENERS: usize = 100;

/// How many events may wait for one listener; who does not read them is let go, and comes back.
const WAITING: usize = 256;

/// How many events are remembered for those who come back: minutes of a large deployment.
const REMEMBERED: usize = 512;

/// How many attempts are remembered as told, several times what one look at the database has.
const MAX_TOLD: usize = 2_000;

/// Something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number: later ones have higher ones, also after a restart of the process.
    pub id: u64,
    /// What it is about.
    pub name: &'static str,
    /// What there is to say.
    pub data: String,
}

/// Someone's place among the listeners. It ends when they are too slow, or the archive stops.
#[derive(Debug)]
pub struct Listening(pub mpsc::Receiver<Arc<Event>>);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Feed {
    listeners: Vec<mpsc::Sender<Arc<Event>>>,
    past: VecDeque<Arc<Event>>,
    next: u64,
    told: BTreeSet<AttemptId>,
    /// What was told of everything else.
    mark: Option<String>,
    /// Why the database is away, if it is.
    away: Option<String>,
}

impl Feed {
    /// Nobody listens yet. Events are numbered from `first` on.
    pub(super) fn new(first: u64) -> Self {
        let (listeners, past, told) = (Vec::new(), VecDeque::new(), BTreeSet::new());
        Self { listeners, past, next: first, told, mark: None, away: None }
    }

    /// One without listeners, whose numbers follow: what happened meanwhile was told to nobody, and whoever comes back is told to look again.
    pub(super) fn renewed(&self) -> Self {
        Self::new(self.next + 1)
    }

    /// A place for one who has heard everything up to `after`, if there is room.
    pub(super) fn listen(&mut self, after: Option<u64>) -> Option<Listening> {
        self.listeners.retain(|listener| !listener.is_closed());
        if self.listeners.len() >= MAX_LISTENERS {
            return None;
        }
        let (listener, heard) = mpsc::channel(WAITING);
        let state = self.state();
        let _ = listener.try_send(self.event("state", &state));
        if let Some(after) = after {
            let knows_all = self.past.front().map_or(after + 1 >= self.next, |first| after + 1 >= first.id);
            let missed: Vec<_> = self.past.iter().filter(|event| event.id > after).cloned().collect();
            if knows_all && after < self.next && missed.len() < WAITING / 2 {
                missed.into_iter().for_each(|event| drop(listener.try_send(event)));
            } else {
                let _ = listener.try_send(self.event("reset", &json!({})));
            }
        }
        self.listeners.push(listener);
        Some(Listening(heard))
    }

    /// Whether somebody listens.
    pub(super) fn has_listeners(&mut self) -> bool {
        self.listeners.retain(|listener| !listener.is_closed());
        !self.listeners.is_empty()
    }

    /// What a look at the database came to.
    pub(super) fn looked(&mut self, found: Result<&Glimpse, &Unanswered>) {
        let away = match found {
            Ok(_) => None,
            // That others ask a lot says nothing of the database.
            Err(Unanswered::Busy | Unanswered::Counting) => return,
            Err(reason) => Some(reason.to_string()),
        };
        if away != self.away {
            self.away = away;
            let state = self.state();
            self.tell("state", &state);
        }
        let Ok(Glimpse { attempts, mark }) = found else { return };
        // The first look is what pages show already.
        let is_first = self.mark.is_none();
        for (id, news) in attempts {
            if self.told.insert(*id) && !is_first {
                self.tell("attempt", news);
            }
        }
        // Identities begin with the time: the oldest are the first.
        while self.told.len() > MAX_TOLD {
            self.told.pop_first();
        }
        if self.mark.as_ref() != Some(mark) {
            self.mark = Some(mark.clone());
            if !is_first {
                self.tell("overview", &json!({}));
            }
        }
    }

    fn state(&self) -> Value {
        let sentence = self.away.as_ref().map(|reason| {
            format!("{reason}. What is shown was read before; the page goes on by itself when the database is back.")
        });
        json!({ "database": if self.away.is_some() { "down" } else { "up" }, "sentence": sentence })
    }

    /// An event of its own, which is not repeated.
    fn event(&self, name: &'static str, data: &Value) -> Arc<Event> {
        Arc::new(Event { id: self.next.saturating_sub(1), name, data: data.to_string() })
    }

    fn tell(&mut self, name: &'static str, data: &Value) {
        let event = Arc::new(Event { id: self.next, name, data: data.to_string() });
        self.next += 1;
        self.past.push_back(Arc::clone(&event));
        if self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        // One that does not keep up is let go: it comes back and says what it has heard last.
        self.listeners.retain(|listener| listener.try_send(Arc::clone(&event)).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn glimpse(ids: std::ops::Range<u128>, mark: &str) -> Glimpse {
        let attempts = ids.map(|id| (AttemptId(Uuid::from_u128(id)), json!({ "n": id.to_string() }))).collect();
        Glimpse { attempts, mark: mark.to_owned() }
    }

    fn heard(listening: &mut Listening) -> Vec<(u64, &'static str)> {
        std::iter::from_fn(|| listening.0.try_recv().ok()).map(|event| (event.id, event.name)).collect()
    }

    #[test]
    fn each_attempt_is_told_once_and_what_the_page_has_already_is_not() {
        let mut feed = Feed::new(1_000);
        let mut listening = feed.listen(None).unwrap();
        feed.looked(Ok(&glimpse(0..3, "a")));
        feed.looked(Ok(&glimpse(1..5, "a")));
        feed.looked(Ok(&glimpse(1..5, "b")));
        assert_eq!(
            heard(&mut listening),
            [(999, "state"), (1_000, "attempt"), (1_001, "attempt"), (1_002, "overview")]
        );
    }

    #[test]
    fn one_who_comes_back_is_told_what_was_missed_or_to_look_again() {
        let mut feed = Feed::new(1_000);
        feed.looked(Ok(&glimpse(0..1, "a")));
        feed.looked(Ok(&glimpse(0..4, "a")));
        let mut back = feed.listen(Some(1_000)).unwrap();
        assert_eq!(heard(&mut back), [(1_002, "state"), (1_001, "attempt"), (1_002, "attempt")]);
        for long_ago_or_never in [3, 5_000] {
            let mut back = feed.listen(Some(long_ago_or_never)).unwrap();
            assert_eq!(heard(&mut back), [(1_002, "state"), (1_002, "reset")], "{long_ago_or_never}");
        }
        let mut quiet = feed.listen(Some(1_002)).unwrap();
        assert_eq!(heard(&mut quiet), [(1_002, "state")]);
    }

    #[test]
    fn a_database_that_goes_away_is_told_once_and_so_is_its_return() {
        let mut feed = Feed::new(10);
        feed.looked(Ok(&glimpse(0..1, "a")));
        let mut listening = feed.listen(None).unwrap();
        let away = Unanswered::Away("connection refused".to_owned());
        feed.looked(Err(&away));
        feed.looked(Err(&away));
        feed.looked(Err(&Unanswered::Busy));
        feed.looked(Ok(&glimpse(0..1, "a")));
        let all: Vec<_> = std::iter::from_fn(|| listening.0.try_recv().ok()).map(|event| event.data.clone()).collect();
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[1].contains("connection refused") && all[2].contains("\"up\""), "{all:?}");
    }

    #[test]
    fn listeners_are_bounded_and_those_who_do_not_read_are_let_go() {
        let mut feed = Feed::new(0);
        feed.looked(Ok(&glimpse(0..1, "a")));
        let mut all: Vec<_> = (0..MAX_LISTENERS).map(|_| feed.listen(None).unwrap()).collect();
        assert!(feed.listen(None).is_none());
        all.pop();
        let slow = feed.listen(None).unwrap();
        for end in 1..=WAITING as u128 + 1 {
            feed.looked(Ok(&glimpse(end..end + 1, "a")));
            all.iter_mut().for_each(|listening| drop(heard(listening)));
        }
        assert!(slow.0.is_closed());
        assert!(!all[0].0.is_closed() && feed.has_listeners());
        assert!(feed.past.len() <= REMEMBERED);
        drop(all);
        assert!(!feed.has_listeners());
    }
}
