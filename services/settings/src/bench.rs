//! The settings of `bench`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use parsec_layers::{ConfigError, Sources};
use parsec_measure::{Latency, Share, StrategyKind};
use parsec_results::bulk::BulkStrategy;

use crate::common::CommonConfig;
use crate::declare::settings;
use crate::demo::{dead_share, dead_share_beside};
use crate::serving::MAX_ALPHA;
use crate::values::{self, Reading, choice, names, within};
use crate::world::{ScenarioSource, WorldSource, is_set, outside, refused, without_real_peers};

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

/// A strategy of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BenchStrategy {
    /// One that publishes or looks up one key.
    Of(StrategyKind),
    /// One for many keys at once.
    Sweep,
}

names! {
    BenchStrategy, "strategy" {
        CLASSIC = "classic", "Find the closest peers, then send the record to each of them";
        OPTPROV = "optprov", "Send records during the lookup, to peers that are probably among the closest";
        FULLRT = "fullrt", "Know every peer from a crawl, and need no lookup";
        LIBP2P = "libp2p", "Use the queries of rust-libp2p";
        BenchStrategy::Sweep = "sweep", "Publish many keys zone by zone of the keyspace, as Kubo does; with --keys";
    }
}

const CLASSIC: BenchStrategy = BenchStrategy::Of(StrategyKind::Classic);
const OPTPROV: BenchStrategy = BenchStrategy::Of(StrategyKind::Optprov);
const FULLRT: BenchStrategy = BenchStrategy::Of(StrategyKind::Fullrt);
const LIBP2P: BenchStrategy = BenchStrategy::Of(StrategyKind::Libp2p);

impl fmt::Display for BenchStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(strategy) => strategy.fmt(f),
            Self::Sweep => f.write_str(BulkStrategy::Sweep.as_str()),
        }
    }
}

/// Those that publish or look up one key.
fn of_one_key(strategies: &[BenchStrategy]) -> Vec<StrategyKind> {
    let of_one = |strategy: &BenchStrategy| match strategy {
        BenchStrategy::Of(kind) => Some(*kind),
        BenchStrategy::Sweep => None,
    };
    strategies.iter().filter_map(of_one).collect()
}

/// The strategies of the nodes that measure: no node of libp2p's own publishes many keys.
fn of_nodes(strategies: &[BenchStrategy], keys: Option<u32>) -> Vec<StrategyKind> {
    let mut nodes = of_one_key(strategies);
    nodes.retain(|strategy| keys.is_none() || *strategy != StrategyKind::Libp2p);
    nodes
}

/// Many keys that are published at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBulk {
    /// How many.
    pub keys: u32,
    /// How.
    pub strategies: Vec<BulkStrategy>,
}

/// A world, and what is played in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The world.
    pub world: WorldSource,
    /// The strategies that a world can play.
    pub strategies: Vec<StrategyKind>,
    /// Many keys at once, in place of one after the other.
    pub bulk: Option<AskedBulk>,
}

/// How many peers a lookup on a local network asks at the same time, unless told otherwise: as go-libp2p-kad-dht does.
pub const BENCH_ALPHA: u16 = 10;

settings! {
    /// `parsec bench`.
    BenchConfig(from) = "Bench";
    + common: CommonConfig, "What every command has";
    world: Option<WorldSource> = ("bench.world", "world", "NAME|FILE"),
        "World to simulate: a model of thousands of peers, in place of the local network of real ones";
    peers: u32 = ("bench.peers", "peers", "N").default("500")
        by outside(world.as_ref(), within(MIN_BENCH_PEERS..=MAX_BENCH_PEERS)), "Peers of the local DHT";
    strategies: Vec<BenchStrategy> = ("bench.strategies", "strategies", "STRATEGIES").default("classic,optprov,fullrt,libp2p"),
        "Strategies to compare; unless told otherwise all but libp2p with --world, and classic, fullrt and sweep with --keys";
    transport: BenchTransport = ("bench.transport", "transport", "TRANSPORT").default("memory"), "How peers are connected";
    keys: Option<u32> = ("bench.keys", "keys", "N") by within(1..=MAX_BENCH_KEYS),
        "Publish so many keys at once with each strategy, as a node does that announces all it holds; at most 10,000 through real peers";
    rtt: Duration = ("bench.rtt", "rtt", "DURATION").default("100ms")
        by outside(world.as_ref(), round_trip(of_nodes(&strategies, keys))), "Round-trip time between any two peers";
    undialable: Share = ("bench.undialable", "undialable", "SHARE").default("0.15") by outside(world.as_ref(), dead_share),
        "Share of peers that cannot be dialled: two thirds refuse, one third never answers";
    silent: Share = ("bench.silent", "silent", "SHARE").default("0")
        by outside(world.as_ref(), silence(undialable, &of_nodes(&strategies, keys), transport)),
        "Share of peers that accept connections and never answer";
    operations: u32 = ("bench.operations", "operations", "N").default("100") by within(1..=MAX_BENCH_OPERATIONS),
        "How many publications and how many lookups to make with each strategy, on each network";
    networks: u32 = ("bench.networks", "networks", "N").default("1") by within(1..=MAX_BENCH_NETWORKS),
        "How many networks to draw: a single one does not show how much they differ. The first has the seed, the next ones those after it";
    seed: Option<u64> = ("bench.seed", "seed", "N"), "Makes the random choices repeatable";
    save: Option<PathBuf> = ("bench.save", "save", "FILE"), "Keep the run there, for `parsec compare` and `parsec check`";
    format: BenchFormat = ("bench.format", "format", "FORMAT").default("text"), "How the result is written";
    alpha: Option<u16> = ("bench.alpha", "alpha", "N") by within(1..=MAX_ALPHA),
        "How many peers a lookup asks at the same time, at most 100 in a world; without it 10, or as many as the world says";
    warm: bool = ("bench.warm", "warm", "BOOL"), "Keep connections from one operation to the next";
    scan: Option<String> = ("bench.scan", "scan", "NAME=VALUES"),
        "Play the world at several values of one thing, such as alpha=3,5,10,20 or undialable=0..0.5, and compare each with the first";
    scenario: Option<ScenarioSource> = ("bench.scenario", "scenario", "NAME|FILE"),
        "Let things happen to the world on its clock, and show how each strategy fares as time goes on";
    chart: Option<PathBuf> = ("bench.chart", "chart", "FILE"), "Draw the scan or the scenario there, as SVG";
    => simulated: Option<Simulated> = together(from, world.as_ref())?.map(|world| simulated(from, world, &strategies, keys)).transpose()?,
        "The simulation, if it is one";
    => bulk: Option<AskedBulk> = locally(from, &strategies, keys, simulated.is_some())?,
        "Many keys at once through real peers, in place of one after the other";
    => compared: Vec<StrategyKind> = of_real_peers(from, &strategies, keys, simulated.is_some())?,
        "The strategies that real peers can play";
}

/// The most keys that are published at once: what is remembered of each takes some hundred bytes.
const MAX_BENCH_KEYS: u32 = 1_000_000;

/// The most keys that are published at once through real peers: some minutes of work for each strategy.
const MAX_LOCAL_KEYS: u32 = 10_000;

/// What of the settings means nothing where many keys are published at once.
const ONE_BY_ONE: [&str; 4] = ["bench.operations", "bench.save", "bench.scan", "bench.scenario"];

/// What of the settings shapes the local network, and means nothing in a world.
const LOCAL: [&str; 6] =
    ["bench.peers", "bench.transport", "bench.rtt", "bench.undialable", "bench.silent", "bench.warm"];

/// The world, if all settings that need another one have it.
fn together<'a>(from: &Sources, world: Option<&'a WorldSource>) -> Result<Option<&'a WorldSource>, ConfigError> {
    let (scans, happens) = (is_set(from, "bench.scan"), is_set(from, "bench.scenario"));
    for name in ["bench.scan", "bench.scenario"] {
        if is_set(from, name) && world.is_none() {
            return Err(ConfigError::Needs(from.origin(name).clone(), from.key("bench.world")));
        }
    }
    if is_set(from, "bench.chart") && !scans && !happens {
        let reason = "a scan or a scenario is drawn; expected --scan or --scenario with it";
        return Err(refused(from, "bench.chart", reason));
    }
    if scans && happens {
        let reason = "a scan plays a world in which nothing happens; expected only one of --scan and --scenario";
        return Err(refused(from, "bench.scenario", reason));
    }
    let several = [
        (
            scans,
            "a file keeps one run, and --scan makes several; expected only one of the two, or --format json > FILE",
        ),
        (
            happens,
            "a file does not keep when operations began, which --scenario is about; expected only one of the two, or --format json > FILE",
        ),
    ];
    if let Some((_, reason)) = several.into_iter().find(|(is_so, _)| *is_so && is_set(from, "bench.save")) {
        return Err(refused(from, "bench.save", reason));
    }
    Ok(world)
}

/// What is played in a world: nothing that was set is left out in silence.
fn simulated(
    from: &Sources,
    world: &WorldSource,
    strategies: &[BenchStrategy],
    keys: Option<u32>,
) -> Result<Simulated, ConfigError> {
    without_real_peers(from, &LOCAL, world)?;
    if strategies.contains(&LIBP2P) && is_set(from, "bench.strategies") {
        let reason = "strategy libp2p is not ours and needs real peers: a world cannot play it; expected strategies without libp2p";
        return Err(refused(from, "bench.strategies", reason));
    }
    let bulk = keys.map(|keys| bulk(from, strategies, keys)).transpose()?;
    if bulk.is_none() && strategies.contains(&BenchStrategy::Sweep) {
        return Err(refused(from, "bench.strategies", SWEEPS_MANY));
    }
    let mut strategies = of_one_key(strategies);
    strategies.retain(|strategy| *strategy != StrategyKind::Libp2p);
    Ok(Simulated { world: world.clone(), strategies, bulk })
}

const SWEEPS_MANY: &str =
    "strategy sweep publishes many keys at once; expected --keys with it, or strategies without sweep";

fn bulk(from: &Sources, strategies: &[BenchStrategy], keys: u32) -> Result<AskedBulk, ConfigError> {
    if let Some(name) = ONE_BY_ONE.into_iter().find(|name| is_set(from, name)) {
        let reason = "it is for operations one after the other, and --keys publishes many keys at once; expected only one of the two";
        return Err(refused(from, name, reason));
    }
    let of = |strategy: &BenchStrategy| match strategy {
        BenchStrategy::Of(StrategyKind::Classic) => Some(BulkStrategy::Classic),
        BenchStrategy::Of(StrategyKind::Optprov) => Some(BulkStrategy::Optprov),
        BenchStrategy::Of(StrategyKind::Fullrt) => Some(BulkStrategy::Fullrt),
        BenchStrategy::Of(StrategyKind::Libp2p) => None,
        BenchStrategy::Sweep => Some(BulkStrategy::Sweep),
    };
    let strategies = if is_set(from, "bench.strategies") {
        strategies.iter().filter_map(of).collect()
    } else {
        vec![BulkStrategy::Classic, BulkStrategy::Fullrt, BulkStrategy::Sweep]
    };
    Ok(AskedBulk { keys, strategies })
}

/// Many keys at once on a local network of real peers.
fn locally(
    from: &Sources,
    strategies: &[BenchStrategy],
    keys: Option<u32>,
    is_simulated: bool,
) -> Result<Option<AskedBulk>, ConfigError> {
    let Some(keys) = keys.filter(|_| !is_simulated) else { return Ok(None) };
    if keys > MAX_LOCAL_KEYS {
        let reason =
            format!("real peers take at most {MAX_LOCAL_KEYS} keys at once; expected fewer, or --world with it");
        return Err(refused(from, "bench.keys", reason));
    }
    if strategies.contains(&LIBP2P) && is_set(from, "bench.strategies") {
        let reason = "strategy libp2p is not ours and has no way to publish many keys at once; expected strategies without libp2p";
        return Err(refused(from, "bench.strategies", reason));
    }
    bulk(from, strategies, keys).map(Some)
}

/// What is played one key after the other on a local network of real peers.
fn of_real_peers(
    from: &Sources,
    strategies: &[BenchStrategy],
    keys: Option<u32>,
    is_simulated: bool,
) -> Result<Vec<StrategyKind>, ConfigError> {
    if is_simulated || keys.is_some() {
        return Ok(Vec::new());
    }
    if strategies.contains(&BenchStrategy::Sweep) {
        return Err(refused(from, "bench.strategies", SWEEPS_MANY));
    }
    Ok(of_one_key(strategies))
}

/// The time that a round trip takes on a simulated network in which nodes of these strategies measure.
fn round_trip(strategies: Vec<StrategyKind>) -> impl Fn(&str) -> Reading<Duration> {
    move |text| {
        let round_trip = values::duration(text)?;
        Latency::fixed(round_trip, &strategies).map_err(|error| error.to_string())?;
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
