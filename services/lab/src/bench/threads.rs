//! Pieces of work on several threads, each of which takes the next one when it has done with one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::plan::BenchError;

/// Does all of this work; returns what came of it in the order of the work. Once `stop` is set, no other piece begins. After an
/// error no other one begins either.
pub(super) fn in_threads<W: Sync, T: Send>(
    all: &[W],
    at_once: usize,
    stop: &AtomicBool,
    work: impl Fn(&W) -> Result<T, BenchError> + Sync,
) -> Result<Vec<T>, BenchError> {
    let (next, finished) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let working = || -> Result<(), BenchError> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = all.get(number).filter(|_| !stop.load(Ordering::Relaxed)) else { return Ok(()) };
            // What comes of the others after an error is shown to nobody.
            let done = work(piece).inspect_err(|_| {
                next.fetch_max(all.len(), Ordering::Relaxed);
            })?;
            finished.lock().map_err(|_| BenchError::Crashed)?.insert(number, done);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once.max(1)).map(|_| scope.spawn(working)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(BenchError::Crashed)));
        // All of them have ended before the first error is told.
        ended.collect::<Vec<Result<(), BenchError>>>().into_iter().collect::<Result<(), BenchError>>()
    })?;
    Ok(finished.into_inner().map_err(|_| BenchError::Crashed)?.into_values().collect())
}
