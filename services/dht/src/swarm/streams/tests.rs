//! Streams of others on a paused clock.

use std::collections::VecDeque;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::poll_fn;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use proptest::prelude::*;
use tokio::time::advance;

use super::*;

/// A stream whose other end sends what the test says, and reads if the test says so.
struct Line {
    heard: UnboundedReceiver<u8>,
    reads: bool,
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(match ready!(self.heard.poll_next_unpin(context)) {
            Some(byte) => {
                buffer[0] = byte;
                1
            }
            None => 0,
        }))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.reads { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection on which these streams are opened from the other side.
struct Lines(VecDeque<Line>);

impl StreamMuxer for Lines {
    type Substream = Line;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Line>> {
        self.0.pop_front().map_or(Poll::Pending, |line| Poll::Ready(Ok(line)))
    }

    fn poll_outbound(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<Line>> {
        self.poll_inbound(context)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

fn line(reads: bool) -> (UnboundedSender<u8>, Line) {
    let (says, heard) = unbounded();
    (says, Line { heard, reads })
}

async fn visit(reads: bool) -> (UnboundedSender<u8>, WatchedStream) {
    let (says, line) = line(reads);
    let mut muxer = Watched::new(StreamMuxerBox::new(Lines([line].into())), Visitors::at_most(1));
    (says, poll_fn(|context| Pin::new(&mut muxer).poll_inbound(context)).await.unwrap())
}

/// How long a stream lives whose other end sends `byte` every ten seconds, for at most ten minutes.
async fn life(byte: u8) -> Duration {
    let (says, mut stream) = visit(true).await;
    let (started, limit) = (Instant::now(), Duration::from_secs(600));
    let talking = async {
        loop {
            let _ = says.unbounded_send(byte);
            sleep(Duration::from_secs(10)).await;
        }
    };
    let reading = async {
        let mut byte = [0];
        while started.elapsed() < limit {
            if let Err(error) = stream.read_exact(&mut byte).await {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                return;
            }
        }
    };
    tokio::select! {
        () = talking => unreachable!("talks for ever"),
        () = reading => started.elapsed(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_a_byte_at_a_time_is_given_up_on_after_a_minute_and_whole_ones_are_not() {
    // A length of 127, and then a byte of the message every ten seconds.
    assert_eq!(life(127).await, PATIENCE);
    // A length that never ends.
    assert_eq!(life(0x80).await, PATIENCE);
    // Lengths and messages of one byte each.
    assert_eq!(life(1).await, Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_or_reads_nothing_is_given_up_on_after_a_minute() {
    let started = Instant::now();
    let (_says, mut stream) = visit(true).await;
    assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.elapsed(), PATIENCE);
    let (_says, mut stream) = visit(false).await;
    assert_eq!(stream.write(b"an answer").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.elapsed(), PATIENCE * 2);
}

#[tokio::test(start_paused = true)]
async fn what_we_write_gives_another_minute_and_our_own_streams_have_no_limit_here() {
    let (_says, mut stream) = visit(true).await;
    for _ in 0..5 {
        advance(PATIENCE - Duration::from_secs(1)).await;
        stream.write_all(b"pong").await.unwrap();
    }
    let (_own, line) = line(true);
    let mut muxer = Watched::new(StreamMuxerBox::new(Lines([line].into())), Visitors::at_most(0));
    let mut own = poll_fn(|context| Pin::new(&mut muxer).poll_outbound(context)).await.unwrap();
    assert!(tokio::time::timeout(PATIENCE * 10, own.read(&mut [0])).await.is_err(), "still waiting");
}

#[tokio::test]
async fn one_stream_too_many_is_dropped_and_a_place_is_free_again_when_its_stream_ends() {
    let (ends, lines): (Vec<_>, VecDeque<_>) = (0..4).map(|_| line(true)).unzip();
    let mut muxer = Watched::new(StreamMuxerBox::new(Lines(lines)), Visitors::at_most(2));
    let mut next = async || poll_fn(|context| Poll::Ready(Pin::new(&mut muxer).poll_inbound(context))).await;
    let (first, second) = (next().await, next().await);
    assert!(first.is_ready() && second.is_ready());
    assert!(next().await.is_pending() && ends[2].is_closed(), "the third is dropped");
    drop(first);
    let fourth = next().await;
    assert!(fourth.is_ready() && !ends[3].is_closed(), "the fourth has the place of the first");
}

proptest! {
    #[test]
    fn a_message_ends_where_its_length_says_however_it_is_cut(lengths in prop::collection::vec(0..300usize, 1..20), cut in 1..50usize) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for length in lengths {
            let mut buffer = unsigned_varint::encode::usize_buffer();
            bytes.extend_from_slice(unsigned_varint::encode::usize(length, &mut buffer));
            bytes.resize(bytes.len() + length, 0xff);
            ends.push(bytes.len());
        }
        let (mut frames, mut at) = (Frames::default(), 0);
        for piece in bytes.chunks(cut) {
            let within = at + 1..=at + piece.len();
            prop_assert_eq!(frames.pass(piece), ends.iter().any(|end| within.contains(end)));
            at += piece.len();
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        Frames::default().pass(&bytes);
    }
}
