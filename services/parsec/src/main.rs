//! parsec: measures how fast a libp2p Kademlia DHT publishes and finds provider records.
//!
//! This crate is the command line, the configuration and the wiring; the work is done by the actors.
//!
//! - [`cli`] and [`config`]: what was asked for, from flags, environment and file
//! - [`commands`]: `server`, `scheduler`, `health`; [`demo`]: all of them at once, on this machine; [`network`]: a DHT alone
//! - [`oneshot`]: `provide` and `retrieve`; [`trace`]: what an operation did; [`facts`]: what both say of it
//! - [`bench`]: strategies compared
//! - [`migrate`]: the database brought up to date, or the SQL for it
//! - [`spool`]: where rows wait while the database is away, and the command that looks after them
//! - [`conformance`]: whether a server keeps the HTTP contract
//! - [`server`], [`scheduler`]: which actors they are made of; [`process`]: what every process has
//! - [`exit`]: with which code and which words it ends; [`watchdog`]: ends it when nothing else can
//! - [`database`], [`dht`], [`lists`], [`tls`], [`provenance`], [`logging`], [`output`]: what the wiring needs
//! - [`place`]: where a server runs, from [`ecs`] or from the [`machine`]

mod bench;
mod cli;
mod commands;
mod config;
mod conformance;
mod database;
mod demo;
mod dht;
mod dry_run;
mod ecs;
mod exit;
mod facts;
mod lists;
mod logging;
mod machine;
mod memory;
mod migrate;
mod network;
mod oneshot;
mod output;
mod place;
mod process;
mod provenance;
mod scheduler;
mod server;
mod spool;
mod tls;
mod trace;
mod watchdog;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use parsec_show::Look;
use tracing::{error, warn};

use crate::cli::Command;
use crate::config::{LogConfig, LogLevel};

fn main() -> ExitCode {
    let (args, environment) = inputs();
    let (command, warnings) = match cli::parse(args.clone(), &environment) {
        Ok(parsed) => parsed,
        Err(error) => {
            let mut stream: Box<dyn Write> =
                if error.is_failure() { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
            // If nobody reads it, there is nobody to tell.
            let _ = write!(stream, "{error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let colours_unwanted = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
    logging::init(&log_config(&command), std::io::stderr().is_terminal() && !colours_unwanted);
    for warning in warnings {
        warn!("{warning}");
    }
    match process::run(run(command, args, output::look(colours_unwanted))).and_then(|result| result) {
        Ok(code) => code,
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(exit::code(&error))
        }
    }
}

/// The command line and the environment: read here and nowhere else. Variables that are not Unicode cannot be ours.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn inputs() -> (Vec<OsString>, BTreeMap<String, String>) {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    (std::env::args_os().collect(), variables.collect())
}

/// What a command logs. Those that show their results themselves keep quiet unless they are asked to speak.
fn log_config(command: &Command) -> LogConfig {
    let (common, shows_itself) = match command {
        Command::Server(config) => (&config.common, false),
        Command::Scheduler(config) => (&config.common, false),
        Command::Health(config) => (&config.common, false),
        Command::OneShot(config) => (&config.common, true),
        Command::Trace(config) => (&config.common, true),
        Command::Migrate(config) => (&config.common, true),
        Command::Spool(config) => (&config.common, true),
        Command::Conformance(config) => (&config.common, true),
        Command::Bench(config) => (&config.common, true),
        Command::Demo(config) => (&config.common, true),
        Command::Network(config) => (&config.common, false),
        Command::Config(config) => (&config.common, true),
        Command::Completions(config) => (&config.common, true),
    };
    match &common.log {
        log if shows_itself && log.level == LogLevel::Info => LogConfig { level: LogLevel::Warn, ..log.clone() },
        log => log.clone(),
    }
}

async fn run(command: Command, args: Vec<OsString>, look: Look) -> anyhow::Result<ExitCode> {
    match command {
        Command::Server(config) => commands::run_server(*config, args).await?,
        Command::Scheduler(config) => commands::run_scheduler(config).await?,
        Command::Health(config) => return commands::run_health(config).await,
        Command::OneShot(config) => return oneshot::run(*config, look).await,
        Command::Trace(config) => return trace::run(config, look).await,
        Command::Migrate(config) => migrate::run(config).await?,
        Command::Spool(config) => return spool::run(config).await,
        Command::Conformance(config) => return conformance::run(config, look).await,
        Command::Bench(config) => tokio::task::spawn_blocking(move || bench::run(&config)).await??,
        Command::Demo(config) => demo::run(config).await?,
        Command::Network(config) => network::run(config).await?,
        Command::Config(config) => output::line(&config.text())?,
        Command::Completions(config) => output::line(cli::completions::script(config.shell).trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
