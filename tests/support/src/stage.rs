//! Where a test plays: its deadline, its processes, and what they said.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::transcript::Transcript;

/// How long one test may take, all in all: several times what the slowest takes on a machine that compiles something
/// else at the same time, so that it is reached only when something hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// How often [`Stage::eventually`] looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// What the processes of one test share.
#[derive(Debug, Clone)]
pub struct Stage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: Duration,
    deadline: Instant,
    transcripts: Mutex<Vec<Arc<Transcript>>>,
}

impl Stage {
    /// The beginning of a test: its time runs from here.
    pub fn begin() -> Self {
        Self::lasting(LIMIT)
    }

    /// The beginning of a test that is longer than others.
    pub fn lasting(limit: Duration) -> Self {
        Self(Arc::new(Inner { limit, deadline: Instant::now() + limit, transcripts: Mutex::default() }))
    }

    /// Keeps what a process says, to be shown if the test fails.
    pub fn keep(&self, transcript: Arc<Transcript>) {
        self.0.transcripts.lock().unwrap_or_else(PoisonError::into_inner).push(transcript);
    }

    /// Looks again and again, until there is something.
    pub async fn eventually<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                sleep(PAUSE).await;
            }
        };
        self.in_time(what, looking).await
    }

    /// Waits for something that comes by itself.
    pub async fn in_time<T>(&self, what: &str, waiting: impl Future<Output = T>) -> T {
        let waited = timeout_at(self.0.deadline, waiting).await;
        waited.unwrap_or_else(|_| {
            panic!("within the {} s of the test, this has not come: {what}", self.0.limit.as_secs())
        })
    }
}

impl Drop for Inner {
    #[expect(clippy::print_stderr, reason = "libtest shows it with the failure that it explains")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for transcript in self.transcripts.get_mut().unwrap_or_else(PoisonError::into_inner) {
                eprintln!("{transcript}");
            }
        }
    }
}
