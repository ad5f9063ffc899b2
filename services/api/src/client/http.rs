//! The client over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use parsec_measure::{Content, Endpoint, MAX_PEER_CHARS, OperationKind, harmless};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use super::{Access, Answered, CallError, Caller, ServerApi};
use crate::text::cut;
use crate::wire::{
    ATTEMPT_ID_HEADER, Answer, BadAnswer, MAX_ANSWER_BYTES, PEER_ID_HEADER, ProvideRequest, SCHEDULER_ID_HEADER,
    TRACE_HEADER, TRACE_WANTED,
};

/// How much of the body of a failure is read: it is only repeated in a message.
const MAX_FAILURE_BYTES: usize = 4 * 1024;

/// How long a scheduler waits for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection. Servers stand in the scheduler's own network: a second is generous, five outlast one lost
    /// and repeated packet.
    pub connect: Duration,
    /// For the answer whether a server is ready, connection included: no work is done for it.
    pub readiness: Duration,
    /// For the answer to an operation, connection included. Longer than the server's own limit, so that it is the
    /// server who says that an operation took too long.
    pub operation: Duration,
}

impl Default for Timeouts {
    /// 5 s, 5 s, and the 3 minutes that contract and servers give an operation plus 10 s for the way.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            readiness: Duration::from_secs(5),
            operation: Duration::from_secs(3 * 60 + 10),
        }
    }
}

/// Calls servers over HTTP.
///
/// Each call has a connection of its own: a kept one that the server closes at the moment of the next call would be
/// recorded as a failure of the server, and the handshake is no part of what the server measures. No call is
/// repeated: the second answer would be of a warm lookup.
#[derive(Debug, Clone)]
pub struct HttpClient {
    pub(super) http: reqwest::Client,
    timeouts: Timeouts,
    access: Access,
}

impl HttpClient {
    /// A client with these limits, for servers that let everybody in over plain HTTP.
    ///
    /// # Errors
    /// If the HTTP library cannot be set up on this machine.
    pub fn new(timeouts: Timeouts) -> Result<Self, reqwest::Error> {
        Self::with_access(timeouts, Access::default())
    }

    /// The same for servers that are entered in this way.
    ///
    /// # Errors
    /// If the HTTP library cannot be set up on this machine.
    pub fn with_access(timeouts: Timeouts, access: Access) -> Result<Self, reqwest::Error> {
        let http = access.builder().pool_max_idle_per_host(0).connect_timeout(timeouts.connect).build()?;
        Ok(Self { http, timeouts, access })
    }

    /// Where a server is, up to its path.
    pub(super) fn origin(&self, server: &Endpoint) -> String {
        self.access.origin(server)
    }

    /// The request with the token, if servers ask for one. Readiness is asked for without it: no server wants it there,
    /// and what is not sent cannot be overheard.
    pub(super) fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match self.access.authorization() {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    fn url(&self, server: &Endpoint, path: &[&str]) -> Url {
        let mut url = Url::parse(&self.origin(server)).expect("an address with a port is a valid authority");
        url.path_segments_mut().expect("http URLs have a path").clear().extend(path);
        url
    }

    async fn operation(
        &self,
        url: Url,
        caller: Caller<'_>,
        body: Vec<u8>,
        kind: OperationKind,
    ) -> Result<Answered, CallError> {
        let limit = self.timeouts.operation;
        let request = self
            .authorized(self.http.post(url))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(SCHEDULER_ID_HEADER, caller.scheduler_id)
            .header(ATTEMPT_ID_HEADER, caller.attempt.0.to_string())
            .header(TRACE_HEADER, TRACE_WANTED)
            .body(body);
        let mut response = send(request, limit).await?;
        let peer = peer(&response);
        let (body, complete) = read(&mut response, MAX_ANSWER_BYTES, limit).await?;
        if !complete {
            return Err(BadAnswer::TooLarge.into());
        }
        let answer = Answer::decode(&body)?;
        let cid = answer.cid().to_owned();
        Ok(Answered { cid, measured: answer.into_measured(kind)?, peer })
    }
}

#[async_trait]
impl ServerApi for HttpClient {
    async fn readiness(&self, server: &Endpoint) -> Result<Option<String>, CallError> {
        // The body of a yes says nothing: one blank from JavaScript servers, anything from others.
        let response = send(self.http.get(self.url(server, &["readiness"])), self.timeouts.readiness).await?;
        Ok(peer(&response))
    }

    async fn provide(&self, server: &Endpoint, caller: Caller<'_>, content: &Content) -> Result<Answered, CallError> {
        let body = ProvideRequest::encode(content);
        self.operation(self.url(server, &["provide"]), caller, body, OperationKind::Provide).await
    }

    async fn retrieve(&self, server: &Endpoint, caller: Caller<'_>, cid: &str) -> Result<Answered, CallError> {
        let body = b"{}".to_vec();
        self.operation(self.url(server, &["retrieve", cid]), caller, body, OperationKind::Retrieve).await
    }
}

/// Whose node answered, as far as the server says. It is a stranger's text.
fn peer(response: &Response) -> Option<String> {
    let text = response.headers().get(PEER_ID_HEADER)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| harmless(text, MAX_PEER_CHARS))
}

/// Sends a request and sorts out every answer that is no success.
async fn send(request: RequestBuilder, limit: Duration) -> Result<Response, CallError> {
    let sent = request.timeout(limit).send().await;
    let mut response = sent.map_err(|error| CallError::from_reqwest(&error, limit))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let (body, _) = read(&mut response, MAX_FAILURE_BYTES, limit).await?;
    let text = cut(String::from_utf8_lossy(&body).trim());
    Err(match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => CallError::NotReady { reason: text },
        _ => CallError::Status { code: status.as_u16(), text },
    })
}

/// At most `max` bytes of the body, and whether that is all of it. `limit` is what the request was sent with.
pub(super) async fn read(response: &mut Response, max: usize, limit: Duration) -> Result<(Vec<u8>, bool), CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| CallError::from_reqwest(&error, limit))? {
        let room = max - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body, false));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, true))
}

#[cfg(test)]
mod tests;
