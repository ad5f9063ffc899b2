//! A parsec process: its runtime, its supervision tree's root, its end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::Arc;

use actix::prelude::*;
use anyhow::{Context as _, bail};
use parsec_actors::gateway::{Gateway, Routes};
use parsec_actors::metrics::Metrics;
use parsec_actors::root::Root;
use parsec_actors::stop::{StopStep, stop_in_order};
use parsec_actors::supervise::{Child, ChildEvent, supervise};
use parsec_actors::telemetry::Telemetry;
use parsec_measure::RestartPolicy;
use rand::RngExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

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
}

impl Process {
    /// Must be called within the system.
    pub(crate) fn start() -> Self {
        let metrics = Arc::new(Metrics::new(provenance::VERSION, provenance::COMMIT));
        let (root, fatal) = Root::new(Arc::clone(&metrics));
        Self { metrics, root: root.start().recipient(), fatal }
    }

    /// Starts an actor below the root.
    pub(crate) fn supervise<A>(&self, name: &str, actor: A) -> Child<A>
    where
        A: Supervised + Actor<Context = Context<A>>,
    {
        supervise(name, RestartPolicy::default(), self.root.clone(), actor)
    }

    /// Serves `/metrics`.
    pub(crate) fn serve_telemetry(&self, listener: TcpListener) -> (Child<Telemetry>, Child<Gateway>) {
        info!(address = ?listener.local_addr().ok(), "serving /metrics");
        let telemetry = self.supervise("telemetry", Telemetry::new(Arc::clone(&self.metrics)));
        let routes = Routes::telemetry(telemetry.ask(SCRAPE_DEADLINE));
        let gateway = self.supervise("telemetry gateway", Gateway::new(Arc::new(listener), routes));
        (telemetry, gateway)
    }

    /// Waits for a signal to stop, or for an actor that cannot be kept alive: then that is the error.
    pub(crate) async fn wait_for_end(&self) -> anyhow::Result<()> {
        let mut fatal = self.fatal.clone();
        tokio::select! {
            signal = stop_signal() => {
                info!(signal = signal?, "stopping");
                Ok(())
            }
            reason = fatal.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                bail!("giving up: {reason}")
            }
        }
    }
}

/// Waits for SIGTERM or SIGINT. From then on, another one ends the process at once.
pub(crate) async fn stop_signal() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let first = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    actix::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        error!("second signal, ending at once");
        std::process::exit(IMPATIENT);
    });
    Ok(first)
}

/// Stops the parts in order; an unclean stop is an error.
pub(crate) async fn stop(steps: Vec<StopStep>) -> anyhow::Result<()> {
    if !stop_in_order(steps).await {
        bail!("not every part stopped in good order");
    }
    info!("stopped in good order");
    Ok(())
}

/// Where a free port is looked for: it has to fit into the SMALLINT columns of the original's database, and the ports
/// that the system hands out by itself do not.
const FREE_PORTS: RangeInclusive<u16> = 16_384..=32_767;

/// How many taken ports are put up with before giving up on finding a free one.
const FREE_PORT_TRIES: usize = 100;

/// Binds a socket for HTTP, once for the life of the process. Port 0 is a free one.
pub(crate) fn bind(what: &str, place: &HostPort) -> anyhow::Result<TcpListener> {
    let address = place.resolve().with_context(|| format!("{what}: host `{}`", place.host))?;
    let bind = |address| TcpListener::bind(address).with_context(|| format!("{what}: cannot listen on {address}"));
    if address.port() != 0 {
        return bind(address);
    }
    let mut candidates = std::iter::repeat_with(|| SocketAddr::new(address.ip(), rand::rng().random_range(FREE_PORTS)));
    let free = candidates.by_ref().take(FREE_PORT_TRIES).find_map(|candidate| TcpListener::bind(candidate).ok());
    free.map_or_else(|| bind(address), Ok)
}
