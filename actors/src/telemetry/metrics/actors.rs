//! Metrics of the actors: how often each was restarted and why, whether it runs, and how many questions wait for it.

use std::collections::BTreeMap;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels;
use crate::supervision::signs::{ActorState, Signs};
use crate::supervision::supervise::CrashKind;

#[derive(Debug, Clone, Default)]
pub(super) struct ActorMetrics {
    restarts: Family<labels::Restart, Counter>,
    up: Family<labels::Actor, Gauge>,
    waiting: Family<labels::Actor, Gauge>,
}

impl ActorMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "parsec_actor_restarts",
            "Restarts after a crash: after a panic, or because the actor or its work hung",
            self.restarts.clone(),
        );
        registry.register("parsec_actor_up", "Actors of this name that run", self.up.clone());
        registry.register(
            "parsec_actor_waiting",
            "Questions that were put to actors of this name and have not been answered yet",
            self.waiting.clone(),
        );
    }

    pub(super) fn supervised(&self, actor: &str) {
        for kind in CrashKind::ALL {
            drop(self.restarts.get_or_create(&labels::Restart::new(actor, kind)));
        }
    }

    pub(super) fn restarted(&self, actor: &str, kind: CrashKind) {
        self.restarts.get_or_create(&labels::Restart::new(actor, kind)).inc();
    }

    /// Reads the state of all actors; those of one name are added up.
    pub(super) fn look_at(&self, actors: &[Signs]) {
        let mut by_name: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for signs in actors {
            let (up, waiting) = by_name.entry(signs.name()).or_default();
            *up += i64::from(signs.fate().state == ActorState::Running);
            *waiting += i64::try_from(signs.waiting()).unwrap_or(i64::MAX);
        }
        for (name, (up, waiting)) in by_name {
            self.up.get_or_create(&labels::Actor::new(name)).set(up);
            self.waiting.get_or_create(&labels::Actor::new(name)).set(waiting);
        }
    }
}
