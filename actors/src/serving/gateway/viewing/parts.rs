//! What all answers of the page have in common.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use parsec_api::token::CurrentToken;
use parsec_measure::harmless;
use serde_json::json;

use crate::supervision::ask::Ask;
use crate::viewing::archive::{Listen, Look};

/// After how many seconds a page asks again for what is being counted.
pub(super) const AGAIN_AFTER_SECONDS: u32 = 2;

/// How much of a stranger's text an answer repeats.
pub(super) const MAX_QUOTED_CHARS: usize = 128;

/// Documents of the HTTP API's errors (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Who is let in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Whoever looks has to present it, if there is one: as a bearer, or as a password for whatever user name, which browsers ask for.
    pub token: CurrentToken,
    /// Whether only this machine reaches the socket. Then, and without a token, another name in a request is another site's, which a
    /// browser was led to believe to be here.
    pub is_local: bool,
}

/// What the pages need.
#[derive(Debug, Clone)]
pub struct Viewing {
    /// Answers what there is to see.
    pub look: Ask<Look>,
    /// Tells what is new.
    pub listen: Ask<Listen>,
    /// Who is let in.
    pub access: Access,
    /// The version of parsec that shows them.
    pub version: String,
}

/// An error as RFC 9457 has it.
pub(super) fn problem(code: StatusCode, detail: &str) -> HttpResponse {
    let title = code.canonical_reason().unwrap_or("Error");
    let document =
        json!({ "type": "about:blank", "title": title, "status": code.as_u16(), "detail": harmless(detail, 512) });
    let mut answer = HttpResponse::build(code);
    if code == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, AGAIN_AFTER_SECONDS.to_string()));
    }
    answer.content_type(PROBLEM).body(document.to_string())
}
