//! Two groups against each other.

use std::collections::BTreeMap;

use thiserror::Error;

use super::blocks::Blocks;
use super::change::Change;
use super::holm::holm;
use super::interval::CONFIDENCE;
use super::plan::rounds_to_decide;
use super::resample::{Group, MIN_ROUNDS, Prepared, RESAMPLES, draw, generator};
use super::sample::Taken;
use super::{Figure, Interval, Sample, Verdict};

/// How many draws each figure takes, so that the smallest p-value, times the number of figures (Holm), stays well below 0.05.
const DRAWS_FOR_A_FIGURE: usize = 100;

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// By how much times may differ and still count as equal: 0.05 for 5 %. At 0 nothing counts as equal.
    pub margin: f64,
    /// The same of success rates, as a difference: 0.01 for a percentage point.
    pub success_margin: f64,
    /// How often rounds are drawn.
    pub resamples: usize,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { margin: 0.05, success_margin: 0.01, resamples: RESAMPLES }
    }
}

/// Why two groups cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CompareError {
    /// A group has too few rounds.
    #[error("{a} and {b} rounds can be compared; it takes {MIN_ROUNDS} in each group")]
    TooFewRounds {
        /// Rounds of the first group, in strata that both groups have.
        a: usize,
        /// The same of the second.
        b: usize,
    },
}

/// What the comparison of one figure says of `b` against `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// What is compared.
    pub figure: Figure,
    /// `b` divided by `a`. Of times only; infinite where `b` alone fails that often.
    pub ratio: Option<Interval>,
    /// `b` minus `a`: in seconds, or as a difference of shares.
    pub difference: Interval,
    /// How likely a difference like this is where there is none, corrected for the number of questions that were asked.
    pub p: f64,
    /// What that comes to.
    pub verdict: Verdict,
    /// How many rounds of each group would probably decide it, if it is not decided.
    pub rounds_to_decide: Option<u64>,
}

/// One figure before the verdict.
struct Raw {
    change: Change,
    margin: f64,
    p: f64,
    rounds: f64,
}

/// Compares pairs of groups, `b` with `a` in each. Figures that one of the two does not carry are left out of the answer, and so are
/// quantiles at which both fail: neither was measured.
///
/// For times, rounds are drawn with replacement (10,000 times unless told otherwise; a round of both groups for both at once), and the
/// interval is that of the drawn figures. Success rates have Newcombe's interval of two independent groups. Within a pair every
/// stratum (region) weighs the same in both groups, and one that only one group has is left out
/// ([`Sample::in_strata_of`]). The p-values are corrected for all figures of all pairs with Holm's method.
///
/// # Errors
/// For each pair of its own, if it has too few rounds.
pub fn compare(pairs: &[(&Sample, &Sample)], how: Comparison) -> Vec<Result<Vec<Compared>, CompareError>> {
    // The more is asked at once, the smaller a p-value has to be, and the more draws it takes to tell it from zero.
    let how = Comparison { resamples: how.resamples.max(DRAWS_FOR_A_FIGURE * Figure::ALL.len() * pairs.len()), ..how };
    let raw: Vec<_> = pairs.iter().map(|(a, b)| raw(a, b, how)).collect();
    let p: Vec<f64> = raw.iter().flatten().flatten().map(|raw| raw.p).collect();
    let questions = p.len();
    let mut corrected = holm(&p).into_iter();
    let mut judge = |raw: Raw| {
        let p = corrected.next().unwrap_or(1.0);
        let Raw { change, margin, rounds, .. } = raw;
        let scale = change.scale();
        let verdict = Verdict::new(scale, p, margin);
        let open = verdict == Verdict::Inconclusive;
        let rounds_to_decide = if open { rounds_to_decide(scale, margin, rounds, questions) } else { None };
        let (ratio, difference) = (change.ratio(CONFIDENCE), change.difference(CONFIDENCE));
        Compared { figure: change.figure, ratio, difference, p, verdict, rounds_to_decide }
    };
    raw.into_iter().map(|pair| Ok(pair?.into_iter().map(&mut judge).collect())).collect()
}

fn raw(a: &Sample, b: &Sample, how: Comparison) -> Result<Vec<Raw>, CompareError> {
    let (changes, rounds) = of_pair(a, b, how.resamples)?;
    let raw = |change: Change| {
        let margin = if change.figure.quantile().is_some() { how.margin.ln_1p() } else { how.success_margin };
        Raw { margin, p: change.p(), change, rounds }
    };
    Ok(changes.into_iter().map(raw).collect())
}

/// How the figures of `b` differ from those of `a`, by so many draws of rounds. Figures that one of the two does not carry are left out,
/// and so are quantiles at which both fail.
///
/// # Errors
/// If there are too few rounds.
pub fn changes(a: &Sample, b: &Sample, resamples: usize) -> Result<Vec<Change>, CompareError> {
    Ok(of_pair(a, b, resamples)?.0)
}

/// The same, with how many rounds in each group would say as much.
fn of_pair(a: &Sample, b: &Sample, resamples: usize) -> Result<(Vec<Change>, f64), CompareError> {
    let (a, b) = (a.in_strata_of(b), b.in_strata_of(a));
    let pair = Pair::new(&a, &b)?;
    let measured = |q: f64| {
        let (a, b) = (a.quantile(q)?, b.quantile(q)?);
        (a.value.succeeded() || b.value.succeeded()).then_some(q)
    };
    let quantiles: Vec<(Figure, f64)> =
        Figure::ALL.into_iter().filter_map(|figure| Some((figure, measured(figure.quantile()?)?))).collect();
    let mut all = pair.quantiles(&quantiles, resamples);
    all.extend(pair.success(&a, &b));
    Ok((all, pair.rounds))
}

/// Two groups of the same strata, with weights.
struct Pair {
    blocks: Blocks,
    a: Group,
    b: Group,
    /// As many rounds in each group would say as much as these together.
    rounds: f64,
}

impl Pair {
    fn new(a: &Sample, b: &Sample) -> Result<Self, CompareError> {
        let (rounds_a, rounds_b) = (a.counts().rounds, b.counts().rounds);
        if rounds_a.min(rounds_b) < MIN_ROUNDS {
            return Err(CompareError::TooFewRounds { a: rounds_a, b: rounds_b });
        }
        let (in_a, in_b) = (strata(a.taken()), strata(b.taken()));
        let (due_a, due_b) = (a.counts().due, b.counts().due);
        let blocks = Blocks::of(a, b);
        // Every stratum gets the share that it has of both groups together, divided by the one that it has of its own group.
        let weigh = |own: &BTreeMap<u32, usize>, n: usize| {
            let share = |stratum| (in_a[&stratum] + in_b[&stratum]) as f64 / (due_a + due_b) as f64;
            let weight = |(stratum, count): (&u32, &usize)| (*stratum, share(*stratum) / (*count as f64 / n as f64));
            let weights: BTreeMap<u32, f64> = own.iter().map(weight).collect();
            move |taken: &Taken| weights[&taken.stratum]
        };
        let group_a = Group::new(a, &blocks, weigh(&in_a, due_a));
        let group_b = Group::new(b, &blocks, weigh(&in_b, due_b));
        let (rounds_a, rounds_b) = (rounds_a as f64, rounds_b as f64);
        // The error of a difference comes from the smaller group above all.
        let rounds = 2.0 * rounds_a * rounds_b / (rounds_a + rounds_b);
        Ok(Self { a: group_a, b: group_b, blocks, rounds })
    }

    fn quantiles(&self, figures: &[(Figure, f64)], resamples: usize) -> Vec<Change> {
        let prepared: Vec<(Prepared, Prepared)> =
            figures.iter().map(|(_, q)| (self.a.prepare(*q), self.b.prepare(*q))).collect();
        let mut rng = generator();
        let mut drawn = vec![1.0; self.blocks.count()];
        let both = |at: usize, drawn: &[f64]| {
            (self.a.quantile(&prepared[at].0, drawn), self.b.quantile(&prepared[at].1, drawn))
        };
        let values: Vec<_> = (0..figures.len()).map(|at| both(at, &drawn)).collect();
        let mut samples = vec![Vec::with_capacity(resamples); figures.len()];
        for _ in 0..resamples {
            draw(&self.blocks, &mut rng, &mut drawn);
            for (at, sample) in samples.iter_mut().enumerate() {
                sample.push(both(at, &drawn));
            }
        }
        let drawn = figures.iter().zip(values).zip(samples);
        drawn.map(|(((figure, _), value), samples)| Change::of_times(*figure, value, &samples)).collect()
    }

    fn success(&self, a: &Sample, b: &Sample) -> Option<Change> {
        let share = |group: &Group, sample: &Sample| {
            Some((group.success_rate, sample.success()?.effective_n * group.evenness()))
        };
        Some(Change::of_success(share(&self.a, a)?, share(&self.b, b)?))
    }
}

fn strata(taken: &[Taken]) -> BTreeMap<u32, usize> {
    let mut strata = BTreeMap::new();
    for taken in taken {
        *strata.entry(taken.stratum).or_default() += 1;
    }
    strata
}

#[cfg(test)]
mod tests;
