//! One group under the bootstrap: the same figures again, of rounds drawn with replacement.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Sample;
use super::blocks::Blocks;
use super::sample::Taken;

/// How many standard deviations of the drawn rank are prepared for. What lies outside is found too, only slower.
const REACH: f64 = 6.0;

/// How often rounds are drawn: the ends of an interval then move by less than a fiftieth of its width from one seed to the next.
pub const RESAMPLES: usize = 10_000;

/// The fewest rounds of a group that are compared: the bootstrap's intervals are too narrow for fewer (Cameron, Gelbach and Miller,
/// Review of Economics and Statistics 90, 2008).
pub const MIN_ROUNDS: usize = 10;

/// The seed of every comparison: the same data give the same figures, to the last digit.
const SEED: u64 = 0x7061_7273_6563;

/// The readings of one group, in their order, with their blocks and weights.
#[derive(Debug)]
pub(super) struct Group {
    seconds: Vec<f64>,
    block: Vec<u32>,
    weight: Vec<f64>,
    /// The weight of each block's readings.
    all: Vec<f64>,
    /// The share of those that succeeded in the weight of all.
    pub(super) success_rate: f64,
}

/// A quantile of a group, prepared so that a drawn one costs the blocks and the readings near it, not all readings.
#[derive(Debug)]
pub(super) struct Prepared {
    q: f64,
    /// From which reading on the drawn quantile is looked for.
    from: usize,
    /// The weight of each block's readings before that.
    before: Vec<f64>,
}

impl Group {
    /// The readings of `sample`, each weighing what `weight` says.
    pub(super) fn new(sample: &Sample, blocks: &Blocks, weight: impl Fn(&Taken) -> f64) -> Self {
        let taken = sample.taken();
        let of_round: Vec<u32> = sample.rounds().iter().map(|round| blocks.of_round(*round)).collect();
        let mut group = Self {
            seconds: taken.iter().map(|taken| taken.reading().seconds()).collect(),
            block: sample.places().iter().map(|place| of_round[*place as usize]).collect(),
            weight: taken.iter().map(weight).collect(),
            all: vec![0.0; blocks.count()],
            success_rate: 0.0,
        };
        let mut succeeded = 0.0;
        for (index, taken) in taken.iter().enumerate() {
            let block = group.block[index] as usize;
            group.all[block] += group.weight[index];
            if taken.reading().succeeded() {
                succeeded += group.weight[index];
            }
        }
        group.success_rate = succeeded / group.all.iter().sum::<f64>();
        group
    }

    /// Prepares the quantile `q`.
    pub(super) fn prepare(&self, q: f64) -> Prepared {
        let all = vec![1.0; self.all.len()];
        let middle = self.position(q, &all, 0, 0.0);
        // The variance of the drawn rank, from the spread of its blocks.
        let mut below = vec![0.0; self.all.len()];
        self.add(&mut below, 0..middle);
        let variance: f64 = below.iter().zip(&self.all).map(|(some, all)| (some - q * all).powi(2)).sum();
        let mean = self.weight.iter().sum::<f64>() / self.weight.len().max(1) as f64;
        let reach = (REACH * variance.sqrt() / mean.max(f64::MIN_POSITIVE)).ceil() as usize + 1;
        let from = middle.saturating_sub(reach);
        let mut before = vec![0.0; self.all.len()];
        self.add(&mut before, 0..from);
        Prepared { q, from, before }
    }

    /// The quantile of blocks drawn so many times each, in seconds; infinite where it falls among failures.
    pub(super) fn quantile(&self, prepared: &Prepared, drawn: &[f64]) -> f64 {
        let before: f64 = prepared.before.iter().zip(drawn).map(|(weight, times)| weight * times).sum();
        let total: f64 = self.all.iter().zip(drawn).map(|(weight, times)| weight * times).sum();
        let (from, before) = if before < prepared.q * total { (prepared.from, before) } else { (0, 0.0) };
        let position = self.position(prepared.q, drawn, from, before);
        self.seconds.get(position).copied().unwrap_or(f64::INFINITY)
    }

    /// What part of the readings says as much, were they of equal weight (Kish, "Survey Sampling", 1965).
    pub(super) fn evenness(&self) -> f64 {
        let (sum, squares) = self.weight.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
        sum * sum / (squares * self.weight.len() as f64)
    }

    /// The index of the reading at `q`, looked for from the reading `from`, before which readings of weight `before` lie.
    fn position(&self, q: f64, drawn: &[f64], from: usize, before: f64) -> usize {
        let total: f64 = self.all.iter().zip(drawn).map(|(weight, times)| weight * times).sum();
        // Sums of weights in another order differ in the last digits; a reading that reaches the share but for those reaches it.
        let wanted = q * total * (1.0 - 1e-12);
        let mut reached = before;
        for index in from..self.seconds.len() {
            reached += self.weight[index] * drawn[self.block[index] as usize];
            if reached >= wanted && reached > 0.0 {
                return index;
            }
        }
        self.seconds.len().saturating_sub(1)
    }

    fn add(&self, to: &mut [f64], readings: std::ops::Range<usize>) {
        for index in readings {
            to[self.block[index] as usize] += self.weight[index];
        }
    }
}

/// Draws as many blocks of each part as it has, with replacement: how often each is drawn.
pub(super) fn draw(blocks: &Blocks, rng: &mut Pcg64Mcg, drawn: &mut [f64]) {
    drawn.fill(0.0);
    for part in &blocks.parts {
        for _ in part.clone() {
            drawn[rng.random_range(part.clone()) as usize] += 1.0;
        }
    }
}

/// A generator for one bootstrap.
pub(super) fn generator() -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(SEED)
}

/// In ascending order.
pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The ends between which this share of what was drawn lies.
pub(super) fn ends(sorted: &[f64], confidence: f64) -> (f64, f64) {
    let cut = (sorted.len() as f64 * (1.0 - confidence) / 2.0) as usize;
    (sorted[cut], sorted[sorted.len() - 1 - cut])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::OutcomeClass;

    use super::*;
    use crate::statistics::Observation;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_drawn_quantile_is_that_of_the_readings_written_out(
            mut readings in proptest::collection::vec((0..30u64, 0..9_000_000_000u64), 1..120),
            times in proptest::collection::vec(0..4u8, 30),
            q in 0.05..0.95f64,
        ) {
            readings.sort_by_key(|(_, nanos)| *nanos);
            let observation = |(round, nanos): &(u64, u64)| {
                Observation { round: *round, stratum: 0, class: OutcomeClass::Ok, duration: Duration::from_nanos(*nanos) }
            };
            let sample: Sample = readings.iter().map(observation).collect();
            let blocks = Blocks::of(&sample, &Sample::default());
            let group = Group::new(&sample, &blocks, |_| 1.0);
            let mut drawn = vec![0.0; blocks.count()];
            let mut written = Vec::new();
            for (round, nanos) in &readings {
                drawn[blocks.of_round(*round) as usize] = f64::from(times[*round as usize]);
                let seconds = Duration::from_nanos(*nanos).as_secs_f64();
                written.extend(std::iter::repeat_n(seconds, usize::from(times[*round as usize])));
            }
            prop_assume!(!written.is_empty());
            let rank = ((q * written.len() as f64 * (1.0 - 1e-12)).ceil() as usize).max(1);
            prop_assert_eq!(group.quantile(&group.prepare(q), &drawn), written[rank - 1]);
        }
    }
}
