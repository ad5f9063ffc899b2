//! Peers that lie: sybils, which somebody has placed around a key, and peers that do not exist and are named all the same.
//!
//! They have numbers of their own, beyond those of all others, and are made when somebody names them.

use parsec_dht::key::{Contact, Key};

use super::draw::Dice;
use super::population::Peer;
use super::world::MAX_SYBILS;

/// The first place of a peer that does not exist, and how many there are.
const NOBODIES: (u32, u32) = (3 << 30, 1 << 29);

/// The first place of a sybil. There are at most [`MAX_SYBILS`] of a key; nodes that measure come behind them.
const SYBILS: u32 = NOBODIES.0 + NOBODIES.1;

/// How many bits more a sybil shares with its key than the closest of so many other peers is expected to: in 31 of 32 cases none of these is closer.
/// Finding such an id takes some million tries, a second of one core.
const CLOSER: u32 = 5;

/// How many bits a peer that does not exist shares with a key: closer than anybody. Nobody has to find an id for it.
const CLOSEST: usize = 60;

/// What a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Honest,
    Sybil,
    /// It does not exist.
    Nobody,
}

impl Kind {
    pub(super) fn of(index: u32) -> Self {
        match index {
            index if index < NOBODIES.0 => Self::Honest,
            index if index < SYBILS => Self::Nobody,
            index if index - SYBILS < MAX_SYBILS => Self::Sybil,
            _ => Self::Honest,
        }
    }
}

/// The sybils of a key in a network of so many peers, closest first.
pub(super) fn sybils(dice: Dice, target: &Key, count: u32, peers: u32) -> Vec<Peer> {
    let shared = (u32::BITS - peers.leading_zeros() + CLOSER) as usize;
    let dice = seed(dice, target);
    let sybil = |number: u32| Peer::new(SYBILS + number, near(dice.of(u64::from(number)), target, shared));
    let mut all: Vec<Peer> = (0..count.min(MAX_SYBILS)).map(sybil).collect();
    all.sort_unstable_by_key(|peer| peer.key().distance(target));
    all
}

/// Whom a peer with this number names that names nobody who exists.
pub(super) fn nobodies(dice: Dice, target: &Key, number: u64, count: usize) -> Vec<Peer> {
    let dice = seed(dice, target).of(number);
    let nobody = |nth: usize| {
        let mut dice = dice.of(nth as u64);
        let index = NOBODIES.0 + dice.below(NOBODIES.1 as usize) as u32;
        Peer::new(index, near(dice, target, CLOSEST))
    };
    let mut all: Vec<Peer> = (0..count).map(nobody).collect();
    all.sort_unstable_by_key(|peer| peer.key().distance(target));
    all
}

fn near(mut dice: Dice, target: &Key, shared: usize) -> Key {
    target.joined(&Key::of(&dice.bytes()), shared)
}

/// Each key has its own.
fn seed(dice: Dice, target: &Key) -> Dice {
    // The distance from a fixed key tells keys apart as a number does.
    dice.of(target.distance(&Key::of(b"")).fraction().to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sybils_are_closer_than_others_and_the_same_each_time() {
        let target = Key::of(b"key");
        let all = sybils(Dice::new(1), &target, 30, 20_000);
        assert_eq!(all.len(), 30);
        assert!(
            all.iter()
                .all(|peer| peer.key().distance(&target).common_prefix() >= 20 && Kind::of(peer.index) == Kind::Sybil)
        );
        let again = sybils(Dice::new(1), &target, 10, 20_000);
        assert!(
            again.iter().all(|peer| all.iter().any(|other| other == peer && other.key() == peer.key())),
            "more of them are the same, and more"
        );
        assert_ne!(sybils(Dice::new(1), &Key::of(b"other"), 1, 20_000)[0].key(), all[0].key());
    }

    #[test]
    fn who_does_not_exist_is_taken_for_nobody_else() {
        let target = Key::of(b"key");
        let [one, other] = [1, 2].map(|number| nobodies(Dice::new(1), &target, number, 20));
        assert!(one.iter().chain(&other).all(|peer| Kind::of(peer.index) == Kind::Nobody));
        assert!(!one.iter().any(|peer| other.contains(peer)));
        for index in [0, 100_000_000, u32::MAX, u32::MAX - 7] {
            assert_eq!(Kind::of(index), Kind::Honest, "a peer, or a node that measures");
        }
    }
}
