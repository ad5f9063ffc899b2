//! Metrics of who is alive: what a scheduler cannot reach, whose heartbeats are missing, who else schedules, and whether the
//! clocks agree.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::labels;

/// What is known of the nodes of a round loop, and of the clocks.
#[derive(Debug, Default)]
pub(super) struct NodeMetrics {
    unreachable: Family<labels::Fleet, Gauge>,
    without_heartbeat: Family<labels::Fleet, Gauge>,
    other_schedulers: Family<labels::Fleet, Gauge>,
    clock_skew: Gauge<f64, AtomicU64>,
}

impl NodeMetrics {
    pub(super) fn register_process(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "parsec_clock_skew",
            "By how much the clock of the database is ahead of this host's, at least; what the wait for its answer explains \
             is not counted",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
    }

    pub(super) fn register_scheduler(&self, registry: &mut Registry) {
        registry.register(
            "parsec_unreachable_nodes",
            "Nodes whose heartbeats are fresh and whose servers this scheduler cannot reach, by round loop",
            self.unreachable.clone(),
        );
        registry.register(
            "parsec_nodes_without_heartbeat",
            "Nodes that took part in the newest round although their heartbeats were too old, by round loop",
            self.without_heartbeat.clone(),
        );
        registry.register(
            "parsec_other_schedulers",
            "Other round loops that publish with nodes of the same fleets, by round loop",
            self.other_schedulers.clone(),
        );
    }

    /// The round loop of this group begins: its series begin at zero.
    pub(super) fn playing(&self, group: &str) {
        for family in [&self.unreachable, &self.without_heartbeat, &self.other_schedulers] {
            let _ = family.get_or_create(&labels::Fleet::new(group));
        }
    }

    pub(super) fn unreachable(&self, group: &str, count: usize) {
        set(&self.unreachable, group, count);
    }

    pub(super) fn without_heartbeat(&self, group: &str, count: usize) {
        set(&self.without_heartbeat, group, count);
    }

    pub(super) fn other_schedulers(&self, group: &str, count: usize) {
        set(&self.other_schedulers, group, count);
    }

    pub(super) fn clock_skew(&self, seconds: f64) {
        self.clock_skew.set(seconds);
    }
}

fn set(family: &Family<labels::Fleet, Gauge>, group: &str, count: usize) {
    family.get_or_create(&labels::Fleet::new(group)).set(i64::try_from(count).unwrap_or(i64::MAX));
}
