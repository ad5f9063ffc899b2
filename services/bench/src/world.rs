//! The strategies in a simulated world.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use parsec_host::memory;
use parsec_lab::field::{MAX_WORLD_BYTES, Study, Trial, World};
use parsec_measure::written_duration;
use parsec_results::bench::{BenchGroup, BenchRow, Unit};
use parsec_results::run::{digest, simulated};
use parsec_settings::{BenchConfig, Simulated, WorldSource};

use crate::kept::{Keeping, Shown, heading};
use crate::refused::Refused;
use crate::watched::{PAIRS, watched};
use crate::{read, scan, scenario};

/// Plays the strategies and prints what came of it.
pub(crate) async fn run<S>(
    config: &BenchConfig,
    asked: &Simulated,
    seed: u64,
    keeping: Keeping<'_>,
    stopped: impl Future<Output = S>,
) -> anyhow::Result<()> {
    let study = study(config, asked, seed)?;
    if let Some(text) = &config.scan {
        return scan::run(config, &study, text, stopped).await;
    }
    if let Some(source) = &config.scenario {
        return scenario::run(config, study, source, stopped).await;
    }
    study.fits(memory::available(), config.save.is_some()).map_err(Refused::from)?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let played = study.clone();
    let groups = watched((study.pairs(), PAIRS), stopped, move |stop, done| played.run(threads, stop, &done)).await??;
    let shown = shown(config, &study.trial, &groups);
    keeping.finish(&groups, study.pairs(), seed, settings(config, &study.trial), &shown)
}

fn shown(config: &BenchConfig, Trial { world, seed, .. }: &Trial, groups: &[BenchGroup]) -> Shown {
    let unit = Unit::of(config.networks);
    // A round trip there takes as long as it is far.
    let rows = groups.iter().map(|group| BenchRow::of(group, unit, Duration::ZERO)).collect();
    Shown { heading: heading(config, world, world.churn(), *seed), network: simulated(&world.name), rows }
}

fn study(config: &BenchConfig, asked: &Simulated, seed: u64) -> anyhow::Result<Study> {
    let (operations, strategies) = (config.operations, asked.strategies.clone());
    Ok(Study { trial: Trial { world: world(config, asked)?, seed, operations, strategies }, networks: config.networks })
}

/// The world that was asked for.
pub(crate) fn world(config: &BenchConfig, asked: &Simulated) -> anyhow::Result<World> {
    let world = named(&asked.world)?;
    let Some(alpha) = config.alpha else { return Ok(world) };
    let wider = world.with("alpha", f64::from(alpha));
    Ok(wider.map_err(|error| Refused::Unusable(format!("--alpha: {error}")))?)
}

/// The world that comes with parsec under this name, or stands in this file.
///
/// # Errors
/// [`Refused`] if the file says what no world can be, else why it cannot be read.
pub fn named(source: &WorldSource) -> anyhow::Result<World> {
    match source {
        WorldSource::Shipped(name) => {
            World::shipped(name).with_context(|| format!("no world `{name}` comes with parsec"))
        }
        WorldSource::File(path) => {
            let text = read::file("--world", path, MAX_WORLD_BYTES)?;
            let refused = |error: String| Refused::Unusable(error);
            let world = World::read(&path.display().to_string(), &text).map_err(|error| refused(error.to_string()))?;
            let other = World::shipped(&world.name).filter(|shipped| *shipped != world);
            // Its rows and runs would be taken for those of the other one.
            match other {
                Some(World { name, .. }) => {
                    let why =
                        "is that of a world that comes with parsec and says something else; expected a name of its own";
                    Err(refused(format!("world {}: `name` \"{name}\" {why}", path.display())).into())
                }
                None => Ok(world),
            }
        }
    }
}

/// The settings that are kept with a run.
fn settings(config: &BenchConfig, Trial { world, operations, strategies, .. }: &Trial) -> BTreeMap<String, String> {
    let strategies: Vec<_> = strategies.iter().map(|strategy| strategy.as_str()).collect();
    let settings = [
        ("network", simulated(&world.name)),
        ("world", digest(&world.text())),
        ("peers", world.peers.to_string()),
        ("alpha", world.alpha().to_string()),
        ("unit", Unit::of(config.networks).as_str().to_owned()),
        ("networks", config.networks.to_string()),
        ("operations", operations.to_string()),
        ("strategies", strategies.join(",")),
    ];
    let churn = world.churn().map(|half_life| ("churn", written_duration(half_life)));
    settings.into_iter().chain(churn).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use parsec_lab::field::SHIPPED;
    use parsec_show::bench;

    use super::*;
    use crate::testing::{config, help};

    #[test]
    fn the_help_names_every_world_that_comes_with_parsec() {
        let help = help();
        for (name, _) in SHIPPED {
            assert!(help.contains(&format!("- {name}:")), "{name} is not in\n{help}");
            let config = config(&format!("parsec bench --world {name}"));
            assert_eq!(study(&config, config.simulated.as_ref().unwrap(), 3).unwrap().trial.world.name, name);
        }
    }

    #[test]
    fn one_seed_gives_the_same_output_byte_for_byte_on_any_number_of_threads() {
        let config = config("parsec bench --world amino-2022 --operations 60 --networks 12 --seed 3");
        let mut study = study(&config, config.simulated.as_ref().unwrap(), 3).unwrap();
        study.trial.world = study.trial.world.with("peers", 400.0).unwrap();
        let output = |threads| {
            let groups = study.run(threads, &AtomicBool::new(false), &|| {}).unwrap();
            let Shown { heading, network, rows } = shown(&config, &study.trial, &groups);
            let text = [bench::table(&rows, Unit::Network), bench::json(&rows, &network), bench::csv(&rows, &network)];
            format!("{heading}{}", text.concat())
        };
        let one = output(1);
        assert_eq!(output(4), one);
        assert!(
            one.starts_with("network simulated:amino-2022, a model: 12 networks of 400 peers, alpha 10, seeds 3 to 14"),
            "{one}"
        );
    }

    #[test]
    fn a_world_without_room_is_refused_before_it_is_drawn() {
        let config = config("parsec bench --world amino-2022");
        let study = study(&config, config.simulated.as_ref().unwrap(), 3).unwrap();
        let refused = Refused::from(study.fits(Some(100_000_000), false).unwrap_err()).to_string();
        // With those who come while publications begin, and while the last of them ends.
        let says = "with those who come as others leave, peers = 34251: so many peers need about 0.3 GB";
        assert!(refused.starts_with(says), "{refused}");
    }

    #[test]
    fn a_run_keeps_what_it_was_made_in() {
        let settings = |line: &str| {
            let config = config(&format!("parsec bench --world amino-2022 --seed 1 {line}"));
            settings(&config, &study(&config, config.simulated.as_ref().unwrap(), 3).unwrap().trial)
        };
        let (as_it_is, wider) = (settings("--operations 5"), settings("--operations 5 --alpha 20"));
        assert_eq!((&*as_it_is["network"], &*as_it_is["alpha"]), ("simulated:amino-2022", "10"));
        assert_eq!(as_it_is["strategies"], "classic,optprov,fullrt");
        assert_eq!(wider["alpha"], "20");
        assert_ne!(as_it_is["world"], wider["world"]);
    }

    #[test]
    fn a_run_in_which_peers_come_and_go_says_so_and_one_of_many_keys_that_they_do_not() {
        let config = config("parsec bench --world amino-2022");
        let world = World::shipped("amino-2022").unwrap().with("churn", 7_200.0).unwrap();
        let trial = Trial { world, seed: 3, operations: 1, strategies: vec![] };
        assert_eq!(
            shown(&config, &trial, &[]).heading,
            "network simulated:amino-2022, a model: 20811 peers, alpha 10, seed 3, half of all peers leave within 2.0 h"
        );
        assert_eq!(settings(&config, &trial)["churn"], "2h");
        let still = Trial { world: trial.world.still(), ..trial };
        assert!(!shown(&config, &still, &[]).heading.contains("leave"));
        assert!(!settings(&config, &still).contains_key("churn"));
    }
}
