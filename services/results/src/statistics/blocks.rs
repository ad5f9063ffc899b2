//! Rounds as the units of a bootstrap.

use std::collections::BTreeMap;

use super::Sample;

/// The most blocks that are drawn from in each of the three parts of a comparison. More rounds are joined to blocks of consecutive
/// ones, which bounds the work and keeps together what drifts slowly (the moving world under a long measurement).
const MAX_BLOCKS: usize = 2_000;

/// Which blocks there are, and which round is in which.
#[derive(Debug)]
pub(super) struct Blocks {
    of_round: BTreeMap<u64, u32>,
    /// Blocks that are drawn from together: of rounds in which only one group was measured, only the other, and both.
    pub(super) parts: Vec<std::ops::Range<u32>>,
}

impl Blocks {
    /// The blocks of two groups. A round in which both were measured is drawn for both at once: what the groups share there (the moment,
    /// the content, the machine) then cancels out, as the design of the measurement wants it.
    pub(super) fn of(a: &Sample, b: &Sample) -> Self {
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        for (bit, group) in [(1, a), (2, b)] {
            for round in group.rounds() {
                *seen.entry(*round).or_default() |= bit;
            }
        }
        let (mut of_round, mut parts, mut first) = (BTreeMap::new(), Vec::new(), 0);
        for part in 1..=3 {
            let rounds: Vec<u64> = seen.iter().filter(|(_, bits)| **bits == part).map(|(round, _)| *round).collect();
            if rounds.is_empty() {
                continue;
            }
            let size = rounds.len().div_ceil(MAX_BLOCKS);
            let count = rounds.len().div_ceil(size) as u32;
            for (index, round) in rounds.into_iter().enumerate() {
                of_round.insert(round, first + (index / size) as u32);
            }
            parts.push(first..first + count);
            first += count;
        }
        Self { of_round, parts }
    }

    /// How many blocks there are.
    pub(super) fn count(&self) -> usize {
        self.parts.last().map_or(0, |part| part.end as usize)
    }

    /// The block of a round that is in one.
    pub(super) fn of_round(&self, round: u64) -> u32 {
        self.of_round.get(&round).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::OutcomeClass;

    use super::*;
    use crate::statistics::Observation;

    fn taken(rounds: std::ops::Range<u64>) -> Sample {
        let failed = |round| Observation { round, stratum: 0, class: OutcomeClass::NotFound, duration: Duration::ZERO };
        rounds.map(failed).collect()
    }

    #[test]
    fn rounds_of_both_groups_are_drawn_apart_from_those_of_one() {
        let blocks = Blocks::of(&taken(0..6), &taken(4..9));
        assert_eq!(blocks.parts, [0..4, 4..7, 7..9]);
        assert_eq!((blocks.of_round(0), blocks.of_round(8), blocks.of_round(5)), (0, 6, 8));
    }

    #[test]
    fn many_rounds_make_few_blocks_of_neighbours() {
        let blocks = Blocks::of(&taken(0..5_000), &Sample::default());
        assert_eq!((blocks.count(), blocks.of_round(0), blocks.of_round(2), blocks.of_round(3)), (1_667, 0, 0, 1));
    }
}
