//! Under which names and with which help texts the metrics are shown, and by whom.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::{ISSUED_PROVIDES, ISSUED_RETRIEVALS, Metrics};

impl Metrics {
    pub(super) fn register_process(&mut self, version: &'static str, commit: &'static str) {
        let registry = &mut self.registry;
        registry.register(
            "parsec_build",
            "What this process was built from",
            Info::new([("version", version), ("commit", commit)]),
        );
        self.actors.register(registry);
        registry.register(
            "parsec_network_size_peers",
            "Peers that the newest node to say so believes the network to have, estimated or counted, by fleet",
            self.network_size.clone(),
        );
        registry.register("parsec_recorder_backlog_rows", "Rows that wait to be written", self.backlog.clone());
        self.spool.register(registry);
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
    }

    pub(super) fn register_server(&mut self) {
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
            "parsec_listed_requests",
            "Provider requests of other peers for content on a list",
            self.listed_requests.clone(),
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

    pub(super) fn register_scheduler(&mut self) {
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
