//! What time it is, for everything that is recorded: the host's time, unless a whole process plays on a clock of its own.
//!
//! A simulated week must not be recorded as the minute in which it was played. Whoever notes when something happened asks [`now`], so that one
//! process has one time; [`simulate`] sets it, once, before anything is recorded.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::{NoContext, Timestamp, Uuid};

/// A clock of one's own.
type Clock = Box<dyn Fn() -> DateTime<Utc> + Send + Sync>;

static SIMULATED: OnceLock<Clock> = OnceLock::new();

/// There can be only one clock in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this process plays on a simulated clock already")]
pub struct HasClock;

/// What time it is.
pub fn now() -> DateTime<Utc> {
    simulated().unwrap_or_else(Utc::now)
}

/// What time it is on the simulated clock, if this process plays on one.
pub fn simulated() -> Option<DateTime<Utc>> {
    SIMULATED.get().map(|clock| clock())
}

/// Plays on `clock` from now on, in the whole process and on all its threads.
///
/// # Errors
/// [`HasClock`] if it does so already.
pub fn simulate(clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Result<(), HasClock> {
    SIMULATED.set(Box::new(clock)).map_err(|_| HasClock)
}

/// A new identity, ordered by time (UUIDv7).
pub fn fresh_id() -> Uuid {
    simulated().map_or_else(Uuid::now_v7, id_of)
}

/// One of that time. Those of the same millisecond are in any order.
fn id_of(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn without_a_clock_of_its_own_a_process_has_the_time_of_the_host() {
        let (before, now) = (Utc::now(), now());
        assert!(before <= now && now <= Utc::now());
        assert_eq!(simulated(), None);
    }

    #[test]
    fn identities_are_in_the_order_of_their_times() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let ids = [0, 1, 60_000].map(|millis| id_of(at + TimeDelta::milliseconds(millis)));
        assert!(ids.is_sorted());
        assert_eq!(ids.map(|id| id.get_version_num()), [7; 3]);
        assert_ne!(id_of(at), id_of(at));
    }
}
