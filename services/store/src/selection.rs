//! Which measurements are asked for, and how the queries take it.

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{AttemptId, Fleet, OperationKind};
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
}
