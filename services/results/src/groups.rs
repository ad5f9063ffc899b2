//! Operations, grouped by what they have in common.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedNode, ArchivedOperation, NodeId, OperationKind, RoundId};

use crate::statistics::{Observation, Sample};

/// What stands in the place of what a server does not say of itself. The servers of others need not say anything.
pub const UNKNOWN: &str = "unknown";

/// What tells groups apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The fleet of the server.
    Fleet,
    /// Its region.
    Region,
    /// How the server publishes and finds.
    Strategy,
    /// The software that the server is: package and version.
    Agent,
    /// The server itself, by its peer id.
    Peer,
    /// The day, in UTC.
    Day,
    /// The hour, in UTC.
    Hour,
    /// Which look of the server at the same key, from 0.
    Probe,
}

impl Dimension {
    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Region => "region",
            Self::Strategy => "strategy",
            Self::Agent => "agent",
            Self::Peer => "peer",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Probe => "probe",
        }
    }

    /// What tells apart what a node did then, in its `probe`-th look at the key.
    pub(crate) fn value(self, at: DateTime<Utc>, probe: u32, node: Option<&ArchivedNode>) -> String {
        match self {
            Self::Fleet | Self::Region | Self::Strategy | Self::Agent | Self::Peer => self.of(node).to_owned(),
            Self::Day => at.format("%F").to_string(),
            Self::Hour => at.format("%FT%HZ").to_string(),
            Self::Probe => probe.to_string(),
        }
    }
}

impl Dimension {
    /// What tells a node apart. What it does not say is [`UNKNOWN`], as is everything but times and looks of a node that nobody knows; a
    /// node itself is told apart neither by those nor by looks.
    pub fn of(self, node: Option<&ArchivedNode>) -> &str {
        let said = match self {
            Self::Fleet => node.map(|node| node.fleet.as_str()),
            Self::Region => node.map(|node| node.region.as_str()),
            Self::Peer => node.map(|node| node.peer_id.as_str()),
            Self::Strategy => node.and_then(|node| node.strategy.as_deref()),
            Self::Agent => node.and_then(|node| node.agent.as_deref()),
            Self::Day | Self::Hour | Self::Probe => None,
        };
        said.unwrap_or(UNKNOWN)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Operations of one kind that have something in common.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they have in common, one value for each dimension.
    pub common: Vec<String>,
    /// Publications or lookups.
    pub kind: OperationKind,
    /// What they say.
    pub sample: Sample,
}

/// Which operations were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// How many stand in groups.
    pub grouped: u64,
    /// Lookups that a server answered from its own records: no DHT was measured.
    pub from_own_records: u64,
    /// Later looks of a server at the same key, which find warm connections. They stand in groups only if those are told apart by
    /// [`Dimension::Probe`].
    pub later_looks: u64,
}

impl AddAssign for Looked {
    fn add_assign(&mut self, other: Self) {
        self.grouped += other.grouped;
        self.from_own_records += other.from_own_records;
        self.later_looks += other.later_looks;
    }
}

impl Looked {
    /// Counts one, and says whether it stands in groups: later looks do only if they are told apart.
    pub fn counts_in(&mut self, operation: &ArchivedOperation, tells_later_looks_apart: bool) -> bool {
        if operation.from_own_records {
            self.from_own_records += 1;
            return false;
        }
        if operation.probe > 0 && !tells_later_looks_apart {
            self.later_looks += 1;
            return false;
        }
        self.grouped += 1;
        true
    }
}

/// Collects operations into groups.
#[derive(Debug)]
pub struct Grouping {
    by: Vec<Dimension>,
    nodes: BTreeMap<NodeId, ArchivedNode>,
    /// Whether regions are the strata of comparisons, which they are not where they are what is compared.
    by_region: bool,
    places: BTreeMap<(Vec<String>, OperationKind), usize>,
    groups: Vec<Vec<Observation>>,
    /// The place of the group of operations that differ in nothing that groups are told apart by, so that names are made once for all of
    /// them.
    known: HashMap<Alike, usize>,
    looked: Looked,
}

/// The node, the kind, the hour if that matters, and the look if that does.
type Alike = (NodeId, OperationKind, Option<i64>, Option<u32>);

impl Grouping {
    /// Groups by these dimensions, and always by kind.
    pub fn new(by: Vec<Dimension>, nodes: BTreeMap<NodeId, ArchivedNode>) -> Self {
        let (places, groups, known) = (BTreeMap::new(), Vec::new(), HashMap::new());
        Self { by, nodes, by_region: true, places, groups, known, looked: Looked::default() }
    }

    /// Does not keep regions apart within groups: they are what is compared.
    #[must_use]
    pub fn across_regions(mut self) -> Self {
        self.by_region = false;
        self
    }

    /// Counts one in.
    pub fn add(&mut self, operation: &ArchivedOperation) {
        if !self.looked.counts_in(operation, self.by.contains(&Dimension::Probe)) {
            return;
        }
        let node = self.nodes.get(&operation.node);
        let region = node.filter(|_| self.by_region).map(|node| node.region.as_str());
        let observation = observation(operation, region);
        let place = self.place(operation);
        self.groups[place].push(observation);
    }

    fn place(&mut self, operation: &ArchivedOperation) -> usize {
        let ArchivedOperation { node, kind, probe, started, .. } = *operation;
        let has_time = self.by.iter().any(|dimension| matches!(dimension, Dimension::Day | Dimension::Hour));
        let hour = has_time.then(|| started.timestamp().div_euclid(3_600));
        let look = self.by.contains(&Dimension::Probe).then_some(probe);
        let (by, nodes, places, groups) = (&self.by, &self.nodes, &mut self.places, &mut self.groups);
        *self.known.entry((node, kind, hour, look)).or_insert_with(|| {
            let common = by.iter().map(|dimension| dimension.value(started, probe, nodes.get(&node))).collect();
            *places.entry((common, kind)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            })
        })
    }

    /// The groups in the order of their names, publications before lookups.
    pub fn finish(mut self) -> (Vec<Group>, Looked) {
        let group = |((common, kind), place): (_, usize)| Group {
            common,
            kind,
            sample: std::mem::take(&mut self.groups[place]).into_iter().collect(),
        };
        (self.places.into_iter().map(group).collect(), self.looked)
    }
}

/// An operation, as far as statistics are concerned. Operations of different regions are different strata, whatever they were read from:
/// two databases, or a file, number their servers each in its own way.
pub(crate) fn observation(operation: &ArchivedOperation, region: Option<&str>) -> Observation {
    let ArchivedOperation { class, duration, .. } = *operation;
    Observation { round: round_number(operation.round), stratum: region.map_or(u32::MAX, stratum), class, duration }
}

/// A number that is the same for a region wherever it is met, and another one for other regions (FNV-1a).
fn stratum(region: &str) -> u32 {
    region.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A number for a round that ascends with time: the upper half of its UUID of version 7 begins with the milliseconds (RFC 9562, section 5.7),
/// and the rest of it is random enough to tell rounds of one millisecond apart.
pub fn round_number(round: RoundId) -> u64 {
    (round.0.as_u128() >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeZone;
    use parsec_measure::{AttemptId, OutcomeClass};
    use uuid::Uuid;

    use super::*;
    use crate::statistics::{Comparison, compare};

    fn nodes() -> BTreeMap<NodeId, ArchivedNode> {
        let node = |fleet: &str, region: &str| ArchivedNode {
            fleet: fleet.to_owned(),
            region: region.to_owned(),
            peer_id: format!("12D3KooW{fleet}{region}"),
            strategy: (fleet == "optprov").then(|| fleet.to_owned()),
            agent: (region == "eu").then(|| "parsec/0.1.0".to_owned()),
            network: None,
        };
        [(NodeId(1), node("default", "eu")), (NodeId(2), node("default", "us")), (NodeId(3), node("optprov", "eu"))]
            .into()
    }

    fn operation(node: i32, kind: OperationKind) -> ArchivedOperation {
        ArchivedOperation {
            id: AttemptId(Uuid::nil()),
            round: RoundId(Uuid::from_u128(5 << 64)),
            node: NodeId(node),
            kind,
            probe: 0,
            class: OutcomeClass::Ok,
            started: Utc.with_ymd_and_hms(2026, 11, 27, 23, 59, 59).unwrap(),
            duration: Duration::from_secs(1),
            from_own_records: false,
        }
    }

    fn grouped(
        by: &[Dimension],
        operations: &[ArchivedOperation],
    ) -> (Vec<(Vec<String>, OperationKind, usize)>, Looked) {
        let mut grouping = Grouping::new(by.to_vec(), nodes());
        operations.iter().for_each(|operation| grouping.add(operation));
        let (groups, looked) = grouping.finish();
        (groups.into_iter().map(|group| (group.common, group.kind, group.sample.counts().due)).collect(), looked)
    }

    #[test]
    fn publications_and_lookups_are_never_mixed() {
        let all = [
            operation(1, OperationKind::Retrieve),
            operation(1, OperationKind::Provide),
            operation(3, OperationKind::Provide),
        ];
        let (groups, looked) = grouped(&[], &all);
        assert_eq!(groups, [(vec![], OperationKind::Provide, 2), (vec![], OperationKind::Retrieve, 1)]);
        assert_eq!(looked, Looked { grouped: 3, ..Looked::default() });
    }

    #[test]
    fn groups_are_told_apart_by_each_dimension() {
        let all = [1, 2, 3].map(|node| operation(node, OperationKind::Provide));
        let names =
            |by: &[Dimension]| grouped(by, &all).0.into_iter().map(|(common, ..)| common.join(" ")).collect::<Vec<_>>();
        assert_eq!(names(&[Dimension::Fleet]), ["default", "optprov"]);
        assert_eq!(names(&[Dimension::Region, Dimension::Fleet]), ["eu default", "eu optprov", "us default"]);
        assert_eq!(names(&[Dimension::Day]), ["2026-11-27"]);
        assert_eq!(names(&[Dimension::Hour]), ["2026-11-27T23Z"]);
        assert_eq!(names(&[Dimension::Peer]).len(), 3);
        assert_eq!(names(&[Dimension::Strategy]), ["optprov", "unknown"], "who does not say it is not dropped");
        assert_eq!(names(&[Dimension::Agent]), ["parsec/0.1.0", "unknown"]);
    }

    #[test]
    fn what_is_no_cold_look_at_the_dht_is_counted_apart() {
        let own = ArchivedOperation { from_own_records: true, ..operation(1, OperationKind::Retrieve) };
        let later = ArchivedOperation { probe: 1, ..operation(1, OperationKind::Retrieve) };
        let (groups, looked) = grouped(&[], &[own, later, operation(1, OperationKind::Retrieve)]);
        assert_eq!(groups, [(vec![], OperationKind::Retrieve, 1)]);
        assert_eq!(looked, Looked { grouped: 1, from_own_records: 1, later_looks: 1 });
        let (groups, _) = grouped(&[Dimension::Probe], &[later, operation(1, OperationKind::Retrieve)]);
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn a_region_is_the_same_stratum_wherever_it_was_measured() {
        let at = |region| observation(&operation(1, OperationKind::Provide), region).stratum;
        // The value of the literature for `foobar`, so that files and databases agree in every version.
        assert_eq!(at(Some("foobar")), 0xbf9c_f968);
        assert_ne!(at(Some("eu-central-1")), at(Some("us-east-2")));
        assert_eq!(at(None), u32::MAX);
    }

    #[test]
    fn regions_are_kept_apart_unless_they_are_what_is_compared() {
        let sample = |node: i32, first: u128, across: bool| {
            let grouping = Grouping::new(vec![], nodes());
            let mut grouping = if across { grouping.across_regions() } else { grouping };
            for round in first..first + 20 {
                let round = RoundId(Uuid::from_u128(round << 64));
                grouping.add(&ArchivedOperation { round, ..operation(node, OperationKind::Provide) });
            }
            grouping.finish().0.remove(0).sample
        };
        let compared = |across: bool| {
            let (eu, us) = (sample(1, 0, across), sample(2, 100, across));
            let how = Comparison { resamples: 100, ..Comparison::default() };
            compare(&[(&eu, &us)], how).remove(0).map(|figures| figures.len())
        };
        assert_eq!(compared(true), Ok(2), "p50 and success");
        assert!(compared(false).is_err(), "they have no region in common");
    }
}
