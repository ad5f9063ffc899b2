//! When a crashed actor is restarted, and when its supervisor gives up on it.

use std::collections::VecDeque;
use std::time::Duration;

/// How often and how fast something that crashed is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// The pause before the first restart in a row.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// How many crashes within `window` are tolerated; after one more, the actor stays down.
    pub max_restarts: usize,
    /// See `max_restarts`. Without a crash for this long, the pauses start small again.
    pub window: Duration,
}

impl Default for RestartPolicy {
    /// Restarts at once after a single crash, and gives up after a minute of constant crashing: then a fresh process,
    /// started by the orchestrator, is the better cure.
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            max_restarts: 10,
            window: Duration::from_secs(60),
        }
    }
}

/// What to do about a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartDecision {
    /// Start again after this pause.
    After(Duration),
    /// Leave it down: this many crashes came within the policy's window.
    GiveUp {
        /// Crashes within the window, this one included.
        crashes: usize,
    },
}

/// The crashes of one child, and the decisions they lead to.
#[derive(Debug, Clone)]
pub(super) struct RestartHistory {
    policy: RestartPolicy,
    /// Times of the crashes within the window, oldest first; never more than `max_restarts`.
    recent: VecDeque<Duration>,
    in_a_row: u32,
}

impl RestartHistory {
    /// No crash so far.
    pub(super) fn new(policy: RestartPolicy) -> Self {
        Self { policy, recent: VecDeque::new(), in_a_row: 0 }
    }

    /// Decides what to do about a crash at `now` (on any monotonic clock, with any origin).
    /// The pause doubles with each crash in a row, up to the cap, and is shortened by up to half of itself, depending
    /// on `jitter` (0 to 1), so that children that crashed together are not all restarted together.
    pub(super) fn crashed(&mut self, now: Duration, jitter: f64) -> RestartDecision {
        let RestartPolicy { backoff_min, backoff_max, max_restarts, window } = self.policy;
        if self.recent.back().is_some_and(|last| now.saturating_sub(*last) > window) {
            self.in_a_row = 0;
        }
        while self.recent.front().is_some_and(|first| now.saturating_sub(*first) > window) {
            self.recent.pop_front();
        }
        if self.recent.len() >= max_restarts {
            return RestartDecision::GiveUp { crashes: self.recent.len() + 1 };
        }
        self.recent.push_back(now);
        // 2^20 times the smallest useful pause is longer than any cap: the shift cannot overflow.
        let doubled = backoff_min.saturating_mul(1 << self.in_a_row.min(20));
        self.in_a_row = self.in_a_row.saturating_add(1);
        RestartDecision::After(doubled.min(backoff_max).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: RestartPolicy = RestartPolicy {
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_millis(500),
        max_restarts: 5,
        window: Duration::from_secs(10),
    };

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_then_it_is_over() {
        let mut history = RestartHistory::new(POLICY);
        let pauses: Vec<_> = (0..6).map(|i| history.crashed(secs(f64::from(i)), 0.0)).collect();
        let after = |ms| RestartDecision::After(Duration::from_millis(ms));
        assert_eq!(
            pauses,
            [after(100), after(200), after(400), after(500), after(500), RestartDecision::GiveUp { crashes: 6 }]
        );
    }

    #[test]
    fn a_crash_now_and_then_is_put_up_with_for_ever() {
        let mut history = RestartHistory::new(POLICY);
        for i in 0..1_000 {
            let decision = history.crashed(secs(11.0 * f64::from(i)), 0.0);
            assert_eq!(decision, RestartDecision::After(POLICY.backoff_min));
        }
    }

    proptest! {
        #[test]
        fn never_more_restarts_in_a_window_than_allowed(gaps in proptest::collection::vec(0.0..6.0f64, 1..60), jitter in 0.0..1.0f64) {
            let mut history = RestartHistory::new(POLICY);
            let mut now = 0.0;
            let mut restarts = Vec::new();
            for gap in gaps {
                now += gap;
                match history.crashed(secs(now), jitter) {
                    RestartDecision::After(pause) => {
                        prop_assert!(pause >= POLICY.backoff_min / 2 && pause <= POLICY.backoff_max);
                        restarts.push(now);
                    }
                    RestartDecision::GiveUp { .. } => break,
                }
            }
            for (i, first) in restarts.iter().enumerate() {
                let within = restarts[i..].iter().filter(|t| *t - first <= 9.999).count();
                prop_assert!(within <= POLICY.max_restarts);
            }
        }
    }
}
