//! How an actor that hangs is told from one that is idle.
//!
//! Every [`PULSE`] the supervisor asks each actor for a sign of life ([`Progress`]), inside the actor's own context: as
//! long as that waits for something (`ctx.wait`, an `AtomicResponse`) it neither reads its mailbox nor gives a sign. After
//! [`MISSED_PULSES`] without one it counts as crashed. An actor that answers may say itself that its work does not move
//! ([`Stuck`]), which counts as well. Pulses are counted, not seconds: on a machine that was suspended, or a process that
//! was stopped, no time has passed for anybody.

use std::time::Duration;

use thiserror::Error;

/// How often an actor is asked for a sign of life.
pub const PULSE: Duration = Duration::from_secs(10);

/// After how many pulses without an answer an actor counts as hung: three, as no handler of ours takes seconds.
pub const MISSED_PULSES: u32 = 3;

/// Work that should have moved on and has not: a sentence that says which.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Stuck(String);

impl Stuck {
    /// Says what is stuck, and for how long.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// What an actor has to say when it is asked for a sign of life. To answer at all is enough for those who wait for nothing.
pub trait Progress {
    /// Whether its own work moves. Asked once every [`PULSE`]; must return at once.
    ///
    /// # Errors
    /// What is stuck: the actor is then taken for crashed, and started again.
    fn progress(&mut self) -> Result<(), Stuck> {
        Ok(())
    }
}

/// A piece of work of an actor's that has to end, one at a time: a beat, a write, a round.
#[derive(Debug, Clone)]
pub struct UnderWay {
    what: &'static str,
    limit: Duration,
    /// How many pulses have seen the piece that is under way.
    seen: Option<u32>,
}

impl UnderWay {
    /// No piece is under way. `what` is for the sentence, `limit` is longer than a piece can take.
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

    /// Whether one is.
    pub fn is_under_way(&self) -> bool {
        self.seen.is_some()
    }

    /// To be asked once every pulse, by [`Progress::progress`].
    ///
    /// # Errors
    /// If the piece has been under way for longer than the limit.
    pub fn progress(&mut self) -> Result<(), Stuck> {
        let Some(seen) = &mut self.seen else { return Ok(()) };
        // The first pulse may come right after the beginning.
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
