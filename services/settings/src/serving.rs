//! The settings of the commands that serve a deployment: `server`, `scheduler`, `health`.

use std::time::Duration;

use parsec_dht::{PrivatePeers, Warmth};
use parsec_measure::{Fleet, FleetGroup, Share, StrategyKind};

use crate::access::{CallingConfig, ServerUrl, ServingConfig, health_url};
use crate::common::{CommonConfig, DatabaseConfig, TelemetryConfig};
use crate::declare::settings;
use crate::error::{ConfigError, Origin};
use crate::idle_values;
use crate::key::DHT_ONLY;
use crate::place::{DenylistFiles, PlaceConfig};
use crate::sources::Sources;
use crate::spool::SpoolConfig;
use crate::values::{self, HostPort};

/// The most lookups by one node in one round. Each waits for the one before it, and a round has to end.
const MAX_PROBES: u32 = 1_000;

/// The most peers that a lookup asks at the same time: the size of many buckets, far beyond any use.
pub(super) const MAX_ALPHA: u16 = 256;

/// `parsec server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// Where the metrics are offered.
    pub telemetry: TelemetryConfig,
    /// How long a stop may take.
    pub stop_timeout: Duration,
    /// Where the node is registered.
    pub database: DatabaseConfig,
    /// Whether nothing is to be stored.
    pub dry_run: bool,
    /// Where rows wait while the database is away.
    pub spool: SpoolConfig,
    /// What it is told about the place where it runs.
    pub place: PlaceConfig,
    /// Where the HTTP API listens.
    pub api: HostPort,
    /// Whom it lets in.
    pub access: ServingConfig,
    /// Where the libp2p host listens.
    pub peer: HostPort,
    /// Its fleet; the empty name if none was given.
    pub fleet: Fleet,
    /// How long after the start the first heartbeat comes.
    pub startup_delay: Duration,
    /// Of how many publications the records are looked for later; 0 is none.
    pub verify_records: Share,
    /// How long an operation may take.
    pub operation_timeout: Duration,
    /// Its part in the DHT.
    pub dht: DhtConfig,
    /// What the requests of others are looked up in.
    pub denylists: DenylistFiles,
}

/// A node's part in the DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhtConfig {
    /// The project, such as `ipfs`.
    pub project: String,
    /// The project's network, such as `amino`.
    pub network: String,
    /// How to publish and find.
    pub strategy: StrategyKind,
    /// Whether to answer other peers' requests.
    pub server_mode: bool,
    /// How many peers a lookup asks at the same time, at least 1.
    pub alpha: u16,
    /// Multiaddrs with a peer id; empty means the network's own.
    pub bootstrap_peers: Vec<String>,
    /// The protocols, in the order in which they are offered, at least one; `None` is the network's own.
    pub protocol_ids: Option<Vec<String>>,
    /// Multiaddrs to announce.
    pub external_addresses: Vec<String>,
    /// What to do with private addresses of other peers.
    pub private_peers: PrivatePeers,
    /// How many connections are kept.
    pub connections: Warmth,
}

settings! {
    /// `parsec scheduler`.
    SchedulerConfig read(from);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    + /// Where the metrics are offered.
    telemetry: TelemetryConfig = TelemetryConfig::read(from)?;
    + /// How long a stop may take.
    stop_timeout: Duration = from.required("stop.timeout", values::positive_duration)?;
    + /// Where the nodes are found and the measurements go.
    database: DatabaseConfig = DatabaseConfig::read(from)?;
    + /// Whether nothing is to be stored.
    dry_run: bool = from.required("dry_run", values::switch)?;
    + /// Where rows wait while the database is away.
    spool: SpoolConfig = SpoolConfig::read(from)?;
    + /// How it enters the servers: over TLS if there are authorities to believe.
    access: CallingConfig = CallingConfig::of_scheduler(from)?;
    interval: Duration = text("scheduler.interval", "interval", "DURATION").default("1m"),
        required values::positive_duration, "Time from the start of one round to the start of the next";
    probes: u32 = number("scheduler.probes", "probes", "N").default("1"),
        required values::within(1..=MAX_PROBES), "How often each node looks up what was published";
    operation_timeout: Duration = text("scheduler.operation_timeout", "operation-timeout", "DURATION").default("3m10s"),
        required values::positive_duration, "How long to wait for the answer of a server; longer than the server's own limit";
    trace_sample: Share = decimal("scheduler.trace_sample", "trace-sample", "SHARE").default("0.01"),
        required values::share,
        "Share of the operations, from 0 to 1, whose traces are kept; failures and the slowest are always kept";
    routing: Option<String> = text("scheduler.routing", "routing", "ROUTING").default("DHT").idle(DHT_ONLY, idle_values::routing),
        optional values::any_text, "What to measure: DHT (accepted for configurations from 2023)";
    // Last, so that everything else is judged where nobody says which.
    fleets: Vec<FleetGroup> = list("scheduler.fleets", "fleets", "FLEETS"),
        required |list: &str| FleetGroup::parse_list(list).map_err(|error| error.to_string()),
        "Fleets to measure (required): a comma separates loops of rounds, a plus joins fleets into one loop";
}

/// `parsec health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// The server to ask.
    pub server: ServerUrl,
    /// Whom to believe that they are the server.
    pub access: CallingConfig,
}

impl ServerConfig {
    /// Reads what `parsec server` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            common: CommonConfig::read(from)?,
            telemetry: TelemetryConfig::read(from)?,
            stop_timeout: from.required("stop.timeout", values::positive_duration)?,
            database: DatabaseConfig::read(from)?,
            dry_run: from.required("dry_run", values::switch)?,
            spool: SpoolConfig::read(from)?,
            place: PlaceConfig::read(from)?,
            api: HostPort {
                host: from.required("server.server_host", values::host)?,
                port: from.required("server.server_port", values::stored_port("server_port"))?,
            },
            access: ServingConfig::read(from)?,
            peer: HostPort {
                host: from.required("server.peer_host", values::host)?,
                port: from.required("server.peer_port", values::stored_port("peer_port"))?,
            },
            fleet: from.required("server.fleet", values::parsed)?,
            startup_delay: from.required("server.startup_delay", values::duration)?,
            verify_records: from.required("server.verify_records", values::share)?,
            operation_timeout: from.required("server.operation_timeout", values::positive_duration)?,
            dht: DhtConfig {
                server_mode: from.required("server.dht.server_mode", values::switch)?,
                ..DhtConfig::read(from)?
            },
            denylists: DenylistFiles::read(from)?,
        })
    }
}

impl DhtConfig {
    /// What every node needs to know. It answers nobody else's requests, unless it is told to.
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            project: from.required("server.dht.project", values::text)?,
            network: from.required("server.dht.network", values::text)?,
            strategy: strategy(from)?,
            server_mode: false,
            alpha: from.required("server.dht.alpha", values::within(1..=MAX_ALPHA))?,
            bootstrap_peers: from
                .optional("server.dht.bootstrap_peers", values::list(values::peer_multiaddr))?
                .unwrap_or_default(),
            protocol_ids: from.optional("server.dht.protocol_id", values::distinct(values::protocol_id))?,
            external_addresses: from
                .optional("server.dht.external_addresses", values::list(values::multiaddr))?
                .unwrap_or_default(),
            private_peers: from.required("server.dht.private_peers", values::private_peers)?,
            connections: from.required("server.dht.connections", values::connections)?,
        })
    }
}

/// The strategy that three settings can name, whichever was set in the place that wins.
fn strategy(from: &Sources) -> Result<StrategyKind, ConfigError> {
    let switched = |name, kind| Ok(from.required(name, values::switch)?.then_some((from.origin(name), kind)));
    let named = from.optional("server.dht.strategy", values::strategy)?;
    let mut asked: Vec<(&Origin, StrategyKind)> = [
        named.map(|kind| (from.origin("server.dht.strategy"), kind)),
        switched("server.dht.fullrt", StrategyKind::Fullrt)?,
        switched("server.dht.optprov", StrategyKind::Optprov)?,
    ]
    .into_iter()
    .flatten()
    .collect();
    let highest = asked.iter().map(|(origin, _)| origin.rank()).max();
    asked.retain(|(origin, _)| Some(origin.rank()) == highest);
    let Some((first, kind)) = asked.first() else { return Ok(StrategyKind::Classic) };
    match asked.iter().find(|(_, other)| other != kind) {
        Some((other, _)) => Err(ConfigError::Both((*first).clone(), (*other).clone())),
        None => Ok(*kind),
    }
}

impl HealthConfig {
    /// Reads what `parsec health` needs; `server` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources, server: &str) -> Result<Self, ConfigError> {
        let server = health_url(server).map_err(|reason| ConfigError::Value {
            origin: Origin::Argument("HOST:PORT"),
            value: server.to_owned(),
            reason,
        })?;
        Ok(Self { common: CommonConfig::read(from)?, server, access: CallingConfig::without_token(from)? })
    }
}
