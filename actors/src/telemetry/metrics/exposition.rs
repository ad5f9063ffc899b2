//! The text format that the original serves and that every Prometheus reads (version 0.0.4), converted from the
//! OpenMetrics text that prometheus-client writes.
//!
//! OpenMetrics cannot express the original's names, because there the name of every counter ends in `_total`.

use std::fmt::Write;

/// The media type of the format.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Rewrites OpenMetrics text. The counters named in `plain` lose their suffix `_total`.
pub(super) fn classic(open_metrics: &str, plain: &[&str]) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help = None;
    let mut plain_family = None;
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map(|(_, text)| text);
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (family, kind) = typed.split_once(' ').unwrap_or((typed, "untyped"));
            plain_family = plain.iter().find(|name| **name == family).copied();
            let (suffix, kind) = match kind {
                "counter" if plain_family.is_none() => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            let help = help.take().unwrap_or_default();
            let _ = writeln!(out, "# HELP {family}{suffix} {help}\n# TYPE {family}{suffix} {kind}");
        } else if !line.starts_with('#') {
            let sample = plain_family.and_then(|family| Some((family, line.strip_prefix(family)?)));
            let _ = match sample.and_then(|(family, rest)| Some((family, rest.strip_prefix("_total")?))) {
                Some((family, rest)) => writeln!(out, "{family}{rest}"),
                None => writeln!(out, "{line}"),
            };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_metric_stands_under_the_name_of_its_series() {
        let open_metrics = "\
# HELP a_requests Asked for.
# TYPE a_requests counter
a_requests_total{of=\"a_requests_total\"} 1
# HELP a_issued Issued.
# TYPE a_issued counter
a_issued_total{success=\"true\"} 2
# HELP a_build What it is.
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_wait_seconds How long.
# TYPE a_wait_seconds histogram
# UNIT a_wait_seconds seconds
a_wait_seconds_sum 0.5
a_wait_seconds_count 1
a_wait_seconds_bucket{le=\"+Inf\"} 1
# HELP a_peers Known.
# TYPE a_peers gauge
a_peers 7
# EOF
";
        let expected = "\
# HELP a_requests_total Asked for.
# TYPE a_requests_total counter
a_requests_total{of=\"a_requests_total\"} 1
# HELP a_issued Issued.
# TYPE a_issued counter
a_issued{success=\"true\"} 2
# HELP a_build_info What it is.
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_wait_seconds How long.
# TYPE a_wait_seconds histogram
a_wait_seconds_sum 0.5
a_wait_seconds_count 1
a_wait_seconds_bucket{le=\"+Inf\"} 1
# HELP a_peers Known.
# TYPE a_peers gauge
a_peers 7
";
        assert_eq!(classic(open_metrics, &["a_issued"]), expected);
    }
}
