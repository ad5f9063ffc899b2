//! parsec: measures how fast a libp2p Kademlia DHT publishes and finds provider records.
//!
//! This crate only connects the parts: the actors do the work, and `parsec_settings` reads the command line.
//!
//! - [`commands`]: `server`, `scheduler`, `health`; [`demo`]: all of them in one process; [`network`]: only a DHT
//! - [`oneshot`]: `provide` and `retrieve`
//! - `parsec_answers` has the commands about what was measured, `parsec_bench` the one that compares strategies, `parsec_doctor` the one
//!   about what a deployment lacks
//! - [`page`]: the pages for people who look at what was measured
//! - [`migrate`]: the database brought up to date, or the SQL for it
//! - [`spool`]: where rows wait while the database is away, and the command that shows and empties spools
//! - [`conformance`]: whether a server keeps the HTTP contract
//! - [`server`], [`scheduler`]: which actors they are made of; [`process`]: what every process has
//! - [`signals`]: what stops a process, and what has it read its files again; [`reload`]: how it does
//! - [`exit`]: exit codes and last lines; [`watchdog`]: ends the process when nothing else can
//! - [`database`], [`dht`], [`denylists`], [`provenance`]: what the wiring needs
//! - [`place`]: where a server runs, from the metadata of ECS or from the machine

mod commands;
mod conformance;
mod database;
mod demo;
mod denylists;
mod dht;
mod exit;
mod many;
mod migrate;
mod network;
mod oneshot;
mod page;
mod place;
mod process;
mod provenance;
mod reload;
mod scheduler;
mod server;
mod signals;
mod spool;
mod watchdog;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use oneshot::OneShot;
use parsec_answers as answers;
use parsec_settings::{Binary, Command, Started};
use parsec_show::Look;
use tracing::{debug, warn};

use parsec_output::{self as output, Unwritten, log as logging};

/// What this binary says of itself.
const VERSION: &str = provenance::VERSION_AND_COMMIT;

/// What the help says of it.
const BINARY: Binary = Binary { version: VERSION, exit_codes: &exit::EXIT_CODES };

fn main() -> ExitCode {
    let Started { args, parsed, colours_unwanted, allocator_told } = parsec_settings::started(&BINARY);
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
    // A page counts a million attempts now and then, and has nothing to hold between two readers.
    let kept = match command {
        Command::Page(_) if !allocator_told => parsec_host::freed::give_back().err(),
        _ => None,
    };
    if let Err(error) = logging::init(&command.log(), std::io::stderr().is_terminal() && !colours_unwanted) {
        let _ = writeln!(std::io::stderr(), "cannot start a thread for the log: {error}");
        return ExitCode::FAILURE;
    }
    for warning in warnings {
        warn!("{warning}");
    }
    if let Some(error) = kept {
        debug!(%error, "the page will take more memory than it has to");
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
            let config = *config;
            if let Some(list) = &config.cids {
                return many::run(config.one, list, config.manner, config.stay).await;
            }
            let operation = OneShot::Provide { file: config.file, stay: config.stay };
            return oneshot::run(config.one, operation, look).await;
        }
        Command::Retrieve(config) => return oneshot::run(config.one, OneShot::Retrieve(config.cid), look).await,
        Command::Trace(config) => return answers::trace::run(*config, look).await,
        Command::Explain(config) => return answers::explain::run(*config).await,
        Command::Peers(config) => return answers::explain::peers(*config).await,
        Command::Results(config) => return answers::results::run(*config).await,
        Command::Compare(config) => return answers::results::compare(*config).await,
        Command::Export(config) => return answers::export::run(*config, VERSION).await,
        Command::Prune(config) => return answers::prune::run(*config).await,
        Command::Report(config) => return answers::report::run(*config, VERSION).await,
        Command::Page(config) => page::run(*config).await?,
        Command::Plan(config) => return answers::plan::run(*config).await,
        Command::Incidents(config) => return answers::incidents::run(*config).await,
        Command::Doctor(config) => {
            let node = dht::node_config(&config.server.dht, &config.server.peer);
            return parsec_doctor::run(*config, node).await;
        }
        Command::Check(config) => return answers::check::run(*config).await,
        Command::Migrate(config) => migrate::run(*config).await?,
        Command::Spool(config) => return spool::run(*config).await,
        Command::Conformance(config) => return conformance::run(*config, look).await,
        Command::Bench(config) => commands::run_bench(*config).await?,
        Command::Demo(config) => demo::run(*config).await?,
        Command::Network(config) => network::run(*config).await?,
        Command::Config(config) => output::line(&config.text())?,
        Command::Completions(config) => {
            output::line(parsec_settings::completion_script(config.shell, &BINARY).trim_end())?
        }
    }
    Ok(ExitCode::SUCCESS)
}
