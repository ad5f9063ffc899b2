//! What operators read.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use crate::ask::Ask;
use crate::metrics::MEDIA_TYPE;
use crate::telemetry::Scrape;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(web::resource("/metrics").route(web::get().to(metrics)));
}

async fn metrics(scrape: Data<Ask<Scrape>>) -> HttpResponse {
    match scrape.ask(Scrape).await {
        Ok(Ok(text)) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Ok(Err(error)) => HttpResponse::InternalServerError().body(error.to_string()),
        Err(error) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    }
}
