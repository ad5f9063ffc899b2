//! `parsec bench`: what the strategies do on a local network, side by side.

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_host::memory;
use parsec_lab::LocalTransport;
use parsec_lab::bench::BenchPlan;
use parsec_results::bench::BenchRow;
use parsec_settings::{BenchConfig, BenchFormat, BenchTransport};
use parsec_show::bench;
use rand::RngExt;

use crate::exit::Failure;
use crate::process;
use parsec_output::{self as output, Unwritten};

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
    Ok(print(config, plan.seed, &rows?)?)
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

/// Prints the results and the conditions of the measurement: above the table for people, on stderr with the rows for
/// programs.
///
/// # Errors
/// If stdout cannot be written to.
fn print(config: &BenchConfig, seed: u64, rows: &[BenchRow]) -> Result<(), Unwritten> {
    let heading = heading(config, seed);
    match config.format {
        BenchFormat::Text => output::line(&format!("{heading}\n{}", bench::table(rows))),
        BenchFormat::Json => {
            output::note(&heading);
            output::line(&bench::json(rows))
        }
        BenchFormat::Csv => {
            output::note(&heading);
            output::table(&bench::csv(rows))
        }
    }
}

/// The conditions in one line.
fn heading(config: &BenchConfig, seed: u64) -> String {
    let percent = |share: f64| format!("{} %", (share * 1e4).round() / 1e2);
    let clock = match config.transport {
        BenchTransport::Memory => "virtual clock",
        BenchTransport::Tcp | BenchTransport::Quic => "real clock",
    };
    format!(
        "{} peers, RTT {}, {} undialable, {} silent, {} connections, alpha {}, seed {seed}, transport {}, {clock}",
        config.peers,
        parsec_measure::written_duration(config.rtt),
        percent(config.undialable.get()),
        percent(config.silent.get()),
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
        assert!(tcp.contains("2.5 % silent, warm connections") && tcp.ends_with("transport tcp, real clock"), "{tcp}");
    }
}
