//! Duty: reports the metrics and the state of the process.
//!
//! It asks no other actor: it reads the shared [`Metrics`] and the [`Vitals`](crate::telemetry::vitals::Vitals) in
//! them. Stops with its parent.

use std::sync::Arc;

use actix::prelude::*;

use super::metrics::Metrics;
use super::vitals::Status;
use crate::supervision::progress::Progress;

/// Get all metrics, as text that Prometheus reads.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<String, std::fmt::Error>")]
pub struct Scrape;

/// Get the state of the process and of each of its actors.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Box<Status>")]
pub struct GetStatus;

/// See the module's documentation.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
}

impl Telemetry {
    /// Reports these metrics.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl Actor for Telemetry {
    type Context = Context<Self>;
}

impl Supervised for Telemetry {}

impl Progress for Telemetry {}

impl Handler<Scrape> for Telemetry {
    type Result = Result<String, std::fmt::Error>;

    fn handle(&mut self, _: Scrape, _: &mut Self::Context) -> Self::Result {
        self.metrics.encode()
    }
}

impl Handler<GetStatus> for Telemetry {
    type Result = MessageResult<GetStatus>;

    fn handle(&mut self, _: GetStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(Box::new(self.metrics.vitals().status()))
    }
}
