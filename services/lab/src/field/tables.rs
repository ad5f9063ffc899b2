//! Routing tables, made on demand: a bucket is drawn when somebody is asked, and is the same each time. So a million tables take no
//! memory.
//!
//! Where a network changes, a bucket has those who were there when it was last refreshed: each at a time of its own. Who has left since then
//! still stands in it, and who has come does not.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use parsec_dht::key::{Contact, Key};

use super::draw::Dice;
use super::moment::{Fate, Home, Members};
use super::population::{Peer, Population};
use super::world::Tables;

/// The size of a bucket, and how many peers an answer names (k of the specification).
pub(super) const BUCKET: usize = 20;

/// The deepest bucket: beyond, a peer would have to be next to another by chance.
const DEEPEST: u32 = 255;

/// Up to this size, those who could be in a bucket are shuffled; of more, some are picked.
const SHUFFLED: usize = 3 * BUCKET;

/// How often a place in a bucket is drawn until somebody is found whom tables have: where 19 in 20 are silent, a place stays empty once
/// in ten buckets.
const DRAWS: usize = 4 * BUCKET;

/// When a bucket is refreshed is drawn under its number beyond this one; its entries are drawn below.
const REFRESHES: u64 = 1 << 32;

/// The routing tables of a world.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    pub(super) population: &'a Population,
    pub(super) tables: Tables,
    pub(super) dice: Dice,
    /// How often a bucket is refreshed.
    pub(super) refresh: Duration,
}

/// Whose table it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) key: Key,
    /// Tells tables apart.
    pub(super) number: u64,
    /// By how much it is as stale as those of others.
    pub(super) staleness: f64,
    /// Where it belongs, and since when it has been there: it has filled its table then.
    pub(super) home: Home,
    pub(super) since: Duration,
}

/// Those who share the first bits with the owner of a table: of those who could be dialled at a moment, and of the dead.
#[derive(Debug, Clone)]
struct Around {
    moment: usize,
    dialable: Range<usize>,
    dead: Range<usize>,
}

impl<'a> Directory<'a> {
    /// The table of a peer.
    pub(super) fn owner(&self, peer: Peer) -> Owner {
        let (home, since) = self.population.origin(peer.index);
        Owner { key: peer.key(), number: self.population.number(peer.index), staleness: 1.0, home, since }
    }

    /// At which moment a bucket was refreshed last.
    fn seen(&self, owner: &Owner, bits: u32, at: Duration) -> usize {
        if self.population.is_still() {
            return 0;
        }
        let share = self.dice.of(owner.number).of(REFRESHES + u64::from(bits)).share();
        let first = self.refresh.mul_f64(share);
        let refreshed = at.checked_sub(first).map_or(Duration::ZERO, |since| {
            let whole = since.as_nanos() / self.refresh.as_nanos().max(1);
            first + self.refresh * u32::try_from(whole).unwrap_or(u32::MAX)
        });
        self.population.place_at(refreshed.max(owner.since))
    }

    fn members(&self, owner: &Owner, moment: usize) -> &'a Members {
        self.population.moments[moment].network(owner.home)
    }

    fn everybody(&self, owner: &Owner, moment: usize) -> Around {
        let Members { dialable, dead } = self.members(owner, moment);
        Around { moment, dialable: 0..dialable.len(), dead: 0..dead.len() }
    }

    /// Those who share so many bits with the owner: of those who share fewer, or of everybody, if these were seen at another moment.
    fn around(&self, within: &Around, owner: &Owner, bits: u32, moment: usize) -> Around {
        if within.moment != moment {
            return self.around(&self.everybody(owner, moment), owner, bits, moment);
        }
        let Members { dialable, dead } = self.members(owner, moment);
        Around {
            moment,
            dialable: self.population.sharing(dialable, within.dialable.clone(), &owner.key, bits),
            dead: self.population.sharing(dead, within.dead.clone(), &owner.key, bits),
        }
    }

    /// Whether nobody stands there but the owner itself.
    fn is_alone(&self, owner: &Owner, Around { moment, dialable, dead }: &Around) -> bool {
        let Members { dialable: all, dead: all_dead } = self.members(owner, *moment);
        let mut there = all[dialable.clone()].iter().chain(&all_dead[dead.clone()]);
        dialable.len() + dead.len() <= 1 && there.all(|index| self.population.peer(*index).key() == owner.key)
    }

    /// The entries of the table then that are closest to `target`, at most `count`, closest first: as go-libp2p-kbucket has it, those of the
    /// bucket of the target, of all deeper ones, and of as many others as it takes.
    pub(super) fn closest(&self, owner: &Owner, target: &Key, count: usize, at: Duration) -> Vec<Peer> {
        let own = owner.key.distance(target).common_prefix().min(DEEPEST);
        let mut found = Vec::with_capacity(4 * BUCKET);
        let moment = self.seen(owner, own, at);
        let of_target = self.around(&self.everybody(owner, moment), owner, own, moment);
        let inner = self.around(&of_target, owner, own + 1, moment);
        self.bucket(owner, own, &of_target, &inner, &mut found);
        if found.len() < count {
            self.buckets(owner, own + 1..DEEPEST + 1, inner, at, &mut found);
        }
        let mut inner = of_target;
        for bits in (0..own).rev() {
            if found.len() >= count {
                break;
            }
            let moment = self.seen(owner, bits, at);
            let outer = self.around(&self.everybody(owner, moment), owner, bits, moment);
            if inner.moment != moment {
                inner = self.around(&outer, owner, bits + 1, moment);
            }
            self.bucket(owner, bits, &outer, &inner, &mut found);
            inner = outer;
        }
        let mut found: Vec<Peer> = found.into_iter().map(|index| self.population.peer(index)).collect();
        keep_closest(&mut found, target, count);
        found
    }

    /// Everybody in the table then whose bucket is one of the first `buckets`.
    pub(super) fn entries(&self, owner: &Owner, buckets: u32, at: Duration) -> Vec<u32> {
        let (mut found, outer) = (Vec::new(), self.everybody(owner, self.seen(owner, 0, at)));
        self.buckets(owner, 0..buckets.min(DEEPEST), outer, at, &mut found);
        found
    }

    /// Draws some buckets, as far as there is anybody; those of the first one stand in `outer`.
    fn buckets(&self, owner: &Owner, which: Range<u32>, mut outer: Around, at: Duration, found: &mut Vec<u32>) {
        for bits in which {
            let moment = self.seen(owner, bits, at);
            if outer.moment != moment {
                outer = self.around(&self.everybody(owner, moment), owner, bits, moment);
            }
            if self.is_alone(owner, &outer) {
                break;
            }
            let inner = self.around(&outer, owner, bits + 1, moment);
            self.bucket(owner, bits, &outer, &inner, found);
            outer = inner;
        }
    }

    /// How many entries the bucket has then into which a target falls.
    pub(super) fn in_bucket_of(&self, owner: &Owner, target: &Key, at: Duration) -> usize {
        let bits = owner.key.distance(target).common_prefix().min(DEEPEST);
        let moment = self.seen(owner, bits, at);
        let outer = self.around(&self.everybody(owner, moment), owner, bits, moment);
        let inner = self.around(&outer, owner, bits + 1, moment);
        let mut found = Vec::new();
        self.bucket(owner, bits, &outer, &inner, &mut found);
        found.len()
    }

    /// Whether the owner has somebody who can be dialled in its table, if there is room: tables may throw out silent peers.
    fn knows(&self, owner: &Owner, index: u32, moment: usize) -> bool {
        let share = self.tables.silent;
        let drawn = || self.dice.of(owner.number).of(u64::MAX - self.population.number(index)).share();
        share >= 1.0 || self.population.moments[moment].fate(index) != Fate::Silent || drawn() < share
    }

    /// Draws the bucket of those who share `bits` bits with the owner and no more: they stand in `outer`, and not in `inner`.
    fn bucket(&self, owner: &Owner, bits: u32, outer: &Around, inner: &Around, found: &mut Vec<u32>) {
        let Members { dialable, dead } = self.members(owner, outer.moment);
        let live = &dialable[beside(&outer.dialable, &inner.dialable)];
        let dead = &dead[beside(&outer.dead, &inner.dead)];
        let knows = |index: &u32| self.knows(owner, *index, outer.moment);
        let live: Cow<'_, [u32]> = if self.tables.silent < 1.0 && live.len() <= SHUFFLED {
            live.iter().copied().filter(knows).collect()
        } else {
            live.into()
        };
        let mut dice = self.dice.of(owner.number).of(u64::from(bits));
        let room = BUCKET.min(live.len() + dead.len());
        let stale = (self.tables.stale(bits) * owner.staleness).min(1.0);
        let of_dead = dice.rounded(room as f64 * stale).min(dead.len()).min(room);
        let of_live = (room - of_dead).min(live.len());
        pick(&mut dice, dead, of_dead, |_| true, found);
        if of_live < live.len() {
            return pick(&mut dice, &live, of_live, knows, found);
        }
        // There is room for all of them, and still some are not known.
        found.extend(live.iter().filter(|_| dice.share() >= self.tables.missing));
    }
}

/// Keeps those who are closest to a key, closest first.
pub(super) fn keep_closest(peers: &mut Vec<Peer>, target: &Key, count: usize) {
    peers.sort_by_cached_key(|peer| peer.key().distance(target));
    peers.truncate(count);
}

/// The part of a range that a part at one of its ends leaves.
fn beside(outer: &Range<usize>, inner: &Range<usize>) -> Range<usize> {
    if inner.start > outer.start { outer.start..inner.start } else { inner.end.max(outer.start)..outer.end }
}

/// Picks `count` of them at random, none twice. Of many, only those who `may` be; few have been sorted out before.
fn pick(dice: &mut Dice, from: &[u32], count: usize, may: impl Fn(&u32) -> bool, found: &mut Vec<u32>) {
    if count >= from.len() {
        return found.extend(from);
    }
    let begin = found.len();
    if from.len() <= SHUFFLED {
        found.extend(from);
        for place in 0..count {
            let other = place + dice.below(from.len() - place);
            found.swap(begin + place, begin + other);
        }
        return found.truncate(begin + count);
    }
    for _ in 0..DRAWS * count {
        if found.len() == begin + count {
            return;
        }
        let one = from[dice.below(from.len())];
        if !found[begin..].contains(&one) && may(&one) {
            found.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::world;
    use super::super::world::World;
    use super::*;

    fn with<T>(world: &World, seed: u64, act: impl FnOnce(&Directory<'_>) -> T) -> T {
        let population = Population::draw(world, seed);
        act(&Directory {
            population: &population,
            tables: world.tables.clone(),
            dice: Dice::new(seed).of(9),
            refresh: Duration::from_secs(600),
        })
    }

    proptest! {
        #[test]
        fn when_tables_are_full_each_bucket_has_everybody_that_there_is_room_for(
            peers in 21..400_u32, seed in any::<u64>(), of in 0..21_u32,
        ) {
            let world = world(peers).with("undialable", 0.0).unwrap().with("missing", 0.0).unwrap();
            with(&world, seed, |directory| {
                let all: Vec<Peer> = (0..peers).map(|index| directory.population.peer(index)).collect();
                let (peer, entries) = (all[of as usize], directory.entries(&directory.owner(all[of as usize]), 256, Duration::ZERO));
                let bits = |other: &Peer| other.key().distance(&peer.key()).common_prefix();
                for bucket in 0..10 {
                    let of_it = |other: &&Peer| bits(other) == bucket;
                    let known = entries.iter().map(|index| &all[*index as usize]).filter(of_it).count();
                    assert_eq!(known, all.iter().filter(of_it).count().min(BUCKET), "bucket {bucket}");
                }
            });
        }

        #[test]
        fn a_table_is_the_same_each_time_has_nobody_twice_and_never_its_owner(
            peers in 21..400_u32, seed in any::<u64>(), of in 0..21_u32, target in any::<u64>(),
            undialable in 0.0..0.6_f64, missing in 0.0..0.5_f64,
        ) {
            let world = world(peers).with("undialable", undialable).unwrap().with("missing", missing).unwrap();
            with(&world, seed, |directory| {
                let owner = directory.owner(directory.population.peer(of));
                let all = directory.entries(&owner, 256, Duration::ZERO);
                assert_eq!(&all, &directory.entries(&owner, 256, Duration::ZERO));
                let mut once = all.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), all.len());
                assert!(!all.contains(&of));
                let target = Key::of(&target.to_be_bytes());
                let closest = directory.closest(&owner, &target, 20, Duration::ZERO);
                assert!(closest.iter().all(|peer| all.contains(&peer.index)), "an answer names who stands in the table");
                assert!(closest.len() == 20.min(all.len()), "{} of {}", closest.len(), all.len());
                let in_bucket = directory.in_bucket_of(&owner, &target, Duration::ZERO);
                let bits = owner.key.distance(&target).common_prefix();
                let same = |index: &&u32| directory.population.peer(**index).key().distance(&owner.key).common_prefix() == bits;
                assert_eq!(in_bucket, all.iter().filter(same).count());
            });
        }
    }

    #[test]
    fn silent_peers_stand_in_as_many_tables_as_the_world_says() {
        for (peers, kept) in [(20_000, 1.0), (20_000, 0.25), (300, 0.25), (20_000, 0.0)] {
            let mut world = world(peers).with("silent", 0.5).unwrap().with("missing", 0.0).unwrap();
            world.tables.silent = kept;
            with(&world, 4, |directory| {
                let (mut silent, mut answering) = (0, 0);
                for of in 0..200 {
                    let first = directory.entries(&directory.owner(directory.population.peer(of)), 2, Duration::ZERO);
                    silent += first
                        .iter()
                        .filter(|index| directory.population.fate(**index, Duration::ZERO) == Fate::Silent)
                        .count();
                    answering += first
                        .iter()
                        .filter(|index| directory.population.fate(**index, Duration::ZERO).answers())
                        .count();
                }
                // In the whole network there are 50 of them beside 35 who answer.
                let (share, expected) = (silent as f64 / answering as f64, 50.0 / 35.0 * kept);
                assert!((share - expected).abs() < 0.2, "{peers} peers: {share}, not {expected}");
            });
        }
    }

    #[test]
    fn full_buckets_are_as_stale_as_the_world_says() {
        let world = world(20_000);
        with(&world, 3, |directory| {
            let (mut dead, mut all) = (0, 0);
            for of in 0..2_000 {
                let owner = directory.owner(directory.population.peer(of * 10));
                let first = directory.entries(&owner, 1, Duration::ZERO);
                all += first.len();
                dead += first
                    .iter()
                    .filter(|index| !directory.population.fate(**index, Duration::ZERO).is_dialable())
                    .count();
            }
            let share = dead as f64 / all as f64;
            assert!((share - world.tables.stale(0)).abs() < 0.01, "{share}");
        });
    }
}
