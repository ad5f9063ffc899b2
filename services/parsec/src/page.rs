//! The pages for people who look at what was measured: as a process of their own, and beside what measures, where they have a thread and a
//! pool of database sessions of their own, so that no reader delays a measurement.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use anyhow::Context as _;
use parsec_actors::serving::gateway::{Access, Gateway, Routes, Viewing};
use parsec_actors::supervision::ask::Ask;
use parsec_actors::supervision::root::Root;
use parsec_actors::supervision::stop::{StopStep, stop_in_order};
use parsec_actors::supervision::supervise::{Child, ChildEvent};
use parsec_actors::telemetry::metrics::{Metrics, Role};
use parsec_actors::telemetry::{GetStatus, Telemetry};
use parsec_actors::viewing::archive::Archive;
use parsec_api::token::CurrentToken;
use parsec_settings::PageConfig;
use parsec_store::{Glance, StoreConfig, open_glance, wait_for};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::database;
use crate::process::{self, Process, SCRAPE_DEADLINE, supervise};
use crate::provenance;
use crate::reload::ServerFiles;
use parsec_output as output;

/// How long the archive may take to answer a page: more than it has its readers wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// How long the pages that are being sent may take when the process stops. Streams of news never end by themselves.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// How many threads of a page beside what measures may wait for a file or count at once: as many questions as are answered at once, each
/// with a session of the database, and one to spare.
const BLOCKING_THREADS: usize = 8;

/// What a page needs.
pub(crate) struct PageSetup {
    /// Where it listens.
    pub(crate) listener: TcpListener,
    /// What it shows.
    pub(crate) database: StoreConfig,
    /// Who is let in.
    pub(crate) token: CurrentToken,
    /// How the process is in which it runs.
    pub(crate) status: Ask<GetStatus>,
}

/// Shows the page until it is told to stop.
pub(crate) async fn run(config: PageConfig) -> anyhow::Result<()> {
    let process = Process::start(Role::Page)?;
    let listener = process::bind("page", &config.access.listen(config.port))?;
    let target = config.database.target()?;
    let opening = wait_for(&target, config.database.wait_to_run(), || open_glance(&target));
    let Some(store) = process.unless_stopped(opening).await else { return Ok(()) };
    let store = store.with_context(|| format!("database {target}"))?;
    let token = CurrentToken::new(config.access.token);
    let files = ServerFiles {
        token: config.access.token_file.map(|file| (file, token.clone())),
        password: database::password_file(&config.database, &target),
        ..ServerFiles::default()
    };
    let telemetry = process.supervise("telemetry", Telemetry::new(Arc::clone(&process.metrics)));
    let setup = PageSetup { listener, database: target, token, status: telemetry.ask(SCRAPE_DEADLINE) };
    let address = address(&setup)?;
    let page = Page::start(&process.metrics, process.root(), store, setup);
    output::line(&format!("http://{address}/"))?;
    let ended = process.wait_while_reloading(async || files.reload().await).await;
    page.stop().await;
    ended
}

fn address(setup: &PageSetup) -> anyhow::Result<SocketAddr> {
    setup.listener.local_addr().context("the socket of the page has no address")
}

/// The actors of a page.
struct Page {
    /// Stops with this value.
    _archive: Child<Archive>,
    gateway: Child<Gateway>,
}

impl Page {
    fn start(metrics: &Metrics, root: &Recipient<ChildEvent>, store: Arc<dyn Glance>, setup: PageSetup) -> Self {
        let PageSetup { listener, database, token, status } = setup;
        let address = listener.local_addr().ok();
        let is_local = address.is_some_and(|address| address.ip().is_loopback());
        if !is_local && token.get().is_none() {
            warn!(?address, "whoever reaches this address can look: set --page-token, or let a proxy ask who it is");
        }
        let archive = supervise(metrics, root, "archive", Archive::new(store).in_process(status));
        let viewing = Viewing {
            look: archive.ask(ANSWER_DEADLINE),
            listen: archive.ask(ANSWER_DEADLINE),
            access: Access { token, is_local },
            version: provenance::VERSION_AND_COMMIT.to_owned(),
        };
        let gateway = Gateway::new(Arc::new(listener), Routes::viewing(viewing)).stopping_within(STOP_WITHIN);
        let gateway = supervise(metrics, root, "page gateway", gateway);
        if let Some(address) = address {
            info!(%address, %database, "serving the page");
        }
        Self { _archive: archive, gateway }
    }

    async fn stop(&self) {
        let gateway = StopStep { name: "page", ask: self.gateway.ask(STOP_WITHIN + Duration::from_secs(1)) };
        for undone in stop_in_order(vec![gateway]).await {
            warn!("{undone}");
        }
    }
}

/// A page on a thread of its own, beside what measures.
pub(crate) struct PageBeside {
    address: SocketAddr,
    thread: Arbiter,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl PageBeside {
    /// Starts it. Its database may come later, and what happens to its actors ends nothing else.
    ///
    /// # Errors
    /// If the system grants no thread.
    pub(crate) fn start(metrics: &Arc<Metrics>, setup: PageSetup) -> anyhow::Result<Self> {
        let address = address(&setup)?;
        let runtime = || {
            let mut own = Builder::new_multi_thread();
            own.worker_threads(1).max_blocking_threads(BLOCKING_THREADS).thread_name("page").enable_all().build()
        };
        let thread = Arbiter::try_with_tokio_rt(runtime).context("cannot start a thread for the page")?;
        let ((stop, told), (tell, stopped)) = (oneshot::channel(), oneshot::channel());
        let metrics = Arc::clone(metrics);
        thread.spawn_fn(move || {
            actix::spawn(async move {
                serve(metrics, setup, told).await;
                // Nobody may wait for it.
                let _ = tell.send(());
            });
        });
        Ok(Self { address, thread, stop, stopped })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Lets the pages that are being sent end, if there is a page.
    pub(crate) async fn stop_any(page: Option<Self>) {
        if let Some(page) = page {
            page.stop().await;
        }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        if timeout(STOP_WITHIN * 3, self.stopped).await.is_err() {
            warn!("the page does not stop, and is left");
        }
        self.thread.stop();
    }
}

async fn serve(metrics: Arc<Metrics>, setup: PageSetup, mut told: oneshot::Receiver<()>) {
    // Not the root of the process: that ends when an actor is given up.
    let (root, mut given_up) = Root::new(Arc::clone(&metrics));
    let root = root.start().recipient();
    let store = tokio::select! {
        opened = wait_for(&setup.database, Duration::MAX, || open_glance(&setup.database)) => opened,
        _ = &mut told => return,
    };
    let store = match store {
        Ok(store) => store,
        Err(error) => {
            return error!(database = %setup.database, %error, "there is no page: its database cannot be read");
        }
    };
    let page = Page::start(&metrics, &root, store, setup);
    tokio::select! {
        _ = given_up.wait_for(Option::is_some) => {
            error!("there is no page any more: it crashes too often; everything else goes on");
        }
        _ = told => {}
    }
    page.stop().await;
}
