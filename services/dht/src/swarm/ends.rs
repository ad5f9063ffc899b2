//! Tells whether a peer ended a stream cleanly, or the stream was reset or its connection broke.
//!
//! rust-yamux reports all three as the end of the stream, so a refusal would be mistaken for a confirmation. This
//! module reads the headers of incoming frames below yamux, and notes which of the streams that we opened were ended
//! cleanly (the flag FIN, and no RST). Any other end becomes a read error. yamux numbers the streams of each side in
//! the order in which they are opened, so a stream knows its number.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::{self, Ready};
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::yamux;
use parking_lot::Mutex;

/// Version, type, flags (2 bytes), stream (4), length (4).
const HEADER: usize = 12;

/// The type of frames that have so many bytes of a stream behind their header.
const DATA: u8 = 0;

/// The sender ends its side of the stream.
const FIN: u16 = 4;

/// The sender gives the stream up.
const RST: u16 = 8;

/// yamux, with ends told apart.
#[derive(Debug, Clone)]
pub struct Yamux(pub yamux::Config);

/// Streams of ours that are open, and whether the peer has ended them in good order.
#[derive(Debug, Clone, Default)]
struct Ends(Arc<Mutex<HashMap<u32, bool>>>);

impl UpgradeInfo for Yamux {
    type Info = <yamux::Config as UpgradeInfo>::Info;
    type InfoIter = <yamux::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, io: C, info: Self::Info) -> Self::Future {
        let ends = Ends::default();
        let muxer = self.0.upgrade_inbound(Overheard::new(io, ends.clone()), info).into_inner();
        // The side that was dialled uses the even numbers.
        future::ready(muxer.map(|muxer| Muxer { muxer, ends, next: 2 }))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, io: C, info: Self::Info) -> Self::Future {
        let ends = Ends::default();
        let muxer = self.0.upgrade_outbound(Overheard::new(io, ends.clone()), info).into_inner();
        future::ready(muxer.map(|muxer| Muxer { muxer, ends, next: 1 }))
    }
}

/// A connection whose streams know how they ended.
#[derive(Debug)]
pub struct Muxer<C> {
    muxer: yamux::Muxer<Overheard<C>>,
    ends: Ends,
    /// The number of the next stream that we open.
    next: u32,
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = yamux::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Stream, yamux::Error>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_inbound(context))?;
        Poll::Ready(Ok(Stream { stream, ours: None }))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Stream, yamux::Error>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_outbound(context))?;
        let number = self.next;
        self.next = number.wrapping_add(2);
        self.ends.0.lock().insert(number, false);
        Poll::Ready(Ok(Stream { stream, ours: Some((number, self.ends.clone())) }))
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), yamux::Error>> {
        Pin::new(&mut self.muxer).poll_close(context)
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, yamux::Error>> {
        Pin::new(&mut self.muxer).poll(context)
    }
}

/// A stream that says how it ended, if we have opened it.
#[derive(Debug)]
pub struct Stream {
    stream: yamux::Stream,
    /// Its number, and where its end is noted.
    ours: Option<(u32, Ends)>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some((number, ends)) = &self.ours {
            ends.0.lock().remove(number);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buf))?;
        if let Some((number, ends)) = &self.ours
            && read == 0
            && !buf.is_empty()
            && ends.0.lock().get(number) != Some(&true)
        {
            let reason = "the peer reset the stream, or its connection broke";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, reason)));
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

/// What comes in on a connection, heard by us as well.
#[derive(Debug)]
struct Overheard<C> {
    io: C,
    ends: Ends,
    frames: Frames,
}

/// How far into a frame we are.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER],
    /// How much of it there is.
    filled: usize,
    /// How many bytes still follow the header before it.
    body: u64,
}

impl<C> Overheard<C> {
    fn new(io: C, ends: Ends) -> Self {
        Self { io, ends, frames: Frames::default() }
    }
}

impl Frames {
    /// Takes in what has come, and calls `ended` for each stream that was given up or ended: with its number and whether
    /// that was in good order.
    fn take_in(&mut self, mut bytes: &[u8], mut ended: impl FnMut(u32, bool)) {
        while !bytes.is_empty() {
            if self.body > 0 {
                let skipped = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len());
                self.body -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled < HEADER {
                return;
            }
            self.filled = 0;
            let [_, kind, flags @ .., s0, s1, s2, s3, l0, l1, l2, l3] = self.header;
            let (flags, stream) = (u16::from_be_bytes(flags), u32::from_be_bytes([s0, s1, s2, s3]));
            self.body = if kind == DATA { u64::from(u32::from_be_bytes([l0, l1, l2, l3])) } else { 0 };
            if flags & (FIN | RST) != 0 {
                ended(stream, flags & RST == 0);
            }
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Overheard<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buf))?;
        let this = &mut *self;
        let ends = &this.ends;
        this.frames.take_in(&buf[..read], |stream, in_good_order| {
            // Others than ours that are open are of no interest, however many a peer names.
            if let Some(ended) = ends.0.lock().get_mut(&stream) {
                *ended = in_good_order;
            }
        });
        Poll::Ready(Ok(read))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Overheard<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u16, stream: u32, body: usize) -> Vec<u8> {
        let length = u32::try_from(body).unwrap();
        let mut bytes = vec![0, kind];
        bytes.extend(flags.to_be_bytes());
        bytes.extend(stream.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        if kind == DATA {
            // Looks like a frame that resets stream 1.
            bytes.extend([0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0].into_iter().cycle().take(body));
        }
        bytes
    }

    proptest! {
        #[test]
        fn ends_are_heard_however_the_bytes_are_cut(
            frames in proptest::collection::vec((0..4u8, 0..16u16, 0..50u32, 0..40usize), 0..30),
            cuts in proptest::collection::vec(1..30usize, 1..20),
        ) {
            let all: Vec<u8> = frames.iter().flat_map(|(kind, flags, id, body)| frame(*kind, *flags, *id, *body)).collect();
            let (mut heard, mut rest, mut state) = (Vec::new(), &all[..], Frames::default());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (some, later) = rest.split_at((*cut).min(rest.len()));
                state.take_in(some, |stream, in_good_order| heard.push((stream, in_good_order)));
                rest = later;
            }
            let ended = frames.iter().filter(|(_, flags, ..)| flags & (FIN | RST) != 0);
            let expected: Vec<_> = ended.map(|(_, flags, id, _)| (*id, flags & RST == 0)).collect();
            prop_assert_eq!(heard, expected);
        }
    }
}
