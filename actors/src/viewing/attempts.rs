//! Many attempts in little memory: a million in some thirty megabytes, out of which one sample after the other is made.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedOperation, NodeId, OperationKind, OutcomeClass, SeenServer};
use parsec_results::statistics::{Observation, Sample};
use parsec_results::{Group, Looked, UNKNOWN, round_number};

use super::question::{Filter, Known};

/// An attempt, as far as figures need it.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    round: u64,
    nanos: u64,
    /// In seconds of Unix time: figures are told by the hour.
    started: u32,
    /// The place of its server's names among all.
    names: u16,
    kind: OperationKind,
    class: OutcomeClass,
}

/// The names by which the measurements of a server are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Names {
    network: String,
    fleet: String,
    region: String,
    strategy: String,
}

/// Attempts that were selected.
#[derive(Debug)]
pub(super) struct Attempts {
    filter: Filter,
    names: Vec<Names>,
    /// For each of them the number of its region, which a comparison keeps apart from others.
    strata: Vec<u32>,
    of_node: BTreeMap<NodeId, u16>,
    all: Vec<Attempt>,
    looked: Looked,
}

impl Attempts {
    /// None yet. `servers` say where measurements are from.
    pub(super) fn new(filter: Filter, servers: &[SeenServer]) -> Self {
        let (mut places, mut of_node) = (BTreeMap::new(), BTreeMap::new());
        let mut names = Vec::new();
        for server in servers {
            let told = names_of(server);
            // More than that many different names are no deployment; the rest is shown under the first.
            let next = u16::try_from(names.len()).unwrap_or_default();
            let place = *places.entry(told.clone()).or_insert_with(|| {
                names.push(told);
                next
            });
            of_node.insert(server.life.id, place);
        }
        let stratum = |of: &Names| names.iter().position(|other: &Names| other.region == of.region);
        let strata = names.iter().map(|of| stratum(of).and_then(|place| u32::try_from(place).ok()).unwrap_or_default());
        let strata = strata.collect();
        Self { filter, names, strata, of_node, all: Vec::new(), looked: Looked::default() }
    }

    /// Counts one in, unless the filter leaves it out.
    pub(super) fn add(&mut self, operation: &ArchivedOperation) {
        let Some(names) = self.of_node.get(&operation.node).copied().filter(|_| self.takes(operation.node)) else {
            return;
        };
        if !self.looked.counts_in(operation, false) {
            return;
        }
        self.all.push(Attempt {
            round: round_number(operation.round),
            nanos: u64::try_from(operation.duration.as_nanos()).unwrap_or(u64::MAX),
            started: u32::try_from(operation.started.timestamp()).unwrap_or_default(),
            names,
            kind: operation.kind,
            class: operation.class,
        });
    }

    /// Counts in what was read of the same servers beside.
    pub(super) fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.looked += other.looked;
    }

    /// Puts them in the order of their times, which samples have. What is in order is sorted again at hardly any cost, however often.
    pub(super) fn put_in_order(&mut self) {
        self.all.sort_by_key(|one| (one.class != OutcomeClass::Ok, one.nanos));
    }

    /// Whether the filter takes what this server measures.
    pub(super) fn takes(&self, node: NodeId) -> bool {
        let names = self.of_node.get(&node).map(|place| &self.names[usize::from(*place)]);
        names.is_some_and(|names| self.filter.takes([&names.network, &names.fleet, &names.region, &names.strategy]))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What was counted, and what was left out.
    pub(super) fn looked(&self) -> Looked {
        self.looked
    }

    /// From the first to the last.
    pub(super) fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let at = |seconds: u32| DateTime::from_timestamp(i64::from(seconds), 0);
        let (first, last) =
            (self.all.iter().map(|one| one.started).min()?, self.all.iter().map(|one| one.started).max()?);
        at(first).zip(at(last))
    }

    pub(super) fn by_fleet(&self) -> Vec<Group> {
        self.groups(|names, _| vec![names.fleet.clone()])
    }

    pub(super) fn by_region(&self) -> Vec<Group> {
        self.groups(|names, _| vec![names.fleet.clone(), names.region.clone()])
    }

    /// By fleet and by the hour, or by the day.
    pub(super) fn by_time(&self, format: &str) -> Vec<Group> {
        self.groups(|names, at| vec![names.fleet.clone(), at.format(format).to_string()])
    }

    /// What they say of one fleet.
    pub(super) fn of_fleet(&self, fleet: &str, kind: OperationKind) -> Sample {
        let is_of = |one: &&Attempt| one.kind == kind && self.names[usize::from(one.names)].fleet == fleet;
        self.all.iter().filter(is_of).map(|one| self.observation(one)).collect()
    }

    fn observation(&self, one: &Attempt) -> Observation {
        Observation {
            round: one.round,
            stratum: self.strata[usize::from(one.names)],
            class: one.class,
            duration: Duration::from_nanos(one.nanos),
        }
    }

    /// Groups in the order of their names. Only places are kept until a group's turn comes.
    fn groups(&self, common: impl Fn(&Names, DateTime<Utc>) -> Vec<String>) -> Vec<Group> {
        // What a name comes to is worked out once for each server and hour, not for each attempt.
        let mut known: HashMap<(u16, u32), usize> = HashMap::new();
        let mut labels: BTreeMap<(Vec<String>, OperationKind), usize> = BTreeMap::new();
        let mut places: Vec<Vec<u32>> = Vec::new();
        for (index, one) in self.all.iter().enumerate() {
            let hour = one.started / 3_600;
            let first = *known.entry((one.names, hour)).or_insert_with(|| {
                let at = DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap_or_default();
                let label = common(&self.names[usize::from(one.names)], at);
                let next = places.len();
                let first = *labels.entry((label.clone(), OperationKind::Provide)).or_insert(next);
                labels.entry((label, OperationKind::Retrieve)).or_insert(first + 1);
                places.resize(places.len().max(first + 2), Vec::new());
                first
            });
            places[first + usize::from(one.kind == OperationKind::Retrieve)]
                .push(u32::try_from(index).unwrap_or(u32::MAX));
        }
        let group = |((common, kind), place): ((Vec<String>, OperationKind), usize)| {
            let of = std::mem::take(&mut places[place]);
            let one = |index: &u32| self.observation(&self.all[*index as usize]);
            (!of.is_empty()).then(|| Group { common, kind, sample: of.iter().map(one).collect() })
        };
        labels.into_iter().filter_map(group).collect()
    }
}

fn names_of(server: &SeenServer) -> Names {
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    Names {
        network: or_unknown(&server.network),
        fleet: server.life.fleet.clone(),
        region: server.life.region.clone(),
        strategy: or_unknown(&server.strategy),
    }
}

/// What there is to choose from.
pub(super) fn known(servers: &[SeenServer]) -> Known {
    let all: Vec<_> = servers.iter().map(names_of).collect();
    let distinct = |name: fn(&Names) -> &String| {
        let mut names: Vec<_> = all.iter().map(name).filter(|name| !name.is_empty()).cloned().collect();
        names.sort();
        names.dedup();
        names
    };
    Known {
        networks: distinct(|names| &names.network),
        fleets: distinct(|names| &names.fleet),
        regions: distinct(|names| &names.region),
        strategies: distinct(|names| &names.strategy),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use parsec_measure::{AttemptId, RoundId, ServerLife};
    use uuid::Uuid;

    use super::*;

    fn server(id: i32, fleet: &str, region: &str) -> SeenServer {
        let life = ServerLife {
            id: NodeId(id),
            fleet: fleet.to_owned(),
            region: region.to_owned(),
            peer_id: id.to_string(),
            created: DateTime::UNIX_EPOCH,
            last_heartbeat: None,
            offline_since: None,
        };
        SeenServer { life, strategy: Some("classic".to_owned()), network: None, version: None }
    }

    fn operation(node: i32, hour: u32, kind: OperationKind) -> ArchivedOperation {
        ArchivedOperation {
            id: AttemptId(Uuid::nil()),
            round: RoundId(Uuid::from_u128(u128::from(hour) << 64)),
            node: NodeId(node),
            kind,
            probe: 0,
            class: OutcomeClass::Ok,
            started: Utc.with_ymd_and_hms(2026, 11, 26 + hour / 24, hour % 24, 30, 0).unwrap(),
            duration: Duration::from_millis(100),
            from_own_records: false,
        }
    }

    fn counted(filter: Filter, operations: &[ArchivedOperation]) -> Attempts {
        let servers = [server(1, "a", "eu"), server(2, "a", "us"), server(3, "<b>", "eu"), server(4, "a", "eu")];
        let mut attempts = Attempts::new(filter, &servers);
        operations.iter().for_each(|operation| attempts.add(operation));
        attempts
    }

    fn told(groups: &[Group]) -> Vec<(String, OperationKind, usize)> {
        groups.iter().map(|group| (group.common.join(" "), group.kind, group.sample.counts().due)).collect()
    }

    #[test]
    fn attempts_are_counted_by_fleet_by_region_and_by_time() {
        use OperationKind::{Provide, Retrieve};
        let all = [(1, 1, Provide), (2, 1, Retrieve), (4, 2, Retrieve), (3, 30, Retrieve), (9, 1, Retrieve)];
        let attempts = counted(Filter::default(), &all.map(|(node, hour, kind)| operation(node, hour, kind)));
        let named = |name: &str, kind, due| (name.to_owned(), kind, due);
        assert_eq!(
            told(&attempts.by_fleet()),
            [named("<b>", Retrieve, 1), named("a", Provide, 1), named("a", Retrieve, 2)]
        );
        assert_eq!(
            told(&attempts.by_region()),
            [
                named("<b> eu", Retrieve, 1),
                named("a eu", Provide, 1),
                named("a eu", Retrieve, 1),
                named("a us", Retrieve, 1)
            ]
        );
        assert_eq!(told(&attempts.by_time("%F")).len(), 3);
        assert_eq!(told(&attempts.by_time("%FT%HZ"))[2], named("a 2026-11-26T01Z", Retrieve, 1));
        assert_eq!(attempts.of_fleet("a", Retrieve).counts().due, 2);
        assert_eq!(attempts.looked().grouped, 4, "a server that is not known has no place");
    }

    #[test]
    fn a_filter_takes_names_as_the_tables_have_them() {
        let all = [1, 2, 3, 4].map(|node| operation(node, 1, OperationKind::Retrieve));
        let some = |filter| counted(filter, &all).len();
        let names = |name: &str| vec![name.to_owned()];
        assert_eq!(some(Filter { fleets: names("<b>"), ..Filter::default() }), 1);
        assert_eq!(some(Filter { regions: names("eu"), fleets: names("a"), ..Filter::default() }), 2);
        assert_eq!(some(Filter { strategies: names("classic"), ..Filter::default() }), 4);
        assert_eq!(some(Filter { networks: names("unknown"), ..Filter::default() }), 4);
        assert_eq!(some(Filter { networks: names("/ipfs/kad/1.0.0"), ..Filter::default() }), 0);
    }

    #[test]
    fn later_looks_and_answers_from_own_records_are_in_no_figure() {
        let first = operation(1, 1, OperationKind::Retrieve);
        let later = ArchivedOperation { probe: 1, ..first };
        let own = ArchivedOperation { from_own_records: true, ..first };
        let looked = counted(Filter::default(), &[first, later, own]).looked();
        assert_eq!(looked, Looked { grouped: 1, from_own_records: 1, later_looks: 1 });
    }
}
