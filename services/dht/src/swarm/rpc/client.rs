//! Sends a request and waits for its answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::upgrade::NegotiationError;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::behaviour::{Behaviour, Opener};
use super::pool::StreamPool;
use super::{ANSWER_TIMEOUT, DIAL_TIMEOUT, OPEN_TIMEOUT, RpcError, Stopwatch, Tries, Way};
use crate::swarm::confirmation::Confirmation;
use crate::swarm::dial::Experience;
use crate::wire::messages::{Request, Response, WireError};
use crate::wire::reach::Reach;

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
    fn begin(&self, peer: PeerId) -> Use {
        *self.0.lock().entry(peer).or_default() += 1;
        Use { of: self.clone(), peer }
    }
}

/// One request. It ends when it is dropped, because a request may be dropped at any time.
struct Use {
    of: InUse,
    peer: PeerId,
}

impl Drop for Use {
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
    pub(crate) fn new(protocols: Vec<StreamProtocol>, reach: Reach, experience: Experience) -> (Behaviour, Self) {
        let pool = Arc::new(StreamPool::default());
        let (behaviour, opener) = Behaviour::new(protocols, reach, experience, Arc::clone(&pool));
        (behaviour, Self { opener, pool, in_use: InUse::default() })
    }

    /// Closes streams that nobody has used for a while.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }

    /// Sends a request to one peer, and tries again where that makes sense. `stopwatch` shows the last try, and when
    /// the first one began.
    ///
    /// Dropping the future cancels the request. With a `limit`, the request with all its tries may take no longer;
    /// without, each phase has its own limit.
    pub(crate) async fn ask(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        stopwatch: &Stopwatch,
        limit: Option<Duration>,
    ) -> Result<Response, RpcError> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let (mut tries, mut way) = (Tries::default(), Way::Any);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let (confirmation, addresses) = (Confirmation::default(), addresses.clone());
            let result = self.attempt(peer, addresses, request, way, stopwatch, &confirmation, left).await;
            match result.as_ref().err().and_then(|error| tries.after(error)) {
                Some(again) if deadline.is_none_or(|deadline| deadline > Instant::now()) => {
                    stopwatch.again();
                    way = again;
                }
                _ => return result,
            }
        }
    }

    /// Sends a request to one peer once, over an existing connection and stream or over new ones. Every phase is noted
    /// on the stopwatch, whatever the result. A put is done when it is written; whether the peer accepts it is noted in
    /// `confirmation` later.
    #[expect(clippy::too_many_arguments, reason = "what is asked of whom, how, and where the times go")]
    pub(crate) async fn attempt(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        way: Way,
        stopwatch: &Stopwatch,
        confirmation: &Confirmation,
        limit: Option<Duration>,
    ) -> Result<Response, RpcError> {
        let in_use = self.in_use.begin(peer);
        let asking = async {
            let stream = self.stream(peer, addresses, request, way, stopwatch).await?;
            self.exchange(peer, stream, request, stopwatch).await
        };
        let result = match limit {
            None => asking.await,
            Some(limit) => timeout(limit, asking).await.unwrap_or_else(|_| Err(timed_out(stopwatch, limit))),
        };
        stopwatch.ended();
        match result {
            Ok(Spoken::Answered(response)) => Ok(response),
            Ok(Spoken::Written(stream)) => {
                tokio::spawn(read_to_its_end(stream, confirmation.clone(), in_use));
                Ok(Response::default())
            }
            // Without a swarm, no failure says anything about the peer.
            Err(_) if self.opener.is_closed() => Err(RpcError::Stopping),
            Err(error) => Err(error),
        }
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

    /// The stream that carries the request. A put gets a new one: on a used stream, the end of the previous answer
    /// could not be told from the end that confirms the put.
    async fn stream(
        &self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: &Request,
        way: Way,
        stopwatch: &Stopwatch,
    ) -> Result<Stream, RpcError> {
        if way == Way::Any
            && request.is_answered()
            && let Some(stream) = self.pool.take(&peer)
        {
            stopwatch.connected();
            return Ok(stream);
        }
        let limit = DIAL_TIMEOUT + OPEN_TIMEOUT;
        let opening = self.opener.open(peer, addresses, way == Way::FreshConnection, stopwatch.clone());
        timeout(limit, opening).await.unwrap_or_else(|_| Err(timed_out(stopwatch, limit)))
    }

    async fn exchange(
        &self,
        peer: PeerId,
        mut stream: Stream,
        request: &Request,
        stopwatch: &Stopwatch,
    ) -> Result<Spoken, RpcError> {
        let speaking = async {
            request.write(&mut stream).await?;
            stopwatch.written();
            if request.is_answered() { request.read_answer(&mut stream).await.map(Some) } else { Ok(None) }
        };
        match timeout(ANSWER_TIMEOUT, speaking).await {
            Err(_) => Err(RpcError::Timeout(ANSWER_TIMEOUT)),
            Ok(Err(WireError::Malformed(reason))) => Err(RpcError::Malformed(reason)),
            Ok(Err(WireError::Io(error))) if is_refusal(&error) => Err(RpcError::Unsupported),
            Ok(Err(broken @ (WireError::Io(_) | WireError::Eof))) => Err(RpcError::Stream(broken.to_string())),
            Ok(Ok(Some(response))) => {
                self.pool.keep(peer, stream);
                Ok(Spoken::Answered(response))
            }
            Ok(Ok(None)) => Ok(Spoken::Written(stream)),
        }
    }
}

/// The state of a request.
enum Spoken {
    Answered(Response),
    /// On this stream, and there is nothing to answer.
    Written(Stream),
}

/// How many bytes a peer may send after a put: its echo, with as many addresses as we named.
const MAX_ECHO_BYTES: u64 = 64 << 10;

/// Ends our side of a stream and waits for the end of the other.
async fn read_to_its_end(mut stream: Stream, confirmation: Confirmation, _in_use: Use) {
    let reading = async {
        stream.close().await?;
        let mut echo = (&mut stream).take(MAX_ECHO_BYTES);
        futures::io::copy(&mut echo, &mut futures::io::sink()).await
    };
    match timeout(ANSWER_TIMEOUT, reading).await {
        Ok(Ok(read)) if read < MAX_ECHO_BYTES => confirmation.confirmed(Instant::now()),
        Ok(Ok(_)) => confirmation.refused(format!("more than {MAX_ECHO_BYTES} bytes came after it")),
        Ok(Err(error)) if is_refusal(&error) => confirmation.refused(RpcError::Unsupported.to_string()),
        Ok(Err(error)) => confirmation.refused(error.to_string()),
        Err(_) => {
            confirmation.refused(format!("the peer did not end the stream within {} s", ANSWER_TIMEOUT.as_secs()))
        }
    }
}

/// Whether the peer has refused the protocol that we assumed when the stream was opened.
fn is_refusal(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<NegotiationError>());
    matches!(inner, Some(NegotiationError::Failed))
}

/// Which time limit was reached: that of the dial, or that of the answer.
fn timed_out(stopwatch: &Stopwatch, limit: Duration) -> RpcError {
    let connected = stopwatch.read().connected.is_some();
    if connected { RpcError::Timeout(limit) } else { RpcError::DialTimeout(limit) }
}
