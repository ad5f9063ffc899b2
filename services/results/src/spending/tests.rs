use std::time::Duration;

use parsec_measure::{OutcomeClass, RequestEnd, WhyKept};
use proptest::prelude::*;

use super::*;
use crate::testing::{ending, request, sampled, trace};

/// A lookup of so many milliseconds, and its trace.
fn quick(second: u64, ms: u64, why: Option<WhyKept>) -> (SampledOperation, Trace) {
    let operation = sampled(second, OutcomeClass::Ok, Duration::from_millis(ms), why);
    (operation, trace(ms, vec![request("a", 0, ms)]))
}

/// One that failed after a peer had been silent for a minute.
fn failed(second: u64) -> (SampledOperation, Trace) {
    let operation = sampled(second, OutcomeClass::Timeout, Duration::from_secs(60), Some(WhyKept::Failed));
    (operation, trace(60_000, vec![ending(RequestEnd::Timeout, request("b", 0, 60_000))]))
}

fn spending(by: &[Dimension], all: &[(SampledOperation, Trace)]) -> Spending {
    let mut spending = Spending::new(by.to_vec(), BTreeMap::new());
    for (operation, trace) in all {
        spending.count(operation);
        if operation.why_kept.is_some() {
            spending.add(operation, Some(trace));
        }
    }
    spending
}

fn only(spending: Spending) -> Spent {
    spending.finish().remove(0).2.unwrap()
}

/// Ninety lookups of one second, of which every tenth is kept, and ten that failed.
fn ten_of_a_hundred() -> Vec<(SampledOperation, Trace)> {
    let kept = |second: u64| second.is_multiple_of(10).then_some(WhyKept::Sampled);
    (0..90).map(|second| quick(second, 1_000, kept(second))).chain((0..10).map(failed)).collect()
}

#[test]
fn failures_are_all_kept_and_count_once_the_others_for_those_that_were_not_drawn() {
    let spent = only(spending(&[], &ten_of_a_hundred()));
    let of = |portion: Portion| spent.portions[portion as usize].1.value;
    assert!((of(Portion::Hops) - 0.9).abs() < 1e-9 && (of(Portion::Silent) - 6.0).abs() < 1e-9, "{spent:?}");
    assert!((spent.seconds.value - 6.9).abs() < 1e-9, "{spent:?}");
    // As they are, nine and ten of nineteen traces, the failures would take 32 seconds of each operation.
    let [failed, slow, ordinary] = spent.stands_for;
    assert_eq!((failed.traces, failed.operations), (10, 10));
    assert_eq!((slow.traces, slow.operations), (0, 0));
    assert_eq!((ordinary.traces, ordinary.operations), (9, 90));
}

#[test]
fn an_interval_takes_ten_rounds_with_a_trace_that_was_drawn() {
    assert_eq!(only(spending(&[], &ten_of_a_hundred())).seconds.ends, None, "nine");
    let mut one_more = ten_of_a_hundred();
    one_more.push(quick(95, 1_000, Some(WhyKept::Sampled)));
    let spent = only(spending(&[], &one_more));
    let (low, high) = spent.seconds.ends.unwrap();
    assert!(low < spent.seconds.value && spent.seconds.value < high, "{spent:?}");
}

#[test]
fn operations_that_no_trace_stands_for_have_no_figures() {
    let untraced: Vec<_> = (0..20).map(|second| quick(second, 5, None)).collect();
    let (_, _, spent) = spending(&[], &untraced).finish().remove(0);
    assert_eq!(spent.unwrap_err(), Unrepresented { layer: Layer::Ordinary, operations: 20 });
}

#[test]
fn what_is_not_asked_about_is_counted_by_the_reason() {
    let (base, trace) = quick(1, 5, Some(WhyKept::Sampled));
    let mut all = vec![(base, trace.clone())];
    let mut but = |change: fn(&mut SampledOperation)| {
        let mut operation = base;
        change(&mut operation);
        all.push((operation, trace.clone()));
    };
    but(|sampled| sampled.operation.from_own_records = true);
    but(|sampled| sampled.operation.probe = 1);
    but(|sampled| sampled.operation.class = OutcomeClass::Cancelled);
    but(|sampled| (sampled.is_told, sampled.why_kept) = (false, None));
    let spending_all = spending(&[], &all);
    let expected = NotAsked { from_own_records: 1, later_looks: 1, unsaid: 1, untold: 1 };
    assert_eq!(spending_all.not_asked(), expected);
    assert_eq!(only(spending_all).stands_for[2].operations, 1);
    assert_eq!(spending(&[Dimension::Probe], &all).finish().len(), 2, "later looks are told apart");
}

#[test]
fn a_trace_that_cannot_be_read_is_stood_for_by_the_others() {
    let all = ten_of_a_hundred();
    let mut spending = spending(&[], &all[1..]);
    spending.count(&all[0].0);
    spending.add(&all[0].0, None);
    assert_eq!(spending.unread(), 1);
    let spent = only(spending);
    assert_eq!((spent.stands_for[2].traces, spent.stands_for[2].operations), (8, 90));
    assert!((spent.seconds.value - 6.9).abs() < 1e-9, "{spent:?}");
}

proptest! {
    #[test]
    fn many_rounds_are_joined_and_nothing_is_lost(seconds in proptest::collection::vec(0..400_000u64, 1..1_500)) {
        let all: Vec<_> = seconds.iter().map(|second| quick(*second, 1_000, Some(WhyKept::Sampled))).collect();
        let spending = spending(&[], &all);
        for stretches in spending.groups.values() {
            prop_assert!(stretches.seen.len() <= MAX_STRETCHES);
            let known: Vec<_> = stretches.cells.keys().map(|(stretch, _)| *stretch).collect();
            prop_assert_eq!(known, stretches.seen.iter().copied().collect::<Vec<_>>());
        }
        let spent = only(spending);
        prop_assert_eq!(spent.stands_for[2].operations, seconds.len() as u64);
        prop_assert!((spent.seconds.value - 1.0).abs() < 1e-9);
    }
}
