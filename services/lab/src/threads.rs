//! Pieces of work that stand each for themselves, on any number of threads: the outcome does not depend on how many.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A thread panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Does the pieces from 0 to `all`, of which each of so many threads takes `chunk` at a time, and returns what came of each, in their order. Once
/// `stop` is set, no other one begins, and what there is by then is returned. After an error no other one begins either, and all of them have ended
/// before the first is told.
///
/// # Errors
/// That of a piece, or [`Panicked`].
pub(crate) fn each<T: Send, E: Send + From<Panicked>>(
    all: usize,
    (threads, chunk): (usize, usize),
    stop: &AtomicBool,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<(usize, T)>, E> {
    let next = AtomicUsize::new(0);
    let some = || -> Result<Vec<(usize, T)>, E> {
        let mut own = Vec::new();
        loop {
            let from = next.fetch_add(chunk, Ordering::Relaxed);
            for place in from..all.min(from.saturating_add(chunk)) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(own);
                }
                // What comes of the others after an error is shown to nobody.
                let done = work(place).inspect_err(|_| {
                    next.fetch_max(all, Ordering::Relaxed);
                })?;
                own.push((place, done));
            }
            if from >= all {
                return Ok(own);
            }
        }
    };
    let parts = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(some)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(Panicked.into())));
        ended.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, _>>()
    })?;
    let mut done: Vec<(usize, T)> = parts.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Failed {
        Piece(usize),
        Crashed,
    }

    impl From<Panicked> for Failed {
        fn from(Panicked: Panicked) -> Self {
            Self::Crashed
        }
    }

    #[test]
    fn every_piece_is_done_once_and_comes_in_its_place_on_any_number_of_threads() {
        for (threads, chunk) in [(0, 1), (1, 16), (3, 1), (4, 16), (200, 7)] {
            let done = each(100, (threads, chunk), &AtomicBool::new(false), |place| Ok::<_, Failed>(2 * place));
            assert_eq!(done.unwrap(), (0..100).map(|place| (place, 2 * place)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_piece_begins_after_a_stop_or_an_error_and_a_panic_is_one() {
        let (stop, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
        let stopped = each(100, (1, 16), &stop, |place| {
            stop.store(place == 9, Ordering::Relaxed);
            Ok::<_, Failed>(())
        });
        assert_eq!(stopped.unwrap().len(), 10);
        let failed = each(100, (1, 1), &AtomicBool::new(false), |place| {
            begun.fetch_add(1, Ordering::Relaxed);
            if place == 3 { Err(Failed::Piece(place)) } else { Ok(()) }
        });
        assert_eq!((failed, begun.into_inner()), (Err(Failed::Piece(3)), 4));
        let crashed = each(2, (1, 1), &AtomicBool::new(false), |_| -> Result<(), Failed> { panic!("on purpose") });
        assert_eq!(crashed, Err(Failed::Crashed));
    }
}
