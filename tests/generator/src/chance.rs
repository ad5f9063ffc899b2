//! Random numbers, and what is made of them.

use chrono::{DateTime, Utc};
use rand::{RngExt as _, SeedableRng};
use rand_pcg::Pcg64Mcg;
use uuid::Uuid;

/// The letters of peer ids and CIDs.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A generator that is the same for the same numbers.
#[derive(Debug)]
pub(crate) struct Chance(Pcg64Mcg);

impl Chance {
    /// For one thing of many: what happens to the others does not change what happens to it.
    pub(crate) fn of(seed: u64, what: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xd6e8_feb8_6659_fd93),
        ))
    }

    /// From 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.random()
    }

    /// Whether something happens that happens in this share of cases.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A number of the standard normal distribution (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.share().max(f64::MIN_POSITIVE), self.share());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// A text of so many letters.
    pub(crate) fn letters(&mut self, begin: &str, count: usize) -> String {
        let mut text = begin.to_owned();
        text.extend((0..count).map(|_| char::from(BASE58[self.below(BASE58.len())])));
        text
    }

    /// A UUID of version 7 that was made then.
    pub(crate) fn identity(&mut self, at: DateTime<Utc>) -> Uuid {
        let millis = u128::try_from(at.timestamp_millis()).unwrap_or_default();
        let random: u128 = self.0.random();
        Uuid::from_u128((millis << 80) | (7 << 76) | (random & 0x0fff << 64) | (2 << 62) | (random & ((1 << 62) - 1)))
    }
}

/// What share of normal numbers is below this one, nearly: the logistic curve.
pub(crate) fn rank(normal: f64) -> f64 {
    1.0 / (1.0 + (-1.702 * normal).exp())
}
