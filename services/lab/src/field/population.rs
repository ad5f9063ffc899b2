//! Who is in a world: keys, regions, and fates from moment to moment, drawn from a seed. Some forty bytes for each peer, so that there is room for
//! millions.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::time::Duration;

use parsec_dht::key::{Contact, Key};

use super::course::{Course, Life};
use super::draw::Dice;
use super::moment::{Fate, Home, Moment, State};
use super::scenario::{STILL, Scenario};
use super::world::{Fates, World};
use crate::Region;

/// A peer of a simulated network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// Its place among all peers, in the order of their keys.
    pub(super) index: u32,
    key: Key,
}

impl Peer {
    pub(super) fn new(index: u32, key: Key) -> Self {
        Self { index, key }
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Eq for Peer {}

impl Hash for Peer {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.index.hash(hasher);
    }
}

impl Contact for Peer {
    fn key(&self) -> Key {
        self.key
    }
}

/// What a number is drawn for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Key,
    Fate,
    Region,
}

/// All peers, in the order of their keys.
#[derive(Debug)]
pub(super) struct Population {
    keys: Vec<Key>,
    /// The numbers that peers had before they were put in order.
    numbers: Vec<u32>,
    regions: Vec<Region>,
    /// Those who are not there from the beginning to the end: where they belong, and since when they have been there.
    strangers: HashMap<u32, (Home, Duration)>,
    /// From the first one on, in which nothing has happened yet.
    pub(super) moments: Vec<Moment>,
}

impl Population {
    /// The peers of a world. Other shares of dead ones change nothing about the others.
    pub(super) fn draw(world: &World, seed: u64) -> Self {
        Self::over(world, seed, &STILL)
    }

    /// The same, and what becomes of them while a scenario lasts. Those who are there from the beginning are the same with it and without.
    pub(super) fn over(world: &World, seed: u64, scenario: &Scenario) -> Self {
        let dice = Dice::new(seed);
        let of = |purpose: Purpose, number: u32| dice.of(purpose as u64).of(u64::from(number));
        let drawn = |number: u32| fate(world.fates, of(Purpose::Fate, number));
        let keeper = keeper(world.peers, drawn, dice);
        let course = Course::new(world, scenario, dice, keeper);
        let lives = course.lives(world.peers, |number| drawn(number).is_dialable());
        let count = u32::try_from(lives.len()).expect("there are fewer than 2³² peers");
        let mut all: Vec<(Key, u32)> = (0..count).map(|number| (key(dice, number), number)).collect();
        all.sort_unstable();
        let numbers: Vec<u32> = all.iter().map(|(_, number)| *number).collect();
        let keys = all.into_iter().map(|(key, _)| key).collect();
        let there = Fates { refusing: 0.0, black_hole: 0.0, ..world.fates.of_dialable() };
        let first = |number: u32| match lives[number as usize] {
            _ if number == keeper => Fate::Live,
            Life { is_newcomer: true, .. } => fate(there, of(Purpose::Fate, number)),
            _ => drawn(number),
        };
        let first: Vec<Fate> = numbers.iter().map(|number| first(*number)).collect();
        let regions = numbers.iter().map(|number| region(&world.regions, of(Purpose::Region, *number))).collect();
        let life = |place: usize| &lives[numbers[place] as usize];
        let moment = |from: Duration| {
            let state = |(place, drawn): (usize, &Fate)| course.state(numbers[place], *drawn, life(place), from);
            let states: Vec<Option<State>> = first.iter().enumerate().map(state).collect();
            let networks = (scenario.merged(scenario.ends()), scenario.merged(from));
            Moment::new(from, &states, |place| life(place).home, networks)
        };
        let moments = scenario.changes().into_iter().map(moment).collect();
        let stranger = |place: usize| (life(place).home, life(place).joined);
        let strangers = (0..numbers.len()).filter(|place| stranger(*place) != (0, Duration::ZERO));
        let strangers = strangers.filter_map(|place| Some((u32::try_from(place).ok()?, stranger(place)))).collect();
        Self { keys, numbers, regions, strangers, moments }
    }

    /// Whether it is as it was for ever.
    pub(super) fn is_still(&self) -> bool {
        self.moments.len() == 1
    }

    /// Which of the moments it is by then.
    pub(super) fn place_at(&self, at: Duration) -> usize {
        self.moments.partition_point(|moment| moment.from <= at).saturating_sub(1)
    }

    pub(super) fn at(&self, at: Duration) -> &Moment {
        &self.moments[self.place_at(at)]
    }

    /// Where a peer belongs, and since when it has been there.
    pub(super) fn origin(&self, index: u32) -> (Home, Duration) {
        // Most worlds have no strangers.
        if self.strangers.is_empty() {
            return Default::default();
        }
        self.strangers.get(&index).copied().unwrap_or_default()
    }

    pub(super) fn peer(&self, index: u32) -> Peer {
        Peer { index, key: self.keys[index as usize] }
    }

    /// What a peer does that is called then.
    pub(super) fn fate(&self, index: u32, at: Duration) -> Fate {
        self.at(at).fate(index)
    }

    pub(super) fn region(&self, index: u32) -> Region {
        self.regions[index as usize]
    }

    /// A number of its own, which does not depend on who else there is.
    pub(super) fn number(&self, index: u32) -> u64 {
        u64::from(self.numbers[index as usize])
    }

    /// Where, within a range of `among`, those stand that share at least `bits` bits with a key.
    pub(super) fn sharing(&self, among: &[u32], within: Range<usize>, key: &Key, bits: u32) -> Range<usize> {
        let (part, start) = (&among[within.clone()], within.start);
        let shares = |index: &u32| self.keys[*index as usize].distance(key).common_prefix() >= bits;
        let below = |index: &u32| self.keys[*index as usize] < *key;
        // Keys that share a prefix stand side by side, around the place of the key.
        let from = part.partition_point(|index| below(index) && !shares(index));
        let to = part.partition_point(|index| below(index) || shares(index));
        start + from..start + to.max(from)
    }

    /// The `count` peers closest to a key who answer then, closest first.
    pub(super) fn closest_live(&self, target: &Key, count: usize, at: Duration) -> Vec<Peer> {
        let moment = self.at(at);
        let all = &moment.members().dialable;
        let answering = |range: Range<usize>| all[range].iter().filter(|index| moment.fate(**index).answers());
        let mut range = 0..all.len();
        // Who shares more bits is closer than who does not.
        for bits in 1..256 {
            let narrower = self.sharing(all, range.clone(), target, bits);
            if narrower.len() < count || answering(narrower.clone()).count() < count {
                break;
            }
            range = narrower;
        }
        let mut found: Vec<Peer> = answering(range).map(|index| self.peer(*index)).collect();
        found.sort_unstable_by_key(|peer| peer.key.distance(target));
        found.truncate(count);
        found
    }
}

/// The number of the peer that nothing happens to: the first that is well, or in a small world, in which nobody may be, one that is well from now
/// on.
fn keeper(peers: u32, drawn: impl Fn(u32) -> Fate, dice: Dice) -> u32 {
    let well = (0..peers).find(|number| drawn(*number) == Fate::Live);
    well.unwrap_or_else(|| (0..peers).min_by_key(|number| key(dice, *number)).unwrap_or(0))
}

fn key(dice: Dice, number: u32) -> Key {
    Key::of(&id(dice, number))
}

/// The bytes of a peer id: the multihash of a sha2-256 digest, as RSA keys have.
pub(super) fn id(dice: Dice, number: u32) -> [u8; 34] {
    multihash(dice.of(Purpose::Key as u64).of(u64::from(number)).bytes())
}

/// The multihash of a sha2-256 digest.
pub(super) fn multihash(digest: [u8; 32]) -> [u8; 34] {
    let mut bytes = [0; 34];
    [bytes[0], bytes[1]] = [0x12, 32];
    bytes[2..].copy_from_slice(&digest);
    bytes
}

/// A fate is drawn in steps, each of which needs its own number: the more are dead, the same are dead as before, and more.
fn fate(shares: Fates, mut dice: Dice) -> Fate {
    let [dead, how, answers] = [(); 3].map(|()| dice.share());
    let undialable = shares.refusing + shares.black_hole;
    if dead < undialable {
        return if how * undialable < shares.refusing { Fate::Refusing } else { Fate::BlackHole };
    }
    let of_the_rest = answers * (1.0 - undialable);
    if of_the_rest < shares.silent {
        Fate::Silent
    } else if of_the_rest < shares.silent + shares.slow {
        Fate::Slow
    } else {
        Fate::Live
    }
}

fn region(shares: &[(Region, f64)], mut dice: Dice) -> Region {
    let (at, mut below) = (dice.share(), 0.0);
    let found = shares.iter().find(|(_, share)| {
        below += share;
        at < below
    });
    found.or(shares.last()).map_or(Region::ALL[0], |(region, _)| *region)
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;
    use proptest::prelude::*;

    use super::super::testing::world;
    use super::*;

    #[test]
    fn the_shares_are_those_of_the_world() {
        let mut world = world(20_000);
        world.fates = Fates { refusing: 0.1, black_hole: 0.05, silent: 0.2, slow: 0.1 };
        let population = Population::draw(&world, 1);
        let share = |fate| {
            (0..20_000).filter(|index| population.fate(*index, Duration::ZERO) == fate).count() as f64 / 20_000.0
        };
        for (fate, expected) in
            [(Fate::Refusing, 0.1), (Fate::BlackHole, 0.05), (Fate::Silent, 0.2), (Fate::Slow, 0.1), (Fate::Live, 0.55)]
        {
            assert!((share(fate) - expected).abs() < 0.01, "{fate:?}: {}", share(fate));
        }
        assert!(population.keys.is_sorted());
        let members = population.at(Duration::ZERO).members();
        assert_eq!(members.dialable.len() + members.dead.len(), 20_000);
    }

    #[test]
    fn with_more_dead_peers_the_same_are_dead_as_before_and_the_others_are_who_they_were() {
        let few = Population::draw(&world(2_000).with("undialable", 0.1).unwrap(), 1);
        let many = Population::draw(&world(2_000).with("undialable", 0.4).unwrap(), 1);
        assert_eq!((&few.keys, &few.regions), (&many.keys, &many.regions));
        let [few, many] = [&few, &many].map(|population| &population.at(Duration::ZERO).members().dead);
        assert!(few.iter().all(|index| many.contains(index)) && few.len() < many.len());
    }

    #[test]
    fn a_peer_id_is_well_formed_and_hashes_to_the_key() {
        let population = Population::draw(&world(30), 1);
        for index in 0..30 {
            let id = PeerId::from_bytes(&id(Dice::new(1), population.numbers[index as usize])).unwrap();
            assert_eq!(id.key(), population.peer(index).key());
        }
    }

    proptest! {
        #[test]
        fn the_closest_are_those_that_sorting_everybody_would_give(
            peers in 21..300_u32, seed in any::<u64>(), target in any::<u64>(), count in 1..25_usize,
            undialable in 0.0..0.85_f64, silent in 0.0..0.05_f64,
        ) {
            let world = world(peers).with("undialable", undialable).unwrap().with("silent", silent).unwrap();
            let population = Population::draw(&world, seed);
            let target = Key::of(&target.to_be_bytes());
            let mut all: Vec<Peer> = (0..peers).map(|index| population.peer(index)).collect();
            all.retain(|peer| population.fate(peer.index, Duration::ZERO).answers());
            all.sort_by_key(|peer| peer.key.distance(&target));
            all.truncate(count);
            prop_assert_eq!(population.closest_live(&target, count, Duration::ZERO), all);
        }

        #[test]
        fn those_who_share_bits_with_a_key_are_all_found(
            peers in 21..300_u32, seed in any::<u64>(), other in any::<u64>(), bits in 0..12_u32,
        ) {
            let population = Population::draw(&world(peers), seed);
            let all: Vec<u32> = (0..peers).collect();
            for key in [Key::of(&other.to_be_bytes()), population.peer(0).key(), population.peer(peers - 1).key()] {
                let found = population.sharing(&all, 0..all.len(), &key, bits);
                let shares = |index: &u32| population.peer(*index).key.distance(&key).common_prefix() >= bits;
                let expected: Vec<u32> = all.iter().copied().filter(shares).collect();
                prop_assert_eq!(&all[found], &expected[..]);
            }
        }
    }
}
