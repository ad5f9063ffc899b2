//! Limits, and whether measurements keep them: for people, for issue trackers, for programs, for CI systems.

use std::collections::BTreeMap;

use comfy_table::Table;
use parsec_measure::harmless;
use parsec_results::check::{Found, Judged, Judgement, Limit, Measured, Undecided};
use parsec_results::statistics::{CONFIDENCE, Interval, MIN_ROUNDS};
use serde_json::{Value, json};

use crate::junit::{self, Case, Outcome};
use crate::{compared, groups, table, words};

/// How much of a limit's text is repeated in a line for GitHub.
const MAX_SHOWN_CHARS: usize = 300;

/// Limits that were judged.
#[derive(Debug)]
pub struct Checked {
    /// In the order in which they were given.
    pub limits: Vec<Judged>,
}

impl Checked {
    /// What became of all of them together: crossed if one is, else inconclusive if one is.
    pub fn judgement(&self) -> Judgement {
        let has = |wanted| self.limits.iter().any(|judged| judged.judgement == wanted);
        match (has(Judgement::Crossed), has(Judgement::Inconclusive)) {
            (true, _) => Judgement::Crossed,
            (false, true) => Judgement::Inconclusive,
            (false, false) => Judgement::Passed,
        }
    }

    /// For people, on a terminal.
    pub fn text(&self) -> String {
        format!("{}\n\n{}", table::plain(self.table()), self.summary())
    }

    /// For issue trackers, and for the summary of a job.
    pub fn markdown(&self) -> String {
        format!("{}\n\n{}", table::markdown(self.table()), self.summary())
    }

    /// For programs.
    pub fn document(&self) -> Value {
        let limit = |judged: &Judged| {
            json!({
                "limit": judged.threshold.to_string(),
                "judgement": judged.judgement,
                "found": judged.found.ok().map(value),
                "why": why(judged),
                "confidence": judged.confidence,
                "due": judged.due,
                "succeeded": judged.succeeded,
                "rounds": judged.rounds,
                "fleets": judged.fleets,
                "not_due": judged.unsaid,
            })
        };
        let limits: Vec<_> = self.limits.iter().map(limit).collect();
        json!({ "judgement": self.judgement(), "limits": limits })
    }

    /// For CI systems: each limit is a test.
    pub fn junit(&self) -> String {
        let case = |judged: &Judged| {
            let outcome = match judged.judgement {
                Judgement::Passed => Outcome::Passed,
                Judgement::Crossed => Outcome::Failed(sentence(judged)),
                Judgement::Inconclusive => Outcome::Undecided(sentence(judged)),
            };
            Case { name: judged.threshold.to_string(), outcome }
        };
        junit::document("parsec check", &self.limits.iter().map(case).collect::<Vec<_>>())
    }

    /// For GitHub Actions: a line for each limit that did not pass.
    pub fn annotations(&self) -> Vec<String> {
        let line = |judged: &Judged| {
            let level = match judged.judgement {
                Judgement::Passed => return None,
                Judgement::Crossed => "error",
                Judgement::Inconclusive => "warning",
            };
            let text = format!("{}: {}", judged.threshold, sentence(judged));
            Some(format!("::{level} title=parsec check::{}", of_github(&harmless(&text, MAX_SHOWN_CHARS))))
        };
        self.limits.iter().filter_map(line).collect()
    }

    /// Which limits are about several fleets together, which somebody may have overlooked: a line for each such set of fleets.
    pub fn mixed(&self) -> Vec<String> {
        let mut of: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        for judged in self.limits.iter().filter(|judged| judged.fleets.len() > 1) {
            let fleets = judged
                .fleets
                .iter()
                .map(|(fleet, due)| format!("{} (n {due})", harmless(fleet, MAX_SHOWN_CHARS)))
                .collect();
            of.entry(fleets).or_default().push(judged.threshold.to_string());
        }
        let line = |(fleets, limits): (Vec<String>, Vec<String>)| {
            let (are, limits) = (if limits.len() == 1 { "is" } else { "are" }, limits.join("; "));
            format!("{limits}: {are} about several fleets together, {}; {{fleet=NAME}} names one", fleets.join(", "))
        };
        of.into_iter().map(line).collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.set_header(["", "limit", "found", "attempts"]);
        for judged in &self.limits {
            let found =
                judged.found.as_ref().map_or_else(|_| why(judged).unwrap_or_default(), |found| told(judged, found));
            let attempts = format!("{} in {} rounds", judged.due, judged.rounds);
            table.add_row([name(judged.judgement).to_owned(), judged.threshold.to_string(), found, attempts]);
        }
        table
    }

    fn summary(&self) -> String {
        let count = |wanted| self.limits.iter().filter(|judged| judged.judgement == wanted).count();
        let (crossed, open) = (count(Judgement::Crossed), count(Judgement::Inconclusive));
        let counts = format!("{} kept, {crossed} crossed, {open} inconclusive", count(Judgement::Passed));
        // The table has what was found in the place of why it decides nothing.
        let open = self.limits.iter().filter(|judged| judged.found.is_ok());
        let open = open.filter_map(|judged| Some(format!("\n{}: {}", judged.threshold, why(judged)?)));
        let at_once = match self.limits.len() {
            0 | 1 => String::new(),
            limits => format!(
                "\nIntervals: 95 %. To call one of {limits} limits crossed takes {} (Holm's correction): by chance, at most one check in 20 does.",
                words::set_percent(1.0 - (1.0 - CONFIDENCE) / limits as f64)
            ),
        };
        let limits = words::count(self.limits.len(), "limit", "limits");
        format!("{limits}: {counts}{}{at_once}", open.collect::<String>())
    }
}

fn name(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Passed => "kept",
        Judgement::Crossed => "CROSSED",
        Judgement::Inconclusive => "inconclusive",
    }
}

/// What was found, in words: the value and its 95 % interval.
fn told(judged: &Judged, found: &Found) -> String {
    match found {
        Found::Time(quantile) => groups::quantile(Some(*quantile), " "),
        Found::Share(interval) => words::share_interval(*interval, " "),
        Found::Change(interval) => change(judged, *interval),
    }
}

/// A difference from the baseline, in the unit of the limit.
fn change(judged: &Judged, Interval { value, low, high }: Interval) -> String {
    let (factor, unit, digits) = match (judged.threshold.limit, judged.threshold.metric.measured) {
        (Limit::Longer(_), _) => (100.0, "%", 1),
        (_, Measured::Quantile(_)) => (1.0, "s", 3),
        _ => (100.0, "pp", 1),
    };
    let number = |number: f64| match number {
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "−∞".to_owned(),
        number => words::signed(factor * number, digits),
    };
    format!("{} {unit} ({} to {}) against the baseline", number(value), number(low), number(high))
}

/// Why nothing was decided, if it was not.
fn why(judged: &Judged) -> Option<String> {
    let why = match &judged.found {
        Ok(_) if judged.judgement == Judgement::Inconclusive && judged.beyond => {
            return Some(format!(
                "all of the 95 % interval is beyond the limit, and with so many limits it takes {}; more rounds may decide",
                words::set_percent(judged.confidence)
            ));
        }
        Ok(_) if judged.judgement == Judgement::Inconclusive => {
            return Some("the limit lies within the 95 % interval; more rounds may decide".to_owned());
        }
        Ok(_) => return None,
        Err(why) => why,
    };
    Some(match why {
        Undecided::NothingDue => format!("none of {} attempts says anything about the DHT", judged.unsaid),
        Undecided::TooFew(Some(needed)) => format!("too few attempts: it takes about {needed} independent ones"),
        Undecided::TooFew(None) => "too few attempts".to_owned(),
        Undecided::NotCompared(error) => error.to_string(),
        Undecided::NoQuantile => format!(
            "one of the two has too few attempts for it, or both fail that often; at least {MIN_ROUNDS} rounds of each are compared"
        ),
    })
}

/// What became of a limit, in a sentence.
fn sentence(judged: &Judged) -> String {
    let found = judged.found.as_ref().map(|found| told(judged, found));
    let attempts = format!("{} attempts in {} rounds", judged.due, judged.rounds);
    match (found, why(judged)) {
        (Ok(found), Some(why)) => format!("{}: {found}, {attempts}: {why}", name(judged.judgement)),
        (Ok(found), None) => format!("{}: {found}, {attempts}", name(judged.judgement)),
        (Err(_), why) => format!("{}: {attempts}: {}", name(judged.judgement), why.unwrap_or_default()),
    }
}

/// JSON has no infinity; a failure is longer than any time.
fn value(found: Found) -> Value {
    match found {
        Found::Time(quantile) => {
            let [value, low, high] = [quantile.value, quantile.low, quantile.high].map(groups::for_programs);
            json!({ "value": value, "low": low, "high": high })
        }
        Found::Share(found) | Found::Change(found) => compared::interval(found),
    }
}

/// The text of a command of GitHub's runner: a line break would end it.
fn of_github(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use parsec_measure::OutcomeClass;
    use parsec_results::check::{Asked, Subject, judge};
    use parsec_results::statistics::{Observation, Sample};

    use std::time::Duration;

    use super::*;

    fn sample(first: u64, rounds: u64, ms: u64) -> Sample {
        let observation = |round: u64| Observation {
            round: first + round,
            stratum: 0,
            class: if round.is_multiple_of(10) { OutcomeClass::Timeout } else { OutcomeClass::Ok },
            duration: Duration::from_millis(ms + round % 17),
        };
        (0..rounds).map(observation).collect()
    }

    fn checked() -> Checked {
        let (before, now) = (sample(0, 300, 1_000), sample(1_000, 300, 1_300));
        let limits = ["provide.p50{fleet=optprov} > 2s", "provide.p50 > +10%", "failures > 9%", "provide.p99.9 > 2s"];
        let limits = limits.map(|text| text.parse::<parsec_results::check::Threshold>().unwrap());
        let of = |fleets: &[(&str, usize)]| Subject {
            sample: now.clone(),
            fleets: fleets.iter().map(|(fleet, due)| ((*fleet).to_owned(), *due)).collect(),
        };
        let (one, two) = (of(&[("optprov", 300)]), of(&[("default", 100), ("optprov", 200)]));
        let asked = limits.iter().zip([&one, &two, &two, &one]);
        let asked = asked.map(|(threshold, subject)| Asked { threshold, subject, baseline: Some(&before) });
        Checked { limits: judge(&asked.collect::<Vec<_>>()) }
    }

    #[test]
    fn people_see_each_limit_with_what_was_found() {
        let text = checked().markdown();
        let rows: Vec<_> = text.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
        assert_eq!(rows[2][1..3], ["kept", "provide.p50{fleet=optprov} > 2s"]);
        assert!(rows[2][3].starts_with("1.31 s (1.31–1.31)") || rows[2][3].starts_with("1.31 s"), "{:?}", rows[2]);
        assert_eq!(rows[3][1..3], ["CROSSED", "provide.p50 > +10%"]);
        assert!(rows[3][3].starts_with("+29.") && rows[3][3].ends_with(") against the baseline"), "{:?}", rows[3]);
        assert_eq!((rows[4][1], &rows[4][3][..6]), ("inconclusive", "10.0 %"));
        assert_eq!(rows[5][1], "inconclusive");
        assert!(rows[5][3].starts_with("too few attempts: it takes about 36"), "{:?}", rows[5]);
        let summary =
            "4 limits: 1 kept, 1 crossed, 2 inconclusive\nfailures > 9%: the limit lies within the 95 % interval";
        assert!(text.contains(summary), "{text}");
    }

    #[test]
    fn people_see_how_sure_one_has_to_be_of_several_limits() {
        let text = checked().text();
        let said = "To call one of 4 limits crossed takes 98.75 % (Holm's correction): by chance, at most one check in 20 does.";
        assert!(text.ends_with(said), "{text}");
        let alone = Checked { limits: checked().limits[..1].to_vec() };
        assert!(!alone.text().contains("Holm"), "{}", alone.text());
        let mut nearly = checked().limits[2].clone();
        (nearly.beyond, nearly.confidence) = (true, 0.995);
        let said =
            "failures > 9%: all of the 95 % interval is beyond the limit, and with so many limits it takes 99.5 %";
        assert!(Checked { limits: vec![nearly] }.text().contains(said));
    }

    #[test]
    fn limits_of_several_fleets_are_named_with_how_much_each_has_of_them() {
        let said = "provide.p50 > +10%; failures > 9%: are about several fleets together, default (n 100), optprov (n 200); {fleet=NAME} names one";
        assert_eq!(checked().mixed(), [said]);
        assert_eq!(checked().document()["limits"][1]["fleets"], json!({ "default": 100, "optprov": 200 }));
        assert_eq!(checked().document()["limits"][1]["confidence"], 0.9875);
    }

    #[test]
    fn one_crossed_limit_outweighs_all_others() {
        let with = |of: &[usize]| Checked { limits: of.iter().map(|at| checked().limits[*at].clone()).collect() };
        assert_eq!(checked().judgement(), Judgement::Crossed);
        assert_eq!(with(&[0, 2]).judgement(), Judgement::Inconclusive);
        assert_eq!(with(&[0]).judgement(), Judgement::Passed);
    }

    #[test]
    fn programs_get_the_ends_of_the_interval() {
        let document = checked().document();
        assert_eq!(
            (&document["judgement"], &document["limits"][1]["judgement"]),
            (&json!("crossed"), &json!("crossed"))
        );
        assert!(document["limits"][1]["found"]["low"].as_f64().unwrap() > 0.1, "{document}");
        assert_eq!((&document["limits"][3]["found"], &document["limits"][0]["due"]), (&Value::Null, &json!(300)));
    }

    #[test]
    fn a_ci_system_sees_a_test_for_each_limit() {
        let junit = checked().junit();
        assert!(junit.contains(r#"<testsuite name="parsec check" tests="4" failures="1" errors="2">"#), "{junit}");
        assert!(junit.contains(r#"name="provide.p50 &gt; +10%""#), "{junit}");
    }

    #[test]
    fn github_is_told_in_lines_of_its_own_what_did_not_pass() {
        let annotations = checked().annotations();
        assert_eq!(annotations.len(), 3);
        assert!(
            annotations[0].starts_with("::error title=parsec check::provide.p50 > +10%25: CROSSED: +29."),
            "{annotations:?}"
        );
        assert!(
            annotations[1].starts_with("::warning title=parsec check::failures > 9%25: inconclusive: 10.0 %25"),
            "{annotations:?}"
        );
        assert_eq!(of_github("100%\r\n::error::"), "100%25%0D%0A::error::");
    }
}
