//! What happens to a network that servers take part in, and when.

use std::time::Duration;

use tokio::time::Instant;

use super::scenario::Scenario;

/// A scenario that begins so long after its network. It takes its own time; what it has done by its end stays.
#[derive(Debug, Clone)]
pub struct Happening {
    /// What happens.
    pub scenario: Scenario,
    /// How long nothing happens before.
    pub after: Duration,
}

/// The clock of a network: it stands still before anything happens and when everything has happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct NetworkClock {
    began: Instant,
    after: Duration,
    length: Duration,
}

impl NetworkClock {
    /// That of a network which is drawn now.
    pub(super) fn start(happens: Option<&Happening>) -> Self {
        let none = (Duration::ZERO, Duration::ZERO);
        let (after, length) = happens.map_or(none, |happens| (happens.after, happens.scenario.length));
        Self { began: Instant::now(), after, length }
    }

    /// How long the network has been there, whether anything happens or not.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.after).min(self.length)
    }
}
