//! `parsec page`: what was measured, for people with a browser. It only reads.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parsec_actors::serving::gateway::{Access, Gateway, Routes, Viewing};
use parsec_actors::supervision::stop::{StopStep, stop_in_order};
use parsec_actors::telemetry::metrics::Role;
use parsec_actors::viewing::archive::Archive;
use parsec_api::token::CurrentToken;
use parsec_settings::PageConfig;
use parsec_store::{Glance, StoreConfig, StoreError};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::process::{self, Process};
use crate::provenance;
use parsec_output as output;

/// How long the archive may take to answer a page: more than it has its readers wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// How soon another try is made to reach a database.
const RETRY: Duration = Duration::from_secs(1);

/// How long the pages that are being sent may take when the process stops. Streams of news never end by themselves.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Shows the page until it is told to stop.
pub(crate) async fn run(config: PageConfig) -> anyhow::Result<()> {
    let process = Process::start(Role::Page)?;
    let listener = process::bind("page", &config.listen)?;
    let address = listener.local_addr().context("the socket of the page has no address")?;
    let target = config.database.target()?;
    let Some(store) = process.unless_stopped(open(&target, config.database.wait)).await else { return Ok(()) };
    let store = store.with_context(|| format!("database {target}"))?;
    let is_local = address.ip().is_loopback();
    if !is_local && config.token.is_none() {
        warn!(%address, "whoever reaches this address can look: set --page-token, or let a proxy ask who it is");
    }
    let archive = process.supervise("archive", Archive::new(store));
    let viewing = Viewing {
        look: archive.ask(ANSWER_DEADLINE),
        listen: archive.ask(ANSWER_DEADLINE),
        access: Access { token: CurrentToken::new(config.token), is_local },
        version: provenance::VERSION_AND_COMMIT.to_owned(),
    };
    let gateway = Gateway::new(Arc::new(listener), Routes::viewing(viewing)).stopping_within(STOP_WITHIN);
    let gateway = process.supervise("page gateway", gateway);
    output::line(&format!("http://{address}/"))?;
    info!(%address, database = %target, "serving the page");
    let ended = process.wait_for_end().await;
    let stop = StopStep { name: "page", ask: gateway.ask(STOP_WITHIN + Duration::from_secs(1)) };
    for undone in stop_in_order(vec![stop]).await {
        warn!("{undone}");
    }
    ended
}

/// Opens the database to read. Waits up to `wait` for one that cannot be reached.
async fn open(target: &StoreConfig, wait: Duration) -> Result<Arc<dyn Glance>, StoreError> {
    let started = Instant::now();
    loop {
        match parsec_store::open_glance(target).await {
            Err(error @ StoreError::Unavailable(_)) if started.elapsed() < wait => {
                warn!(database = %target, %error, "the database cannot be reached yet; trying again");
                sleep(RETRY).await;
            }
            opened => return opened,
        }
    }
}
