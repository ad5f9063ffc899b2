//! The command line, generated from the table of settings.
//!
//! clap splits the words and writes the help; defaults, environment and the meaning of values are the
//! business of [`config`](crate::config), so that a value is judged alike wherever it was written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{
    BenchConfig, CommonConfig, ConfigError, DemoConfig, Flags, HealthConfig, Key, Kind, NetworkConfig, OneShotConfig,
    Program, SECTIONS, SchedulerConfig, ServerConfig, ShowConfig, Sources, TraceConfig, Warning, warnings,
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
    /// Do one operation, and show what it did.
    OneShot(Box<OneShotConfig>),
    /// Show what an operation did that was recorded.
    Trace(TraceConfig),
    /// Compare strategies on a simulated network.
    Bench(BenchConfig),
    /// Show everything at once, on this machine.
    Demo(DemoConfig),
    /// Be a DHT for servers of their own processes.
    Network(NetworkConfig),
    /// Show the settings.
    Config(ShowConfig),
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
        Program::Health => Command::Health(HealthConfig::read(&from, required_argument(&levels))?),
        Program::Provide => Command::OneShot(Box::new(OneShotConfig::provide(&from, given_argument(&levels))?)),
        Program::Retrieve => Command::OneShot(Box::new(OneShotConfig::retrieve(&from, required_argument(&levels))?)),
        Program::Trace => Command::Trace(TraceConfig::read(&from, given_argument(&levels))?),
        Program::Bench => Command::Bench(BenchConfig::read(&from)?),
        Program::Demo => Command::Demo(DemoConfig::read(&from)?),
        Program::Network => Command::Network(NetworkConfig::read(&from)?),
        Program::Config => Command::Config(ShowConfig { common: CommonConfig::read(&from)? }),
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

/// How clap knows the argument without a flag. No command has two.
const ARGUMENT: &str = "argument";

fn given_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> Option<&'a str> {
    levels.last().and_then(|(_, matches)| matches.get_one::<String>(ARGUMENT)).map(String::as_str)
}

fn required_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> &'a str {
    given_argument(levels).expect("clap asks for an argument that is required")
}

/// The argument of a command that has one.
fn argument(program: Program) -> Option<Arg> {
    let (name, required, help) = match program {
        Program::Health => ("HOST:PORT", true, "HTTP API of the server"),
        Program::Provide => (
            "FILE",
            false,
            "File to publish by the sha2-256 of its bytes (`ipfs add` makes another CID); fresh random bytes if not given",
        ),
        Program::Retrieve => ("CID", true, "What to look for"),
        Program::Trace => ("OPERATION_ID", false, "Operation to show; lists the newest if not given"),
        Program::Server | Program::Scheduler | Program::Bench | Program::Demo | Program::Network | Program::Config => {
            return None;
        }
    };
    Some(Arg::new(ARGUMENT).value_name(name).required(required).help(help))
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
    let (about, examples) = about(program);
    let heading = if examples.len() == 1 { "Example" } else { "Examples" };
    let plain = with_settings(clap::Command::new(program.name()).about(about), program)
        .args(argument(program))
        .after_help(format!("{heading}:\n  {}", examples.join("\n  ")));
    match program {
        Program::Server => {
            let dht = clap::Command::new("dht").about("Measures provider records in the DHT (the default)");
            plain.subcommand(with_settings(dht, program))
        }
        Program::Config => plain.arg(
            Arg::new("schema")
                .long("schema")
                .action(ArgAction::SetTrue)
                .required(true)
                .help("Print every setting of every command as JSON, for programs"),
        ),
        _ => plain,
    }
}

/// What a command does, and how it is used.
fn about(program: Program) -> (&'static str, &'static [&'static str]) {
    match program {
        Program::Server => (
            "Takes part in a DHT and measures it on request",
            &[
                "parsec server --fleet default --server-host 0.0.0.0 --db-host db.internal --db-password-file /run/secrets/db",
            ],
        ),
        Program::Scheduler => (
            "Lets the servers of fleets publish and look up, round after round, and stores what they measured",
            &["parsec scheduler --fleets default,optprov --interval 1m --database-url sqlite:parsec.db"],
        ),
        Program::Health => (
            "Asks a server whether it can measure: prints OK, or the reason and exits with 1",
            &["parsec health localhost:7070"],
        ),
        Program::Provide => (
            "Publishes one provider record, and shows what that took; exits with 1 if it fails",
            &["parsec provide --stay", "parsec provide README.md --strategy optprov --format json | jq .explanation"],
        ),
        Program::Retrieve => (
            "Looks for one provider, and shows what that took; exits with 1 if it finds none",
            &[
                "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
                "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4 --bootstrap-peers /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWQnUASa11PcTJZQPR5AJq5o4BYqqzYVn4kuEnnJ7dSTvj --protocol-id /local/kad/1.0.0",
            ],
        ),
        Program::Trace => (
            "Shows what a recorded operation did, request by request, and what its time went to",
            &[
                "parsec trace --database-url sqlite:parsec.db",
                "parsec trace 01890a5d-ac96-774b-bcce-b302099a8057 --database-url sqlite:parsec.db",
            ],
        ),
        Program::Bench => (
            "Compares strategies on a simulated network of real libp2p peers, on this machine",
            &[
                "parsec bench --strategies classic,optprov",
                "parsec bench --peers 500 --rtt 100ms --undialable 0.15 --operations 100 --seed 1 --format csv > bench.csv",
            ],
        ),
        Program::Demo => (
            "Measures a DHT on this machine: peers, servers and scheduler in one process",
            &["parsec demo --peers 50 --rounds 10"],
        ),
        Program::Network => (
            "Runs a local DHT for servers of their own processes: prints its protocol id, then its bootstrap peers",
            &["parsec network", "parsec network --peers 50 --peer-host 192.0.2.1 --peer-port 4100"],
        ),
        Program::Config => ("Shows the settings", &["parsec config --schema | jq '.[].variable'"]),
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
        Kind::Text | Kind::Number | Kind::Decimal => arg,
    }
}

/// The version of the package, and the commit that it was built from.
fn version() -> String {
    format!("{} ({})", provenance::VERSION, provenance::COMMIT)
}

#[cfg(test)]
mod tests;
