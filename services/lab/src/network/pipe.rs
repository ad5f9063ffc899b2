//! A byte stream within this process whose bytes take their time: what a connection of the memory transport consists
//! of, and what stands between a dialler and a TCP connection that is to seem longer than it is.
//!
//! Time is tokio's: on a paused clock, a byte arrives to the virtual millisecond.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures::future::poll_fn;
use futures::{AsyncRead, AsyncWrite};
use parking_lot::Mutex;
use tokio::time::{Duration, Instant, Sleep, sleep_until};

use super::latency::Link;
use super::turns::Turn;

/// How many bytes may be under way or unread in one direction, as the window of a TCP connection bounds them. Sixteen
/// times what a Kademlia answer takes.
pub(super) const CAPACITY: usize = 256 << 10;

/// One direction.
#[derive(Default)]
struct Way {
    under_way: VecDeque<Bytes>,
    /// How many bytes have been written and not yet read.
    unread: usize,
    /// The writer has closed: when the reader hears of it.
    end: Option<Instant>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Whoever wants to know that the reader has gone.
    bystander: Option<Waker>,
}

struct Bytes {
    due: Instant,
    bytes: Vec<u8>,
    read: usize,
}

impl Way {
    /// When there will be something to read: bytes, or the end.
    fn due(&self) -> Option<Instant> {
        self.under_way.front().map(|bytes| bytes.due).or(self.end)
    }

    /// Reads what has arrived.
    fn take(&mut self, out: &mut [u8]) -> usize {
        let (now, mut filled) = (Instant::now(), 0);
        while let Some(front) = self.under_way.front_mut().filter(|front| front.due <= now && filled < out.len()) {
            let count = (front.bytes.len() - front.read).min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&front.bytes[front.read..front.read + count]);
            front.read += count;
            filled += count;
            if front.read == front.bytes.len() {
                self.under_way.pop_front();
            }
        }
        self.unread -= filled;
        filled
    }

    fn close(&mut self, delay: Duration) {
        self.end.get_or_insert_with(|| Instant::now() + delay);
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn abandon(&mut self) {
        self.reader_gone = true;
        self.under_way.clear();
        self.writer.take().into_iter().for_each(Waker::wake);
        self.bystander.take().into_iter().for_each(Waker::wake);
    }
}

/// One end of a connection. Dropping it closes the connection: the other end reads what is under way, then the end.
pub(super) struct End {
    incoming: Arc<Mutex<Way>>,
    outgoing: Arc<Mutex<Way>>,
    /// How long what is written here is under way.
    delay: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Where to wait when something has arrived, if there is an order.
    turn: Option<Turn>,
    /// When it was this end's turn last: all that had arrived by then may be read.
    admitted: Option<Instant>,
}

/// A connection that somebody has opened, and the port he calls from.
pub(super) struct Caller {
    pub(super) connection: End,
    pub(super) port: u64,
}

/// Both ends of a new connection, the dialler's first.
pub(super) fn pair(link: Link) -> (End, End) {
    pair_in_turns(link, [None, None])
}

/// The same, each end with its place among all that something arrives for.
pub(super) fn pair_in_turns(link: Link, [near, far]: [Option<Turn>; 2]) -> (End, End) {
    let (there, back) = (Arc::<Mutex<Way>>::default(), Arc::<Mutex<Way>>::default());
    let end = |incoming: &Arc<Mutex<Way>>, outgoing: &Arc<Mutex<Way>>, delay, turn| {
        let (incoming, outgoing) = (Arc::clone(incoming), Arc::clone(outgoing));
        End { incoming, outgoing, delay, timer: None, turn, admitted: None }
    };
    (end(&back, &there, link.there, near), end(&there, &back, link.back, far))
}

impl End {
    /// Ready when it is this end's turn to read what has arrived by now.
    fn poll_turn(&mut self, now: Instant, context: &Context<'_>) -> Poll<()> {
        if let Some(turn) = self.turn.as_ref().filter(|_| self.admitted != Some(now)) {
            ready!(turn.poll(context));
            self.admitted = Some(now);
        }
        Poll::Ready(())
    }

    /// Returns when the other end has been dropped.
    pub(super) fn abandoned(&self) -> impl Future<Output = ()> + use<> {
        let outgoing = Arc::clone(&self.outgoing);
        poll_fn(move |context| {
            let mut way = outgoing.lock();
            if way.reader_gone {
                return Poll::Ready(());
            }
            way.bystander = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let end = self.get_mut();
        loop {
            let due = {
                let mut way = end.incoming.lock();
                match way.due() {
                    None => {
                        way.reader = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                    Some(due) => due,
                }
            };
            let now = Instant::now();
            if due <= now {
                ready!(end.poll_turn(now, context));
                let mut way = end.incoming.lock();
                let count = way.take(out);
                way.writer.take().into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(count));
            }
            let timer = end.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(context));
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut way = self.outgoing.lock();
        if way.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // Lost, as on a real network: that nobody reads any more is learned from the other direction, which takes its time.
        if way.reader_gone {
            return Poll::Ready(Ok(bytes.len()));
        }
        let count = bytes.len().min(CAPACITY - way.unread);
        if count == 0 && !bytes.is_empty() {
            way.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let due = Instant::now() + self.delay;
        way.under_way.push_back(Bytes { due, bytes: bytes[..count].to_vec(), read: 0 });
        way.unread += count;
        way.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.lock().close(self.delay);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.lock().close(self.delay);
        self.incoming.lock().abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};

    const ROUND_TRIP: Duration = Duration::from_millis(101);

    fn connection() -> (End, End) {
        pair(Link::of(ROUND_TRIP))
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_and_its_answer_take_one_round_trip_exactly() {
        let (mut near, mut far) = connection();
        let started = Instant::now();
        near.write_all(b"ask").await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO, "writing does not wait");
        let mut heard = [0; 3];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!((&heard, started.elapsed()), (b"ask", Duration::from_millis(51)));
        far.write_all(b"say").await.unwrap();
        near.read_exact(&mut heard).await.unwrap();
        assert_eq!((&heard, started.elapsed()), (b"say", ROUND_TRIP));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_under_way_travel_side_by_side_and_in_order() {
        let (mut near, mut far) = connection();
        let started = Instant::now();
        for byte in 0..10 {
            near.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        near.close().await.unwrap();
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, (0..10).collect::<Vec<u8>>());
        assert_eq!(started.elapsed(), Duration::from_millis(10 + 51), "the last and the end, not ten times the delay");
    }

    #[tokio::test(start_paused = true)]
    async fn without_delay_nothing_sleeps() {
        let (mut near, mut far) = pair(Link::of(Duration::ZERO));
        near.write_all(b"now").now_or_never().unwrap().unwrap();
        let mut heard = [0; 3];
        far.read_exact(&mut heard).now_or_never().unwrap().unwrap();
        assert!(far.timer.is_none());
        drop(near);
        assert_eq!(far.read(&mut heard).now_or_never().unwrap().unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_whose_reader_is_slow_has_to_wait() {
        let (mut near, mut far) = connection();
        let written = near.write(&vec![7; 2 * CAPACITY]).await.unwrap();
        assert_eq!(written, CAPACITY);
        assert!(near.write(&[8]).now_or_never().is_none(), "full");
        let writing = tokio::spawn(async move { near.write(&[8]).await });
        far.read_exact(&mut vec![0; CAPACITY]).await.unwrap();
        assert_eq!(writing.await.unwrap().unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_before_the_end_was_dropped_still_arrives_and_then_the_end() {
        let (mut near, mut far) = connection();
        near.write_all(b"bye").await.unwrap();
        let abandoned = far.abandoned();
        drop(near);
        abandoned.await;
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"bye");
        far.write_all(&vec![0; 2 * CAPACITY]).await.unwrap();
        assert_eq!(far.outgoing.lock().under_way.len(), 0, "nothing is kept for nobody");
    }
}
