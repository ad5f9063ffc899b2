//! The time that rows are stamped with.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Asks the wall clock once, and goes on by the monotonic one: whatever happens to the wall clock later, a row that was
/// pushed by this process is as old as the time that it has waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: u64,
    since: Instant,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self::at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// A clock that shows these seconds since 1970.
    pub(super) fn at(began: u64) -> Self {
        Self { began, since: Instant::now() }
    }

    pub(super) fn seconds(&self) -> u64 {
        self.began.saturating_add(self.since.elapsed().as_secs())
    }

    /// When something was pushed, if it says so truthfully: nothing that was found comes from later than the finding.
    pub(super) fn clamped(&self, seconds: u64) -> u64 {
        seconds.min(self.began)
    }

    pub(super) fn age(&self, seconds: u64) -> Duration {
        Duration::from_secs(self.seconds().saturating_sub(seconds))
    }
}
