//! The settings of the commands that people use by hand: `provide`, `retrieve`, `trace`, `migrate`, `conformance`,
//! `bench`.

use std::path::PathBuf;
use std::time::Duration;

use parsec_measure::{AttemptId, Cid, Share, StrategyKind};

use crate::access::{CallingConfig, ServerUrl, server_url};
use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;
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

settings! {
    /// `parsec provide` and `parsec retrieve`.
    OneShotConfig read(from, asked: OneShot);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    + /// Where the libp2p host listens.
    peer_host: String = from.required("server.peer_host", values::host)?;
    + /// The node's part in the DHT.
    dht: DhtConfig = DhtConfig::read(from)?;
    + /// How long the operation may take.
    operation_timeout: Duration = from.required("server.operation_timeout", values::positive_duration)?;
    + /// What to do.
    operation: OneShot = asked;
    peer_port: u16 = number("oneshot.peer_port", "peer-port", "PORT").default("0"),
        required values::within(0..=u16::MAX), "Port of the libp2p host; 0 takes a free one";
    ready_timeout: Duration = text("oneshot.ready_timeout", "ready-timeout", "DURATION").default("2m"),
        required values::positive_duration, "How long joining the network may take";
    format: OutputFormat = text("oneshot.format", "format", "FORMAT").default("text"),
        required OutputFormat::read, "Result as text or json";
}

impl OneShotConfig {
    /// Where the libp2p host listens.
    pub fn peer(&self) -> HostPort {
        HostPort { host: self.peer_host.clone(), port: self.peer_port }
    }

    /// Reads what `parsec provide` needs; `file` is its argument.
    pub(crate) fn provide(from: &Sources, file: Option<&str>) -> Result<Self, ConfigError> {
        let file = file.map(|path| argument("FILE", path, values::path)).transpose()?;
        Self::read(from, OneShot::Provide { file, stay: from.required("provide.stay", values::switch)? })
    }

    /// Reads what `parsec retrieve` needs; `cid` is its argument.
    pub(crate) fn retrieve(from: &Sources, cid: &str) -> Result<Self, ConfigError> {
        Self::read(from, OneShot::Retrieve(argument("CID", cid, values::cid)?))
    }
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

settings! {
    /// `parsec trace`.
    TraceConfig read(from, asked: Option<&str>);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    + /// Where the traces are.
    database: DatabaseConfig = DatabaseConfig::read(from)?;
    + /// The operation to show; `None` lists the newest.
    id: Option<AttemptId> = asked.map(|id| argument("OPERATION_ID", id, values::operation_id)).transpose()?;
    format: OutputFormat = text("trace.format", "format", "FORMAT").default("text"),
        required OutputFormat::read, "As text or json";
}

settings! {
    /// `parsec migrate`.
    MigrateConfig read(from);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    + /// What to bring up to date.
    database: DatabaseConfig = DatabaseConfig::read(from)?;
    print: bool = switch("migrate.print", "print", "BOOL"),
        required values::switch, "Print the SQL of every step for an empty database, in order, and connect to nothing";
}

settings! {
    /// `parsec conformance`.
    ConformanceConfig read(from, url: &str);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    + /// The HTTP API to check.
    server: ServerUrl = argument("URL", url, server_url)?;
    + /// How it is entered.
    access: CallingConfig = CallingConfig::by_hand(from)?;
    ready_timeout: Duration = text("conformance.ready_timeout", "ready-timeout", "DURATION").default("2m"),
        required values::positive_duration, "How long to wait until the server says that it can measure";
    timeout: Duration = text("conformance.timeout", "timeout", "DURATION").default("3m10s"),
        required values::positive_duration,
        "How long to wait for the answer to each request; longer than the server's own limit";
    format: OutputFormat = text("conformance.format", "format", "FORMAT").default("text"),
        required OutputFormat::read, "Result as text or json";
}

settings! {
    /// `parsec bench`.
    BenchConfig read(from);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    peers: u32 = number("bench.peers", "peers", "N").default("500"),
        required values::within(MIN_BENCH_PEERS..=MAX_BENCH_PEERS), "Peers of the local DHT";
    strategies: Vec<StrategyKind> = list("bench.strategies", "strategies", "STRATEGIES")
        .default("classic,optprov,fullrt,libp2p"),
        required values::distinct(values::strategy), "Strategies to compare";
    transport: BenchTransport = text("bench.transport", "transport", "TRANSPORT").default("memory"),
        required BenchTransport::read, "How peers are connected: memory (on a virtual clock), tcp or quic";
    rtt: Duration = text("bench.rtt", "rtt", "DURATION").default("100ms"),
        required values::round_trip(&strategies), "Round-trip time between any two peers";
    undialable: Share = decimal("bench.undialable", "undialable", "SHARE").default("0.15"),
        required values::dead_share, "Share of peers that cannot be dialled: two thirds refuse, one third never answers";
    silent: Share = decimal("bench.silent", "silent", "SHARE").default("0"),
        required |text: &str| {
            let share = values::dead_share_beside(undialable, "undialable")(text)?;
            measurable_silence(share, &strategies, transport)
        },
        "Share of peers that accept connections and never answer";
    operations: u32 = number("bench.operations", "operations", "N").default("100"),
        required values::within(1..=MAX_BENCH_OPERATIONS), "How many publications and how many lookups to make with each strategy";
    seed: Option<u64> = number("bench.seed", "seed", "N"),
        optional values::within(0..=u64::MAX), "Makes the random choices repeatable";
    format: BenchFormat = text("bench.format", "format", "FORMAT").default("text"),
        required BenchFormat::read, "Result as text, json or csv";
    alpha: u16 = number("bench.alpha", "alpha", "N").default("10"),
        required values::within(1..=MAX_ALPHA), "How many peers a lookup asks at the same time";
    warm: bool = switch("bench.warm", "warm", "BOOL"),
        required values::switch, "Keep connections from one operation to the next";
}

settings! {
    /// `parsec network`.
    NetworkConfig read(from);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    peers: u16 = number("network.peers", "peers", "N").default("100"),
        required values::within(1..=MAX_NETWORK_PEERS), "Peers of the local DHT";
    peer_host: String = text("network.peer_host", "peer-host", "HOST").default("127.0.0.1"),
        required values::told_host, "Address on which the peers listen, and at which others reach them";
    peer_port: u16 = number("network.peer_port", "peer-port", "PORT").default("0"),
        required first_port(peers), "TCP port of the first peer; the other peers use the following ports; 0 uses free ports";
    seed: u64 = number("network.seed", "seed", "N").default("1"),
        required values::within(0..=u64::MAX), "Number from which the peer ids are made: the same number gives the same ids";
}

impl NetworkConfig {
    /// Where the first peer listens; the others have the next ports.
    pub fn first(&self) -> HostPort {
        HostPort { host: self.peer_host.clone(), port: self.peer_port }
    }
}

/// A port behind which there are enough for all others.
fn first_port(peers: u16) -> impl Fn(&str) -> Reading<u16> {
    move |text| {
        let last = u16::MAX - (peers - 1);
        match values::within(0..=u16::MAX)(text)? {
            port if port > last => Err(format!("{peers} peers need as many ports: expected at most {last}")),
            port => Ok(port),
        }
    }
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
