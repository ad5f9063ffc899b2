//! The routes for operators: metrics and status.

use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use chrono::{DateTime, SecondsFormat, Utc};
use parsec_store::SpoolState;
use serde_json::{Value, json};

use super::refusal::{text, unknown_path, wrong_method};
use crate::supervision::ask::Ask;
use crate::telemetry::metrics::MEDIA_TYPE;
use crate::telemetry::vitals::{ActorStatus, DatabaseVitals, LastRound, RecorderVitals, Status};
use crate::telemetry::{GetStatus, Scrape};

/// The routes, for the answer to requests for anything else.
const SERVED: &str = "GET /metrics and GET /status";

/// The actors that the telemetry routes ask.
#[derive(Debug, Clone)]
pub struct Reports {
    /// For the metrics.
    pub metrics: Ask<Scrape>,
    /// For the state of the process.
    pub status: Ask<GetStatus>,
}

pub(super) fn configure(config: &mut ServiceConfig) {
    const READ: &[Method] = &[Method::GET, Method::HEAD];
    let only = || web::to(|request, body| wrong_method(request, body, READ));
    let metrics = web::resource("/metrics").route(web::get().to(metrics)).route(web::head().to(metrics));
    let status = web::resource("/status").route(web::get().to(status)).route(web::head().to(status));
    config
        .service(metrics.default_service(only()))
        .service(status.default_service(only()))
        .default_service(web::to(|request, body| unknown_path(request, body, SERVED)));
}

async fn metrics(reports: Data<Reports>) -> impl Responder {
    match reports.metrics.ask(Scrape).await {
        Ok(Ok(text)) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

async fn status(reports: Data<Reports>) -> impl Responder {
    match reports.status.ask(GetStatus).await {
        Ok(status) => HttpResponse::Ok().json(written(&status)),
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

/// The shape of `GET /status`, which `deploy/README.md` describes. A member that does not apply is `null`.
fn written(status: &Status) -> Value {
    json!({
        "version": status.version,
        "commit": status.commit,
        "role": status.role.as_str(),
        "started_at": time(status.started),
        "uptime_seconds": status.uptime.as_secs_f64(),
        "actors": status.actors.iter().map(actor).collect::<Vec<_>>(),
        "database": status.database.as_ref().map(database),
        "recorder": status.recorder.as_ref().map(recorder),
        "rounds": status.rounds.iter().map(round).collect::<Vec<_>>(),
        "clock_skew_seconds": status.clock_skew_seconds,
    })
}

fn actor(actor: &ActorStatus) -> Value {
    let crash = actor.fate.last_crash.as_ref();
    json!({
        "name": actor.name,
        "state": actor.state().as_str(),
        "restarts": actor.fate.restarts,
        "last_reason": crash.map(|(reason, _)| reason),
        "last_crash_at": crash.map(|(_, at)| time(*at)),
        "waiting": actor.waiting,
        "silent_seconds": actor.silent.as_secs(),
    })
}

fn database(database: &DatabaseVitals) -> Value {
    let error = database.last_error.as_ref();
    json!({
        "up": database.up,
        "since": time(database.since),
        "last_error": error.map(|(error, _)| error),
        "last_error_at": error.map(|(_, at)| time(*at)),
    })
}

fn recorder(recorder: &RecorderVitals) -> Value {
    json!({
        "backlog_rows": recorder.rows_in_memory + recorder.rows_on_disk,
        "rows_in_memory": recorder.rows_in_memory,
        "rows_on_disk": recorder.rows_on_disk,
        "rows_set_aside": recorder.rows_set_aside,
        "spool": recorder.spool.as_ref().map(spool),
        "degraded": recorder.degraded,
    })
}

fn spool(spool: &SpoolState) -> Value {
    json!({
        "rows": spool.rows,
        "bytes": spool.bytes,
        "max_bytes": spool.max_bytes,
        "oldest_seconds": spool.oldest.map(|age| age.as_secs_f64()),
        "max_age_seconds": spool.max_age.as_secs_f64(),
    })
}

fn round(last: &LastRound) -> Value {
    let end = last.end();
    json!({
        "fleets": last.round.fleets.to_string(),
        "id": last.round.id.0,
        "due_at": time(last.round.due),
        "started_at": time(last.round.started),
        "ended_at": end.map(|(at, _)| time(at)),
        "outcome": end.map(|(_, outcome)| outcome.as_str()),
        "attempts": last.attempts,
        "skipped": last.round.skipped_before,
    })
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
