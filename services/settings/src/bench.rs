//! The settings of `bench`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use parsec_layers::{Choice, ConfigError, Origin, Sources};
use parsec_measure::{Latency, Share, StrategyKind};

use crate::common::CommonConfig;
use crate::declare::settings;
use crate::demo::{dead_share, dead_share_beside};
use crate::serving::MAX_ALPHA;
use crate::values::{self, Reading, Value, choice, no_choice, path, within};

/// The most peers of a comparison: each costs memory of this one process, about a megabyte.
const MAX_BENCH_PEERS: u32 = 10_000;

/// The fewest peers of a comparison: with one less, everybody holds every record.
const MIN_BENCH_PEERS: u32 = 21;

/// The most networks of a comparison: each is drawn and started for every strategy.
const MAX_BENCH_NETWORKS: u32 = 1_000;

/// The most operations of a comparison: an hour or so of work for each strategy.
const MAX_BENCH_OPERATIONS: u32 = 100_000;

choice! {
    /// How a comparison is written.
    BenchFormat {
        Text = "text" or "table", "For people";
        Json = "json", "One array of objects";
        Csv = "csv", "Comma-separated, with a header";
    }
}

choice! {
    /// How the peers of a comparison are connected.
    BenchTransport {
        Memory = "memory", "Within the process, on a virtual clock";
        Tcp = "tcp", "TCP on loopback";
        Quic = "quic", "QUIC on loopback";
    }
}

/// A world to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorldSource {
    /// One that comes with parsec, by its name.
    Shipped(String),
    /// One of one's own.
    File(PathBuf),
}

/// How the name of a file of a world ends.
const WORLD_FILE: &str = ".toml";

impl Value for WorldSource {
    const CHOICES: &'static [Choice] = &[
        ("amino-2022", "The public IPFS DHT in July 2022, as ProbeLab measured it"),
        ("FILE.toml", "A world of one's own"),
    ];

    fn read(text: &str) -> Reading<Self> {
        if text.ends_with(WORLD_FILE) {
            return path(text).map(Self::File);
        }
        let is_shipped = Self::CHOICES.iter().any(|(name, _)| *name == text);
        if is_shipped { Ok(Self::Shipped(text.to_owned())) } else { Err(no_choice("world", text, Self::CHOICES)) }
    }
}

impl fmt::Display for WorldSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A world, and what is played in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The world.
    pub world: WorldSource,
    /// The strategies that a world can play.
    pub strategies: Vec<StrategyKind>,
}

/// How many peers a lookup on a local network asks at the same time, unless told otherwise: as go-libp2p-kad-dht does.
pub const BENCH_ALPHA: u16 = 10;

settings! {
    /// `parsec bench`.
    BenchConfig(from) = "Bench";
    + common: CommonConfig, "What every command has";
    world: Option<WorldSource> = ("bench.world", "world", "NAME|FILE"),
        "World to simulate: a model of thousands of peers, in place of the local network of real ones";
    peers: u32 = ("bench.peers", "peers", "N").default("500") by within(MIN_BENCH_PEERS..=MAX_BENCH_PEERS), "Peers of the local DHT";
    strategies: Vec<StrategyKind> = ("bench.strategies", "strategies", "STRATEGIES").default("classic,optprov,fullrt,libp2p"),
        "Strategies to compare";
    transport: BenchTransport = ("bench.transport", "transport", "TRANSPORT").default("memory"), "How peers are connected";
    rtt: Duration = ("bench.rtt", "rtt", "DURATION").default("100ms") by round_trip(&strategies), "Round-trip time between any two peers";
    undialable: Share = ("bench.undialable", "undialable", "SHARE").default("0.15") by dead_share,
        "Share of peers that cannot be dialled: two thirds refuse, one third never answers";
    silent: Share = ("bench.silent", "silent", "SHARE").default("0") by silence(undialable, &strategies, transport),
        "Share of peers that accept connections and never answer";
    operations: u32 = ("bench.operations", "operations", "N").default("100") by within(1..=MAX_BENCH_OPERATIONS),
        "How many publications and how many lookups to make with each strategy, on each network";
    networks: u32 = ("bench.networks", "networks", "N").default("1") by within(1..=MAX_BENCH_NETWORKS),
        "How many networks to draw: one hides how much they differ; the first has the seed, the next ones those after it";
    seed: Option<u64> = ("bench.seed", "seed", "N"), "Makes the random choices repeatable";
    save: Option<PathBuf> = ("bench.save", "save", "FILE"), "Keep the run there, for `parsec compare` and `parsec check`";
    format: BenchFormat = ("bench.format", "format", "FORMAT").default("text"), "How the result is written";
    alpha: Option<u16> = ("bench.alpha", "alpha", "N") by within(1..=MAX_ALPHA),
        "How many peers a lookup asks at the same time; without it 10, or as many as the world says";
    warm: bool = ("bench.warm", "warm", "BOOL"), "Keep connections from one operation to the next";
    => simulated: Option<Simulated> = world.as_ref().map(|world| simulated(from, world, &strategies)).transpose()?,
        "The simulation, if it is one";
}

/// What of the settings shapes the local network, and means nothing in a world.
const LOCAL: [&str; 6] =
    ["bench.peers", "bench.transport", "bench.rtt", "bench.undialable", "bench.silent", "bench.warm"];

/// What is played in a world: nothing that was set is left out in silence.
fn simulated(from: &Sources, world: &WorldSource, strategies: &[StrategyKind]) -> Result<Simulated, ConfigError> {
    // A file may name every setting, also those that nobody changed.
    let is_set = |name: &str| {
        let is_default = from.shown(from.key(name)).as_deref() == from.key(name).default;
        matches!(from.origin(name), Origin::Flag(_)) || !is_default
    };
    let refused = |name: &str, reason: String| {
        let value = from.shown(from.key(name)).unwrap_or_default();
        ConfigError::Value(from.origin(name).clone(), value, reason)
    };
    if let Some(name) = LOCAL.into_iter().find(|name| is_set(name)) {
        let reason = format!(
            "it shapes the local network of real peers, and --world {world} says itself what it is like; expected only one of the two"
        );
        return Err(refused(name, reason));
    }
    if strategies.contains(&StrategyKind::Libp2p) && is_set("bench.strategies") {
        let reason = "strategy libp2p is not ours and needs real peers: a world cannot play it; expected strategies without libp2p";
        return Err(refused("bench.strategies", reason.to_owned()));
    }
    let strategies = strategies.iter().copied().filter(|strategy| *strategy != StrategyKind::Libp2p).collect();
    Ok(Simulated { world: world.clone(), strategies })
}

/// The time that a round trip takes on a simulated network in which nodes of these strategies measure.
fn round_trip(strategies: &[StrategyKind]) -> impl Fn(&str) -> Reading<Duration> {
    move |text| {
        let round_trip = values::duration(text)?;
        Latency::fixed(round_trip, strategies).map_err(|error| error.to_string())?;
        Ok(round_trip)
    }
}

/// libp2p-kad waits for the silent on the real clock, the network for nobody on its virtual one: nothing that came of it
/// would be a time.
fn silence(
    undialable: Share,
    strategies: &[StrategyKind],
    transport: BenchTransport,
) -> impl Fn(&str) -> Reading<Share> {
    let waits_in_vain = transport == BenchTransport::Memory && strategies.contains(&StrategyKind::Libp2p);
    move |text| match dead_share_beside(undialable, "undialable")(text)? {
        silent if silent.get() > 0.0 && waits_in_vain => {
            Err("the time-outs of strategy libp2p do not run on the virtual clock of --transport memory; \
                 expected 0, or --transport tcp, or --strategies without libp2p"
                .to_owned())
        }
        silent => Ok(silent),
    }
}
