//! From the words of a command line and the environment to a command with its settings.

use std::ffi::OsString;

use parsec_layers::{ACTION, Binary, CliError, ConfigError, Shell, Sources, Variables, Warning, warnings, words};

use crate::programs::{Command, IPNI, Program, app};

/// Reads the command line (program name first) and the environment.
///
/// # Errors
/// If help or the version was asked for, if the words make no command line, or if a setting cannot be used.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &Variables,
    binary: &Binary,
) -> Result<(Command, Vec<Warning>), CliError> {
    let from = Sources::load(app(), words(app(), binary, args)?, environment)?;
    let program = Program::declared_as(from.words.command);
    let meant = from.words.meant.map(Program::declared_as);
    let command = program.read(&from)?;
    match (&command, meant) {
        (Command::Config(config), _) if config.schema => {}
        (Command::Config(_), Some(meant)) => drop(meant.read(&from)?),
        (Command::Config(_), None) => Program::ALL.into_iter().try_for_each(|program| usable(program, &from))?,
        _ => {}
    }
    if from.words.argument.as_ref().is_some_and(|(name, action)| *name == ACTION && action == IPNI) {
        return Err(CliError::Refused(
            "this build measures DHTs only: run `parsec server dht`, or the original's `parsec server ipni`",
        ));
    }
    let warnings = warnings(&from, environment);
    Ok((command, warnings))
}

/// Whether `program` could use what stands there, if what it must be told besides were told.
fn usable(program: Program, from: &Sources) -> Result<(), ConfigError> {
    if program.declared().argument.is_some_and(|argument| argument.is_required) {
        return Ok(());
    }
    match program.read(from) {
        Err(ConfigError::Missing(_)) => Ok(()),
        read => read.map(drop),
    }
}

/// The script that completes command lines in a shell.
pub fn completion_script(shell: Shell, binary: &Binary) -> String {
    parsec_layers::completion_script(app(), binary, shell)
}

#[cfg(test)]
mod tests;
