//! `parsec bench`: what the strategies do on local networks, side by side.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_host::memory;
use parsec_lab::LocalTransport;
use parsec_lab::bench::BenchPlan;
use parsec_measure::OperationKind;
use parsec_results::bench::{BenchGroup, BenchRow, Unit};
use parsec_results::run::{Run, of_bench};
use parsec_settings::{BenchConfig, BenchFormat, BenchTransport};
use parsec_show::{bench, words};
use rand::RngExt;

use crate::exit::Failure;
use crate::signals::{self, Hangup};
use crate::{process, provenance};
use parsec_answers::kept::Place;
use parsec_output::{self as output, Unwritten};

/// In how many parts progress is told where no bar is shown.
const PARTS: u64 = 10;

/// Runs the comparison and prints what it found. A signal ends it early, with what was measured by then.
pub(crate) async fn run(config: BenchConfig) -> anyhow::Result<()> {
    process::raise_file_limit();
    let plan = plan(&config);
    let at_once = plan.at_once(memory::available(), "--peers").map_err(Failure::from)?;
    let place = config.save.as_deref().map(|path| Place::at(path, "--save")).transpose()?;
    let signals = signals::listen(None, Hangup::Stops)?;
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), progress(plan.pairs()));
    let mut running = {
        let (plan, stop, progress) = (plan.clone(), Arc::clone(&stop), progress.clone());
        tokio::task::spawn_blocking(move || plan.run(at_once, &stop, &|| advance(&progress)))
    };
    let groups = tokio::select! {
        groups = &mut running => groups,
        _ = signals.to_stop() => {
            stop.store(true, Ordering::Relaxed);
            progress.suspend(|| output::note("stopping: what is under way comes to its end; once more ends at once"));
            running.await
        }
    };
    progress.finish_and_clear();
    let groups = groups??;
    let complete = finished(&groups) == plan.pairs();
    if groups.is_empty() {
        bail!("stopped before anything was measured");
    }
    if !complete {
        output::note(&format!("stopped after {} of {} publications and lookups", finished(&groups), plan.pairs()));
    }
    // First, because nobody may read the table any more; and the table all the same, because the disk may be full.
    let saved = place.map_or(Ok(()), |place| {
        let program = (provenance::VERSION, provenance::COMMIT);
        let mut run = Run::new("bench", program, plan.seed, settings(&config));
        (run.complete, run.operations) = (complete, of_bench(&groups));
        place.write(&run.text())
    });
    print(&config, plan.seed, &groups)?;
    saved
}

/// How many pairs of a publication and a lookup there are.
fn finished(groups: &[BenchGroup]) -> u64 {
    let lookups = groups.iter().filter(|group| group.kind == OperationKind::Retrieve);
    lookups.map(|group| group.operations.len() as u64).sum()
}

/// The settings that are kept with a run.
fn settings(config: &BenchConfig) -> BTreeMap<String, String> {
    let strategies: Vec<_> = config.strategies.iter().map(|strategy| strategy.as_str()).collect();
    let settings = [
        ("peers", config.peers.to_string()),
        ("rtt", parsec_measure::written_duration(config.rtt)),
        ("undialable", config.undialable.get().to_string()),
        ("silent", config.silent.get().to_string()),
        ("transport", config.transport.as_str().to_owned()),
        ("alpha", config.alpha.to_string()),
        ("warm", config.warm.to_string()),
        ("unit", Unit::of(config.networks).as_str().to_owned()),
        ("networks", config.networks.to_string()),
        ("operations", config.operations.to_string()),
        ("strategies", strategies.join(",")),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}

fn plan(config: &BenchConfig) -> BenchPlan {
    BenchPlan {
        peers: config.peers as usize,
        rtt: config.rtt,
        undialable: config.undialable.get(),
        silent: config.silent.get(),
        transport: match config.transport {
            BenchTransport::Memory => LocalTransport::Memory,
            BenchTransport::Tcp => LocalTransport::Tcp,
            BenchTransport::Quic => LocalTransport::Quic,
        },
        networks: config.networks,
        operations: config.operations,
        strategies: config.strategies.clone(),
        alpha: usize::from(config.alpha),
        warm: config.warm,
        // Short enough to be typed again.
        seed: config.seed.unwrap_or_else(|| u64::from(rand::rng().random::<u32>())),
    }
}

fn progress(operations: u64) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let progress = ProgressBar::with_draw_target(Some(operations), target);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} publications and searches, {elapsed}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    progress
}

/// Counts a pair of a publication and a lookup. Where no bar is shown, a line says now and then how far it is: whoever reads the log of a
/// job wants to know that it goes on.
fn advance(progress: &ProgressBar) {
    progress.inc(1);
    let (done, all) = (progress.position(), progress.length().unwrap_or_default());
    if progress.is_hidden() && all >= 10 * PARTS && done % all.div_ceil(PARTS) == 0 {
        output::note(&format!("{done} of {all} publications and lookups"));
    }
}

/// Prints the results and the conditions of the measurement: above the table for people, on stderr with the rows for
/// programs.
///
/// # Errors
/// If stdout cannot be written to.
fn print(config: &BenchConfig, seed: u64, groups: &[BenchGroup]) -> Result<(), Unwritten> {
    let (heading, unit) = (heading(config, seed), Unit::of(config.networks));
    let rows: Vec<_> = groups.iter().map(|group| BenchRow::of(group, unit, config.rtt)).collect();
    match config.format {
        BenchFormat::Text => output::line(&format!("{heading}\n{}", bench::table(&rows, unit))),
        BenchFormat::Json => {
            output::note(&heading);
            output::line(&bench::json(&rows))
        }
        BenchFormat::Csv => {
            output::note(&heading);
            output::table(&bench::csv(&rows))
        }
    }
}

/// The conditions in one line.
fn heading(config: &BenchConfig, seed: u64) -> String {
    let clock = match config.transport {
        BenchTransport::Memory => "virtual clock",
        BenchTransport::Tcp | BenchTransport::Quic => "real clock",
    };
    let (networks, seeds) = match config.networks {
        1 => (String::new(), format!("seed {seed}")),
        more => (format!("{more} networks of "), format!("seeds {seed} to {}", seed.wrapping_add(u64::from(more) - 1))),
    };
    format!(
        "{networks}{} peers, RTT {}, {} undialable, {} silent, {} connections, alpha {}, {seeds}, transport {}, {clock}",
        config.peers,
        parsec_measure::written_duration(config.rtt),
        words::set_percent(config.undialable.get()),
        words::set_percent(config.silent.get()),
        if config.warm { "warm" } else { "cold" },
        config.alpha,
        config.transport.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use parsec_settings::{Command, parse};

    use super::heading;

    #[test]
    fn the_heading_says_under_which_circumstances() {
        let heading = |line: &str| match parse(line.split(' ').map(OsString::from), &BTreeMap::new(), &crate::BINARY) {
            Ok((Command::Bench(config), _)) => heading(&config, 7),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(
            heading("parsec bench"),
            "500 peers, RTT 100ms, 15 % undialable, 0 % silent, cold connections, alpha 10, seed 7, transport memory, virtual clock"
        );
        let tcp = heading("parsec bench --transport tcp --silent 0.025 --warm");
        let many = heading("parsec bench --networks 20");
        assert!(many.starts_with("20 networks of 500 peers, ") && many.contains(", seeds 7 to 26, "), "{many}");
        assert!(tcp.contains("2.5 % silent, warm connections") && tcp.ends_with("transport tcp, real clock"), "{tcp}");
    }
}
