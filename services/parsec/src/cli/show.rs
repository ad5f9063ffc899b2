//! `parsec config`: before the words of any command, it shows what they would run with.

use clap::{Arg, ArgAction, ArgMatches};

use super::{CliError, args, argument, command, program, subcommand};
use crate::config::{ConfigError, Program, SECTIONS, ShowConfig, Sources};

/// How clap knows the flag `--schema`. It says what to do, so it is no setting.
const SCHEMA: &str = "schema";

/// How clap knows the flag `--format`. Some commands have a setting of that name, and take it after their own.
const FORMAT: &str = "show.format";

/// Adds what `parsec config` has of its own: each other command with its flags, what may stand before them, and two flags.
pub(super) fn with_programs(config: clap::Command) -> clap::Command {
    let config = config
        .arg(
            Arg::new(FORMAT)
                .long("format")
                .value_name("FORMAT")
                .default_value("table")
                .help("As table, json, or toml (a configuration file)"),
        )
        .arg(
            Arg::new(SCHEMA)
                .long(SCHEMA)
                .action(ArgAction::SetTrue)
                .help("Print every setting of every command as JSON, for programs"),
        );
    let before = SECTIONS.iter().filter(|section| section.global && !section.used_by.contains(&Program::Config));
    let before = before.flat_map(|section| section.keys.iter().flat_map(|key| args(key, section.heading)));
    let config = config.args(before.map(|arg| arg.hide(true)));
    described().fold(config, |config, program| config.subcommand(subcommand(program)))
}

/// The commands that can be asked for.
fn described() -> impl Iterator<Item = Program> {
    Program::ALL.into_iter().filter(|program| *program != Program::Config)
}

/// The command that is asked for, if one is.
pub(super) fn judged(levels: &[(&str, &ArgMatches)]) -> Option<Program> {
    program(levels, 1).filter(|program| *program == Program::Config)?;
    program(levels, 2)
}

/// Reads what `parsec config` needs, and judges it as the command would that is asked for.
pub(super) fn read(levels: &[(&str, &ArgMatches)], from: &Sources) -> Result<ShowConfig, CliError> {
    let (_, own) = levels[1];
    if own.get_flag(SCHEMA) {
        return Ok(ShowConfig::schema(from)?);
    }
    let asked = judged(levels);
    match asked {
        Some(program) => drop(command(program, levels, from)?),
        None => described().try_for_each(|program| usable(program, levels, from))?,
    }
    let format = own.get_one::<String>(FORMAT).map_or("table", String::as_str);
    Ok(ShowConfig::values(from, asked, format)?)
}

/// Whether `program` could use what stands there, if what it must be told besides were told.
fn usable(program: Program, levels: &[(&str, &ArgMatches)], from: &Sources) -> Result<(), CliError> {
    if argument(program).is_some_and(|argument| argument.is_required_set()) {
        return Ok(());
    }
    match command(program, levels, from) {
        Ok(_) | Err(CliError::Config(ConfigError::Missing(_))) => Ok(()),
        Err(error) => Err(error),
    }
}
