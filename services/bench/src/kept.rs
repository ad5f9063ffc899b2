//! What came of a comparison: kept in a file, and printed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use parsec_answers::kept::Place;
use parsec_lab::field::World;
use parsec_measure::OperationKind;
use parsec_output::{self as output, Unwritten};
use parsec_results::bench::{BenchGroup, BenchRow, Unit};
use parsec_results::run::{Run, of_bench, simulated};
use parsec_settings::{BenchConfig, BenchFormat};
use parsec_show::{bench, words};

/// What is printed: under which circumstances, on which network, and what came of it.
pub(crate) struct Shown {
    pub(crate) heading: String,
    pub(crate) network: String,
    pub(crate) rows: Vec<BenchRow>,
}

/// Where the run is kept and how it is printed.
pub(crate) struct Keeping<'a> {
    config: &'a BenchConfig,
    /// Version and commit.
    program: (&'a str, &'a str),
    /// Tried before anything is measured.
    place: Option<Place>,
}

impl<'a> Keeping<'a> {
    /// # Errors
    /// If the run is to be kept, and no file can be written there.
    pub(crate) fn new(config: &'a BenchConfig, program: (&'a str, &'a str)) -> anyhow::Result<Self> {
        let place = config.save.as_deref().map(|path| Place::at(path, "--save")).transpose()?;
        Ok(Self { config, program, place })
    }

    /// Keeps the run, of which so many pairs of a publication and a lookup had been planned, and prints it.
    ///
    /// # Errors
    /// If there is nothing to keep, or it cannot be written.
    pub(crate) fn finish(
        self,
        groups: &[BenchGroup],
        pairs: u64,
        seed: u64,
        settings: BTreeMap<String, String>,
        shown: &Shown,
    ) -> anyhow::Result<()> {
        let finished = finished(groups.iter().map(|group| (group.kind, group.operations.len())));
        remark_stop(groups.is_empty(), finished, pairs)?;
        // First, because nobody may read the table any more; and the table all the same, because the disk may be full.
        let saved = self.place.map_or(Ok(()), |place| {
            let mut run = Run::new("bench", self.program, seed, settings);
            (run.complete, run.operations) = (finished == pairs, of_bench(groups));
            place.write(&run.text())
        });
        let Shown { heading, network, rows } = shown;
        let text = || bench::table(rows, Unit::of(self.config.networks));
        let (json, csv) = (|| bench::json(rows, network), || bench::csv(rows, network));
        print(self.config, heading, Forms { text, json, csv })?;
        saved
    }
}

/// How many pairs of a publication and a lookup there are, of so many operations of each kind.
pub(crate) fn finished(operations: impl Iterator<Item = (OperationKind, usize)>) -> u64 {
    operations.filter(|(kind, _)| *kind == OperationKind::Retrieve).map(|(_, count)| count as u64).sum()
}

/// Says it if work was stopped before all pairs of a publication and a lookup had been made.
///
/// # Errors
/// If there is nothing to show.
pub(crate) fn remark_stop(is_empty: bool, finished: u64, pairs: u64) -> anyhow::Result<()> {
    if is_empty {
        bail!("stopped before anything was measured");
    }
    if finished != pairs {
        output::note(&format!("stopped after {finished} of {pairs} publications, each with its lookup"));
    }
    Ok(())
}

/// A result in each of its forms.
pub(crate) struct Forms<T, J, C> {
    pub(crate) text: T,
    pub(crate) json: J,
    pub(crate) csv: C,
}

/// Prints a result and the conditions under which it came: above the table for people, on stderr with the rows for programs.
///
/// # Errors
/// If stdout cannot be written to.
pub(crate) fn print(
    config: &BenchConfig,
    heading: &str,
    Forms { text, json, csv }: Forms<impl FnOnce() -> String, impl FnOnce() -> String, impl FnOnce() -> String>,
) -> Result<(), Unwritten> {
    match config.format {
        BenchFormat::Text => output::line(&format!("{heading}\n{}", text())),
        BenchFormat::Json => {
            output::note(heading);
            output::line(&json())
        }
        BenchFormat::Csv => {
            output::note(heading);
            output::table(&csv())
        }
    }
}

/// How many networks, if there are several, and their seeds.
pub(crate) fn networks(config: &BenchConfig, seed: u64) -> (String, String) {
    match config.networks {
        1 => (String::new(), format!("seed {seed}")),
        more => (format!("{more} networks of "), format!("seeds {seed} to {}", seed.wrapping_add(u64::from(more) - 1))),
    }
}

/// How fast peers come and go, after a comma; nothing if they do not.
pub(crate) fn comings_and_goings(churn: Option<Duration>) -> String {
    churn.map_or_else(String::new, |half_life| {
        format!(", half of all peers leave within {}", words::long(half_life.as_secs_f64()))
    })
}

/// The conditions in a simulated world in one line.
pub(crate) fn heading(config: &BenchConfig, world: &World, churn: Option<Duration>, seed: u64) -> String {
    let (networks, seeds) = networks(config, seed);
    let World { name, peers, .. } = world;
    let (alpha, churn) = (world.alpha(), comings_and_goings(churn));
    format!("network {}, a model: {networks}{peers} peers, alpha {alpha}, {seeds}{churn}", simulated(name))
}
