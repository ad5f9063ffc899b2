//! The report on a period, made by the real binary and opened in a real browser.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::TimeDelta;
use parsec_measure::{OperationKind, OutcomeClass};
use parsec_store::{NewNode, Row};
use serde_json::json;

use crate::explain::fill;
use crate::process::{Ended, Process, ask};
use crate::recorded::{self, beginning, identity, measured, node};
use crate::results::database;
use crate::stage::Stage;

/// The second day of the database, whose first is the period before.
const PERIOD: [&str; 4] = ["--since", "2026-09-22", "--until", "2026-09-23"];

async fn report(stage: &Stage, url: &str, more: &[&str]) -> Ended {
    ask(stage, &[&["report", "--database-url", url][..], more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_verdicts_figures_charts_failures_and_caveats_in_one_file() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("report.html");
    let ended = report(&stage, &file.url(), &[&PERIOD[..], &["-o", path.to_str().unwrap()]].concat()).await;
    assert_eq!((ended.code(), ended.err.trim().lines().count()), (0, 1), "{}", ended.err);
    let html = std::fs::read_to_string(&path).unwrap();
    for part in [
        "optprov is faster than default at p50",
        "Publications of optprov, by day",
        "timeout",
        "24 due attempts do not carry p90 or p99",
        "n = 24",
        "in the period before",
    ] {
        assert!(html.contains(part), "no `{part}` in\n{html}");
    }
    assert!(html.matches("<svg").count() > 10 && !html.contains("NaN"));
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

/// A fleet of one server, that a newer version took the place of within the second day; its loop of rounds goes on.
async fn released(url: &str) {
    let store = parsec_store::connect(&url.parse().unwrap()).await.unwrap();
    let (fleet, region) = ("canary", "eu-central-1");
    let fleets = fleet.parse().unwrap();
    let said = json!({ "interval": "1h", "probes": "1" });
    let scheduler = store.register_scheduler(&fleets, said, beginning()).await.unwrap();
    let mut servers = Vec::new();
    for (version, hours, cmd) in
        [("0.1.0", 0, "parsec server dht --alpha 3"), ("0.2.0", 24, "parsec server dht --peer-port 4002")]
    {
        let row = NewNode {
            dependencies: json!({ "package": "parsec", "version": version, "crates": { "libp2p": "0.57.1" } }),
            created_at: beginning() + TimeDelta::hours(hours),
            cmd: cmd.to_owned(),
            ..node(fleet, region)
        };
        servers.push(store.register_node(row).await.unwrap());
    }
    for hour in 0..48 {
        let at = beginning() + TimeDelta::hours(hour);
        let server = servers[usize::from(hour >= 24)];
        let round = recorded::round(identity(at, 77), scheduler, fleet, server, at);
        let result = measured(OutcomeClass::Ok, Duration::from_millis(900));
        let attempt = recorded::attempt(identity(at, 78), &round, server, OperationKind::Provide, result);
        store.record(&[Row::Round(round), Row::Attempt(attempt)]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_with_which_versions_and_configuration_and_when_they_changed() {
    let stage = Stage::begin();
    let (postgres, file) = (parsec_test_support::database().await, parsec_test_support::sqlite_file());
    for url in [postgres.url(), &file.url()] {
        database(url).await;
        released(url).await;
        let ended = report(&stage, url, &[&PERIOD[..], &["--format", "markdown"]].concat()).await;
        let text = ended.out.join("\n");
        for part in [
            "| what was said | servers of canary | servers of default | servers of optprov | scheduler of canary |",
            "\n| how many | 2 | 2 | 2 | 1 |",
            "\n| version | 0.1.0, 0.2.0 | 0.1.0 | 0.1.0 | – |",
            "\n| strategy | – | classic | optprov | – |",
            "\n| interval | – | – | – | 1h |",
            "\n- At 2026-09-22 14:13 UTC, servers of canary in eu-central-1: --alpha is no longer said (it was 3); version is 0.2.0 (it was 0.1.0).",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        let quiet = ["--fleet", "default", "--format", "markdown"];
        let ended = report(&stage, url, &[&PERIOD[..], &quiet].concat()).await;
        assert!(ended.out.iter().any(|line| line.starts_with("Nothing of this changed")), "{:?}", ended.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_for_an_issue_tracker_goes_to_stdout() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let ended = report(&stage, &file.url(), &[&PERIOD[..], &["--format", "markdown"]].concat()).await;
    assert_eq!((ended.code(), ended.err.as_str()), (0, ""));
    let text = ended.out.join("\n");
    assert!(text.starts_with("# What parsec measured\n") && text.contains("| fleet | kind | class |"), "{text}");
    assert!(!text.contains("<svg"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_shows_what_the_time_went_to_and_draws_the_slowest_operations() {
    let stage = Stage::begin();
    let (database, file) = (parsec_test_support::database().await, parsec_test_support::sqlite_file());
    for url in [database.url(), &file.url()] {
        fill(url).await;
        let ended = report(&stage, url, &["--since", "2026-09-21", "--until", "2026-09-22"]).await;
        assert_eq!((ended.code(), ended.err.as_str()), (0, ""));
        let html = ended.out.join("\n");
        for part in [
            "Publications: what the time went to",
            "dial time-outs",
            "48 of 120 operations traced",
            "Publication of default in eu-central-1: timeout after 61.1 s",
            "1 connected peer that never answered (…Silent)",
            "Bursts and shifts: 1 series of attempts",
        ] {
            assert!(html.contains(part), "no `{part}` in\n{html}");
        }
        assert!(!html.contains("198.51.100.7"), "addresses of others are nobody's business");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_made_is_one_sentence() {
    let (stage, file) = (Stage::begin(), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let output = ["--output", "/nowhere/report.html"];
    for (more, expected) in [
        (vec!["--since", "2020-01-01", "--until", "2020-01-02"], "no measurement is recorded"),
        (vec!["--since", "2026-09-23", "--until", "2026-09-22"], "nothing lies between"),
        ([&PERIOD[..], &output].concat(), "--output /nowhere/report.html: cannot be written: No such file"),
    ] {
        let ended = report(&stage, &file.url(), &more).await;
        assert_eq!(ended.code(), 1, "{more:?}: {}", ended.err);
        assert!(ended.err.contains(expected) && ended.err.trim().lines().count() == 1, "{more:?}: {}", ended.err);
    }
}

/// How long the test with a browser may take: a browser that starts for the first time reads hundreds of megabytes.
const WITH_A_BROWSER: Duration = Duration::from_secs(180);

/// Runs Chromium on a file without a window; returns what it wrote to stderr, where its console is.
async fn chromium(stage: &Stage, profile: &Path, words: &[&str], page: &Path) -> String {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]);
    command.arg(format!("--user-data-dir={}", profile.display())).args(words);
    command.arg(format!("file://{}", page.display()));
    let home = profile.to_str().expect("temporary directories have plain names");
    let ended = Process::run(stage, &[("HOME", home)], command).end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    ended.err
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromium), ignore = "needs Chromium (Debian package `chromium`)")]
async fn a_browser_opens_the_report_without_a_complaint_and_prints_it() {
    let (stage, file) = (Stage::lasting(WITH_A_BROWSER), parsec_test_support::sqlite_file());
    database(&file.url()).await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("report.html");
    let ended = report(&stage, &file.url(), &[&PERIOD[..], &["--output", path.to_str().unwrap()]].concat()).await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let (profile, print) = (place.path().join("browser"), place.path().join("report.pdf"));
    let said = chromium(&stage, &profile, &[&format!("--print-to-pdf={}", print.display())], &path).await;
    assert!(!said.contains("CONSOLE"), "{said}");
    assert!(std::fs::read(&print).unwrap().starts_with(b"%PDF-"));
}
