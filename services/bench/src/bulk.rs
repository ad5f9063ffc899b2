//! Many keys published at once, in a simulated world or by real peers of a local network.

use anyhow::bail;
use parsec_host::memory;
use parsec_lab::bench::ManyPlan;
use parsec_lab::field::Bulk;
use parsec_output as output;
use parsec_results::bulk::BulkRun;
use parsec_results::run::{REAL, simulated};
use parsec_settings::{AskedBulk, BenchConfig, Simulated};
use parsec_show::bulk;

use crate::kept::{self, Forms, heading};
use crate::local;
use crate::refused::Refused;
use crate::watched::watched;
use crate::world::world;

/// What is counted while it works.
const TIMES: &str = "times all keys";

/// Publishes them with each strategy, on each network, and prints what that took.
pub(crate) async fn run<S>(
    config: &BenchConfig,
    asked: &Simulated,
    AskedBulk { keys, strategies }: &AskedBulk,
    seed: u64,
    stopped: impl Future<Output = S>,
) -> anyhow::Result<()> {
    let work = Bulk { world: world(config, asked)?, seed, keys: *keys, strategies: strategies.clone() };
    work.fits(memory::available()).map_err(Refused::from)?;
    let still = if work.world.churn().is_some() { "; nobody comes or goes meanwhile" } else { "" };
    let heading = format!("{}; {keys} keys at once from one node{still}", heading(config, &work.world, None, seed));
    let network = simulated(&work.world.name);
    let (networks, wanted) = (config.networks, config.networks as usize * strategies.len());
    let runs = watched((wanted as u64, TIMES), stopped, move |stop, done| work.run_on(networks, stop, done));
    show(config, &heading, &network, &runs.await??, wanted)
}

/// The same on local networks of real peers.
pub(crate) async fn run_locally<S>(
    config: &BenchConfig,
    AskedBulk { keys, strategies }: &AskedBulk,
    seed: u64,
    stopped: impl Future<Output = S>,
) -> anyhow::Result<()> {
    let networks = local::plan(config, seed);
    let work = ManyPlan { networks, keys: *keys, strategies: strategies.clone() };
    let at_once = work.at_once(memory::available(), "--peers").map_err(Refused::from)?;
    let heading = format!("{}; {keys} keys at once from one node", local::heading(config, seed));
    let wanted = config.networks as usize * strategies.len();
    let runs = watched((wanted as u64, TIMES), stopped, move |stop, done| work.run(at_once, stop, &done));
    show(config, &heading, REAL, &runs.await??, wanted)
}

fn show(config: &BenchConfig, heading: &str, network: &str, runs: &[BulkRun], wanted: usize) -> anyhow::Result<()> {
    if runs.is_empty() {
        bail!("stopped before the keys had been published once");
    }
    if runs.len() < wanted {
        output::note(&format!("stopped after all keys had been published {} of {wanted} times", runs.len()));
    }
    let (json, csv) = (|| bulk::json(runs, network), || bulk::csv(runs, network));
    Ok(kept::print(config, heading, Forms { text: || bulk::table(runs), json, csv })?)
}
