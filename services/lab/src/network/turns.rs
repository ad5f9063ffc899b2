//! Who is first when several arrive in the same millisecond of a virtual clock.
//!
//! A paused clock goes on when nobody has anything to do, and then everything that is due in that millisecond is there at
//! once. Which task runs first would depend on how hash maps are seeded and on what libp2p does meanwhile on the real clock,
//! and with it whom a lookup asks next. Here one arrival follows the other: the next is let in when everybody has done what
//! there was to do about the one before. The order is that in which the connections were dialled.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// The turns of everybody on one runtime. Made before the runtime, which calls [`next`](Self::next) whenever it is idle:
/// `Builder::new_current_thread().on_thread_park(move || turns.next())`.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<Seat, Waker>,
    admitted: BTreeSet<Seat>,
    /// Whether one more may come in.
    open: bool,
    doorkeeper: Option<Waker>,
}

/// Where somebody waits: the port that a connection is dialled from, and which of those that use it.
pub(super) type Seat = (u64, Waits);

/// Who waits for something on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waits {
    /// For it to stand.
    Dial,
    /// The dialler, for bytes.
    Near,
    /// The listener, for bytes.
    Far,
}

impl Turns {
    /// The runtime has nothing to do: whoever waits is next.
    pub fn next(&self) {
        let mut queue = self.0.lock();
        if !queue.waiting.is_empty() {
            queue.open = true;
            // A task that certainly lives: were it one that is waiting, and gone, the clock would go on before the others.
            queue.doorkeeper.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// Lets in one after the other, for ever.
    pub(super) async fn keep(self) {
        poll_fn(|context| {
            // Whatever waking somebody leads to, it finds the lock free.
            if let Some(waker) = self.admit(context.waker()) {
                waker.wake();
            }
            Poll::<()>::Pending
        })
        .await;
    }

    fn admit(&self, doorkeeper: &Waker) -> Option<Waker> {
        let mut queue = self.0.lock();
        queue.doorkeeper = Some(doorkeeper.clone());
        if !std::mem::take(&mut queue.open) {
            return None;
        }
        let (seat, waker) = queue.waiting.pop_first()?;
        queue.admitted.insert(seat);
        Some(waker)
    }

    /// A place to wait at.
    pub(super) fn seat(&self, seat: Seat) -> Turn {
        Turn { turns: self.clone(), seat }
    }
}

/// The place of one who waits for arrivals. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    seat: Seat,
}

impl Turn {
    /// Ready when it is this one's turn, each time anew.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut queue = self.turns.0.lock();
        if queue.admitted.remove(&self.seat) {
            return Poll::Ready(());
        }
        let before = queue.waiting.insert(self.seat, context.waker().clone());
        drop(queue);
        drop(before);
        Poll::Pending
    }

    /// Waits for the next turn.
    pub(super) async fn comes(&self) {
        poll_fn(|context| self.poll(context)).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.turns.0.lock();
        let waker = queue.waiting.remove(&self.seat);
        queue.admitted.remove(&self.seat);
        drop(queue);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    /// Runs on a clock that jumps, with turns.
    fn run<T>(work: impl AsyncFnOnce(Turns) -> T) -> T {
        let turns = Turns::default();
        let idle = turns.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .on_thread_park(move || idle.next())
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::spawn(turns.clone().keep());
            work(turns).await
        })
    }

    #[test]
    fn those_who_arrive_in_the_same_moment_come_in_one_after_the_other_and_no_time_passes() {
        for order in [[3, 1, 2], [2, 3, 1], [1, 2, 3]] {
            let came = run(async |turns| {
                let came = Arc::new(Mutex::new(Vec::new()));
                let mut tasks = JoinSet::new();
                let started = Instant::now();
                for port in order {
                    let (turn, came) = (turns.seat((port, Waits::Near)), Arc::clone(&came));
                    tasks.spawn(async move {
                        sleep(Duration::from_millis(5)).await;
                        turn.comes().await;
                        came.lock().push((port, "in"));
                        // What follows of it, through as many tasks as there may be.
                        for _ in 0..50 {
                            tokio::task::yield_now().await;
                        }
                        came.lock().push((port, "done"));
                    });
                }
                tasks.join_all().await;
                assert_eq!(started.elapsed(), Duration::from_millis(5));
                Arc::into_inner(came).unwrap().into_inner()
            });
            let each = |port| [(port, "in"), (port, "done")];
            assert_eq!(came, [each(1), each(2), each(3)].concat(), "spawned as {order:?}");
        }
    }

    #[test]
    fn whoever_gives_up_holds_nobody_up() {
        run(async |turns| {
            let [first, second] = [1, 2].map(|port| turns.seat((port, Waits::Dial)));
            let waiting = tokio::spawn(async move { first.comes().await });
            tokio::task::yield_now().await;
            waiting.abort();
            let started = Instant::now();
            second.comes().await;
            second.comes().await;
            assert_eq!(started.elapsed(), Duration::ZERO);
        });
    }
}
