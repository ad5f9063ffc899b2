//! A real Prometheus among real processes: it reads what they show, evaluates the alerts, and answers what the dashboards ask.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;

use crate::dashboards::{dashboards, expressions, panels};
use crate::exposition;
use crate::http;
use crate::observed::{Observed, ours, read};
use crate::process::{Ended, Process};
use crate::stage::Stage;

/// How long reading every series and filling every panel may take: a quarter of a minute on a machine that does nothing else.
const EVERY_PANEL: Duration = Duration::from_secs(180);

/// What `promtool check metrics` says of names that the contract fixes.
const FIXED_BY_THE_CONTRACT: [&str; 2] = [
    r#"parsec_issued_provides counter metrics should have "_total" suffix"#,
    r#"parsec_issued_retrievals counter metrics should have "_total" suffix"#,
];

/// Grafana's variables, as this test fills them in: everything, over the minute that has passed.
const VARIABLES: [(&str, &str); 7] = [
    ("$__rate_interval", "1m"),
    ("$__range", "1m"),
    ("$fleet", ".*"),
    ("$region", ".*"),
    ("$instance", ".*"),
    ("$loop", ".*"),
    ("$datasource", "prometheus"),
];

/// A Prometheus that runs.
struct Prometheus {
    stage: Stage,
    process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts one with the configuration of `deploy/`, a shorter breath, and the targets of a deployment.
    async fn start(stage: &Stage, deployment: &Observed) -> Self {
        let directory = TempDir::new().expect("there is room for a directory");
        let Observed { servers: [one, other], scheduler, .. } = deployment;
        let mut config = read("deploy/prometheus/prometheus.yml");
        for (theirs, here) in [
            ("15s", "1s".to_owned()),
            ("server-1:6666", one.to_string()),
            ("server-2:6666", other.to_string()),
            ("scheduler:6666", scheduler.to_string()),
        ] {
            assert!(config.contains(theirs), "no {theirs} in {config}");
            config = config.replace(theirs, &here);
        }
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("prometheus.yml"), config).expect("a fresh directory is writable");
        std::fs::copy(ours("deploy/prometheus/alerts.yml"), path("alerts.yml")).expect("the alerts can be copied");
        let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let mut command = shell("exec \"$@\" 2>&1");
        command.args(["prometheus", "--web.listen-address=127.0.0.1:0"]);
        command.arg(flag("config.file", &path("prometheus.yml"))).arg(flag("storage.tsdb.path", &path("data")));
        let process = Process::run(stage, &[], command);
        let listening = |line: &str| {
            let address = line.split_once("msg=\"Listening on\" address=")?.1;
            address.split_whitespace().next()?.parse().ok()
        };
        let address = process.out("address of Prometheus", listening).await;
        let is_ready = |line: &str| line.contains("Server is ready to receive web requests").then_some(());
        process.out("Prometheus that is ready", is_ready).await;
        Self { stage: stage.clone(), process, address, _directory: directory }
    }

    /// What its API says; an error is a failure of the test.
    async fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Value {
        let url = Url::parse_with_params(&format!("http://{}/api/v1/{what}", self.address), parameters);
        let url = url.expect("a path and parameters make a URL");
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let reply = http::get(&self.stage, self.address, &path).await;
        assert_eq!(reply.status, 200, "{what} {parameters:?}: {reply:?}");
        reply.json()["data"].take()
    }

    /// Every target answers.
    async fn targets_are_up(&self) {
        let up = async || {
            let targets = self.ask("targets", &[("state", "active")]).await;
            let targets = targets["activeTargets"].as_array().expect("a list of targets").clone();
            (targets.len() == 3 && targets.iter().all(|target| target["health"] == "up")).then_some(targets)
        };
        let targets = self.stage.eventually("three targets that are up", up).await;
        for target in targets {
            assert_eq!(target["lastError"], "", "{target}");
        }
    }

    /// It knows every metric by its type and its labels.
    async fn knows_every_metric(&self) {
        let complete = async || {
            let known = self.ask("metadata", &[]).await;
            exposition::all().all(|metric| known[metric.name].is_array()).then_some(known)
        };
        let known = self.stage.eventually("every metric", complete).await;
        for metric in exposition::all() {
            let kinds: Vec<_> =
                known[metric.name].as_array().into_iter().flatten().map(|entry| &entry["type"]).collect();
            assert_eq!(kinds, [metric.kind], "{metric:?}");
            for name in metric.series() {
                let series = self.ask("series", &[("match[]", &name)]).await;
                let series = series.as_array().expect("a list of series").iter().filter_map(Value::as_object);
                // A label without a value is no label to Prometheus: all series together have all labels.
                let mut labels: BTreeSet<_> = series.flat_map(|labels| labels.keys().map(String::as_str)).collect();
                for added in ["__name__", "instance", "job", "le", "quantile"] {
                    labels.remove(added);
                }
                assert_eq!(labels, metric.labels.iter().copied().collect(), "{name}");
            }
        }
    }

    /// Every alert can be evaluated, and none fires where all is well.
    async fn alerts_are_silent(&self) {
        let evaluated = async || {
            let rules = self.ask("rules", &[]).await;
            let groups = rules["groups"].as_array().expect("groups of rules");
            let rules: Vec<_> =
                groups.iter().flat_map(|group| group["rules"].as_array().into_iter().flatten()).collect();
            let done = !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown");
            done.then(|| rules.into_iter().cloned().collect::<Vec<_>>())
        };
        for rule in self.stage.eventually("every alert evaluated", evaluated).await {
            assert_eq!(rule["health"], "ok", "{rule}");
            assert_ne!(rule["state"], "firing", "{rule}");
        }
    }

    /// Every panel of every dashboard has something to show.
    async fn no_panel_is_empty(&self) {
        for (path, dashboard) in dashboards() {
            for panel in panels(&dashboard) {
                for expression in expressions(panel) {
                    let query = filled_in(expression);
                    let has_data = async || {
                        let found = self.ask("query", &[("query", &query)]).await;
                        let found = found["result"].as_array().expect("a result");
                        let is_number = |sample: &Value| sample["value"][1] != "NaN";
                        found.iter().any(is_number).then_some(())
                    };
                    let what = format!("data for `{}` of {path}: {query}", panel["title"]);
                    self.stage.eventually(&what, has_data).await;
                }
            }
        }
    }

    /// Stops it. It must have had nothing to complain about.
    async fn has_no_complaint(self) {
        let Ended { out, .. } = self.process.terminate().await;
        let is_complaint = |line: &&String| {
            let line = line.to_lowercase();
            ["level=warn", "level=error"].iter().any(|level| line.contains(level)) && !line.contains("received sigterm")
        };
        assert_eq!(out.iter().filter(is_complaint).collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

fn filled_in(expression: &str) -> String {
    let fill = |text: String, (name, value): (&str, &str)| text.replace(name, value);
    let query = VARIABLES.into_iter().fold(expression.to_owned(), fill);
    assert!(!query.contains('$'), "a variable that this test does not know: {query}");
    query
}

/// A shell that runs `script`; what is added are its arguments.
fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]);
    command
}

/// Runs promtool to its end.
async fn promtool(stage: &Stage, args: &[&str]) -> Ended {
    let mut command = Command::new("promtool");
    command.args(args);
    Process::run(stage, &[], command).end().await
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_prometheus), ignore = "needs Prometheus")]
async fn a_prometheus_reads_every_series_complains_about_none_and_fills_every_panel() {
    let stage = Stage::lasting(EVERY_PANEL);
    let deployment = Observed::start(&stage).await;
    let prometheus = Prometheus::start(&stage, &deployment).await;
    prometheus.targets_are_up().await;
    prometheus.knows_every_metric().await;
    deployment.publish_many(&stage).await;
    prometheus.no_panel_is_empty().await;
    prometheus.alerts_are_silent().await;
    let Observed { servers: [server, _], scheduler, .. } = deployment;
    assert_eq!(complaints(&stage, server).await, Vec::<String>::new());
    assert_eq!(complaints(&stage, scheduler).await, FIXED_BY_THE_CONTRACT);
    prometheus.has_no_complaint().await;
}

/// What promtool has to say about the metrics of a process.
async fn complaints(stage: &Stage, process: SocketAddr) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().expect("there is room for a file");
    let text = http::get(stage, process, "/metrics").await.text;
    std::fs::write(file.path(), text).expect("a fresh file is writable");
    let mut command = shell("exec promtool check metrics <\"$1\" 2>&1");
    command.arg(file.path());
    Process::run(stage, &[], command).end().await.out
}

#[tokio::test]
#[cfg_attr(not(has_promtool), ignore = "needs promtool")]
async fn promtool_finds_nothing_wrong_with_configuration_and_alerts() {
    let stage = Stage::begin();
    for (check, file) in
        [(["check", "config"], "prometheus.yml"), (["check", "config"], "ecs.yml"), (["check", "rules"], "alerts.yml")]
    {
        let path = ours("deploy/prometheus").join(file);
        let ended = promtool(&stage, &[&check[..], &[&path.display().to_string()]].concat()).await;
        assert_eq!(ended.code(), 0, "{ended:?}");
    }
}

#[tokio::test]
#[cfg_attr(not(has_promtool), ignore = "needs promtool")]
async fn every_alert_fires_when_it_should_and_is_silent_when_it_should_be() {
    let stage = Stage::begin();
    let path = ours("deploy/prometheus/alerts_test.yml");
    let ended = promtool(&stage, &["test", "rules", &path.display().to_string()]).await;
    assert_eq!(ended.code(), 0, "{ended:?}");
}
