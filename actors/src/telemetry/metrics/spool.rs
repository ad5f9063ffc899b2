//! Metrics of the spool: how much waits there, how close it is to its limits, and whether it accepts rows.

use std::sync::atomic::AtomicU64;

use parsec_store::SpoolState;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// All zero in a process that has no spool.
#[derive(Debug, Clone, Default)]
pub(super) struct SpoolMetrics {
    up: Gauge,
    rows: Gauge,
    bytes: Gauge<f64, AtomicU64>,
    max_bytes: Gauge<f64, AtomicU64>,
    oldest: Gauge<f64, AtomicU64>,
    max_age: Gauge<f64, AtomicU64>,
}

impl SpoolMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "parsec_spool_up",
            "Whether rows that wait are kept on disk: 1, or 0 for memory only",
            self.up.clone(),
        );
        registry.register("parsec_spool_rows", "Rows that wait on disk to be written", self.rows.clone());
        let mut gauge = |name, help, unit, gauge: &Gauge<f64, AtomicU64>| {
            registry.register_with_unit(name, help, unit, gauge.clone());
        };
        gauge("parsec_spool_size", "What the files take in which rows wait", Unit::Bytes, &self.bytes);
        gauge("parsec_spool_limit", "What these files may take", Unit::Bytes, &self.max_bytes);
        gauge("parsec_spool_oldest", "How long the oldest row has waited on disk", Unit::Seconds, &self.oldest);
        gauge("parsec_spool_age_limit", "How long a row may wait on disk", Unit::Seconds, &self.max_age);
    }

    pub(super) fn tell(&self, state: &SpoolState, works: bool) {
        self.up.set(i64::from(works));
        self.rows.set(i64::try_from(state.rows).unwrap_or(i64::MAX));
        self.bytes.set(state.bytes as f64);
        self.max_bytes.set(state.max_bytes as f64);
        self.oldest.set(state.oldest.unwrap_or_default().as_secs_f64());
        self.max_age.set(state.max_age.as_secs_f64());
    }
}
