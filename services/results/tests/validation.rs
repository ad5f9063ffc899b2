//! The statistics are an instrument, and are calibrated like one: against measurements whose truth is known because they are simulated.
//!
//! Every figure here is printed (`cargo test -p parsec-results --test validation -- --nocapture`) and stands in `docs/methods.md`.

mod world;

use std::time::Duration;

use parsec_measure::OutcomeClass;
use parsec_results::statistics::{Comparison, Figure, Observation, Reading, Sample, Verdict, compare, rounds_to_see};
use rand_pcg::Pcg64Mcg;
use world::{LOOKUPS, PROVIDES, World, normal, rate};

/// How often an interval is tried.
const REPETITIONS: usize = 2_000;

/// How often a comparison is tried, and with how many resamples: its rates are then known to within 2 percentage points.
const COMPARISONS: usize = 500;
const RESAMPLES: usize = 1_000;

fn covers(world: World, q: f64) -> impl FnMut(&mut Pcg64Mcg) -> bool {
    let truth = world.quantile(q);
    move |rng| {
        let quantile = world.measure(rng, 0).quantile(q).expect("n carries it");
        let seconds = |reading: Reading| reading.seconds();
        seconds(quantile.low) <= truth && truth <= seconds(quantile.high)
    }
}

#[test]
fn the_interval_of_a_quantile_holds_the_truth_19_times_in_20() {
    for (name, world, qs) in [("provides", PROVIDES, [0.5, 0.8, 0.9]), ("lookups", LOOKUPS, [0.5, 0.8, 0.85])] {
        for q in qs {
            let rate = rate(&format!("{name}, p{:.0} in its interval", 100.0 * q), REPETITIONS, covers(world, q));
            assert!((93.0..=97.0).contains(&rate), "{rate}");
        }
    }
}

#[test]
fn the_interval_of_a_success_rate_holds_the_truth_19_times_in_20() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let rate = rate(&format!("{name}, success rate in its interval"), REPETITIONS, |rng| {
            world.measure(rng, 0).success().expect("some are due").share.holds(1.0 - world.failures)
        });
        assert!((93.0..=97.0).contains(&rate), "{rate}");
    }
}

fn how(margin: f64) -> Comparison {
    Comparison { margin, success_margin: margin, resamples: RESAMPLES }
}

/// What a comparison of two measurements finds of the figures.
fn find(a: &Sample, b: &Sample, margin: f64) -> Vec<(Figure, Verdict)> {
    let mut compared = compare(&[(a, b)], how(margin));
    let compared = compared.pop().expect("one pair").expect("enough rounds");
    compared.into_iter().map(|compared| (compared.figure, compared.verdict)).collect()
}

#[test]
fn where_there_is_no_difference_at_most_one_comparison_in_20_finds_one() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let rate = rate(&format!("{name}, A/A with a difference in any figure"), COMPARISONS, |rng| {
            let (a, b) = (world.measure(rng, 0), world.measure(rng, 1_000_000));
            find(&a, &b, 0.0).iter().any(|(_, verdict)| matches!(verdict, Verdict::Better | Verdict::Worse))
        });
        assert!(rate <= 5.0, "{rate}");
    }
}

#[test]
fn a_true_20_percent_is_found_with_the_rounds_that_were_asked_for() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let mut asked = 0;
        let rate = rate(&format!("{name}, 20 % found in the median"), COMPARISONS, |rng| {
            let pilot = World { rounds: 60, ..world }.measure(rng, 0);
            let rounds = rounds_to_see(&pilot, 0.5, 0.2, Figure::ALL.len()).expect("it can be planned");
            asked += rounds;
            let world = World { rounds: rounds as usize, ..world };
            let (a, b) = (world.measure(rng, 0), World { median: 1.2 * world.median, ..world }.measure(rng, 1_000_000));
            find(&a, &b, 0.0).contains(&(Figure::P50, Verdict::Worse))
        });
        println!("{name}: {} rounds asked for, on average", asked / COMPARISONS as u64);
        assert!(rate >= 80.0, "{rate}");
    }
}

#[test]
fn rounds_of_both_groups_are_compared_in_pairs() {
    let both = |rng: &mut Pcg64Mcg, apart: u64| {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for round in 0..60 {
            let common = normal(rng);
            for (group, factor, round) in [(&mut a, 1.0, round), (&mut b, 1.2, round + apart)] {
                let seconds = factor * (common + 0.1 * normal(rng)).exp();
                group.push(Observation {
                    round,
                    stratum: 0,
                    class: OutcomeClass::Ok,
                    duration: Duration::from_secs_f64(seconds),
                });
            }
        }
        (a.into_iter().collect::<Sample>(), b.into_iter().collect::<Sample>())
    };
    let found = rate("paired, 20 % found in 60 rounds", 100, |rng| {
        let (a, b) = both(rng, 0);
        find(&a, &b, 0.0).contains(&(Figure::P50, Verdict::Worse))
    });
    let unpaired = rate("the same in rounds of their own", 100, |rng| {
        let ((a, _), (_, b)) = (both(rng, 1_000), both(rng, 1_000));
        find(&a, &b, 0.0).contains(&(Figure::P50, Verdict::Worse))
    });
    assert!(found >= 50.0 && unpaired <= 20.0, "{found} {unpaired}");
}
