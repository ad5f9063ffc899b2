//! What parsec counts about itself, under the names that dashboards of the original read, and under better ones beside them.

use std::collections::BTreeSet;
use std::fmt;

use parking_lot::Mutex;
use parsec_measure::{FollowUp, ListName, Measured, OperationKind, OutcomeClass, RequestKind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::summary::SlidingSummary;

/// How many different schedulers get series of their own; a stranger who invents more lands in `other`.
const MAX_SCHEDULERS: usize = 16;

/// Upper bounds of the duration histogram, in seconds: from a warm lookup on one host to the limit of an operation.
const DURATION_BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 180.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: String,
    path: String,
    scheduler: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SuccessLabels {
    success: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: String,
    outcome: String,
    fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PutLabels {
    outcome: String,
    fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    operation: String,
    fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActorLabels {
    actor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FleetLabels {
    fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListLabels {
    list: String,
    request: String,
}

/// Every metric of a parsec process. Shared by all actors; each update is a few atomic operations.
pub struct Metrics {
    registry: Registry,
    durations: SlidingSummary<3>,
    schedulers: Mutex<BTreeSet<String>>,
    http_requests: Family<HttpLabels, Counter>,
    active_nodes: Gauge,
    ready_nodes: Family<FleetLabels, Gauge>,
    /// Counters, but under the original's names, which lack the `_total` that prometheus-client adds to a counter's.
    issued_provides: Family<SuccessLabels, Gauge>,
    issued_retrievals: Family<SuccessLabels, Gauge>,
    operations: Family<OperationLabels, Histogram>,
    attempts: Family<OperationLabels, Histogram>,
    routing_table: Gauge,
    network_size: Family<FleetLabels, Gauge>,
    background_puts: Family<PutLabels, Counter>,
    fallbacks: Family<FallbackLabels, Counter>,
    restarts: Family<ActorLabels, Counter>,
    backlog: Gauge,
    rows_written: Counter,
    rows_lost: Counter,
    traces_lost: Counter,
    rounds_skipped: Family<FleetLabels, Counter>,
    listed_requests: Family<ListLabels, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All metrics at zero. `version` and `commit` stand in `parsec_build_info`.
    pub fn new(version: &'static str, commit: &'static str) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATION_BUCKETS);
        let mut metrics = Self {
            registry: Registry::default(),
            durations: SlidingSummary::new(
                "parsec_durations",
                "Durations of successful and failed operations in seconds, over 24 hours",
                ["type", "success", "scheduler"],
            ),
            schedulers: Mutex::default(),
            http_requests: Family::default(),
            active_nodes: Gauge::default(),
            ready_nodes: Family::default(),
            issued_provides: Family::default(),
            issued_retrievals: Family::default(),
            operations: Family::new_with_constructor(histogram),
            attempts: Family::new_with_constructor(histogram),
            routing_table: Gauge::default(),
            network_size: Family::default(),
            background_puts: Family::default(),
            fallbacks: Family::default(),
            restarts: Family::default(),
            backlog: Gauge::default(),
            rows_written: Counter::default(),
            rows_lost: Counter::default(),
            traces_lost: Counter::default(),
            rounds_skipped: Family::default(),
            listed_requests: Family::default(),
        };
        metrics.register(version, commit);
        metrics
    }

    fn register(&mut self, version: &'static str, commit: &'static str) {
        let registry = &mut self.registry;
        registry.register(
            "parsec_build",
            "What this process was built from",
            Info::new([("version", version), ("commit", commit)]),
        );
        registry.register("parsec_http_requests", "HTTP requests served", self.http_requests.clone());
        registry.register(
            "parsec_active_nodes",
            "Nodes ready to measure in the newest round, all fleets together",
            self.active_nodes.clone(),
        );
        registry.register("parsec_ready_nodes", "The same by group of fleets", self.ready_nodes.clone());
        registry.register("parsec_issued_provides", "Publications asked for", self.issued_provides.clone());
        registry.register("parsec_issued_retrievals", "Lookups asked for", self.issued_retrievals.clone());
        // The original keeps its provider records on disk; ours are in memory.
        registry.register(
            "parsec_datastore_disk_usage",
            "Bytes on disk that hold provider records",
            Gauge::<i64>::default(),
        );
        registry.register_with_unit(
            "parsec_operation_duration",
            "Durations of the operations of this server by outcome",
            Unit::Seconds,
            self.operations.clone(),
        );
        registry.register_with_unit(
            "parsec_attempt_duration",
            "Durations of the attempts of this scheduler by outcome",
            Unit::Seconds,
            self.attempts.clone(),
        );
        registry.register(
            "parsec_routing_table_peers",
            "Peers in the routing table at the newest operation",
            self.routing_table.clone(),
        );
        registry.register(
            "parsec_network_size_estimate",
            "Peers that the newest node to say so believes the network to have, by fleet",
            self.network_size.clone(),
        );
        registry.register(
            "parsec_background_puts",
            "Puts of publications that went on in the background, those from before their return included, counted when \
             the last has ended",
            self.background_puts.clone(),
        );
        registry.register(
            "parsec_fallbacks",
            "Operations of this server that were done the classic way although it is meant to do better",
            self.fallbacks.clone(),
        );
        registry.register("parsec_actor_restarts", "Restarts after a crash", self.restarts.clone());
        registry.register("parsec_recorder_backlog_rows", "Rows that wait to be written", self.backlog.clone());
        registry.register("parsec_recorder_rows_written", "Rows written to the database", self.rows_written.clone());
        registry.register(
            "parsec_recorder_rows_lost",
            "Rows that could not be kept or written",
            self.rows_lost.clone(),
        );
        registry.register(
            "parsec_recorder_traces_lost",
            "Traces left out because too many waited to be written",
            self.traces_lost.clone(),
        );
        registry.register(
            "parsec_rounds_skipped",
            "Rounds left out because an earlier one took too long",
            self.rounds_skipped.clone(),
        );
        registry.register(
            "parsec_listed_requests",
            "Provider requests of other peers for content on a list",
            self.listed_requests.clone(),
        );
    }

    /// A scheduler's label: itself, or `other` once there are too many different ones.
    fn scheduler_label(&self, id: &str) -> String {
        let mut known = self.schedulers.lock();
        if known.contains(id) {
            return id.to_owned();
        }
        // The longest list of fleets that makes sense as a label.
        if known.len() >= MAX_SCHEDULERS || id.chars().count() > 128 {
            return "other".to_owned();
        }
        known.insert(id.to_owned());
        id.to_owned()
    }

    /// A request was served. `path` is the route's name, not what the client wrote.
    pub fn http_request(&self, method: &'static str, path: &'static str, scheduler: &str) {
        let scheduler = self.scheduler_label(scheduler);
        let labels = HttpLabels { method: method.to_owned(), path: path.to_owned(), scheduler };
        self.http_requests.get_or_create(&labels).inc();
    }

    /// This server has measured something.
    pub fn measured(&self, kind: OperationKind, fleet: &str, scheduler: &str, result: &Measured) {
        let seconds = result.duration.as_secs_f64();
        let name = match kind {
            OperationKind::Provide => "provide_duration",
            OperationKind::Retrieve => "retrieval_ttfpr",
        };
        let success = if result.class == OutcomeClass::Ok { "true" } else { "false" };
        self.durations.observe([name, success, &self.scheduler_label(scheduler)], seconds);
        self.routing_table.set(i64::from(result.routing_table_size));
        self.network_size(fleet, result.network_size);
        if result.fallback.is_some() {
            let labels = FallbackLabels { operation: kind.as_str().to_owned(), fleet: fleet.to_owned() };
            self.fallbacks.get_or_create(&labels).inc();
        }
        observe(&self.operations, kind, fleet, result);
    }

    /// A scheduler has had something measured.
    pub fn issued(&self, kind: OperationKind, fleet: &str, result: &Measured) {
        let success = SuccessLabels { success: (result.class == OutcomeClass::Ok).to_string() };
        match kind {
            OperationKind::Provide => self.issued_provides.get_or_create(&success).inc(),
            OperationKind::Retrieve => self.issued_retrievals.get_or_create(&success).inc(),
        };
        self.network_size(fleet, result.network_size);
        observe(&self.attempts, kind, fleet, result);
    }

    /// A node of a fleet believes the network to have so many peers, if it can tell.
    pub fn network_size(&self, fleet: &str, peers: Option<u32>) {
        if let Some(peers) = peers {
            self.network_size.get_or_create(&FleetLabels { fleet: fleet.to_owned() }).set(i64::from(peers));
        }
    }

    /// The puts that a publication left to the background have ended.
    pub fn followed_up(&self, fleet: &str, follow_up: &FollowUp) {
        for (outcome, puts) in [("stored", follow_up.stored), ("failed", follow_up.failed)] {
            let labels = PutLabels { outcome: outcome.to_owned(), fleet: fleet.to_owned() };
            self.background_puts.get_or_create(&labels).inc_by(u64::from(puts));
        }
    }

    /// So many nodes of a group are ready.
    pub fn active_nodes(&self, group: &str, count: usize) {
        let labels = FleetLabels { fleet: group.to_owned() };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let ready = self.ready_nodes.get_or_create(&labels);
        self.active_nodes.inc_by(count - ready.set(count));
    }

    /// So many rounds of a group were left out.
    pub fn rounds_skipped(&self, group: &str, count: u32) {
        self.rounds_skipped.get_or_create(&FleetLabels { fleet: group.to_owned() }).inc_by(u64::from(count));
    }

    /// An actor crashed and comes back.
    pub fn restarted(&self, actor: &str) {
        self.restarts.get_or_create(&ActorLabels { actor: actor.to_owned() }).inc();
    }

    /// So many rows wait to be written.
    pub fn backlog(&self, rows: usize) {
        self.backlog.set(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    /// Rows have reached the database.
    pub fn rows_written(&self, rows: usize) {
        self.rows_written.inc_by(rows as u64);
    }

    /// Rows have been lost.
    pub fn rows_lost(&self, rows: usize) {
        self.rows_lost.inc_by(rows as u64);
    }

    /// Traces have been left out of rows.
    pub fn traces_lost(&self, traces: usize) {
        self.traces_lost.inc_by(traces as u64);
    }

    /// Other peers' requests are looked up in this list: its series begin at zero.
    pub fn watched(&self, list: ListName) {
        for request in [RequestKind::AddProvider, RequestKind::GetProviders] {
            drop(self.listed_requests.get_or_create(&list_labels(list, request)));
        }
    }

    /// Another peer has asked this node for something on a list.
    pub fn listed(&self, list: ListName, request: RequestKind) {
        self.listed_requests.get_or_create(&list_labels(list, request)).inc();
    }

    /// Everything in OpenMetrics text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        encode_registry(&mut out, &self.registry)?;
        self.durations.encode(&mut out)?;
        encode_eof(&mut out)?;
        Ok(out)
    }
}

fn list_labels(list: ListName, request: RequestKind) -> ListLabels {
    ListLabels { list: list.as_str().to_owned(), request: request.as_str().to_ascii_lowercase() }
}

fn observe(family: &Family<OperationLabels, Histogram>, kind: OperationKind, fleet: &str, result: &Measured) {
    let labels = OperationLabels {
        operation: kind.as_str().to_owned(),
        outcome: result.class.as_str().to_owned(),
        fleet: fleet.to_owned(),
    };
    family.get_or_create(&labels).observe(result.duration.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ok(ms: u64) -> Measured {
        Measured { routing_table_size: 202, ..Measured::unmeasured(OutcomeClass::Ok, Duration::from_millis(ms), "") }
    }

    #[test]
    fn the_series_of_the_original_are_there() {
        let metrics = Metrics::new("0.1.0", "abc");
        metrics.http_request("POST", "provide", "default");
        metrics.measured(OperationKind::Provide, "default", "default", &ok(1500));
        metrics.measured(OperationKind::Retrieve, "default", "default", &ok(300));
        metrics.active_nodes("default", 7);
        metrics.issued(OperationKind::Provide, "default", &ok(1500));
        metrics.issued(OperationKind::Retrieve, "default", &ok(300));
        let text = metrics.encode().unwrap();
        for line in [
            "parsec_http_requests_total{method=\"POST\",path=\"provide\",scheduler=\"default\"} 1",
            "# TYPE parsec_durations summary",
            "parsec_durations_count{type=\"provide_duration\",success=\"true\",scheduler=\"default\"} 1",
            "parsec_durations_count{type=\"retrieval_ttfpr\",success=\"true\",scheduler=\"default\"} 1",
            "parsec_active_nodes 7",
            "parsec_ready_nodes{fleet=\"default\"} 7",
            "parsec_issued_provides{success=\"true\"} 1",
            "parsec_issued_retrievals{success=\"true\"} 1",
            "parsec_datastore_disk_usage 0",
            "parsec_routing_table_peers 202",
            "parsec_build_info{version=\"0.1.0\",commit=\"abc\"} 1",
            "parsec_operation_duration_seconds_count{operation=\"provide\",outcome=\"ok\",fleet=\"default\"} 1",
            "parsec_attempt_duration_seconds_count{operation=\"provide\",outcome=\"ok\",fleet=\"default\"} 1",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn what_a_server_knows_of_its_network_and_of_its_puts_is_told_by_fleet() {
        let metrics = Metrics::new("0.1.0", "abc");
        let fell_back = Measured { fallback: Some("no estimate".to_owned()), network_size: Some(7_000), ..ok(5) };
        metrics.measured(OperationKind::Provide, "optprov", "default", &fell_back);
        metrics.measured(OperationKind::Provide, "optprov", "default", &ok(5));
        metrics.issued(OperationKind::Provide, "fullrt", &Measured { network_size: Some(6_900), ..fell_back });
        let cid = "Qm".to_owned();
        let follow_up = FollowUp { attempt: None, cid, stored: 18, failed: 2, duration: Duration::from_secs(9) };
        metrics.followed_up("optprov", &follow_up);
        let text = metrics.encode().unwrap();
        for line in [
            "parsec_network_size_estimate{fleet=\"optprov\"} 7000",
            "parsec_network_size_estimate{fleet=\"fullrt\"} 6900",
            "parsec_fallbacks_total{operation=\"provide\",fleet=\"optprov\"} 1",
            "parsec_background_puts_total{outcome=\"stored\",fleet=\"optprov\"} 18",
            "parsec_background_puts_total{outcome=\"failed\",fleet=\"optprov\"} 2",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn requests_for_listed_content_are_counted_by_list_and_kind_from_zero_on() {
        let metrics = Metrics::new("0.1.0", "abc");
        metrics.watched(ListName::DeniedCids);
        metrics.listed(ListName::Badbits, RequestKind::AddProvider);
        let text = metrics.encode().unwrap();
        for line in [
            "parsec_listed_requests_total{list=\"denied_cids\",request=\"add_provider\"} 0",
            "parsec_listed_requests_total{list=\"denied_cids\",request=\"get_providers\"} 0",
            "parsec_listed_requests_total{list=\"badbits\",request=\"add_provider\"} 1",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn strangers_cannot_grow_the_number_of_series() {
        let metrics = Metrics::new("0.1.0", "abc");
        for i in 0..1_000 {
            metrics.http_request("POST", "provide", &format!("stranger-{i}"));
            metrics.measured(OperationKind::Provide, "default", &"x".repeat(i), &ok(1));
        }
        let text = metrics.encode().unwrap();
        let series = text.lines().filter(|line| line.starts_with("parsec_http_requests_total")).count();
        assert!((2..=MAX_SCHEDULERS + 1).contains(&series), "{series} series of requests");
        let series = text.lines().filter(|line| line.starts_with("parsec_durations_count")).count();
        assert!((2..=MAX_SCHEDULERS + 1).contains(&series), "{series} series of durations");
    }
}
