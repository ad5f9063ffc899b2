//! Samples to draw.

use std::time::Duration;

use parsec_measure::OutcomeClass;
use parsec_results::statistics::{Observation, Sample};

/// So many attempts, each in a round of its own, from `ms` upwards; one of `fails` failed.
pub(super) fn sample(count: u64, ms: u64, fails: u64) -> Sample {
    let observation = |round: u64| Observation {
        round,
        stratum: 0,
        class: if round.is_multiple_of(fails) { OutcomeClass::Timeout } else { OutcomeClass::Ok },
        duration: Duration::from_millis(ms + 13 * (round * 7_919 % 101)),
    };
    (0..count).map(observation).collect()
}
