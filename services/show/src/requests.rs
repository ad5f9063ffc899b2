//! What every picture of an operation says of its requests.

use std::time::Duration;

use parsec_measure::{RequestEnd, RequestKind, Trace, TracedRequest, Warmth};

use crate::words;

/// How many providers are named.
const MAX_NAMED: usize = 2;

/// How far the picture of an operation reaches: to the last end, but not further than twice the time to the return. What goes on in the
/// background must not push together what was waited for.
pub(crate) fn reach(trace: &Trace) -> Duration {
    let times = trace.requests.iter().flat_map(|request| [Some(request.asked), request.ended]).flatten();
    let last = times.max().unwrap_or_default();
    let most = if trace.returned.is_zero() { last } else { trace.returned * 2 };
    last.min(most).max(trace.returned).max(Duration::from_micros(1))
}

/// The number of the request whose answer named the peer, or that it stood in the routing table.
pub(crate) fn named_by(request: &TracedRequest) -> String {
    request.named_by.map_or_else(|| "table".to_owned(), |by| by.to_string())
}

/// What the request found standing.
pub(crate) fn state(request: &TracedRequest) -> &'static str {
    match request.warmth() {
        Some(Warmth::Cold) => "cold",
        Some(Warmth::Connection) => "warm",
        Some(Warmth::Stream) => "stream",
        None => "–",
    }
}

/// What came of a request.
pub(crate) fn result(request: &TracedRequest) -> String {
    let closer = format!("{} closer", request.closer);
    match request.end {
        RequestEnd::Answered if request.kind == RequestKind::AddProvider => {
            let taken_in = match (request.confirmed, &request.unconfirmed) {
                (Some(_), _) => ", confirmed",
                (None, Some(_)) => ", not confirmed",
                (None, None) => "",
            };
            format!("written{taken_in}")
        }
        RequestEnd::Answered if request.providers > 0 => {
            format!("{}{}, {closer}", words::count(request.providers as usize, "provider", "providers"), named(request))
        }
        RequestEnd::Answered => closer,
        RequestEnd::DialFailed => "dial failed".to_owned(),
        RequestEnd::DialTimeout => "dial time-out".to_owned(),
        RequestEnd::BackOff => "back-off".to_owned(),
        RequestEnd::NoTransport => "no transport".to_owned(),
        RequestEnd::LocalLimit => "limit reached here".to_owned(),
        RequestEnd::Timeout => "time-out".to_owned(),
        RequestEnd::Protocol => "protocol error".to_owned(),
        RequestEnd::Cancelled => "cancelled".to_owned(),
        RequestEnd::Pending => "pending".to_owned(),
    }
}

/// Which providers, in brackets.
fn named(request: &TracedRequest) -> String {
    let mut names: Vec<_> =
        request.named.iter().take(MAX_NAMED).map(|provider| format!("…{}", words::peer(&provider.peer))).collect();
    if names.is_empty() {
        return String::new();
    }
    let more = (request.providers as usize).saturating_sub(names.len());
    names.extend((more > 0).then(|| format!("{more} more")));
    format!(" ({})", names.join(", "))
}
