//! `parsec config`: before the words of any command, it shows what they would run with.

use clap::ArgMatches;

use super::definition::{FORMAT, SCHEMA, argument, described};
use super::error::CliError;
use super::given::program;
use crate::error::ConfigError;
use crate::key::Program;
use crate::show::ShowConfig;
use crate::sources::Sources;

/// The command that is asked for, if one is.
pub(super) fn judged(levels: &[(&str, &ArgMatches)]) -> Option<Program> {
    program(levels, 1).filter(|program| *program == Program::Config)?;
    program(levels, 2)
}

/// Reads what `parsec config` needs; `judge` says whether a command could run with what stands there.
pub(super) fn read(
    levels: &[(&str, &ArgMatches)],
    from: &Sources,
    judge: impl Fn(Program) -> Result<(), CliError>,
) -> Result<ShowConfig, CliError> {
    let (_, own) = levels[1];
    if own.get_flag(SCHEMA) {
        return Ok(ShowConfig::schema(from)?);
    }
    let asked = judged(levels);
    match asked {
        Some(program) => judge(program)?,
        None => described().try_for_each(|program| usable(program, &judge))?,
    }
    let format = own.get_one::<String>(FORMAT).map_or("text", String::as_str);
    Ok(ShowConfig::values(from, asked, format)?)
}

/// Whether `program` could use what stands there, if what it must be told besides were told.
fn usable(program: Program, judge: impl Fn(Program) -> Result<(), CliError>) -> Result<(), CliError> {
    if argument(program).is_some_and(|argument| argument.is_required_set()) {
        return Ok(());
    }
    match judge(program) {
        Err(CliError::Config(ConfigError::Missing(_))) => Ok(()),
        judged => judged,
    }
}
