//! Creates the metrics: their names and help texts, and which role of process shows them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::labels::Bounded;
use super::late::LateGauge;
use super::summary::SlidingSummary;
use super::{ISSUED_PROVIDES, ISSUED_RETRIEVALS, Metrics, actors, host, many, nodes, records, spool};
use crate::telemetry::role::Role;
use crate::telemetry::vitals::Vitals;

/// How many schedulers of the database get series of their own, and how many others; any further ones are counted as
/// `other`.
pub(super) const MAX_SCHEDULERS: usize = 16;

/// How many different regions get series of their own: more than any cloud has. They come from the database, to which
/// others write as well.
pub(super) const MAX_REGIONS: usize = 64;

/// Upper bounds of the duration histograms, in seconds: from a lookup over open connections on one host to the time
/// limit of an operation.
const DURATION_BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 180.0];

impl Metrics {
    /// The metrics of a process with all roles.
    pub fn new(version: &'static str, commit: &'static str) -> Self {
        Self::of(Role::Both, version, commit)
    }

    /// The metrics of a role, at zero. `version` and `commit` are labels of `parsec_build_info`.
    pub fn of(role: Role, version: &'static str, commit: &'static str) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATION_BUCKETS);
        let mut metrics = Self {
            registry: Registry::default(),
            vitals: Vitals::new(role, version, commit),
            durations: SlidingSummary::new(
                "parsec_durations",
                "Durations of successful and failed operations in seconds, over 24 hours",
                ["type", "success", "scheduler"],
            ),
            schedulers: Bounded::to(MAX_SCHEDULERS),
            regions: Bounded::to(MAX_REGIONS),
            http_requests: Family::default(),
            active_nodes: Gauge::default(),
            ready_nodes: Family::default(),
            issued_provides: Family::default(),
            issued_retrievals: Family::default(),
            operations: Family::new_with_constructor(histogram),
            attempts: Family::new_with_constructor(histogram),
            nodes_left_out: Family::default(),
            server_ready: Family::default(),
            routing_table: Family::default(),
            network_size: Family::default(),
            nodes: nodes::NodeMetrics::default(),
            records: records::RecordMetrics::default(),
            many: many::ManyMetrics::default(),
            fallbacks: Family::default(),
            dht_requests: Family::default(),
            denied_requests: Family::default(),
            actors: actors::ActorMetrics::default(),
            backlog: Gauge::default(),
            spool: spool::SpoolMetrics::default(),
            rows_written: Counter::default(),
            rows_lost: Counter::default(),
            rows_set_aside: Counter::default(),
            database_up: LateGauge::default(),
            database_file_moves: Counter::default(),
            traces_lost: Counter::default(),
            certificate_expiry: Family::default(),
            rounds: Family::default(),
            rounds_skipped: Family::default(),
            round_lateness: Family::default(),
        };
        metrics.register_process(version, commit);
        if role != Role::Scheduler {
            metrics.register_server();
        }
        if role != Role::Server {
            metrics.register_scheduler();
        }
        metrics
    }

    fn register_process(&mut self, version: &'static str, commit: &'static str) {
        let registry = &mut self.registry;
        registry.register(
            "parsec_build",
            "What this process was built from",
            Info::new([("version", version), ("commit", commit)]),
        );
        registry.register_collector(Box::new(host::Host));
        self.actors.register(registry);
        self.nodes.register_process(registry);
        registry.register(
            "parsec_network_size_peers",
            "Peers that the newest node to say so believes the network to have, estimated or counted, by fleet",
            self.network_size.clone(),
        );
        registry.register(
            "parsec_recorder_backlog_rows",
            "Rows that wait to be written, in memory or on disk",
            self.backlog.clone(),
        );
        self.spool.register(registry);
        registry.register("parsec_recorder_rows_written", "Rows written to the database", self.rows_written.clone());
        registry.register(
            "parsec_recorder_rows_lost",
            "Rows that could not be kept or written",
            self.rows_lost.clone(),
        );
        registry.register(
            "parsec_recorder_rows_set_aside",
            "Rows that the database refused, or whose trace it refused, kept in a file for `parsec spool replay`",
            self.rows_set_aside.clone(),
        );
        registry.register(
            "parsec_database_up",
            "Whether the database can be reached and takes what is written: 1, or 0",
            self.database_up.clone(),
        );
        registry.register(
            "parsec_database_file_moves",
            "How often the SQLite file of the database was deleted or replaced while in use, and followed",
            self.database_file_moves.clone(),
        );
        registry.register(
            "parsec_recorder_traces_lost",
            "Traces left out because too many waited to be written",
            self.traces_lost.clone(),
        );
    }

    fn register_server(&mut self) {
        let registry = &mut self.registry;
        registry.register("parsec_http_requests", "HTTP requests served", self.http_requests.clone());
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
        registry.register(
            "parsec_certificate_expiry_timestamp_seconds",
            "When the certificate of the HTTP API expires, since 1970; only with TLS",
            self.certificate_expiry.clone(),
        );
        registry.register(
            "parsec_listed_requests",
            "Provider requests of other peers for content on a list",
            self.denied_requests.clone(),
        );
        registry.register(
            "parsec_server_ready",
            "Whether this server said that it can measure when it was asked last: 1 or 0",
            self.server_ready.clone(),
        );
        registry.register(
            "parsec_routing_table_peers",
            "Peers in the routing table; with a full one, peers that the crawl found",
            self.routing_table.clone(),
        );
        self.records.register(registry);
        self.many.register(registry);
        registry.register(
            "parsec_fallbacks",
            "Operations of this server that were done the classic way although it is meant to do better",
            self.fallbacks.clone(),
        );
        registry.register(
            "parsec_dht_requests",
            "Requests of this server's operations to peers, each try of its own, by how they ended; one that is still under \
             way when its operation returns is pending",
            self.dht_requests.clone(),
        );
    }

    fn register_scheduler(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "parsec_active_nodes",
            "Nodes ready to measure in the newest round, all fleets together",
            self.active_nodes.clone(),
        );
        registry.register(
            "parsec_ready_nodes",
            "Nodes ready to measure in the newest round, by round loop",
            self.ready_nodes.clone(),
        );
        registry.register(
            "parsec_nodes_left_out",
            "Nodes not asked in the newest round because their servers failed again and again, by round loop",
            self.nodes_left_out.clone(),
        );
        self.nodes.register_scheduler(registry);
        let help = "asked for; success is an answer with a measurement, which may be of a failure";
        registry.register(ISSUED_PROVIDES, format!("Publications {help}"), self.issued_provides.clone());
        registry.register(ISSUED_RETRIEVALS, format!("Lookups {help}"), self.issued_retrievals.clone());
        registry.register_with_unit(
            "parsec_attempt_duration",
            "Durations of the attempts of this scheduler by outcome, and by fleet and region of the node",
            Unit::Seconds,
            self.attempts.clone(),
        );
        registry.register("parsec_rounds", "Rounds that have ended, by round loop and outcome", self.rounds.clone());
        registry.register(
            "parsec_rounds_skipped",
            "Rounds left out because an earlier one took too long",
            self.rounds_skipped.clone(),
        );
        registry.register_with_unit(
            "parsec_round_lateness",
            "How long after it was due the newest round began",
            Unit::Seconds,
            self.round_lateness.clone(),
        );
    }
}
