//! The settings of `demo`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use parsec_lab::Latency;
use parsec_measure::{Fleet, Share, StrategyKind};

use crate::common::CommonConfig;
use crate::declare::settings;
use crate::values::{self, OutputFormat};

/// The most peers of a demo: each costs sockets and memory of this one process.
const MAX_DEMO_PEERS: u32 = 10_000;

/// The most servers of a demo, for the same reason.
const MAX_DEMO_SERVERS: u32 = 1_000;

/// The fewest servers of a demo: with less, nobody looks up what another one published.
const LEAST_DEMO_SERVERS: u32 = parsec_measure::MIN_READY_NODES as u32;

settings! {
    /// `parsec demo`.
    DemoConfig read(from);
    + /// What every command has.
    common: CommonConfig = CommonConfig::read(from)?;
    peers: u32 = number("demo.peers", "peers", "N").default("100"),
        required values::within(1..=MAX_DEMO_PEERS), "Peers of the local DHT";
    servers: u32 = number("demo.servers", "servers", "N").default("5"),
        required values::within(LEAST_DEMO_SERVERS..=MAX_DEMO_SERVERS), "Servers of each fleet, at least 2";
    rounds: Option<u32> = number("demo.rounds", "rounds", "N"),
        optional values::within(1..=u32::MAX), "How many rounds of each fleet to play; without it, until Ctrl-C";
    interval: Duration = text("demo.interval", "interval", "DURATION").default("5s"),
        required values::positive_duration, "Time from the start of one round to the start of the next";
    data_dir: Option<PathBuf> = text("demo.data_dir", "data-dir", "DIR"),
        optional values::path, "Where the measurements are kept; without it, in a new temporary directory";
    format: OutputFormat = text("demo.format", "format", "FORMAT").default("text"),
        required OutputFormat::read, "Results as text or json";
    seed: Option<u64> = number("demo.seed", "seed", "N"),
        optional values::within(0..=u64::MAX), "Number that makes the random choices of the demo repeatable";
    fleets: Vec<DemoFleet> = list("demo.fleets", "fleets", "NAMES").default("default,optprov,fullrt"),
        required values::distinct(DemoFleet::read),
        "Fleets side by side: default (the classic strategy), optprov, fullrt or libp2p";
    latency: Latency = text("demo.latency", "latency", "LATENCY").default("realistic"),
        required values::latency(&strategies(&fleets)),
        "Round-trip time between peers: realistic (by their regions), none, or a duration";
    undialable: Share = decimal("demo.undialable", "undialable", "SHARE").default("0.15"),
        required values::dead_share, "Share of peers that cannot be dialled";
    silent: Share = decimal("demo.silent", "silent", "SHARE").default("0.02"),
        required values::dead_share_beside(undialable, "undialable"),
        "Share of peers that accept connections and never answer";
}

fn strategies(fleets: &[DemoFleet]) -> Vec<StrategyKind> {
    fleets.iter().map(|fleet| fleet.strategy).collect()
}

/// A fleet of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFleet {
    /// Its name.
    pub fleet: Fleet,
    /// How its servers publish and find.
    pub strategy: StrategyKind,
}

impl DemoFleet {
    fn read(name: &str) -> Result<Self, String> {
        let strategy = match name {
            "default" => StrategyKind::Classic,
            "optprov" => StrategyKind::Optprov,
            "fullrt" => StrategyKind::Fullrt,
            "libp2p" => StrategyKind::Libp2p,
            _ => return Err(format!("unknown fleet `{name}`; expected one of: default, optprov, fullrt, libp2p")),
        };
        Ok(Self { fleet: values::parsed(name)?, strategy })
    }
}

impl fmt::Display for DemoFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fleet.fmt(f)
    }
}
