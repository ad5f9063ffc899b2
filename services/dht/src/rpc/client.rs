//! Sends a request and waits for its answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use futures::AsyncWriteExt;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::behaviour::{Behaviour, Opener};
use super::pool::StreamPool;
use super::{ANSWER_TIMEOUT, DIAL_TIMEOUT, OPEN_TIMEOUT, RpcError, Stopwatch};
use crate::reach::Reach;
use crate::wire::{Request, Response, WireError};

/// Sends requests to chosen peers. Clones share connections and streams.
#[derive(Debug, Clone)]
pub(crate) struct RpcClient {
    opener: Opener,
    pool: Arc<StreamPool>,
    in_use: InUse,
}

/// How many requests to each peer are under way.
#[derive(Debug, Clone, Default)]
struct InUse(Arc<Mutex<HashMap<PeerId, usize>>>);

impl InUse {
    fn begin(&self, peer: PeerId) -> Use<'_> {
        *self.0.lock().entry(peer).or_default() += 1;
        Use { of: self, peer }
    }
}

/// One of them. It ends when it is dropped, as a request may be at any time.
struct Use<'a> {
    of: &'a InUse,
    peer: PeerId,
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut uses) = self.of.0.lock().entry(self.peer) {
            *uses.get_mut() -= 1;
            if *uses.get() == 0 {
                uses.remove();
            }
        }
    }
}

impl RpcClient {
    /// The behaviour for the swarm, and the client that works through it.
    pub(crate) fn new(protocol: StreamProtocol, reach: Reach) -> (Behaviour, Self) {
        let pool = Arc::new(StreamPool::default());
        let (behaviour, opener) = Behaviour::new(protocol, reach, Arc::clone(&pool));
        (behaviour, Self { opener, pool, in_use: InUse::default() })
    }

    /// Closes streams that nobody has used for a while.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }

    /// Asks one peer, over a connection and a stream that stand or over new ones.
    ///
    /// Every phase is noted on the stopwatch, whatever the end. Dropping the future cancels the request. With a `limit`,
    /// the whole of it may take no longer; without, each phase has its own.
    pub(crate) async fn ask(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        stopwatch: &Stopwatch,
        limit: Option<Duration>,
    ) -> Result<Response, RpcError> {
        let _use = self.in_use.begin(peer);
        let asking = self.ask_with_retry(peer, addresses, request, stopwatch);
        let result = match limit {
            None => asking.await,
            Some(limit) => timeout(limit, asking).await.unwrap_or_else(|_| Err(timed_out(stopwatch, limit))),
        };
        stopwatch.ended();
        // Whatever went wrong without a swarm says nothing about the peer.
        if result.is_err() && self.opener.is_closed() { Err(RpcError::Stopping) } else { result }
    }

    /// Whether a request to this peer is under way.
    pub(crate) fn is_asking(&self, peer: &PeerId) -> bool {
        self.in_use.0.lock().contains_key(peer)
    }

    /// Closes every idle stream.
    pub(crate) fn release_all(&self) {
        self.pool.clear();
    }

    /// Closes the idle stream to a peer, so that its connection can end.
    pub(crate) fn release(&self, peer: &PeerId) {
        self.pool.forget(peer);
    }

    /// A request that was written or read in vain is tried once more on a fresh stream, as in Go
    /// (`internal/net/message_manager.go`). A stream that could not be opened is not.
    async fn ask_with_retry(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        stopwatch: &Stopwatch,
    ) -> Result<Response, RpcError> {
        let stream = match self.pool.take(&peer) {
            Some(stream) => {
                stopwatch.connected();
                stream
            }
            None => self.open(peer, addresses.clone(), stopwatch).await?,
        };
        match self.exchange(peer, stream, request, stopwatch).await {
            Err(RpcError::Stream(_) | RpcError::Timeout(_) | RpcError::Malformed(_)) => {
                stopwatch.lost_connection();
                let stream = self.open(peer, addresses, stopwatch).await?;
                self.exchange(peer, stream, request, stopwatch).await
            }
            result => result,
        }
    }

    /// Opens a fresh stream. A connection that closes in that very moment is replaced by a new one, once: on the old one,
    /// whose end the swarm may not have heard of yet, the second attempt would end like the first.
    async fn open(&self, peer: PeerId, addresses: Vec<Multiaddr>, stopwatch: &Stopwatch) -> Result<Stream, RpcError> {
        let opening = async {
            match self.opener.open(peer, addresses.clone(), false, stopwatch.clone()).await {
                Err(RpcError::Closed | RpcError::Stream(_)) => {
                    stopwatch.lost_connection();
                    self.opener.open(peer, addresses, true, stopwatch.clone()).await
                }
                result => result,
            }
        };
        let limit = DIAL_TIMEOUT + OPEN_TIMEOUT;
        timeout(limit, opening).await.unwrap_or_else(|_| Err(timed_out(stopwatch, limit)))
    }

    async fn exchange(
        &self,
        peer: PeerId,
        mut stream: Stream,
        request: &Request,
        stopwatch: &Stopwatch,
    ) -> Result<Response, RpcError> {
        let speaking = async {
            request.write(&mut stream).await?;
            stopwatch.written();
            if request.is_answered() {
                return request.read_answer(&mut stream).await;
            }
            // Not kept: a server that echoes the record would leave its echo before the next answer.
            stream.close().await?;
            Ok(Response::default())
        };
        let response = match timeout(ANSWER_TIMEOUT, speaking).await {
            Err(_) => return Err(RpcError::Timeout(ANSWER_TIMEOUT)),
            Ok(Err(WireError::Malformed(reason))) => return Err(RpcError::Malformed(reason)),
            Ok(Err(broken @ (WireError::Io(_) | WireError::Eof))) => return Err(RpcError::Stream(broken.to_string())),
            Ok(Ok(response)) => response,
        };
        if request.is_answered() {
            self.pool.keep(peer, stream);
        }
        Ok(response)
    }
}

/// What ran out: the dial, or the time for an answer.
fn timed_out(stopwatch: &Stopwatch, limit: Duration) -> RpcError {
    let connected = stopwatch.read().connected.is_some();
    if connected { RpcError::Timeout(limit) } else { RpcError::DialTimeout(limit) }
}
