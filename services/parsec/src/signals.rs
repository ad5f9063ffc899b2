//! The signals that a process listens for: SIGTERM and SIGINT stop it, SIGHUP has it read its files again or stops it too.

use std::convert::Infallible;

use anyhow::Context as _;
use parsec_host::terminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::exit::Failure;
use crate::watchdog::{Watchdog, end_process};

/// What SIGHUP means to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// Stop: somebody watches it on a terminal, and has left.
    Stops,
    /// Read files again, as with other daemons; but stop if the terminal that it was started from has hung up.
    Reloads,
}

/// The signals of a process so far.
pub(crate) struct Signals {
    /// The first one that asks for a stop.
    stop: watch::Receiver<Option<&'static str>>,
    /// How many have asked for files to be read again.
    reloads: watch::Receiver<u64>,
}

const KEPT_OPEN: &str = "whoever listens for signals keeps their channels open";

/// Listens from the start of the process: the first process of a container ignores signals that it has no handler for. A
/// second signal to stop ends the process at once. The handler does not run on the thread of the actors, because an actor
/// may block that thread.
///
/// # Errors
/// If the system grants no handlers.
pub(crate) fn listen(watchdog: Option<Watchdog>, hangup: Hangup) -> anyhow::Result<Signals> {
    // Before anybody listens: whoever has started it with nohup does not want to hear of it.
    let ignored = terminal::hangup_is_ignored();
    let had_terminal = terminal::is_there();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hung_up =
        (!ignored).then(|| signal(SignalKind::hangup())).transpose().context("cannot listen for SIGHUP")?;
    let (first, stop) = watch::channel(None);
    let (reload, reloads) = watch::channel(0);
    tokio::spawn(async move {
        let mut told = false;
        loop {
            let hung_up = async {
                match &mut hung_up {
                    Some(hung_up) => hung_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            let signal = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                // A terminal that hangs up may say so several times, so it never counts as impatience.
                _ = hung_up => match hangup {
                    _ if told => continue,
                    Hangup::Reloads if !had_terminal || terminal::is_there() => {
                        reload.send_modify(|count| *count += 1);
                        continue;
                    }
                    _ => "SIGHUP",
                },
            };
            if told {
                end_process(&Failure::Impatient);
            }
            told = true;
            if let Some(watchdog) = &watchdog {
                watchdog.stop_begins();
            }
            first.send_replace(Some(signal));
        }
    });
    Ok(Signals { stop, reloads })
}

impl Signals {
    /// Waits for the first signal to stop, and returns its name.
    pub(crate) async fn to_stop(&self) -> &'static str {
        let mut stop = self.stop.clone();
        let first = stop.wait_for(Option::is_some).await.map(|signal| *signal);
        first.ok().flatten().expect(KEPT_OPEN)
    }

    /// Calls `reload` for each signal that asks for it; several that come at once are one.
    pub(crate) async fn each_to_reload(&self, reload: impl AsyncFn()) -> Infallible {
        let mut reloads = self.reloads.clone();
        loop {
            reloads.changed().await.expect(KEPT_OPEN);
            info!(signal = "SIGHUP", "reading files again");
            reload().await;
        }
    }
}
