//! Stopping in order: every part is asked, in turn, each within its own time.

use std::time::Duration;

use actix::prelude::*;
use tracing::{info, warn};

use crate::ask::Ask;

/// Finish what is under way, write down what is still to be written, and stop. Answered when that is done.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// One part of an orderly stop.
#[derive(Debug, Clone)]
pub struct StopStep {
    /// What stops, for the log.
    pub name: &'static str,
    /// Whom to ask. Its deadline bounds the step.
    pub ask: Ask<Stop>,
}

/// Stops one part after the other. A part that fails does not keep the next one from stopping.
///
/// Returns whether all of them stopped in good order.
pub async fn stop_in_order(steps: Vec<StopStep>) -> bool {
    let mut clean = true;
    for StopStep { name, ask } in steps {
        let started = tokio::time::Instant::now();
        match ask.ask(Stop).await {
            Ok(()) => info!(part = name, duration_seconds = started.elapsed().as_secs_f64(), "stopped"),
            Err(error) => {
                clean = false;
                warn!(part = name, %error, "did not stop in good order");
            }
        }
    }
    clean
}

/// How long the gateway waits for requests in flight.
pub const GATEWAY_STOP: Duration = Duration::from_secs(10);
/// How long the rounds under way may take to note that they are cut off.
pub const SCHEDULER_STOP: Duration = Duration::from_secs(5);
/// How long the recorder may take to write what it holds.
pub const RECORDER_STOP: Duration = Duration::from_secs(10);
/// How long marking the node offline may take.
pub const HEARTBEAT_STOP: Duration = Duration::from_secs(3);
/// How long the DHT node may take to close its connections.
pub const DHT_STOP: Duration = Duration::from_secs(3);
