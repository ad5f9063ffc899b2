//! Which traces are worth keeping: all of failures, those of the slowest, and a sample of the rest.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Fleet, Measured, OperationKind, OutcomeClass, UnknownName, quantile};

/// How many durations of one kind in one fleet are remembered to tell the slowest: at one round a minute and six
/// lookups in each, about three hours.
pub const REMEMBERED: usize = 1_000;

/// How many must have been seen before one can be among the slowest: the first ones would all be.
pub const LEAST_SEEN: usize = 20;

/// What is slower than this share of its kind is among the slowest.
pub const SLOW_FROM: f64 = 0.99;

/// A part of a whole: a number from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// `None` if the number is not from 0 to 1.
    pub const fn new(part: f64) -> Option<Self> {
        if part >= 0.0 && part <= 1.0 { Some(Self(part)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

// It is never NaN.
impl Eq for Share {}

/// Why a trace was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WhyKept {
    /// The operation failed.
    Failed,
    /// It was among the slowest of its kind in its fleet.
    Slow,
    /// It was drawn, so that there are ordinary ones to compare with.
    Sampled,
}

impl WhyKept {
    /// Every reason, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Failed, Self::Slow, Self::Sampled];

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Slow => "slow",
            Self::Sampled => "sampled",
        }
    }
}

impl fmt::Display for WhyKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for WhyKept {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|why| why.as_str() == name);
        known.ok_or_else(|| UnknownName { what: "reason for keeping a trace", name: name.to_owned() })
    }
}

/// Decides about one trace after the other.
///
/// It remembers at most [`REMEMBERED`] durations for each kind of operation in each fleet that it is asked about:
/// 16 kB for each.
#[derive(Debug, Clone)]
pub struct TraceKeeper {
    sample: Share,
    /// [`REMEMBERED`].
    remembered: usize,
    /// Durations of the newest successes, oldest first. A failure may have run into a time limit, and a few of those
    /// would hide every slow success.
    newest: BTreeMap<(Fleet, OperationKind), VecDeque<Duration>>,
}

impl TraceKeeper {
    /// Keeps this share of what is neither failed nor slow.
    pub fn new(sample: Share) -> Self {
        Self { sample, remembered: REMEMBERED, newest: BTreeMap::new() }
    }

    /// Whether to keep the trace of this result, and why; a result without one has nothing to keep.
    ///
    /// `draw` is a random number from 0 (inclusive) to 1 (exclusive).
    pub fn decide(&mut self, fleet: &Fleet, kind: OperationKind, result: &Measured, draw: f64) -> Option<WhyKept> {
        let why = if result.class != OutcomeClass::Ok {
            Some(WhyKept::Failed)
        } else if !result.from_own_records && self.is_slow(fleet, kind, result.duration) {
            Some(WhyKept::Slow)
        } else {
            (draw < self.sample.get()).then_some(WhyKept::Sampled)
        };
        why.filter(|_| result.trace.is_some())
    }

    /// Whether this success is slower than nearly all before it. It counts for the next one.
    fn is_slow(&mut self, fleet: &Fleet, kind: OperationKind, duration: Duration) -> bool {
        let newest = self.newest.entry((fleet.clone(), kind)).or_default();
        let mut sorted: Vec<_> = newest.iter().copied().collect();
        sorted.sort_unstable();
        let limit = quantile(&sorted, SLOW_FROM).filter(|_| sorted.len() >= LEAST_SEEN);
        if newest.len() == self.remembered {
            newest.pop_front();
        }
        newest.push_back(duration);
        limit.is_some_and(|limit| duration > limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{StrategyKind, Trace};

    const NEVER: f64 = 0.999_999;

    fn result(class: OutcomeClass, ms: u64) -> Measured {
        let duration = Duration::from_millis(ms);
        let trace = Trace { strategy: StrategyKind::Classic, returned: duration, requests: vec![], left_out: 0 };
        Measured { trace: Some(Arc::new(trace)), ..Measured::unmeasured(class, duration, "") }
    }

    fn ok(ms: u64) -> Measured {
        result(OutcomeClass::Ok, ms)
    }

    fn none_drawn() -> TraceKeeper {
        TraceKeeper::new(Share::new(0.0).unwrap())
    }

    fn fleet() -> Fleet {
        "default".parse().unwrap()
    }

    /// Decides about these lookups, none of which is drawn.
    fn lookups(keeper: &mut TraceKeeper, results: impl IntoIterator<Item = Measured>) -> Vec<Option<WhyKept>> {
        let decide = |result| keeper.decide(&fleet(), OperationKind::Retrieve, &result, NEVER);
        results.into_iter().map(decide).collect()
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        for number in [0.0, 0.01, 1.0] {
            assert_eq!(Share::new(number).map(Share::get), Some(number));
        }
        for number in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::new(number), None, "{number}");
        }
    }

    #[test]
    fn every_reason_is_read_back_by_its_name() {
        for why in WhyKept::ALL {
            assert_eq!(why.as_str().parse(), Ok(why));
        }
        let error = "liked".parse::<WhyKept>().unwrap_err();
        assert_eq!(error.to_string(), "unknown reason for keeping a trace `liked`");
    }

    #[test]
    fn every_failure_that_has_a_trace_is_kept() {
        let mut keeper = none_drawn();
        for class in OutcomeClass::ALL.into_iter().filter(|class| *class != OutcomeClass::Ok) {
            assert_eq!(lookups(&mut keeper, [result(class, 1)]), [Some(WhyKept::Failed)]);
            assert_eq!(lookups(&mut keeper, [Measured { trace: None, ..result(class, 1) }]), [None]);
        }
    }

    #[test]
    fn the_slowest_are_kept_once_twenty_have_been_seen() {
        let mut keeper = none_drawn();
        assert_eq!(lookups(&mut keeper, (0..19).map(|ms| ok(100 + ms))), [None; 19], "each is slower than all before");
        assert_eq!(lookups(&mut keeper, [ok(118), ok(118), ok(119)]), [None, None, Some(WhyKept::Slow)]);
    }

    #[test]
    fn slow_is_slower_than_99_of_100_of_the_same_kind_and_fleet() {
        let mut keeper = none_drawn();
        lookups(&mut keeper, (1..=200).map(ok));
        let publication = keeper.decide(&fleet(), OperationKind::Provide, &ok(9_999), NEVER);
        let elsewhere = keeper.decide(&"fullrt".parse().unwrap(), OperationKind::Retrieve, &ok(9_999), NEVER);
        assert_eq!((publication, elsewhere), (None, None));
        assert_eq!(lookups(&mut keeper.clone(), [ok(198)]), [None], "the nearest rank of 200 is the 198th");
        assert_eq!(lookups(&mut keeper, [ok(199)]), [Some(WhyKept::Slow)]);
    }

    #[test]
    fn neither_failures_nor_what_measured_no_network_change_what_is_slow() {
        let mut keeper = none_drawn();
        lookups(&mut keeper, vec![ok(50); 20]);
        lookups(&mut keeper, vec![result(OutcomeClass::Timeout, 180_000); 100]);
        let own = Measured { from_own_records: true, ..ok(0) };
        assert_eq!(lookups(&mut keeper, vec![own; 2_000]), vec![None; 2_000]);
        assert_eq!(lookups(&mut keeper, [ok(50), ok(51)]), [None, Some(WhyKept::Slow)]);
    }

    #[test]
    fn a_network_that_became_slower_is_slow_no_more_after_a_while() {
        let mut keeper = none_drawn();
        lookups(&mut keeper, vec![ok(50); REMEMBERED]);
        let slow = lookups(&mut keeper, vec![ok(80); REMEMBERED]).into_iter().flatten().count();
        assert_eq!(slow, 11, "until more than one in a hundred is as slow");
        assert_eq!(lookups(&mut keeper, [ok(80), ok(81)]), [None, Some(WhyKept::Slow)]);
    }

    proptest! {
        #[test]
        fn what_is_neither_failed_nor_slow_is_kept_if_it_is_drawn(sample in 0.0..=1.0f64, draw in 0.0..1.0f64) {
            let why = TraceKeeper::new(Share::new(sample).unwrap()).decide(&fleet(), OperationKind::Provide, &ok(5), draw);
            prop_assert_eq!(why, (draw < sample).then_some(WhyKept::Sampled));
        }

        #[test]
        fn all_or_nothing_is_sampled_exactly(draw in 0.0..1.0f64) {
            let decide = |sample| TraceKeeper::new(Share::new(sample).unwrap()).decide(&fleet(), OperationKind::Provide, &ok(5), draw);
            prop_assert_eq!((decide(0.0), decide(1.0)), (None, Some(WhyKept::Sampled)));
        }

        #[test]
        fn memory_is_bounded_and_slow_means_slower_than_99_of_100_of_the_newest(
            durations in proptest::collection::vec(0..50u64, 0..200),
            remembered in LEAST_SEEN..150,
        ) {
            let mut keeper = TraceKeeper { remembered, ..none_drawn() };
            for (seen, ms) in durations.iter().enumerate() {
                let why = lookups(&mut keeper, [ok(*ms)]).remove(0);
                let newest = &durations[seen.saturating_sub(remembered)..seen];
                let faster = newest.iter().filter(|earlier| *earlier < ms).count();
                let slow = seen >= LEAST_SEEN && faster * 100 >= newest.len() * 99;
                prop_assert_eq!(why, slow.then_some(WhyKept::Slow), "{} after {:?}", ms, newest);
            }
            prop_assert!(keeper.newest.values().all(|newest| newest.len() <= remembered));
        }
    }
}
