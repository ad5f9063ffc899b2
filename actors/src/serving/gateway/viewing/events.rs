//! What is new, as server-sent events (WHATWG HTML, 9.2).

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures::stream;
use parsec_measure::harmless;
use tokio::time::timeout;

use super::parts::{MAX_QUOTED_CHARS, Viewing, problem};
use crate::serving::gateway::connections::{self, StaysOpen};
use crate::viewing::archive::Listen;
use crate::viewing::feed::{Event, Listening, MAX_LISTENERS};

/// How often something is sent although nothing is new: proxies close what is silent for longer, and a listener that has gone is noticed.
/// It is shorter than a connection may be held without use.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// After how long a browser that has lost the stream comes back.
const RETRY: &str = "retry: 3000\n\n";

pub(super) async fn events(request: HttpRequest, viewing: Data<Viewing>) -> HttpResponse {
    let after = match after(&request) {
        Ok(after) => after,
        Err(reason) => return problem(StatusCode::BAD_REQUEST, &reason),
    };
    let listening = match viewing.listen.ask(Listen { after }).await {
        Ok(Some(listening)) => listening,
        Ok(None) => {
            let reason =
                format!("{MAX_LISTENERS} pages listen already; this one has to be loaded again to see what is new");
            return problem(StatusCode::SERVICE_UNAVAILABLE, &reason);
        }
        Err(error) => return problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let open = connections::stays_open(&request);
    let state = (listening, open, true);
    let body = stream::unfold(state, |(mut listening, open, is_first)| async move {
        let text = if is_first { Some(RETRY.to_owned()) } else { next(&mut listening, &open).await };
        text.map(|text| (Ok::<_, actix_web::Error>(Bytes::from(text)), (listening, open, false)))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(Box::pin(body))
}

async fn next(Listening(heard): &mut Listening, open: &StaysOpen) -> Option<String> {
    // Whoever does not read is not asked for more, and loses the connection.
    open.is_used();
    match timeout(SIGN_OF_LIFE, heard.recv()).await {
        Ok(event) => event.map(|event| written(&event)),
        Err(_) => Some(":\n\n".to_owned()),
    }
}

fn written(event: &Event) -> String {
    // A document has no line breaks.
    format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.name, event.data)
}

/// What was heard last: browsers say it when they come back by themselves, and the script when it opens the stream again.
fn after(request: &HttpRequest) -> Result<Option<u64>, String> {
    let header = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let text = header.or_else(|| request.query_string().strip_prefix("after="));
    match text {
        None if request.query_string().is_empty() => Ok(None),
        None => Err("the only parameter known here is: after".to_owned()),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| format!("cannot use `{}`: expected the id of an event", harmless(text, MAX_QUOTED_CHARS))),
    }
}
