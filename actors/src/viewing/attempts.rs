//! Many attempts in little memory: a million in some thirty megabytes, out of which one sample after the other is made.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedOperation, NodeId, OperationKind, OutcomeClass, SeenServer};
use parsec_results::statistics::{Observation, Reading, Sample, reading};
use parsec_results::{Group, Looked, UNKNOWN, round_number};

use super::question::{Filter, Known};

/// An attempt, as far as figures need it.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    /// Its place among others by what it says: see [`rank`].
    rank: u64,
    /// The place of its round among all.
    round: u32,
    /// In seconds of Unix time: figures are told by the hour.
    started: u32,
    /// The place of its server's names among all.
    names: u16,
    kind: OperationKind,
    class: OutcomeClass,
}

/// How many bits of a rank are nanoseconds: 146 years.
const NANOS: u32 = 62;

/// A number that orders attempts as samples do: those that succeeded, those that ran into their limit, other failures, and those that say
/// nothing. The first two have their duration in it.
fn rank(class: OutcomeClass, duration: Duration) -> u64 {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min((1 << NANOS) - 1);
    match reading(class, duration) {
        Some(Reading::Took(_)) => nanos,
        Some(Reading::MoreThan(_)) => (1 << NANOS) | nanos,
        Some(Reading::Failed) => 2 << NANOS,
        None => 3 << NANOS,
    }
}

/// The names by which the measurements of a server are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Names {
    network: String,
    fleet: String,
    region: String,
    strategy: String,
}

/// Where measurements are from, and which of them are selected.
#[derive(Debug)]
pub(super) struct Places {
    filter: Filter,
    names: Vec<Names>,
    /// For each of them the number of its region, which a comparison keeps apart from others.
    strata: Vec<u32>,
    of_node: BTreeMap<NodeId, u16>,
}

impl Places {
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
        Self { filter, names, strata, of_node }
    }

    /// Whether the filter takes what this server measures.
    pub(super) fn takes(&self, node: NodeId) -> bool {
        self.place(node).is_some()
    }

    fn place(&self, node: NodeId) -> Option<u16> {
        let place = *self.of_node.get(&node)?;
        let names = &self.names[usize::from(place)];
        let is_taken = self.filter.takes([&names.network, &names.fleet, &names.region, &names.strategy]);
        is_taken.then_some(place)
    }
}

/// Attempts of a stretch of time, in their order.
#[derive(Debug, Default)]
pub(super) struct Stretched {
    all: Vec<Attempt>,
    /// The numbers of their rounds, each once for those of it that follow each other.
    rounds: Vec<u64>,
    looked: Looked,
    unread: usize,
}

impl Stretched {
    /// Counts these in, unless the filter leaves them out. So many more cannot be read.
    pub(super) fn add(&mut self, places: &Places, attempts: &[ArchivedOperation], unread: usize) {
        self.unread += unread;
        let mut of_node = HashMap::new();
        for attempt in attempts {
            let place = *of_node.entry(attempt.node).or_insert_with(|| places.place(attempt.node));
            let Some(names) = place else { continue };
            if !self.looked.counts_in(attempt, false) {
                continue;
            }
            let round = round_number(attempt.round);
            if self.rounds.last() != Some(&round) {
                self.rounds.push(round);
            }
            self.all.push(Attempt {
                rank: rank(attempt.class, attempt.duration),
                round: u32::try_from(self.rounds.len() - 1).unwrap_or(u32::MAX),
                started: u32::try_from(attempt.started.timestamp()).unwrap_or_default(),
                names,
                kind: attempt.kind,
                class: attempt.class,
            });
        }
    }

    /// Counts those of a later stretch in.
    pub(super) fn append(&mut self, later: Self) {
        let rounds_before = u32::try_from(self.rounds.len()).unwrap_or(u32::MAX);
        self.rounds.extend(later.rounds);
        self.all.extend(later.all.into_iter().map(|one| Attempt { round: one.round + rounds_before, ..one }));
        self.looked += later.looked;
        self.unread += later.unread;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// How long periods are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Every {
    Hour,
    Day,
}

impl Every {
    pub(super) fn seconds(self) -> u32 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// Attempts that were selected.
#[derive(Debug)]
pub(super) struct Attempts {
    places: Places,
    /// In the order of samples, and where that says nothing in that of their identities.
    all: Vec<Attempt>,
    looked: Looked,
    unread: usize,
}

impl Attempts {
    /// These, and where they are from.
    pub(super) fn new(places: Places, attempts: Stretched) -> Self {
        let Stretched { mut all, rounds, looked, unread } = attempts;
        let mut sorted = rounds.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let place = |round: &u64| sorted.partition_point(|other| other < round) as u32;
        let place_of: Vec<u32> = rounds.iter().map(place).collect();
        all.iter_mut().for_each(|one| one.round = place_of[one.round as usize]);
        // Once for all groups: what is taken out of it in this order is in order.
        all.sort_by_key(|one| one.rank);
        Self { places, all, looked, unread }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What was counted, and what was left out.
    pub(super) fn looked(&self) -> Looked {
        self.looked
    }

    /// How many rows were left out because this version cannot read them.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// From the first to the last.
    pub(super) fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let at = |seconds: u32| DateTime::from_timestamp(i64::from(seconds), 0);
        let (first, last) =
            (self.all.iter().map(|one| one.started).min()?, self.all.iter().map(|one| one.started).max()?);
        at(first).zip(at(last))
    }

    pub(super) fn by_fleet(&self) -> Vec<Group> {
        self.groups(None, |names, _| vec![names.fleet.clone()])
    }

    pub(super) fn by_region(&self) -> Vec<Group> {
        self.groups(None, |names, _| vec![names.fleet.clone(), names.region.clone()])
    }

    /// By fleet and by the hour, or by the day.
    pub(super) fn by_time(&self, every: Every) -> Vec<Group> {
        let format = if every == Every::Hour { "%FT%HZ" } else { "%F" };
        self.groups(Some(every), |names, at| vec![names.fleet.clone(), at.format(format).to_string()])
    }

    /// What they say of one fleet.
    pub(super) fn of_fleet(&self, fleet: &str, kind: OperationKind) -> Sample {
        let is_of = |one: &&Attempt| one.kind == kind && self.places.names[usize::from(one.names)].fleet == fleet;
        self.all.iter().filter(is_of).map(|one| self.observation(one)).collect()
    }

    fn observation(&self, one: &Attempt) -> Observation {
        Observation {
            round: u64::from(one.round),
            stratum: self.places.strata[usize::from(one.names)],
            class: one.class,
            // Of others, it is in no figure.
            duration: Duration::from_nanos(one.rank & ((1 << NANOS) - 1)),
        }
    }

    /// Groups in the order of their names. Only places are kept until a group's turn comes.
    fn groups(&self, every: Option<Every>, common: impl Fn(&Names, DateTime<Utc>) -> Vec<String>) -> Vec<Group> {
        // What a name comes to is worked out once for each server and hour, not for each attempt.
        let seconds = every.map_or(u32::MAX, Every::seconds);
        let first = self.all.iter().map(|one| one.started / seconds).min().unwrap_or_default();
        let mut known: Vec<Vec<usize>> = vec![Vec::new(); self.places.names.len()];
        let mut labels: BTreeMap<(Vec<String>, OperationKind), usize> = BTreeMap::new();
        let mut places: Vec<Vec<u32>> = Vec::new();
        for (index, one) in self.all.iter().enumerate() {
            let period = one.started / seconds;
            let (of_names, at) = (&mut known[usize::from(one.names)], (period - first) as usize);
            if of_names.len() <= at {
                of_names.resize(at + 1, usize::MAX);
            }
            if of_names[at] == usize::MAX {
                let moment = DateTime::from_timestamp(i64::from(period) * i64::from(seconds), 0).unwrap_or_default();
                let label = common(&self.places.names[usize::from(one.names)], moment);
                let next = places.len();
                let first = *labels.entry((label.clone(), OperationKind::Provide)).or_insert(next);
                labels.entry((label, OperationKind::Retrieve)).or_insert(first + 1);
                places.resize(places.len().max(first + 2), Vec::new());
                of_names[at] = first;
            }
            places[of_names[at] + usize::from(one.kind == OperationKind::Retrieve)]
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
    use proptest::prelude::*;
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
        let (places, mut all) = (Places::new(filter, &servers), Stretched::default());
        for stretch in operations.chunks(2) {
            let mut read = Stretched::default();
            read.add(&places, stretch, 1);
            all.append(read);
        }
        Attempts::new(places, all)
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
        assert_eq!(told(&attempts.by_time(Every::Day)).len(), 3);
        assert_eq!(told(&attempts.by_time(Every::Hour))[2], named("a 2026-11-26T01Z", Retrieve, 1));
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
        let attempts = counted(Filter::default(), &[first, later, own]);
        assert_eq!(attempts.looked(), Looked { grouped: 1, from_own_records: 1, later_looks: 1 });
        assert_eq!(attempts.unread(), 2, "one in each stretch");
    }

    proptest! {
        #[test]
        fn figures_are_those_of_the_same_attempts_in_the_order_in_which_they_are_read(
            all in proptest::collection::vec((1..5i32, 0..40u64, 0..OutcomeClass::ALL.len(), 0..4u64, any::<bool>()), 1..200),
        ) {
            let attempt = |(node, round, class, ms, publishes): (i32, u64, usize, u64, bool)| ArchivedOperation {
                round: RoundId(Uuid::from_u128(u128::from(round) << 64)),
                class: OutcomeClass::ALL[class],
                duration: Duration::from_millis(ms),
                ..operation(node, 1, if publishes { OperationKind::Provide } else { OperationKind::Retrieve })
            };
            let all: Vec<_> = all.into_iter().map(attempt).collect();
            for group in counted(Filter::default(), &all).by_fleet() {
                let is_of = |one: &&ArchivedOperation| one.kind == group.kind && (one.node == NodeId(3)) == (group.common == ["<b>"]);
                let observed = all.iter().filter(is_of).map(|one| Observation {
                    round: round_number(one.round),
                    stratum: u32::from(one.node == NodeId(2)),
                    class: one.class,
                    duration: one.duration,
                });
                let plain: Sample = observed.collect();
                prop_assert_eq!(plain.counts(), group.sample.counts());
                prop_assert_eq!(plain.success(), group.sample.success());
                for q in [0.1, 0.5, 0.9, 0.99] {
                    prop_assert_eq!(plain.quantile(q), group.sample.quantile(q));
                    prop_assert_eq!(plain.quantile_ends(q, 0.99), group.sample.quantile_ends(q, 0.99));
                }
                prop_assert_eq!(plain.ecdf(100), group.sample.ecdf(100));
            }
        }
    }
}
