//! A parsec process: its runtime, the root of its supervision tree, and its end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use anyhow::Context as _;
use parsec_actors::recording::recorder::Backlog;
use parsec_actors::serving::gateway::{Gateway, Reports, Routes};
use parsec_actors::supervision::progress::Progress;
use parsec_actors::supervision::root::Root;
use parsec_actors::supervision::stop::{STOP_TIMEOUT, StopTimes};
use parsec_actors::supervision::supervise::{self, Child, ChildEvent, GivenUp, RestartPolicy};
use parsec_actors::telemetry::Telemetry;
use parsec_actors::telemetry::metrics::{Metrics, Role};
use parsec_dht::port_candidates;
use parsec_host::files;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::exit::Failure;
use crate::provenance;
use crate::signals::{self, Hangup, Signals};
use crate::watchdog::Watchdog;
use parsec_api::place::HostPort;

/// How long collecting the metrics, or the state of the process, may take.
pub(crate) const SCRAPE_DEADLINE: Duration = Duration::from_secs(5);

/// Runs `app` on an actix system over a multi-thread runtime: actors on this thread, the DHT and the
/// database on the workers.
pub(crate) fn run<T>(app: impl Future<Output = T>) -> anyhow::Result<T> {
    on(Builder::new_multi_thread().enable_all(), app)
}

/// Runs `app` on an actix system of this thread alone, on a clock that jumps to the next moment at which something is due as soon as all
/// wait.
pub(crate) fn run_on_jumping_clock<T>(app: impl Future<Output = T>) -> anyhow::Result<T> {
    on(Builder::new_current_thread().enable_all().start_paused(true), app)
}

fn on<T>(runtime: &mut Builder, app: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = runtime.build().context("cannot start the runtime")?;
    // The closure is called once, and cannot fail any more.
    let mut runtime = Some(runtime);
    let system = System::with_tokio_rt(|| runtime.take().expect("a system has one runtime"));
    Ok(system.block_on(app))
}

/// The root of the tree, and what every process has.
pub(crate) struct Process {
    pub(crate) metrics: Arc<Metrics>,
    /// How much time the steps of its stop have.
    pub(crate) stop_times: StopTimes,
    root: Recipient<ChildEvent>,
    fatal: watch::Receiver<Option<GivenUp>>,
    signals: Signals,
    /// Ends the process when it cannot do so itself. Only unattended processes have one: a person who pages through the
    /// output of a command may block it for as long as they like.
    watchdog: Option<Watchdog>,
}

impl Process {
    /// Must be called within the system.
    ///
    /// # Errors
    /// If the system grants no handlers for signals.
    pub(crate) fn start(role: Role) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::of(role, provenance::VERSION, provenance::COMMIT));
        Self::with(metrics, STOP_TIMEOUT, None, Hangup::Stops)
    }

    /// A process that runs unattended: it ends within `stop_timeout` when it is told to, and ends by itself when its
    /// actors' thread hangs. Must be called within the system.
    ///
    /// # Errors
    /// If the system grants no handlers for signals, or no thread.
    pub(crate) fn start_unattended(role: Role, stop_timeout: Duration) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::of(role, provenance::VERSION, provenance::COMMIT));
        let watchdog = Watchdog::watch(Arc::clone(&metrics), stop_timeout).context("cannot start a thread")?;
        Self::with(metrics, stop_timeout, Some(watchdog), Hangup::Reloads)
    }

    fn with(
        metrics: Arc<Metrics>,
        stop_timeout: Duration,
        watchdog: Option<Watchdog>,
        hangup: Hangup,
    ) -> anyhow::Result<Self> {
        let (root, fatal) = Root::new(Arc::clone(&metrics));
        let signals = signals::listen(watchdog.clone(), hangup)?;
        let (root, stop_times) = (root.start().recipient(), StopTimes::of(stop_timeout));
        Ok(Self { metrics, stop_times, root, fatal, signals, watchdog })
    }

    /// Starts an actor below the root.
    pub(crate) fn supervise<A>(&self, name: &str, actor: A) -> Child<A>
    where
        A: Supervised + Progress + Actor<Context = Context<A>>,
    {
        supervise(&self.metrics, &self.root, name, actor)
    }

    /// Who is told what becomes of actors.
    pub(crate) fn root(&self) -> &Recipient<ChildEvent> {
        &self.root
    }

    /// Serves `/metrics` and `/status`.
    pub(crate) fn serve_telemetry(&self, listener: TcpListener) -> (Child<Telemetry>, Child<Gateway>) {
        if let Ok(address) = listener.local_addr() {
            info!(%address, "serving /metrics");
        }
        let telemetry = self.supervise("telemetry", Telemetry::new(Arc::clone(&self.metrics)));
        let reports = Reports { metrics: telemetry.ask(SCRAPE_DEADLINE), status: telemetry.ask(SCRAPE_DEADLINE) };
        let routes = Routes::telemetry(reports);
        let gateway = self.supervise("telemetry gateway", Gateway::new(Arc::new(listener), routes));
        (telemetry, gateway)
    }

    /// Waits for something that may take a while, such as a database; `None` if the process is told to stop first.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            // The parts that have been started get an orderly stop.
            biased;
            result = work => Some(result),
            signal = self.signals.to_stop() => {
                info!(signal, "stopping before everything is up");
                None
            }
        }
    }

    /// Waits for a signal to stop, or for an actor that cannot be kept alive, which is returned as the error.
    pub(crate) async fn wait_for_end(&self) -> anyhow::Result<()> {
        self.wait_while_reloading(async || warn!("there is nothing to read again")).await
    }

    /// The same; meanwhile, `reload` reads again what can be read again whenever a signal asks for it.
    pub(crate) async fn wait_while_reloading(&self, reload: impl AsyncFn()) -> anyhow::Result<()> {
        let mut fatal = self.fatal.clone();
        tokio::select! {
            signal = self.signals.to_stop() => {
                info!(signal, "stopping");
                Ok(())
            }
            never = self.signals.each_to_reload(reload) => match never {},
            given_up = fatal.wait_for(Option::is_some) => {
                if let Some(watchdog) = &self.watchdog {
                    watchdog.stop_begins();
                }
                let given_up = given_up.ok().and_then(|given_up| given_up.clone());
                let why = given_up.map_or_else(|| "the root of the actors crashed".to_owned(), |why| why.to_string());
                Err(Failure::GaveUp(why).into())
            }
        }
    }
}

/// Starts an actor below a root, on this thread.
pub(crate) fn supervise<A>(metrics: &Metrics, root: &Recipient<ChildEvent>, name: &str, actor: A) -> Child<A>
where
    A: Supervised + Progress + Actor<Context = Context<A>>,
{
    let child = supervise::supervise(name, RestartPolicy::default(), root.clone(), actor);
    metrics.supervised(child.signs());
    child
}

/// If a stop left something undone, in the recorder or in the parts `before` it, that is an error. Rows on a disk that
/// outlives the process are not undone: the log says how many there are, and who writes them.
pub(crate) fn finished(before: Vec<String>, recorder: Vec<String>, backlog: &Backlog) -> anyhow::Result<()> {
    let mut undone = before;
    match backlog.len() {
        0 => undone.extend(recorder),
        // If the recorder gave no answer, it was waiting for the database.
        rows if backlog.is_safe() => info!(
            rows,
            "rows that the database did not take wait on disk in the spool directory: the next process with this \
             directory and this database writes them, or `parsec spool replay`"
        ),
        rows => {
            undone.extend(recorder);
            undone.push(format!("{rows} rows are not written, and no place that outlives this process has them"));
        }
    }
    if undone.is_empty() { Ok(()) } else { Err(Failure::Unfinished(undone.join("; ")).into()) }
}

/// Binds a socket for HTTP, once for the life of the process. Port 0 is a free one.
pub(crate) fn bind(what: &str, place: &HostPort) -> anyhow::Result<TcpListener> {
    let address = place.resolve().with_context(|| format!("{what}: host `{}`", place.host))?;
    let bind = |address| TcpListener::bind(address).with_context(|| format!("{what}: cannot listen on {address}"));
    if address.port() != 0 {
        return bind(address);
    }
    let mut rng = rand::rng();
    let mut candidates = port_candidates(&mut rng).map(|port| SocketAddr::new(address.ip(), port));
    let free = candidates.find_map(|candidate| TcpListener::bind(candidate).ok());
    // No port was free: let the system choose one, and fail with an error if it does not fit into the database.
    free.map_or_else(|| bind(address), Ok)
}

/// Each peer, each called server and each connection is an open file of this process. Raises the limit as far as the
/// system allows, and warns if that may not be enough.
pub(crate) fn raise_file_limit() {
    let limit = files::raise().or_else(|error| {
        warn!(%error, "the limit of open files stays as it is");
        files::in_force()
    });
    if let Ok(limit) = limit
        && limit < files::ENOUGH
    {
        warn!(
            limit,
            enough = files::ENOUGH,
            "this process may have no more files open than this, each connection being one, and may come to its limit: \
             raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker)"
        );
    }
}
