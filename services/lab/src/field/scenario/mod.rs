//! A scenario: what happens to a network on the simulated clock, as data.
//!
//! [`read`] reads a file; [`shipped`] has those that come with parsec, in the same form: the files in `scenarios/` explain every value.

mod read;
mod shipped;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use read::{MAX_SCENARIO_BYTES, ScenarioError};
pub use shipped::SHIPPED_SCENARIOS;

use super::moment::Home;
use super::world::World;
use crate::memory::{Needs, TooLarge};

/// How often routing tables are refreshed, unless a scenario says otherwise: `DefaultRoutingTableRefreshPeriod` of go-libp2p-kad-dht.
const REFRESH: Duration = Duration::from_secs(600);

/// How often peers come and go, where they do: all of a minute at its beginning.
const TICK: Duration = Duration::from_secs(60);

/// How often at most: each time takes memory. As often as there are minutes in a [`Scenario::of`] a world in which peers come and go.
const MOST_TICKS: u32 = 240;

/// For how long publications begin in a world in which peers come and go: as long as a full routing table is kept until the next crawl
/// (`vantage`), so that its operations meet tables of every age.
const OWN_LENGTH: Duration = Duration::from_secs(60 * 60);

/// How long before an operation begins a full routing table may have been crawled (`vantage`).
const LOOK_BACK: Duration = OWN_LENGTH;

/// 2³² divided by the golden ratio.
const GOLDEN: u32 = 0x9e37_79b9;

/// How much longer than an operation anything of it may last: its limit, and what it leaves to the background.
const MARGIN: Duration = Duration::from_secs(180 + 180 + 90);

/// What a refusal calls the number of peers.
const SETTING: &str = "with those who join in the scenario, peers =";

/// What happens while strategies are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it stands for, in a sentence.
    pub about: String,
    /// For how long publications begin, at even distances.
    pub length: Duration,
    /// The time that a row of the table is about.
    pub step: Duration,
    /// How often each bucket of a routing table is filled anew.
    pub(super) refresh: Duration,
    /// How long after the return of a publication the lookup begins; at least until its records are there.
    pub(super) lookup_after: Duration,
    /// How long it takes until half of all peers have left, if they come and go.
    pub(super) churn: Option<Duration>,
    /// In the order in which they happen.
    pub(super) events: Vec<Event>,
    /// When the first publication begins on the clock of the network, by which the events happen. It is when the scenario begins.
    pub(super) starts: Duration,
    /// Whether publications begin all over its length from the first on, so that fewer are the first of many and stand for the same time;
    /// else one after the other, which nodes have to that go on from one to the next.
    pub(super) is_scattered: bool,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) what: What,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// This share of those who answer never answers again, and can still be dialled.
    Silent(f64),
    /// This share of those who can be dialled leaves; as large a share of the dead is forgotten.
    Leave(f64),
    /// This share of those who have gone silent or left by an event is as before.
    Back(f64),
    /// A network of so many peers, like this one but for its size, becomes one with this one.
    Merge(u32),
    /// The measuring nodes can use TCP alone from now on.
    Udp(Option<Transports>),
}

/// The shares of peers that have one transport alone; all others have both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transports {
    pub(super) quic_only: f64,
    pub(super) tcp_only: f64,
}

/// Nothing happens.
pub(super) static STILL: Scenario = Scenario {
    name: String::new(),
    about: String::new(),
    length: Duration::ZERO,
    step: TICK,
    refresh: REFRESH,
    lookup_after: Duration::ZERO,
    churn: None,
    events: Vec::new(),
    starts: Duration::ZERO,
    is_scattered: false,
};

impl Scenario {
    /// What goes on in a world to which nothing happens: nothing, or peers come and go.
    pub(super) fn of(world: &World) -> Self {
        let still = Self { lookup_after: world.after, ..STILL.clone() };
        if world.churn.is_none() {
            return still;
        }
        Self { length: OWN_LENGTH, is_scattered: !world.goes_on(), ..still }.on(world)
    }

    /// The same on the clock of a world. Where peers come and go there, it begins when every table has been refreshed once since they have: before,
    /// fewer of its entries would have left than later on.
    pub(super) fn on(&self, world: &World) -> Self {
        let mut on = self.clone();
        let Some(churn) = world.churn else { return on };
        on.churn = self.churn.or(Some(churn));
        on.starts = self.refresh;
        on.events.iter_mut().for_each(|event| event.at += self.refresh);
        on
    }

    /// When a publication begins, of so many.
    pub(super) fn begins(&self, number: u32, all: u32) -> Duration {
        let (part, of) = if self.is_scattered {
            // Multiples of the golden ratio (Weyl's sequence) are evenly spread, however many there are.
            (number.wrapping_mul(GOLDEN), 1 << 32)
        } else {
            (number, u128::from(all.max(1)))
        };
        let nanos = self.length.as_nanos() * u128::from(part) / of;
        self.starts + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// From when on nothing of it is of interest any more.
    pub(super) fn ends(&self) -> Duration {
        self.starts + self.length + self.lookup_after + MARGIN
    }

    /// Whether any operation can meet then what happens: while publications are under way, or lookups, or what these rest on.
    pub(super) fn matters(&self, at: Duration) -> bool {
        let first_lookup = self.starts + self.lookup_after;
        at <= self.ends() && (at + self.lookup_after <= self.ends() || at + LOOK_BACK.max(self.refresh) >= first_lookup)
    }

    /// The sizes of the networks that merge into this one, in order.
    pub(super) fn merges(&self) -> impl Iterator<Item = u32> {
        self.events.iter().filter_map(|event| match event.what {
            What::Merge(peers) => Some(peers),
            _ => None,
        })
    }

    /// How many of them have done so by then.
    pub(super) fn merged(&self, at: Duration) -> Home {
        let is_merge = |event: &&Event| event.at <= at && matches!(event.what, What::Merge(_));
        Home::try_from(self.events.iter().filter(is_merge).count()).unwrap_or(Home::MAX)
    }

    /// How many of them have done so before an event.
    pub(super) fn merged_before(&self, event: usize) -> Home {
        let merges = self.events[..event].iter().filter(|event| matches!(event.what, What::Merge(_)));
        Home::try_from(merges.count()).unwrap_or(Home::MAX)
    }

    /// Which transports peers have, while UDP is blocked.
    pub(super) fn udp_blocked(&self, at: Duration) -> Option<Transports> {
        let blocked = |event: &Event| match event.what {
            What::Udp(transports) if event.at <= at => Some(transports),
            _ => None,
        };
        self.events.iter().rev().find_map(blocked).flatten()
    }

    /// When the network changes; its beginning is one of them.
    pub(super) fn changes(&self) -> Vec<Duration> {
        let mut changes = vec![Duration::ZERO];
        changes.extend(self.events.iter().map(|event| event.at));
        if self.churn.is_some() {
            let ticks = |tick: Duration| {
                let all = (1..).map(move |number| tick * number).take_while(|at| *at < self.ends());
                all.filter(|at| self.matters(*at))
            };
            // As few minutes as it takes.
            let minutes = u32::try_from(ticks(TICK).count()).unwrap_or(u32::MAX);
            changes.extend(ticks(TICK * minutes.div_ceil(MOST_TICKS).max(1)));
        }
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// How many peers there are at most besides those of the world, of whom there are so many.
    fn more_peers(&self, peers: u64) -> u64 {
        let merged: u64 = self.merges().map(u64::from).sum();
        // Nobody's chance to leave is larger than at the beginning of a session: one half-life.
        let turns = self.churn.map_or(0.0, |half_life| self.ends().as_secs_f64() / half_life.as_secs_f64());
        merged + ((peers + merged) as f64 * turns) as u64
    }

    /// What it takes to play it in a world: besides what a peer takes there, five bytes for each moment, and its place in the table of each
    /// crawl.
    pub(super) fn needs(&self, world: &World) -> Needs {
        let Needs { peers, each, besides } = world.needs();
        let more = 5 * self.changes().len() as u64 + 80 * (1 + self.ends().as_secs() / 3_600);
        Needs { peers: peers + self.more_peers(peers), each: each + more, besides }
    }

    /// Whether there is room for it in a world; `available` is in bytes.
    ///
    /// # Errors
    /// [`TooLarge`] says how much it takes, and what there is room for.
    pub fn fits(&self, world: &World, available: Option<u64>) -> Result<(), TooLarge> {
        self.needs(world).fit(available, SETTING)
    }

    /// What happens, in sentences: when, and what.
    pub fn told(&self) -> Vec<(Duration, String)> {
        let tell = |event: &Event| (event.at, event.what.told());
        self.events.iter().map(tell).collect()
    }

    /// How long it takes until half of all peers of a world have left, if they come and go.
    pub fn churn(&self, world: &World) -> Option<Duration> {
        self.churn.or(world.churn)
    }

    /// How long after its publication a key is looked up.
    pub fn lookup_after(&self) -> Duration {
        self.lookup_after
    }
}

impl What {
    fn told(self) -> String {
        let percent = |share: f64| (share * 100_000.0).round() / 1_000.0;
        match self {
            Self::Silent(share) => format!("{} % of those who answer go silent", percent(share)),
            Self::Leave(share) => format!("{} % leave", percent(share)),
            Self::Back(share) => format!("{} % of those who went silent or left are back", percent(share)),
            Self::Merge(peers) => format!("a network of {peers} peers merges in"),
            Self::Udp(Some(_)) => "UDP is blocked at the nodes that measure".to_owned(),
            Self::Udp(None) => "UDP is open again".to_owned(),
        }
    }
}
