//! Rows that the database refuses, on their way into the file where a person finds them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use parsec_store::{Refused, SetAside, SpoolError};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::error;

/// How long the disk may take. It goes on in its thread after that.
const DISK_LIMIT: Duration = Duration::from_secs(5);

/// How many refused rows may wait in memory while the disk takes none of them.
const MAX_WAITING: usize = 5_000;

/// The file, and what it has not taken yet. Without a file, refused rows are lost.
#[derive(Debug, Default)]
pub(super) struct RefusedRows {
    file: Option<Arc<SetAside>>,
    /// A row leaves only once it is in the file, or is lost.
    waiting: Arc<Mutex<Vec<Refused>>>,
    /// Held by the thread that writes. While a disk hangs, no second thread follows the first.
    writer: Arc<tokio::sync::Mutex<()>>,
    /// How many were found to be lost after whoever had asked gave up.
    lost_late: Arc<AtomicUsize>,
}

impl RefusedRows {
    pub(super) fn into_file(file: SetAside) -> Self {
        Self { file: Some(Arc::new(file)), ..Self::default() }
    }

    /// Where they go.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_deref().map(SetAside::path)
    }

    /// How many have not got there yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// How many have been found to be lost since the last call, later than [`keep`](Self::keep) could tell.
    pub(super) fn lost_late(&self) -> usize {
        self.lost_late.swap(0, Ordering::Relaxed)
    }

    /// Puts these rows, and those that wait, into the file. Returns how many are lost.
    pub(super) async fn keep(&self, refused: Vec<Refused>) -> usize {
        let Some(file) = self.file.clone() else { return refused.len() };
        let too_many = {
            let mut waiting = self.waiting.lock();
            let room = MAX_WAITING.saturating_sub(waiting.len());
            let too_many = refused.len().saturating_sub(room);
            waiting.extend(refused.into_iter().take(room));
            too_many
        };
        // The next call takes what the writer leaves.
        let Ok(turn) = Arc::clone(&self.writer).try_lock_owned() else { return too_many };
        let waiting = Arc::clone(&self.waiting);
        let mut keeping = spawn_blocking(move || {
            let _turn = turn;
            keep_all(&file, &waiting)
        });
        // If it hangs, or panics, the rows still wait.
        let lost = match timeout(DISK_LIMIT, &mut keeping).await {
            Ok(kept) => kept.unwrap_or(0),
            Err(_) => {
                let lost_late = Arc::clone(&self.lost_late);
                tokio::spawn(async move { lost_late.fetch_add(keeping.await.unwrap_or(0), Ordering::Relaxed) });
                0
            }
        };
        lost + too_many
    }
}

/// Puts what waits into the file. Returns how many are lost because the file may take no more.
fn keep_all(file: &SetAside, waiting: &Mutex<Vec<Refused>>) -> usize {
    let rows = waiting.lock().clone();
    let lost = match file.keep(&rows) {
        Ok(()) => 0,
        Err(error @ SpoolError::Full { .. }) => {
            error!(%error, rows = rows.len(), "no room for rows that the database refuses; they are lost");
            rows.len()
        }
        Err(error) => {
            error!(%error, rows = rows.len(), "rows that the database refuses cannot be set aside yet; they wait in memory");
            return 0;
        }
    };
    // Others have only been added behind them.
    waiting.lock().drain(..rows.len());
    lost
}
