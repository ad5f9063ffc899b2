//! The attempts of one group.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use parsec_measure::{OutcomeClass, nearest_rank};
use serde::Serialize;

use super::clusters::effective_n;
use super::quantile::{rank_ends, ranks};
use super::{Ecdf, Quantile, Reading, Share, reading};

/// One attempt, as far as statistics are concerned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The number of its round: any numbers that ascend with time.
    pub round: u64,
    /// The number of its region, or of whatever else a comparison has to keep apart.
    pub stratum: u32,
    /// What became of it.
    pub class: OutcomeClass,
    /// How long it took.
    pub duration: Duration,
}

/// A reading and where it was taken. There may be a million of them: 16 bytes each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    rank: u64,
    pub(super) stratum: u32,
    class: OutcomeClass,
}

impl Taken {
    pub(super) fn reading(&self) -> Reading {
        Reading::of_rank(self.rank)
    }
}

/// How many attempts ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Attempts that say something about the DHT.
    pub due: usize,
    /// Those of them that succeeded.
    pub succeeded: usize,
    /// Those that failed, by class.
    pub failed: BTreeMap<OutcomeClass, usize>,
    /// Attempts that say nothing about the DHT and are in no other figure, by class.
    pub unsaid: BTreeMap<OutcomeClass, usize>,
    /// In how many rounds those that are due were made.
    pub rounds: usize,
}

/// The attempts of one group.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// In the order of their readings.
    taken: Vec<Taken>,
    counts: Counts,
    /// For each of them the place of its round among the rounds.
    places: Vec<u32>,
    /// The numbers of the rounds, in order.
    rounds: Vec<u64>,
    /// How many of them each round has.
    due: Vec<f64>,
}

impl FromIterator<Observation> for Sample {
    fn from_iter<I: IntoIterator<Item = Observation>>(observations: I) -> Self {
        let (mut taken, mut places, mut met, mut unsaid) = (Vec::new(), Vec::new(), Met::default(), BTreeMap::new());
        for Observation { round, stratum, class, duration } in observations {
            match reading(class, duration) {
                Some(reading) => {
                    taken.push(Taken { rank: reading.rank(), stratum, class });
                    places.push(met.place(round));
                }
                None => *unsaid.entry(class).or_default() += 1,
            }
        }
        if !taken.is_sorted_by_key(|taken| taken.rank) {
            let mut order: Vec<usize> = (0..taken.len()).collect();
            order.sort_by_key(|index| taken[*index].rank);
            taken = order.iter().map(|index| taken[*index]).collect();
            places = order.iter().map(|index| places[*index]).collect();
        }
        Self::of(taken, places, met, unsaid)
    }
}

impl Sample {
    /// Of readings in their order, whose rounds have these places among those that were met.
    fn of(taken: Vec<Taken>, mut places: Vec<u32>, met: Met, unsaid: BTreeMap<OutcomeClass, usize>) -> Self {
        let rounds = met.in_order(&mut places);
        let (mut failed, mut due) = (BTreeMap::new(), vec![0.0; rounds.len()]);
        places.iter().for_each(|place| due[*place as usize] += 1.0);
        for taken in taken.iter().filter(|taken| !taken.reading().succeeded()) {
            *failed.entry(taken.class).or_default() += 1;
        }
        let succeeded = taken.len() - failed.values().sum::<usize>();
        let counts = Counts { due: taken.len(), succeeded, failed, unsaid, rounds: rounds.len() };
        Self { taken, counts, places, rounds, due }
    }

    /// The part of it in strata that `other` has, too: what the two can be compared by.
    #[must_use]
    pub fn in_strata_of(&self, other: &Self) -> Self {
        let theirs: BTreeSet<u32> = other.taken.iter().map(|taken| taken.stratum).collect();
        let mut met = Met::default();
        let shared = self.taken.iter().zip(&self.places).filter(|(taken, _)| theirs.contains(&taken.stratum));
        let (taken, places) = shared.map(|(taken, place)| (*taken, met.place(self.rounds[*place as usize]))).unzip();
        Self::of(taken, places, met, self.counts.unsaid.clone())
    }

    /// How many attempts ended how.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many of the attempts that are due succeeded. `None` if none is due.
    pub fn success(&self) -> Option<Share> {
        let Counts { due, succeeded, .. } = self.counts;
        Share::new(succeeded, due, self.effective_n(succeeded))
    }

    /// How many of the attempts that are due ended like this. `None` if none is due.
    pub fn ended(&self, class: OutcomeClass) -> Option<Share> {
        let mut some = vec![0.0; self.due.len()];
        let mut of = 0;
        for (_, place) in self.taken.iter().zip(&self.places).filter(|(taken, _)| taken.class == class) {
            some[*place as usize] += 1.0;
            of += 1;
        }
        Share::new(of, self.taken.len(), effective_n(some.iter().copied().zip(self.due.iter().copied())))
    }

    /// The quantile `q` of all attempts that are due. `None` if there are too few for an interval.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let n = self.taken.len();
        let at = |rank: usize| self.taken.get(rank.checked_sub(1)?).map(Taken::reading);
        let value = at(nearest_rank(q, n))?;
        let (low, high) = ranks(q, n, self.effective_n(nearest_rank(q, n)))?;
        Some(Quantile { q, value, low: at(low)?, high: at(high)? })
    }

    /// Between how many seconds the true quantile `q` lies this often; a side of which there are too few attempts to say anything has no
    /// end: 0, or infinity.
    pub fn quantile_ends(&self, q: f64, confidence: f64) -> (f64, f64) {
        let n = self.taken.len();
        if n == 0 {
            return (0.0, f64::INFINITY);
        }
        let (low, high) = rank_ends(q, n, self.effective_n(nearest_rank(q, n)), confidence);
        let at = |rank: Option<usize>| self.taken.get(rank?.checked_sub(1)?).map(|taken| taken.reading().seconds());
        (at(low).unwrap_or(0.0), at(high).unwrap_or(f64::INFINITY))
    }

    /// The quantile `q`, in seconds, of those that succeeded: the original's figure, which improves when slow attempts fail.
    pub fn survivors(&self, q: f64) -> Option<f64> {
        let survivors = &self.taken[..self.counts.succeeded];
        survivors.get(nearest_rank(q, survivors.len()) - 1).map(|taken| taken.reading().seconds())
    }

    /// After how many seconds the share `q` of all due attempts had succeeded; `None` if it never had.
    pub fn done_after(&self, q: f64) -> Option<f64> {
        let rank = nearest_rank(q, self.taken.len()).checked_sub(1)?;
        self.taken.get(rank).filter(|taken| taken.reading().succeeded()).map(|taken| taken.reading().seconds())
    }

    /// How many had succeeded after so many seconds.
    pub fn done_within(&self, seconds: f64) -> usize {
        self.taken[..self.counts.succeeded].partition_point(|taken| taken.reading().seconds() <= seconds)
    }

    /// The share of all due attempts that was done after a time, in about `max` steps.
    pub fn ecdf(&self, max: usize) -> Ecdf {
        let survivors = &self.taken[..self.counts.succeeded];
        Ecdf::new(survivors.iter().map(|taken| taken.reading().seconds()), self.counts.due, max)
    }

    /// The readings in their order.
    pub(super) fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// For each reading the place of its round among [`Sample::rounds`].
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// The numbers of their rounds, in order.
    pub(super) fn rounds(&self) -> &[u64] {
        &self.rounds
    }

    /// How many independent attempts say as much of the question who is among the first `first` readings.
    fn effective_n(&self, first: usize) -> f64 {
        let mut some = vec![0.0; self.due.len()];
        self.places.iter().take(first).for_each(|place| some[*place as usize] += 1.0);
        effective_n(some.iter().copied().zip(self.due.iter().copied()))
    }
}

/// The rounds of readings as they are met. There are few beside readings: each is looked up by its hash, and only rounds are put in
/// order.
#[derive(Debug, Default)]
struct Met {
    places: HashMap<u64, u32>,
    rounds: Vec<u64>,
}

impl Met {
    /// The place at which this round was met first.
    fn place(&mut self, round: u64) -> u32 {
        let next = u32::try_from(self.rounds.len()).expect("a sample has fewer than 2³² rounds");
        *self.places.entry(round).or_insert_with(|| {
            self.rounds.push(round);
            next
        })
    }

    /// The rounds in their order, and `met` made places in it.
    fn in_order(self, met: &mut [u32]) -> Vec<u64> {
        let Self { mut places, rounds } = self;
        let mut ordered = rounds.clone();
        ordered.sort_unstable();
        (0..).zip(&ordered).for_each(|(place, round)| {
            places.insert(*round, place);
        });
        let place_of: Vec<u32> = rounds.iter().map(|round| places[round]).collect();
        met.iter_mut().for_each(|place| *place = place_of[*place as usize]);
        ordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(of: &[(OutcomeClass, u64, usize)]) -> Sample {
        let all = of.iter().flat_map(|(class, ms, times)| std::iter::repeat_n((*class, *ms), *times));
        let observation = |(round, (class, ms)): (usize, (OutcomeClass, u64))| Observation {
            round: round as u64,
            stratum: 0,
            class,
            duration: Duration::from_millis(ms),
        };
        all.enumerate().map(observation).collect()
    }

    #[test]
    fn a_quantile_among_the_failures_says_so() {
        let sample = sample(&[
            (OutcomeClass::Ok, 500, 60),
            (OutcomeClass::Timeout, 10_000, 30),
            (OutcomeClass::NotFound, 80, 10),
        ]);
        assert_eq!(sample.quantile(0.5).unwrap().value, Reading::Took(0.5));
        let p75 = sample.quantile(0.75).unwrap();
        assert_eq!(
            (p75.low, p75.value, p75.high),
            (Reading::MoreThan(10.0), Reading::MoreThan(10.0), Reading::MoreThan(10.0))
        );
        assert_eq!(sample.quantile(0.95).unwrap().value, Reading::Failed);
        assert_eq!(sample.survivors(0.9), Some(0.5));
        assert_eq!(sample.success().unwrap().share.value, 0.6);
    }

    #[test]
    fn what_says_nothing_about_the_dht_is_counted_apart() {
        let sample = sample(&[
            (OutcomeClass::Ok, 500, 6),
            (OutcomeClass::ServerUnreachable, 5_000, 3),
            (OutcomeClass::Timeout, 9_000, 1),
        ]);
        let Counts { due, succeeded, failed, unsaid, rounds } = sample.counts();
        assert_eq!((*due, *succeeded, *rounds), (7, 6, 7));
        assert_eq!(failed, &BTreeMap::from([(OutcomeClass::Timeout, 1)]));
        assert_eq!(unsaid, &BTreeMap::from([(OutcomeClass::ServerUnreachable, 3)]));
    }

    #[test]
    fn each_way_to_end_has_a_share_of_what_was_due() {
        let sample = sample(&[
            (OutcomeClass::Ok, 500, 81),
            (OutcomeClass::Timeout, 9_000, 15),
            (OutcomeClass::NotFound, 80, 4),
            (OutcomeClass::ServerUnreachable, 5_000, 7),
        ]);
        let timeouts = sample.ended(OutcomeClass::Timeout).unwrap();
        assert_eq!((timeouts.of, timeouts.n, timeouts.share.value), (15, 100, 0.15));
        assert!(timeouts.share.low < 0.1 && timeouts.share.high > 0.2, "{timeouts:?}");
        assert_eq!(sample.ended(OutcomeClass::Ok).unwrap(), sample.success().unwrap());
        assert_eq!(sample.ended(OutcomeClass::ServerUnreachable).unwrap().of, 0, "it was not due");
    }

    #[test]
    fn nothing_measured_is_nothing_known() {
        let sample = sample(&[(OutcomeClass::Cancelled, 5, 3)]);
        assert_eq!((sample.success(), sample.quantile(0.5), sample.survivors(0.5)), (None, None, None));
        assert_eq!(sample.ecdf(10).steps, []);
    }
}
