use std::time::Duration;

use parsec_measure::OutcomeClass;

use super::*;
use crate::statistics::Observation;

/// Times that are spread evenly around `middle` milliseconds; every `failing`-th attempt fails.
fn group(rounds: std::ops::Range<u64>, stratum: u32, middle: u64, failing: u64) -> Vec<Observation> {
    let observation = |round: u64| {
        let duration = Duration::from_millis(middle * (50 + round * 37 % 101) / 100);
        let class = if round.is_multiple_of(failing) { OutcomeClass::Timeout } else { OutcomeClass::Ok };
        Observation { round, stratum, class, duration }
    };
    rounds.map(observation).collect()
}

fn of(observations: impl IntoIterator<Item = Vec<Observation>>) -> Sample {
    observations.into_iter().flatten().collect()
}

fn compared(a: &Sample, b: &Sample) -> Vec<Compared> {
    compare(&[(a, b)], Comparison { resamples: 2_000, ..Comparison::default() }).remove(0).unwrap()
}

fn figure(compared: &[Compared], figure: Figure) -> Compared {
    *compared.iter().find(|compared| compared.figure == figure).unwrap()
}

#[test]
fn a_clear_difference_has_a_verdict_and_a_ratio_with_an_interval() {
    let (a, b) = (of([group(0..400, 0, 1_000, u64::MAX)]), of([group(1_000..1_400, 0, 500, u64::MAX)]));
    let all = compared(&a, &b);
    let p50 = figure(&all, Figure::P50);
    assert_eq!((p50.verdict, p50.rounds_to_decide), (Verdict::Better, None));
    let ratio = p50.ratio.unwrap();
    assert!(ratio.holds(0.5) && ratio.high - ratio.low < 0.2, "{ratio:?}");
    assert!(p50.difference.holds(-0.5), "{:?}", p50.difference);
    assert_eq!(figure(&compared(&b, &a), Figure::P50).verdict, Verdict::Worse);
}

#[test]
fn the_same_twice_is_equal_within_a_margin_and_never_different() {
    let (a, b) = (of([group(0..3_000, 0, 1_000, 50)]), of([group(10_000..13_000, 0, 1_000, 50)]));
    for compared in compared(&a, &b) {
        assert_eq!(compared.verdict, Verdict::Equal, "{compared:?}");
    }
}

#[test]
fn what_is_not_decided_says_how_many_rounds_would_decide_it() {
    let (a, b) = (of([group(0..40, 0, 1_000, 20)]), of([group(1_000..1_040, 0, 1_030, 20)]));
    let p50 = figure(&compared(&a, &b), Figure::P50);
    assert_eq!(p50.verdict, Verdict::Inconclusive);
    assert!(p50.rounds_to_decide.is_some_and(|rounds| rounds > 40), "{p50:?}");
}

#[test]
fn failures_that_reach_a_quantile_make_it_endlessly_worse() {
    let (a, b) = (of([group(0..400, 0, 1_000, u64::MAX)]), of([group(1_000..1_400, 0, 1_000, 4)]));
    let all = compared(&a, &b);
    let p90 = figure(&all, Figure::P90);
    assert_eq!((p90.verdict, p90.ratio.unwrap().value), (Verdict::Worse, f64::INFINITY));
    assert_eq!(figure(&all, Figure::Success).verdict, Verdict::Worse);
}

#[test]
fn a_region_that_one_group_measured_more_often_is_no_difference() {
    // Region 1 takes three times as long. Group b has measured there more often, and is as fast in each.
    let a = of([group(0..900, 0, 300, u64::MAX), group(900..1_200, 1, 900, u64::MAX)]);
    let b = of([group(5_000..5_300, 0, 300, u64::MAX), group(5_300..6_200, 1, 900, u64::MAX)]);
    let p50 = figure(&compared(&a, &b), Figure::P50);
    assert!(p50.ratio.unwrap().holds(1.0), "{p50:?}");
    assert_ne!(p50.verdict, Verdict::Worse);
}

#[test]
fn a_region_that_only_one_group_has_is_left_out() {
    let a = of([group(0..300, 0, 300, u64::MAX)]);
    let b = of([group(5_000..5_300, 0, 300, u64::MAX), group(6_000..6_900, 1, 9_000, u64::MAX)]);
    assert!(figure(&compared(&a, &b), Figure::P50).ratio.unwrap().holds(1.0));
    let elsewhere = of([group(0..300, 2, 300, u64::MAX)]);
    let error = compare(&[(&a, &elsewhere)], Comparison::default()).remove(0).unwrap_err();
    assert_eq!(error, CompareError::TooFewRounds { a: 0, b: 0 });
}

#[test]
fn a_figure_that_one_group_does_not_carry_is_left_out() {
    let (a, b) = (of([group(0..20, 0, 300, u64::MAX)]), of([group(50..90, 0, 300, u64::MAX)]));
    let figures: Vec<_> = compared(&a, &b).iter().map(|compared| compared.figure).collect();
    assert_eq!(figures, [Figure::P50, Figure::Success]);
}

#[test]
fn the_more_is_asked_at_once_the_more_it_takes() {
    let (a, b) = (of([group(0..120, 0, 1_000, u64::MAX)]), of([group(500..620, 0, 1_250, u64::MAX)]));
    let how = Comparison { resamples: 2_000, ..Comparison::default() };
    let p = |pairs: usize| figure(compare(&vec![(&a, &b); pairs], how)[0].as_ref().unwrap(), Figure::P50).p;
    assert!(p(7) > p(1), "{} {}", p(7), p(1));
}

#[test]
fn where_both_fail_that_often_times_are_not_compared() {
    let (a, b) = (of([group(0..400, 0, 1_000, 3)]), of([group(1_000..1_400, 0, 1_000, 3)]));
    let figures: Vec<_> = compared(&a, &b).iter().map(|compared| compared.figure).collect();
    assert_eq!(figures, [Figure::P50, Figure::Success], "p90 of both is a failure");
}

#[test]
fn a_clear_difference_is_found_among_hundreds_of_questions() {
    let (a, b) = (of([group(0..60, 0, 1_000, u64::MAX)]), of([group(500..560, 0, 4_000, u64::MAX)]));
    let all = compare(&vec![(&a, &b); 150], Comparison { resamples: 100, ..Comparison::default() });
    assert_eq!(figure(all[0].as_ref().unwrap(), Figure::P50).verdict, Verdict::Worse);
}

#[test]
fn success_in_a_common_region_is_as_sure_as_that_region_alone() {
    let (few, many) = (group(0..60, 0, 300, 5), group(1_000..7_000, 1, 300, 5));
    let (a, b) = (of([few.clone(), many]), of([group(10_000..10_060, 0, 300, 5)]));
    let with_more = figure(&compared(&a, &b), Figure::Success).difference;
    let alone = figure(&compared(&of([few]), &b), Figure::Success).difference;
    assert_eq!((with_more.low, with_more.high), (alone.low, alone.high));
}

#[test]
fn how_many_rounds_decide_goes_by_the_smaller_group() {
    let b = of([group(10_000..10_040, 0, 1_030, 20)]);
    let open = |rounds: u64| figure(&compared(&of([group(0..rounds, 0, 1_000, 20)]), &b), Figure::P50).rounds_to_decide;
    let (equal, unequal) = (open(40).unwrap(), open(2_000).unwrap());
    assert!(unequal < 8 * equal.max(2_000), "{equal} {unequal}");
}
