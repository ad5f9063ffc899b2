//! A parsec process: its runtime, its supervision tree's root, its end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix::prelude::*;
use anyhow::{Context as _, bail};
use parsec_actors::gateway::{Gateway, Routes};
use parsec_actors::metrics::{Metrics, Role};
use parsec_actors::root::Root;
use parsec_actors::stop::{StopStep, stop_in_order};
use parsec_actors::supervise::{Child, ChildEvent, supervise};
use parsec_actors::telemetry::Telemetry;
use parsec_measure::{RestartPolicy, port_candidates};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::config::HostPort;
use crate::provenance;

/// How long collecting the metrics may take.
const SCRAPE_DEADLINE: std::time::Duration = std::time::Duration::from_secs(5);

/// The exit code of a second signal during a stop: 128 + SIGINT, as shells have it.
const IMPATIENT: i32 = 130;

/// Runs `app` on an actix system over a multi-thread runtime: actors on this thread, the DHT and the
/// database on the workers.
pub(crate) fn run<T>(app: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    // The closure is called once, and cannot fail any more.
    let mut runtime = Some(runtime);
    let system = System::with_tokio_rt(|| runtime.take().expect("a system has one runtime"));
    Ok(system.block_on(app))
}

/// The root of the tree, and what every process has.
pub(crate) struct Process {
    pub(crate) metrics: Arc<Metrics>,
    root: Recipient<ChildEvent>,
    fatal: watch::Receiver<Option<String>>,
    signal: watch::Receiver<Option<&'static str>>,
}

impl Process {
    /// Must be called within the system.
    ///
    /// # Errors
    /// If the system grants no handlers for signals.
    pub(crate) fn start(role: Role) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::of(role, provenance::VERSION, provenance::COMMIT));
        let (root, fatal) = Root::new(Arc::clone(&metrics));
        let signal = listen_for_signals()?;
        Ok(Self { metrics, root: root.start().recipient(), fatal, signal })
    }

    /// Starts an actor below the root.
    pub(crate) fn supervise<A>(&self, name: &str, actor: A) -> Child<A>
    where
        A: Supervised + Actor<Context = Context<A>>,
    {
        self.metrics.supervised(name);
        supervise(name, RestartPolicy::default(), self.root.clone(), actor)
    }

    /// Serves `/metrics`.
    pub(crate) fn serve_telemetry(&self, listener: TcpListener) -> (Child<Telemetry>, Child<Gateway>) {
        if let Ok(address) = listener.local_addr() {
            info!(%address, "serving /metrics");
        }
        let telemetry = self.supervise("telemetry", Telemetry::new(Arc::clone(&self.metrics)));
        let routes = Routes::telemetry(telemetry.ask(SCRAPE_DEADLINE));
        let gateway = self.supervise("telemetry gateway", Gateway::new(Arc::new(listener), routes));
        (telemetry, gateway)
    }

    /// Does something that may take a while, such as waiting for a database; `None` if the process is told to stop first.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            // What is up already gets an orderly stop.
            biased;
            result = work => Some(result),
            signal = self.signalled() => {
                info!(signal, "stopping before everything is up");
                None
            }
        }
    }

    /// Waits for a signal to stop, or for an actor that cannot be kept alive: then that is the error.
    pub(crate) async fn wait_for_end(&self) -> anyhow::Result<()> {
        let mut fatal = self.fatal.clone();
        tokio::select! {
            signal = self.signalled() => {
                info!(signal, "stopping");
                Ok(())
            }
            reason = fatal.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                bail!("giving up: {reason}")
            }
        }
    }

    async fn signalled(&self) -> &'static str {
        let mut signal = self.signal.clone();
        let first = signal.wait_for(Option::is_some).await.map(|signal| *signal);
        first.ok().flatten().expect("whoever listens for signals keeps their channel open")
    }
}

/// Listens for SIGTERM and SIGINT, from the start of the process on: the first process of a container would not even
/// notice one that it does not listen for. A second one ends the process at once.
fn listen_for_signals() -> anyhow::Result<watch::Receiver<Option<&'static str>>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (first, listener) = watch::channel(None);
    actix::spawn(async move {
        let mut next = async || {
            tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" }
        };
        first.send_replace(Some(next().await));
        let signal = next().await;
        error!(signal, "second signal, ending at once");
        std::process::exit(IMPATIENT);
    });
    Ok(listener)
}

/// Stops the parts in order; an unclean stop is an error.
pub(crate) async fn stop(steps: Vec<StopStep>) -> anyhow::Result<()> {
    if !stop_in_order(steps).await {
        bail!("not every part stopped in good order");
    }
    Ok(())
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
    // None was free: the system's own choice fails with a sentence if it does not fit into the database.
    free.map_or_else(|| bind(address), Ok)
}

/// Each peer, each server that is asked and each connection is an open file of this one process: take as many as the system grants.
pub(crate) fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        warn!(%error, "the limit of open files stays as it is");
    }
}
