//! How much attempts say that were made in the same rounds.

/// The fewest rounds whose variance is believed. Of fewer, each counts as one witness: that they happen to agree says nothing of the next.
const FEWEST_ROUNDS: f64 = 10.0;

/// How many independent yes-or-no answers say as much as these, which are given as `(yes, all)` per round.
///
/// From the variance between rounds (Kish's design effect, "Survey Sampling", 1965). Never more than there are: rounds that agree too
/// well to be true are luck.
pub(super) fn effective_n(rounds: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let (count, yes, n) =
        rounds.clone().fold((0.0_f64, 0.0, 0.0), |(count, yes, n), (some, all)| (count + 1.0, yes + some, n + all));
    let share = yes / n;
    let independent = share * (1.0 - share) / (n - 1.0).max(1.0);
    if count < FEWEST_ROUNDS || independent <= 0.0 {
        // A few rounds are a few rounds; and where all agree, each round is still only one witness to what its attempts share.
        return count.min(n);
    }
    let between: f64 = rounds.map(|(some, all)| (some - share * all).powi(2)).sum();
    let observed = count / (count - 1.0) * between / (n * n);
    (n / (observed / independent).max(1.0)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_that_are_copies_of_each_other_count_once_per_round() {
        let rounds = (0..200).map(|round| (if round % 3 == 0 { 7.0 } else { 0.0 }, 7.0));
        let n = effective_n(rounds);
        assert!((190.0..=205.0).contains(&n), "{n}");
    }

    #[test]
    fn answers_alone_in_their_rounds_count_fully() {
        let rounds = (0..200).map(|round| (f64::from(u8::from(round % 3 == 0)), 1.0));
        assert!((effective_n(rounds) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn rounds_that_all_agree_count_as_rounds() {
        assert_eq!(effective_n((0..9).map(|_| (5.0, 5.0))), 9.0);
    }

    #[test]
    fn a_few_rounds_count_as_few_however_much_was_measured_in_each() {
        let rounds = |count: u64| (0..count).map(|_| (50.0, 100.0));
        assert_eq!(effective_n(rounds(9)), 9.0);
        assert_eq!(effective_n(rounds(10)), 1_000.0);
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_there_are(rounds in proptest::collection::vec((0..9u8, 1..9u8), 1..60)) {
            let rounds = rounds.into_iter().map(|(some, all)| (f64::from(some.min(all)), f64::from(all)));
            let n: f64 = rounds.clone().map(|(_, all)| all).sum();
            let effective = effective_n(rounds);
            prop_assert!((1.0..=n).contains(&effective), "{effective} of {n}");
        }
    }
}
