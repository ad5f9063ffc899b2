//! The strategies in a simulated world to which things happen.

use std::thread;

use anyhow::Context as _;
use parsec_answers::kept::Place;
use parsec_host::memory;
use parsec_lab::field::{MAX_SCENARIO_BYTES, Scenario, Study, Timeline};
use parsec_results::bench::Unit;
use parsec_results::run::simulated;
use parsec_results::timeline::TimedGroup;
use parsec_settings::{BenchConfig, ScenarioSource};
use parsec_show::timeline::Timeline as Shown;
use parsec_show::{chart, words};

use crate::kept::Forms;
use crate::refused::Refused;
use crate::watched::{PAIRS, watched};
use crate::{kept, read};

/// Plays a study while a scenario lasts, and prints how each strategy fares.
pub(crate) async fn run<S>(
    config: &BenchConfig,
    study: Study,
    source: &ScenarioSource,
    stopped: impl Future<Output = S>,
) -> anyhow::Result<()> {
    let scenario = named(source)?;
    let timeline = Timeline { study, scenario };
    timeline.fits(memory::available()).map_err(Refused::from)?;
    let place = config.chart.as_deref().map(|path| Place::at(path, "--chart")).transpose()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (pairs, played) = (timeline.study.pairs(), timeline.clone());
    let groups = watched((pairs, PAIRS), stopped, move |stop, done| played.run(threads, stop, &done)).await??;
    let finished = kept::finished(groups.iter().map(|group| (group.kind, group.operations.len())));
    kept::remark_stop(groups.is_empty(), finished, pairs)?;
    let (heading, shown) = (heading(config, &timeline), shown(config, &timeline.scenario, &groups));
    let network = simulated(&timeline.study.trial.world.name);
    let drawn = place.map_or(Ok(()), |place| place.write(&chart::timeline(&heading, &shown).standalone()));
    let text = || shown.text(Unit::of(config.networks));
    let (json, csv) = (|| shown.json(&network), || shown.csv(&network));
    kept::print(config, &heading, Forms { text, json, csv })?;
    drawn
}

/// A scenario by its name, or the one of a file.
///
/// # Errors
/// If there is no such file, or it cannot be used.
pub fn named(source: &ScenarioSource) -> anyhow::Result<Scenario> {
    match source {
        ScenarioSource::Shipped(name) => {
            Scenario::shipped(name).with_context(|| format!("no scenario `{name}` comes with parsec"))
        }
        ScenarioSource::File(path) => {
            let text = read::file("--scenario", path, MAX_SCENARIO_BYTES)?;
            let read = Scenario::read(&path.display().to_string(), &text);
            Ok(read.map_err(|error| Refused::Unusable(error.to_string()))?)
        }
    }
}

fn shown(config: &BenchConfig, scenario: &Scenario, groups: &[TimedGroup]) -> Shown {
    Shown::new(groups, scenario.told(), scenario.step, Unit::of(config.networks))
}

/// The conditions in one line.
fn heading(config: &BenchConfig, Timeline { study, scenario }: &Timeline) -> String {
    let world = &study.trial.world;
    let mut said = kept::heading(config, world, None, study.trial.seed);
    said += &format!("; scenario {}, {}", scenario.name, words::long(scenario.length.as_secs_f64()));
    said += &kept::comings_and_goings(scenario.churn(world));
    if !scenario.lookup_after().is_zero() {
        said += &format!(", lookups {} after publications", words::long(scenario.lookup_after().as_secs_f64()));
    }
    said
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use parsec_lab::field::{SHIPPED_SCENARIOS, Trial, World};
    use parsec_measure::StrategyKind;

    use super::*;
    use crate::testing::{config, help};

    #[test]
    fn the_help_names_every_scenario_that_comes_with_parsec_and_what_it_is() {
        let help = help();
        for (name, _) in SHIPPED_SCENARIOS {
            assert!(help.contains(&format!("- {name}:")), "{name} is not in\n{help}");
            let config = config(&format!("parsec bench --world amino-2022 --scenario {name}"));
            assert_eq!(named(config.scenario.as_ref().unwrap()).unwrap().name, name);
        }
    }

    #[test]
    fn one_seed_gives_one_output_in_every_form_on_any_number_of_threads() {
        let config = config("parsec bench --world amino-2022 --scenario silent-2023");
        let world = World::shipped("amino-2022").unwrap().with("peers", 600.0).unwrap();
        let trial = Trial { world, seed: 2, operations: 600, strategies: vec![StrategyKind::Optprov] };
        let timeline =
            Timeline { study: Study { trial, networks: 1 }, scenario: Scenario::shipped("silent-2023").unwrap() };
        let output = |threads| {
            let shown =
                shown(&config, &timeline.scenario, &timeline.run(threads, &AtomicBool::new(false), &|| {}).unwrap());
            let chart = chart::timeline("x", &shown);
            [shown.text(Unit::Operation), shown.json("x"), shown.csv("x"), chart.standalone(), chart.says].join("\n")
        };
        let one = output(1);
        assert_eq!(output(4), one);
        assert!(one.starts_with("at 10 min: 60 % of those who answer go silent\nat 40 min: 50 % of those"), "{one}");
        assert_eq!(
            heading(&config, &timeline),
            "network simulated:amino-2022, a model: 600 peers, alpha 10, seed 2; scenario silent-2023, 60 min, half of all peers \
             leave within 2.0 h"
        );
    }
}
