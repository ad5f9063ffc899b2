//! The settings of `demo`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use parsec_lab::Latency;
use parsec_measure::{Fleet, Share, StrategyKind};

use crate::common::CommonConfig;
use crate::error::ConfigError;
use crate::sources::Sources;
use crate::values::{self, OutputFormat};

/// The most peers of a demo: each costs sockets and memory of this one process.
const MAX_DEMO_PEERS: u32 = 10_000;

/// The most servers of a demo, for the same reason.
const MAX_DEMO_SERVERS: u32 = 1_000;

/// `parsec demo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoConfig {
    /// What every command has.
    pub common: CommonConfig,
    /// Peers of the local DHT.
    pub peers: u32,
    /// Servers of each fleet.
    pub servers: u32,
    /// After how many rounds of each fleet to end; `None` goes on until it is stopped.
    pub rounds: Option<u32>,
    /// From the start of a round to the start of the next.
    pub interval: Duration,
    /// Where the measurements are kept; `None` is a new temporary directory.
    pub data_dir: Option<PathBuf>,
    /// How results are written.
    pub format: OutputFormat,
    /// Makes random choices repeatable.
    pub seed: Option<u64>,
    /// The fleets that measure side by side, each with its own strategy.
    pub fleets: Vec<DemoFleet>,
    /// How long the ways between them are.
    pub latency: Latency,
    /// The share of peers that cannot be dialled.
    pub undialable: Share,
    /// The share of peers that accept connections and never answer.
    pub silent: Share,
}

/// A fleet of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFleet {
    /// Its name.
    pub fleet: Fleet,
    /// How its servers publish and find.
    pub strategy: StrategyKind,
}

impl DemoConfig {
    /// Reads what `parsec demo` needs.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn read(from: &Sources) -> Result<Self, ConfigError> {
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
