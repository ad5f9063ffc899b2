//! A check of many limits fails by chance no more often than a check of one.
//!
//! Every figure here is printed (`cargo test -p parsec-results --test limits -- --nocapture`) and stands in `docs/methods.md`.

mod world;

use parsec_results::check::{Asked, Judged, Judgement, Subject, Threshold, judge};
use rand_pcg::Pcg64Mcg;
use world::{LOOKUPS, PROVIDES, World, rate};

/// How many fleets are checked, each with two limits.
const FLEETS: usize = 5;

/// How often a check is tried: rates are then known to within 2 percentage points.
const CHECKS: usize = 1_000;

/// Measures so many fleets of one world, and checks a median and a failure rate of each at once. The truth is at the limits times `factor`.
fn checked(world: World, factor: f64, rng: &mut Pcg64Mcg) -> Vec<Judged> {
    let median = world.quantile(0.5) / factor;
    let texts = [format!("provide.p50 > {median:.6}s"), format!("failures > {:.6}%", 100.0 * world.failures / factor)];
    let limits = texts.map(|text| text.parse::<Threshold>().expect("it is one"));
    let subjects: Vec<Subject> =
        (0..FLEETS).map(|_| Subject { sample: world.measure(rng, 0), ..Subject::default() }).collect();
    let of = |subject| limits.iter().map(move |threshold| Asked { threshold, subject, baseline: None });
    judge(&subjects.iter().flat_map(of).collect::<Vec<_>>())
}

fn crossed(judged: &[Judged]) -> usize {
    judged.iter().filter(|judged| judged.judgement == Judgement::Crossed).count()
}

#[test]
fn a_check_of_ten_limits_that_are_just_kept_fails_at_most_once_in_20() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let mut alone = 0;
        let rate = rate(&format!("{name}, a check of ten limits with a false alarm"), CHECKS, |rng| {
            let judged = checked(world, 1.0, rng);
            alone += usize::from(judged.iter().any(|judged| judged.beyond));
            crossed(&judged) > 0
        });
        println!("{name}: {:.1} % by the 95 % interval of each", 100.0 * alone as f64 / CHECKS as f64);
        assert!(rate <= 5.0, "{rate}");
    }
}

#[test]
fn what_is_far_beyond_its_limit_is_found_among_ten() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let mut found = 0;
        for seed in 0..100 {
            found += crossed(&checked(world, 4.0, &mut rand::SeedableRng::seed_from_u64(seed)));
        }
        println!("{name}: {:.1} % of limits at a quarter of the truth are crossed", found as f64 / FLEETS as f64 / 2.0);
        assert!(found >= 80 * FLEETS * 2, "{found}");
    }
}
