//! A request and its answer as they travel: for whoever judges a server instead of measuring with it.

use std::time::{Duration, Instant};

use parsec_measure::Endpoint;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::http::read;
use super::{CallError, HttpClient};
use crate::text::cut;

/// A method of HTTP that the contract knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawMethod {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// A request, word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// What to do.
    pub method: RawMethod,
    /// With what: from the first slash on, as it stands in the request line.
    pub path: String,
    /// Names and values. There are no others than those that HTTP itself needs, and the token if the client has one.
    pub headers: Vec<(&'static str, String)>,
    /// The body; `None` sends none, and no type of it.
    pub body: Option<Vec<u8>>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawReply {
    /// The status.
    pub status: u16,
    /// The header `Content-Type`, cut to a sensible length.
    pub content_type: Option<String>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub is_complete: bool,
    /// From before the connection was made until the last byte that was read, on the monotonic clock.
    pub took: Duration,
}

impl HttpClient {
    /// Sends a request and takes whatever the answer is: at most `max` bytes of its body, for at most `limit`.
    ///
    /// # Errors
    /// If there is no answer, or no end of it in time.
    pub async fn exchange(
        &self,
        server: &Endpoint,
        request: RawRequest,
        max: usize,
        limit: Duration,
    ) -> Result<RawReply, CallError> {
        let method = match request.method {
            RawMethod::Get => Method::GET,
            RawMethod::Post => Method::POST,
        };
        let url = format!("{}{}", self.origin(server), request.path);
        let mut sending = self.authorized(self.http.request(method, url)).timeout(limit);
        for (name, value) in request.headers {
            sending = sending.header(name, value);
        }
        if let Some(body) = request.body {
            sending = sending.body(body);
        }
        let clock = Instant::now();
        let mut response = sending.send().await.map_err(|error| CallError::from_reqwest(&error, limit))?;
        let (body, is_complete) = read(&mut response, max, limit).await?;
        let took = clock.elapsed();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(cut);
        Ok(RawReply { status: response.status().as_u16(), content_type, body, is_complete, took })
    }
}
