//! The command line, generated from the table of settings.
//!
//! clap splits the words and writes the help; defaults, environment and the meaning of values are the
//! business of this crate's other modules, so that a value is judged alike wherever it was written.

use std::ffi::OsString;

use clap::ArgMatches;

use crate::error::ConfigError;
use crate::programs::{Command, IPNI, Program, keys, table};
use crate::sources::{Flags, Sources, Variables};
use crate::tools::Shell;
use crate::warnings::{Warning, warnings};

mod dashes;
mod definition;
mod error;

pub use definition::Binary;
use definition::{ARGUMENT, NAME, command_line, described, id};
pub use error::CliError;

/// What was given to the program itself, to its subcommand, and to the subcommand of that.
type Levels<'a> = Vec<(&'a str, &'a ArgMatches)>;

/// Reads the command line (program name first) and the environment.
///
/// # Errors
/// If help or the version was asked for, if the words make no command line, or if a setting cannot be used.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &Variables,
    binary: &Binary,
) -> Result<(Command, Vec<Warning>), CliError> {
    let matches = command_line(binary).try_get_matches_from(dashes::doubled(args))?;
    let mut levels = vec![("", &matches)];
    while let Some(deeper) = levels.last().and_then(|(_, matches)| matches.subcommand()) {
        levels.push(deeper);
    }
    let named = |level: usize| levels.get(level).and_then(|(name, _)| Program::named(name));
    let program = named(1).expect("clap asks for a subcommand and takes only known ones");
    // `parsec config` stands before the words of any other command.
    let meant = if program == Program::Config { named(2) } else { Some(program) };
    let flags = flags(&levels);
    let argument = meant.and_then(|meant| argument(meant, &levels));
    let from = Sources::load(table(), meant.map(Program::name), argument, &flags, environment)?;
    let command = program.read(&from)?;
    match (&command, meant) {
        (Command::Config(config), _) if config.schema => {}
        (Command::Config(_), Some(meant)) => drop(meant.read(&from)?),
        (Command::Config(_), None) => described().try_for_each(|program| usable(program, &from))?,
        _ => {}
    }
    if levels.last().is_some_and(|(name, _)| *name == IPNI) {
        return Err(CliError::DhtOnly);
    }
    Ok((command, warnings(meant.unwrap_or(program), &flags, environment, &from)))
}

/// Whether `program` could use what stands there, if what it must be told besides were told.
fn usable(program: Program, from: &Sources) -> Result<(), ConfigError> {
    if program.facts().argument.is_some_and(|argument| argument.is_required) {
        return Ok(());
    }
    match program.read(from) {
        Err(ConfigError::Missing(_)) => Ok(()),
        read => read.map(drop),
    }
}

/// The flags that were given. One after the subcommand wins over the same one before it.
fn flags(levels: &Levels<'_>) -> Flags {
    let given = |id: &str| {
        // The flag of another subcommand is unknown here: clap says so with an error, and it was not given.
        let given = |matches: &ArgMatches| Some(matches.try_get_many::<String>(id).ok()??.cloned().collect());
        let values: Vec<String> = levels.iter().rev().find_map(|(_, matches)| given(matches))?;
        Some(values.join(","))
    };
    let flags = keys().map(|key| {
        let given = key.flags().filter_map(|flag| Some((flag, given(id(key, flag))?)));
        (key.name, given.collect::<Vec<_>>())
    });
    flags.filter(|(_, given)| !given.is_empty()).collect()
}

/// What was given without a flag, with what the help calls it: an argument, or what to do with a spool.
fn argument(program: Program, levels: &Levels<'_>) -> Option<(&'static str, String)> {
    let (last, matches) = levels.last()?;
    match program.facts().argument {
        Some(argument) => Some((argument.name, matches.try_get_one::<String>(ARGUMENT).ok()??.clone())),
        None => Some(("ACTION", (*last).to_owned())).filter(|_| *last != program.name()),
    }
}

/// The script that completes command lines in a shell.
pub fn completion_script(shell: Shell, binary: &Binary) -> String {
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut command_line(binary), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests;
