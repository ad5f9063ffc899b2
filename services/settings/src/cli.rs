//! The command line, generated from the table of settings.
//!
//! clap splits the words and writes the help; defaults, environment and the meaning of values are the
//! business of this crate's other modules, so that a value is judged alike wherever it was written.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::ArgMatches;

use crate::common::LogConfig;
use crate::declared::SECTIONS;
use crate::demo::DemoConfig;
use crate::idle;
use crate::key::Program;
use crate::serving::{HealthConfig, SchedulerConfig, ServerConfig};
use crate::show::ShowConfig;
use crate::sources::Sources;
use crate::spool::SpoolCommandConfig;
use crate::tools::{
    BenchConfig, CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig, OneShotConfig, TraceConfig,
};
use crate::values::{LogLevel, Shell, SpoolAction};
use crate::warnings::{Warning, warnings};

mod dashes;
mod definition;
mod error;
mod given;
mod show;

pub use definition::Binary;
use definition::{IPNI, NAME, command_line};
pub use error::CliError;
use given::{flags, given_argument, levels, program, required_argument};

/// What the process was started to do, with everything that it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take part in a DHT and measure it on request.
    Server(Box<ServerConfig>),
    /// Let servers measure, round after round.
    Scheduler(Box<SchedulerConfig>),
    /// Ask a server whether it can measure.
    Health(HealthConfig),
    /// Do one operation, and show what it did.
    OneShot(Box<OneShotConfig>),
    /// Show what an operation did that was recorded.
    Trace(TraceConfig),
    /// Bring the database up to date.
    Migrate(MigrateConfig),
    /// Look after rows that wait for the database.
    Spool(SpoolCommandConfig),
    /// Check whether a server keeps the contract.
    Conformance(ConformanceConfig),
    /// Compare strategies on a simulated network.
    Bench(BenchConfig),
    /// Show everything at once, on this machine.
    Demo(DemoConfig),
    /// Be a DHT for servers of their own processes.
    Network(NetworkConfig),
    /// Show the settings.
    Config(ShowConfig),
    /// Print a script that completes command lines.
    Completions(CompletionsConfig),
}

impl Command {
    /// What it logs. Those that show their results themselves keep quiet unless they are asked to speak.
    pub fn log(&self) -> LogConfig {
        let (common, shows_itself) = match self {
            Self::Server(config) => (&config.common, false),
            Self::Scheduler(config) => (&config.common, false),
            Self::Health(config) => (&config.common, false),
            Self::OneShot(config) => (&config.common, true),
            Self::Trace(config) => (&config.common, true),
            Self::Migrate(config) => (&config.common, true),
            Self::Spool(config) => (&config.common, true),
            Self::Conformance(config) => (&config.common, true),
            Self::Bench(config) => (&config.common, true),
            Self::Demo(config) => (&config.common, true),
            Self::Network(config) => (&config.common, false),
            Self::Config(config) => (&config.common, true),
            Self::Completions(config) => (&config.common, true),
        };
        match &common.log {
            log if shows_itself && log.level == LogLevel::Info => LogConfig { level: LogLevel::Warn, ..log.clone() },
            log => log.clone(),
        }
    }
}

/// Reads the command line (program name first) and the environment.
///
/// # Errors
/// If help or the version was asked for, if the words make no command line, or if a setting cannot be used.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, OsString>,
    binary: &Binary,
) -> Result<(Command, Vec<Warning>), CliError> {
    let matches = command_line(binary).try_get_matches_from(dashes::doubled(args))?;
    let levels = levels(&matches);
    let program = program(&levels, 1).expect("clap asks for a subcommand and takes only known ones");
    let flags = flags(&levels);
    let from = Sources::load(SECTIONS, &flags, environment)?;
    let command = command(program, &levels, &from)?;
    let judged = show::judged(&levels).unwrap_or(program);
    Ok((command, warnings(judged, &flags, environment, &from)))
}

/// Makes of the settings what `program` needs.
fn command(program: Program, levels: &[(&str, &ArgMatches)], from: &Sources) -> Result<Command, CliError> {
    idle::check(from, program)?;
    Ok(match program {
        Program::Server => Command::Server(server(levels, from)?),
        Program::Scheduler => Command::Scheduler(Box::new(SchedulerConfig::read(from)?)),
        Program::Health => Command::Health(HealthConfig::read(from, required_argument(levels))?),
        Program::Provide => Command::OneShot(Box::new(OneShotConfig::provide(from, given_argument(levels))?)),
        Program::Retrieve => Command::OneShot(Box::new(OneShotConfig::retrieve(from, required_argument(levels))?)),
        Program::Trace => Command::Trace(TraceConfig::read(from, given_argument(levels))?),
        Program::Migrate => Command::Migrate(MigrateConfig::read(from)?),
        Program::Spool => Command::Spool(SpoolCommandConfig::read(from, spool_action(levels))?),
        Program::Conformance => Command::Conformance(ConformanceConfig::read(from, required_argument(levels))?),
        Program::Bench => Command::Bench(BenchConfig::read(from)?),
        Program::Demo => Command::Demo(DemoConfig::read(from)?),
        Program::Network => Command::Network(NetworkConfig::read(from)?),
        Program::Config => {
            Command::Config(show::read(levels, from, |program| command(program, levels, from).map(drop))?)
        }
        Program::Completions => Command::Completions(CompletionsConfig::read(from, required_argument(levels))?),
    })
}

/// The settings of a server, if it is one for DHTs.
fn server(levels: &[(&str, &ArgMatches)], from: &Sources) -> Result<Box<ServerConfig>, CliError> {
    let config = ServerConfig::read(from)?;
    match levels.last() {
        Some((name, _)) if *name == IPNI => Err(CliError::DhtOnly),
        _ => Ok(Box::new(config)),
    }
}

/// What to do with a spool. Without a word for it, only the settings are looked at.
fn spool_action(levels: &[(&str, &ArgMatches)]) -> SpoolAction {
    let action = levels.last().and_then(|(name, _)| SpoolAction::read(name).ok());
    action.unwrap_or(SpoolAction::List)
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
