//! A Prometheus summary over a sliding window, which prometheus-client does not have.
//!
//! The window is a ring of quantile sketches, one for each slot of time. An observation counts towards the quantiles
//! for the length of the window, less at most one slot. Sum and count start with the process, as usual in Prometheus.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use parking_lot::Mutex;
use sketches_ddsketch::{Config, DDSketch};
use tokio::time::Instant;

/// The quantiles that dashboards of the original read.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The window of the original's summaries (`MaxAge: 24h`), and its parts.
const WINDOW: Duration = Duration::from_secs(24 * 3600);
const SLOTS: u64 = 24;

/// Relative error of a quantile, number of bins, and the smallest value told from zero (a nanosecond).
const SKETCH: (f64, u32, f64) = (0.01, 2048, 1e-9);

/// Observations of one metric, by label values.
pub(super) struct SlidingSummary<const L: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; L],
    epoch: Instant,
    series: Mutex<BTreeMap<[String; L], Series>>,
}

#[derive(Default)]
struct Series {
    /// Slot number and sketch, oldest first, only of slots in which something was observed.
    slots: VecDeque<(u64, DDSketch)>,
    sum: f64,
    count: u64,
}

fn sketch() -> DDSketch {
    let (alpha, bins, smallest) = SKETCH;
    DDSketch::new(Config::new(alpha, bins, smallest))
}

impl<const L: usize> SlidingSummary<L> {
    /// An empty summary. Label values must come from a limited set: each combination is a series.
    pub(super) fn new(name: &'static str, help: &'static str, labels: [&'static str; L]) -> Self {
        Self { name, help, labels, epoch: Instant::now(), series: Mutex::default() }
    }

    fn slot(&self) -> u64 {
        let slot = WINDOW.as_secs() / SLOTS;
        self.epoch.elapsed().as_secs() / slot
    }

    /// Adds one observation.
    pub(super) fn observe(&self, labels: [&str; L], value: f64) {
        let now = self.slot();
        let mut series = self.series.lock();
        let series = series.entry(labels.map(str::to_owned)).or_default();
        series.forget_before(now);
        if series.slots.back().is_none_or(|(slot, _)| *slot != now) {
            series.slots.push_back((now, sketch()));
        }
        if let Some((_, sketch)) = series.slots.back_mut() {
            sketch.add(value);
        }
        series.sum += value;
        series.count += 1;
    }

    /// Writes the metric in OpenMetrics text.
    pub(super) fn encode(&self, out: &mut String) -> std::fmt::Result {
        let now = self.slot();
        let mut series = self.series.lock();
        if series.is_empty() {
            return Ok(());
        }
        let Self { name, help, .. } = self;
        writeln!(out, "# HELP {name} {help}.\n# TYPE {name} summary")?;
        for (values, series) in series.iter_mut() {
            series.forget_before(now);
            let labels: Vec<_> =
                self.labels.iter().zip(values).map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
            let labels = labels.join(",");
            for (quantile, value) in QUANTILES.iter().zip(series.quantiles()) {
                writeln!(out, "{name}{{{labels},quantile=\"{quantile}\"}} {value}")?;
            }
            writeln!(out, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {}", series.sum, series.count)?;
        }
        Ok(())
    }
}

impl Series {
    fn forget_before(&mut self, now: u64) {
        while self.slots.front().is_some_and(|(slot, _)| slot + SLOTS <= now) {
            self.slots.pop_front();
        }
    }

    /// Nearest-rank quantiles; NaN for an empty window, as in Prometheus.
    fn quantiles(&self) -> [f64; QUANTILES.len()] {
        let mut all = sketch();
        for (_, slot) in &self.slots {
            // Sketches with the same configuration can always be merged.
            let _ = all.merge(slot);
        }
        let count = all.count() as f64;
        QUANTILES.map(|q| {
            // The sketch takes the floor of q·(n − 1) as the rank; ask for the value in the middle of the nearest rank.
            let rank = (q * count).ceil().max(1.0) - 1.0;
            let q = ((rank + 0.25) / (count - 1.0).max(1.0)).min(1.0);
            all.quantile(q).ok().flatten().unwrap_or(f64::NAN)
        })
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const HOUR: Duration = Duration::from_secs(3600);

    fn value(summary: &SlidingSummary<1>, line: &str) -> f64 {
        let mut out = String::new();
        summary.encode(&mut out).unwrap();
        let found = out.lines().find(|l| l.contains(line)).unwrap_or_else(|| panic!("no {line} in {out}"));
        found.rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn quantiles_are_within_one_percent_and_of_the_nearest_rank() {
        let summary = SlidingSummary::new("d", "Help", ["l"]);
        for millis in 1..=1000 {
            summary.observe(["a"], f64::from(millis) / 1000.0);
        }
        for (quantile, exact) in [("0.5", 0.5), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99)] {
            let found = value(&summary, &format!("quantile=\"{quantile}\""));
            assert!((found / exact - 1.0).abs() < 0.011, "{quantile}: {found}");
        }
        let few = SlidingSummary::new("d", "Help", ["l"]);
        [1.0, 2.0, 100.0].into_iter().for_each(|v| few.observe(["a"], v));
        assert!((value(&few, "\"0.5\"") / 2.0 - 1.0).abs() < 0.011);
        assert!((value(&few, "\"0.99\"") / 100.0 - 1.0).abs() < 0.011);
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_slides_and_the_count_does_not() {
        let summary = SlidingSummary::new("d", "Help", ["l"]);
        summary.observe(["a"], 100.0);
        advance(10 * HOUR).await;
        summary.observe(["a"], 1.0);
        advance(13 * HOUR).await;
        assert!(value(&summary, "\"0.99\"") > 90.0, "after 23 hours the first value still counts");
        advance(HOUR).await;
        assert!(value(&summary, "\"0.99\"") < 2.0, "after 24 it does not");
        advance(20 * HOUR).await;
        assert!(value(&summary, "\"0.5\"").is_nan());
        assert_eq!((value(&summary, "_count"), value(&summary, "_sum")), (2.0, 101.0));
    }

    #[test]
    fn label_values_are_escaped() {
        let summary = SlidingSummary::new("d", "Help", ["l"]);
        summary.observe(["a\"b\\c\nd"], 1.0);
        let mut out = String::new();
        summary.encode(&mut out).unwrap();
        assert!(out.contains(r#"d_count{l="a\"b\\c\nd"} 1"#), "{out}");
    }
}
