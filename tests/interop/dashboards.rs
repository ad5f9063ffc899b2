//! The files in `deploy/` that show and watch what parsec counts, read as text: no Prometheus and no Grafana is needed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::exposition;
use crate::observed::{ours, read};

/// How many columns a dashboard has.
const COLUMNS: u64 = 24;

/// Every dashboard, with its path.
pub(crate) fn dashboards() -> Vec<(String, Value)> {
    let folder = "deploy/grafana/dashboards";
    let files = std::fs::read_dir(ours(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths: BTreeSet<_> =
        files.map(|file| format!("{folder}/{}", file.unwrap().file_name().to_str().unwrap())).collect();
    let parse = |path: String| {
        let dashboard = serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (path, dashboard)
    };
    paths.into_iter().map(parse).collect()
}

/// The panels of a dashboard, rows left out.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// What a panel asks for.
pub(crate) fn expressions(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap())
}

/// Everything in a text that looks like one of our series.
fn series_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| ["parsec_", "process_"].iter().any(|prefix| word.starts_with(prefix));
    words.filter(ours).map(str::to_owned).collect()
}

fn assert_known(what: &str, text: &str) {
    let known: BTreeSet<_> =
        exposition::all().chain(exposition::SOMETIMES).flat_map(|metric| metric.series()).collect();
    let unknown: Vec<_> = series_in(text).into_iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{what} asks for what nobody shows: {unknown:?}");
}

#[test]
fn every_series_that_a_dashboard_or_an_alert_asks_for_is_one_that_we_show() {
    for (path, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            expressions(panel).for_each(|expression| assert_known(&format!("{path}: {}", panel["title"]), expression));
        }
        assert_known(&path, &dashboard["templating"].to_string());
    }
    for path in ["deploy/prometheus/alerts.yml", "deploy/prometheus/alerts_test.yml"] {
        assert_known(path, &read(path));
    }
}

#[test]
fn every_metric_is_looked_at_by_somebody() {
    let shown: String = dashboards().iter().map(|(_, dashboard)| dashboard.to_string()).collect();
    let shown = series_in(&shown);
    let unseen = exposition::all().filter(|metric| metric.series().iter().all(|name| !shown.contains(name)));
    assert_eq!(unseen.map(|metric| metric.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    let mut names = BTreeSet::new();
    for (path, dashboard) in dashboards() {
        assert!(names.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{path}: another one has its uid");
        let mut ids = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap();
            let is_question = title.contains('?') && names.insert(title.to_owned());
            assert!(is_question, "{path}: `{title}` is no question, or another panel's");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: {title}: another panel has its id");
            let description = panel["description"].as_str().unwrap_or_default();
            assert!(description.len() > 20, "{path}: {title} says nothing of itself");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{path}: {title} has no unit");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{path}: {title}");
            for target in panel["targets"].as_array().unwrap() {
                let is_labelled = target["legendFormat"] != "" || panel["type"] == "table";
                assert!(is_labelled, "{path}: {title}: a line without a name");
            }
        }
    }
}

#[test]
fn panels_fill_their_rows_and_do_not_overlap() {
    for (path, dashboard) in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            let (x, y, width, height) = (at("x"), at("y"), at("w"), at("h"));
            assert!(x + width <= COLUMNS, "{path}: {}", panel["title"]);
            for cell in (x..x + width).flat_map(|column| (y..y + height).map(move |row| (column, row))) {
                assert!(taken.insert(cell), "{path}: {} overlaps", panel["title"]);
            }
        }
    }
}

#[test]
fn every_variable_of_an_expression_is_declared_and_every_declared_one_used() {
    for (path, dashboard) in dashboards() {
        let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
        let declared: BTreeSet<_> = variables.map(|variable| variable["name"].as_str().unwrap().to_owned()).collect();
        let text: String = dashboard["panels"].to_string();
        let used: BTreeSet<_> = text
            .split('$')
            .skip(1)
            .map(|rest| rest.trim_start_matches('{'))
            .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>())
            .filter(|name| !name.starts_with("__"))
            .collect();
        assert_eq!(used, declared, "{path}");
    }
}

/// The alerts, each with its text.
fn alerts() -> Vec<(String, String)> {
    let text = read("deploy/prometheus/alerts.yml");
    let split = text.split("- alert: ").skip(1);
    split.map(|alert| (alert.lines().next().unwrap().to_owned(), alert.to_owned())).collect()
}

#[test]
fn every_alert_says_what_is_wrong_what_it_means_and_what_to_do() {
    let alerts = alerts();
    assert!(alerts.len() >= 12, "{} alerts", alerts.len());
    for (name, text) in alerts {
        for part in ["expr:", "severity:", "summary:", "description:", "action:"] {
            assert_eq!(text.matches(&format!(" {part}")).count(), 1, "{name}: {part}");
        }
    }
}

#[test]
fn every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let text = read("deploy/prometheus/alerts_test.yml");
    for (name, _) in alerts() {
        let asked = format!("expr: ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}}");
        let cases: Vec<_> =
            text.split("- expr: ").filter(|case| asked.ends_with(case.lines().next().unwrap())).collect();
        let silent = cases.iter().filter(|case| case.contains("exp_samples: []")).count();
        assert_eq!((silent, cases.len() - silent), (1, 1), "{name}");
    }
}

#[test]
fn prometheus_and_grafana_find_what_they_are_given() {
    assert!(read("deploy/prometheus/prometheus.yml").contains("rule_files: [alerts.yml]"));
    let source = read("deploy/grafana/provisioning/datasources/prometheus.yaml");
    assert!(source.contains("type: prometheus") && source.contains("url: http://prometheus:9090"), "{source}");
    let provider = read("deploy/grafana/provisioning/dashboards/parsec.yaml");
    assert!(provider.contains("path: /var/lib/grafana/dashboards"), "{provider}");
}
