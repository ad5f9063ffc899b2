//! Numbers drawn from a seed and from what they are for.
//!
//! Nobody draws from a common stream: whoever draws first would change what all others get. So an operation is the same alone, among
//! ten thousand, and on any number of threads; and the same operation under another alpha meets the same peers with the same
//! tempers (common random numbers), so that small differences show.

/// 2⁶⁴ divided by the golden ratio (splitmix64 of Steele, Lea and Flood): successive states are far apart.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers, and the root of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(STEP)))
    }

    /// The stream for one purpose: the same for the same purpose, whatever else is drawn.
    pub(super) fn of(self, purpose: u64) -> Self {
        Self(mix(self.0 ^ mix(purpose.wrapping_add(STEP))))
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// At least 0, less than 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // `bound` is a number of peers, of which there are fewer than 2³².
        (((self.number() >> 32) * bound as u64) >> 32) as usize
    }

    /// A whole number whose mean is `number`.
    pub(super) fn rounded(&mut self, number: f64) -> usize {
        (number + self.share()).max(0.0) as usize
    }

    pub(super) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&self.number().to_be_bytes());
        }
        bytes
    }
}

fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_for_one_purpose_does_not_depend_on_what_is_drawn_for_others() {
        let root = Dice::new(7);
        let alone = root.of(3).number();
        let mut other = root.of(4);
        let _ = (other.number(), other.number());
        assert_eq!(root.of(3).number(), alone);
        assert_ne!(root.of(4).number(), alone);
        assert_ne!(Dice::new(8).of(3).number(), alone);
    }

    /// Worlds and studies in `docs/` are only the same elsewhere if these are.
    #[test]
    fn a_seed_gives_the_same_numbers_everywhere() {
        let mut dice = Dice::new(1).of(2);
        assert_eq!([dice.number(), dice.number()], FIRST);
    }

    const FIRST: [u64; 2] = [12_615_936_751_566_451_884, 16_953_309_467_443_044_176];

    #[test]
    fn shares_and_bounds_are_kept_and_evenly_used() {
        let mut dice = Dice::new(1);
        let shares: Vec<f64> = (0..10_000).map(|_| dice.share()).collect();
        let mean = shares.iter().sum::<f64>() / 10_000.0;
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)) && (mean - 0.5).abs() < 0.01, "{mean}");
        let mut counts = [0; 7];
        (0..7_000).for_each(|_| counts[dice.below(7)] += 1);
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        let rounded = (0..10_000).map(|_| dice.rounded(2.3)).sum::<usize>();
        assert!((22_700..23_300).contains(&rounded), "{rounded}");
    }
}
