//! What it takes to publish many keys at once, as one node does that announces all that it holds.

use std::time::Duration;

use parsec_measure::nearest_rank;
/// How to publish many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkStrategy {
    /// Each key by itself, as `classic` does.
    Classic,
    /// Each key by itself, as `optprov` does.
    Optprov,
    /// To the closest peers of a full routing table, all keys of a peer over one connection (`FullRT.ProvideMany` of go-libp2p-kad-dht).
    Fullrt,
    /// Zone by zone of the keyspace, as Kubo has done by default since 0.39.
    Sweep,
}

impl BulkStrategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Classic, Self::Optprov, Self::Fullrt, Self::Sweep];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Optprov => "optprov",
            Self::Fullrt => "fullrt",
            Self::Sweep => "sweep",
        }
    }
}

/// What came of it on one network. Times are since it began.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRun {
    /// The seed of the network.
    pub network: u64,
    /// How.
    pub strategy: BulkStrategy,
    /// When everything had ended.
    pub took: Duration,
    /// How many lookups it took.
    pub lookups: u64,
    /// How many questions peers were sent.
    pub questions: u64,
    /// How many records were sent.
    pub records: u64,
    /// How many peers were dialled, each time that they were.
    pub dials: u64,
    /// Of each key, how many peers keep its record and give it to those who ask.
    pub holders: Vec<u32>,
    /// Of the 20 such peers that are closest to each key, which share holds it, over all keys.
    pub closest_held: Option<f64>,
    /// To how many peers, each counted for every zone or key, records were to be sent, and how many took one.
    pub reached: (u64, u64),
    /// How many questions and records were sent in the busiest second.
    pub busiest_second: u64,
    /// When each key that can be found could be, in that order.
    pub findable: Vec<Duration>,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Seconds.
    Seconds,
    /// A share of 1.
    Share,
    /// Anything else.
    Count,
}

/// Something that there is to say of a run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in files.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// What it counts.
    pub measured: Measured,
    /// Its value; `None` where there is none: a key that is never found was found at no time.
    pub of: fn(&BulkRun) -> Option<f64>,
}

/// All figures, in the order in which they are shown.
pub const FIGURES: [Figure; 15] = [
    figure("took_seconds", "until all had ended", Measured::Seconds, |run| Some(run.took.as_secs_f64())),
    figure("keys_per_minute", "keys a minute", Measured::Count, |run| {
        (!run.took.is_zero()).then(|| run.keys() * 60.0 / run.took.as_secs_f64())
    }),
    figure("findable_50_seconds", "until 50 % of keys could be found", Measured::Seconds, |run| run.findable(0.5)),
    figure("findable_90_seconds", "until 90 % of keys could be found", Measured::Seconds, |run| run.findable(0.9)),
    figure("findable_99_seconds", "until 99 % of keys could be found", Measured::Seconds, |run| run.findable(0.99)),
    figure("lookups_per_key", "lookups a key", Measured::Count, |run| run.per_key(run.lookups)),
    figure("questions_per_key", "questions a key", Measured::Count, |run| run.per_key(run.questions)),
    figure("records_per_key", "records sent a key", Measured::Count, |run| run.per_key(run.records)),
    figure("dials_per_key", "dials a key", Measured::Count, |run| run.per_key(run.dials)),
    figure("busiest_second", "requests in the busiest second", Measured::Count, |run| Some(run.busiest_second as f64)),
    figure("reached_share", "peers that could be reached", Measured::Share, |run| {
        (run.reached.0 > 0).then(|| run.reached.1 as f64 / run.reached.0 as f64)
    }),
    figure("holders_p5", "holders of a key, p5", Measured::Count, |run| run.holders(0.05)),
    figure("holders_p50", "holders of a key, p50", Measured::Count, |run| run.holders(0.5)),
    figure("closest_held_share", "of the 20 closest live peers, holders", Measured::Share, |run| run.closest_held),
    figure("lost_share", "keys that nobody holds", Measured::Share, |run| {
        let lost = run.holders.iter().filter(|holders| **holders == 0).count();
        (!run.holders.is_empty()).then(|| lost as f64 / run.keys())
    }),
];

const fn figure(
    name: &'static str,
    about: &'static str,
    measured: Measured,
    of: fn(&BulkRun) -> Option<f64>,
) -> Figure {
    Figure { name, about, measured, of }
}

impl BulkRun {
    fn keys(&self) -> f64 {
        self.holders.len() as f64
    }

    fn per_key(&self, count: u64) -> Option<f64> {
        (!self.holders.is_empty()).then(|| count as f64 / self.keys())
    }

    /// When that share of all keys could be found; never, if fewer ever were.
    fn findable(&self, share: f64) -> Option<f64> {
        let rank = nearest_rank(share, self.holders.len()).checked_sub(1)?;
        self.findable.get(rank).map(Duration::as_secs_f64)
    }

    fn holders(&self, q: f64) -> Option<f64> {
        let mut sorted = self.holders.clone();
        sorted.sort_unstable();
        let rank = nearest_rank(q, sorted.len()).checked_sub(1)?;
        sorted.get(rank).copied().map(f64::from)
    }
}

/// A figure over networks: the mean, the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Over {
    /// The mean of those networks where there is a value.
    pub mean: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// On how many networks there is none.
    pub without: usize,
}

/// What a figure comes to on several networks; `None` if it has a value on none.
pub fn over(runs: &[&BulkRun], figure: &Figure) -> Option<Over> {
    let values: Vec<f64> = runs.iter().filter_map(|run| (figure.of)(run)).collect();
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some(Over { mean, least, most, without: runs.len() - values.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(holders: Vec<u32>, findable: Vec<u64>) -> BulkRun {
        BulkRun {
            network: 1,
            strategy: BulkStrategy::Sweep,
            took: Duration::from_secs(120),
            lookups: 2,
            questions: 30,
            records: 40,
            dials: 5,
            holders,
            closest_held: Some(0.5),
            reached: (4, 3),
            busiest_second: 9,
            findable: findable.into_iter().map(Duration::from_secs).collect(),
        }
    }

    fn value(run: &BulkRun, name: &str) -> Option<f64> {
        let figure = FIGURES.iter().find(|figure| figure.name == name).unwrap();
        (figure.of)(run)
    }

    #[test]
    fn a_key_that_is_never_found_comes_after_all_that_are() {
        let run = run(vec![20, 3, 0, 7], vec![1, 2, 5]);
        assert_eq!(value(&run, "findable_50_seconds"), Some(2.0));
        assert_eq!(value(&run, "findable_90_seconds"), None);
        assert_eq!(value(&run, "lost_share"), Some(0.25));
        assert_eq!((value(&run, "holders_p5"), value(&run, "holders_p50")), (Some(0.0), Some(3.0)));
    }

    #[test]
    fn figures_are_for_each_key() {
        let run = run(vec![1; 4], vec![1; 4]);
        assert_eq!(value(&run, "keys_per_minute"), Some(2.0));
        assert_eq!(value(&run, "questions_per_key"), Some(7.5));
        assert_eq!(value(&run, "reached_share"), Some(0.75));
    }

    #[test]
    fn without_keys_there_is_no_share_of_them() {
        let none = BulkRun { took: Duration::ZERO, reached: (0, 0), closest_held: None, ..run(vec![], vec![]) };
        let known: Vec<_> = FIGURES.iter().filter(|figure| (figure.of)(&none).is_some()).map(|one| one.name).collect();
        assert_eq!(known, ["took_seconds", "busiest_second"]);
    }

    #[test]
    fn over_networks_a_figure_has_a_mean_and_ends() {
        let (found, lost) = (run(vec![1], vec![4]), run(vec![0], vec![]));
        let figure = FIGURES.iter().find(|figure| figure.name == "findable_50_seconds").unwrap();
        assert_eq!(over(&[&found, &lost], figure), Some(Over { mean: 4.0, least: 4.0, most: 4.0, without: 1 }));
        assert_eq!(over(&[&lost], figure), None);
    }
}
