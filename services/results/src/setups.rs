//! With which versions and configuration things were measured, and when these changed.
//!
//! A change is found where one process takes the place of another: a server of the same fleet in the same region, or a loop of the same
//! fleets, that started when the other one had stopped to measure. Servers that differ and measure beside each other are no change.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{NodeId, SampledOperation, SchedulerId, Setup};

/// How long after the start of its successor a process may still have measured, on clocks that differ: it ends what it has begun.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// Processes that stopped to measure this much earlier than the last of them are no predecessors: another one has come in between.
const GENERATION: TimeDelta = TimeDelta::hours(1);

/// The same change in several places within this time is one: a new release goes from region to region.
const ROLL_OUT: TimeDelta = TimeDelta::hours(24);

/// Flags with one of these words say where something is, not what is measured, and differ from host to host.
const PLACES: [&str; 31] = [
    "addr",
    "addresses",
    "advertise",
    "api",
    "aws",
    "cert",
    "config",
    "database",
    "db",
    "debug",
    "dir",
    "ecs",
    "file",
    "firehose",
    "fleet",
    "format",
    "host",
    "ip",
    "key",
    "leveldb",
    "log",
    "metadata",
    "port",
    "region",
    "spool",
    "stop",
    "telemetry",
    "tls",
    "token",
    "uri",
    "url",
];

/// Words that stand behind switches and are none of their values.
const COMMANDS: [&str; 4] = ["server", "scheduler", "dht", "ipni"];

/// Who of those that measured when for the last time.
#[derive(Debug, Default)]
pub struct Uses {
    servers: BTreeMap<NodeId, DateTime<Utc>>,
    schedulers: BTreeMap<SchedulerId, DateTime<Utc>>,
}

/// Whose setup it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// That of the servers of a fleet.
    Servers(String),
    /// That of the loops of rounds of these fleets.
    Scheduler(String),
}

/// Processes with what they said of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Which.
    pub whose: Whose,
    /// How many of them measured.
    pub count: usize,
    /// What they said, by name: each value that one of them said.
    pub settings: BTreeMap<String, BTreeSet<String>>,
}

/// A setting that was another one before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// What it was, if it was said.
    pub from: Option<String>,
    /// What it is, if it is said.
    pub to: Option<String>,
}

/// Settings that changed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub whose: Whose,
    /// When the first process with the new settings started.
    pub first: DateTime<Utc>,
    /// When the last one did.
    pub last: DateTime<Utc>,
    /// The regions of these.
    pub regions: BTreeSet<String>,
    /// What changed.
    pub settings: Vec<Changed>,
}

/// With what something was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeasuredWith {
    /// Who measured within the period: servers by fleet, then loops.
    pub configured: Vec<Configured>,
    /// What changed, in the order of time: in the period, and in what it is compared with.
    pub changes: Vec<Change>,
}

impl Uses {
    /// Learns of an operation.
    pub fn add(&mut self, sampled: &SampledOperation) {
        let (node, started) = (sampled.operation.node, sampled.operation.started);
        let last = self.servers.entry(node).or_insert(started);
        *last = started.max(*last);
        let last = self.schedulers.entry(sampled.scheduler).or_insert(started);
        *last = started.max(*last);
    }

    /// The servers that measured.
    pub fn servers(&self) -> BTreeSet<NodeId> {
        self.servers.keys().copied().collect()
    }

    /// The loops of rounds that asked for it.
    pub fn schedulers(&self) -> BTreeSet<SchedulerId> {
        self.schedulers.keys().copied().collect()
    }

    /// With what was measured, from then on, and what has changed since what it is compared with began.
    pub fn with(
        &self,
        servers: &BTreeMap<NodeId, Setup>,
        schedulers: &BTreeMap<SchedulerId, Setup>,
        since: DateTime<Utc>,
        compared_since: DateTime<Utc>,
    ) -> MeasuredWith {
        let servers = self.servers.iter().filter_map(|(id, last)| Some(Process::server(servers.get(id)?, *last)));
        let schedulers =
            self.schedulers.iter().filter_map(|(id, last)| Some(Process::of_loop(schedulers.get(id)?, *last)));
        let all: Vec<Process> = servers.chain(schedulers).collect();
        MeasuredWith { configured: configured(&all, since), changes: changes(&all, compared_since) }
    }
}

/// A process that measured.
#[derive(Debug)]
struct Process {
    whose: Whose,
    region: String,
    started: DateTime<Utc>,
    last: DateTime<Utc>,
    settings: BTreeMap<String, String>,
}

impl Process {
    fn server(setup: &Setup, last: DateTime<Utc>) -> Self {
        Self::new(Whose::Servers(setup.of.clone()), setup, last)
    }

    fn of_loop(setup: &Setup, last: DateTime<Utc>) -> Self {
        Self::new(Whose::Scheduler(setup.of.clone()), setup, last)
    }

    fn new(whose: Whose, setup: &Setup, last: DateTime<Utc>) -> Self {
        let settings = setup.said.clone().into_iter().chain(flags(&setup.cmd)).collect();
        Self { whose, region: setup.region.clone(), started: setup.started, last, settings }
    }

    /// What is different in `next`.
    fn changed(&self, next: &Self) -> Vec<Changed> {
        let names: BTreeSet<_> = self.settings.keys().chain(next.settings.keys()).collect();
        let changed = names.into_iter().map(|name| Changed {
            name: name.clone(),
            from: self.settings.get(name).cloned(),
            to: next.settings.get(name).cloned(),
        });
        changed.filter(|changed| changed.from != changed.to).collect()
    }
}

/// The flags of a command line that say what is measured. It was joined by blanks: what has blanks in it is read up to the first.
fn flags(cmd: &str) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    let mut words = cmd.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None => (flag, words.next_if(|next| !next.starts_with('-') && !COMMANDS.contains(next)).unwrap_or("true")),
        };
        if !name.is_empty() && !name.split('-').any(|word| PLACES.contains(&word)) {
            flags.insert(format!("--{name}"), value.to_owned());
        }
    }
    flags
}

fn configured(all: &[Process], since: DateTime<Utc>) -> Vec<Configured> {
    let mut found: BTreeMap<&Whose, (usize, BTreeMap<String, BTreeSet<String>>)> = BTreeMap::new();
    for process in all.iter().filter(|process| process.last >= since) {
        let (count, settings) = found.entry(&process.whose).or_default();
        *count += 1;
        for (name, value) in &process.settings {
            settings.entry(name.clone()).or_default().insert(value.clone());
        }
    }
    let configured = |(whose, (count, settings)): (&Whose, _)| Configured { whose: whose.clone(), count, settings };
    found.into_iter().map(configured).collect()
}

fn changes(all: &[Process], since: DateTime<Utc>) -> Vec<Change> {
    let mut by_place: BTreeMap<(&Whose, &str), Vec<&Process>> = BTreeMap::new();
    for process in all {
        by_place.entry((&process.whose, &process.region)).or_default().push(process);
    }
    let found = by_place.values().flat_map(|here| here.iter().filter_map(|next| replaced(here, next)));
    let mut found: Vec<Change> = found.filter(|change| change.first >= since).collect();
    found.sort_by_key(|change| change.first);
    let mut changes: Vec<Change> = Vec::new();
    for change in found {
        let is_the_same = |known: &&mut Change| {
            known.whose == change.whose && known.settings == change.settings && change.first - known.last <= ROLL_OUT
        };
        match changes.iter_mut().find(is_the_same) {
            Some(known) => {
                known.last = change.last;
                known.regions.extend(change.regions);
            }
            None => changes.push(change),
        }
    }
    changes
}

/// What changed when this process took the place of another: of those that it can have replaced the one that differs least.
fn replaced(here: &[&Process], next: &Process) -> Option<Change> {
    let before = here.iter().filter(|old| old.started < next.started && old.last <= next.started + OVERLAP);
    let newest = before.clone().map(|old| old.last).max()?;
    let settings =
        before.filter(|old| old.last >= newest - GENERATION).map(|old| old.changed(next)).min_by_key(Vec::len)?;
    (!settings.is_empty()).then(|| Change {
        whose: next.whose.clone(),
        first: next.started,
        last: next.started,
        regions: Some(next.region.clone()).filter(|region| !region.is_empty()).into_iter().collect(),
        settings,
    })
}

#[cfg(test)]
mod tests;
