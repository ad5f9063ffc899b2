//! Which operations the traces that were kept stand for.
//!
//! A scheduler keeps the traces of all failures and of the slowest, and draws some of the others: whoever adds traces up as they are
//! describes failures. Here each trace counts for as many operations as it stands for (W. G. Cochran, "Sampling Techniques", 1977, chapter 5A: a
//! sample that is stratified after it was drawn). The strata are those in which all traces are kept with the same chance: failures, the slowest, and
//! the others, of each loop of rounds apart, which keeps the same share from its start to its end. Which share that was
//! need not be known: how many operations there are of a stratum and of how many the trace is at hand is known, and says more, because it is what
//! came of the draw.

use std::collections::BTreeMap;

use parsec_measure::{OperationKind, OutcomeClass, SampledOperation, SchedulerId, WhyKept};
use serde::Serialize;

use crate::statistics::reading;

/// Operations whose traces are kept for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Those that failed: all are kept.
    Failed,
    /// Those among the slowest when they ended: all are kept.
    Slow,
    /// The others: some are drawn.
    Ordinary,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 3] = [Self::Failed, Self::Slow, Self::Ordinary];

    /// Its name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Slow => "slow",
            Self::Ordinary => "ordinary",
        }
    }

    fn of(sampled: &SampledOperation) -> Self {
        match (sampled.operation.class, sampled.why_kept) {
            (OutcomeClass::Ok, Some(WhyKept::Slow)) => Self::Slow,
            (OutcomeClass::Ok, _) => Self::Ordinary,
            _ => Self::Failed,
        }
    }
}

/// Operations whose traces are kept with the same chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stratum {
    pub(crate) layer: Layer,
    scheduler: SchedulerId,
}

/// How many operations there are, and of how many the trace is at hand.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) all: f64,
    pub(crate) kept: f64,
}

/// How many operations of a layer there are, and how many traces stand for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StandsFor {
    /// The layer.
    pub layer: Layer,
    /// How many traces were read.
    pub traces: u64,
    /// How many operations they stand for.
    pub operations: u64,
}

impl StandsFor {
    pub(crate) fn of(tallies: impl Iterator<Item = (Layer, Tally)> + Clone) -> [Self; Layer::ALL.len()] {
        Layer::ALL.map(|layer| {
            let of_layer = tallies.clone().filter(|(of, _)| *of == layer);
            let (all, kept) = of_layer.fold((0.0, 0.0), |(all, kept), (_, tally)| (all + tally.all, kept + tally.kept));
            Self { layer, traces: kept as u64, operations: all as u64 }
        })
    }
}

/// There are operations in a layer, and no trace of any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{operations} {} no trace: {}", if *operations == 1 { "operation has" } else { "operations have" }, match layer {
    Layer::Failed => "none is there of those that failed",
    Layer::Slow => "none is there of the slowest",
    Layer::Ordinary => "traces of ordinary operations are kept for a sample only; raise `--trace-sample` of the scheduler",
})]
pub struct Unrepresented {
    /// The layer.
    pub layer: Layer,
    /// How many operations.
    pub operations: u64,
}

/// For how many operations each trace of a stratum stands. A stratum without a trace is stood for by the others of its layer.
///
/// # Errors
/// If there is no trace in a layer that has operations.
pub(crate) fn weigh(strata: &[Stratum], tallies: &[Tally], weights: &mut [f64]) -> Result<(), Unrepresented> {
    for layer in Layer::ALL {
        let of_layer =
            || strata.iter().zip(tallies).filter(|(stratum, _)| stratum.layer == layer).map(|(_, tally)| *tally);
        let all: f64 = of_layer().map(|tally| tally.all).sum();
        let represented: f64 = of_layer().filter(|tally| tally.kept > 0.0).map(|tally| tally.all).sum();
        if all > 0.0 && represented <= 0.0 {
            return Err(Unrepresented { layer, operations: all as u64 });
        }
        for ((stratum, tally), weight) in strata.iter().zip(tallies).zip(weights.iter_mut()) {
            if stratum.layer == layer {
                *weight = if tally.kept > 0.0 { tally.all / tally.kept * (all / represented) } else { 0.0 };
            }
        }
    }
    Ok(())
}

/// Operations that are not asked about, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotAsked {
    /// Lookups that a server answered from its own records: no DHT was measured.
    pub from_own_records: u64,
    /// Later looks of a server at the same key, which find warm connections.
    pub later_looks: u64,
    /// Attempts that say nothing about the DHT.
    pub unsaid: u64,
    /// Operations of servers that do not tell what they did.
    pub untold: u64,
}

impl NotAsked {
    /// The stratum of an operation, or its place among what is not asked about.
    pub(crate) fn sift(&mut self, sampled: &SampledOperation, all_looks: bool) -> Option<Stratum> {
        let operation = &sampled.operation;
        let reason = if operation.from_own_records {
            &mut self.from_own_records
        } else if operation.probe > 0 && !all_looks {
            &mut self.later_looks
        } else if reading(operation.class, operation.duration).is_none() {
            &mut self.unsaid
        } else if !sampled.is_told {
            &mut self.untold
        } else {
            return Some(Stratum { layer: Layer::of(sampled), scheduler: sampled.scheduler });
        };
        *reason += 1;
        None
    }
}

/// For how many operations each trace stands, learnt from all operations.
#[derive(Debug, Default)]
pub struct Sampling {
    strata: BTreeMap<(OperationKind, Stratum), (Tally, f64)>,
    not_asked: NotAsked,
}

impl Sampling {
    /// Learns of one.
    pub fn count(&mut self, sampled: &SampledOperation) {
        if let Some(stratum) = self.not_asked.sift(sampled, false) {
            let (tally, _) = self.strata.entry((sampled.operation.kind, stratum)).or_default();
            tally.all += 1.0;
            tally.kept += f64::from(u8::from(sampled.why_kept.is_some()));
        }
    }

    /// To be called when all are counted.
    ///
    /// # Errors
    /// If there is no trace in a layer that has operations.
    pub fn weigh(&mut self) -> Result<(), Unrepresented> {
        for kind in OperationKind::ALL {
            let of_kind = self.strata.iter().filter(|((of, _), _)| *of == kind);
            let (strata, tallies): (Vec<_>, Vec<_>) =
                of_kind.map(|((_, stratum), (tally, _))| (*stratum, *tally)).unzip();
            let mut weights = vec![0.0; strata.len()];
            weigh(&strata, &tallies, &mut weights)?;
            for (stratum, weight) in strata.into_iter().zip(weights) {
                if let Some((_, known)) = self.strata.get_mut(&(kind, stratum)) {
                    *known = weight;
                }
            }
        }
        Ok(())
    }

    /// For how many operations the trace of this one stands; `None` if it is not asked about.
    pub fn weight(&self, sampled: &SampledOperation) -> Option<f64> {
        let stratum = NotAsked::default().sift(sampled, false)?;
        self.strata.get(&(sampled.operation.kind, stratum)).map(|(_, weight)| *weight)
    }

    /// How many operations there are.
    pub fn operations(&self) -> u64 {
        self.strata.values().map(|(tally, _)| tally.all).sum::<f64>() as u64
    }

    /// How many traces stand for how many operations.
    pub fn stands_for(&self) -> [StandsFor; Layer::ALL.len()] {
        StandsFor::of(self.strata.iter().map(|((_, stratum), (tally, _))| (stratum.layer, *tally)))
    }

    /// What is not asked about.
    pub fn not_asked(&self) -> NotAsked {
        self.not_asked
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stratum(layer: Layer, scheduler: i32) -> Stratum {
        Stratum { layer, scheduler: SchedulerId(scheduler) }
    }

    fn tally(all: f64, kept: f64) -> Tally {
        Tally { all, kept }
    }

    #[test]
    fn each_loop_of_rounds_has_the_share_that_it_kept() {
        let strata = [
            stratum(Layer::Failed, 1),
            stratum(Layer::Slow, 1),
            stratum(Layer::Ordinary, 1),
            stratum(Layer::Ordinary, 2),
        ];
        let mut weights = [0.0; 4];
        let tallies = [tally(7.0, 7.0), tally(3.0, 3.0), tally(900.0, 9.0), tally(100.0, 50.0)];
        weigh(&strata, &tallies, &mut weights).unwrap();
        assert_eq!(weights, [1.0, 1.0, 100.0, 2.0]);
        // A loop that has kept none of its own is stood for by the other one.
        let tallies = [tally(7.0, 7.0), tally(3.0, 3.0), tally(900.0, 0.0), tally(100.0, 50.0)];
        weigh(&strata, &tallies, &mut weights).unwrap();
        assert_eq!(weights, [1.0, 1.0, 0.0, 20.0]);
        let tallies = [tally(7.0, 7.0), tally(3.0, 3.0), tally(900.0, 0.0), tally(100.0, 0.0)];
        let error = weigh(&strata, &tallies, &mut weights).unwrap_err();
        let said = "1000 operations have no trace: traces of ordinary operations are kept for a sample only; raise `--trace-sample` of the scheduler";
        assert_eq!(error.to_string(), said);
        let one = Unrepresented { layer: Layer::Failed, operations: 1 };
        assert_eq!(one.to_string(), "1 operation has no trace: none is there of those that failed");
    }

    proptest! {
        #[test]
        fn traces_stand_for_all_operations_together(
            of in proptest::collection::vec((0..3usize, 0..4i32, 1..500u32, 0..=500u32), 1..12),
        ) {
            let mut known = BTreeMap::<Stratum, Tally>::new();
            for (layer, scheduler, all, kept) in of {
                known.insert(stratum(Layer::ALL[layer], scheduler), tally(f64::from(all), f64::from(kept.min(all))));
            }
            let (strata, tallies): (Vec<_>, Vec<_>) = known.into_iter().unzip();
            let mut weights = vec![0.0; strata.len()];
            if weigh(&strata, &tallies, &mut weights).is_ok() {
                let all: f64 = tallies.iter().map(|tally| tally.all).sum();
                let stood_for: f64 = tallies.iter().zip(&weights).map(|(tally, weight)| tally.kept * weight).sum();
                prop_assert!((all - stood_for).abs() < 1e-6 * all, "{stood_for} of {all}");
            }
        }
    }
}
