//! `parsec bench`: what the strategies do side by side.
//!
//! - `local`: on local networks of real peers; `world`: in a simulated one; `scan`: at several values of one thing;
//!   `scenario`: while things happen; `bulk`: many keys at once in either
//! - `refused`: what cannot be done; `read`: files that somebody wrote
//! - `kept`: what came of it, in a file and on stdout; `watched`: the work, with its progress, until a signal ends it

mod bulk;
mod kept;
mod local;
mod read;
mod refused;
mod scan;
mod scenario;
#[cfg(test)]
mod testing;
mod watched;
mod world;

use parsec_settings::BenchConfig;

pub use refused::Refused;
pub use scenario::named as scenario_named;
pub use world::named as world_named;

/// Runs the comparison and prints what it found; `program` is the version and the commit of the binary. Once `stopped` is there, it ends
/// with what there is by then.
///
/// # Errors
/// [`Refused`], or what kept it from its end.
pub async fn run<T>(
    config: BenchConfig,
    program: (&str, &str),
    stopped: impl Future<Output = T>,
) -> anyhow::Result<()> {
    let rng = || u64::from(rand::RngExt::random::<u32>(&mut rand::rng()));
    // Short enough to be typed again.
    let seed = config.seed.unwrap_or_else(rng);
    if let Some(simulated) = &config.simulated
        && let Some(bulk) = &simulated.bulk
    {
        return bulk::run(&config, simulated, bulk, seed, stopped).await;
    }
    if let Some(bulk) = &config.bulk {
        return bulk::run_locally(&config, bulk, seed, stopped).await;
    }
    let keeping = kept::Keeping::new(&config, program)?;
    match &config.simulated {
        Some(simulated) => world::run(&config, simulated, seed, keeping, stopped).await,
        None => local::run(&config, seed, keeping, stopped).await,
    }
}
