//! Many keys published at once in a simulated world.

use anyhow::bail;
use parsec_host::memory;
use parsec_lab::field::Bulk;
use parsec_output as output;
use parsec_results::bulk::BulkRun;
use parsec_results::run::simulated;
use parsec_settings::{AskedBulk, BenchConfig, BenchFormat, Simulated};
use parsec_show::bulk;

use crate::kept::heading;
use crate::refused::Refused;
use crate::watched::watched;
use crate::world::world;

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
    let heading = format!("{}; {keys} keys at once from one node", heading(config, &work.world, seed));
    let network = simulated(&work.world.name);
    let (networks, wanted) = (config.networks, config.networks as usize * strategies.len());
    let runs = watched((wanted as u64, "times all keys"), stopped, move |stop, done| work.run_on(networks, stop, done));
    let runs = runs.await??;
    if runs.is_empty() {
        bail!("stopped before the keys had been published once");
    }
    if runs.len() < wanted {
        output::note(&format!("stopped after all keys had been published {} of {wanted} times", runs.len()));
    }
    Ok(print(config, &heading, &network, &runs)?)
}

fn print(config: &BenchConfig, heading: &str, network: &str, runs: &[BulkRun]) -> Result<(), parsec_output::Unwritten> {
    match config.format {
        BenchFormat::Text => output::line(&format!("{heading}\n{}", bulk::table(runs))),
        BenchFormat::Json => {
            output::note(heading);
            output::line(&bulk::json(runs, network))
        }
        BenchFormat::Csv => {
            output::note(heading);
            output::table(&bulk::csv(runs, network))
        }
    }
}
