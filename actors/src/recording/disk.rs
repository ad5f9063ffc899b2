//! The spool as the recorder uses it: on threads that may block, one call at a time, each with a time limit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parsec_store::{SpoolError, SpoolState, Spooling};
use thiserror::Error;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, timeout_at};

/// How long a disk may take, and with it whoever waits for others to be done with it. A busy one answers within a second; a
/// network file system whose server is away never answers.
pub(super) const DISK_LIMIT: Duration = Duration::from_secs(5);

/// Why the disk did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum DiskError {
    /// It gave no answer.
    #[error("the spool's disk gave no answer within {} s", DISK_LIMIT.as_secs())]
    Hangs,
    /// It refused.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

type Shared = Arc<tokio::sync::Mutex<Box<dyn Spooling>>>;

/// A spool and its last known state.
pub(super) struct Disk {
    spool: Shared,
    state: Mutex<SpoolState>,
    /// Why it accepts no rows at the moment.
    trouble: Mutex<Option<DiskError>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("state", &self.state).field("trouble", &self.trouble).finish_non_exhaustive()
    }
}

impl Disk {
    pub(super) fn new(spool: Box<dyn Spooling>) -> Self {
        let state = Mutex::new(spool.state());
        Self { spool: Arc::new(tokio::sync::Mutex::new(spool)), state, trouble: Mutex::default() }
    }

    /// Works with the spool. After the time limit the work continues in its thread, so it must be safe to do twice.
    pub(super) async fn with<T, F>(&self, work: F) -> Result<T, DiskError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Spooling) -> Result<T, SpoolError> + Send + 'static,
    {
        let limit = Instant::now() + DISK_LIMIT;
        let spool = Arc::clone(&self.spool).lock_owned();
        let mut spool = timeout_at(limit, spool).await.map_err(|_| DiskError::Hangs)?;
        let working = spawn_blocking(move || {
            let result = work(&mut **spool);
            (result, spool.state())
        });
        let worked = timeout_at(limit, working).await.map_err(|_| DiskError::Hangs)?;
        let (result, state) =
            worked.map_err(JoinError::into_panic).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        *self.state.lock() = state;
        Ok(result?)
    }

    /// Its last known state.
    pub(super) fn state(&self) -> SpoolState {
        *self.state.lock()
    }

    pub(super) fn trouble(&self) -> Option<DiskError> {
        self.trouble.lock().clone()
    }

    /// Notes whether it accepts rows; true if that has changed.
    pub(super) fn note(&self, trouble: Option<DiskError>) -> bool {
        let mut known = self.trouble.lock();
        let news = known.is_some() != trouble.is_some();
        *known = trouble;
        news
    }
}
