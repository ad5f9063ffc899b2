//! The command line, generated from the tables.
//!
//! clap splits the words and writes the help; defaults, environment and the meaning of values are the
//! business of the other modules, so that a value is judged alike wherever it was written.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::ArgMatches;
use thiserror::Error;

use crate::app::{ACTION, App, Binary, Command, Words};
use crate::error::ConfigError;

mod dashes;
mod definition;
mod files;

pub use definition::command_line;
use definition::{ARGUMENT, id};

/// Why there is nothing to run: help was asked for, or something is wrong. Its text is what to print, the last line ended.
#[derive(Debug, Error)]
pub enum CliError {
    /// Help, version, or words that make no command line.
    #[error("{}", .0.render())]
    Usage(#[from] clap::Error),
    /// A setting that cannot be used.
    #[error("error: {0}\n")]
    Config(#[from] ConfigError),
    /// Something that is understood and not done, and why.
    #[error("error: {0}\n")]
    Refused(&'static str),
}

impl CliError {
    /// The status to exit with: 0 if help or version were asked for, else 2.
    pub fn exit_code(&self) -> u8 {
        if self.is_failure() { 2 } else { 0 }
    }

    /// Whether something is wrong, so that the text belongs on standard error.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Usage(error) => error.use_stderr(),
            Self::Config(_) | Self::Refused(_) => true,
        }
    }
}

/// Splits a command line, program name first.
///
/// # Errors
/// If help or the version was asked for, or if the words make no command line.
pub fn words(app: &'static App, binary: &Binary, args: impl IntoIterator<Item = OsString>) -> Result<Words, CliError> {
    let matches = command_line(app, binary).try_get_matches_from(dashes::doubled(app, args))?;
    // What was given to the program itself, to its subcommand, and to the subcommand of that.
    let mut levels = vec![("", &matches)];
    while let Some(deeper) = levels.last().and_then(|(_, matches)| matches.subcommand()) {
        levels.push(deeper);
    }
    let named = |level: usize| levels.get(level).and_then(|(name, _)| app.command(name));
    let command = named(1).expect("clap asks for a subcommand and takes only known ones");
    let meant = if command.describes { named(2) } else { Some(command) };
    let argument = meant.and_then(|meant| argument(meant, &levels));
    Ok(Words { command, meant, argument, flags: flags(app, &levels) })
}

/// The flags that were given. One after the subcommand wins over the same one before it.
fn flags(app: &App, levels: &[(&str, &ArgMatches)]) -> BTreeMap<&'static str, Vec<(&'static str, String)>> {
    let given = |id: &str| {
        // The flag of another subcommand is unknown here: clap says so with an error, and it was not given.
        let given = |matches: &ArgMatches| Some(matches.try_get_many::<String>(id).ok()??.cloned().collect());
        let values: Vec<String> = levels.iter().rev().find_map(|(_, matches)| given(matches))?;
        Some(values.join(","))
    };
    let flags = app.keys().map(|key| {
        let given = key.flags().filter_map(|flag| Some((flag, given(id(key, flag))?)));
        (key.name, given.collect::<Vec<_>>())
    });
    flags.filter(|(_, given)| !given.is_empty()).collect()
}

/// What was given without a flag, with what the help calls it: an argument, or an action.
fn argument(command: &Command, levels: &[(&str, &ArgMatches)]) -> Option<(&'static str, String)> {
    let (last, matches) = levels.last()?;
    match command.argument {
        Some(argument) => {
            let words = matches.try_get_many::<String>(ARGUMENT).ok()??;
            Some((argument.name, words.cloned().collect::<Vec<_>>().join(" ")))
        }
        None => Some((ACTION, (*last).to_owned())).filter(|_| *last != command.name),
    }
}

/// The script that completes command lines in a shell.
pub fn completion_script(app: &'static App, binary: &Binary, shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line(app, binary), app.name, &mut script);
    files::with_files(&String::from_utf8_lossy(&script), shell)
}
