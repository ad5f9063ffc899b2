//! Traces are a biased sample on purpose. What is made of them is tried against operations whose truth is known, with the policy that
//! schedulers keep traces by.
//!
//! Every figure here is printed (`cargo test -p parsec-results --test weights -- --nocapture`) and stands in `docs/methods.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use parsec_measure::{
    Fleet, Measured, OperationKind, OutcomeClass, RequestEnd, SampledOperation, Share, Trace, TraceKeeper, WhyKept,
};
use parsec_results::testing::{ending, request, sampled, trace};
use parsec_results::{Portion, Spending, Spent, portions};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Lookups of a round, which share a third of the variance of their hops.
const PER_ROUND: u64 = 6;

/// The median of the hops in seconds, and the standard deviation of the logarithm.
const HOPS: (f64, f64) = (0.6, 0.5);

/// How often a dial is given up, after five seconds.
const DIAL_TIMEOUT: (f64, f64) = (0.15, 5.0);

/// How often a lookup fails, because a peer is silent for a minute.
const FAILURE: (f64, f64) = (0.04, 60.0);

/// What part of the ordinary traces is kept.
const SAMPLE: f64 = 0.05;

/// Longer than 99 of 100 of those that succeed, in this world.
const SLOWEST: f64 = 6.27;

fn normal(rng: &mut Pcg64Mcg) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The true mean seconds of each portion.
fn truth(portion: Portion) -> f64 {
    match portion {
        Portion::Hops => HOPS.0 * (HOPS.1 * HOPS.1 / 2.0).exp(),
        Portion::DialTimeouts => (1.0 - FAILURE.0) * DIAL_TIMEOUT.0 * DIAL_TIMEOUT.1,
        Portion::Silent => FAILURE.0 * FAILURE.1,
        _ => 0.0,
    }
}

/// One lookup.
fn lookup(rng: &mut Pcg64Mcg, common: f64) -> (OutcomeClass, Trace) {
    let hops = HOPS.0 * (HOPS.1 * ((1.0 / 3.0_f64).sqrt() * common + (2.0 / 3.0_f64).sqrt() * normal(rng))).exp();
    let hops = (1_000.0 * hops).ceil() as u64;
    let (class, end, more) = if rng.random_bool(FAILURE.0) {
        (OutcomeClass::Timeout, RequestEnd::Timeout, FAILURE.1)
    } else if rng.random_bool(DIAL_TIMEOUT.0) {
        (OutcomeClass::Ok, RequestEnd::DialTimeout, DIAL_TIMEOUT.1)
    } else {
        return (OutcomeClass::Ok, trace(hops, vec![request("a", 0, hops)]));
    };
    let returned = hops + (1_000.0 * more) as u64;
    (class, trace(returned, vec![request("a", 0, hops), ending(end, request("b", hops, returned))]))
}

/// Lookups of so many rounds, each with why its trace is kept.
fn measured(
    rng: &mut Pcg64Mcg,
    rounds: u64,
    mut keep: impl FnMut(&mut Pcg64Mcg, OutcomeClass, &Trace) -> Option<WhyKept>,
) -> Vec<(SampledOperation, Trace)> {
    let mut all = Vec::new();
    for round in 0..rounds {
        let common = normal(rng);
        for _ in 0..PER_ROUND {
            let (class, trace) = lookup(rng, common);
            let why = keep(rng, class, &trace);
            all.push((sampled(60 * round, class, trace.returned, why), trace));
        }
    }
    all
}

/// The policy of schedulers, with the slowest told by what the world is known to be. The real one sorts a thousand durations each time.
fn keep(rng: &mut Pcg64Mcg, class: OutcomeClass, trace: &Trace) -> Option<WhyKept> {
    let drawn = rng.random_bool(SAMPLE);
    match class {
        OutcomeClass::Ok if trace.returned.as_secs_f64() > SLOWEST => Some(WhyKept::Slow),
        OutcomeClass::Ok => drawn.then_some(WhyKept::Sampled),
        _ => Some(WhyKept::Failed),
    }
}

fn spent(all: &[(SampledOperation, Trace)]) -> Spent {
    let mut spending = Spending::new(vec![], BTreeMap::new());
    for (operation, trace) in all {
        spending.count(operation);
        if operation.why_kept.is_some() {
            spending.add(operation, Some(trace));
        }
    }
    spending.finish().remove(0).2.expect("traces stand for all")
}

/// The mean seconds of a portion in the traces as they are.
fn as_they_are(all: &[(SampledOperation, Trace)], portion: Portion) -> f64 {
    let kept = all.iter().filter(|(operation, _)| operation.why_kept.is_some());
    let seconds: Vec<f64> = kept.map(|(_, trace)| portions(trace)[portion as usize]).collect();
    seconds.iter().sum::<f64>() / seconds.len() as f64
}

const ASKED: [Portion; 3] = [Portion::Hops, Portion::DialTimeouts, Portion::Silent];

#[test]
fn with_the_policy_of_schedulers_the_bias_is_gone() {
    const REPETITIONS: u64 = 12;
    let fleet: Fleet = "default".parse().expect("a name");
    let (mut held, mut weighed, mut biased) = (0, [0.0; ASKED.len()], [0.0; ASKED.len()]);
    for seed in 0..REPETITIONS {
        let mut keeper = TraceKeeper::new(Share::new(SAMPLE).expect("a share"));
        let all = measured(&mut Pcg64Mcg::seed_from_u64(seed), 500, |rng, class, trace| {
            let result =
                Measured { trace: Some(trace.clone().into()), ..Measured::unmeasured(class, trace.returned, "") };
            keeper.decide(&fleet, OperationKind::Retrieve, &result, rng.random())
        });
        let spent = spent(&all);
        for (index, portion) in ASKED.into_iter().enumerate() {
            let estimate = spent.portions[portion as usize].1;
            let (low, high) = estimate.ends.expect("enough rounds");
            held += u32::from(low <= truth(portion) && truth(portion) <= high);
            weighed[index] += estimate.value / REPETITIONS as f64;
            biased[index] += as_they_are(&all, portion) / REPETITIONS as f64;
        }
    }
    for ((portion, weighed), biased) in ASKED.into_iter().zip(weighed).zip(biased) {
        let (name, truth) = (portion.as_str(), truth(portion));
        println!("{name}: truth {truth:.2} s, traces as they are {biased:.2} s, weighed {weighed:.2} s");
        assert!((weighed / truth - 1.0).abs() < 0.1, "{name}: {weighed} for {truth}");
        assert!(biased > 1.1 * truth, "{name}: as they are, failures and the slowest prevail");
    }
    println!("intervals that hold the truth: {held} of {}", REPETITIONS * ASKED.len() as u64);
    assert!(held >= 31, "{held} of 36");
}

#[test]
fn the_interval_of_a_weighed_mean_holds_the_truth_19_times_in_20() {
    const REPETITIONS: u64 = 400;
    let (mut held, mut sums) = ([0_u32; ASKED.len()], [0.0; ASKED.len()]);
    for seed in 0..REPETITIONS {
        let all = measured(&mut Pcg64Mcg::seed_from_u64(seed), 300, keep);
        let spent = spent(&all);
        for (index, portion) in ASKED.into_iter().enumerate() {
            let estimate = spent.portions[portion as usize].1;
            let (low, high) = estimate.ends.expect("enough rounds");
            held[index] += u32::from(low <= truth(portion) && truth(portion) <= high);
            sums[index] += estimate.value;
        }
    }
    for (index, portion) in ASKED.into_iter().enumerate() {
        let rate = 100.0 * f64::from(held[index]) / REPETITIONS as f64;
        let mean = sums[index] / REPETITIONS as f64;
        let truth = truth(portion);
        println!(
            "{}: in its interval {rate:.1} % of {REPETITIONS}; {mean:.3} s on average, truth {truth:.3} s",
            portion.as_str()
        );
        assert!((91.0..=98.0).contains(&rate), "{}: {rate}", portion.as_str());
        assert!((mean / truth - 1.0).abs() < 0.02, "{}: {mean} for {truth}", portion.as_str());
    }
}

#[test]
fn loops_that_kept_different_shares_are_weighed_each_by_its_own() {
    let mut all = measured(&mut Pcg64Mcg::seed_from_u64(7), 300, keep);
    // A second loop, in which every dial is given up, kept all of its traces.
    let dead = trace(5_000, vec![ending(RequestEnd::DialTimeout, request("b", 0, 5_000))]);
    for round in 0..300 {
        let mut operation = sampled(60 * round, OutcomeClass::Ok, Duration::from_secs(5), Some(WhyKept::Sampled));
        operation.scheduler.0 = 2;
        all.push((operation, dead.clone()));
    }
    let expected = (truth(Portion::DialTimeouts) * 1_800.0 + 5.0 * 300.0) / 2_100.0;
    let (low, high) = spent(&all).portions[Portion::DialTimeouts as usize].1.ends.expect("enough rounds");
    assert!(low <= expected && expected <= high, "{expected} in {low}–{high}");
    // Weighed together, the second loop would count for a third of all operations and more.
    assert!(high < 2.0, "{high}");
}
