//! Sends a request and waits for its answer.

use std::sync::Arc;

use futures::AsyncWriteExt;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use tokio::time::{Instant, timeout, timeout_at};

use super::behaviour::{Behaviour, Opener};
use super::pool::StreamPool;
use super::{ANSWER_TIMEOUT, DIAL_TIMEOUT, OPEN_TIMEOUT, PUT_TIMEOUT, RpcError, Stopwatch};
use crate::wire::{Request, Response, WireError};

/// Sends requests to chosen peers. Clones share connections and streams.
#[derive(Debug, Clone)]
pub(crate) struct RpcClient {
    opener: Opener,
    pool: Arc<StreamPool>,
}

impl RpcClient {
    /// The behaviour for the swarm, and the client that works through it.
    pub(crate) fn new(protocol: StreamProtocol) -> (Behaviour, Self) {
        let pool = Arc::new(StreamPool::default());
        let (behaviour, opener) = Behaviour::new(protocol, Arc::clone(&pool));
        (behaviour, Self { opener, pool })
    }

    /// Closes streams that nobody has used for a while.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }

    /// Asks one peer, over a connection and a stream that stand or over new ones.
    ///
    /// Every phase is noted on the stopwatch, whatever the end. Dropping the future cancels the request.
    pub(crate) async fn ask(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        stopwatch: &Stopwatch,
    ) -> Result<Response, RpcError> {
        let asking = self.ask_within_phases(peer, addresses, request, stopwatch);
        let result = if request.is_answered() {
            asking.await
        } else {
            timeout(PUT_TIMEOUT, asking).await.unwrap_or(Err(RpcError::Timeout(PUT_TIMEOUT)))
        };
        stopwatch.ended();
        result
    }

    async fn ask_within_phases(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        stopwatch: &Stopwatch,
    ) -> Result<Response, RpcError> {
        if let Some(stream) = self.pool.take(&peer) {
            stopwatch.connected();
            match self.exchange(peer, stream, request, stopwatch).await {
                // The other side has closed the idle stream, or the connection under it has gone:
                // one more try on a fresh stream, as Go does.
                Err(RpcError::Stream(_)) => {}
                result => return result,
            }
        }
        let stream = self.open(peer, addresses, stopwatch).await?;
        self.exchange(peer, stream, request, stopwatch).await
    }

    async fn open(&self, peer: PeerId, addresses: Vec<Multiaddr>, stopwatch: &Stopwatch) -> Result<Stream, RpcError> {
        let opening = self.opener.open(peer, addresses, stopwatch.clone());
        let deadline = Instant::now() + DIAL_TIMEOUT + OPEN_TIMEOUT;
        timeout_at(deadline, opening).await.unwrap_or_else(|_| {
            let connected = stopwatch.read().connected.is_some();
            Err(if connected { RpcError::Timeout(OPEN_TIMEOUT) } else { RpcError::DialTimeout(DIAL_TIMEOUT) })
        })
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
