//! A world: what is known of a network, as data. Who is in it, how dead they are, what their routing tables are like, how long requests
//! take, and how well a measuring node stands in it.
//!
//! [`shipped`] has those that come with parsec; [`read`] reads the files of others, in the same form: the files in `worlds/` explain
//! every value.

mod read;
mod shipped;

use std::ops::RangeInclusive;
use std::time::Duration;

use parsec_dht::Warmth;
use parsec_measure::written_duration;
use thiserror::Error;

use super::quantiles::Quantiles;
use crate::Region;
use crate::memory::{Needs, TooLarge};

pub use read::{MAX_WORLD_BYTES, WorldError};
pub use shipped::SHIPPED;

/// The fewest peers of a world: with one less, everybody holds every record.
pub(super) const MIN_PEERS: u32 = 21;

/// The most: peers are numbered with 32 bits, and some numbers are needed for measuring nodes.
pub(super) const MAX_PEERS: u32 = 100_000_000;

/// What a peer takes: its key, number, fate and region, its places among those who answer or are dead (103 bytes were measured for each
/// of a million), its place in the table of a crawl, and a margin.
const PEER_BYTES: u64 = 300;

/// What a crawl takes while it runs, which visits 200,000 peers at most, with all that it has heard of.
const CRAWL_BYTES: u64 = 200_000_000;

/// What everything else takes: the program, its threads, and results by the ten thousand.
const PROGRAM_BYTES: u64 = 100_000_000;

/// The most sybils of a key: twenty that are closer than all others are as many as a record has holders.
pub(super) const MAX_SYBILS: u32 = 1_000;

/// How long it may take until half of all peers have left: in less than a minute, no lookup would come to its end.
pub(super) const CHURN: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(1_000 * 24 * 60 * 60);

/// How long after its publication a key may be looked up: after two days a record has expired in go-libp2p-kad-dht (`ProvideValidity`), which is
/// not played.
pub(super) const AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 60 * 60);

/// Into how many parts the time between two refreshes is cut to find how many have left by its middle: sums are the same on all machines,
/// logarithms are not.
const PARTS: u32 = 64;

/// The largest share that a scan may set: somebody has to answer.
const MOST_DEAD: f64 = 0.95;

/// What a network is like.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Its name.
    pub name: String,
    /// What it stands for, in a sentence.
    pub about: String,
    /// How many peers, dead ones included.
    pub peers: u32,
    pub(super) fates: Fates,
    /// The share of peers in each region; together 1.
    pub(super) regions: Vec<(Region, f64)>,
    pub(super) tables: Tables,
    pub(super) times: Times,
    pub(super) node: NodeShape,
    /// The share of the entries of a crawl that have gone since.
    pub(super) crawl_gone: f64,
    /// How many requests of a lookup may be under way.
    pub(super) alpha: usize,
    pub(super) liars: Liars,
    /// How long it takes until half of all peers have left, if they come and go.
    pub(super) churn: Option<Duration>,
    /// How long after the return of a publication its key is looked up. A file has none: a scan sets it.
    pub(super) after: Duration,
}

/// Peers that lie. A file has none of them: a scan sets them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Liars {
    /// How many sybils stand around each key: they are closer to it than all others, name each other, and give records to nobody.
    pub(super) sybils: u32,
    /// The share of peers that name nobody but peers that do not exist.
    pub(super) poisoned: f64,
}

/// The shares of peers that are not as they should be; the rest is live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fates {
    /// Refuse to be dialled.
    pub(super) refusing: f64,
    /// Are not there: a dial runs into its time-out.
    pub(super) black_hole: f64,
    /// Can be dialled, and never answer.
    pub(super) silent: f64,
    /// Answer, and take their time.
    pub(super) slow: f64,
}

/// What routing tables are like.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tables {
    /// The share of entries that cannot be dialled, at some buckets, in their order; in between a straight line.
    pub(super) stale: Vec<(u32, f64)>,
    /// The share of live peers that should be in a bucket that is not full, and are not.
    pub(super) missing: f64,
    /// In how many tables a silent peer stands, as a share of those in which it would stand if it answered.
    pub(super) silent: f64,
}

/// How long requests take: round trips, and what comes on top of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Times {
    /// Round trips until a connection stands.
    pub(super) dial_round_trips: f64,
    /// Round trips of a request on a connection.
    pub(super) answer_round_trips: f64,
    /// How long dials take on top.
    pub(super) dial_live: Quantiles,
    pub(super) dial_slow: Quantiles,
    /// The share of dials in which the peer was named with an address, too, that does not work, and is tried first.
    pub(super) wrong_addresses: f64,
    /// How long it takes until a dial has failed.
    pub(super) dial_refusing: Quantiles,
    pub(super) dial_black_hole: Quantiles,
    /// How long answers take on top.
    pub(super) answer_live: Quantiles,
    pub(super) answer_slow: Quantiles,
    /// The share of requests in which a peer takes as long as it usually does; in others it is drawn anew.
    pub(super) steady: f64,
}

/// How well a measuring node stands in the network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodeShape {
    /// Where there is one.
    pub(super) regions: Vec<Region>,
    /// To whom it has a connection.
    pub(super) connections: Connections,
    /// By how much its own table is as stale as those of others.
    pub(super) staleness: f64,
}

/// To whom a measuring node has a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Connections {
    /// Whenever an operation begins, to these shares of the peers in its table, and of all others: operations stand each for itself.
    Shares {
        /// Of the peers in its table.
        in_table: f64,
        /// Of all others.
        elsewhere: f64,
    },
    /// To those to whom it was connected before, as far as it keeps connections. With these, it keeps what else it has learnt from one operation to
    /// the next.
    Kept(Warmth),
}

impl Connections {
    /// To which shares of the peers in a table with so many who can be dialled, and of all others, a node is connected that has done nothing yet.
    pub(super) fn shares(self, table: usize) -> (f64, f64) {
        match self {
            Self::Shares { in_table, elsewhere } => (in_table, elsewhere),
            Self::Kept(Warmth { low, .. }) => ((f64::from(low) / table.max(1) as f64).min(1.0), 0.0),
        }
    }
}

/// The most connections that are kept: more than peers that a node of the public network has ever been seen with.
pub(super) const MAX_KEPT: u32 = 100_000;

/// A value that a scan cannot set.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ScanError {
    /// There is none of this name.
    #[error("a world has no `{0}` to scan; expected one of {known}", known = World::SCANNED.join(", "))]
    Unknown(String),
    /// It may not be this.
    #[error("`{name}` cannot be {value}: expected {expected}")]
    Range {
        /// What was to be set.
        name: String,
        /// To what.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// It would change nothing.
    #[error(
        "`after` changes nothing in a world in which nobody leaves: records stay where they are; expected a world whose file has `churn`"
    )]
    Still,
    /// It would have no effect.
    #[error(
        "`connected` has no effect in a world whose node keeps connections: to whom it has one depends on what it did before; expected `connections`"
    )]
    Kept,
}

/// The share of the dead that refuses to be dialled where a world has none of them: as of a local network's.
const REFUSE: f64 = 2.0 / 3.0;

impl Fates {
    /// The share that refuses to be dialled of those who cannot be.
    pub(super) fn refuse(self) -> f64 {
        let dead = self.refusing + self.black_hole;
        if dead > 0.0 { self.refusing / dead } else { REFUSE }
    }

    /// The shares among those who can be dialled.
    pub(super) fn of_dialable(self) -> Self {
        let rest = (1.0 - self.refusing - self.black_hole).max(f64::EPSILON);
        Self { silent: self.silent / rest, slow: self.slow / rest, ..self }
    }
}

impl Tables {
    /// The share of stale entries in a bucket.
    pub(super) fn stale(&self, bucket: u32) -> f64 {
        let above = self.stale.partition_point(|(at, _)| *at <= bucket);
        match (self.stale[..above].last(), self.stale.get(above)) {
            (Some((low, from)), Some((high, to))) => {
                from + (to - from) * f64::from(bucket - low) / f64::from(high - low)
            }
            (Some((_, share)), None) | (None, Some((_, share))) => *share,
            (None, None) => 0.0,
        }
    }
}

impl World {
    /// What a scan may set.
    pub const SCANNED: [&str; 14] = [
        "after",
        "alpha",
        "churn",
        "connected",
        "connections",
        "missing",
        "peers",
        "poisoned",
        "silent",
        "slow",
        "stale",
        "sybils",
        "undialable",
        "wrong_addresses",
    ];

    /// What it takes to play it.
    pub fn needs(&self) -> Needs {
        Needs { peers: u64::from(self.peers), each: PEER_BYTES, besides: CRAWL_BYTES + PROGRAM_BYTES }
    }

    /// Whether there is room for it; `available` is in bytes.
    ///
    /// # Errors
    /// [`TooLarge`] says how much it takes, and how many peers there is room for.
    pub fn fits(&self, available: Option<u64>) -> Result<(), TooLarge> {
        self.needs().fit(available, "peers =")
    }

    /// The same world with one value changed.
    ///
    /// - `after`: how many seconds after the return of a publication its key is looked up;
    /// - `alpha`: how many requests of a lookup may be under way;
    /// - `churn`: after how many seconds half of all peers have left; nobody leaves if it is 0;
    /// - `peers`: how many there are;
    /// - `undialable`: the share of peers that cannot be dialled. As many of them refuse as before, in proportion, and routing tables are
    ///   as much staler as there are more of them;
    /// - `silent`, `slow`: the shares of peers that never answer, or late;
    /// - `stale`: by what factor routing tables are staler; `missing`: the share of neighbours that they miss;
    /// - `connected`: the share of the peers in its table that the node has a connection to;
    /// - `connections`: with more than how many connections the node closes some until five in six are left, as go-libp2p does with 192 and 160; it
    ///   keeps the others, and what else it has learnt, from one operation to the next;
    /// - `wrong_addresses`: the share of dials in which a peer that can be dialled was named with an address, too, that does not work;
    /// - `sybils`: how many peers stand around each key, closer to it than all others, that name each other and give records to nobody;
    /// - `poisoned`: the share of peers that name nobody but peers that do not exist.
    ///
    /// # Errors
    /// [`ScanError`] says what there is to set, or what it may be.
    pub fn with(&self, name: &str, value: f64) -> Result<Self, ScanError> {
        if Self::is_time(name) {
            return self.with_time(name, value);
        }
        let mut world = self.clone();
        let Fates { refusing, black_hole, silent, slow } = self.fates;
        let dead = refusing + black_hole;
        let (low, high) = match name {
            "alpha" => (1.0, 100.0),
            "peers" => (f64::from(MIN_PEERS), f64::from(MAX_PEERS)),
            "undialable" => (0.0, MOST_DEAD - silent - slow),
            "silent" => (0.0, MOST_DEAD - dead - slow),
            "slow" => (0.0, MOST_DEAD - dead - silent),
            "stale" => (0.0, 10.0),
            "missing" | "connected" | "wrong_addresses" => (0.0, 1.0),
            "sybils" => (0.0, f64::from(MAX_SYBILS)),
            "poisoned" => (0.0, MOST_DEAD),
            "connections" => (1.0, f64::from(MAX_KEPT)),
            _ => return Err(ScanError::Unknown(name.to_owned())),
        };
        let whole = Self::is_whole(name);
        if !(low..=high).contains(&value) || (whole && value.fract() != 0.0) {
            let what = if whole { "a whole number" } else { "a number" };
            let expected = format!("{what} from {low} to {}", (high * 1e6).round() / 1e6);
            return Err(ScanError::Range { name: name.to_owned(), value: value.to_string(), expected });
        }
        match name {
            "alpha" => world.alpha = value as usize,
            "peers" => world.peers = value as u32,
            "undialable" => {
                let refuse = self.fates.refuse();
                (world.fates.refusing, world.fates.black_hole) = (value * refuse, value * (1.0 - refuse));
                world.tables.scale(if dead > 0.0 { value / dead } else { 1.0 });
            }
            "silent" => world.fates.silent = value,
            "slow" => world.fates.slow = value,
            "stale" => world.tables.scale(value),
            "missing" => world.tables.missing = value,
            "sybils" => world.liars.sybils = value as u32,
            "wrong_addresses" => world.times.wrong_addresses = value,
            "poisoned" => world.liars.poisoned = value,
            "connections" => {
                let high = value as u32;
                let Warmth { low, high: of } = Warmth::default();
                let low = u64::from(high) * u64::from(low) / u64::from(of);
                world.node.connections = Connections::Kept(Warmth { low: low as u32, high });
            }
            _ => match &mut world.node.connections {
                Connections::Shares { in_table, .. } => *in_table = value,
                Connections::Kept(_) => return Err(ScanError::Kept),
            },
        }
        Ok(world)
    }

    fn with_time(&self, name: &str, seconds: f64) -> Result<Self, ScanError> {
        let (range, or) = if name == "after" { (AFTER, "") } else { (CHURN, "0, or ") };
        let time = Duration::try_from_secs_f64(seconds).ok();
        let never = name == "churn" && seconds == 0.0;
        let Some(time) = time.filter(|time| never || range.contains(time)) else {
            let [low, high] = [range.start(), range.end()].map(|end| written_duration(*end));
            let value = time.map_or_else(|| seconds.to_string(), written_duration);
            let expected = format!("{or}a time from {low} to {high}");
            return Err(ScanError::Range { name: name.to_owned(), value, expected });
        };
        match name {
            "after" if self.churn.is_none() => Err(ScanError::Still),
            "after" => Ok(Self { after: time, ..self.clone() }),
            _ => Ok(Self { churn: Some(time).filter(|_| !never), ..self.clone() }),
        }
    }

    /// Whether what a scan sets is a time.
    pub(super) fn is_time(name: &str) -> bool {
        matches!(name, "after" | "churn")
    }

    /// Whether what a scan sets is a whole number.
    pub(super) fn is_whole(name: &str) -> bool {
        matches!(name, "alpha" | "connections" | "peers" | "sybils")
    }

    /// Whether nodes go on from one operation to the next.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.node.connections, Connections::Kept(_))
    }

    /// How long it takes until half of all peers have left, if they come and go.
    pub fn churn(&self) -> Option<Duration> {
        self.churn
    }

    /// The same world in which nobody comes or goes.
    #[must_use]
    pub fn still(&self) -> Self {
        Self { churn: None, ..self.clone() }
    }

    /// What tables are like when they have just been refreshed, which happens this often. Those who leave until the next time are part of the
    /// stale entries that the world says, and those who come of the missing ones.
    pub(super) fn tables_as_filled(&self, refresh: Duration) -> Tables {
        let mut tables = self.tables.clone();
        let Some(half_life) = self.churn.map(|half_life| half_life.as_secs_f64()) else { return tables };
        let left = |part: u32| {
            let age = refresh.as_secs_f64() * (f64::from(part) + 0.5) / f64::from(PARTS);
            age / (age + half_life)
        };
        let left = (0..PARTS).map(left).sum::<f64>() / f64::from(PARTS);
        tables.stale.iter_mut().for_each(|(_, share)| *share = (*share - left).max(0.0));
        tables.missing = (tables.missing - left).max(0.0);
        tables
    }

    /// Everything that it says, as a text: two worlds with the same text are the same.
    pub fn text(&self) -> String {
        format!("{self:?}")
    }

    /// How many requests of a lookup may be under way.
    pub fn alpha(&self) -> usize {
        self.alpha
    }
}

impl Tables {
    fn scale(&mut self, factor: f64) {
        self.stale.iter_mut().for_each(|(_, share)| *share = (*share * factor).min(MOST_DEAD));
    }
}

#[cfg(test)]
mod tests;
