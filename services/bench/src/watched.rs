//! Work that is shown and can be stopped.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parsec_output as output;

/// In how many parts progress is told where no bar is shown.
const PARTS: u64 = 10;

/// What is counted of most comparisons.
pub(crate) const PAIRS: &str = "publications, each with its lookup";

/// Has `work` done beside, shows how far it is of so many of `what`, and tells it to stop once `stopped` is there.
///
/// # Errors
/// If it panics.
pub(crate) async fn watched<T: Send + 'static, S>(
    (all, what): (u64, &'static str),
    stopped: impl Future<Output = S>,
    work: impl FnOnce(&AtomicBool, &(dyn Fn() + Sync)) -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), progress(all, what));
    let mut running = {
        let (stop, progress) = (Arc::clone(&stop), progress.clone());
        tokio::task::spawn_blocking(move || work(&stop, &|| advance(&progress, what)))
    };
    let done = tokio::select! {
        done = &mut running => done,
        _ = stopped => {
            stop.store(true, Ordering::Relaxed);
            progress.suspend(|| output::note("stopping after what is under way; Ctrl-C once more stops at once"));
            running.await
        }
    };
    progress.finish_and_clear();
    Ok(done?)
}

fn progress(all: u64, what: &str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let progress = ProgressBar::with_draw_target(Some(all), target);
    let style = ProgressStyle::with_template(&format!("{{wide_bar}} {{pos}}/{{len}} {what}, {{elapsed}}"));
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    progress
}

/// Counts one. Where no bar is shown, a line says now and then how far it is: whoever reads the log of a
/// job wants to know that it goes on.
fn advance(progress: &ProgressBar, what: &str) {
    progress.inc(1);
    let (done, all) = (progress.position(), progress.length().unwrap_or_default());
    if progress.is_hidden() && all >= 10 * PARTS && done % all.div_ceil(PARTS) == 0 {
        output::note(&format!("{done} of {all} {what}"));
    }
}
