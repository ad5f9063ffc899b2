//! The settings of `demo`, and what it has in common with `bench`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use parsec_layers::{Choice, ConfigError, Secrecy, Secret, Sources};
use parsec_measure::{Fleet, Latency, Share, StrategyKind};
use parsec_store::StoreConfig;

use crate::common::{CommonConfig, database_url};
use crate::declare::settings;
use crate::values::{OutputFormat, Reading, Value, no_choice, parsed, within};
use crate::world::{ScenarioSource, WorldSource, is_set, outside, refused, without_real_peers};

/// The most peers of a demo: each costs sockets and memory of this one process.
const MAX_DEMO_PEERS: u32 = 10_000;

/// The most servers of a demo, for the same reason.
const MAX_DEMO_SERVERS: u32 = 1_000;

/// The fewest servers of a demo: with less, nobody looks up what another one published.
const LEAST_DEMO_SERVERS: u32 = parsec_measure::MIN_READY_NODES as u32;

settings! {
    /// `parsec demo`.
    DemoConfig(from) = "Demo";
    + common: CommonConfig, "What every command has";
    world: Option<WorldSource> = ("demo.world", "world", "NAME|FILE"),
        "World to simulate, in place of the local DHT of real peers: days of rounds on a clock of their own, as fast as the machine can";
    days: Option<u32> = ("demo.days", "days", "N") by within(1..=MAX_DAYS),
        "With --world, how many days of rounds to play, up to now; without it and without --rounds 7";
    scenario: Option<ScenarioSource> = ("demo.scenario", "scenario", "NAME|FILE"),
        "With --world, what happens to it from the middle of the rounds on, in its own time";
    peers: u32 = ("demo.peers", "peers", "N").default("100") by outside(world.as_ref(), within(1..=MAX_DEMO_PEERS)), "Peers of the local DHT";
    servers: u32 = ("demo.servers", "servers", "N").default("5") by within(LEAST_DEMO_SERVERS..=MAX_DEMO_SERVERS),
        "Servers of each fleet, at least 2; in a world 7 unless told otherwise";
    rounds: Option<u32> = ("demo.rounds", "rounds", "N") by within(1..=u32::MAX),
        "How many rounds of each fleet to play; without it, until Ctrl-C, and in a world as many as --days have";
    interval: Duration = ("demo.interval", "interval", "DURATION").default("5s"),
        "Time from the start of one round to the start of the next; in a world 10m unless told otherwise";
    open: bool = ("demo.open", "open", "BOOL"), "Open the page that shows what is measured in a browser";
    data_dir: Option<PathBuf> = ("demo.data_dir", "data-dir", "DIR").rivals(&["demo.database_url"]),
        "Where the measurements are kept; without it, in a new temporary directory";
    database_url: Option<Secret> = ("demo.database_url", "database-url", "URL").secrecy(Secrecy::SecretInUrl)
        .rivals(&["demo.data_dir"]) by database_url,
        "With --world, the empty database that the rounds go to, sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME, in place of a directory";
    format: OutputFormat = ("demo.format", "format", "FORMAT").default("text"), "How results are written";
    seed: Option<u64> = ("demo.seed", "seed", "N"), "Number that makes the random choices of the demo repeatable";
    save: Option<PathBuf> = ("demo.save", "save", "FILE"), "Keep the run there, for `parsec compare` and `parsec check`";
    fleets: Vec<DemoFleet> = ("demo.fleets", "fleets", "NAMES").default("default,optprov,fullrt"),
        "Fleets side by side, each with the strategy of its name; default is the classic one";
    latency: Latency = ("demo.latency", "latency", "LATENCY").default("realistic") by outside(world.as_ref(), latency(&fleets)),
        "Round-trip time between peers: realistic (by their regions), none, or a duration";
    undialable: Share = ("demo.undialable", "undialable", "SHARE").default("0.15")
        by outside(world.as_ref(), dead_share), "Share of peers that cannot be dialled";
    silent: Share = ("demo.silent", "silent", "SHARE").default("0.02")
        by outside(world.as_ref(), dead_share_beside(undialable, "undialable")),
        "Share of peers that accept connections and never answer";
    => simulated: Option<SimulatedRounds> = in_world(from, (&world, &scenario), &fleets, (days, rounds), (servers, interval), database_url.as_ref())?,
        "What is played in a world, if it is one";
}

/// Rounds in a simulated world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedRounds {
    /// The world.
    pub world: WorldSource,
    /// What happens to it.
    pub scenario: Option<ScenarioSource>,
    /// Servers of each fleet.
    pub servers: u32,
    /// From the start of one round to the start of the next.
    pub interval: Duration,
    /// Rounds of each fleet.
    pub rounds: u32,
    /// The database that they go to, unless it is a file in a directory of its own.
    pub database: Option<StoreConfig>,
}

/// The most days that are played: a year takes an hour or so.
const MAX_DAYS: u32 = 366;

/// The most rounds of a fleet, for the same reason.
const MAX_SIMULATED_ROUNDS: u128 = 100_000;

/// How many days are played, by how many servers of each fleet and how often, unless told otherwise: what ProbeLab's deployment measured in
/// a week, which had seven regions.
const DAYS: u32 = 7;
const SERVERS_IN_WORLD: u32 = 7;
const INTERVAL_IN_WORLD: Duration = Duration::from_secs(10 * 60);

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What of the settings means nothing where no real peer is.
const LOCAL: [&str; 5] = ["demo.peers", "demo.latency", "demo.undialable", "demo.silent", "demo.open"];

/// What is played in the world, if there is one: nothing that was set is left out in silence.
fn in_world(
    from: &Sources,
    (world, scenario): (&Option<WorldSource>, &Option<ScenarioSource>),
    fleets: &[DemoFleet],
    (days, rounds): (Option<u32>, Option<u32>),
    (servers, interval): (u32, Duration),
    database: Option<&Secret>,
) -> Result<Option<SimulatedRounds>, ConfigError> {
    let Some(world) = world else {
        let needs_world = ["demo.days", "demo.scenario", "demo.database_url"];
        return match needs_world.iter().find(|name| is_set(from, name)) {
            Some(name) => Err(ConfigError::Needs(from.origin(name).clone(), from.key("demo.world"))),
            None => Ok(None),
        };
    };
    let database = database.map(|url| url.expose().parse::<StoreConfig>());
    let database = database.transpose().map_err(|error| refused(from, "demo.database_url", error.to_string()))?;
    without_real_peers(from, &LOCAL, world)?;
    if fleets.iter().any(|fleet| fleet.strategy == StrategyKind::Libp2p) {
        let reason =
            "strategy libp2p is not ours and needs real peers: a world cannot play it; expected fleets without libp2p";
        return Err(refused(from, "demo.fleets", reason));
    }
    if days.is_some() && rounds.is_some() {
        return Err(refused(
            from,
            "demo.days",
            "--rounds says how many rounds there are; expected only one of the two",
        ));
    }
    let servers = if is_set(from, "demo.servers") { servers } else { SERVERS_IN_WORLD };
    let interval = if is_set(from, "demo.interval") { interval } else { INTERVAL_IN_WORLD };
    let whole = DAY * days.unwrap_or(DAYS);
    let rounds = rounds.map_or_else(|| (whole.as_nanos() / interval.as_nanos().max(1)).max(1), u128::from);
    if rounds > MAX_SIMULATED_ROUNDS {
        let name = if is_set(from, "demo.rounds") { "demo.rounds" } else { "demo.interval" };
        let reason = format!("that is {rounds} rounds of each fleet; expected at most {MAX_SIMULATED_ROUNDS}");
        return Err(refused(from, name, reason));
    }
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    Ok(Some(SimulatedRounds { world: world.clone(), scenario: scenario.clone(), servers, interval, rounds, database }))
}

/// A fleet of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFleet {
    /// Its name.
    pub fleet: Fleet,
    /// How its servers publish and find.
    pub strategy: StrategyKind,
}

impl Value for DemoFleet {
    const CHOICES: &'static [Choice] =
        &[("default", ""), StrategyKind::CHOICES[1], StrategyKind::CHOICES[2], StrategyKind::CHOICES[3]];

    fn read(name: &str) -> Reading<Self> {
        if Self::CHOICES.iter().all(|(known, _)| *known != name) {
            return Err(no_choice("fleet", name, Self::CHOICES));
        }
        let strategy = if name == "default" { StrategyKind::Classic } else { StrategyKind::read(name)? };
        Ok(Self { fleet: parsed(name)?, strategy })
    }
}

impl fmt::Display for DemoFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fleet.fmt(f)
    }
}

/// A latency over which nodes of these fleets can measure.
fn latency(fleets: &[DemoFleet]) -> impl Fn(&str) -> Reading<Latency> {
    let strategies: Vec<_> = fleets.iter().map(|fleet| fleet.strategy).collect();
    move |text| Latency::read(text)?.suits(&strategies).map_err(|error| error.to_string())
}

/// With fewer than a tenth of the peers in order, a DHT is none.
const MAX_DEAD: f64 = 0.9;

/// A share of the peers that are out of order.
pub(crate) fn dead_share(text: &str) -> Reading<Share> {
    let share = Share::read(text).ok().filter(|share| share.get() <= MAX_DEAD);
    share.ok_or_else(|| format!("expected a share from 0 to {MAX_DEAD}, such as 0.15"))
}

/// The same beside the share `other`, called `name`.
pub(crate) fn dead_share_beside(other: Share, name: &'static str) -> impl Fn(&str) -> Reading<Share> {
    move |text| match dead_share(text)? {
        share if share.get() + other.get() > MAX_DEAD => {
            Err(format!("with {} {name} besides, expected at most {MAX_DEAD} in all", other.get()))
        }
        share => Ok(share),
    }
}
