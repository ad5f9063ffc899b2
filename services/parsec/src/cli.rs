//! The command line, generated from the table of settings.
//!
//! clap splits the words and writes the help; defaults, environment and the meaning of values are the
//! business of [`config`](crate::config), so that a value is judged alike wherever it was written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{
    ConfigError, DemoConfig, Flags, HealthConfig, Key, Kind, Program, SECTIONS, SchedulerConfig, ServerConfig, Sources,
    Warning, warnings,
};
use crate::provenance;

/// What the process was started to do, with everything that it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Take part in a DHT and measure it on request.
    Server(Box<ServerConfig>),
    /// Let servers measure, round after round.
    Scheduler(SchedulerConfig),
    /// Ask a server whether it can measure.
    Health(HealthConfig),
    /// Show everything at once, on this machine.
    Demo(DemoConfig),
}

/// Why there is nothing to run: help was asked for, or something is wrong.
#[derive(Debug)]
pub(crate) enum CliError {
    /// Help, version, or words that make no command line.
    Usage(clap::Error),
    /// A setting that cannot be used.
    Config(ConfigError),
}

impl CliError {
    /// The status to exit with: 0 if help or version were asked for, else 2.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.is_failure() { 2 } else { 0 }
    }

    /// Whether something is wrong, so that the text belongs on standard error.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Usage(error) => error.use_stderr(),
            Self::Config(_) => true,
        }
    }
}

impl fmt::Display for CliError {
    /// The text to print, in lines, the last one ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.render().fmt(f),
            Self::Config(error) => writeln!(f, "error: {error}"),
        }
    }
}

impl std::error::Error for CliError {}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Reads the command line (program name first) and the environment.
///
/// # Errors
/// If help or the version was asked for, if the words make no command line, or if a setting cannot be used.
pub(crate) fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, String>,
) -> Result<(Command, Vec<Warning>), CliError> {
    let matches = command_line().try_get_matches_from(args)?;
    let levels = levels(&matches);
    let name = levels.get(1).map(|(name, _)| *name);
    let program = Program::ALL.into_iter().find(|program| Some(program.name()) == name);
    let program = program.expect("clap asks for a subcommand and takes only known ones");
    let flags = flags(&levels);
    let from = Sources::load(&flags, environment)?;
    let command = match program {
        Program::Server => Command::Server(Box::new(ServerConfig::read(&from)?)),
        Program::Scheduler => Command::Scheduler(SchedulerConfig::read(&from)?),
        Program::Health => Command::Health(HealthConfig::read(&from, health_argument(&levels))?),
        Program::Demo => Command::Demo(DemoConfig::read(&from)?),
    };
    Ok((command, warnings(program, &flags, environment)))
}

/// What was given to the program itself, to its subcommand, and to the subcommand of that.
fn levels(matches: &ArgMatches) -> Vec<(&str, &ArgMatches)> {
    let mut levels = vec![("", matches)];
    while let Some(deeper) = levels.last().and_then(|(_, matches)| matches.subcommand()) {
        levels.push(deeper);
    }
    levels
}

/// The flags that were given. One after the subcommand wins over the same one before it.
fn flags(levels: &[(&str, &ArgMatches)]) -> Flags {
    let mut flags = Flags::new();
    for key in SECTIONS.iter().flat_map(|section| section.keys) {
        // The flag of another subcommand is unknown here: clap says so with an error, and it was not given.
        let given = |matches: &ArgMatches| Some(matches.try_get_many::<String>(key.name).ok()??.cloned().collect());
        if let Some(values) = levels.iter().rev().find_map(|(_, matches)| given(matches)) {
            let values: Vec<String> = values;
            flags.insert(key.name, values.join(","));
        }
    }
    flags
}

const HEALTH_ARGUMENT: &str = "HOST:PORT";

fn health_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> &'a str {
    let given = levels.last().and_then(|(_, matches)| matches.get_one::<String>(HEALTH_ARGUMENT));
    given.expect("clap asks for the argument of health")
}

fn command_line() -> clap::Command {
    let globals = SECTIONS.iter().filter(|section| section.global);
    let root = clap::Command::new("parsec")
        .version(version())
        .about("Measures how fast a libp2p Kademlia DHT publishes and finds provider records")
        .after_help("Without installing anything else, see it at work:\n  parsec demo")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .next_line_help(true)
        .args(globals.flat_map(|section| section.keys.iter().map(|key| arg(key).help_heading(section.heading))));
    Program::ALL.into_iter().fold(root, |root, program| root.subcommand(subcommand(program)))
}

fn subcommand(program: Program) -> clap::Command {
    let (about, example) = match program {
        Program::Server => (
            "Takes part in a DHT and measures it on request",
            "parsec server --fleet default --server-host 0.0.0.0 --db-host db.internal --db-password-file /run/secrets/db",
        ),
        Program::Scheduler => (
            "Lets the servers of fleets publish and look up, round after round, and stores what they measured",
            "parsec scheduler --fleets default,optprov --interval 1m --database-url sqlite:parsec.db",
        ),
        Program::Health => (
            "Asks a server whether it can measure: prints OK, or the reason and exits with 1",
            "parsec health localhost:7070",
        ),
        Program::Demo => (
            "Measures a DHT on this machine: peers, servers and scheduler in one process",
            "parsec demo --peers 50 --rounds 10",
        ),
    };
    let plain = with_settings(clap::Command::new(program.name()).about(about), program)
        .after_help(format!("Example:\n  {example}"));
    match program {
        Program::Server => {
            let dht = clap::Command::new("dht").about("Measures provider records in the DHT (the default)");
            plain.subcommand(with_settings(dht, program))
        }
        Program::Health => plain.arg(Arg::new(HEALTH_ARGUMENT).required(true).help("HTTP API of the server")),
        Program::Scheduler | Program::Demo => plain,
    }
}

fn with_settings(command: clap::Command, program: Program) -> clap::Command {
    let used = SECTIONS.iter().filter(|section| section.used_by.contains(&program));
    let args = used.flat_map(|section| section.keys.iter().map(|key| arg(key).help_heading(section.heading)));
    command.next_line_help(true).args(args)
}

fn arg(key: &'static Key) -> Arg {
    let variables = key.variables().collect::<Vec<_>>().join(", ");
    let default = match key.default {
        None | Some("") => String::new(),
        Some(default) => format!(" [default: {default}]"),
    };
    let arg = Arg::new(key.name)
        .long(key.flag)
        .value_name(key.placeholder)
        .help(format!("{} [env: {variables}]{default}", key.help));
    match key.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::List => arg.action(ArgAction::Append),
        Kind::Text | Kind::Number | Kind::Fraction => arg,
    }
}

/// The version of the package, and the commit that it was built from.
fn version() -> String {
    format!("{} ({})", provenance::VERSION, provenance::COMMIT)
}

#[cfg(test)]
mod tests;
