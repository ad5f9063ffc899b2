use parsec_measure::OutcomeClass;
use parsec_results::statistics::{Comparison, Observation, Sample, compare};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::chart::Times;
use crate::compared::{Pair, Pairs};
use crate::recorded::testing::recorded;
use crate::spent::testing;
use chrono::{DateTime, TimeDelta};
use parsec_measure::{ArchivedRounds, OperationKind, RoundOutcome, StoredOperation, TracedRequest};
use parsec_results::testing::{at as at_ms, request, trace};
use parsec_results::{self as results, Change, Changed, Configured, Group, MeasuredWith, Spent, Whose};

fn sample(first: u64, rounds: u64, ms: u64) -> Sample {
    let observation = |round: u64| Observation {
        round: first + round,
        stratum: 0,
        class: if round.is_multiple_of(20) { OutcomeClass::Timeout } else { OutcomeClass::Ok },
        duration: Duration::from_micros(1_000 * ms + 1_301 * (round * 7_919 % 1_009)),
    };
    (0..rounds).map(observation).collect()
}

/// Seven days of three fleets in seven regions.
fn measurements(strange: &str) -> Measurements {
    let fleets = ["default", "optprov", strange];
    let regions = ["us-east-1", "us-west-1", "eu-central-1", "sa-east-1", "af-south-1", "ap-southeast-2", "me-south-1"];
    let kinds = OperationKind::ALL;
    let since = DateTime::from_timestamp(1_795_046_400, 0).unwrap();
    let group = |common: Vec<String>, kind, index: usize, n| Group {
        common,
        kind,
        sample: sample(0, n, 500 + 150 * index as u64),
    };
    let over = |seconds: &[String], n: u64| -> Vec<Group> {
        let all = fleets.iter().flat_map(|fleet| seconds.iter().map(move |second| (fleet, second)));
        let all = all.enumerate().flat_map(|(index, (fleet, second))| {
            kinds.map(|kind| group(vec![(*fleet).to_owned(), second.clone()], kind, index % 7, n))
        });
        all.collect()
    };
    let by_fleet: Vec<_> = fleets
        .iter()
        .enumerate()
        .flat_map(|(index, fleet)| kinds.map(|kind| group(vec![(*fleet).to_owned()], kind, index, 2_000)))
        .collect();
    let pair = |a: &Group, b: &Group| {
        let compared =
            compare(&[(&a.sample, &b.sample)], Comparison { resamples: 300, ..Comparison::default() }).remove(0);
        let compared = compared.map_err(|error| error.to_string());
        Pair {
            common: String::new(),
            kind: a.kind,
            samples: (a.sample.clone(), b.sample.clone()),
            left_out: 0,
            compared,
        }
    };
    let pairs = Pairs {
        names: ("default".to_owned(), "optprov".to_owned()),
        by: String::new(),
        pairs: vec![pair(&by_fleet[0], &by_fleet[2])],
    };
    let before = Pairs {
        names: ("before".to_owned(), "now".to_owned()),
        by: "fleet".to_owned(),
        pairs: vec![Pair { common: "default".to_owned(), ..pair(&by_fleet[0], &by_fleet[0]) }],
    };
    let days: Vec<_> = (0..7).map(|day| (since + TimeDelta::days(day)).format("%F").to_string()).collect();
    Measurements {
        since,
        until: since + TimeDelta::days(7),
        made: since + TimeDelta::days(7),
        version: "0.1.0".to_owned(),
        used: vec!["12000 attempts of postgres://reader@db/parsec.".to_owned()],
        servers: fleets
            .iter()
            .flat_map(|fleet| regions.map(|region| (((*fleet).to_owned(), region.to_owned()), 1)))
            .collect(),
        with: measured_with(strange),
        by_region: over(&regions.map(str::to_owned), 300),
        by_day: over(&days, 300),
        by_fleet,
        spent: spent(&fleets),
        spent_without: "; 3 left out: say nothing about the DHT".to_owned(),
        slowest: vec![slow(), slow(), slow(), slow()],
        slowest_unread: 2,
        records: vec![],
        incidents: Err("it was not asked for".to_owned()),
        rounds: ArchivedRounds { played: [(Some(RoundOutcome::Complete), 2_000)].into(), skipped: 3, unread: 0 },
        fleets: vec![pairs],
        before: Some(before),
        margins: (0.05, 0.01),
        times: Times::FromZero,
    }
}

/// Two fleets, of which one was changed, and their scheduler.
fn measured_with(strange: &str) -> MeasuredWith {
    let settings = |version: &[&str]| {
        let versions = version.iter().map(|version| (*version).to_owned()).collect();
        BTreeMap::from([
            ("version".to_owned(), versions),
            ("strategy".to_owned(), BTreeSet::from([strange.to_owned()])),
            ("--alpha".to_owned(), ["3", "4", "5", "6"].map(str::to_owned).into()),
        ])
    };
    let first = DateTime::from_timestamp(1_795_132_800, 0).unwrap();
    let changed = |name: &str, from: Option<&str>, to: Option<&str>| Changed {
        name: name.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    let default = Whose::Servers("default".to_owned());
    MeasuredWith {
        configured: vec![
            Configured { whose: default.clone(), count: 14, settings: settings(&["0.1.0", "0.2.0"]) },
            Configured { whose: Whose::Servers(strange.to_owned()), count: 7, settings: settings(&["0.1.0"]) },
            Configured {
                whose: Whose::Scheduler(format!("default+{strange}")),
                count: 1,
                settings: [("interval".to_owned(), BTreeSet::from(["1m".to_owned()]))].into(),
            },
        ],
        changes: vec![Change {
            whose: default,
            first,
            last: first + TimeDelta::minutes(20),
            regions: ["eu".to_owned(), "us".to_owned()].into(),
            settings: vec![
                changed("--cold", Some("true"), None),
                changed("network", None, Some("/ipfs/kad/1.0.0")),
                changed("version", Some("0.1.0"), Some("0.2.0")),
            ],
        }],
    }
}

/// What lookups of each fleet spent their time on.
fn spent(fleets: &[&str]) -> Vec<results::Named<Spent>> {
    let (_, kind, spent) = testing::groups().remove(0);
    fleets.iter().map(|fleet| (vec![(*fleet).to_owned()], kind, spent.clone())).collect()
}

/// A lookup of many requests.
fn slow() -> StoredOperation {
    let request = |at: u64| TracedRequest {
        dialled: at_ms(100 * at + 1),
        connected: at_ms(100 * at + 123),
        opened: at_ms(100 * at + 234),
        written: at_ms(100 * at + 235),
        ..request(&format!("12D3KooWGfEFjBNPyaYWB7ZfA2HMeENWeLb8cePWCTS4AdD{at:05}"), 100 * at, 100 * at + 3_000)
    };
    recorded(trace(9_000, (0..60).map(request).collect()))
}

fn is_well_formed(html: &str) {
    let body = html.split_once("<body>").unwrap().1.split_once("</html>").unwrap().0;
    let whole = format!("<body>{body}");
    let mut reader = quick_xml::Reader::from_str(&whole);
    reader.config_mut().check_end_names = true;
    while !matches!(reader.read_event().unwrap_or_else(|error| panic!("{error}")), quick_xml::events::Event::Eof) {}
}

#[test]
fn three_fleets_in_seven_regions_for_seven_days_fit_in_a_file_that_can_be_mailed() {
    let html = report(&measurements("fullrt")).html();
    assert!(html.len() < 500_000, "{} bytes", html.len());
    is_well_formed(&html);
}

#[test]
fn nothing_runs_and_nothing_is_loaded() {
    let html = report(&measurements("<script>alert(1)</script>")).html();
    is_well_formed(&html);
    let lower = html.to_lowercase();
    assert!(!lower.contains("<script") && !lower.contains("onclick"));
    assert!(lower.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    let links = html.split("href=\"").skip(1).map(|rest| &rest[..5]);
    assert!(links.into_iter().all(|link| link.starts_with('#') || link == "data:"));
    assert!(!html.contains("src=\""));
}

#[test]
fn a_verdict_has_its_interval_and_a_tile_its_n() {
    let markdown = report(&measurements("fullrt")).markdown();
    assert!(markdown.contains("- publications: optprov is slower than default at p50, 1."), "{markdown}");
    assert!(markdown.contains("### Publications of default\n\n- p50: **"), "{markdown}");
    assert!(markdown.contains("n = 2000; as in the period before"), "{markdown}");
    assert!(markdown.contains("| default | provide | timeout | 100 | 2000 | 5.0 % ("), "{markdown}");
}

#[test]
fn versions_and_configuration_are_told_and_when_they_changed() {
    let markdown = report(&measurements("fullrt")).markdown();
    for part in [
        "| what was said | servers of default | servers of fullrt | scheduler of default+fullrt |\n",
        "| how many | 14 | 7 | 1 |\n| version | 0.1.0, 0.2.0 | 0.1.0 | – |\n| strategy | fullrt | fullrt | – |\n| interval | – | – | 1m |\n\
         | --alpha | 4 values | 4 values | – |\n",
        "- From 2026-11-20 00:00 UTC to 00:20 UTC, servers of default in 2 regions: --cold is no longer said (it was true); network is /ipfs/kad/1.0.0 \
         (it was not said before); version is 0.2.0 (it was 0.1.0).",
    ] {
        assert!(markdown.contains(part), "no `{part}` in {markdown}");
    }
    let same = Measurements { with: MeasuredWith { changes: vec![], ..measured_with("") }, ..measurements("fullrt") };
    assert!(report(&same).markdown().contains("Nothing of this changed"));
    let silent = Measurements { with: MeasuredWith::default(), ..measurements("fullrt") };
    assert!(report(&silent).html().contains("They do not say with which versions and configuration they ran."));
}

#[test]
fn what_n_does_not_carry_is_named_and_not_shown() {
    let mut few = measurements("fullrt");
    few.by_fleet =
        vec![Group { common: vec!["default".to_owned()], kind: OperationKind::Provide, sample: sample(0, 30, 100) }];
    let markdown = report(&few).markdown();
    assert!(markdown.contains("default provide: 30 due attempts do not carry p90 or p99."), "{markdown}");
    assert!(!markdown.contains("- p99: **"), "{markdown}");
}

#[test]
fn what_stands_behind_the_figures_is_shown_with_how_many_it_is_of() {
    let markdown = report(&measurements("fullrt")).markdown();
    for part in [
        "default: 53 % silent peers, 47 % hops of the lookup;",
        "Weighed: 120 traces stand for 300 operations",
        "### Lookup of default in eu-central-1: ok after 9.00 s",
        "operation 01890a5d-ac96-774b-bcce-b302099a8057.",
        "\n3 left out: say nothing about the DHT.\n",
        "28 requests are not drawn.",
        "2 more of them are not drawn: this version cannot read what was recorded.",
        "No record was looked for after its publication.",
        "What happened meanwhile is not known: it was not asked for.",
    ] {
        assert!(markdown.contains(part), "no `{part}` in {markdown}");
    }
}

#[test]
fn strange_text_breaks_no_table() {
    let markdown = report(&measurements("a|b\n<img>")).markdown();
    assert!(markdown.contains("a\\|b &lt;img>"), "{markdown}");
}
