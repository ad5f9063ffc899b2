//! The settings of each command as typed values: all that the wiring gets to see.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parsec_dht::{PrivatePeers, Warmth};
use parsec_lab::Latency;
use parsec_measure::{Fleet, FleetGroup, Share, StrategyKind};

use super::access::{CallingConfig, ServerUrl, ServingConfig, health_url};
use super::error::{ConfigError, Origin};
use super::idle;
use super::place::{ListFiles, PlaceConfig};
use super::sources::Sources;
use super::spool::SpoolConfig;
use super::table::Program;
use super::values::{self, HostPort, LogLevel, OutputFormat, Secret, SslMode};

/// The most lookups by one node in one round. Each waits for the one before it, and a round has to end.
const MAX_PROBES: u32 = 1_000;

/// The most peers that a lookup asks at the same time: the size of many buckets, far beyond any use.
pub(super) const MAX_ALPHA: u16 = 256;

/// The most peers of a demo: each costs sockets and memory of this one process.
const MAX_DEMO_PEERS: u32 = 10_000;

/// The most servers of a demo, for the same reason.
const MAX_DEMO_SERVERS: u32 = 1_000;

/// What every command has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommonConfig {
    /// The configuration file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// What is logged, and how.
    pub(crate) log: LogConfig,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogConfig {
    /// How much.
    pub(crate) level: LogLevel,
    /// In which form.
    pub(crate) format: OutputFormat,
}

/// Where the metrics are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TelemetryConfig {
    /// Where `/metrics` listens.
    pub(crate) listen: HostPort,
}

/// Where the measurements go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseConfig {
    /// The database.
    pub(crate) target: DatabaseTarget,
    /// How long to wait at the start for a database that is not there yet.
    pub(crate) wait: Duration,
}

/// How to find the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DatabaseTarget {
    /// `sqlite:PATH` or `postgres://…`, which may hold a password.
    Url(Secret),
    /// PostgreSQL, in the original's parts.
    Parts(DatabaseParts),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseParts {
    /// Host name or address.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// Name of the database.
    pub(crate) name: String,
    /// User.
    pub(crate) user: String,
    /// Password, given directly or in a file.
    pub(crate) password: Secret,
    /// TLS.
    pub(crate) ssl_mode: SslMode,
}

/// `parsec server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerConfig {
    /// What every command has.
    pub(crate) common: CommonConfig,
    /// Where the metrics are offered.
    pub(crate) telemetry: TelemetryConfig,
    /// How long a stop may take.
    pub(crate) stop_timeout: Duration,
    /// Where the node is registered.
    pub(crate) database: DatabaseConfig,
    /// Whether nothing is to be stored.
    pub(crate) dry_run: bool,
    /// Where rows wait while the database is away.
    pub(crate) spool: SpoolConfig,
    /// What it is told about the place where it runs.
    pub(crate) place: PlaceConfig,
    /// Where the HTTP API listens.
    pub(crate) api: HostPort,
    /// Whom it lets in.
    pub(crate) access: ServingConfig,
    /// Where the libp2p host listens.
    pub(crate) peer: HostPort,
    /// Its fleet; the empty name if none was given.
    pub(crate) fleet: Fleet,
    /// How long after the start the first heartbeat comes.
    pub(crate) startup_delay: Duration,
    /// Of how many publications the records are looked for later; 0 is none.
    pub(crate) verify_records: Share,
    /// How long an operation may take.
    pub(crate) operation_timeout: Duration,
    /// Its part in the DHT.
    pub(crate) dht: DhtConfig,
    /// What the requests of others are looked up in.
    pub(crate) lists: ListFiles,
}

/// A node's part in the DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DhtConfig {
    /// The project, such as `ipfs`.
    pub(crate) project: String,
    /// The project's network, such as `amino`.
    pub(crate) network: String,
    /// How to publish and find.
    pub(crate) strategy: StrategyKind,
    /// Whether to answer other peers' requests.
    pub(crate) server_mode: bool,
    /// How many peers a lookup asks at the same time, at least 1.
    pub(crate) alpha: u16,
    /// Multiaddrs with a peer id; empty means the network's own.
    pub(crate) bootstrap_peers: Vec<String>,
    /// The protocols, in the order in which they are offered, at least one; `None` is the network's own.
    pub(crate) protocol_ids: Option<Vec<String>>,
    /// Multiaddrs to announce.
    pub(crate) external_addresses: Vec<String>,
    /// What to do with private addresses of other peers.
    pub(crate) private_peers: PrivatePeers,
    /// How many connections are kept.
    pub(crate) connections: Warmth,
}

/// `parsec scheduler`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchedulerConfig {
    /// What every command has.
    pub(crate) common: CommonConfig,
    /// Where the metrics are offered.
    pub(crate) telemetry: TelemetryConfig,
    /// How long a stop may take.
    pub(crate) stop_timeout: Duration,
    /// Where the nodes are found and the measurements go.
    pub(crate) database: DatabaseConfig,
    /// Whether nothing is to be stored.
    pub(crate) dry_run: bool,
    /// Where rows wait while the database is away.
    pub(crate) spool: SpoolConfig,
    /// One loop of rounds for each group.
    pub(crate) fleets: Vec<FleetGroup>,
    /// From the start of a round to the start of the next.
    pub(crate) interval: Duration,
    /// How often each node looks up, at least once.
    pub(crate) probes: u32,
    /// How long to wait for the answer of a server.
    pub(crate) operation_timeout: Duration,
    /// How it enters the servers: over TLS if there are authorities to believe.
    pub(crate) access: CallingConfig,
    /// Of how many ordinary operations the trace is kept.
    pub(crate) trace_sample: Share,
}

/// `parsec health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthConfig {
    /// What every command has.
    pub(crate) common: CommonConfig,
    /// The server to ask.
    pub(crate) server: ServerUrl,
    /// Whom to believe that they are the server.
    pub(crate) access: CallingConfig,
}

/// `parsec demo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoConfig {
    /// What every command has.
    pub(crate) common: CommonConfig,
    /// Peers of the local DHT.
    pub(crate) peers: u32,
    /// Servers of each fleet.
    pub(crate) servers: u32,
    /// After how many rounds of each fleet to end; `None` goes on until it is stopped.
    pub(crate) rounds: Option<u32>,
    /// From the start of a round to the start of the next.
    pub(crate) interval: Duration,
    /// Where the measurements are kept; `None` is a new temporary directory.
    pub(crate) data_dir: Option<PathBuf>,
    /// How results are written.
    pub(crate) format: OutputFormat,
    /// Makes random choices repeatable.
    pub(crate) seed: Option<u64>,
    /// The fleets that measure side by side, each with its own strategy.
    pub(crate) fleets: Vec<DemoFleet>,
    /// How long the ways between them are.
    pub(crate) latency: Latency,
    /// The share of peers that cannot be dialled.
    pub(crate) undialable: Share,
    /// The share of peers that accept connections and never answer.
    pub(crate) silent: Share,
}

/// A fleet of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoFleet {
    /// Its name.
    pub(crate) fleet: Fleet,
    /// How its servers publish and find.
    pub(crate) strategy: StrategyKind,
}

impl CommonConfig {
    /// Reads what every command needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub(crate) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let level = from.required("log.level", LogLevel::read)?;
        let debug = from.required("log.debug", values::switch)?;
        let level = if debug { level.max(LogLevel::Debug) } else { level };
        let format = from.required("log.format", OutputFormat::read)?;
        Ok(Self { file: from.file().map(Path::to_owned), log: LogConfig { level, format } })
    }
}

impl TelemetryConfig {
    fn read(from: &Sources) -> Result<Self, ConfigError> {
        let host = from.required("telemetry.host", values::host)?;
        let port = from.required("telemetry.port", values::within(0..=u16::MAX))?;
        Ok(Self { listen: HostPort { host, port } })
    }
}

impl DatabaseConfig {
    pub(super) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let target = match from.optional("database.url", values::database_url)? {
            Some(url) => DatabaseTarget::Url(url),
            None => DatabaseTarget::Parts(DatabaseParts::read(from)?),
        };
        Ok(Self { target, wait: from.required("database.wait", values::duration)? })
    }
}

impl DatabaseParts {
    fn read(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            host: from.required("database.host", values::text)?,
            port: from.required("database.port", values::within(1..=u16::MAX))?,
            name: from.required("database.name", values::text)?,
            user: from.required("database.user", values::text)?,
            password: from.secret("database.password", |text| Ok(Secret::new(text)))?.unwrap_or_default(),
            ssl_mode: from.required("database.sslmode", SslMode::read)?,
        })
    }
}

impl ServerConfig {
    /// Reads what `parsec server` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub(crate) fn read(from: &Sources) -> Result<Self, ConfigError> {
        idle::check(from, Program::Server)?;
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
            lists: ListFiles::read(from)?,
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

impl SchedulerConfig {
    /// Reads what `parsec scheduler` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub(crate) fn read(from: &Sources) -> Result<Self, ConfigError> {
        idle::check(from, Program::Scheduler)?;
        Ok(Self {
            common: CommonConfig::read(from)?,
            telemetry: TelemetryConfig::read(from)?,
            stop_timeout: from.required("stop.timeout", values::positive_duration)?,
            database: DatabaseConfig::read(from)?,
            dry_run: from.required("dry_run", values::switch)?,
            spool: SpoolConfig::read(from)?,
            interval: from.required("scheduler.interval", values::positive_duration)?,
            probes: from.required("scheduler.probes", values::within(1..=MAX_PROBES))?,
            operation_timeout: from.required("scheduler.operation_timeout", values::positive_duration)?,
            trace_sample: from.required("scheduler.trace_sample", values::share)?,
            access: CallingConfig::of_scheduler(from)?,
            // Last, so that everything else is judged where nobody says which.
            fleets: from
                .required("scheduler.fleets", |list| FleetGroup::parse_list(list).map_err(|error| error.to_string()))?,
        })
    }
}

impl HealthConfig {
    /// Reads what `parsec health` needs; `server` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub(crate) fn read(from: &Sources, server: &str) -> Result<Self, ConfigError> {
        let server = health_url(server).map_err(|reason| ConfigError::Value {
            origin: super::error::Origin::Argument("HOST:PORT"),
            value: server.to_owned(),
            reason,
        })?;
        Ok(Self { common: CommonConfig::read(from)?, server, access: CallingConfig::without_token(from)? })
    }
}

impl DemoConfig {
    /// Reads what `parsec demo` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub(crate) fn read(from: &Sources) -> Result<Self, ConfigError> {
        let least_servers = parsec_measure::MIN_READY_NODES as u32;
        let undialable = from.required("demo.undialable", values::dead_share)?;
        let fleets = from.required("demo.fleets", values::distinct(DemoFleet::read))?;
        let strategies: Vec<_> = fleets.iter().map(|fleet| fleet.strategy).collect();
        Ok(Self {
            common: CommonConfig::read(from)?,
            peers: from.required("demo.peers", values::within(1..=MAX_DEMO_PEERS))?,
            servers: from.required("demo.servers", values::within(least_servers..=MAX_DEMO_SERVERS))?,
            rounds: from.optional("demo.rounds", values::within(1..=u32::MAX))?,
            interval: from.required("demo.interval", values::positive_duration)?,
            data_dir: from.optional("demo.data_dir", values::text)?.map(PathBuf::from),
            format: from.required("demo.format", OutputFormat::read)?,
            seed: from.optional("demo.seed", values::within(0..=u64::MAX))?,
            fleets,
            latency: from.required("demo.latency", values::latency(&strategies))?,
            undialable,
            silent: from.required("demo.silent", values::dead_share_beside(undialable, "undialable"))?,
        })
    }
}

impl DemoFleet {
    fn read(name: &str) -> Result<Self, String> {
        let strategy = match name {
            "default" => StrategyKind::Classic,
            "optprov" => StrategyKind::Optprov,
            "fullrt" => StrategyKind::Fullrt,
            "libp2p" => StrategyKind::Libp2p,
            _ => return Err(format!("`{name}` is none; expected one of: default, optprov, fullrt, libp2p")),
        };
        Ok(Self { fleet: values::parsed(name)?, strategy })
    }
}

impl fmt::Display for DemoFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fleet.fmt(f)
    }
}
