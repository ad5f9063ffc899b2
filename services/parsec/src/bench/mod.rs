//! `parsec bench`: what the strategies do on a local network, side by side.

mod report;
mod runner;

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_measure::{OperationKind, StrategyKind};
use rand::RngExt;

use self::report::BenchRow;
use self::runner::Samples;
use crate::exit::Failure;
use crate::memory::{self, Size};
use crate::process;
use parsec_settings::{BenchConfig, BenchTransport};

/// How many nodes measure: a publisher and a finder.
const NODES: u64 = 2;

/// Runs the comparison and prints what it found. Each strategy has a thread and a network of its own, made from the
/// same seed, and publishes the same keys.
pub(crate) fn run(config: &BenchConfig) -> anyhow::Result<()> {
    process::raise_file_limit();
    let at_once = at_once(config, memory::available())?;
    let seed = config.seed.unwrap_or_else(|| rand::rng().random());
    let progress = progress(u64::from(config.operations) * config.strategies.len() as u64);
    let (done, dones) = mpsc::channel();
    let counting = {
        let progress = progress.clone();
        thread::spawn(move || dones.iter().for_each(|()| progress.inc(1)))
    };
    let samples = all(config, at_once, seed, &done);
    drop(done);
    let _ = counting.join();
    progress.finish_and_clear();
    let mut rows = Vec::new();
    for (strategy, (provided, found)) in samples? {
        rows.push(BenchRow::of(strategy, OperationKind::Provide, config.rtt, &provided));
        rows.push(BenchRow::of(strategy, OperationKind::Retrieve, config.rtt, &found));
    }
    Ok(report::print(config, seed, &rows)?)
}

/// As many strategies at once as there are processors and memory for: on a virtual clock that changes no result. On the
/// real clock they would measure each other, so there it is one after the other.
fn at_once(config: &BenchConfig, available: Option<u64>) -> Result<usize, Failure> {
    let processors = match config.transport {
        BenchTransport::Memory => thread::available_parallelism().map_or(1, usize::from),
        BenchTransport::Tcp | BenchTransport::Quic => 1,
    };
    let size = Size { peers: config.peers.into(), undialable: config.undialable.get(), nodes: NODES };
    Ok(size.fitting(processors.min(config.strategies.len()), available, "--peers")?)
}

fn all(
    config: &BenchConfig,
    at_once: usize,
    seed: u64,
    done: &mpsc::Sender<()>,
) -> anyhow::Result<Vec<(StrategyKind, Samples)>> {
    let mut all = Vec::new();
    for batch in config.strategies.chunks(at_once) {
        let one = |strategy: StrategyKind| {
            let done = done.clone();
            move || runner::run(config, strategy, seed, &done)
        };
        let results: Vec<anyhow::Result<Samples>> = thread::scope(|scope| {
            let running: Vec<_> = batch.iter().map(|strategy| scope.spawn(one(*strategy))).collect();
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("it crashed")))).collect()
        });
        for (strategy, result) in batch.iter().zip(results) {
            all.push((*strategy, result.with_context(|| format!("strategy {strategy}"))?));
        }
    }
    Ok(all)
}

fn progress(operations: u64) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let progress = ProgressBar::with_draw_target(Some(operations), target);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} publications and searches, {elapsed}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    progress
}
