//! A database that cannot be reached yet, and is waited for.

use std::time::Duration;

use parsec_measure::written_duration;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::{StoreConfig, StoreError};

/// The shortest and the longest pause between two tries; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Opens a database as `open` does, and for up to `wait` tries again while it cannot be reached: without end with [`Duration::MAX`].
///
/// # Errors
/// As for `open`; [`StoreError::Unavailable`] then says how long it was waited for.
pub async fn wait_for<T, F>(target: &StoreConfig, wait: Duration, open: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let (started, mut pause) = (Instant::now(), RETRY.0);
    loop {
        let reason = match open().await {
            Err(StoreError::Unavailable(reason)) => reason,
            opened => return opened,
        };
        let left = wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            let waited =
                if wait.is_zero() { String::new() } else { format!(", waited for {}", written_duration(wait)) };
            return Err(StoreError::Unavailable(format!("{reason}{waited}")));
        }
        let giving_up_in_seconds = (wait < Duration::MAX).then_some(left.as_secs());
        let error = StoreError::Unavailable(reason);
        warn!(database = %target, %error, giving_up_in_seconds, "the database cannot be reached yet; trying again");
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Waits for a database that is away so many times, and says after how long that ended.
    async fn waited(wait: Duration, away: u32) -> (Result<u32, StoreError>, Duration) {
        let (began, asked) = (Instant::now(), Cell::new(0));
        let open = || {
            asked.set(asked.get() + 1);
            let is_away = asked.get() <= away;
            async move { if is_away { Err(StoreError::Unavailable("starting".to_owned())) } else { Ok(7) } }
        };
        let opened = wait_for(&"sqlite:x.db".parse().unwrap(), wait, open).await;
        (opened, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_waited_for_as_long_as_was_asked() {
        let minute = Duration::from_secs(60);
        let away = |said: &str| Err(StoreError::Unavailable(said.to_owned()));
        assert_eq!(waited(minute, 0).await, (Ok(7), Duration::ZERO));
        assert_eq!(waited(minute, 3).await.0, Ok(7));
        assert_eq!(waited(Duration::MAX, 1_000).await.0, Ok(7));
        let (given_up, after) = waited(minute, u32::MAX).await;
        assert_eq!(given_up, away("starting, waited for 1m"));
        assert!(after >= minute && after < minute + RETRY.0, "{after:?}");
        assert_eq!(waited(Duration::ZERO, 1).await, (away("starting"), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_go_away_is_not_waited_for() {
        let (began, no) = (Instant::now(), || StoreError::Refused("no".to_owned()));
        let target = "sqlite:x.db".parse().unwrap();
        let refused = wait_for(&target, Duration::MAX, || std::future::ready(Err::<(), _>(no()))).await;
        assert_eq!((refused, began.elapsed()), (Err(no()), Duration::ZERO));
    }
}
