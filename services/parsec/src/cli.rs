//! The command line, generated from the table of settings.
//!
//! clap splits the words and writes the help; defaults, environment and the meaning of values are the
//! business of [`config`](crate::config), so that a value is judged alike wherever it was written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{
    BenchConfig, CompletionsConfig, ConfigError, ConformanceConfig, DemoConfig, Flags, Given, HealthConfig, Key, Kind,
    MigrateConfig, NetworkConfig, OneShotConfig, Program, SECTIONS, SchedulerConfig, Secrecy, ServerConfig, ShowConfig,
    Sources, SpoolCommandConfig, TraceConfig, Warning, keys, warnings,
};
use crate::exit::EXIT_CODES;
use crate::provenance;

pub(crate) mod completions;
mod dashes;
mod show;

/// What the binary is called.
const NAME: &str = "parsec";

/// The subcommand of `server` that is not for DHTs.
const IPNI: &str = "ipni";

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

/// Why there is nothing to run: help was asked for, or something is wrong.
#[derive(Debug)]
pub(crate) enum CliError {
    /// Help, version, or words that make no command line.
    Usage(clap::Error),
    /// A setting that cannot be used.
    Config(ConfigError),
    /// The original measures IPNI indexers too.
    DhtOnly,
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
            Self::Config(_) | Self::DhtOnly => true,
        }
    }
}

impl fmt::Display for CliError {
    /// The text to print, in lines, the last one ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.render().fmt(f),
            Self::Config(error) => writeln!(f, "error: {error}"),
            Self::DhtOnly => writeln!(
                f,
                "error: this build measures DHTs only: run `parsec server dht`, or the original's `parsec server ipni`"
            ),
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
    let matches = command_line().try_get_matches_from(dashes::doubled(args))?;
    let levels = levels(&matches);
    let program = program(&levels, 1).expect("clap asks for a subcommand and takes only known ones");
    let flags = flags(&levels);
    let from = Sources::load(&flags, environment)?;
    let command = command(program, &levels, &from)?;
    let judged = show::judged(&levels).unwrap_or(program);
    Ok((command, warnings(judged, &flags, environment, &from)))
}

/// The subcommand that stands at a level of the command line.
fn program(levels: &[(&str, &ArgMatches)], level: usize) -> Option<Program> {
    let (name, _) = levels.get(level)?;
    Program::ALL.into_iter().find(|program| program.name() == *name)
}

/// Makes of the settings what `program` needs.
fn command(program: Program, levels: &[(&str, &ArgMatches)], from: &Sources) -> Result<Command, CliError> {
    Ok(match program {
        Program::Server => Command::Server(server(levels, from)?),
        Program::Scheduler => Command::Scheduler(SchedulerConfig::read(from)?),
        Program::Health => Command::Health(HealthConfig::read(from, required_argument(levels))?),
        Program::Provide => Command::OneShot(Box::new(OneShotConfig::provide(from, given_argument(levels))?)),
        Program::Retrieve => Command::OneShot(Box::new(OneShotConfig::retrieve(from, required_argument(levels))?)),
        Program::Trace => Command::Trace(TraceConfig::read(from, given_argument(levels))?),
        Program::Migrate => Command::Migrate(MigrateConfig::read(from)?),
        Program::Spool => Command::Spool(SpoolCommandConfig::read(from, required_argument(levels))?),
        Program::Conformance => Command::Conformance(ConformanceConfig::read(from, required_argument(levels))?),
        Program::Bench => Command::Bench(BenchConfig::read(from)?),
        Program::Demo => Command::Demo(DemoConfig::read(from)?),
        Program::Network => Command::Network(NetworkConfig::read(from)?),
        Program::Config => Command::Config(show::read(levels, from)?),
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
    for key in keys() {
        let given = key.flags().filter_map(|flag| {
            let id = id(key, flag);
            // The flag of another subcommand is unknown here: clap says so with an error, and it was not given.
            let given = |matches: &ArgMatches| Some(matches.try_get_many::<String>(id).ok()??.cloned().collect());
            let values: Vec<String> = levels.iter().rev().find_map(|(_, matches)| given(matches))?;
            Some(Given { flag, value: values.join(",") })
        });
        let given: Vec<_> = given.collect();
        if !given.is_empty() {
            flags.insert(key.name, given);
        }
    }
    flags
}

/// How clap knows a flag: the current one by the name of its setting, an older one by its own.
fn id(key: &'static Key, flag: &'static str) -> &'static str {
    if flag == key.flag { key.name } else { flag }
}

/// How clap knows the argument without a flag. No command has two.
const ARGUMENT: &str = "argument";

fn given_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> Option<&'a str> {
    levels.last().and_then(|(_, matches)| matches.try_get_one::<String>(ARGUMENT).ok()?).map(String::as_str)
}

fn required_argument<'a>(levels: &[(&str, &'a ArgMatches)]) -> &'a str {
    given_argument(levels).expect("clap asks for an argument that is required")
}

/// The argument of a command that has one.
fn argument(program: Program) -> Option<Arg> {
    let (name, required, help) = match program {
        Program::Health => ("HOST:PORT", true, "HTTP API of the server; one that speaks TLS as https://HOST:PORT"),
        Program::Provide => (
            "FILE",
            false,
            "File to publish by the sha2-256 of its bytes (`ipfs add` makes another CID); fresh random bytes if not given",
        ),
        Program::Retrieve => ("CID", true, "What to look for"),
        Program::Trace => ("OPERATION_ID", false, "Operation to show; lists the newest if not given"),
        Program::Spool => ("ACTION", true, "What to do: list, verify or replay"),
        Program::Conformance => ("URL", true, "HTTP API of the server, as http://HOST:PORT or https://HOST:PORT"),
        Program::Completions => ("SHELL", true, "Shell to complete command lines in: bash, zsh or fish"),
        Program::Server
        | Program::Scheduler
        | Program::Migrate
        | Program::Bench
        | Program::Demo
        | Program::Network
        | Program::Config => {
            return None;
        }
    };
    Some(Arg::new(ARGUMENT).value_name(name).required(required).help(help))
}

fn command_line() -> clap::Command {
    let globals = SECTIONS.iter().filter(|section| section.global);
    let root = clap::Command::new(NAME)
        .version(version())
        .about("Measures how fast a libp2p Kademlia DHT publishes and finds provider records")
        .after_help("Without installing anything else, see it at work:\n  parsec demo")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .next_line_help(true)
        .args(globals.flat_map(|section| section.keys.iter().flat_map(|key| args(key, section.heading))));
    Program::ALL.into_iter().fold(root, |root, program| root.subcommand(subcommand(program)))
}

fn subcommand(program: Program) -> clap::Command {
    let (about, examples) = about(program);
    let heading = if examples.len() == 1 { "Example" } else { "Examples" };
    let plain = with_settings(clap::Command::new(program.name()).about(about), program)
        .args(argument(program))
        .after_help(format!("{heading}:\n  {}{}", examples.join("\n  "), exit_codes(program)));
    match program {
        Program::Server => {
            let dht = clap::Command::new("dht").about("Measures provider records in the DHT (the default)");
            let ipni = clap::Command::new(IPNI).about("Ends with a message: this build measures DHTs only");
            plain.subcommand(with_settings(dht, program)).subcommand(with_settings(ipni, program))
        }
        Program::Config => show::with_programs(plain),
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
                "parsec server --fleet fullrt dht --fullrt --database-url sqlite:parsec.db",
            ],
        ),
        Program::Scheduler => (
            "Lets the servers of fleets publish and look up, round after round, and stores what they measured",
            &["parsec scheduler --fleets default,optprov --interval 1m --database-url sqlite:parsec.db"],
        ),
        Program::Health => (
            "Asks a server whether it can measure: prints OK, or the reason and exits with 1",
            &["parsec health localhost:7070", "parsec health https://10.0.2.100:7070 --tls-ca ca.pem"],
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
        Program::Migrate => (
            "Brings the database up to date, which servers and schedulers otherwise do when they start",
            &[
                "parsec migrate --db-host db.internal --db-user owner --db-password-file /run/secrets/owner",
                "parsec migrate --print > parsec.sql",
                "parsec migrate --print --database-url sqlite:parsec.db | sqlite3 parsec.db",
            ],
        ),
        Program::Spool => (
            "Looks after rows that wait on disk for the database: list says where, verify reads all of them and exits with 1 \
             if some are damaged, replay writes those that no running process looks after",
            &[
                "parsec spool list",
                "parsec spool verify --spool-dir /var/lib/parsec/spool",
                "parsec spool replay --spool-dir /var/lib/parsec/spool --database-url sqlite:parsec.db",
            ],
        ),
        Program::Conformance => (
            "Checks whether a server, in whatever language, keeps the HTTP contract; exits with 1 if it does not",
            &["parsec conformance http://localhost:7070", "parsec conformance http://10.0.2.100:7070 --format json"],
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
        Program::Config => (
            "Shows what a command would run with, and where each value came from; refuses what the command would refuse",
            &[
                "parsec config server --fleet default --optprov",
                "parsec config --format toml scheduler --fleets default > parsec.toml",
                "parsec config --schema | jq '.[].variable'",
            ],
        ),
        Program::Completions => (
            "Prints a script that completes command lines in a shell",
            &[
                "parsec completions bash > /etc/bash_completion.d/parsec",
                "parsec completions zsh > \"${fpath[1]}/_parsec\"",
                "parsec completions fish > ~/.config/fish/completions/parsec.fish",
            ],
        ),
    }
}

/// What those that run unattended say by their end.
fn exit_codes(program: Program) -> String {
    if !matches!(program, Program::Server | Program::Scheduler) {
        return String::new();
    }
    let codes = EXIT_CODES.iter().map(|(code, meaning)| format!("\n  {code:>3}  {meaning}"));
    format!("\n\nExit codes:{}", codes.collect::<String>())
}

fn with_settings(command: clap::Command, program: Program) -> clap::Command {
    let used = SECTIONS.iter().filter(|section| section.used_by.contains(&program));
    let args = used.flat_map(|section| section.keys.iter().flat_map(|key| args(key, section.heading)));
    command.next_line_help(true).args(args)
}

/// The flags of a setting, older names hidden.
fn args(key: &'static Key, heading: &'static str) -> impl Iterator<Item = Arg> {
    let names = key.flags().map(move |flag| (flag, flag != key.flag));
    names.map(move |(flag, older)| arg(key).id(id(key, flag)).long(flag).hide(older).help_heading(heading))
}

fn arg(key: &'static Key) -> Arg {
    let variables = key.variables().collect::<Vec<_>>().join(", ");
    let default = match key.default {
        None | Some("") => String::new(),
        Some(default) => format!(" [default: {default}]"),
    };
    let older: String = key.older_flags.iter().map(|flag| format!(" [older: --{flag}]")).collect();
    let arg = Arg::new(key.name)
        .value_name(key.placeholder)
        // A password may begin with a dash, as it may with anything.
        .allow_hyphen_values(key.secrecy == Secrecy::Secret)
        .help(format!("{} [env: {variables}]{default}{older}", key.meaning()));
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
