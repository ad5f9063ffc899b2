//! How some groups compare with one of them, a sentence each: no ratio without its interval, and none that too few measurements carry.

use parsec_measure::OperationKind;
use parsec_results::statistics::{
    CompareError, Compared, Comparison, Figure, Interval, MIN_ROUNDS, Sample, Verdict, compare,
};

use crate::words::times;

/// What the others are compared with.
#[derive(Debug)]
pub(crate) struct Baseline<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What was measured of it.
    pub(crate) sample: &'a Sample,
    /// What repeats: `rounds`, `networks`.
    pub(crate) units: &'a str,
}

/// A line for each of the others, each with a line break before it.
pub(crate) fn verdicts(kind: OperationKind, baseline: &Baseline<'_>, others: &[(&str, &Sample)]) -> String {
    let pairs: Vec<_> = others.iter().map(|(_, other)| (baseline.sample, *other)).collect();
    let compared = compare(&pairs, Comparison::default());
    let lines = others.iter().zip(compared).map(|((name, _), compared)| line(kind, baseline, name, compared));
    lines.map(|line| format!("\n{line}")).collect()
}

fn line(
    kind: OperationKind,
    Baseline { name: baseline, units, .. }: &Baseline<'_>,
    name: &str,
    compared: Result<Vec<Compared>, CompareError>,
) -> String {
    let (does, does_it) = match kind {
        OperationKind::Provide => ("publishes", "publish"),
        OperationKind::Retrieve => ("finds", "find"),
    };
    let compared = match compared {
        Ok(compared) => compared,
        Err(CompareError::TooFewRounds { a, b }) => {
            return format!(
                "how fast {name} {does} is not compared with {baseline} after {b} and {a} {units}: it takes {MIN_ROUNDS} of each"
            );
        }
    };
    let ratio = |figure: Figure| {
        let found = compared.iter().find(|compared| compared.figure == figure)?;
        found.ratio.map(|ratio| (ratio, found.verdict))
    };
    let Some((Interval { value, low, high }, verdict)) = ratio(Figure::P50) else {
        return format!(
            "how fast {name} {does} is not compared with {baseline}: too few of them carry a p50, or both fail that often"
        );
    };
    let told = match verdict {
        Verdict::Better => format!("{does} faster than"),
        Verdict::Worse => format!("{does} slower than"),
        Verdict::Equal => format!("{does} as fast as"),
        Verdict::Inconclusive => format!("is not shown to {does_it} faster or slower than"),
    };
    let p90 = ratio(Figure::P90)
        .map(|(Interval { value, low, high }, _)| format!(", p90 {}x ({}–{})", times(value), times(low), times(high)));
    let p50 = format!("p50 is {}x as long (95 %: {}–{})", times(value), times(low), times(high));
    format!("{name} {told} {baseline}: {p50}{}", p90.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::OutcomeClass;
    use parsec_results::statistics::Observation;

    use super::*;

    fn sample(first: u64, rounds: u64, ms: u64) -> Sample {
        let observation = |round: u64| Observation {
            round: first + round,
            stratum: 0,
            class: OutcomeClass::Ok,
            duration: Duration::from_millis(ms + 10 * (round % 7)),
        };
        (0..rounds).map(observation).collect()
    }

    fn told(kind: OperationKind, rounds: u64, baseline: u64, other: u64) -> String {
        let (baseline, other) = (sample(0, rounds, baseline), sample(0, rounds, other));
        let baseline = Baseline { name: "classic", sample: &baseline, units: "networks" };
        verdicts(kind, &baseline, &[("optprov", &other)])
    }

    #[test]
    fn a_ratio_has_an_interval_or_is_not_there() {
        let faster = told(OperationKind::Provide, 40, 900, 300);
        assert!(
            faster.starts_with("\noptprov publishes faster than classic: p50 is 0.35x as long (95 %: 0.3"),
            "{faster}"
        );
        assert!(faster.contains(", p90 0.3"), "{faster}");
        let slower = told(OperationKind::Retrieve, 40, 300, 900);
        assert!(slower.starts_with("\noptprov finds slower than classic: p50 is 2.82x as long (95 %: 2."), "{slower}");
        let alike = told(OperationKind::Provide, 40, 900, 901);
        assert!(alike.starts_with("\noptprov publishes as fast as classic: p50 is 1.00x"), "{alike}");
        let few = told(OperationKind::Provide, 2, 900, 300);
        assert_eq!(
            few,
            "\nhow fast optprov publishes is not compared with classic after 2 and 2 networks: it takes 10 of each"
        );
    }
}
