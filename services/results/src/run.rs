//! A run that is kept in a file, to be compared with others: what was measured, under which conditions, by which version.
//!
//! The text is one JSON document. Numbers and texts only, every operation by itself, so that other programs can read it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{
    ArchivedNode, ArchivedOperation, Attempt, AttemptId, Node, NodeId, OperationKind, OutcomeClass, RoundId,
    StrategyKind,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bench::{BenchGroup, BenchOperation, Unit};
use crate::groups::round_number;

/// What such a document says that it is.
const FORMAT: &str = "parsec run";

/// The version of its shape. A new member that older versions may leave out of account is no new version.
const SCHEMA: u32 = 1;

/// How many digits of the hash are kept: enough that two configurations never share them by accident.
const HASH_DIGITS: usize = 16;

/// The settings that decide, by command, whether two runs may be compared: all that shape the network, and how operations are made.
/// Which strategies, how many operations and networks, and the seed do not matter.
const DECISIVE: [(&str, &[&str]); 2] = [
    ("bench", &[NETWORK, "world", "peers", "rtt", "undialable", "silent", "transport", "alpha", "warm", "unit"]),
    ("demo", &[NETWORK, "world", "peers", "servers", "latency", "undialable", "silent"]),
];

/// The setting that says on what a run was made.
const NETWORK: &str = "network";

/// What it is of a run on real peers: older files do not say it.
pub const REAL: &str = "local";

/// What the name of a simulated network begins with.
const SIMULATED: &str = "simulated:";

/// A run: what it was, and what it measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What the document is: [`FORMAT`].
    format: String,
    /// The version of its shape: [`SCHEMA`].
    schema: u32,
    /// The command that made it: `bench` or `demo`.
    pub command: String,
    /// The version of that program.
    pub version: String,
    /// The commit that it was built from.
    pub commit: String,
    /// What all choices were drawn from.
    pub seed: u64,
    /// Whether it came to its end; false if it was stopped before.
    pub complete: bool,
    /// The hash of the settings that decide whether runs may be compared.
    pub configuration: String,
    /// Its settings, as one writes them.
    pub settings: BTreeMap<String, String>,
    /// What it measured.
    pub operations: Vec<KeptOperation>,
}

/// One operation in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptOperation {
    /// The round: its UUID in a demo; in a bench, the seed of the network and the number of the key on it.
    pub round: String,
    /// The fleet of the server; in a bench, the name of the strategy.
    pub fleet: String,
    /// The region of the server; `local` in a bench on real peers, and in one of a world that an older version has kept.
    pub region: String,
    /// `provide` or `retrieve`.
    pub kind: String,
    /// The class of the outcome.
    pub outcome: String,
    /// How long it took.
    pub seconds: f64,
    /// When it started, unless the clock was a virtual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<DateTime<Utc>>,
    /// Whether the server answered from its own records.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_own_records: bool,
    /// What it cost and came to, as far as that is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

/// Why a text is no run that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RunError {
    /// It ends too early.
    #[error("it ends in the middle, in line {0}: it was cut off, or is still being written")]
    CutOff(usize),
    /// It is something else.
    #[error("it is no run that `parsec bench --save` or `parsec demo --save` has written")]
    Foreign,
    /// A newer version has written it.
    #[error(
        "it has version {0} of the format, and this program reads version {SCHEMA}; read it with the version that wrote it"
    )]
    Newer(u32),
    /// It says that it is one, and has a part that none has.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// The servers and the operations of a run, as they would come out of a database.
pub type Archived = (BTreeMap<NodeId, ArchivedNode>, Vec<ArchivedOperation>);

/// What every version of the document has.
#[derive(Deserialize)]
struct Head {
    format: String,
    schema: u32,
}

impl Run {
    /// A run of `command` without operations.
    pub fn new(command: &str, (version, commit): (&str, &str), seed: u64, settings: BTreeMap<String, String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            command: command.to_owned(),
            version: version.to_owned(),
            commit: commit.to_owned(),
            seed,
            complete: true,
            configuration: hash(command, &settings),
            settings,
            operations: Vec::new(),
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is none that this version can read.
    pub fn read(text: &str) -> Result<Self, RunError> {
        let head: Head = match serde_json::from_str(text) {
            Ok(head) => head,
            Err(error) if is_cut_off(text, &error) => return Err(RunError::CutOff(error.line())),
            Err(_) => return Err(RunError::Foreign),
        };
        match head {
            Head { format, .. } if format != FORMAT => Err(RunError::Foreign),
            Head { schema, .. } if schema > SCHEMA => Err(RunError::Newer(schema)),
            _ => serde_json::from_str(text).map_err(|error| RunError::Damaged(error.to_string())),
        }
    }

    /// The text of a file: a line for each operation, so that two can be told apart by eye.
    pub fn text(&self) -> String {
        let head = serde_json::to_value(Self { operations: vec![], ..self.clone() }).expect(PLAIN);
        let head = format!("{head:#}");
        let head = head.replace("\"operations\": []", "\"operations\": [\n");
        let (before, after) =
            head.split_once("\"operations\": [\n").expect("the list of operations is in the document");
        let lines: Vec<_> = self.operations.iter().map(|one| serde_json::to_string(one).expect(PLAIN)).collect();
        format!("{before}\"operations\": [\n{}\n  ]{after}\n", lines.join(",\n"))
    }

    /// On what it was made: `local`, which is real peers on one machine, or `simulated:` and the name of a world.
    pub fn network(&self) -> &str {
        self.settings.get(NETWORK).map_or(REAL, String::as_str)
    }

    /// Whether it comes from a model: then nothing was measured.
    pub fn is_simulated(&self) -> bool {
        is_simulated(self.network())
    }

    /// What repeats in it.
    pub fn unit(&self) -> Unit {
        match self.settings.get("unit") {
            Some(unit) if unit == Unit::Network.as_str() => Unit::Network,
            _ => Unit::Operation,
        }
    }

    /// Whether it says when its operations started.
    pub fn has_times(&self) -> bool {
        self.operations.iter().all(|operation| operation.started.is_some())
    }

    /// The settings in which another run differs from this one so that they should not be compared, each with both values.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<(&'a str, &'a str, &'a str)> {
        if self.command != other.command {
            return vec![("command", &self.command, &other.command)];
        }
        if self.network() != other.network() {
            // All else follows from it.
            return vec![(NETWORK, self.network(), other.network())];
        }
        let value = |run: &'a Self, name: &str| run.settings.get(name).map_or("unknown", String::as_str);
        let names = decisive(&self.command).iter().filter(|name| **name != NETWORK);
        let both = names.map(|name| (*name, value(self, name), value(other, name)));
        both.filter(|(_, own, others)| own != others).collect()
    }

    /// Its servers and operations, as statistics take them.
    ///
    /// # Errors
    /// If an operation says what none can say.
    pub fn archived(&self) -> Result<Archived, RunError> {
        let mut nodes: BTreeMap<(&str, &str), NodeId> = BTreeMap::new();
        let mut operations = Vec::with_capacity(self.operations.len());
        for (index, kept) in self.operations.iter().enumerate() {
            let next = NodeId(i32::try_from(nodes.len()).unwrap_or(i32::MAX));
            let node = *nodes.entry((&kept.fleet, &kept.region)).or_insert(next);
            let damaged = |what: String| RunError::Damaged(format!("operation {}: {what}", index + 1));
            operations.push(archived(kept, index, node, self.unit()).map_err(damaged)?);
        }
        let node = |((fleet, region), id): ((&str, &str), NodeId)| {
            let (strategy, agent) = (strategy_of(fleet), format!("parsec/{}", self.version));
            let (fleet, region, network) = (fleet.to_owned(), region.to_owned(), Some(self.network().to_owned()));
            (id, ArchivedNode { fleet, region, peer_id: String::new(), strategy, agent: Some(agent), network })
        };
        Ok((nodes.into_iter().map(node).collect(), operations))
    }
}

/// The strategy of a fleet of a run: in a bench they have one name, and a demo's fleets are named after theirs, but for the one that a
/// server has if it is not told otherwise.
fn strategy_of(fleet: &str) -> Option<String> {
    let strategy = if fleet == "default" { StrategyKind::Classic } else { fleet.parse().ok()? };
    Some(strategy.as_str().to_owned())
}

const PLAIN: &str = "a run is names and numbers";

fn archived(kept: &KeptOperation, index: usize, node: NodeId, unit: Unit) -> Result<ArchivedOperation, String> {
    let kind: OperationKind = kept.kind.parse().map_err(|error| format!("{error}"))?;
    let class: OutcomeClass = kept.outcome.parse().map_err(|error| format!("{error}"))?;
    let duration = Duration::try_from_secs_f64(kept.seconds).map_err(|_| format!("`{}` is no time", kept.seconds))?;
    let round = cluster(&kept.round, unit).ok_or_else(|| format!("`{}` is no round", kept.round))?;
    Ok(ArchivedOperation {
        id: AttemptId(uuid_of(index as u64)),
        round: RoundId(uuid_of(round)),
        node,
        kind,
        probe: 0,
        class,
        started: kept.started.unwrap_or(DateTime::UNIX_EPOCH),
        duration,
        from_own_records: kept.from_own_records,
    })
}

/// Whether the text ends where it cannot be understood any more. Half a number is an error of its own; a document that is whole and says
/// something else was never longer, and neither was a text that begins as no run does.
fn is_cut_off(text: &str, error: &serde_json::Error) -> bool {
    let last = text.lines().last().unwrap_or_default();
    let ends = error.is_eof() || error.line() == text.lines().count() && error.column() >= last.len();
    let begins = text.trim_start();
    ends && !error.is_data() && (begins.is_empty() || begins.starts_with('{'))
}

/// An identity with this number, as [`round_number`] finds it.
fn uuid_of(number: u64) -> uuid::Uuid {
    uuid::Uuid::from_u128(u128::from(number) << 64)
}

/// The number of a round that is written so.
fn cluster(round: &str, unit: Unit) -> Option<u64> {
    match round.split_once('/') {
        Some((network, number)) => Some(unit.cluster(network.parse().ok()?, number.parse().ok()?)),
        None => Some(round_number(RoundId(round.parse().ok()?))),
    }
}

fn decisive(command: &str) -> &'static [&'static str] {
    DECISIVE.iter().find(|(name, _)| *name == command).map_or(&[], |(_, settings)| settings)
}

/// The hash of what has to be the same in runs that are compared: the command, and its decisive settings as `name=value` lines. A run
/// on real peers has the same one as before there were others.
fn hash(command: &str, settings: &BTreeMap<String, String>) -> String {
    let value = |name: &str| settings.get(name).map_or("", String::as_str);
    let is_real = !value(NETWORK).starts_with(SIMULATED);
    let told = decisive(command).iter().filter(|name| !is_real || ![NETWORK, "world"].contains(*name));
    let lines: String = told.map(|name| format!("{name}={}\n", value(name))).collect();
    digest(&format!("{command}\n{lines}"))
}

/// The first digits of the hash of a text.
pub fn digest(text: &str) -> String {
    let digits: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", &digits[..HASH_DIGITS])
}

/// What a run on `simulated:` this world says of its network.
pub fn simulated(world: &str) -> String {
    format!("{SIMULATED}{world}")
}

/// Whether a network of this name is a model.
pub fn is_simulated(network: &str) -> bool {
    network.starts_with(SIMULATED)
}

/// The operations of a bench, in the order in which they are kept.
pub fn of_bench(groups: &[BenchGroup]) -> Vec<KeptOperation> {
    groups.iter().flat_map(|group| group.operations.iter().map(|operation| of_operation(group, operation))).collect()
}

fn of_operation(group: &BenchGroup, operation: &BenchOperation) -> KeptOperation {
    KeptOperation {
        round: format!("{}/{}", operation.network, operation.number),
        fleet: group.strategy.as_str().to_owned(),
        region: operation.region.unwrap_or(REAL).to_owned(),
        kind: group.kind.as_str().to_owned(),
        outcome: operation.class.as_str().to_owned(),
        seconds: operation.duration.as_secs_f64(),
        started: None,
        from_own_records: false,
        figures: figures(operation),
    }
}

/// An attempt of a round as it is kept.
pub fn of_attempt(node: &Node, attempt: &Attempt) -> KeptOperation {
    let result = &attempt.result;
    let effort = &result.effort;
    let counts = [
        ("rpcs", effort.rpcs),
        ("rpcs_failed", effort.rpcs_failed),
        ("dials", effort.dials),
        ("dials_failed", effort.dials_failed),
        ("holders_stored", effort.holders_stored),
        ("holders_confirmed", effort.holders_confirmed),
        ("holders_failed", effort.holders_failed),
        ("holders_pending", effort.holders_pending),
        ("network_size_peers", result.network_size),
        ("routing_table_peers", result.class.is_measured().then_some(result.routing_table_size)),
    ];
    KeptOperation {
        round: attempt.round.0.to_string(),
        fleet: node.fleet.to_string(),
        region: node.region.clone(),
        kind: attempt.kind.as_str().to_owned(),
        outcome: result.class.as_str().to_owned(),
        seconds: result.duration.as_secs_f64(),
        started: Some(attempt.started),
        from_own_records: result.from_own_records,
        figures: known(counts).collect(),
    }
}

fn known(counts: impl IntoIterator<Item = (&'static str, Option<u32>)>) -> impl Iterator<Item = (String, f64)> {
    counts.into_iter().filter_map(|(name, count)| Some((name.to_owned(), f64::from(count?))))
}

fn figures(operation: &BenchOperation) -> BTreeMap<String, f64> {
    let effort = &operation.effort;
    let counts = [
        ("rpcs", effort.rpcs),
        ("rpcs_failed", effort.rpcs_failed),
        ("dials", effort.dials),
        ("dials_failed", effort.dials_failed),
        ("holders_stored", effort.holders_stored),
        ("holders_failed", effort.holders_failed),
        ("network_size_peers", operation.network_size),
        ("holders_at_return", operation.holders_at_return),
        ("holders_final", operation.holders_final),
    ];
    known(counts).chain(operation.closest_found.map(|share| ("closest_found".to_owned(), share))).collect()
}

#[cfg(test)]
mod tests;
