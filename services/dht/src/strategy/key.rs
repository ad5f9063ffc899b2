//! The keyspace: 256-bit points, and the XOR distance between them.

use std::fmt;

use libp2p::PeerId;
use sha2::{Digest, Sha256};

/// A point in the keyspace: the sha2-256 of the bytes that are sent (a multihash, or the bytes of a peer id).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

/// The XOR of two points, ordered as a big-endian number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Distance([u8; 32]);

impl Key {
    /// How many bits a point has.
    pub(crate) const BITS: usize = 256;

    /// The lowest point.
    pub(crate) const ZERO: Self = Self([0; 32]);

    /// The point for these bytes.
    pub fn of(wire: &[u8]) -> Self {
        Self(Sha256::digest(wire).into())
    }

    pub(crate) fn into_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The distance between two points.
    pub fn distance(&self, other: &Self) -> Distance {
        let mut xor = self.0;
        for (byte, theirs) in xor.iter_mut().zip(other.0) {
            *byte ^= theirs;
        }
        Distance(xor)
    }

    /// Bit `index` of the point, 0 being the highest.
    ///
    /// # Panics
    /// Beyond bit 255.
    pub(crate) fn bit(&self, index: usize) -> bool {
        self.0[index / 8] >> (7 - index % 8) & 1 == 1
    }

    /// The first `length` bits of this point, then those of `other`.
    pub fn joined(&self, other: &Self, length: usize) -> Self {
        let mut point = other.0;
        let (whole, rest) = (length / 8, length % 8);
        point[..whole].copy_from_slice(&self.0[..whole]);
        if rest > 0 {
            let mask = 0xff_u8 << (8 - rest);
            point[whole] = self.0[whole] & mask | other.0[whole] & !mask;
        }
        Self(point)
    }

    /// The point that differs in bit `index`, 0 being the highest, and no other.
    ///
    /// # Panics
    /// Beyond bit 255.
    pub(crate) fn flipped(&self, index: usize) -> Self {
        let mut point = self.0;
        point[index / 8] ^= 1 << (7 - index % 8);
        Self(point)
    }

    /// The 16 highest bits.
    pub(crate) fn head(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    #[cfg(test)]
    pub(crate) fn from_byte(first: u8) -> Self {
        let mut point = [0; 32];
        point[0] = first;
        Self(point)
    }

    /// A point so close to zero that an honest network has no peer there.
    #[cfg(test)]
    pub(crate) fn near_zero(last: u16) -> Self {
        let mut point = [0; 32];
        [point[6], point[7]] = last.to_be_bytes();
        Self(point)
    }
}

impl Distance {
    /// How many leading bits the two points share: 0 is the far half of the keyspace, 256 the point itself.
    pub fn common_prefix(&self) -> u32 {
        let mut bits = 0;
        for byte in self.0 {
            bits += byte.leading_zeros();
            if byte != 0 {
                break;
            }
        }
        bits
    }

    /// The distance as a share of the keyspace: at least 0, less than 1, to 53 bits.
    pub fn fraction(&self) -> f64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        let head = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11;
        head as f64 / (1_u64 << 53) as f64
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2])
    }
}

/// A peer that can be asked: a peer id in practice, a single byte in tests.
pub trait Contact: Clone + Eq + std::hash::Hash + fmt::Debug {
    /// Its point in the keyspace.
    fn key(&self) -> Key;
}

impl Contact for PeerId {
    fn key(&self) -> Key {
        Key::of(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_the_xor_and_orders_by_the_highest_bit() {
        let [a, b, c] = [0b1000_0000, 0b1100_0000, 0b0000_0001].map(Key::from_byte);
        assert!(a.distance(&b) < a.distance(&c));
        assert_eq!(a.distance(&b), b.distance(&a));
        assert_eq!(a.distance(&b).common_prefix(), 1);
        assert_eq!(a.distance(&c).common_prefix(), 0);
        assert_eq!(a.distance(&a).common_prefix(), 256);
    }

    #[test]
    fn a_distance_is_a_share_of_the_keyspace_that_never_reaches_one() {
        let zero = Key::from_byte(0);
        let fraction = |first: u8| Key::from_byte(first).distance(&zero).fraction();
        assert_eq!([fraction(0), fraction(1), fraction(0x80)], [0.0, 1.0 / 256.0, 0.5]);
        assert!(Distance([0xff; 32]).fraction() < 1.0);
    }

    #[test]
    fn bits_count_from_the_highest() {
        let key = Key([0b1010_0000; 32]);
        assert_eq!([0, 1, 2, 3, 255].map(|index| key.bit(index)), [true, false, true, false, false]);
        assert_eq!(key.head(), 0b1010_0000_1010_0000);
    }
}
