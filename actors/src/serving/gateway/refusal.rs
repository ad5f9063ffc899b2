//! Answers to requests that are refused: the status, and one sentence that says what would be right.

use actix_web::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use parsec_api::token::BEARER;
use parsec_api::wire::MAX_BODY_BYTES;
use parsec_measure::harmless;
use tokio::time::timeout;

use super::limits::Limits;

/// After how many seconds a client may try again when all operations are taken: about as long as one operation takes.
const RETRY_AFTER_SECONDS: u16 = 5;

/// How many characters of a stranger's text an answer repeats.
const MAX_QUOTED_CHARS: usize = 128;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Refusal {
    /// The request is not what this route expects.
    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }

    fn too_long() -> Self {
        let reason = format!("request body is longer than {MAX_BODY_BYTES} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, reason }
    }

    fn too_slow(limits: &Limits) -> Self {
        let reason = format!("request body did not arrive within {} s", limits.body.as_secs_f64());
        Self { status: StatusCode::REQUEST_TIMEOUT, reason }
    }
}

impl From<Refusal> for HttpResponse {
    fn from(Refusal { status, reason }: Refusal) -> Self {
        text(status, reason)
    }
}

/// The whole body, if it is neither too long nor too slow.
pub(super) async fn read_body(request: &HttpRequest, body: Payload) -> Result<Bytes, Refusal> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(Refusal::too_long());
    }
    let limits = request.app_data::<Limits>().copied().unwrap_or_default();
    match timeout(limits.body, body.to_bytes_limited(MAX_BODY_BYTES)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(Refusal::bad_request(format!("request body cannot be read: {error}"))),
        Ok(Err(_)) => Err(Refusal::too_long()),
        Err(_) => Err(Refusal::too_slow(&limits)),
    }
}

/// A body must not be compressed or otherwise encoded. Its media type is not checked: the original's servers do not
/// check it either, and curl labels every body as a form.
pub(super) fn refuse_coded(request: &HttpRequest) -> Result<(), Refusal> {
    let codings = request.headers().get_all(CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()));
    match codings.into_iter().find(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        Some(coding) => Err(Refusal {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            reason: format!("content-encoding `{}` is not read here; send the body as it is", quoted(&coding)),
        }),
        None => Ok(()),
    }
}

/// Nothing is served at this path; `served` lists what is.
pub(super) async fn unknown_path(request: HttpRequest, body: Payload, served: &'static str) -> HttpResponse {
    drain(&request, body).await;
    text(StatusCode::NOT_FOUND, format!("nothing is served at `{}`; this server has {served}", quoted(request.path())))
}

/// This path is served, but with other methods.
pub(super) async fn wrong_method(request: HttpRequest, body: Payload, allowed: &'static [Method]) -> HttpResponse {
    drain(&request, body).await;
    let allowed = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let (method, path) = (quoted(request.method().as_str()), quoted(request.path()));
    let mut response = text(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("method `{method}` is not served at `{path}`; this path takes {allowed}"),
    );
    response.headers_mut().insert(ALLOW, allowed.parse().expect("names of methods are fit for a header"));
    response
}

/// The operation requires a token, and the client did not send the right one. The rest of the request is not read.
pub(super) fn unauthorized() -> HttpResponse {
    let reason = "this server wants the header `Authorization: Bearer`, a blank, and its token; what came is not that";
    let mut response = text(StatusCode::UNAUTHORIZED, reason);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER));
    response
}

/// The maximum number of operations is under way.
pub(super) fn busy(reason: String) -> HttpResponse {
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, reason);
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    response
}

/// Reads and discards a body that is not needed: the HTTP library closes a connection on which something was left
/// unread, and the answer may get lost with it. If the body exceeds the limits, that risk is accepted.
async fn drain(request: &HttpRequest, body: Payload) {
    let _ = read_body(request, body).await;
}

/// A text answer.
pub(super) fn text(status: StatusCode, reason: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(reason.into())
}

fn quoted(text: &str) -> String {
    harmless(text, MAX_QUOTED_CHARS)
}
