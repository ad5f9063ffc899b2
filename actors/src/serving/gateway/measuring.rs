//! The measuring API (contract, part 1).

use std::fmt::Display;
use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use parsec_api::token::CurrentToken;
use parsec_api::wire::{
    ATTEMPT_ID_HEADER, Answer, ManyAnswer, PEER_ID_HEADER, ProvideManyRequest, ProvideRequest, SCHEDULER_ID_HEADER,
    TRACE_HEADER, TRACE_WANTED, Target,
};
use parsec_dht::Readiness;
use parsec_measure::{AttemptId, Cid, Measured, OperationKind, harmless};
use tracing::{Instrument, debug, field, info, info_span, warn};
use uuid::Uuid;

use super::connections::{self, AtWork};
use super::refusal::{Refusal, busy, read_body, refuse_coded, text, unauthorized, unknown_path, wrong_method};
use crate::serving::dht_node::{DhtHandle, GetReadiness, OperationError, Provide, ProvideMany, Retrieve};
use crate::supervision::ask::AskError;
use crate::telemetry::metrics::{By, Metrics};

/// The routes, for the answer to requests for anything else.
const SERVED: &str = "POST /provide, POST /retrieve/{cid} and GET /readiness";

/// What the measuring routes need.
#[derive(Debug, Clone)]
pub struct Measuring {
    /// Publishes and finds.
    pub dht: DhtHandle,
    /// Counts requests and durations.
    pub metrics: Arc<Metrics>,
    /// This server's fleet, for metrics and logs.
    pub fleet: String,
    /// The peer id of its node: every answer says whose it is. A server that was killed leaves its address to the next one,
    /// and a scheduler that still looks for the old one must not take the answer for its own.
    pub peer_id: String,
    /// The token that schedulers have to present for an operation; without one it admits everybody, as Go schedulers present
    /// none.
    ///
    /// Readiness needs no token: the probes of orchestrators have none to send, and the answer only says whether the
    /// server can measure.
    pub token: CurrentToken,
}

impl Measuring {
    fn lets_in(&self, request: &HttpRequest) -> bool {
        let presented = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        self.token.get().is_none_or(|token| token.is_presented_by(presented))
    }

    /// An operation begins: nobody else's connection takes the place of this one while the result is there. Whoever has
    /// shown the token, or has the name of a scheduler in the database, has places of its own from now on.
    fn at_work(&self, request: &HttpRequest, caller: &Caller) -> AtWork {
        if self.token.get().is_some() || self.metrics.knows_scheduler(&caller.scheduler) {
            connections::is_a_schedulers(request);
        }
        connections::at_work(request)
    }

    /// The answer with the name of the node that gives it.
    fn signed(&self, mut answer: HttpResponse) -> HttpResponse {
        if let Ok(peer) = HeaderValue::from_str(&self.peer_id) {
            answer.headers_mut().insert(HeaderName::from_static(PEER_ID_HEADER), peer);
        }
        answer
    }

    /// Who made the request is logged only at debug level: otherwise a stranger could fill the log.
    fn refuse(&self, request: &HttpRequest) -> HttpResponse {
        let path = harmless(request.path(), MAX_PATH_CHARS);
        debug!(peer = ?request.peer_addr(), path, "refused: no token, or a wrong one");
        unauthorized()
    }
}

pub(super) fn configure(config: &mut ServiceConfig) {
    let only = |allowed: &'static [Method]| web::to(move |request, body| wrong_method(request, body, allowed));
    let provide = web::resource("/provide").route(web::post().to(provide));
    // The key is the rest of the path: a CID in base64 contains slashes.
    let retrieve = web::resource("/retrieve/{cid:.+}").route(web::post().to(retrieve));
    let readiness = web::resource("/readiness").route(web::get().to(readiness)).route(web::head().to(readiness));
    config
        .service(provide.default_service(only(&[Method::POST])))
        .service(retrieve.default_service(only(&[Method::POST])))
        .service(readiness.default_service(only(&[Method::GET, Method::HEAD])))
        .default_service(web::to(|request, body| unknown_path(request, body, SERVED)));
}

/// How much of a path is logged.
const MAX_PATH_CHARS: usize = 256;

/// The longest name of a scheduler that is repeated: enough for the longest list of fleets that makes sense.
const MAX_SCHEDULER_CHARS: usize = 128;

/// What the headers of a request say about its sender.
struct Caller {
    /// Cut, and harmless.
    scheduler: String,
    attempt: Option<AttemptId>,
    wants_trace: bool,
}

impl Caller {
    /// Headers can contain anything; unusable values are ignored.
    fn of(request: &HttpRequest) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        Self {
            scheduler: harmless(header(SCHEDULER_ID_HEADER).unwrap_or_default(), MAX_SCHEDULER_CHARS),
            attempt: header(ATTEMPT_ID_HEADER).and_then(|id| Uuid::parse_str(id).ok()).map(AttemptId),
            wants_trace: header(TRACE_HEADER) == Some(TRACE_WANTED),
        }
    }
}

async fn provide(request: HttpRequest, measuring: Data<Measuring>, body: Payload) -> HttpResponse {
    measuring.signed(published(&request, &measuring, body).await)
}

async fn published(request: &HttpRequest, measuring: &Measuring, body: Payload) -> HttpResponse {
    let caller = Caller::of(request);
    if !measuring.lets_in(request) {
        measuring.metrics.http_request("POST", "provide", By::Anybody(&caller.scheduler));
        return measuring.refuse(request);
    }
    measuring.metrics.http_request("POST", "provide", By::Scheduler(&caller.scheduler));
    let body = match read_provide(request, body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into(),
    };
    if ProvideManyRequest::is_meant_by(&body) {
        return published_many(request, measuring, &caller, &body).await;
    }
    let cid = match wanted(ProvideRequest::decode(&body)) {
        Ok(content) => content.cid(),
        Err(refusal) => return refusal.into(),
    };
    let publishing = measuring.dht.provide.ask(Provide { cid: cid.clone(), attempt: caller.attempt });
    let _at_work = measuring.at_work(request, &caller);
    finish(measuring, OperationKind::Provide, &caller, cid.to_string(), publishing).await
}

async fn read_provide(request: &HttpRequest, body: Payload) -> Result<Bytes, Refusal> {
    let body = read_body(request, body).await?;
    refuse_coded(request)?;
    Ok(body)
}

/// What to publish, if this server publishes there.
fn wanted<T>(read: Result<(T, Target), impl Display>) -> Result<T, Refusal> {
    match read {
        Ok((what, Target::Dht)) => Ok(what),
        Ok((_, Target::Ipni)) => {
            Err(Refusal::bad_request("target `IPNI` is not served here; this server serves `DHT`"))
        }
        Err(error) => Err(Refusal::bad_request(error.to_string())),
    }
}

/// Publishes many keys, and answers with what came of each.
async fn published_many(request: &HttpRequest, measuring: &Measuring, caller: &Caller, body: &[u8]) -> HttpResponse {
    let read =
        ProvideManyRequest::decode(body).map(|ProvideManyRequest { cids, manner, target }| ((cids, manner), target));
    let (cids, manner) = match wanted(read) {
        Ok(many) => many,
        Err(refusal) => return refusal.into(),
    };
    let (fleet, scheduler, keys) = (&measuring.fleet, &caller.scheduler, cids.len());
    let span = info_span!("many", fleet, scheduler, keys, strategy = manner.as_str());
    // If the caller goes, this function ends where it waits, and the request counts as abandoned.
    let under_way = measuring.metrics.publishes_many(fleet, manner);
    let publishing = measuring.dht.provide_many.ask(ProvideMany { cids, manner });
    let _at_work = measuring.at_work(request, caller);
    async {
        match publishing.await {
            Ok(Ok(all)) => {
                info!(
                    lost = all.lost(),
                    lookups = all.lookups,
                    questions = all.questions,
                    records = all.records,
                    dials = all.dials,
                    duration_seconds = all.duration.as_secs_f64(),
                    "published"
                );
                under_way.ended(&all);
                HttpResponse::Ok().content_type("application/json").body(ManyAnswer::of(&all).encode())
            }
            Ok(Err(error)) => {
                let is_busy = matches!(error, OperationError::Busy(_) | OperationError::BusyWithMany);
                if is_busy {
                    under_way.refused()
                } else {
                    under_way.failed()
                }
                not_done(&error)
            }
            Err(error) => {
                under_way.failed();
                not_asked(&error)
            }
        }
    }
    .instrument(span)
    .await
}

async fn retrieve(request: HttpRequest, measuring: Data<Measuring>, text: Path<String>, body: Payload) -> HttpResponse {
    measuring.signed(found(&request, &measuring, text.into_inner(), body).await)
}

/// The content of the body does not matter. It is read all the same: the HTTP library closes a connection on which a
/// body was left unread, and a scheduler that reuses its connections would lose its next request.
async fn found(request: &HttpRequest, measuring: &Measuring, text: String, body: Payload) -> HttpResponse {
    let caller = Caller::of(request);
    if !measuring.lets_in(request) {
        measuring.metrics.http_request("POST", "retrieve", By::Anybody(&caller.scheduler));
        return measuring.refuse(request);
    }
    measuring.metrics.http_request("POST", "retrieve", By::Scheduler(&caller.scheduler));
    if let Err(refusal) = read_body(request, body).await {
        return refusal.into();
    }
    let cid: Cid = match text.parse() {
        Ok(cid) => cid,
        Err(error) => return Refusal::bad_request(error.to_string()).into(),
    };
    let searching = measuring.dht.retrieve.ask(Retrieve(cid));
    let _at_work = measuring.at_work(request, &caller);
    finish(measuring, OperationKind::Retrieve, &caller, text, searching).await
}

async fn readiness(request: HttpRequest, measuring: Data<Measuring>) -> HttpResponse {
    let method = if request.method() == Method::HEAD { "HEAD" } else { "GET" };
    measuring.metrics.http_request(method, "readiness", By::Anybody(&Caller::of(&request).scheduler));
    let answer = measuring.dht.readiness.ask(GetReadiness).await;
    let readiness = answer.as_ref().ok().and_then(|answer| answer.as_ref().ok());
    measuring.metrics.readiness(&measuring.fleet, readiness);
    measuring.signed(match answer {
        Ok(Ok(Readiness::Ready { .. })) => text(StatusCode::OK, "ready"),
        Ok(Ok(Readiness::NotReady(reason))) => text(StatusCode::SERVICE_UNAVAILABLE, reason),
        Ok(Err(error)) => text(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    })
}

/// Waits for the measurement, counts it, logs it, and answers with it.
async fn finish(
    measuring: &Measuring,
    kind: OperationKind,
    caller: &Caller,
    cid: String,
    operation: impl Future<Output = Result<Result<Measured, OperationError>, AskError>>,
) -> HttpResponse {
    let Caller { scheduler, attempt, wants_trace } = caller;
    let attempt = attempt.map(|attempt| field::display(attempt.0));
    let span = info_span!("operation", kind = kind.as_str(), fleet = measuring.fleet, scheduler, attempt, cid);
    async {
        let measured = match operation.await {
            Ok(Ok(measured)) => measured,
            Ok(Err(error)) => return not_done(&error),
            Err(error) => return not_asked(&error),
        };
        measuring.metrics.measured(kind, &measuring.fleet, scheduler, &measured);
        info!(
            outcome = measured.class.as_str(),
            duration_seconds = measured.duration.as_secs_f64(),
            error = measured.error,
            "measured"
        );
        let trace = measured.trace.as_deref().filter(|_| *wants_trace);
        let answer = Answer::from_measured(&cid, &measured, kind).with_trace(trace);
        HttpResponse::Ok().content_type("application/json").body(answer.encode())
    }
    .instrument(span)
    .await
}

/// The answer if the node did not measure.
fn not_done(error: &OperationError) -> HttpResponse {
    match error {
        OperationError::Dht(_) => failed(error.to_string()),
        OperationError::Busy(_) | OperationError::BusyWithMany => {
            debug!(%error, "not measured");
            busy(error.to_string())
        }
        OperationError::Starting => refused(error.to_string()),
    }
}

/// The answer if the node could not be asked, or did not answer.
fn not_asked(error: &AskError) -> HttpResponse {
    match error {
        AskError::Unavailable(_) | AskError::Busy(_) => refused(error.to_string()),
        _ => failed(error.to_string()),
    }
}

/// An error that would be the same if the client asked again at once.
fn failed(reason: String) -> HttpResponse {
    warn!(reason, "not measured");
    text(StatusCode::INTERNAL_SERVER_ERROR, reason)
}

/// Not available now: the node is being started.
fn refused(reason: String) -> HttpResponse {
    warn!(reason, "not measured");
    text(StatusCode::SERVICE_UNAVAILABLE, reason)
}
