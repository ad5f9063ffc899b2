//! Answers that are kept for a while, so that many readers cost what one does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::question::{Answer, Question};

/// How many answers are kept.
const MAX_ANSWERS: usize = 32;

/// How many bytes they may take together. An answer with many charts has some hundred kilobytes.
const MAX_BYTES: usize = 12 << 20;

/// How long an answer is fresh that was found at once: many pages that look in the same moment are told the same.
const FRESH: Duration = Duration::from_secs(2);

/// An answer is fresh for so many times as long as it took to find, so that finding it again and again is a small part of the time.
const TIMES_AS_LONG: u32 = 20;

/// No answer is fresh for longer.
const MAX_FRESH: Duration = Duration::from_secs(600);

/// An older answer is not even shown with a word about its age.
const KEPT: Duration = Duration::from_secs(3_600);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Shelf(HashMap<Question, Kept>);

#[derive(Debug)]
struct Kept {
    answer: Arc<Answer>,
    since: Instant,
    looked_at: Instant,
}

impl Kept {
    fn is_fresh(&self, now: Instant) -> bool {
        now - self.since < (self.answer.took * TIMES_AS_LONG).clamp(FRESH, MAX_FRESH)
    }
}

impl Shelf {
    /// The answer, if it is not too old, and whether it is fresh.
    pub(super) fn get(&mut self, question: &Question, now: Instant) -> Option<(Arc<Answer>, bool)> {
        let kept = self.0.get_mut(question).filter(|kept| now - kept.since < KEPT)?;
        kept.looked_at = now;
        Some((Arc::clone(&kept.answer), kept.is_fresh(now)))
    }

    /// Keeps an answer; those that nobody has looked at for longest make room.
    pub(super) fn put(&mut self, question: Question, answer: Arc<Answer>, now: Instant) {
        self.0.insert(question, Kept { answer, since: now, looked_at: now });
        self.0.retain(|_, kept| now - kept.since < KEPT);
        while self.0.len() > 1 && (self.0.len() > MAX_ANSWERS || self.bytes() > MAX_BYTES) {
            let oldest = self.0.iter().min_by_key(|(_, kept)| kept.looked_at).map(|(question, _)| question.clone());
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
    }

    fn bytes(&self) -> usize {
        // A document for programs is about as long as its page.
        self.0.values().map(|kept| 2 * kept.answer.html.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::Filter;
    use super::*;

    fn question(fleet: usize) -> Question {
        Question::Measurements(Filter { fleets: vec![fleet.to_string()], ..Filter::default() })
    }

    fn answer(took: u64, bytes: usize) -> Arc<Answer> {
        Arc::new(Answer { took: Duration::from_secs(took), html: "x".repeat(bytes), ..Answer::default() })
    }

    #[test]
    fn what_took_long_to_find_is_fresh_for_longer_and_nothing_for_ever() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for (took, fresh, old) in [(0, 1, 2), (5, 99, 100), (60, 599, 600)] {
            shelf.put(question(took as usize), answer(took, 1), now);
            let mut is_fresh =
                |seconds| shelf.get(&question(took as usize), now + Duration::from_secs(seconds)).unwrap().1;
            assert_eq!((is_fresh(fresh), is_fresh(old)), (true, false), "{took}");
        }
        assert_eq!(shelf.get(&question(60), now + KEPT), None);
    }

    #[test]
    fn what_is_kept_is_bounded_by_number_and_by_size() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for fleet in 0..100 {
            shelf.put(question(fleet), answer(1, 10), now + Duration::from_secs(fleet as u64));
            assert!(
                shelf.get(&question(0), now + Duration::from_secs(fleet as u64)).is_some(),
                "it is looked at all the time"
            );
        }
        assert_eq!(shelf.0.len(), MAX_ANSWERS);
        for fleet in 200..210 {
            shelf.put(question(fleet), answer(1, 2 << 20), now + Duration::from_secs(fleet as u64));
            assert!(shelf.bytes() <= MAX_BYTES);
        }
        shelf.put(question(300), answer(1, MAX_BYTES), now + Duration::from_secs(400));
        assert!(shelf.0.contains_key(&question(300)), "the newest is kept however large it is");
    }
}
