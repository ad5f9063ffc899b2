//! parsec: measures how fast a libp2p Kademlia DHT publishes and finds provider records.
//!
//! This crate is the command line, the configuration and the wiring; the work is done by the actors.
//!
//! - [`cli`] and [`config`]: what was asked for, from flags, environment and file
//! - [`commands`]: `server`, `scheduler`, `health`; [`demo`]: all of them at once, on this machine
//! - [`server`], [`scheduler`]: which actors they are made of; [`process`]: what every process has
//! - [`database`], [`machine`], [`provenance`], [`logging`], [`output`]: what the wiring needs

mod cli;
mod commands;
mod config;
mod database;
mod demo;
mod logging;
mod machine;
mod output;
mod process;
mod provenance;
mod scheduler;
mod server;
#[cfg_attr(not(test), expect(dead_code, reason = "the commands that show traces come next"))]
mod trace;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

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
    let colour = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none_or(String::is_empty);
    logging::init(&log_config(&command), colour);
    for warning in warnings {
        warn!("{warning}");
    }
    match process::run(run(command, args)).and_then(|result| result) {
        Ok(code) => code,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
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

/// The demonstration shows its results itself; its log keeps quiet unless it is asked to speak.
fn log_config(command: &Command) -> LogConfig {
    match command {
        Command::Server(config) => config.common.log.clone(),
        Command::Scheduler(config) => config.common.log.clone(),
        Command::Health(config) => config.common.log.clone(),
        Command::Demo(config) if config.common.log.level == LogLevel::Info => {
            LogConfig { level: LogLevel::Warn, ..config.common.log.clone() }
        }
        Command::Demo(config) => config.common.log.clone(),
    }
}

async fn run(command: Command, args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    match command {
        Command::Server(config) => commands::run_server(*config, args).await?,
        Command::Scheduler(config) => commands::run_scheduler(config).await?,
        Command::Health(config) => return commands::run_health(config).await,
        Command::Demo(config) => demo::run(config).await?,
    }
    Ok(ExitCode::SUCCESS)
}
