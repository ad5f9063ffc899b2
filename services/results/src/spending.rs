//! What the time of many operations went to, by what they have in common.

use std::collections::{BTreeMap, BTreeSet};

use parsec_measure::{ArchivedNode, NodeId, OperationKind, RoundId, SampledOperation, Trace};

use crate::groups::{Dimension, round_number};
use crate::portions::{Portion, portions};
use crate::sampling::{Layer, NotAsked, StandsFor, Stratum, Tally, Unrepresented, weigh};
use crate::statistics::{MIN_ROUNDS, intervals};

/// How many stretches of time the rounds of a group are joined to at most, which are what is drawn for intervals: enough that their number
/// makes no difference, and few enough that hundreds of groups take seconds and megabytes.
const MAX_STRETCHES: usize = 512;

/// How many portions there are.
const PORTIONS: usize = Portion::ALL.len();

/// The figures of a group: the seconds of each portion and of all, and the share of each.
const FIGURES: usize = 2 * PORTIONS + 1;

/// A mean over operations, and between which ends it is, 95 times in 100. No ends where too few rounds carry any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// The lower and the upper end.
    pub ends: Option<(f64, f64)>,
}

/// What the time of the operations of a group went to.
#[derive(Debug, Clone)]
pub struct Spent {
    /// What they have in common, one value for each dimension.
    pub common: Vec<String>,
    /// Publications or lookups.
    pub kind: OperationKind,
    /// How many traces stand for how many operations.
    pub stands_for: [StandsFor; Layer::ALL.len()],
    /// Seconds of an operation.
    pub seconds: Estimate,
    /// What they went to: seconds of an operation, and the share of the time.
    pub portions: [(Portion, Estimate, Estimate); PORTIONS],
}

/// Adds up what the time of operations went to.
#[derive(Debug)]
pub struct Spending {
    by: Vec<Dimension>,
    nodes: BTreeMap<NodeId, ArchivedNode>,
    groups: BTreeMap<(Vec<String>, OperationKind), Stretches>,
    not_asked: NotAsked,
    unread: u64,
}

/// A group and what is known of it, or why nothing is.
pub type Named<T> = (Vec<String>, OperationKind, Result<T, Unrepresented>);

impl Spending {
    /// Groups by these dimensions, and always by kind.
    pub fn new(by: Vec<Dimension>, nodes: BTreeMap<NodeId, ArchivedNode>) -> Self {
        Self { by, nodes, groups: BTreeMap::new(), not_asked: NotAsked::default(), unread: 0 }
    }

    /// Counts an operation in, whether it has a trace or not.
    pub fn count(&mut self, sampled: &SampledOperation) {
        let all_looks = self.by.contains(&Dimension::Probe);
        if let Some(stratum) = self.not_asked.sift(sampled, all_looks) {
            self.cell(sampled, stratum).tally.all += 1.0;
        }
    }

    /// Adds the trace of an operation that was counted; none if it cannot be read.
    pub fn add(&mut self, sampled: &SampledOperation, trace: Option<&Trace>) {
        let all_looks = self.by.contains(&Dimension::Probe);
        let Some(stratum) = NotAsked::default().sift(sampled, all_looks) else { return };
        let Some(trace) = trace else {
            self.unread += 1;
            return;
        };
        let cell = self.cell(sampled, stratum);
        cell.tally.kept += 1.0;
        for (sum, seconds) in cell.seconds.iter_mut().zip(portions(trace)) {
            *sum += seconds;
        }
    }

    fn cell(&mut self, sampled: &SampledOperation, stratum: Stratum) -> &mut Cell {
        let operation = &sampled.operation;
        let node = self.nodes.get(&operation.node);
        let common =
            self.by.iter().map(|dimension| dimension.value(operation.started, operation.probe, node)).collect();
        self.groups.entry((common, operation.kind)).or_default().cell(operation.round, stratum)
    }

    /// How many operations are not asked about.
    pub fn not_asked(&self) -> NotAsked {
        self.not_asked
    }

    /// How many traces were kept and cannot be read.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// The groups in the order of their names, publications before lookups.
    pub fn finish(self) -> Vec<Named<Spent>> {
        let spent = |((common, kind), stretches): ((Vec<String>, _), Stretches)| {
            let spent = stretches.spent(&common, kind);
            (common, kind, spent)
        };
        self.groups.into_iter().map(spent).collect()
    }
}

/// What was added up of one stratum in one stretch of time.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    tally: Tally,
    seconds: [f64; PORTIONS],
}

impl Cell {
    fn add(&mut self, other: &Self, times: f64) {
        self.tally.all += times * other.tally.all;
        self.tally.kept += times * other.tally.kept;
        for (sum, seconds) in self.seconds.iter_mut().zip(&other.seconds) {
            *sum += times * seconds;
        }
    }
}

/// The rounds of a group, joined to stretches of time that are twice as long whenever there are too many.
#[derive(Debug, Default)]
struct Stretches {
    /// How many of the lower bits of the milliseconds do not tell stretches apart.
    joined: u32,
    seen: BTreeSet<u64>,
    cells: BTreeMap<(u64, Stratum), Cell>,
}

impl Stretches {
    fn cell(&mut self, round: RoundId, stratum: Stratum) -> &mut Cell {
        // What comes before the milliseconds' end of a UUID of version 7 is sixteen bits that order nothing.
        let millis = round_number(round) >> 16;
        self.seen.insert(millis >> self.joined);
        while self.seen.len() > MAX_STRETCHES {
            self.join();
        }
        self.cells.entry((millis >> self.joined, stratum)).or_default()
    }

    fn join(&mut self) {
        self.joined += 1;
        self.seen = self.seen.iter().map(|stretch| stretch >> 1).collect();
        for ((stretch, stratum), cell) in std::mem::take(&mut self.cells) {
            self.cells.entry((stretch >> 1, stratum)).or_default().add(&cell, 1.0);
        }
    }

    fn spent(self, common: &[String], kind: OperationKind) -> Result<Spent, Unrepresented> {
        let group = Group::of(&self);
        let once = vec![1.0; group.stretches];
        let values = group.figures(&once)?;
        let ends =
            group.carries_ends().then(|| intervals(group.stretches, |drawn| group.figures(drawn).ok())).flatten();
        let estimate = |figure: usize| Estimate { value: values[figure], ends: ends.map(|ends| ends[figure]) };
        let place = |portion: Portion| portion as usize;
        Ok(Spent {
            common: common.to_vec(),
            kind,
            stands_for: StandsFor::of(self.cells.iter().map(|((_, stratum), cell)| (stratum.layer, cell.tally))),
            seconds: estimate(PORTIONS),
            portions: Portion::ALL
                .map(|portion| (portion, estimate(place(portion)), estimate(PORTIONS + 1 + place(portion)))),
        })
    }
}

/// A group as drawing needs it.
#[derive(Debug)]
struct Group {
    strata: Vec<Stratum>,
    stretches: usize,
    /// Stretch, stratum, and what was added up.
    cells: Vec<(usize, usize, Cell)>,
}

impl Group {
    fn of(stretches: &Stretches) -> Self {
        let strata: Vec<_> =
            stretches.cells.keys().map(|(_, stratum)| *stratum).collect::<BTreeSet<_>>().into_iter().collect();
        let places: BTreeMap<_, _> = stretches.seen.iter().zip(0..).collect();
        let cell = |((stretch, stratum), cell): (&(u64, Stratum), &Cell)| {
            let stratum = strata.binary_search(stratum).unwrap_or_default();
            (places.get(stretch).copied().unwrap_or_default(), stratum, *cell)
        };
        let cells = stretches.cells.iter().map(cell).collect();
        Self { strata, stretches: places.len(), cells }
    }

    /// Whether enough stretches have a trace that was drawn, or are there at all if none had to be.
    fn carries_ends(&self) -> bool {
        let of = |layer: Layer, kept: bool| {
            let cells = self.cells.iter().filter(|(_, stratum, _)| self.strata[*stratum].layer == layer);
            let cells = cells.filter(|(.., cell)| !kept || cell.tally.kept > 0.0);
            cells.map(|(stretch, ..)| *stretch).collect::<BTreeSet<_>>().len()
        };
        let is_drawn = of(Layer::Ordinary, false) == 0 || of(Layer::Ordinary, true) >= MIN_ROUNDS;
        self.stretches >= MIN_ROUNDS && is_drawn
    }

    /// The figures if each stretch is there so many times.
    fn figures(&self, drawn: &[f64]) -> Result<[f64; FIGURES], Unrepresented> {
        let mut sums = vec![Cell::default(); self.strata.len()];
        for (stretch, stratum, cell) in &self.cells {
            if drawn[*stretch] > 0.0 {
                sums[*stratum].add(cell, drawn[*stretch]);
            }
        }
        let tallies: Vec<_> = sums.iter().map(|sum| sum.tally).collect();
        let mut weights = vec![0.0; sums.len()];
        weigh(&self.strata, &tallies, &mut weights)?;
        let all: f64 = tallies.iter().map(|tally| tally.all).sum();
        let mut figures = [0.0; FIGURES];
        let (seconds, rest) = figures.split_at_mut(PORTIONS);
        for (sum, weight) in sums.iter().zip(&weights) {
            for (of_all, of_stratum) in seconds.iter_mut().zip(&sum.seconds) {
                *of_all += weight * of_stratum / all;
            }
        }
        let (whole, shares) = rest.split_at_mut(1);
        whole[0] = seconds.iter().sum();
        for (share, seconds) in shares.iter_mut().zip(seconds) {
            *share = if whole[0] > 0.0 { *seconds / whole[0] } else { 0.0 };
        }
        Ok(figures)
    }
}

#[cfg(test)]
mod tests;
