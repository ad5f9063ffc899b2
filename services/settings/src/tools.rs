//! The settings of the commands that people use by hand: `provide`, `retrieve`, `trace`, `migrate`, `conformance`,
//! `bench`.

use std::path::PathBuf;
use std::time::Duration;

use parsec_measure::{AttemptId, Cid, Share, StrategyKind};

use crate::access::{CallingConfig, ServerUrl, server_url};
use crate::common::{CommonConfig, DatabaseConfig};
use crate::error::{ConfigError, Origin};
use crate::serving::{DhtConfig, MAX_ALPHA};
use crate::sources::Sources;
use crate::values::{self, BenchFormat, BenchTransport, HostPort, OutputFormat, Reading, Shell};

/// The most peers of a comparison: each costs memory of this one process, about a megabyte.
const MAX_BENCH_PEERS: u32 = 10_000;

/// The most peers of a local DHT: each costs sockets and memory of this one process.
const MAX_NETWORK_PEERS: u16 = 10_000;

/// The fewest peers of a comparison: with one less, everybody holds every record.
const MIN_BENCH_PEERS: u32 = 21;

/// The most operations of a comparison: an hour or so of work for each strategy.
const MAX_BENCH_OPERATIONS: u32 = 100_000;

/// `parsec provide` and `parsec retrieve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneShotConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// Where the libp2p host listens.
    pub peer: HostPort,
    /// The node's part in the DHT.
    pub dht: DhtConfig,
    /// How long the operation may take.
    pub operation_timeout: Duration,
    /// How long it may take until the node can measure.
    pub ready_timeout: Duration,
    /// How the result is written.
    pub format: OutputFormat,
    /// What to do.
    pub operation: OneShot,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneShot {
    /// Publish.
    Provide {
        /// The file whose content to publish; `None` is fresh random content.
        file: Option<PathBuf>,
        /// Whether to go on running afterwards.
        stay: bool,
    },
    /// Find.
    Retrieve(Cid),
}

/// `parsec trace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// Where the traces are.
    pub database: DatabaseConfig,
    /// The operation to show; `None` lists the newest.
    pub id: Option<AttemptId>,
    /// How it is written.
    pub format: OutputFormat,
}

/// `parsec migrate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrateConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// What to bring up to date.
    pub database: DatabaseConfig,
    /// Whether to print the SQL instead.
    pub print: bool,
}

/// `parsec conformance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConformanceConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// The HTTP API to check.
    pub server: ServerUrl,
    /// How it is entered.
    pub access: CallingConfig,
    /// How long it may take until the server can measure.
    pub ready_timeout: Duration,
    /// How long each answer may take.
    pub timeout: Duration,
    /// How the result is written.
    pub format: OutputFormat,
}

/// `parsec bench`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// Peers of the local DHT.
    pub peers: u32,
    /// Between any two of them.
    pub rtt: Duration,
    /// The share of peers that cannot be dialled.
    pub undialable: Share,
    /// The share of peers that accept connections and never answer.
    pub silent: Share,
    /// Publications of each strategy, and as many lookups.
    pub operations: u32,
    /// What to compare, each once.
    pub strategies: Vec<StrategyKind>,
    /// Makes random choices repeatable.
    pub seed: Option<u64>,
    /// How the result is written.
    pub format: BenchFormat,
    /// How the peers are connected.
    pub transport: BenchTransport,
    /// How many peers a lookup asks at the same time, at least 1.
    pub alpha: u16,
    /// Whether connections are kept from one operation to the next.
    pub warm: bool,
}

/// `parsec completions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionsConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// For which shell.
    pub shell: Shell,
}

impl CompletionsConfig {
    /// Reads what `parsec completions` needs; `shell` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources, shell: &str) -> Result<Self, ConfigError> {
        Ok(Self { common: CommonConfig::read(from)?, shell: argument("SHELL", shell, Shell::read)? })
    }
}

/// `parsec network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// Peers of the local DHT, at least 1.
    pub peers: u16,
    /// Where the first of them listens; the others have the next ports.
    pub first: HostPort,
    /// Decides who they are.
    pub seed: u64,
}

impl OneShotConfig {
    /// Reads what `parsec provide` needs; `file` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn provide(from: &Sources, file: Option<&str>) -> Result<Self, ConfigError> {
        let file = file.map(|path| argument("FILE", path, values::text)).transpose()?.map(PathBuf::from);
        Self::read(from, OneShot::Provide { file, stay: from.required("provide.stay", values::switch)? })
    }

    /// Reads what `parsec retrieve` needs; `cid` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn retrieve(from: &Sources, cid: &str) -> Result<Self, ConfigError> {
        Self::read(from, OneShot::Retrieve(argument("CID", cid, values::cid)?))
    }

    fn read(from: &Sources, operation: OneShot) -> Result<Self, ConfigError> {
        Ok(Self {
            common: CommonConfig::read(from)?,
            peer: HostPort {
                host: from.required("server.peer_host", values::host)?,
                port: from.required("oneshot.peer_port", values::within(0..=u16::MAX))?,
            },
            dht: DhtConfig::read(from)?,
            operation_timeout: from.required("server.operation_timeout", values::positive_duration)?,
            ready_timeout: from.required("oneshot.ready_timeout", values::positive_duration)?,
            format: from.required("oneshot.format", OutputFormat::read)?,
            operation,
        })
    }
}

impl TraceConfig {
    /// Reads what `parsec trace` needs; `id` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources, id: Option<&str>) -> Result<Self, ConfigError> {
        Ok(Self {
            common: CommonConfig::read(from)?,
            database: DatabaseConfig::read(from)?,
            id: id.map(|id| argument("OPERATION_ID", id, values::operation_id)).transpose()?,
            format: from.required("trace.format", OutputFormat::read)?,
        })
    }
}

impl MigrateConfig {
    /// Reads what `parsec migrate` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources) -> Result<Self, ConfigError> {
        Ok(Self {
            common: CommonConfig::read(from)?,
            database: DatabaseConfig::read(from)?,
            print: from.required("migrate.print", values::switch)?,
        })
    }
}

impl ConformanceConfig {
    /// Reads what `parsec conformance` needs; `url` is its argument.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources, url: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            common: CommonConfig::read(from)?,
            server: argument("URL", url, server_url)?,
            access: CallingConfig::by_hand(from)?,
            ready_timeout: from.required("conformance.ready_timeout", values::positive_duration)?,
            timeout: from.required("conformance.timeout", values::positive_duration)?,
            format: from.required("conformance.format", OutputFormat::read)?,
        })
    }
}

impl BenchConfig {
    /// Reads what `parsec bench` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources) -> Result<Self, ConfigError> {
        let undialable = from.required("bench.undialable", values::dead_share)?;
        let strategies = from.required("bench.strategies", values::distinct(values::strategy))?;
        let transport = from.required("bench.transport", BenchTransport::read)?;
        let silent = |text: &str| {
            let share = values::dead_share_beside(undialable, "undialable")(text)?;
            measurable_silence(share, &strategies, transport)
        };
        Ok(Self {
            common: CommonConfig::read(from)?,
            peers: from.required("bench.peers", values::within(MIN_BENCH_PEERS..=MAX_BENCH_PEERS))?,
            rtt: from.required("bench.rtt", values::round_trip(&strategies))?,
            undialable,
            silent: from.required("bench.silent", silent)?,
            operations: from.required("bench.operations", values::within(1..=MAX_BENCH_OPERATIONS))?,
            strategies,
            seed: from.optional("bench.seed", values::within(0..=u64::MAX))?,
            format: from.required("bench.format", BenchFormat::read)?,
            transport,
            alpha: from.required("bench.alpha", values::within(1..=MAX_ALPHA))?,
            warm: from.required("bench.warm", values::switch)?,
        })
    }
}

impl NetworkConfig {
    /// Reads what `parsec network` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources) -> Result<Self, ConfigError> {
        let peers = from.required("network.peers", values::within(1..=MAX_NETWORK_PEERS))?;
        let port = |text: &str| {
            let port = values::within(0..=u16::MAX)(text)?;
            let last = u16::MAX - (peers - 1);
            if port > last {
                Err(format!("{peers} peers need as many ports: expected at most {last}"))
            } else {
                Ok(port)
            }
        };
        Ok(Self {
            common: CommonConfig::read(from)?,
            peers,
            first: HostPort {
                host: from.required("network.peer_host", values::told_host)?,
                port: from.required("network.peer_port", port)?,
            },
            seed: from.required("network.seed", values::within(0..=u64::MAX))?,
        })
    }
}

/// libp2p-kad waits for the silent on the real clock, the network for nobody on its virtual one: nothing that came of it
/// would be a time.
fn measurable_silence(silent: Share, strategies: &[StrategyKind], transport: BenchTransport) -> Reading<Share> {
    let waits_in_vain = transport == BenchTransport::Memory && strategies.contains(&StrategyKind::Libp2p);
    if silent.get() > 0.0 && waits_in_vain {
        return Err("the time-outs of strategy libp2p do not run on the virtual clock of --transport memory; \
                    expected 0, or --transport tcp, or --strategies without libp2p"
            .to_owned());
    }
    Ok(silent)
}

fn argument<T>(name: &'static str, text: &str, read: impl Fn(&str) -> Reading<T>) -> Result<T, ConfigError> {
    let wrong = |reason| ConfigError::Value { origin: Origin::Argument(name), value: text.to_owned(), reason };
    read(text).map_err(wrong)
}
