//! What parsec counts about itself: under the names that the original's dashboards read, and under clearer ones as
//! well.

mod actors;
mod exposition;
mod host;
mod labels;
mod late;
mod many;
mod nodes;
mod records;
mod register;
mod spool;
mod summary;

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use parsec_dht::DenylistName;
use parsec_dht::Readiness;
use parsec_measure::{
    FollowUp, HolderCheck, Manner, Measured, Node, OperationKind, OutcomeClass, RequestKind, RoundOutcome,
};
use parsec_store::SpoolState;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::labels::Bounded;
use self::summary::SlidingSummary;

use super::vitals::{DatabaseCall, Vitals};
use crate::supervision::signs::Signs;
use crate::supervision::supervise::{CrashCounter, CrashKind};

pub use self::exposition::MEDIA_TYPE;
pub use self::many::ManyUnderWay;
pub use super::role::Role;

const ISSUED_PROVIDES: &str = "parsec_issued_provides";
const ISSUED_RETRIEVALS: &str = "parsec_issued_retrievals";

/// Counters that the original named without the suffix that counters have.
const PLAIN_COUNTERS: [&str; 2] = [ISSUED_PROVIDES, ISSUED_RETRIEVALS];

/// Who made a request: the name that it gives itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// Somebody who may have operations done.
    Scheduler(&'a str),
    /// Somebody who did not have to show anything, or could not.
    Anybody(&'a str),
}

/// Every metric of a parsec process. Shared by all actors; each update is a few atomic operations.
pub struct Metrics {
    registry: Registry,
    vitals: Vitals,
    durations: SlidingSummary<3>,
    schedulers: Bounded,
    regions: Bounded,
    http_requests: Family<labels::Http, Counter>,
    active_nodes: Gauge,
    ready_nodes: Family<labels::Fleet, Gauge>,
    issued_provides: Family<labels::Success, Counter>,
    issued_retrievals: Family<labels::Success, Counter>,
    operations: Family<labels::Operation, Histogram>,
    attempts: Family<labels::Attempt, Histogram>,
    nodes_left_out: Family<labels::Fleet, Gauge>,
    server_ready: Family<labels::Fleet, Gauge>,
    routing_table: Family<labels::Fleet, Gauge>,
    network_size: Family<labels::Fleet, Gauge>,
    nodes: nodes::NodeMetrics,
    records: records::RecordMetrics,
    many: many::ManyMetrics,
    fallbacks: Family<labels::Fallback, Counter>,
    dht_requests: Family<labels::DhtRequest, Counter>,
    denied_requests: Family<labels::Denied, Counter>,
    actors: actors::ActorMetrics,
    backlog: Gauge,
    spool: spool::SpoolMetrics,
    rows_written: Counter,
    rows_lost: Counter,
    rows_set_aside: Counter,
    database_up: late::LateGauge,
    database_file_moves: Counter,
    traces_lost: Counter,
    certificate_expiry: Family<labels::Certificate, Gauge>,
    rounds: Family<labels::Outcome, Counter>,
    rounds_skipped: Family<labels::Fleet, Counter>,
    round_lateness: Family<labels::Fleet, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// A server of this fleet begins to serve. Its counters are created at zero now: a counter that is created with its
    /// first event hides that event from every rate.
    pub fn serving(&self, fleet: &str) {
        let _ = self.server_ready.get_or_create(&labels::Fleet::new(fleet));
        self.records.serving(fleet);
        self.many.serving(fleet);
        for kind in OperationKind::ALL {
            let _ = self.fallbacks.get_or_create(&labels::Fallback::new(kind, fleet));
        }
    }

    /// The round loop of this group begins; its counters are created at zero.
    pub fn playing(&self, group: &str) {
        for outcome in RoundOutcome::ALL {
            let _ = self.rounds.get_or_create(&labels::Outcome::new(outcome.as_str(), group));
        }
        let _ = self.rounds_skipped.get_or_create(&labels::Fleet::new(group));
        let _ = self.nodes_left_out.get_or_create(&labels::Fleet::new(group));
        self.nodes.playing(group);
        for success in [true, false] {
            let _ = self.issued_provides.get_or_create(&labels::Success { success });
            let _ = self.issued_retrievals.get_or_create(&labels::Success { success });
        }
    }

    /// When the certificate of the HTTP API expires, in seconds since 1970.
    pub fn certificate_expires(&self, at: i64) {
        self.certificate_expiry.get_or_create(&labels::Certificate { certificate: "server" }).set(at);
    }

    /// The current state, which complements the counters.
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// A supervised actor has been started, with no restarts yet.
    pub fn supervised(&self, signs: &Signs) {
        self.actors.supervised(signs.name());
        self.vitals.supervised(signs.clone());
    }

    /// These schedulers are in the database: they have labels of their own, whoever else comes.
    pub fn known_schedulers(&self, names: impl IntoIterator<Item = String>) {
        self.schedulers.know(names);
    }

    /// Whether there is a scheduler of this name in the database.
    pub fn knows_scheduler(&self, name: &str) -> bool {
        self.schedulers.knows(name)
    }

    /// A request was served. `path` is the route's name, not what the client wrote.
    pub fn http_request(&self, method: &'static str, path: &'static str, by: By<'_>) {
        let scheduler = match by {
            By::Scheduler(name) => self.schedulers.label(name),
            By::Anybody(name) => self.schedulers.label_of_anybody(name),
        };
        let labels = labels::Http { method, path, scheduler };
        self.http_requests.get_or_create(&labels).inc();
    }

    /// This server has measured something.
    pub fn measured(&self, kind: OperationKind, fleet: &str, scheduler: &str, result: &Measured) {
        self.learnt(fleet, kind, result);
        // Nobody was asked: that time is none of the DHT's.
        if result.from_own_records {
            return;
        }
        let seconds = result.duration.as_secs_f64();
        let name = match kind {
            OperationKind::Provide => "provide_duration",
            OperationKind::Retrieve => "retrieval_ttfpr",
        };
        let success = if result.class == OutcomeClass::Ok { "true" } else { "false" };
        self.durations.observe([name, success, &self.schedulers.label(scheduler)], seconds);
        let (operation, outcome) = (kind.as_str(), result.class.as_str());
        let labels = labels::Operation { operation, outcome, fleet: fleet.to_owned() };
        self.operations.get_or_create(&labels).observe(seconds);
    }

    /// This server is asked to publish many keys. What is returned is told how it ends.
    pub fn publishes_many(&self, fleet: &str, manner: Manner) -> ManyUnderWay {
        self.many.begins(fleet, manner)
    }

    /// What a result says besides its duration.
    fn learnt(&self, fleet: &str, kind: OperationKind, result: &Measured) {
        self.routing_table(fleet, result.routing_table_size);
        self.network_size(fleet, result.network_size);
        if result.fallback.is_some() {
            self.fallbacks.get_or_create(&labels::Fallback::new(kind, fleet)).inc();
        }
        for request in result.trace.iter().flat_map(|trace| &trace.requests) {
            self.dht_requests.get_or_create(&labels::DhtRequest::new(fleet, request)).inc();
        }
    }

    /// This server was asked whether it can measure; `None` means that it did not answer.
    pub fn readiness(&self, fleet: &str, readiness: Option<&Readiness>) {
        let ready = matches!(readiness, Some(Readiness::Ready { .. }));
        self.server_ready.get_or_create(&labels::Fleet::new(fleet)).set(i64::from(ready));
        if let Some(Readiness::Ready { routing_table_size, network_size }) = readiness {
            self.routing_table(fleet, *routing_table_size);
            self.network_size(fleet, *network_size);
        }
    }

    fn routing_table(&self, fleet: &str, peers: u32) {
        self.routing_table.get_or_create(&labels::Fleet::new(fleet)).set(i64::from(peers));
    }

    /// A scheduler has asked a node for something, and has an answer or the reason why there is none.
    pub fn issued(&self, kind: OperationKind, node: &Node, result: &Measured) {
        let success = labels::Success { success: result.class.is_measured() };
        match kind {
            OperationKind::Provide => self.issued_provides.get_or_create(&success).inc(),
            OperationKind::Retrieve => self.issued_retrievals.get_or_create(&success).inc(),
        };
        self.network_size(node.fleet.as_str(), result.network_size);
        self.attempted(kind, node, result);
    }

    /// An attempt has ended, or did not begin because the node could not take part.
    pub fn attempted(&self, kind: OperationKind, node: &Node, result: &Measured) {
        if result.from_own_records {
            return;
        }
        let labels = labels::Attempt {
            operation: kind.as_str(),
            outcome: result.class.as_str(),
            fleet: node.fleet.to_string(),
            region: self.regions.label(&node.region),
        };
        self.attempts.get_or_create(&labels).observe(result.duration.as_secs_f64());
    }

    /// A node of a fleet estimates the number of peers in the network, if it can.
    fn network_size(&self, fleet: &str, peers: Option<u32>) {
        if let Some(peers) = peers {
            self.network_size.get_or_create(&labels::Fleet::new(fleet)).set(i64::from(peers));
        }
    }

    /// A publication has ended.
    pub fn followed_up(&self, fleet: &str, follow_up: &FollowUp) {
        self.records.followed_up(fleet, follow_up);
    }

    /// The closest peers were asked for a record of this age.
    pub fn checked(&self, fleet: &str, after: Duration, holders: &[HolderCheck]) {
        self.records.checked(fleet, after, holders);
    }

    /// The number of ready nodes of a group.
    pub fn active_nodes(&self, group: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let ready = self.ready_nodes.get_or_create(&labels::Fleet::new(group));
        self.active_nodes.inc_by(count - ready.set(count));
    }

    /// The number of servers of a group that are left out because they fail repeatedly.
    pub fn nodes_left_out(&self, group: &str, count: usize) {
        let left_out = self.nodes_left_out.get_or_create(&labels::Fleet::new(group));
        left_out.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The number of servers of a group that cannot be reached although their heartbeats are fresh.
    pub fn unreachable_nodes(&self, group: &str, count: usize) {
        self.nodes.unreachable(group, count);
    }

    /// The number of nodes that take part in a round of a group although their heartbeats are too old.
    pub fn nodes_without_heartbeat(&self, group: &str, count: usize) {
        self.nodes.without_heartbeat(group, count);
    }

    /// The number of other round loops that publish with the same fleets.
    pub fn other_schedulers(&self, group: &str, count: usize) {
        self.nodes.other_schedulers(group, count);
    }

    /// By how much the clock of the database is ahead of ours.
    pub fn clock_skew(&self, ahead: TimeDelta) {
        self.nodes.clock_skew(self.vitals.clock_skew(ahead));
    }

    /// A round of a group begins: how long after it was due, and how many rounds before it were skipped.
    pub fn round_began(&self, group: &str, late: Duration, skipped: u32) {
        let group = labels::Fleet::new(group);
        self.round_lateness.get_or_create(&group).set(late.as_secs_f64());
        self.rounds_skipped.get_or_create(&group).inc_by(u64::from(skipped));
    }

    /// A round of a group has ended.
    pub fn round_ended(&self, group: &str, outcome: RoundOutcome) {
        self.rounds.get_or_create(&labels::Outcome::new(outcome.as_str(), group)).inc();
    }

    /// How many rows wait to be written, in memory and on disk.
    pub fn backlog(&self, in_memory: usize, on_disk: usize) {
        self.backlog.set(i64::try_from(in_memory + on_disk).unwrap_or(i64::MAX));
        self.vitals.backlog(in_memory, on_disk);
    }

    /// A call of the database has ended; `trouble` says what is wrong with the database.
    pub fn database(&self, call: DatabaseCall, trouble: Option<String>) {
        self.database_up.set(i64::from(self.vitals.database(call, trouble)));
    }

    /// How often the file of the database has been deleted or replaced until now.
    pub fn database_file_moves(&self, moves: usize) {
        self.database_file_moves.inner().fetch_max(moves as u64, std::sync::atomic::Ordering::Relaxed);
    }

    /// Rows that the database refuses, or their traces, have been set aside.
    pub fn rows_set_aside(&self, rows: usize) {
        self.rows_set_aside.inc_by(rows as u64);
        self.vitals.rows_set_aside(rows);
    }

    /// The state of the spool, and whether it accepts rows.
    pub fn spool(&self, state: &SpoolState, works: bool) {
        self.spool.tell(state, works);
        self.vitals.spool(*state, works);
    }

    /// Rows have been written to the database.
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

    /// Keys in other peers' requests are looked up in this denylist: its series begin at zero.
    pub fn watched(&self, list: DenylistName) {
        for request in [RequestKind::AddProvider, RequestKind::GetProviders] {
            drop(self.denied_requests.get_or_create(&labels::Denied::new(list, request)));
        }
    }

    /// Another peer has sent this node a request for something on a denylist.
    pub fn denied(&self, list: DenylistName, request: RequestKind) {
        self.denied_requests.get_or_create(&labels::Denied::new(list, request)).inc();
    }

    /// Everything, in the format of [`MEDIA_TYPE`].
    pub fn encode(&self) -> Result<String, fmt::Error> {
        self.actors.look_at(&self.vitals.actors());
        let mut open_metrics = String::new();
        encode_registry(&mut open_metrics, &self.registry)?;
        let mut out = exposition::classic(&open_metrics, &PLAIN_COUNTERS);
        self.durations.encode(&mut out)?;
        Ok(out)
    }
}

impl CrashCounter for Metrics {
    fn restarted(&self, actor: &str, kind: CrashKind) {
        self.actors.restarted(actor, kind);
    }
}

#[cfg(test)]
mod tests;
