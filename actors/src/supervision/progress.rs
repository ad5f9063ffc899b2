//! How to tell an actor that hangs from one that is idle.
//!
//! Every [`PULSE`] the supervisor sends each actor a health check ([`Progress`]), which runs in the actor's own
//! context: while that context waits for something (`ctx.wait`, an `AtomicResponse`), it neither reads its mailbox nor
//! answers the check. After [`MISSED_PULSES`] without an answer the actor counts as crashed. An actor that answers may
//! report that its own work is stuck ([`Stuck`]), which counts as a crash as well. Pulses are counted instead of
//! seconds, because no pulses occur while a machine is suspended or a process is stopped.

use std::time::Duration;

use thiserror::Error;

/// How often an actor is checked for a sign of life.
pub const PULSE: Duration = Duration::from_secs(10);

/// After how many pulses without an answer an actor counts as hung: three, because none of our handlers takes seconds.
pub const MISSED_PULSES: u32 = 3;

/// Work that should have made progress and has not: a sentence that says which.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Stuck(String);

impl Stuck {
    /// Says what is stuck, and for how long.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The answer to a health check. For actors that wait for nothing, answering at all is enough.
pub trait Progress {
    /// Whether the actor's work is making progress. Called once every [`PULSE`]; must return at once.
    ///
    /// # Errors
    /// What is stuck: the actor then counts as crashed, and is restarted.
    fn progress(&mut self) -> Result<(), Stuck> {
        Ok(())
    }
}

/// A piece of an actor's work that has to end, one at a time: a beat, a write, a round.
#[derive(Debug, Clone)]
pub struct UnderWay {
    what: &'static str,
    limit: Duration,
    /// How many pulses have occurred during the current piece.
    seen: Option<u32>,
}

impl UnderWay {
    /// No piece is under way. `what` is for the error message; `limit` is longer than a piece can take.
    pub const fn new(what: &'static str, limit: Duration) -> Self {
        Self { what, limit, seen: None }
    }

    /// A piece begins; if one was under way, it is forgotten.
    pub fn begins(&mut self) {
        self.seen = Some(0);
    }

    /// The piece has ended.
    pub fn ends(&mut self) {
        self.seen = None;
    }

    /// Whether a piece is under way.
    pub fn is_under_way(&self) -> bool {
        self.seen.is_some()
    }

    /// Call this once every pulse, in [`Progress::progress`].
    ///
    /// # Errors
    /// If the piece has been under way for longer than the limit.
    pub fn progress(&mut self) -> Result<(), Stuck> {
        let Some(seen) = &mut self.seen else { return Ok(()) };
        // The first pulse may come right after the piece begins, so it is not counted as time.
        let under_way = PULSE * *seen;
        *seen += 1;
        if under_way <= self.limit {
            return Ok(());
        }
        let (what, seconds) = (self.what, under_way.as_secs());
        Err(Stuck(format!("{what} has been under way for {seconds} s and does not end")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_may_take_its_time_and_not_more() {
        let mut work = UnderWay::new("a beat", Duration::from_secs(25));
        for _ in 0..100 {
            work.progress().unwrap();
        }
        work.begins();
        let pulses: Vec<_> = (0..4).map(|_| work.progress()).collect();
        assert_eq!(pulses[..3], [Ok(()), Ok(()), Ok(())]);
        assert_eq!(pulses[3], Err(Stuck::new("a beat has been under way for 30 s and does not end")));
    }

    #[test]
    fn each_piece_has_the_whole_time() {
        let mut work = UnderWay::new("a beat", Duration::from_secs(25));
        for _ in 0..100 {
            work.begins();
            work.progress().unwrap();
            work.progress().unwrap();
            work.ends();
            work.progress().unwrap();
        }
    }
}
