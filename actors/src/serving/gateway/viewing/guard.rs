//! Who is let in, and what every answer says to browsers.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parsec_api::token::BEARER;

use super::parts::{Access, Viewing, problem};

/// Nothing from elsewhere, nothing written into the page runs, and nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// What every answer carries.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// The names of this machine that only it has.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Access {
    fn refusal(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let Some(token) = self.token.get() else {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()));
            let name = name.map_or(host, |(name, _)| name);
            let is_own = OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own));
            let reason = "this page is only for this machine, as http://localhost or http://127.0.0.1; with a token it can be reached under \
                          other names";
            return (self.is_local && !is_own).then_some((StatusCode::FORBIDDEN, reason));
        };
        let presented = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let as_password = password(presented).map(|password| format!("{BEARER} {password}"));
        let is_in = token.is_presented_by(presented)
            || as_password.is_some_and(|header| token.is_presented_by(header.as_bytes()));
        let reason =
            "the token of this page is wanted: as `Authorization: Bearer`, or as the password, with any user name";
        (!is_in).then_some((StatusCode::UNAUTHORIZED, reason))
    }
}

/// The password of the scheme Basic (RFC 7617).
fn password(header: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, coded) = text.split_once(' ')?;
    let bytes = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(coded.trim()).ok())??;
    let pair = String::from_utf8(bytes).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

pub(super) async fn guarded<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let refusal = request.app_data::<Data<Viewing>>().and_then(|viewing| viewing.access.refusal(request.headers()));
    let mut answer = match refusal {
        Some((code, reason)) => {
            let mut refused = problem(code, reason);
            if code == StatusCode::UNAUTHORIZED {
                let basic = HeaderValue::from_static("Basic realm=\"parsec\", charset=\"UTF-8\"");
                refused.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
            request.into_response(refused)
        }
        None => next.call(request).await?.map_into_boxed_body(),
    };
    for (name, value) in HEADERS {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use parsec_api::token::{ApiToken, CurrentToken};

    use super::*;

    const TOKEN: &str = "0123456789abcdefghijkl";

    fn refused(access: &Access, name: HeaderName, value: &str) -> Option<StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        access.refusal(&headers).map(|(code, _)| code)
    }

    #[test]
    fn a_token_is_presented_as_a_bearer_or_as_a_password() {
        let token = CurrentToken::new(Some(ApiToken::new(TOKEN).unwrap()));
        let access = Access { token, is_local: true };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for good in [format!("Bearer {TOKEN}"), basic(&format!("ann:{TOKEN}")), basic(&format!(":{TOKEN}"))] {
            assert_eq!(refused(&access, AUTHORIZATION, &good), None, "{good}");
        }
        for bad in ["", "Bearer x", "Basic !", &basic(TOKEN), &basic("ann:"), &basic(&format!("{TOKEN}:ann"))] {
            assert_eq!(refused(&access, AUTHORIZATION, bad), Some(StatusCode::UNAUTHORIZED), "{bad}");
        }
    }

    #[test]
    fn without_a_token_no_other_site_can_have_a_browser_read_the_page() {
        let access = Access { is_local: true, ..Access::default() };
        for own in ["localhost:7080", "127.0.0.1:7080", "[::1]:7080", "LOCALHOST", "[::1]"] {
            assert_eq!(refused(&access, HOST, own), None, "{own}");
        }
        for other in ["evil.example:7080", "localhost.evil.example", "", "127.0.0.1.evil.example:80"] {
            assert_eq!(refused(&access, HOST, other), Some(StatusCode::FORBIDDEN), "{other}");
        }
        assert_eq!(refused(&Access::default(), HOST, "parsec.internal"), None, "whoever opens it to others says so");
    }
}
