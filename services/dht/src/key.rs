//! The keyspace: 256-bit points, and the XOR distance between them.

use std::fmt;

use libp2p::PeerId;
use sha2::{Digest, Sha256};

/// A point in the keyspace: the sha2-256 of what stands on the wire (a multihash, or a peer id's bytes).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

/// The XOR of two points, ordered as a big-endian number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Distance([u8; 32]);

impl Key {
    /// The point that belongs to these bytes of the wire.
    pub fn of(wire: &[u8]) -> Self {
        Self(Sha256::digest(wire).into())
    }

    /// How far apart two points are.
    pub fn distance(&self, other: &Self) -> Distance {
        let mut xor = self.0;
        for (byte, theirs) in xor.iter_mut().zip(other.0) {
            *byte ^= theirs;
        }
        Distance(xor)
    }

    #[cfg(test)]
    pub(crate) fn from_byte(first: u8) -> Self {
        let mut point = [0; 32];
        point[0] = first;
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
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2])
    }
}

/// Whoever can be asked: a peer id in the field, a single byte in a test.
pub trait Contact: Clone + Eq + std::hash::Hash + fmt::Debug {
    /// Its place in the keyspace.
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
}
