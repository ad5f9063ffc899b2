//! What rounds need.

use std::sync::Arc;

use parsec_api::client::ServerApi;
use parsec_store::Store;

use super::traces::Traces;
use crate::recording::recorder::RecorderHandle;
use crate::telemetry::metrics::Metrics;

/// What rounds need.
#[derive(Clone)]
pub struct RoundTools {
    /// Calls the servers.
    pub servers: Arc<dyn ServerApi>,
    /// Lists the nodes, and marks nodes offline.
    pub store: Arc<dyn Store>,
    /// Records what was measured.
    pub recorder: RecorderHandle,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// How often each node looks the content up.
    pub probes: u32,
    /// Decides which traces are kept.
    pub traces: Arc<Traces>,
}
