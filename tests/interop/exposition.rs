//! The metrics (contract, part 5): which there are, of which type, with which labels, and which process shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::http;
use crate::observed::{Observed, SCHEDULER_ID};
use crate::stage::Stage;

/// A metric that dashboards and alerts may rely on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    /// Of its series, for a histogram or a summary without their suffixes.
    pub(crate) name: &'static str,
    /// As the exposition says it.
    pub(crate) kind: &'static str,
    /// The labels of each of its series, `le` and `quantile` left out.
    pub(crate) labels: &'static [&'static str],
    /// Who shows it.
    pub(crate) shown_by: By,
}

/// Who shows a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Server,
    Scheduler,
    Both,
}

const fn metric(name: &'static str, kind: &'static str, labels: &'static [&'static str], shown_by: By) -> Metric {
    Metric { name, kind, labels, shown_by }
}

/// What the original's dashboards read, to the letter.
pub(crate) const ORIGINAL: [Metric; 6] = [
    metric("parsec_durations", "summary", &["type", "success", "scheduler"], By::Server),
    metric("parsec_http_requests_total", "counter", &["method", "path", "scheduler"], By::Server),
    metric("parsec_datastore_disk_usage", "gauge", &[], By::Server),
    metric("parsec_active_nodes", "gauge", &[], By::Scheduler),
    metric("parsec_issued_provides", "counter", &["success"], By::Scheduler),
    metric("parsec_issued_retrievals", "counter", &["success"], By::Scheduler),
];

/// What stands beside it. A new metric gets a row here.
pub(crate) const OURS: [Metric; 51] = [
    metric("parsec_build_info", "gauge", &["version", "commit"], By::Both),
    metric("parsec_log_lines_lost_total", "counter", &[], By::Both),
    metric("process_cpu_seconds_total", "counter", &[], By::Both),
    metric("process_start_time_seconds", "gauge", &[], By::Both),
    metric("process_resident_memory_bytes", "gauge", &[], By::Both),
    metric("process_virtual_memory_bytes", "gauge", &[], By::Both),
    metric("process_open_fds", "gauge", &[], By::Both),
    metric("process_max_fds", "gauge", &[], By::Both),
    metric("process_threads", "gauge", &[], By::Both),
    metric("parsec_actor_restarts_total", "counter", &["actor", "reason"], By::Both),
    metric("parsec_actor_up", "gauge", &["actor"], By::Both),
    metric("parsec_actor_waiting", "gauge", &["actor"], By::Both),
    metric("parsec_network_size_peers", "gauge", &["fleet"], By::Both),
    metric("parsec_recorder_backlog_rows", "gauge", &[], By::Both),
    metric("parsec_spool_up", "gauge", &[], By::Both),
    metric("parsec_spool_rows", "gauge", &[], By::Both),
    metric("parsec_spool_size_bytes", "gauge", &[], By::Both),
    metric("parsec_spool_limit_bytes", "gauge", &[], By::Both),
    metric("parsec_spool_oldest_seconds", "gauge", &[], By::Both),
    metric("parsec_spool_age_limit_seconds", "gauge", &[], By::Both),
    metric("parsec_recorder_rows_written_total", "counter", &[], By::Both),
    metric("parsec_recorder_rows_lost_total", "counter", &[], By::Both),
    metric("parsec_recorder_rows_set_aside_total", "counter", &[], By::Both),
    metric("parsec_database_up", "gauge", &[], By::Both),
    metric("parsec_database_file_moves_total", "counter", &[], By::Both),
    metric("parsec_clock_skew_seconds", "gauge", &[], By::Both),
    metric("parsec_recorder_traces_lost_total", "counter", &[], By::Both),
    metric("parsec_operation_duration_seconds", "histogram", &["operation", "outcome", "fleet"], By::Server),
    metric("parsec_server_ready", "gauge", &["fleet"], By::Server),
    metric("parsec_routing_table_peers", "gauge", &["fleet"], By::Server),
    metric("parsec_background_puts_total", "counter", &["outcome", "fleet"], By::Server),
    metric("parsec_confirmed_puts_total", "counter", &["fleet"], By::Server),
    metric("parsec_unconfirmed_publications_total", "counter", &["fleet"], By::Server),
    metric("parsec_checked_holders_total", "counter", &["age", "outcome", "fleet"], By::Server),
    metric("parsec_dht_requests_total", "counter", &["request", "end", "fleet"], By::Server),
    metric("parsec_fallbacks_total", "counter", &["operation", "fleet"], By::Server),
    metric("parsec_many_publications_total", "counter", &["strategy", "outcome", "fleet"], By::Server),
    metric("parsec_many_keys_total", "counter", &["strategy", "outcome", "fleet"], By::Server),
    metric("parsec_many_duration_seconds", "histogram", &["strategy", "fleet"], By::Server),
    metric("parsec_many_records_total", "counter", &["strategy", "fleet"], By::Server),
    metric("parsec_many_questions_total", "counter", &["strategy", "fleet"], By::Server),
    metric("parsec_many_dials_total", "counter", &["strategy", "fleet"], By::Server),
    metric("parsec_attempt_duration_seconds", "histogram", &["operation", "outcome", "fleet", "region"], By::Scheduler),
    metric("parsec_ready_nodes", "gauge", &["fleet"], By::Scheduler),
    metric("parsec_nodes_left_out", "gauge", &["fleet"], By::Scheduler),
    metric("parsec_unreachable_nodes", "gauge", &["fleet"], By::Scheduler),
    metric("parsec_nodes_without_heartbeat", "gauge", &["fleet"], By::Scheduler),
    metric("parsec_other_schedulers", "gauge", &["fleet"], By::Scheduler),
    metric("parsec_rounds_total", "counter", &["outcome", "fleet"], By::Scheduler),
    metric("parsec_rounds_skipped_total", "counter", &["fleet"], By::Scheduler),
    metric("parsec_round_lateness_seconds", "gauge", &["fleet"], By::Scheduler),
];

/// What is shown only where there is something to show: a server without TLS has no certificate.
pub(crate) const SOMETIMES: [Metric; 1] =
    [metric("parsec_certificate_expiry_timestamp_seconds", "gauge", &["certificate"], By::Server)];

/// Both tables of what is always shown.
pub(crate) fn all() -> impl Iterator<Item = Metric> {
    ORIGINAL.into_iter().chain(OURS)
}

impl Metric {
    /// The names of its series.
    pub(crate) fn series(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            "histogram" => &["_bucket", "_sum", "_count"],
            "summary" => &["", "_sum", "_count"],
            _ => &[""],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }

    fn is_shown_by(&self, process: By) -> bool {
        self.shown_by == By::Both || self.shown_by == process
    }
}

/// What a process shows of one metric.
#[derive(Debug, Default)]
struct Shown {
    kind: String,
    helped: bool,
    /// The label names of each series, `le` and `quantile` left out.
    labels: BTreeSet<BTreeSet<String>>,
    values: BTreeMap<String, BTreeSet<String>>,
    series: BTreeSet<String>,
}

/// Reads the text format.
fn parse(text: &str) -> BTreeMap<String, Shown> {
    let mut all: BTreeMap<String, Shown> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            all.entry(name.to_owned()).or_default().helped = !help.is_empty();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut all.entry(name.to_owned()).or_default().kind);
            name.clone_into(&mut current);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value in {line}"));
            assert!(value.parse::<f64>().is_ok(), "no number in {line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let shown = all.get_mut(&current).unwrap_or_else(|| panic!("no type above {line}"));
            shown.series.insert(name.to_owned());
            let mut names = BTreeSet::new();
            for (label, value) in labels_of(labels) {
                shown.values.entry(label.clone()).or_default().insert(value);
                if label != "le" && label != "quantile" {
                    names.insert(label);
                }
            }
            shown.labels.insert(names);
        }
    }
    all
}

/// `a="b",c="d"}`; nothing that we show has a quote or a comma and a quote in a value.
fn labels_of(text: &str) -> Vec<(String, String)> {
    let inner = text.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels in {text}"));
    let pairs = inner.split("\",").filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("no label in {pair}"));
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        })
        .collect()
}

async fn shown(stage: &Stage, process: SocketAddr) -> BTreeMap<String, Shown> {
    parse(&http::get(stage, process, "/metrics").await.text)
}

/// Waits until a process shows all that it should, and checks that this is all there is, as it should be.
async fn check(stage: &Stage, process: SocketAddr, role: By) -> BTreeMap<String, Shown> {
    let expected: BTreeSet<_> = all().filter(|metric| metric.is_shown_by(role)).map(|metric| metric.name).collect();
    let complete = async || {
        let shown = shown(stage, process).await;
        expected.iter().all(|name| shown.contains_key(*name)).then_some(shown)
    };
    let shown = stage.eventually(&format!("every metric of a {role:?}: {expected:?}"), complete).await;
    assert_eq!(shown.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    for metric in all().filter(|metric| metric.is_shown_by(role)) {
        let found = &shown[metric.name];
        assert_eq!(found.kind, metric.kind, "{metric:?}");
        assert!(found.helped, "{metric:?} says what it is");
        let labels: BTreeSet<_> = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(found.labels, [labels].into(), "{metric:?}");
        assert_eq!(found.series, metric.series().into_iter().collect(), "{metric:?}");
    }
    shown
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_scheduler_show_the_originals_series_and_ours_and_no_others() {
    let stage = Stage::begin();
    let deployment = Observed::start(&stage).await;
    for server in deployment.servers {
        check(&stage, server, By::Server).await;
        let asked = async || {
            let shown = shown(&stage, server).await;
            let paths = &shown.get("parsec_http_requests_total")?.values["path"];
            let types = &shown.get("parsec_durations")?.values["type"];
            (paths.len() == 3 && types.len() == 2).then_some(shown)
        };
        let shown = stage.eventually("server that has published and looked up", asked).await;
        let (requests, durations) = (&shown["parsec_http_requests_total"], &shown["parsec_durations"]);
        assert_eq!(requests.values["path"], set(&["provide", "retrieve", "readiness"]));
        assert_eq!(requests.values["method"], set(&["GET", "POST"]));
        assert_eq!(requests.values["scheduler"], set(&["", SCHEDULER_ID]));
        assert_eq!(durations.values["type"], set(&["provide_duration", "retrieval_ttfpr"]));
        assert_eq!(durations.values["quantile"], set(&["0.5", "0.9", "0.95", "0.99"]));
        assert_eq!(durations.values["scheduler"], set(&[SCHEDULER_ID]));
    }
    let shown = check(&stage, deployment.scheduler, By::Scheduler).await;
    assert_eq!(shown["parsec_issued_provides"].values["success"], set(&["true", "false"]));
    assert_eq!(shown["parsec_issued_retrievals"].values["success"], set(&["true", "false"]));
}
