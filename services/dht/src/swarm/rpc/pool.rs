//! Streams that have carried a request and its answer, kept for the next request to the same peer.

use std::collections::HashMap;
use std::time::Duration;

use futures::{AsyncReadExt, FutureExt};
use libp2p::{PeerId, Stream};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long an unused stream is kept. Go servers close a stream after one idle minute; half of it leaves a margin.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// How many streams are kept at most: several lookups' worth of peers. Each pins its connection.
const MAX_STREAMS: usize = 1_024;

/// At most one idle stream for each peer.
#[derive(Debug, Default)]
pub(crate) struct StreamPool {
    idle: Mutex<HashMap<PeerId, (Instant, Stream)>>,
}

impl StreamPool {
    /// Takes the peer's idle stream, if there is a young one that the peer has not ended. Some end it after each answer
    /// (Java's nabu, py-libp2p); what is written into such a stream is lost without an error.
    pub(crate) fn take(&self, peer: &PeerId) -> Option<Stream> {
        let (since, mut stream) = self.idle.lock().remove(peer)?;
        // An open stream has nothing to say: an end, an error and words that nobody asked for are all reasons to leave it.
        let is_quiet = stream.read(&mut [0]).now_or_never().is_none();
        (is_quiet && since.elapsed() < MAX_IDLE).then_some(stream)
    }

    /// Keeps a stream on which nothing is outstanding. One too many is closed instead.
    pub(crate) fn keep(&self, peer: PeerId, stream: Stream) {
        let mut idle = self.idle.lock();
        if idle.len() < MAX_STREAMS {
            idle.insert(peer, (Instant::now(), stream));
        }
    }

    /// Closes the peer's idle stream: its connection is gone, or should be.
    pub(crate) fn forget(&self, peer: &PeerId) {
        self.idle.lock().remove(peer);
    }

    /// Closes all idle streams.
    pub(crate) fn clear(&self) {
        self.idle.lock().clear();
    }

    /// Closes what has been idle too long, so that connections nobody uses can end.
    pub(crate) fn sweep(&self) {
        self.idle.lock().retain(|_, (since, _)| since.elapsed() < MAX_IDLE);
    }
}
