//! The strategies on local networks of real peers.

use std::collections::BTreeMap;

use parsec_host::memory;
use parsec_lab::LocalTransport;
use parsec_lab::bench::BenchPlan;
use parsec_results::bench::{BenchRow, Unit};
use parsec_results::run::REAL;
use parsec_settings::{BENCH_ALPHA, BenchConfig, BenchTransport};
use parsec_show::words;

use crate::kept::{Keeping, Shown, networks};
use crate::refused::Refused;
use crate::watched::{PAIRS, watched};

/// Runs the comparison and prints what it found.
pub(crate) async fn run<S>(
    config: &BenchConfig,
    seed: u64,
    keeping: Keeping<'_>,
    stopped: impl Future<Output = S>,
) -> anyhow::Result<()> {
    let plan = plan(config, seed);
    let at_once = plan.at_once(memory::available(), "--peers").map_err(Refused::from)?;
    let pairs = plan.pairs();
    let groups = watched((pairs, PAIRS), stopped, move |stop, done| plan.run(at_once, stop, &done)).await??;
    let rows = groups.iter().map(|group| BenchRow::of(group, Unit::of(config.networks), config.rtt)).collect();
    let shown = Shown { heading: heading(config, seed), network: REAL.to_owned(), rows };
    keeping.finish(&groups, pairs, seed, settings(config), &shown)
}

/// How many peers a lookup on a local network asks at the same time.
fn alpha(config: &BenchConfig) -> u16 {
    config.alpha.unwrap_or(BENCH_ALPHA)
}

/// The settings that are kept with a run.
fn settings(config: &BenchConfig) -> BTreeMap<String, String> {
    let strategies: Vec<_> = config.compared.iter().map(|strategy| strategy.as_str()).collect();
    let settings = [
        ("network", REAL.to_owned()),
        ("peers", config.peers.to_string()),
        ("rtt", parsec_measure::written_duration(config.rtt)),
        ("undialable", config.undialable.get().to_string()),
        ("silent", config.silent.get().to_string()),
        ("transport", config.transport.as_str().to_owned()),
        ("alpha", alpha(config).to_string()),
        ("warm", config.warm.to_string()),
        ("unit", Unit::of(config.networks).as_str().to_owned()),
        ("networks", config.networks.to_string()),
        ("operations", config.operations.to_string()),
        ("strategies", strategies.join(",")),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}

pub(crate) fn plan(config: &BenchConfig, seed: u64) -> BenchPlan {
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
        strategies: config.compared.clone(),
        alpha: usize::from(alpha(config)),
        warm: config.warm,
        seed,
    }
}

/// The conditions in one line.
pub(crate) fn heading(config: &BenchConfig, seed: u64) -> String {
    let clock = match config.transport {
        BenchTransport::Memory => "virtual clock",
        BenchTransport::Tcp | BenchTransport::Quic => "real clock",
    };
    let (networks, seeds) = networks(config, seed);
    format!(
        "{networks}{} peers, RTT {}, {} undialable, {} silent, {} connections, alpha {}, {seeds}, transport {}, {clock}",
        config.peers,
        parsec_measure::written_duration(config.rtt),
        words::set_percent(config.undialable.get()),
        words::set_percent(config.silent.get()),
        if config.warm { "warm" } else { "cold" },
        alpha(config),
        config.transport.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::config;

    #[test]
    fn the_heading_says_under_which_circumstances() {
        let heading = |line: &str| super::heading(&config(line), 7);
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
