//! Watches the tasks of a node: if one of them ends, the node has died.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::operation::aftermath::Aftermath;

/// How long publications in the background may take to end once the swarm is gone.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs the driver and the upkeep of its routing table in tasks of their own, and returns why the first of them ended:
/// a node needs both.
pub(crate) fn watch_over(
    driver: impl Future<Output = ()> + Send + 'static,
    upkeep: impl Future<Output = ()> + Send + 'static,
    aftermath: Aftermath,
) -> (watch::Receiver<Option<String>>, [AbortHandle; 2]) {
    let (sender, died) = watch::channel(None);
    let (driver, upkeep) = (tokio::spawn(driver), tokio::spawn(upkeep));
    let tasks = [driver.abort_handle(), upkeep.abort_handle()];
    let both = tasks.clone();
    tokio::spawn(async move {
        let (name, end) = tokio::select! {
            end = driver => ("swarm's", end),
            end = upkeep => ("routing table's", end),
        };
        let reason = match end {
            // The one that noticed first.
            Ok(()) => "the node was stopped".to_owned(),
            Err(error) => format!("the {name} task died: {error}"),
        };
        both.iter().for_each(AbortHandle::abort);
        // Without the swarm, the background work of publications ends at once, and is still reported.
        aftermath.settled(LAST_WORDS).await;
        sender.send_replace(Some(reason));
    });
    (died, tasks)
}
