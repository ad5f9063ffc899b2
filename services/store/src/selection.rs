//! Which measurements are asked for, and how the queries take it.

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{ArchivedNode, AttemptId, Fleet, OperationKind};
use uuid::Uuid;

use crate::columns::{Key, micros};

/// How much earlier or later than its start an attempt may have been given its identity, which holds the time and has the only index over
/// all rows: they are made in the same second, on a clock that may have been set meanwhile.
pub(crate) const IDENTITY_SLACK: TimeDelta = TimeDelta::hours(1);

/// Times before and after everything that was ever measured, of as many digits as any time: SQLite compares them as text.
const FIRST: DateTime<Utc> = DateTime::UNIX_EPOCH;
const LAST: DateTime<Utc> = DateTime::from_timestamp(253_402_300_799, 0).expect("the last second of the year 9999");

/// Which measurements to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those that started then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those that started earlier than then.
    pub until: Option<DateTime<Utc>>,
    /// Only these fleets; all if there are none.
    pub fleets: Vec<Fleet>,
    /// Only these regions; all if there are none.
    pub regions: Vec<String>,
    /// Only publications, or only lookups.
    pub kind: Option<OperationKind>,
}

/// A stretch of identities, and so of time: what is selected can be read in several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    after: Key,
    before: Key,
}

impl Stretch {
    /// What is left of it beyond this identity.
    pub(crate) fn beyond(self, last: Key) -> Self {
        Self { after: last, ..self }
    }

    /// Whether an attempt lies in it.
    pub fn holds(&self, id: AttemptId) -> bool {
        self.after.0 < id.0 && id.0 < self.before.0
    }
}

impl Selection {
    /// All that is selected, in as many stretches, of equal length as far as time has come by `now`, the earliest first.
    pub fn stretches(&self, count: u32, now: DateTime<Utc>) -> Vec<Stretch> {
        let Selected { since, until, after, before, .. } = Selected::new(self, None);
        let (first, last) = (since - IDENTITY_SLACK, until.min(now).max(since) + IDENTITY_SLACK);
        let part = (last - first) / i32::try_from(count.max(1)).unwrap_or(i32::MAX);
        let cuts: Vec<Key> = (1..i32::try_from(count).unwrap_or(i32::MAX)).map(|n| key_at(first + part * n)).collect();
        // Identities lie between the ends, which are none themselves: a cut belongs to the stretch that it begins.
        let begins = cuts.iter().map(|cut| Key(Uuid::from_u128(cut.0.as_u128().saturating_sub(1))));
        let (begins, ends) = ([after].into_iter().chain(begins), cuts.iter().copied().chain([before]));
        begins.zip(ends).map(|(after, before)| Stretch { after, before }).collect()
    }
}

impl Selection {
    /// Whether what this server has measured is selected, as far as it is a matter of who has.
    pub fn is_of(&self, node: &ArchivedNode) -> bool {
        (self.fleets.is_empty() || self.fleets.iter().any(|fleet| fleet.as_str() == node.fleet))
            && (self.regions.is_empty() || self.regions.contains(&node.region))
    }
}

/// A [`Selection`] as the queries take it.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    pub(crate) since: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) after: Key,
    pub(crate) before: Key,
    pub(crate) fleets: Vec<String>,
    pub(crate) regions: Vec<String>,
    pub(crate) kind: Option<&'static str>,
}

impl Selected {
    pub(crate) fn new(selection: &Selection, after: Option<AttemptId>) -> Self {
        Self::within(selection, after.map(|after| Key(after.0)), IDENTITY_SLACK)
    }

    /// The same where identities were made at another time than what is selected by, with at most `slack` between the two.
    pub(crate) fn within(selection: &Selection, after: Option<Key>, slack: TimeDelta) -> Self {
        // Nothing was measured beyond, where neither sums nor texts of times can be relied on.
        let [since, until] = [selection.since, selection.until].map(|time| time.map(|time| time.clamp(FIRST, LAST)));
        let first = since.map_or(Key(Uuid::nil()), |since| key_at(since - slack));
        let last = until.map_or(Key(Uuid::max()), |until| key_at(until + slack));
        Self {
            since: micros(since.unwrap_or(FIRST)),
            until: micros(until.unwrap_or(LAST)),
            after: after.map_or(first, |after| after.max(first)),
            before: last,
            fleets: selection.fleets.iter().map(|fleet| fleet.as_str().to_owned()).collect(),
            regions: selection.regions.clone(),
            kind: selection.kind.map(OperationKind::as_str),
        }
    }

    /// The same within a stretch.
    pub(crate) fn in_stretch(mut self, Stretch { after, before }: Stretch) -> Self {
        (self.after, self.before) = (self.after.max(after), self.before.min(before));
        self
    }

    /// Whether no time is asked for.
    pub(crate) fn is_at_any_time(&self) -> bool {
        (self.since, self.until) == (micros(FIRST), micros(LAST))
    }
}

/// The smallest UUID of version 7 that was made then (RFC 9562, section 5.7: 48 bits of milliseconds come first).
pub(crate) fn key_at(time: DateTime<Utc>) -> Key {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0).min((1 << 48) - 1);
    Key(Uuid::from_u128(u128::from(millis) << 80))
}

/// Whether an operation, joined with its node, is selected.
macro_rules! is_selected {
    ($operations:ident, $nodes:ident, $selected:expr) => {{
        let selected: Selected = $selected;
        let in_time = $operations::started_at.ge(selected.since).and($operations::started_at.lt(selected.until));
        ($operations::id.gt(selected.after).and($operations::id.lt(selected.before)).and(in_time))
            .and($crate::selection::is_selected_at_any_time!($operations, $nodes, selected))
    }};
}

/// The same of all times.
macro_rules! is_selected_at_any_time {
    ($operations:ident, $nodes:ident, $selected:expr) => {{
        let Selected { fleets, regions, kind, .. } = $selected;
        let any_fleet = fleets.is_empty().into_sql::<Bool>();
        let any_region = regions.is_empty().into_sql::<Bool>();
        let any_kind = kind.is_none().into_sql::<Bool>();
        (any_fleet.or($nodes::fleet.eq_any(fleets)))
            .and(any_region.or($nodes::region.eq_any(regions)))
            .and(any_kind.or($operations::kind.eq(kind.unwrap_or_default())))
    }};
}

pub(crate) use {is_selected, is_selected_at_any_time};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_beyond_all_that_was_measured_select_all_of_it() {
        let ends = Selection {
            since: Some(DateTime::<Utc>::MIN_UTC),
            until: Some(DateTime::<Utc>::MAX_UTC),
            ..Selection::default()
        };
        let Selected { since, until, .. } = Selected::new(&ends, None);
        assert_eq!((since, until), (FIRST, LAST));
    }

    proptest! {
        #[test]
        fn each_identity_that_is_selected_lies_in_one_stretch(
            ends in proptest::collection::vec(0..4_000_000_000i64, 2),
            bounded in any::<[bool; 2]>(),
            count in 1..20u32,
            at in 0..4_000_000_000_000i64,
            rest in any::<u128>(),
            now in 0..4_000_000_000i64,
        ) {
            let time = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap();
            let since = bounded[0].then(|| time(ends[0].min(ends[1])));
            let until = bounded[1].then(|| time(ends[0].max(ends[1])));
            let selection = Selection { since, until, ..Selection::default() };
            let stretches = selection.stretches(count, time(now));
            prop_assert_eq!(stretches.len(), count as usize);
            let key = key_at(DateTime::from_timestamp_millis(at).unwrap());
            let id = Uuid::from_u128(key.0.as_u128() | (rest >> 48));
            let Selected { after, before, .. } = Selected::new(&selection, None);
            let is_selected = after.0 < id && id < before.0;
            let holding: Vec<_> = stretches.iter().filter(|stretch| stretch.holds(AttemptId(id))).collect();
            prop_assert_eq!(holding.len(), usize::from(is_selected));
            if let [stretch] = holding[..] {
                prop_assert!(!stretch.beyond(Key(id)).holds(AttemptId(id)), "what was read is not read again");
            }
        }
    }
}
