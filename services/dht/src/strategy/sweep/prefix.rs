//! Zones of the keyspace, and which of them have been explored.

use std::collections::BTreeSet;
use std::fmt;

use crate::strategy::key::Key;

/// A zone of the keyspace: all points that begin with the same bits.
///
/// In order, a zone comes before the smaller ones within it, and zones that do not overlap come as their points do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// The bits that count, and zeros.
    bits: Key,
    length: usize,
}

impl Prefix {
    /// The whole keyspace.
    pub const ALL: Self = Self { bits: Key::ZERO, length: 0 };

    /// The zone of the points that share the first `length` bits of `key`: all 256 if there are not so many.
    pub fn of(key: &Key, length: usize) -> Self {
        let length = length.min(Key::BITS);
        Self { bits: key.joined(&Key::ZERO, length), length }
    }

    /// How many bits its points share.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it is the whole keyspace.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many of its bits `key` shares.
    pub fn shared_with(&self, key: &Key) -> usize {
        (self.bits.distance(key).common_prefix() as usize).min(self.length)
    }

    /// Whether `key` lies in it.
    pub fn contains(&self, key: &Key) -> bool {
        self.shared_with(key) == self.length
    }

    /// Whether all of `other` lies in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(&other.bits)
    }

    /// The zone of twice the size around it; `None` around the whole keyspace.
    pub fn parent(&self) -> Option<Self> {
        self.length.checked_sub(1).map(|length| Self::of(&self.bits, length))
    }

    /// The other half of its parent; the whole keyspace has none.
    pub fn sibling(&self) -> Option<Self> {
        let last = self.length.checked_sub(1)?;
        Some(Self { bits: self.bits.flipped(last), length: self.length })
    }

    /// Its point that is closest to `key`.
    pub fn point_closest_to(&self, key: &Key) -> Key {
        self.bits.joined(key, self.length)
    }

    /// Its two halves, that with points closer to `key` first; none of a single point.
    fn halves(&self, key: &Key) -> Option<[Self; 2]> {
        let near = (self.length < Key::BITS).then(|| Self::of(&self.point_closest_to(key), self.length + 1))?;
        Some([near, near.sibling()?])
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix(")?;
        (0..self.length).try_for_each(|index| write!(f, "{}", u8::from(self.bits.bit(index))))?;
        write!(f, ")")
    }
}

/// The zones that have been explored. None lies in another.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    zones: BTreeSet<Prefix>,
}

impl Coverage {
    pub(super) fn add(&mut self, zone: Prefix) {
        if !self.covers(&zone) {
            self.zones.retain(|smaller| !zone.covers(smaller));
            self.zones.insert(zone);
        }
    }

    fn covers(&self, zone: &Prefix) -> bool {
        self.zones.range(..=*zone).next_back().is_some_and(|before| before.covers(zone))
    }

    /// Of the zones within `zone` that are unexplored, and as large as may be, the one closest to `key`.
    pub(super) fn gap(&self, zone: Prefix, key: &Key) -> Option<Prefix> {
        if self.covers(&zone) {
            return None;
        }
        if !self.zones.range(zone..).next().is_some_and(|after| zone.covers(after)) {
            return Some(zone);
        }
        zone.halves(key)?.into_iter().find_map(|half| self.gap(half, key))
    }
}
