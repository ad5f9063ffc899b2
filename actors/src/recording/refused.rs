//! Rows that the database refuses, on their way into the file where a person finds them.

use std::path::Path;
use std::sync::Arc;
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
    waiting: Arc<Mutex<Vec<Refused>>>,
}

impl RefusedRows {
    pub(super) fn into_file(file: SetAside) -> Self {
        Self { file: Some(Arc::new(file)), waiting: Arc::default() }
    }

    /// Where they go.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_deref().map(SetAside::path)
    }

    /// How many have not got there yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().len()
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
        let waiting = Arc::clone(&self.waiting);
        let keeping = spawn_blocking(move || keep_all(&file, &waiting));
        // If it hangs, or panics, the rows are in the hands of the thread or still wait.
        let lost = match timeout(DISK_LIMIT, keeping).await {
            Ok(Ok(lost)) => lost,
            Ok(Err(_)) | Err(_) => 0,
        };
        lost + too_many
    }
}

/// Puts what waits into the file. Returns how many are lost because the file may take no more.
fn keep_all(file: &SetAside, waiting: &Mutex<Vec<Refused>>) -> usize {
    let rows = std::mem::take(&mut *waiting.lock());
    let Err(error) = file.keep(&rows) else { return 0 };
    if matches!(error, SpoolError::Full { .. }) {
        error!(%error, rows = rows.len(), "no room for rows that the database refuses; they are lost");
        return rows.len();
    }
    error!(%error, rows = rows.len(), "rows that the database refuses cannot be set aside yet; they wait in memory");
    waiting.lock().splice(0..0, rows);
    0
}
