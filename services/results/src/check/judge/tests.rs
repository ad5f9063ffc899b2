use std::time::Duration;

use parsec_measure::OutcomeClass;
use proptest::prelude::*;

use super::*;
use crate::check::Crossing;
use crate::statistics::{Observation, Reading};

/// So many rounds of one attempt; every `fails`-th ran into a limit of a minute.
fn sample(first: u64, rounds: u64, ms: u64, fails: u64) -> Sample {
    let observation = |round: u64| {
        let failed = fails > 0 && round.is_multiple_of(fails);
        let (class, ms) =
            if failed { (OutcomeClass::Timeout, 60_000) } else { (OutcomeClass::Ok, ms + 10 * (round % 17)) };
        Observation { round: first + round, stratum: 0, class, duration: Duration::from_millis(ms) }
    };
    (0..rounds).map(observation).collect()
}

/// Each limit with its attempts and their baseline, checked at once.
fn check(limits: &[(&str, &Sample, Option<&Sample>)]) -> Vec<Judged> {
    let of = |(text, sample, baseline): &(&str, &Sample, Option<&Sample>)| {
        let subject = Subject { sample: Sample::clone(sample), ..Subject::default() };
        (text.parse::<Threshold>().unwrap(), subject, baseline.cloned())
    };
    let limits: Vec<_> = limits.iter().map(of).collect();
    let asked = limits.iter();
    let asked = asked.map(|(threshold, subject, baseline)| Asked { threshold, subject, baseline: baseline.as_ref() });
    judge(&asked.collect::<Vec<_>>())
}

fn judged(text: &str, sample: &Sample) -> Judged {
    check(&[(text, sample, None)]).remove(0)
}

fn verdict(text: &str, sample: &Sample) -> Judgement {
    judged(text, sample).judgement
}

#[test]
fn a_limit_is_crossed_if_the_whole_interval_is_on_the_wrong_side() {
    let sample = sample(0, 200, 1_000, 0);
    for (text, expected) in [
        ("provide.p50 > 500ms", Judgement::Crossed),
        ("provide.p50 > 2s", Judgement::Passed),
        ("provide.p50 > 1.08s", Judgement::Inconclusive),
        ("provide.p50 < 2s", Judgement::Crossed),
        ("provide.p50 < 500ms", Judgement::Passed),
        ("failures > 10%", Judgement::Passed),
        ("failures > 1%", Judgement::Inconclusive),
        ("success < 99%", Judgement::Inconclusive),
        ("success < 50%", Judgement::Passed),
        ("success >= 90%", Judgement::Crossed),
    ] {
        assert_eq!(verdict(text, &sample), expected, "{text}: {:?}", judged(text, &sample).found);
    }
}

#[test]
fn failures_take_longer_than_any_limit() {
    let sample = sample(0, 400, 1_000, 4);
    assert_eq!(verdict("provide.p50 > 2s", &sample), Judgement::Passed);
    assert_eq!(verdict("provide.p90 > 2s", &sample), Judgement::Crossed);
    assert_eq!(verdict("provide.p90 > 900s", &sample), Judgement::Crossed, "a quarter never comes to an end");
    assert_eq!(verdict("failures > 15%", &sample), Judgement::Crossed);
    assert_eq!(verdict("failures > 25%", &sample), Judgement::Inconclusive);
    let Ok(Found::Time(p90)) = judged("provide.p90 > 2s", &sample).found else { panic!("400 attempts carry a p90") };
    assert_eq!(p90.value, Reading::MoreThan(60.0));
}

#[test]
fn too_few_attempts_decide_nothing_and_say_how_many_would() {
    let judged = judged("provide.p99 > 1ms", &sample(0, 40, 1_000, 0));
    assert_eq!((judged.judgement, judged.found), (Judgement::Inconclusive, Err(Undecided::TooFew(Some(368)))));
    assert_eq!((judged.due, judged.rounds, judged.succeeded), (40, 40, 40));
}

#[test]
fn the_baseline_is_what_a_change_is_measured_by() {
    let (before, slower) = (sample(0, 200, 1_000, 0), sample(1_000, 200, 1_300, 0));
    let against = |text: &str, now: &Sample| check(&[(text, now, Some(&before))])[0].judgement;
    assert_eq!(against("provide.p50 > +10%", &slower), Judgement::Crossed);
    assert_eq!(against("provide.p50 > +200ms", &slower), Judgement::Crossed);
    assert_eq!(against("provide.p90 > +50%", &slower), Judgement::Passed);
    assert_eq!(against("provide.p50 > +28%", &slower), Judgement::Inconclusive);
    assert_eq!(against("failures > +5pp", &slower), Judgement::Passed);
    assert_eq!(against("failures > +5pp", &sample(1_000, 200, 1_000, 3)), Judgement::Crossed);
    assert_eq!(against("success < -5pp", &sample(1_000, 200, 1_000, 3)), Judgement::Crossed);
    let few = sample(1_000, 3, 1_000, 0);
    let judged = check(&[("provide.p50 > +10%", &few, Some(&before))]).remove(0);
    assert!(matches!(judged.found, Err(Undecided::NotCompared(_))), "{judged:?}");
    assert_eq!(judged.judgement, Judgement::Inconclusive);
}

#[test]
fn what_one_limit_is_sure_enough_of_many_are_not() {
    // 13 of 100 failed: between 7.8 % and 21 % with 95 %, from 6.6 % on with 99.5 %.
    let sample = sample(0, 100, 1_000, 8);
    let (alone, kept) = (("failures > 7%", &sample, None), ("provide.p50 > 9s", &sample, None));
    let judged = check(&[alone]).remove(0);
    assert_eq!((judged.judgement, judged.confidence, judged.beyond), (Judgement::Crossed, 0.95, true));
    let judged = check(&[&[alone][..], &[kept; 9]].concat());
    assert_eq!((judged[0].judgement, judged[0].beyond), (Judgement::Inconclusive, true));
    assert!((judged[0].confidence - 0.995).abs() < 1e-12, "{}", judged[0].confidence);
    assert_eq!(judged[1].judgement, Judgement::Passed, "who passes needs 95 % in any company");
    // What is crossed beyond doubt leaves fewer to be wrong about.
    let judged = check(&[&[alone][..], &[("provide.p50 > 1ms", &sample, None); 9]].concat());
    assert_eq!((judged[0].judgement, judged[0].confidence), (Judgement::Crossed, 0.95));
    assert!((judged[1].confidence - 0.995).abs() < 1e-12, "{}", judged[1].confidence);
}

#[test]
fn limits_of_the_same_change_agree_with_each_other() {
    let (before, now) = (sample(0, 100, 1_000, 0), sample(1_000, 100, 1_300, 0));
    let limits = ["provide.p50 > +10%", "provide.p50 > +200ms", "provide.p50 > +10%"];
    let judged = check(&limits.map(|text| (text, &now, Some(&before))));
    assert!(judged.iter().all(|judged| judged.judgement == Judgement::Crossed), "{judged:?}");
    assert_eq!(judged[0].found, judged[2].found);
    assert_eq!(judged[0].found, check(&[(limits[0], &now, Some(&before))])[0].found, "nor does their number matter");
}

#[test]
fn where_everything_failed_no_number_of_limits_hides_it() {
    let sample = sample(0, 40, 1_000, 1);
    let judged = check(&[("provide.p90 > 10s", &sample, None); 20]);
    assert!(judged.iter().all(|judged| judged.judgement == Judgement::Crossed), "{judged:?}");
}

fn crossing() -> impl Strategy<Value = Crossing> {
    prop_oneof![Just(Crossing::Above), Just(Crossing::AtLeast), Just(Crossing::Below), Just(Crossing::AtMost)]
}

proptest! {
    /// Whatever the interval: a verdict is given only if every value in it agrees with it.
    #[test]
    fn every_value_in_the_interval_agrees_with_the_verdict(
        ends in (0.0..10.0f64, 0.0..10.0f64), limit in 0.0..10.0f64, crossing in crossing(), part in 0.0..=1.0f64,
    ) {
        let (low, high) = (ends.0.min(ends.1), ends.0.max(ends.1));
        let threshold = Threshold { crossing, limit: Limit::Seconds(limit), ..("provide.p50 > 1s".parse::<Threshold>().unwrap()) };
        let between = low + part * (high - low);
        match judgement(&threshold, (low, high)) {
            Judgement::Crossed => prop_assert!(crossing.crosses(between, limit)),
            Judgement::Passed => prop_assert!(!crossing.crosses(between, limit)),
            Judgement::Inconclusive => {
                prop_assert!(crossing.crosses(low, limit) != crossing.crosses(high, limit));
            }
        }
    }

    /// More than and not more than, less than and not less than: of the same data, one is crossed exactly if the other passes.
    #[test]
    fn opposite_limits_have_opposite_verdicts(
        ms in 10..3_000u64, rounds in 5..120u64, fails in 0..9u64, limit in 1..4_000u32,
    ) {
        let sample = sample(0, rounds, ms, fails);
        for (one, other) in [(">", "<="), ("<", ">=")] {
            let [one, other] = [one, other].map(|crossing| verdict(&format!("provide.p50 {crossing} {limit}ms"), &sample));
            let expected = match one {
                Judgement::Crossed => Judgement::Passed,
                Judgement::Passed => Judgement::Crossed,
                Judgement::Inconclusive => Judgement::Inconclusive,
            };
            prop_assert_eq!(other, expected);
        }
    }

    /// Whoever adds a limit may lose certainty of others, and never makes one crossed.
    #[test]
    fn a_limit_that_is_added_makes_no_other_one_crossed(
        limits in proptest::collection::vec((0..3usize, 0..40u32, 10..120u64, 0..9u64), 1..8),
    ) {
        let samples: Vec<_> = limits.iter().map(|(_, _, rounds, fails)| sample(0, *rounds, 1_000, *fails)).collect();
        let text = |(what, limit, ..): &(usize, u32, u64, u64)| match what {
            0 => format!("provide.p50 > {}ms", 980 + 5 * limit),
            1 => format!("provide.p90 > {}ms", 1_000 + 5 * limit),
            _ => format!("failures > {limit}%"),
        };
        let texts: Vec<_> = limits.iter().map(text).collect();
        let all: Vec<_> = texts.iter().zip(&samples).map(|(text, sample)| (text.as_str(), sample, None)).collect();
        let with_more = check(&all);
        for (fewer, more) in check(&all[..all.len() - 1]).iter().zip(&with_more) {
            prop_assert_eq!(fewer.found, more.found);
            match fewer.judgement {
                Judgement::Passed => prop_assert_eq!(more.judgement, Judgement::Passed),
                Judgement::Crossed => prop_assert_ne!(more.judgement, Judgement::Passed),
                Judgement::Inconclusive => prop_assert_eq!(more.judgement, Judgement::Inconclusive),
            }
        }
    }
}
