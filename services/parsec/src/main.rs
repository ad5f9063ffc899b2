//! parsec: measures how fast a libp2p Kademlia DHT publishes and finds provider records.
//!
//! This crate only connects the parts: the actors do the work, and `parsec_settings` reads the command line.
//!
//! - [`commands`]: `server`, `scheduler`, `health`; [`demo`]: all of them in one process; [`network`]: only a DHT
//! - [`oneshot`]: `provide` and `retrieve`; [`trace`]: what an operation did
//! - [`results`]: what was measured, by group, and two groups compared; [`incidents`]: what happened;
//!   [`plan`]: how long to measure
//! - [`doctor`]: what a deployment lacks
//! - [`export`]: measurements in files that other programs read; [`prune`]: old ones deleted
//! - [`report`]: what a period comes to, as one page
//! - [`explain`]: what the time of operations went to, and which peers; [`reading`]: the traces that this takes
//! - [`bench`](mod@bench): strategies compared
//! - [`migrate`]: the database brought up to date, or the SQL for it
//! - [`spool`]: where rows wait while the database is away, and the command that shows and empties spools
//! - [`conformance`]: whether a server keeps the HTTP contract
//! - [`server`], [`scheduler`]: which actors they are made of; [`process`]: what every process has
//! - [`signals`]: what stops a process, and what has it read its files again; [`reload`]: how it does
//! - [`exit`]: exit codes and last lines; [`watchdog`]: ends the process when nothing else can
//! - [`database`], [`dht`], [`denylists`], [`provenance`]: what the wiring needs
//! - [`place`]: where a server runs, from the metadata of ECS or from the machine

mod bench;
mod check;
mod commands;
mod conformance;
mod database;
mod demo;
mod denylists;
mod dht;
mod doctor;
mod exit;
mod explain;
mod export;
mod incidents;
mod kept;
mod measured;
mod migrate;
mod network;
mod oneshot;
mod place;
mod plan;
mod process;
mod provenance;
mod prune;
mod reading;
mod reload;
mod report;
mod results;
mod scheduler;
mod server;
mod signals;
mod spool;
mod trace;
mod watchdog;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use oneshot::OneShot;
use parsec_settings::{Binary, Command, Started};
use parsec_show::Look;
use tracing::warn;

use parsec_output::{self as output, Unwritten, log as logging};

/// What the help says of this binary.
const BINARY: Binary = Binary { version: provenance::VERSION_AND_COMMIT, exit_codes: &exit::EXIT_CODES };

fn main() -> ExitCode {
    let Started { args, parsed, colours_unwanted } = parsec_settings::started(&BINARY);
    let (command, warnings) = match parsed {
        Ok(parsed) => parsed,
        Err(error) if error.is_failure() => {
            // If stderr is closed, there is nobody left to tell.
            let _ = write!(std::io::stderr(), "{error}");
            return ExitCode::from(error.exit_code());
        }
        Err(help) => {
            return ended(output::help(&help.to_string()).map(|()| help.exit_code().into()).map_err(Into::into));
        }
    };
    if let Err(error) = logging::init(&command.log(), std::io::stderr().is_terminal() && !colours_unwanted) {
        let _ = writeln!(std::io::stderr(), "cannot start a thread for the log: {error}");
        return ExitCode::FAILURE;
    }
    for warning in warnings {
        warn!("{warning}");
    }
    ended(process::run(run(command, args, output::look(colours_unwanted))).and_then(|result| result))
}

/// The exit code of a command, with a last line on stderr if it failed. A reader that has gone is not worth one.
fn ended(result: anyhow::Result<ExitCode>) -> ExitCode {
    let code = result.unwrap_or_else(|error| {
        if !error.downcast_ref().is_some_and(Unwritten::is_closed) {
            logging::last_line(&format!("{error:#}"));
        }
        ExitCode::from(exit::code(&error))
    });
    logging::flush(logging::LAST_WORDS);
    code
}

async fn run(command: Command, args: Vec<OsString>, look: Look) -> anyhow::Result<ExitCode> {
    match command {
        Command::Server(config) => commands::run_server(*config, args).await?,
        Command::Scheduler(config) => commands::run_scheduler(*config).await?,
        Command::Health(config) => return commands::run_health(*config).await,
        Command::Provide(config) => {
            let operation = OneShot::Provide { file: config.file, stay: config.stay };
            return oneshot::run(config.one, operation, look).await;
        }
        Command::Retrieve(config) => return oneshot::run(config.one, OneShot::Retrieve(config.cid), look).await,
        Command::Trace(config) => return trace::run(*config, look).await,
        Command::Explain(config) => return explain::run(*config).await,
        Command::Peers(config) => return explain::peers(*config).await,
        Command::Results(config) => return results::run(*config).await,
        Command::Compare(config) => return results::compare(*config).await,
        Command::Export(config) => return export::run(*config).await,
        Command::Prune(config) => return prune::run(*config).await,
        Command::Report(config) => return report::run(*config).await,
        Command::Plan(config) => return plan::run(*config).await,
        Command::Incidents(config) => return incidents::run(*config).await,
        Command::Doctor(config) => return doctor::run(*config).await,
        Command::Check(config) => return check::run(*config).await,
        Command::Migrate(config) => migrate::run(*config).await?,
        Command::Spool(config) => return spool::run(*config).await,
        Command::Conformance(config) => return conformance::run(*config, look).await,
        Command::Bench(config) => bench::run(*config).await?,
        Command::Demo(config) => demo::run(*config).await?,
        Command::Network(config) => network::run(*config).await?,
        Command::Config(config) => output::line(&config.text())?,
        Command::Completions(config) => {
            output::line(parsec_settings::completion_script(config.shell, &BINARY).trim_end())?
        }
    }
    Ok(ExitCode::SUCCESS)
}
