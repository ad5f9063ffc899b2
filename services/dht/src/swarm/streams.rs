//! Streams that others open to us: how many there may be in all, and how long one may keep us waiting.
//!
//! libp2p-kad serves 32 streams of a connection and waits for requests on them without a limit. A peer that sends a
//! byte now and then, or does not read its answers, could hold a place, a buffer and its connection for as long as it
//! likes. Here a stream opened by another peer is reset when a minute has passed in which no whole message arrived and
//! nothing was written. Go does the same for its DHT streams (go-libp2p-kad-dht `dht_net.go`, `dhtStreamIdleTimeout`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// How many streams others may have open to us in all, over all protocols: four for each connection that they may have.
/// A usual peer has one for each protocol in use. One may hold 256 KiB that nobody has read yet, and a request of 64 KiB.
pub(crate) const MAX_STREAMS: usize = 4_096;

/// How long a request may take, and the pause before it (Go: `dhtStreamIdleTimeout`).
const PATIENCE: Duration = Duration::from_secs(60);

/// How many streams of other peers are open on all connections together.
#[derive(Debug, Clone)]
pub(crate) struct Visitors(Arc<Semaphore>);

impl Visitors {
    /// Room for so many.
    pub(crate) fn at_most(streams: usize) -> Self {
        Self(Arc::new(Semaphore::new(streams)))
    }
}

/// A connection whose inbound streams are counted and timed.
pub(crate) struct Watched {
    inner: StreamMuxerBox,
    visitors: Visitors,
}

impl Watched {
    pub(crate) fn new(inner: StreamMuxerBox, visitors: Visitors) -> Self {
        Self { inner, visitors }
    }
}

impl StreamMuxer for Watched {
    type Substream = WatchedStream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<WatchedStream>> {
        let inner = ready!(Pin::new(&mut self.inner).poll_inbound(context))?;
        match Arc::clone(&self.visitors.0).try_acquire_owned() {
            Ok(place) => Poll::Ready(Ok(WatchedStream { inner, watch: Some(Watch::begin(place)) })),
            Err(_) => {
                // Dropping the stream resets it. Others of this connection may be waiting behind it.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn poll_outbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<WatchedStream>> {
        let inner = ready!(Pin::new(&mut self.inner).poll_outbound(context))?;
        Poll::Ready(Ok(WatchedStream { inner, watch: None }))
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

/// One of its streams. Those that we opened ourselves have time limits where they are used.
pub(crate) struct WatchedStream {
    inner: SubstreamBox,
    watch: Option<Watch>,
}

struct Watch {
    _place: OwnedSemaphorePermit,
    frames: Frames,
    until: Pin<Box<Sleep>>,
}

impl Watch {
    fn begin(place: OwnedSemaphorePermit) -> Self {
        Self { _place: place, frames: Frames::default(), until: Box::pin(sleep(PATIENCE)) }
    }

    fn again(&mut self) {
        self.until.as_mut().reset(Instant::now() + PATIENCE);
    }
}

impl WatchedStream {
    /// Called after a step without progress: returns an error once the time is over.
    fn unless_late<T>(&mut self, step: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let late = self.watch.as_mut().is_some_and(|watch| watch.until.as_mut().poll(context).is_ready());
        if !late {
            return step;
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer took too long over a request")))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let step = Pin::new(&mut this.inner).poll_read(context, buffer);
        if let (Poll::Ready(Ok(read)), Some(watch)) = (&step, &mut this.watch)
            && watch.frames.pass(&buffer[..*read])
        {
            watch.again();
            return step;
        }
        this.unless_late(step, context)
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let step = Pin::new(&mut this.inner).poll_write(context, bytes);
        match (&step, &mut this.watch) {
            (Poll::Ready(_), Some(watch)) => {
                watch.again();
                step
            }
            _ => this.unless_late(step, context),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_flush(context) {
            Poll::Pending => this.unless_late(Poll::Pending, context),
            step => step,
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_close(context) {
            Poll::Pending => this.unless_late(Poll::Pending, context),
            step => step,
        }
    }
}

/// Where in a sequence of messages we are, each of them behind its length as an unsigned varint: so speak Kademlia, identify,
/// AutoNAT and the negotiation of protocols. Ping does not; there, it is what we write that counts.
#[derive(Debug, Default)]
struct Frames {
    /// What has been read of a length, and how many bits.
    length: u64,
    bits: u32,
    /// How much of a message is still to come.
    left: u64,
}

impl Frames {
    /// Takes in what comes next; true if a message has ended in it.
    fn pass(&mut self, mut bytes: &[u8]) -> bool {
        let mut ended = false;
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
                ended |= self.left == 0;
                continue;
            }
            // A length of more than 64 bits is invalid: the code that reads the message reports it.
            self.length |= u64::from(first & 0x7f).checked_shl(self.bits).unwrap_or_default();
            self.bits = self.bits.saturating_add(7);
            if first & 0x80 == 0 {
                *self = Self { left: self.length, ..Self::default() };
                ended |= self.left == 0;
            }
            bytes = rest;
        }
        ended
    }
}

#[cfg(test)]
mod tests;
