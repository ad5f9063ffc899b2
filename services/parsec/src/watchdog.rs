//! A thread that ends the process when nothing else can: when an actor blocks the thread of the actors for good, and
//! when a stop takes longer than it may.
//!
//! It counts its own steps instead of seconds: while a machine is suspended, or a process is stopped with SIGSTOP, time
//! passes in which nothing could run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parsec_actors::supervision::signs::ActorState;
use parsec_actors::supervision::supervise::whose_turn;
use parsec_actors::telemetry::metrics::Metrics;
use tracing::error;

use crate::exit::Failure;
use parsec_output::log as logging;

/// How often it checks.
const STEP: Duration = Duration::from_secs(1);

/// How long the thread of the actors may be blocked. No handler takes a second, so a thread that is blocked for this
/// long will not come back.
const BLOCKED_LIMIT: Duration = Duration::from_secs(60);

/// What the watchdog checks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchdog {
    ticks: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
}

impl Watchdog {
    /// Starts to watch the thread that this is called on. Must be called within the system.
    ///
    /// # Errors
    /// If the system grants no thread.
    pub(crate) fn watch(metrics: Arc<Metrics>, stop_within: Duration) -> std::io::Result<Self> {
        let judge = Judge::new(STEP, BLOCKED_LIMIT, stop_within);
        Self::start(judge, move |verdict| end_process(&failure(verdict, &metrics, stop_within)))
    }

    fn start(mut judge: Judge, end: impl FnOnce(Verdict) + Send + 'static) -> std::io::Result<Self> {
        let watchdog = Self::default();
        let (ticks, step) = (Arc::clone(&watchdog.ticks), judge.step);
        actix::spawn(async move {
            loop {
                ticks.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(step / 2).await;
            }
        });
        let watched = watchdog.clone();
        let looking = move || loop {
            let began = Instant::now();
            thread::sleep(step);
            let (ticks, stopping) = (watched.ticks.load(Ordering::Relaxed), watched.stopping.load(Ordering::Relaxed));
            if let Some(verdict) = judge.look(began.elapsed(), ticks, stopping) {
                return end(verdict);
            }
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(looking)?;
        Ok(watchdog)
    }

    /// The stop has begun: its time limit starts now.
    pub(crate) fn stop_begins(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// Why the process has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Blocked,
    StopOverdue,
}

/// Counts steps.
#[derive(Debug)]
struct Judge {
    step: Duration,
    blocked_limit: Duration,
    stop_limit: Duration,
    /// The ticks at the last step, and for how long they have not changed.
    seen: (u64, Duration),
    stopping_for: Duration,
}

impl Judge {
    fn new(step: Duration, blocked_limit: Duration, stop_limit: Duration) -> Self {
        Self { step, blocked_limit, stop_limit, seen: (0, Duration::ZERO), stopping_for: Duration::ZERO }
    }

    /// Called after each step, with the time it took.
    fn look(&mut self, took: Duration, ticks: u64, stopping: bool) -> Option<Verdict> {
        let (seen, still) = &mut self.seen;
        if *seen != ticks {
            (*seen, *still) = (ticks, Duration::ZERO);
        } else if took < 2 * self.step {
            *still += self.step;
        }
        if stopping && took < 2 * self.step {
            self.stopping_for += self.step;
        }
        if self.stopping_for >= self.stop_limit && stopping {
            return Some(Verdict::StopOverdue);
        }
        (*still >= self.blocked_limit).then_some(Verdict::Blocked)
    }
}

fn failure(verdict: Verdict, metrics: &Metrics, stop_within: Duration) -> Failure {
    match verdict {
        Verdict::Blocked => {
            let whose = whose_turn().map_or_else(|| "not in an actor's turn".to_owned(), |name| format!("by {name}"));
            let seconds = BLOCKED_LIMIT.as_secs();
            Failure::GaveUp(format!("the thread of the actors has been blocked for {seconds} s, {whose}"))
        }
        Verdict::StopOverdue => {
            let actors = metrics.vitals().status().actors;
            let left = actors.iter().filter(|actor| actor.state() != ActorState::Stopped);
            let left: Vec<_> = left.map(|actor| actor.name.as_str()).collect();
            let within = parsec_measure::written_duration(stop_within);
            Failure::Unfinished(format!("{within} have passed (--stop-timeout), still there: {}", left.join(", ")))
        }
    }
}

/// Ends the process at once, with a last line on stderr.
pub(crate) fn end_process(failure: &Failure) -> ! {
    error!("{failure}");
    logging::flush(logging::LAST_WORDS);
    std::process::exit(failure.exit_code().into())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn judge() -> Judge {
        Judge::new(STEP, MINUTE, Duration::from_secs(30))
    }

    /// After how many steps it ends the process, and with which message.
    fn verdict(judge: &mut Judge, steps: usize, took: Duration, stopping: bool) -> Option<(usize, Verdict)> {
        (1..=steps).find_map(|step| Some((step, judge.look(took, 7, stopping)?)))
    }

    #[test]
    fn a_thread_that_does_not_come_back_is_given_a_minute() {
        // The first step sees the ticks for the first time.
        assert_eq!(verdict(&mut judge(), 1_000, STEP, false), Some((61, Verdict::Blocked)));
    }

    #[test]
    fn a_stop_is_given_its_time_and_not_more() {
        assert_eq!(verdict(&mut judge(), 1_000, STEP, true), Some((30, Verdict::StopOverdue)));
    }

    #[test]
    fn time_that_nobody_had_does_not_count() {
        // Suspended again and again, an hour each time.
        assert_eq!(verdict(&mut judge(), 1_000, 60 * MINUTE, true), None);
    }

    proptest! {
        #[test]
        fn whoever_moves_once_in_a_minute_is_left_alone(gaps in proptest::collection::vec(1..=60usize, 1..50)) {
            let mut judge = judge();
            for (ticks, gap) in gaps.into_iter().enumerate() {
                for _ in 0..gap {
                    prop_assert_eq!(judge.look(STEP, ticks as u64 + 1, false), None);
                }
            }
        }
    }

    /// In real time, a hundred times as fast.
    #[test]
    fn the_thread_finds_an_arbiter_that_is_blocked_and_not_one_that_is_busy() {
        let (heard, hears) = mpsc::channel();
        let step = Duration::from_millis(10);
        actix::System::new().block_on(async move {
            let judge = Judge::new(step, 50 * step, MINUTE);
            let _watchdog = Watchdog::start(judge, move |verdict| heard.send(verdict).unwrap()).unwrap();
            let busy = Instant::now();
            while busy.elapsed() < 100 * step {
                thread::sleep(step);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(hears.try_recv().is_err());
            // Blocks the arbiter until the watchdog notices.
            assert_eq!(hears.recv_timeout(MINUTE), Ok(Verdict::Blocked));
        });
    }
}
