//! What operators read.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use crate::ask::Ask;
use crate::telemetry::Scrape;

/// The media type of what `/metrics` answers (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(web::resource("/metrics").route(web::get().to(metrics)));
}

async fn metrics(scrape: Data<Ask<Scrape>>) -> HttpResponse {
    match scrape.ask(Scrape).await {
        Ok(Ok(text)) => HttpResponse::Ok().content_type(OPEN_METRICS).body(text),
        Ok(Err(error)) => HttpResponse::InternalServerError().body(error.to_string()),
        Err(error) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    }
}
