//! Detects whether the threads of an HTTP server, which belong to the HTTP library, have stopped making progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::time::interval;

use crate::supervision::progress::{MISSED_PULSES, PULSE, Stuck};

/// Counts ticks of each worker's thread. A healthy thread ticks at least once between any two pulses.
#[derive(Debug, Clone)]
pub(super) struct Workers {
    ticks: Arc<AtomicU64>,
    seen: Seen,
}

/// The count at the last pulse, for how many pulses it has not changed, and since when. The threads have their own
/// clocks, which in a test can differ from that of the pulses.
#[derive(Debug, Clone)]
struct Seen {
    ticks: u64,
    pulses: u32,
    since: Instant,
}

impl Default for Workers {
    fn default() -> Self {
        Self { ticks: Arc::default(), seen: Seen { ticks: 0, pulses: 0, since: Instant::now() } }
    }
}

impl Workers {
    /// Call this on the worker's thread. The ticks end with the thread.
    pub(super) fn begin_to_tick(&self) {
        let ticks = Arc::clone(&self.ticks);
        actix::spawn(async move {
            let mut often = interval(PULSE / 2);
            loop {
                often.tick().await;
                ticks.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Call this once every pulse.
    pub(super) fn progress(&mut self) -> Result<(), Stuck> {
        let ticks = self.ticks.load(Ordering::Relaxed);
        if self.seen.ticks != ticks {
            self.seen = Seen { ticks, pulses: 0, since: Instant::now() };
            return Ok(());
        }
        self.seen.pulses += 1;
        let (still, limit) = (self.seen.since.elapsed(), PULSE * MISSED_PULSES);
        if self.seen.pulses < MISSED_PULSES || still < limit {
            return Ok(());
        }
        Err(Stuck::new(format!("the thread that serves HTTP has not moved for {} s", still.as_secs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For a thread that last made progress that long ago.
    fn still_for(time: std::time::Duration) -> Workers {
        let since = Instant::now().checked_sub(time).expect("the machine has been up for a minute");
        Workers { ticks: Arc::default(), seen: Seen { ticks: 0, pulses: 0, since } }
    }

    #[test]
    fn a_thread_that_stands_still_is_found() {
        let mut workers = still_for(PULSE * MISSED_PULSES);
        let pulses: Vec<_> = (0..MISSED_PULSES).map(|_| workers.progress()).collect();
        assert_eq!(pulses[..2], [Ok(()), Ok(())]);
        assert_eq!(pulses[2], Err(Stuck::new("the thread that serves HTTP has not moved for 30 s")));
    }

    #[test]
    fn one_that_moves_is_not_and_neither_is_one_on_a_machine_that_was_suspended() {
        let mut moving = still_for(PULSE * MISSED_PULSES);
        for _ in 0..100 {
            moving.ticks.fetch_add(1, Ordering::Relaxed);
            moving.progress().unwrap();
        }
        // All of this time has passed between two pulses.
        still_for(PULSE * MISSED_PULSES).progress().unwrap();
    }

    #[actix::test]
    async fn it_ticks() {
        tokio::time::pause();
        let workers = Workers::default();
        workers.begin_to_tick();
        tokio::time::sleep(PULSE * 3).await;
        assert!(workers.ticks.load(Ordering::Relaxed) >= 3);
    }
}
