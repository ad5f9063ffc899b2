//! What is going to happen, and when: drawn from a seed before anything starts, so that a run can be had again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use parsec_test_support::outage::{Layer, Outage};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// From one blow to the next. Blows last longer than this: several faults are there at a time.
const PAUSE_MS: std::ops::Range<u64> = 300..1_900;

/// How long something is struck, or dead before it is started again.
const LASTING_MS: std::ops::Range<u64> = 500..5_000;

/// How long something is left alone after it was struck: so long it takes a process to start, or rows to be written.
const REST: Duration = Duration::from_secs(2);

/// Schedulers die in this part of the run only: the last one lives long enough for its memory to be looked at.
const SCHEDULERS_DIE_UNTIL: f64 = 0.6;

/// What happens to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mishap {
    /// SIGKILL, and a new one later.
    Killed,
    /// SIGTERM, and a new one later.
    Stopped,
    /// SIGSTOP, and SIGCONT later, as when a machine is suspended.
    Frozen,
}

/// How a clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Skew {
    Behind,
    Ahead,
}

/// How a server that is none of ours behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Manner(pub(crate) usize);

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// Of the database.
    Database(Outage),
    /// Of one of our servers.
    Server(usize, Mishap),
    /// Of the scheduler.
    Scheduler(Mishap),
    /// The scheduler's disk takes nothing more.
    SpoolDisk,
    /// Bytes of what waits on the scheduler's disk change while it runs.
    SpoolDamage,
    /// The disk with the log of one of our servers takes nothing more.
    LogDisk(usize),
    /// Somebody calls one of our servers under names without end, over connections without end.
    Flood(usize),
    /// The clock of a host on which one of our servers runs is wrong.
    Clock(Skew),
    /// A server of somebody else's misbehaves.
    Stranger(usize, Manner),
}

/// What is struck. It is struck once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    Database(Layer),
    Server(usize),
    /// Those who call this server.
    Callers(usize),
    /// Whatever else happens to the server on it.
    Clock,
    /// With its disk: what a scheduler keeps in memory because its disk is full dies with it, and is meant to.
    Scheduler,
    Stranger(usize),
}

impl Blow {
    pub(crate) fn target(self) -> Target {
        match self {
            Self::Database(outage) => Target::Database(outage.layer()),
            Self::Server(index, _) | Self::LogDisk(index) => Target::Server(index),
            Self::Flood(index) => Target::Callers(index),
            Self::Clock(_) => Target::Clock,
            Self::Scheduler(_) | Self::SpoolDisk | Self::SpoolDamage => Target::Scheduler,
            Self::Stranger(index, _) => Target::Stranger(index),
        }
    }

    /// Without whom it strikes: what a report counts.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::Database(outage) => format!("database {outage:?}"),
            Self::Server(_, mishap) => format!("server {mishap:?}"),
            Self::Scheduler(mishap) => format!("scheduler {mishap:?}"),
            Self::SpoolDisk => "spool disk full".to_owned(),
            Self::SpoolDamage => "spool damaged in use".to_owned(),
            Self::LogDisk(_) => "log disk full".to_owned(),
            Self::Flood(_) => "label flood".to_owned(),
            Self::Clock(skew) => format!("clock {skew:?}"),
            Self::Stranger(_, Manner(manner)) => format!("stranger {}", crate::strangers::MANNERS[manner].0),
        }
    }
}

/// A blow, and when it falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strike {
    /// From the beginning.
    pub(crate) at: Duration,
    pub(crate) blow: Blow,
    /// Until it heals.
    pub(crate) lasting: Duration,
}

/// Who is there to be struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cast {
    pub(crate) servers: usize,
    pub(crate) strangers: usize,
    pub(crate) manners: usize,
}

/// Everything that is going to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) length: Duration,
    pub(crate) strikes: Vec<Strike>,
}

impl Plan {
    /// A plan in which everything has healed after `length`.
    ///
    /// Blows come from a shuffled deck with one card of each kind; another one is added when none of what is left can be
    /// played now. So a run that is long enough has each kind.
    pub(crate) fn draw(seed: u64, length: Duration, cast: Cast) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut strikes, mut deck) = (Vec::new(), Vec::new());
        let mut free: BTreeMap<Target, Duration> = BTreeMap::new();
        let mut at = Duration::ZERO;
        loop {
            at += Duration::from_millis(rng.random_range(PAUSE_MS));
            let lasting = Duration::from_millis(rng.random_range(LASTING_MS));
            if at + lasting > length {
                return Self { seed, length, strikes };
            }
            let may_die = at.as_secs_f64() < length.as_secs_f64() * SCHEDULERS_DIE_UNTIL;
            let is_possible = |blow: &Blow| {
                let is_free = free.get(&blow.target()).is_none_or(|free| *free <= at);
                let dies = matches!(blow, Blow::Scheduler(Mishap::Killed | Mishap::Stopped));
                is_free && (may_die || !dies)
            };
            if !deck.iter().any(is_possible) {
                deck.extend(cards(cast, &mut rng));
            }
            // Else nothing new happens for a while.
            let Some(index) = deck.iter().position(is_possible) else { continue };
            let blow = deck.remove(index);
            free.insert(blow.target(), at + lasting + REST);
            strikes.push(Strike { at, blow, lasting });
        }
    }

    /// Only the strikes whose kinds contain one of these words.
    pub(crate) fn only(mut self, words: &[&str]) -> Self {
        self.strikes.retain(|strike| words.iter().any(|word| strike.blow.kind().contains(word)));
        self
    }
}

/// One blow of each kind, in any order.
fn cards(cast: Cast, rng: &mut StdRng) -> Vec<Blow> {
    let mishaps = [Mishap::Killed, Mishap::Stopped, Mishap::Frozen];
    let mut cards: Vec<_> = Outage::ALL.map(Blow::Database).into();
    cards.extend(mishaps.map(|mishap| Blow::Server(rng.random_range(0..cast.servers), mishap)));
    cards.extend(mishaps.map(Blow::Scheduler));
    cards.extend([Blow::SpoolDisk, Blow::SpoolDamage]);
    cards.push(Blow::LogDisk(rng.random_range(0..cast.servers)));
    cards.push(Blow::Flood(rng.random_range(0..cast.servers)));
    cards.extend([Skew::Behind, Skew::Ahead].map(Blow::Clock));
    if cast.strangers > 0 {
        let manners = (0..cast.manners).map(Manner);
        cards.extend(manners.map(|manner| Blow::Stranger(rng.random_range(0..cast.strangers), manner)));
    }
    cards.shuffle(rng);
    cards
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} s, {} strikes", self.seed, self.length.as_secs(), self.strikes.len())?;
        for Strike { at, blow, lasting } in &self.strikes {
            let (at, lasting, kind) = (at.as_secs_f64(), lasting.as_secs_f64(), blow.kind());
            match blow.target() {
                Target::Server(index) | Target::Callers(index) | Target::Stranger(index) => {
                    writeln!(f, "{at:7.1} s  {kind} for {lasting:.1} s, number {index}")
                }
                Target::Database(_) | Target::Scheduler | Target::Clock => {
                    writeln!(f, "{at:7.1} s  {kind} for {lasting:.1} s")
                }
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const CAST: Cast = Cast { servers: 9, strangers: 3, manners: 5 };

    fn kinds(of: impl IntoIterator<Item = Blow>) -> BTreeSet<String> {
        of.into_iter().map(Blow::kind).collect()
    }

    fn all_kinds(cast: Cast) -> BTreeSet<String> {
        kinds(cards(cast, &mut StdRng::seed_from_u64(0)))
    }

    #[test]
    #[ignore = "finds the seed of the run that everybody has, after a kind of fault was added"]
    fn find_the_seed() {
        let has_all = |seed: &u64| {
            let plan = Plan::draw(*seed, Duration::from_secs(60), crate::world::CAST);
            kinds(plan.strikes.iter().map(|strike| strike.blow)) == all_kinds(crate::world::CAST)
        };
        println!("FIXED_SEED: {:?}", (0..1_000_000).find(has_all));
    }

    #[test]
    fn the_run_that_everybody_has_meets_each_kind_of_fault() {
        let plan = Plan::draw(crate::FIXED_SEED, Duration::from_secs(60), crate::world::CAST);
        assert_eq!(kinds(plan.strikes.iter().map(|strike| strike.blow)), all_kinds(crate::world::CAST));
    }

    proptest! {
        #[test]
        fn every_blow_heals_in_time_and_none_strikes_what_is_struck(seed: u64, seconds in 10..400_u64) {
            let length = Duration::from_secs(seconds);
            let plan = Plan::draw(seed, length, CAST);
            prop_assert_eq!(&plan, &Plan::draw(seed, length, CAST));
            let mut free = BTreeMap::new();
            for Strike { at, blow, lasting } in plan.strikes {
                prop_assert!(at + lasting <= length);
                let until = free.insert(blow.target(), at + lasting);
                prop_assert!(until.is_none_or(|until| until < at));
                let dies = matches!(blow, Blow::Scheduler(Mishap::Killed | Mishap::Stopped));
                prop_assert!(!dies || at < length.mul_f64(SCHEDULERS_DIE_UNTIL));
            }
        }

        #[test]
        fn a_run_of_five_minutes_has_each_kind_of_fault_and_several_at_a_time(seed: u64) {
            let plan = Plan::draw(seed, Duration::from_secs(300), CAST);
            prop_assert_eq!(kinds(plan.strikes.iter().map(|strike| strike.blow)), all_kinds(CAST));
            let together = |strike: &Strike| {
                let holds = |other: &&Strike| other.at <= strike.at && strike.at < other.at + other.lasting;
                plan.strikes.iter().filter(holds).count()
            };
            prop_assert!(plan.strikes.iter().map(together).max() >= Some(3));
        }
    }
}
