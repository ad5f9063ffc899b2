//! Simulated measurements whose truth is known.

#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::print_stdout, reason = "it reports figures")]

use std::time::Duration;

use parsec_measure::OutcomeClass;
use parsec_results::statistics::{Observation, Sample};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A world in which the truth is known.
#[derive(Clone, Copy)]
pub(crate) struct World {
    /// How many rounds.
    pub(crate) rounds: usize,
    /// How many attempts in each.
    pub(crate) per_round: usize,
    /// The median of those that do not fail, in seconds.
    pub(crate) median: f64,
    /// The standard deviation of the logarithm.
    pub(crate) spread: f64,
    /// What part of its variance a round's attempts share.
    pub(crate) shared: f64,
    /// What part of all attempts fails.
    pub(crate) failures: f64,
}

/// Publications.
pub(crate) const PROVIDES: World =
    World { rounds: 200, per_round: 1, median: 8.0, spread: 0.8, shared: 0.0, failures: 0.05 };
/// Lookups.
pub(crate) const LOOKUPS: World =
    World { rounds: 80, per_round: 6, median: 0.6, spread: 0.7, shared: 0.3, failures: 0.1 };

/// A standard normal variable.
pub(crate) fn normal(rng: &mut Pcg64Mcg) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

impl World {
    /// One measurement of it, in rounds from `first` on.
    pub(crate) fn measure(self, rng: &mut Pcg64Mcg, first: u64) -> Sample {
        let mut observations = Vec::with_capacity(self.rounds * self.per_round);
        for round in 0..self.rounds as u64 {
            let (common, bad) = (normal(rng), normal(rng));
            for _ in 0..self.per_round {
                let own = |common: f64, rng: &mut Pcg64Mcg| {
                    self.shared.sqrt() * common + (1.0 - self.shared).sqrt() * normal(rng)
                };
                let failed = own(bad, rng) < threshold(self.failures);
                let seconds = self.median * (self.spread * own(common, rng)).exp();
                let (class, seconds) =
                    if failed { (OutcomeClass::Timeout, 180.0) } else { (OutcomeClass::Ok, seconds) };
                observations.push(Observation {
                    round: first + round,
                    stratum: 0,
                    class,
                    duration: Duration::from_secs_f64(seconds),
                });
            }
        }
        observations.into_iter().collect()
    }

    /// The true quantile of all attempts, in seconds.
    pub(crate) fn quantile(self, q: f64) -> f64 {
        self.median * (self.spread * threshold(q / (1.0 - self.failures))).exp()
    }
}

/// The value that a standard normal variable falls below with probability `p`.
pub(crate) fn threshold(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if statrs::function::erf::erfc(-middle / std::f64::consts::SQRT_2) / 2.0 < p {
            low = middle
        } else {
            high = middle
        }
    }
    low
}

/// How often `is_so` holds, in percent, over `times` measurements with generators of their own.
pub(crate) fn rate(what: &str, times: usize, mut is_so: impl FnMut(&mut Pcg64Mcg) -> bool) -> f64 {
    let so = (0..times).filter(|seed| is_so(&mut Pcg64Mcg::seed_from_u64(*seed as u64))).count();
    let rate = 100.0 * so as f64 / times as f64;
    println!("{what}: {rate:.1} % of {times}");
    rate
}
