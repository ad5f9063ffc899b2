//! Whoever measures as many rounds as an undecided comparison asks for gets an answer, and the right one.
//!
//! Every figure here is printed (`cargo test -p parsec-results --test deciding -- --nocapture`) and stands in `docs/methods.md`.

#![expect(clippy::print_stdout, reason = "it reports figures")]

mod world;

use parsec_results::statistics::{Compared, Comparison, Figure, Sample, Verdict, compare};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use world::{LOOKUPS, PROVIDES, World};

/// How many undecided comparisons are followed up: the share that was decided rightly is then known to within 6 percentage points.
const PILOTS: usize = 200;

/// How many rounds are compared at first. A true 20 % is left open by two in three of such comparisons, or more.
const FIRST_ROUNDS: usize = 60;

/// The most rounds that are simulated. Who is asked for more gets these, which makes it harder to decide.
const MOST_ROUNDS: u64 = 4_000;

/// As `parsec compare`, but for the number of resamples: rates of verdicts are the same with fewer.
const HOW: Comparison = Comparison { margin: 0.05, success_margin: 0.01, resamples: 1_000 };

fn compared(a: &Sample, b: &Sample, figure: Figure) -> Compared {
    let all = compare(&[(a, b)], HOW).pop().expect("one pair").expect("enough rounds");
    all.into_iter().find(|compared| compared.figure == figure).expect("both carry it")
}

/// Compares two worlds in a few rounds until that was undecided so many times, measures each time the rounds that were asked for, and
/// says which share (in percent) then had one of these verdicts.
fn followed_up(what: &str, worlds: [World; 2], figure: Figure, wanted: &[Verdict]) -> f64 {
    let measure = |rounds: usize, rng: &mut Pcg64Mcg| {
        let [a, b] = worlds.map(|world| World { rounds, ..world });
        (a.measure(rng, 0), b.measure(rng, 1_000_000))
    };
    let (mut asked, mut found) = (Vec::new(), 0);
    for seed in 0.. {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let (a, b) = measure(FIRST_ROUNDS, &mut rng);
        let first = compared(&a, &b, figure);
        if first.verdict != Verdict::Inconclusive {
            continue;
        }
        let rounds = first.rounds_to_decide.expect("its interval has two ends");
        let (a, b) = measure(rounds.min(MOST_ROUNDS) as usize, &mut rng);
        found += usize::from(wanted.contains(&compared(&a, &b, figure).verdict));
        asked.push(rounds);
        if asked.len() == PILOTS {
            break;
        }
    }
    asked.sort_unstable();
    let rate = 100.0 * found as f64 / PILOTS as f64;
    let (least, middle, most) = (asked[0], asked[PILOTS / 2], asked[PILOTS - 1]);
    println!("{what}: {rate:.1} % of {PILOTS}; asked for {middle} rounds in the median ({least} to {most})");
    rate
}

#[test]
fn a_true_20_percent_that_was_left_open_is_found_with_the_rounds_that_were_asked_for() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let slower = World { median: 1.2 * world.median, ..world };
        let rate = followed_up(&format!("{name}, 20 % longer"), [world, slower], Figure::P50, &[Verdict::Worse]);
        assert!(rate >= 80.0, "{rate}");
    }
}

#[test]
fn a_success_rate_that_is_five_points_lower_is_found_with_the_rounds_that_were_asked_for() {
    let failing = World { failures: LOOKUPS.failures + 0.05, ..LOOKUPS };
    let rate = followed_up("lookups, 5 points fewer succeed", [LOOKUPS, failing], Figure::Success, &[Verdict::Worse]);
    assert!(rate >= 80.0, "{rate}");
}

#[test]
fn where_there_is_no_difference_the_rounds_that_were_asked_for_do_not_make_one() {
    for (name, world) in [("provides", PROVIDES), ("lookups", LOOKUPS)] {
        let differs = [Verdict::Better, Verdict::Worse];
        let rate = followed_up(&format!("{name}, A/A found to differ"), [world, world], Figure::P50, &differs);
        assert!(rate <= 5.0, "{rate}");
    }
}
