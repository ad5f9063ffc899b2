//! Streams that have carried a request and its answer, kept for the next request to the same peer.

use std::collections::HashMap;
use std::time::Duration;

use futures::{AsyncReadExt, FutureExt};
use libp2p::{PeerId, Stream};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long an unused stream is kept. Go servers close a stream after one idle minute; half of it leaves a margin.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// How many streams are kept at most: enough for the peers of several lookups. Each keeps its connection open.
const MAX_STREAMS: usize = 1_024;

/// At most one idle stream for each peer.
#[derive(Debug, Default)]
pub(crate) struct StreamPool {
    idle: Mutex<HashMap<PeerId, (Instant, Stream)>>,
}

impl StreamPool {
    /// Takes the peer's idle stream, if it is young enough and the peer has not ended it. Some peers end it after each
    /// answer (Java's nabu, py-libp2p); a request written to such a stream is lost without an error.
    pub(crate) fn take(&self, peer: &PeerId) -> Option<Stream> {
        let (since, mut stream) = self.idle.lock().remove(peer)?;
        // Nothing should arrive on an idle stream: an end, an error and unexpected data are all reasons not to use it.
        let is_quiet = stream.read(&mut [0]).now_or_never().is_none();
        (is_quiet && since.elapsed() < MAX_IDLE).then_some(stream)
    }

    /// Keeps a stream on which no answer is outstanding. If the pool is full, the stream is closed instead.
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

    /// Closes streams that have been idle for too long, so that unused connections can end.
    pub(crate) fn sweep(&self) {
        self.idle.lock().retain(|_, (since, _)| since.elapsed() < MAX_IDLE);
    }
}
