//! Work that stands each for itself, on any number of threads: the outcome does not depend on how many.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use thiserror::Error;

/// How many pieces a thread takes at a time.
const CHUNK: usize = 16;

/// A trial that did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TrialError {
    /// A thread panicked.
    #[error("the simulation crashed")]
    Crashed,
}

/// Does the pieces from 0 to `all`, and returns what came of each, in their order. Once `stop` is set, no other one begins, and what there is by
/// then is returned.
///
/// # Errors
/// [`TrialError`] if one crashes.
pub(super) fn each<T: Send>(
    all: usize,
    threads: usize,
    stop: &AtomicBool,
    work: impl Fn(usize) -> T + Sync,
) -> Result<Vec<(usize, T)>, TrialError> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut own: Vec<(usize, T)> = Vec::new();
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            for place in from..all.min(from.saturating_add(CHUNK)) {
                if stop.load(Ordering::Relaxed) {
                    return own;
                }
                own.push((place, work(place)));
            }
            if from >= all {
                return own;
            }
        }
    };
    let parts = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(some)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| TrialError::Crashed));
        ended.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, _>>()
    })?;
    let mut done: Vec<(usize, T)> = parts.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done)
}
