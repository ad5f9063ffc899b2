//! When rounds are due: a fixed grid, so that a slow round delays nothing unseen.

use std::time::Duration;

/// The next round of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When it is due, on the clock that [`Schedule::next`] was asked with.
    pub at: Duration,
    /// How many rounds of the grid were missed since the last one.
    pub skipped: u32,
}

/// A grid of due times: `first`, `first + interval`, `first + 2·interval`, …
///
/// A round that takes longer than the interval does not overlap the next one. The rounds that fell
/// due meanwhile are left out and counted, and a machine that slept does not start them all at once.
#[derive(Debug, Clone)]
pub struct Schedule {
    next: Duration,
    interval: Duration,
}

impl Schedule {
    /// A grid that begins at `first`. An interval of zero is taken as one millisecond.
    pub fn new(first: Duration, interval: Duration) -> Self {
        Self { next: first, interval: interval.max(Duration::from_millis(1)) }
    }

    /// When the next round is due, on the clock of [`Schedule::next`].
    pub fn peek(&self) -> Duration {
        self.next
    }

    /// Takes the next round off the grid. A round may start up to one interval late; older ones are skipped.
    pub fn next(&mut self, now: Duration) -> Due {
        let late = now.saturating_sub(self.next);
        let missed = late.as_nanos() / self.interval.as_nanos();
        let skipped = u32::try_from(missed).unwrap_or(u32::MAX);
        let at = self.next + self.interval.saturating_mul(skipped);
        self.next = at + self.interval;
        Due { at, skipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn rounds_stand_on_the_grid_however_long_they_take() {
        let mut grid = Schedule::new(secs(0), secs(60));
        assert_eq!(grid.next(secs(0)), Due { at: secs(0), skipped: 0 });
        assert_eq!(grid.next(secs(20)), Due { at: secs(60), skipped: 0 });
        // A round ran from 60 to 150: the next one starts at once, late, as the round due at 120.
        assert_eq!(grid.next(secs(150)), Due { at: secs(120), skipped: 0 });
        assert_eq!(grid.next(secs(160)), Due { at: secs(180), skipped: 0 });
    }

    #[test]
    fn a_machine_that_slept_for_an_hour_plays_one_round_and_counts_the_rest() {
        let mut grid = Schedule::new(secs(0), secs(60));
        assert_eq!(grid.next(secs(3_601)), Due { at: secs(3_600), skipped: 60 });
        assert_eq!(grid.next(secs(3_602)), Due { at: secs(3_660), skipped: 0 });
    }

    proptest! {
        #[test]
        fn played_and_skipped_rounds_together_are_the_grid(steps in proptest::collection::vec(0..500u64, 1..50), interval in 1..100u64) {
            let mut grid = Schedule::new(secs(0), secs(interval));
            let (mut now, mut index) = (0, 0);
            for step in steps {
                now += step;
                let due = grid.next(secs(now));
                index += u64::from(due.skipped);
                prop_assert_eq!(due.at, secs(index * interval));
                prop_assert!(due.at + secs(interval) > secs(now));
                now = now.max(due.at.as_secs());
                index += 1;
            }
        }
    }
}
