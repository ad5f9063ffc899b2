//! The commands of a deployment: `server`, `scheduler`, `health`; and `bench`. Each starts the parts that its configuration names,
//! runs them until it is told to stop, and stops them in order.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parsec_actors::recording::recorder::Backlog;
use parsec_actors::telemetry::metrics::Role;
use parsec_api::client::{HttpClient, ServerApi, Timeouts};
use parsec_api::token::CurrentToken;
use parsec_dht::NodeConfig;
use parsec_measure::{Endpoint, Fleet, FleetGroup};
use parsec_store::{DryRun, Store};
use parsec_tls::{CurrentClient, Expires, Proof, to_server};
use tracing::{info, warn};

use crate::database;
use crate::denylists;
use crate::dht;
use crate::page::{PageBeside, PageSetup};
use crate::place::Place;
use crate::process::{self, Process, SCRAPE_DEADLINE};
use crate::provenance;
use crate::reload::{self, ServerFiles};
use crate::scheduler::{self, SchedulerSetup};
use crate::server::{self, RunningServer, ServerSetup};
use crate::signals::{self, Hangup};
use crate::spool;
use parsec_output as output;
use parsec_settings::{BenchConfig, HealthConfig, SchedulerConfig, ServerConfig, SpoolLimitsConfig, redacted};

/// Over which fraction of the interval the first rounds of the loops are spread: enough that schedulers which were
/// started together do not all publish in the same second.
const JITTER: u32 = 10;

/// How long a round can take in addition to its operations: calls of a database and of a disk that do not answer, each
/// with its own limit of a minute or less.
const BESIDE_OPERATION: Duration = Duration::from_secs(5 * 60);

/// `parsec server dht`.
pub(crate) async fn run_server(config: ServerConfig, args: Vec<OsString>) -> anyhow::Result<()> {
    process::raise_file_limit();
    let process = Process::start_unattended(Role::Server, config.stop.timeout)?;
    let telemetry = process::bind("telemetry", &config.telemetry.listen)?;
    let Some(server) = process.unless_stopped(start_server(&process, config, args)).await else { return Ok(()) };
    let (server, files) = server?;
    let telemetry = process.serve_telemetry(telemetry);
    let ended = process.wait_while_reloading(async || files.reload().await).await;
    let stopped = server.stop(process.stop_times).await;
    drop(telemetry);
    concluded(ended, stopped)
}

async fn start_server(
    process: &Process,
    config: ServerConfig,
    args: Vec<OsString>,
) -> anyhow::Result<(RunningServer, ServerFiles)> {
    say_if_nobody_asks(&config.fleet);
    let mut dht = dht_node(&config)?;
    dht.denylists = denylists::watch(&config, &process.metrics).await?;
    let container = match (config.place.ecs.clone(), config.place.ecs_uri.clone()) {
        (Some(given), _) => Some(given),
        (None, Some(uri)) => Some(parsec_ecs::ask(uri).await?),
        (None, None) => None,
    };
    let metrics = Arc::clone(&process.metrics);
    let expires: Expires = Arc::new(move |at| metrics.certificate_expires(at));
    let proof = |files| Proof::read(files, Arc::clone(&expires));
    let certificate = config.access.tls.as_ref().map(proof).transpose()?;
    let token = CurrentToken::new(config.access.token);
    let target = config.database.target()?;
    let files = ServerFiles {
        token: config.access.token_file.map(|file| (file, token.clone())),
        password: database::password_file(&config.database, &target),
        certificate: certificate.clone(),
        denylists: dht.denylists.clone().map(|watch| (config.denylists.clone(), watch)),
    };
    let http = process::bind("HTTP API", &config.api)?;
    let store: Arc<dyn Store> = if config.recording.dry_run {
        Arc::new(DryRun::alone())
    } else {
        database::open(&target, config.database.wait_to_run()).await?
    };
    let SpoolLimitsConfig { limits, durable, .. } = config.spool_limits;
    let backlog = match config.spool.directory.as_deref() {
        _ if config.recording.dry_run => Backlog::default(),
        directory => spool::backlog(directory, limits, durable, &target).await,
    };
    let bound = http.local_addr().context("the HTTP socket has no address")?.ip();
    let setup = ServerSetup {
        dht,
        http,
        store,
        database_wait: config.database.wait_to_run(),
        backlog,
        fleet: config.fleet,
        place: Place::find(&config.place, container.as_ref(), bound, &target)?,
        startup_delay: config.startup_delay,
        token,
        tls: certificate.map(|certificate| certificate.config()),
        cmd: redacted(args),
        verify_records: config.verify_records,
    };
    Ok((server::start(process, setup).await?, files))
}

/// The reason for the end takes precedence over the result of the stop.
fn concluded(ended: anyhow::Result<()>, stopped: anyhow::Result<()>) -> anyhow::Result<()> {
    match (&ended, &stopped) {
        (_, Ok(())) => info!("stopped in order"),
        (Err(_), Err(unfinished)) => warn!("{unfinished:#}"),
        (Ok(()), Err(_)) => {}
    }
    ended.and(stopped)
}

fn dht_node(config: &ServerConfig) -> anyhow::Result<NodeConfig> {
    let node = NodeConfig { server_mode: config.server_mode, ..dht::node_config(&config.dht, &config.peer)? };
    if node.bootstrap.is_empty() {
        let protocol = node.protocols.join(", ");
        warn!(
            protocol,
            "no bootstrap peers are known for this network (--bootstrap-peers): waiting for others to connect"
        );
    }
    Ok(node)
}

/// As in the original, a server that is told no fleet is in one without a name, which no scheduler can be told.
fn say_if_nobody_asks(fleet: &Fleet) {
    if fleet.as_str().is_empty() {
        warn!(
            "this server is in no fleet, so no scheduler asks it: set --fleet (PARSEC_SERVER_FLEET) to one of the scheduler's --fleets"
        );
    }
}

/// In the original, `--fleets a,b` is one loop over the nodes of both.
fn say_what_a_comma_means(groups: &[FleetGroup]) {
    if let [one, other, ..] = groups {
        info!(
            loops = groups.len(),
            "--fleets has a comma in it: each part has rounds of its own; for one loop over the servers of both, as in the original, \
             write `{one}+{other}`"
        );
    }
}

/// `parsec scheduler`.
pub(crate) async fn run_scheduler(config: SchedulerConfig) -> anyhow::Result<()> {
    process::raise_file_limit();
    let process = Process::start_unattended(Role::Scheduler, config.stop.timeout)?;
    let telemetry = process::bind("telemetry", &config.telemetry.listen)?;
    let page = config.page_port.map(|port| process::bind("page", &config.page.listen(port))).transpose()?;
    let timeouts = Timeouts { operation: config.operation_timeout, ..Timeouts::default() };
    let servers = Arc::new(CurrentClient::new(timeouts, config.access)?);
    let target = config.database.target()?;
    let opening = database::open(&target, config.database.wait_to_run());
    let Some(store) = process.unless_stopped(opening).await else { return Ok(()) };
    let store = store?;
    let store: Arc<dyn Store> = if config.recording.dry_run { Arc::new(DryRun::reading(store)) } else { store };
    let SpoolLimitsConfig { limits, durable, .. } = config.spool_limits;
    let backlog = match config.spool.directory.as_deref() {
        _ if config.recording.dry_run => Backlog::default(),
        directory => spool::backlog(directory, limits, durable, &target).await,
    };
    let groups = config.fleets;
    let setup = SchedulerSetup {
        store,
        servers: Arc::clone(&servers) as Arc<dyn ServerApi>,
        groups: groups.clone(),
        interval: config.interval,
        jitter: config.interval / JITTER,
        probes: config.probes,
        round_limit: (config.operation_timeout + BESIDE_OPERATION) * (config.probes + 1),
        backlog,
        trace_sample: config.trace_sample,
        seed: None,
        watcher: None,
    };
    say_what_a_comma_means(&groups);
    let scheduler = scheduler::start(&process, setup);
    let telemetry = process.serve_telemetry(telemetry);
    let password = database::password_file(&config.database, &target);
    let token = CurrentToken::new(config.page.token);
    let token_file = config.page.token_file.map(|file| (file, token.clone()));
    let status = telemetry.0.ask(SCRAPE_DEADLINE);
    let page = page.map(|listener| PageSetup { listener, database: target, token, status });
    let page = page.map(|setup| PageBeside::start(&process.metrics, setup)).transpose()?;
    let reload = async || reload::scheduler(&servers, &password, &token_file).await;
    let ended = process.wait_while_reloading(reload).await;
    let (stopped, ()) = tokio::join!(scheduler.stop(process.stop_times), PageBeside::stop_any(page));
    drop(telemetry);
    concluded(ended, stopped)
}

/// `parsec bench`. A signal ends it with what there is by then.
pub(crate) async fn run_bench(config: BenchConfig) -> anyhow::Result<()> {
    process::raise_file_limit();
    let signals = signals::listen(None, Hangup::Stops)?;
    parsec_bench::run(config, (provenance::VERSION, provenance::COMMIT), signals.to_stop()).await
}

/// `parsec health HOST:PORT`: `OK` and 0, or the reason and 1.
pub(crate) async fn run_health(config: HealthConfig) -> anyhow::Result<ExitCode> {
    match ask_for_health(&config).await {
        Ok(()) => {
            output::line("OK")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            output::line(&reason)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn ask_for_health(HealthConfig { server, access, .. }: &HealthConfig) -> Result<(), String> {
    let address = server.place.resolve().map_err(|error| format!("{}: {error}", server.place))?;
    let access = to_server(server, address.ip(), access).map_err(|error| error.to_string())?;
    let client = HttpClient::with_access(Timeouts::default(), access).map_err(|error| error.to_string())?;
    let endpoint = Endpoint::new(address.ip(), address.port());
    client.readiness(&endpoint).await.map(drop).map_err(|error| error.to_string())
}
