//! The strategies in a simulated world at several values of one thing.

use std::thread;
use std::time::Duration;

use parsec_answers::kept::Place;
use parsec_host::memory;
use parsec_lab::field::{Scan, Study, TrialError};
use parsec_results::bench::{BenchGroup, BenchRow, Unit};
use parsec_results::run::simulated;
use parsec_settings::BenchConfig;
use parsec_show::chart;
use parsec_show::series::Series;

use crate::kept::{self, Forms, comings_and_goings, networks};
use crate::refused::Refused;
use crate::watched::{PAIRS, watched};

/// What was done at a value.
type Played = (f64, Vec<BenchGroup>);

/// Plays the world of a study at each value of a scan, with the same keys, peers and tempers, and prints what differs.
pub(crate) async fn run<S>(
    config: &BenchConfig,
    study: &Study,
    text: &str,
    stopped: impl Future<Output = S>,
) -> anyhow::Result<()> {
    let world = &study.trial.world;
    let scan = Scan::read(text, world).map_err(|error| Refused::Unusable(format!("--scan {text}: {error}")))?;
    let studies = studies(study, &scan);
    for (_, one) in &studies {
        one.fits_times(studies.len(), memory::available(), false).map_err(Refused::from)?;
    }
    let place = config.chart.as_deref().map(|path| Place::at(path, "--chart")).transpose()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let pairs = studies.iter().map(|(_, study)| study.pairs()).sum();
    let played = watched((pairs, PAIRS), stopped, move |stop, done| -> Result<Vec<Played>, TrialError> {
        studies.iter().map(|(value, study)| Ok((*value, study.run(threads, stop, &done)?))).collect()
    });
    let series = series(config, scan.name, played.await??);
    let heading = heading(config, study, &scan);
    let network = simulated(&world.name);
    let drawn = place.map_or(Ok(()), |place| place.write(&chart::scanned(&heading, &series).standalone()));
    let text = || series.text(Unit::of(config.networks));
    let (json, csv) = (|| series.json(&network), || series.csv(&network));
    kept::print(config, &heading, Forms { text, json, csv })?;
    drawn
}

fn studies(study: &Study, scan: &Scan) -> Vec<(f64, Study)> {
    let with = |(value, world): &(f64, _)| {
        let mut study = study.clone();
        study.trial.world = Clone::clone(world);
        (*value, study)
    };
    scan.worlds.iter().map(with).collect()
}

fn series(config: &BenchConfig, name: &'static str, played: Vec<Played>) -> Series {
    let unit = Unit::of(config.networks);
    let rows = |groups: Vec<BenchGroup>| groups.iter().map(|group| BenchRow::of(group, unit, Duration::ZERO)).collect();
    Series::new(name, Scan::written, played.into_iter().map(|(value, groups)| (value, rows(groups))).collect())
}

/// The conditions in one line.
fn heading(config: &BenchConfig, study: &Study, scan: &Scan) -> String {
    let (world, seed) = (&study.trial.world, study.trial.seed);
    let (networks, seeds) = networks(config, seed);
    let values: Vec<_> = scan.worlds.iter().map(|(value, _)| Scan::written(scan.name, *value)).collect();
    // What is scanned is not what the world says.
    let peers = match &scan.worlds[..] {
        [(first, _), .., (last, _)] if scan.name == "peers" => format!("{networks}{first} to {last} peers"),
        _ => format!("{networks}{} peers", world.peers),
    };
    let mut said = vec![format!("network {}, a model: {peers}", simulated(&world.name))];
    said.extend((scan.name != "alpha").then(|| format!("alpha {}", world.alpha())));
    let churn = if scan.name == "churn" { String::new() } else { comings_and_goings(world.churn()) };
    format!("{}, {seeds}{churn}; {} = {}", said.join(", "), scan.name, values.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use parsec_lab::field::{Trial, World};
    use parsec_measure::StrategyKind;

    use super::*;
    use crate::testing::config;

    #[test]
    fn a_scan_of_sizes_says_from_which_to_which_and_no_other() {
        let config = config("parsec bench --world private-50 --scan peers=30..32 --seed 1");
        let world = World::shipped("private-50").unwrap();
        let scan = Scan::read("peers=30..32", &world).unwrap();
        let trial = Trial { world, operations: 1, strategies: vec![StrategyKind::Classic], seed: 1 };
        let said = heading(&config, &Study { trial, networks: 1 }, &scan);
        assert!(said.starts_with("network simulated:private-50, a model: 30 to 32 peers, alpha 10, seed 1"), "{said}");
        assert!(said.ends_with("; peers = 30, 31, 32"), "{said}");
    }

    #[test]
    fn a_wider_lookup_shows_with_intervals_in_a_table_and_a_chart_the_same_on_any_number_of_threads() {
        let config = config("parsec bench --world amino-2022 --scan alpha=1,10");
        let world = World::shipped("amino-2022").unwrap().with("peers", 1_000.0).unwrap();
        let trial = Trial { world, seed: 2, operations: 100, strategies: vec![StrategyKind::Classic] };
        let study = Study { trial, networks: 1 };
        let scan = Scan::read("alpha=1,10", &study.trial.world).unwrap();
        let output = |threads| {
            let played =
                |(value, study): &(f64, Study)| (*value, study.run(threads, &AtomicBool::new(false), &|| {}).unwrap());
            let series = series(&config, scan.name, studies(&study, &scan).iter().map(played).collect());
            let chart = chart::scanned("alpha", &series);
            [series.text(Unit::Operation), series.json("x"), series.csv("x"), chart.standalone(), chart.says].join("\n")
        };
        let one = output(1);
        assert_eq!(output(4), one);
        assert!(one.contains("classic retrieve with alpha 10 is faster than with alpha 1: p50 0."), "{one}");
        assert!(one.contains("p50 of classic provide goes from "), "{one}");
        assert_eq!(
            heading(&config, &study, &scan),
            "network simulated:amino-2022, a model: 1000 peers, seed 2, half of all peers leave within 2.0 h; alpha = 1, 10"
        );
    }
}
