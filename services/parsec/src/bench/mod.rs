//! `parsec bench`: what the strategies do on a local network, side by side.

mod report;

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_host::memory;
use parsec_lab::LocalTransport;
use parsec_lab::bench::BenchPlan;
use parsec_settings::{BenchConfig, BenchTransport};
use rand::RngExt;

use crate::exit::Failure;
use crate::process;

/// Runs the comparison and prints what it found.
pub(crate) fn run(config: &BenchConfig) -> anyhow::Result<()> {
    process::raise_file_limit();
    let plan = plan(config);
    let at_once = plan.at_once(memory::available(), "--peers").map_err(Failure::from)?;
    let progress = progress(u64::from(plan.operations) * plan.strategies.len() as u64);
    let (done, dones) = mpsc::channel();
    let counting = {
        let progress = progress.clone();
        thread::spawn(move || dones.iter().for_each(|()| progress.inc(1)))
    };
    let rows = plan.run(at_once, &done);
    drop(done);
    let _ = counting.join();
    progress.finish_and_clear();
    Ok(report::print(config, plan.seed, &rows?)?)
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
        operations: config.operations,
        strategies: config.strategies.clone(),
        alpha: usize::from(config.alpha),
        warm: config.warm,
        seed: config.seed.unwrap_or_else(|| rand::rng().random()),
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
